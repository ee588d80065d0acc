"""The alert book: one alert per cause, from its first sight over escalation to its end."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from engine.bursts import Burst, take_ended, withholds
from engine.bursts import due_steady_ns as burst_due_ns
from engine.facts import MS_NS, AlertFact, Raised, Resolved, Stamp
from engine.timers import earliest
from riskd.messages import Alert, AlertAck, AlertSettings, AlertStep, Error, Result, Severity

ALERTS_MAX = 10_000  # Kept for questions; the oldest is forgotten.
MUTES_MAX = 10_000  # At once; the oldest is forgotten.
STEPS_MAX = 32  # Kept of one alert: its first and the newest.
ESCALATED_MAX = 100  # By one input; the next goes on.
REPEAT_NS = 1_000_000_000  # A cause that goes on is published again at most this often.
SEVERITIES = tuple(Severity)
RANKS = {severity: rank for rank, severity in enumerate(SEVERITIES)}
UNCONFIGURED = AlertSettings()


class AlertEntry(Struct):
    """One alert, as often as its cause was seen."""

    alert: Alert  # As it was published last, but for a repeat that was not.
    cause: str
    lasting: bool  # Its cause goes on until it is resolved.
    count: int
    last_ns: int
    published_steady_ns: int
    steps: list[AlertStep]
    worst: Severity  # It ever was.
    lifted: Severity | None = None  # To what it was escalated.
    silent: bool = False  # Acknowledged or muted: it is neither published again nor escalated.


class Mute(Struct):
    """A cause of which nobody wants to hear for a while, as long as it is no worse than this."""

    severity: Severity
    until_steady_ns: int
    by: str


class AlertBook(Struct):
    """Alerts by number, oldest first, with what waits for a person."""

    last_id: int = 0
    entries: dict[int, AlertEntry] = {}
    open: dict[str, int] = {}  # By cause: the alert that counts its repeats.
    waiting: dict[Severity, dict[int, int]] = {}  # When each is escalated, the first due first.
    mutes: dict[str, Mute] = {}  # By cause.
    bursts: dict[str, Burst] = {}  # By type and status.

    def apply(
        self, fact: AlertFact, stamp: Stamp, settings: AlertSettings = UNCONFIGURED
    ) -> Alert | None:
        """Count a cause, or end it; return the alert to publish, None if there is none now.

        One that is `withheld` is for the audit alone.
        """
        return self._measured(self._apply(fact, stamp, settings), stamp)

    def _measured(self, alert: Alert | None, stamp: Stamp) -> Alert | None:
        """Return an alert that is about to be published, withheld if there are too many."""
        if alert is None or not withholds(self.bursts, alert, stamp.steady_ns):
            return alert
        return replace(alert, withheld=True)

    def _apply(self, fact: AlertFact, stamp: Stamp, settings: AlertSettings) -> Alert | None:
        alert_id = self.open.get(fact.cause)
        if isinstance(fact, Resolved):
            return self._resolve(self.entries[alert_id], stamp) if alert_id is not None else None
        if alert_id is None:
            return self._open(fact, stamp, settings)
        entry = self.entries[alert_id]
        entry.lasting = entry.lasting or fact.lasting  # An order began it, and now it stands.
        entry.count += 1
        entry.last_ns = stamp.recv_ns
        severity = fact.severity
        if entry.lifted is not None:
            severity = max(severity, entry.lifted, key=RANKS.__getitem__)
        before = entry.alert.severity
        status = entry.alert.status if entry.silent else "repeated"
        if RANKS[severity] > RANKS[entry.worst]:
            entry.worst, entry.silent = severity, False  # Nobody acknowledged this.
            status = "raised"
        elif severity is before and stamp.steady_ns - entry.published_steady_ns < REPEAT_NS:
            return None
        entry.alert = _again(entry, fact, stamp, severity, status)
        entry.published_steady_ns = stamp.steady_ns
        if severity is not before:
            self._note(entry, status, stamp)
            self._wait(entry, stamp, settings)
        return None if entry.silent else entry.alert

    def acknowledge(
        self, ack: AlertAck, stamp: Stamp, by: str
    ) -> tuple[Result | Error, Alert | None]:
        """Note that a person has seen an alert; return the answer and what to publish."""
        entry = self.entries.get(ack.alert_id)
        if entry is None:
            text = f"no alert {ack.alert_id} is remembered"
            return Error(code="not_found", text=text, request_id=ack.request_id), None
        told = None
        if entry.alert.status not in ("acknowledged", "resolved"):
            self._stop_waiting(entry)
            entry.silent = True
            seen = {"by": ack.by or by, "note": ack.note or None}
            entry.alert = replace(self.shown(entry), status="acknowledged", **seen)
            self._note(entry, "acknowledged", stamp, entry.alert.by, entry.alert.note)
            told = entry.alert
            if not entry.lasting:
                self.open.pop(entry.cause, None)  # What happens again is news again.
        if ack.mute_ms is not None:
            self._mute(entry, ack, stamp, by)
        shown = {
            "seq": stamp.seq,
            "alert_id": ack.alert_id,
            "status": entry.alert.status,
            "changed": told is not None,
        }
        return Result(ok=True, data=shown, request_id=ack.request_id), told

    def elapse(self, stamp: Stamp, settings: AlertSettings = UNCONFIGURED) -> list[Alert]:
        """Escalate what nobody acknowledged in time, so many at once; return what to publish."""
        found: list[Alert | None] = []
        for rank, severity in enumerate(SEVERITIES[:-1]):
            waiting = self.waiting.get(severity, {})
            while waiting and len(found) < ESCALATED_MAX:
                alert_id, due_ns = next(iter(waiting.items()))
                if due_ns > stamp.steady_ns:
                    break
                entry = self.entries[alert_id]
                entry.lifted = entry.worst = SEVERITIES[rank + 1]
                entry.alert = replace(self.shown(entry), severity=entry.lifted, status="escalated")
                entry.published_steady_ns = stamp.steady_ns
                self._note(entry, "escalated", stamp)
                self._wait(entry, stamp, settings)
                found.append(self._measured(entry.alert, stamp))
        ended = take_ended(self.bursts, stamp.steady_ns)
        found += [self.apply(digest, stamp, settings) for digest in ended]
        return [alert for alert in found if alert is not None]

    def due_steady_ns(self) -> int | None:
        """Return when the next alert is escalated, or the next burst over; None if none waits."""
        firsts = [next(iter(dues.values())) for dues in self.waiting.values() if dues]
        return earliest(min(firsts, default=None), burst_due_ns(self.bursts))

    def newest(self, count_max: int) -> list[Alert]:
        """Return the newest alerts with their present counts, the latest last."""
        entries = list(self.entries.values())[-count_max:] if count_max else []
        return [self.shown(entry) for entry in entries]

    def shown(self, entry: AlertEntry) -> Alert:
        """Return an alert with its present count."""
        return replace(entry.alert, count=entry.count, last_ns=entry.last_ns)

    def _open(self, raised: Raised, stamp: Stamp, settings: AlertSettings) -> Alert | None:
        self.last_id += 1
        mute = self._muting(raised, stamp)
        alert = _alert(self.last_id, raised, stamp)
        entry = AlertEntry(
            alert,
            raised.cause,
            raised.lasting,
            1,
            stamp.recv_ns,
            published_steady_ns=stamp.steady_ns,
            steps=[],
            worst=raised.severity,
        )
        self.entries[self.last_id] = entry
        self.open[raised.cause] = self.last_id
        if len(self.entries) > ALERTS_MAX:
            self._forget(next(iter(self.entries)))
        if mute is not None:
            entry.silent = True
            entry.alert = replace(alert, status="muted", by=mute.by)
        self._note(entry, entry.alert.status, stamp, entry.alert.by)
        self._wait(entry, stamp, settings)
        return None if entry.silent else entry.alert

    def _resolve(self, entry: AlertEntry, stamp: Stamp) -> Alert | None:
        was_muted = entry.alert.status == "muted"
        self._stop_waiting(entry)
        del self.open[entry.cause]
        entry.alert = replace(self.shown(entry), status="resolved", seq=stamp.seq)
        self._note(entry, "resolved", stamp)
        return None if was_muted else entry.alert

    def _forget(self, alert_id: int) -> None:
        entry = self.entries.pop(alert_id)
        self._stop_waiting(entry)
        if self.open.get(entry.cause) == alert_id:
            del self.open[entry.cause]

    def _wait(self, entry: AlertEntry, stamp: Stamp, settings: AlertSettings) -> None:
        """Escalate an alert later, if its severity is; a shorter span keeps the order."""
        self._stop_waiting(entry)
        severity = entry.alert.severity
        span_ms = _escalation_ms(settings, severity)
        if entry.silent or not span_ms:
            return
        waiting = self.waiting.setdefault(severity, {})
        due_ns = stamp.steady_ns + span_ms * MS_NS
        if waiting:
            due_ns = max(due_ns, next(reversed(waiting.values())))
        waiting[entry.alert.alert_id] = due_ns

    def _stop_waiting(self, entry: AlertEntry) -> None:
        for waiting in self.waiting.values():
            waiting.pop(entry.alert.alert_id, None)

    def _mute(self, entry: AlertEntry, ack: AlertAck, stamp: Stamp, by: str) -> None:
        assert ack.mute_ms is not None
        until_ns = stamp.steady_ns + ack.mute_ms * MS_NS
        self.mutes.pop(entry.cause, None)
        self.mutes[entry.cause] = Mute(entry.alert.severity, until_ns, ack.by or by)
        if len(self.mutes) > MUTES_MAX:
            del self.mutes[next(iter(self.mutes))]

    def _muting(self, raised: Raised, stamp: Stamp) -> Mute | None:
        mute = self.mutes.get(raised.cause)
        if mute is None:
            return None
        if mute.until_steady_ns <= stamp.steady_ns:
            del self.mutes[raised.cause]
            return None
        return mute if RANKS[raised.severity] <= RANKS[mute.severity] else None

    def _note(
        self,
        entry: AlertEntry,
        status: str,
        stamp: Stamp,
        by: str | None = None,
        note: str | None = None,
    ) -> None:
        step = AlertStep(
            status=status,
            severity=entry.alert.severity,
            seq=stamp.seq,
            at_ns=stamp.recv_ns,
            by=by,
            note=note,
        )
        entry.steps.append(step)
        if len(entry.steps) > STEPS_MAX:
            del entry.steps[1]


def topic_of(alert: Alert) -> str:
    """Return the topic an alert is published on."""
    return f"alert.{alert.severity}.{alert.account or 'firm'}"


def _escalation_ms(settings: AlertSettings, severity: Severity) -> int:
    match severity:
        case Severity.LOW:
            return settings.escalate_low_ms
        case Severity.MEDIUM:
            return settings.escalate_medium_ms
        case Severity.HIGH:
            return settings.escalate_high_ms
        case Severity.CRITICAL:
            return settings.escalate_critical_ms
        case Severity.EXTREME:
            return 0  # There is nothing worse.


def _alert(alert_id: int, raised: Raised, stamp: Stamp) -> Alert:
    return Alert(
        alert_id=alert_id,
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
        last_ns=stamp.recv_ns,
        count=1,
    )


def _again(
    entry: AlertEntry, raised: Raised, stamp: Stamp, severity: Severity, status: str
) -> Alert:
    return replace(
        entry.alert,
        seq=stamp.seq,
        severity=severity,
        alert_type=raised.alert_type,
        symbol=raised.symbol,
        message=raised.message,
        value=raised.value,
        threshold=raised.threshold,
        status=status,
        count=entry.count,
        last_ns=entry.last_ns,
        by=entry.alert.by if entry.silent else None,
        note=entry.alert.note if entry.silent else None,
    )
