"""What was refused for want of a right: counted, logged, and told when it is repeated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from time import monotonic_ns
from typing import NamedTuple

import structlog

from engine.facts import AlertFact, Raised
from riskd.messages import Severity

REPEATS_MIN = 3  # Within a window: once is a slip, thrice is somebody trying.
WINDOW_NS = 60_000_000_000
LINES_MAX = 10  # Of the log in a second; the rest is counted.
SECOND_NS = 1_000_000_000

log = structlog.get_logger("riskd")


class LogIn(NamedTuple):
    """A connection that was not let in."""

    port: str
    address: str  # Of the peer, as ZeroMQ has it.
    key: str  # Its public key, or how it tried.
    reason: str


class NotAllowed(NamedTuple):
    """A request that was not carried out for want of a right."""

    port: str
    name: str  # Of the key.
    what: str  # The type of the message, or the topic.
    reason: str


class Refusals:
    """Takes every refusal; lines and alerts about them are bounded, however many come."""

    def __init__(self, say: Callable[[AlertFact], None]) -> None:
        self.counts: Counter[str] = Counter()
        self._say = say
        self._seen: dict[str, list[int]] = {}  # By cause: when its window began, and how often.
        self._lines_ns = self._lines = 0

    def take(self, refusal: LogIn | NotAllowed) -> None:
        """Count a refusal, log it, and raise an alert if it was not the first."""
        kind, who = (
            ("login_refused", refusal.port)
            if isinstance(refusal, LogIn)
            else ("not_authorized", refusal.name)
        )
        self.counts[kind] += 1
        self._log(kind, refusal)
        cause = f"{kind}:{who}"
        if not self._is_repeated(cause):
            return
        if isinstance(refusal, LogIn):
            what = f"{refusal.port} port: {refusal.address} was not let in: {refusal.reason}"
            self._say(Raised(Severity.HIGH, "login_refused", cause, what))
        else:
            what = f"{refusal.port} port: {refusal.what} refused: {refusal.reason}"
            self._say(Raised(Severity.MEDIUM, "not_authorized", cause, what))

    def _is_repeated(self, cause: str) -> bool:
        now_ns = monotonic_ns()
        seen = self._seen.setdefault(cause, [now_ns, 0])
        if now_ns - seen[0] > WINDOW_NS:
            seen[:] = [now_ns, 0]
        seen[1] += 1
        return seen[1] >= REPEATS_MIN

    def _log(self, kind: str, refusal: LogIn | NotAllowed) -> None:
        now_ns = monotonic_ns()
        if now_ns - self._lines_ns > SECOND_NS:
            self._lines_ns, self._lines = now_ns, 0
        self._lines += 1
        if self._lines <= LINES_MAX:
            log.warning(kind, **refusal._asdict())
        else:
            self.counts["not_logged"] += 1
