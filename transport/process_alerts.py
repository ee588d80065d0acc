"""Alerts about the process itself: they are no inputs, so they are in no journal and no state."""

from __future__ import annotations

from collections.abc import Callable

from engine.alerts import AlertBook, topic_of
from engine.facts import AlertFact, Raised, Stamp
from riskd.messages import Alert, AlertAck, AlertSettings, Error, Result, Severity
from transport.clock import Clock

OWN_ALERT_ID_FIRST = 10**12  # Their numbers are others than those of the engine.
CLOCK_STEP_NS = 500_000_000  # A clock that is steered slowly never does this in a heartbeat.


class OwnAlerts:
    """Raises, escalates, acknowledges and resolves them as the engine does its own."""

    def __init__(
        self,
        settings: AlertSettings,
        *,
        now: Callable[[], Stamp],
        publish: Callable[[str, Alert, Stamp], None],
    ) -> None:
        self.book = AlertBook(last_id=OWN_ALERT_ID_FIRST)
        self._settings, self._now, self._publish = settings, now, publish

    def say(self, fact: AlertFact) -> None:
        """Take a cause, or its end."""
        now = self._now()
        self._tell(self.book.apply(fact, now, self._settings), now)

    def elapse(self) -> None:
        """Escalate what nobody acknowledged in time."""
        now = self._now()
        for alert in self.book.elapse(now, self._settings):
            self._tell(alert, now)

    def look_at(self, clock: Clock) -> None:
        """Say so if the wall clock was set since the last look."""
        step_ns = clock.take_step_ns()
        if abs(step_ns) >= CLOCK_STEP_NS:
            text = f"the wall clock stepped by {step_ns / 1e9:+.3f} s; spans are not measured by it"
            self.say(Raised(Severity.HIGH, "clock_stepped", "clock_stepped", text))

    def acknowledge(self, ack: AlertAck, by: str) -> Result | Error:
        """Note that a person has seen one."""
        now = self._now()
        answer, told = self.book.acknowledge(ack, now, by)
        self._tell(told, now)
        return answer

    def _tell(self, alert: Alert | None, now: Stamp) -> None:
        if alert is not None:
            self._publish(topic_of(alert), alert, now)
