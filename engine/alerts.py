"""The alert book: numbers alerts, and makes repeats of one cause one alert with a count."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from engine.facts import Raised, Stamp
from riskd.messages import Alert

ALERTS_MAX = 10_000  # Kept for questions; the oldest is forgotten.
REPEAT_NS = 1_000_000_000  # A cause that goes on is published again at most this often.


class AlertEntry(Struct):
    """One cause, as often as it was seen."""

    alert: Alert
    count: int
    published_steady_ns: int


class AlertBook(Struct):
    """Alerts by cause, oldest first."""

    last_id: int = 0
    entries: dict[str, AlertEntry] = {}

    def apply(self, raised: Raised, stamp: Stamp) -> Alert | None:
        """Count a cause; return the alert to publish, None if it was published just now."""
        entry = self.entries.get(raised.cause)
        if entry is None:
            self.last_id += 1
            entry = AlertEntry(self._alert(raised, stamp), 0, 0)
            self.entries[raised.cause] = entry
            if len(self.entries) > ALERTS_MAX:
                del self.entries[next(iter(self.entries))]
        entry.count += 1
        recent = stamp.steady_ns - entry.published_steady_ns < REPEAT_NS
        if entry.count > 1 and recent:
            return None
        if entry.count > 1:
            entry.alert = _again(entry, raised, stamp)
        entry.published_steady_ns = stamp.steady_ns
        return entry.alert

    def newest(self, count_max: int) -> list[Alert]:
        """Return the newest alerts with their present counts, the latest last."""
        entries = list(self.entries.values())[-count_max:] if count_max else []
        return [replace(entry.alert, count=entry.count) for entry in entries]

    def _alert(self, raised: Raised, stamp: Stamp) -> Alert:
        return Alert(
            alert_id=self.last_id,
            seq=stamp.seq,
            severity=raised.severity,
            alert_type=raised.alert_type,
            account=raised.account,
            symbol=raised.symbol,
            message=raised.message,
            value=raised.value,
            threshold=raised.threshold,
            status="raised",
            first_ns=stamp.recv_ns,
            count=1,
        )


def topic_of(alert: Alert) -> str:
    """Return the topic an alert is published on."""
    return f"alert.{alert.severity}.{alert.account or 'firm'}"


def _again(entry: AlertEntry, raised: Raised, stamp: Stamp) -> Alert:
    return replace(
        entry.alert,
        seq=stamp.seq,
        severity=raised.severity,
        symbol=raised.symbol,
        message=raised.message,
        value=raised.value,
        threshold=raised.threshold,
        status="repeated",
        count=entry.count,
    )
