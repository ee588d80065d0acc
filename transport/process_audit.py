"""The audit of a running house: fed by all that leaves, watched, and failing closed (E80)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from actors.system import System
from config.settings import Settings
from engine.core import BY_LOCAL, Core
from engine.desk import Answer
from engine.facts import AlertFact, Raised, Resolved, Stamp
from riskd.codec import encode_msgpack
from riskd.messages import (
    AccountRebuild,
    ControlCommand,
    ControlRequest,
    Published,
    Reload,
    Reset,
    Result,
    Severity,
    Trip,
)
from transport.audit import Audit
from transport.audit_writer import AuditWriter
from transport.process_door import Door, Reply

log = structlog.get_logger("riskd")
REASON = "the audit database cannot be written"  # Of the breaker that is open meanwhile.
CAUSE = "audit_failed"

Say = Callable[[AlertFact], None]


class AuditKeeper:
    """Opens the database, feeds it, and lets only what reduces risk pass while it falls behind."""

    def __init__(self, settings: Settings) -> None:
        """Open the database. Raises AuditError, sqlite3.Error or OSError."""
        told = settings.audit
        self.path = Path(settings.data_dir) / told.path
        self.is_behind = False
        self._lag_max_s = told.lag_max_s
        self._writer = AuditWriter(self.path, retention_days=told.retention_days)
        self._audit = Audit(self._writer, interval_s=told.interval_s)
        self._dropped = 0

    def bind(self, system: System, door: Door, say: Say) -> None:
        """Take the house that is to be kept."""
        self._system, self._door, self._say = system, door, say

    def replayed(self, message: Any, answer: Answer, core: Core, by: str) -> None:
        """Keep what an input of the journal led to, where it is not kept yet."""
        self._audit.replayed(message, answer, core, by)

    def published(self, topic: str, message: Published, stamp: Stamp) -> None:
        """Keep what is published."""
        self._audit.take(topic, message, stamp, self._system.boards)

    def command(
        self, request: ControlCommand, raw: bytes, reply: Reply, by: str = BY_LOCAL
    ) -> None:
        """Let an operator's command through the door, and keep it with its answer."""
        before_seq = self._door.last_seq

        def told(answer: Answer) -> None:
            is_journalled = self._door.last_seq > before_seq
            self.act(request, answer, by, self._system.last.seq if is_journalled else 0)
            reply(answer)

        self._door.command(request, raw, told, by)

    def act(self, request: ControlRequest, answer: Answer, by: str, seq: int = 0) -> None:
        """Keep what somebody did; seq 0: the journal does not have it."""
        self._audit.act(request, answer, Stamp(seq, self._door.now_ns(), 0), by)

    def worked(self, request: ControlRequest, answer: Answer, by: str) -> None:
        """Keep what was done beside the loop, if it changed anything."""
        if isinstance(request, AccountRebuild | Reload):
            self.act(request, answer, by)

    def stopped(self, request: ControlRequest, by: str) -> None:
        """Keep that somebody ended the process."""
        self.act(request, Result(ok=True, request_id=request.request_id), by)

    def watch(self) -> None:
        """Compare how far the database is behind with how far it may be. Called often."""
        lag_s, dropped = self._writer.lag_s(), self._writer.dropped_count - self._dropped
        if not self.is_behind and (lag_s > self._lag_max_s or dropped):
            self._fall_behind(lag_s)
        elif self.is_behind and not self._writer.failure and not self._writer.lag:
            self._catch_up()
        self._audit.days(self._system.accounts, self._system.last)

    def measure(self) -> bool:
        """Keep the measures of the next few accounts, if due; return whether there are more."""
        seq = self._system.last.seq
        return self._audit.step(self._system.accounts, seq, self._door.now_ns)

    def figures(self) -> dict[str, Any]:
        """Return how the audit does."""
        writer = self._writer
        return {
            "path": str(self.path.resolve()),
            "rows": writer.written_count,
            "lag": writer.lag,
            "lag_ms": round(writer.lag_s() * 1000),
            "dropped": writer.dropped_count,
            "failure": writer.failure or None,
        }

    @property
    def lag(self) -> int:
        """Return how many rows are not in the database yet."""
        return self._writer.lag

    def close(self) -> None:
        """Write what waits, then let the database go."""
        self._writer.close()

    def _fall_behind(self, lag_s: float) -> None:
        self.is_behind = True
        self._dropped = self._writer.dropped_count
        why = self._writer.failure or f"{self.path}: no answer from the disk"
        text = f"{why}; {self._writer.lag:,} rows wait, the oldest for {lag_s:.1f} s: reduce only"
        log.error("audit_failed", text=text)
        self._say(Raised(Severity.CRITICAL, "audit_failed", CAUSE, text, lasting=True))
        if not self._ours():
            trip = Trip(scope="firm", action="reduce_only", reason=REASON)
            self.command(trip, encode_msgpack(trip), lambda _: None)

    def _catch_up(self) -> None:
        self.is_behind = False
        log.info("audit_written", path=str(self.path))
        self._say(Resolved(CAUSE))
        for breaker_id in self._ours():
            reset = Reset(breaker_id=breaker_id, reason="the audit database is written again")
            self.command(reset, encode_msgpack(reset), lambda _: None)

    def adopt(self) -> None:
        """Close what an earlier run left open because it could not write: this one can."""
        if self._ours():
            self._catch_up()

    def _ours(self) -> list[int]:
        opened = self._system.boards.breakers.book.open.values()
        return [state.breaker_id for state in opened if state.reason == REASON]
