"""Checkpoints of a running house: the state hashed, and now and then written, beside the loop."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
import structlog

from actors.system import System
from config.settings import Settings
from engine.desk import Answer
from engine.digest import DIGEST_BYTES, encode_state
from engine.facts import Raised
from riskd.messages import Error, Result, Severity, Snapshot, StateDigest
from transport.aside import Aside, AsideError
from transport.journal_retention import trim_journal
from transport.process_door import Door
from transport.snapshot import SnapshotMark, prune_snapshots, write_snapshot

log = structlog.get_logger("riskd")
DIGEST_RECORDS = 10_000  # A hash of the state is due after so many records,
DIGEST_S_MIN = 10.0  # but not more often than this: each is a fork.
WAITING_MAX = 64  # Requests for a snapshot that wait for the one under way.
OWN_RECORDS = 2  # A checkpoint and its digest: nothing else happened if there are no more.

Reply = Callable[[Answer], None]
Say = Callable[[Raised], None]
Asked = tuple[Snapshot, Reply]


class Checkpoints:
    """Takes checkpoints when they are due or asked for, one at a time.

    `last` says what the newest one was, for the status.
    """

    def __init__(
        self, settings: Settings, system: System, door: Door, *, aside: Aside, say: Say
    ) -> None:
        self.last: dict[str, Any] = {}
        self.failures = 0
        self._settings = settings
        self._system, self._door, self._journal = system, door, door.journal
        self._aside, self._say = aside, say
        self._waiting: list[Asked] = []
        self._hashed_seq, self._hashed_s = door.last_seq, monotonic()
        self._written_seq, self._written_s = door.last_seq, monotonic()

    def step(self) -> None:
        """Take what is due. Called often."""
        if self._aside.is_busy:
            return
        now_s, seq = monotonic(), self._door.last_seq
        every_s = self._settings.snapshot.every_s
        has_news = seq > self._written_seq + OWN_RECORDS
        if self._waiting or (every_s and has_news and now_s >= self._written_s + every_s):
            self._take(writes=True)
        elif seq >= self._hashed_seq + DIGEST_RECORDS and now_s >= self._hashed_s + DIGEST_S_MIN:
            self._take(writes=False)

    def ask(self, request: Snapshot, reply: Reply) -> None:
        """Take a snapshot soon; answer when it is on disk, or why it is not."""
        if len(self._waiting) >= WAITING_MAX:
            text = f"{WAITING_MAX} requests wait for a snapshot already"
            reply(Error(code="overloaded", text=text, request_id=request.request_id))
            return
        self._waiting.append((request, reply))
        self.step()

    def _take(self, *, writes: bool) -> None:
        asked: list[Asked] = []
        if writes:
            asked, self._waiting = self._waiting, asked
        mark = self._door.checkpoint()
        if mark is None:
            _refuse(asked, f"not taken: {self._door.refusal}")
            return
        now_s = self._hashed_s = monotonic()
        self._hashed_seq = mark.seq
        if writes:
            self._written_s, self._written_seq = now_s, mark.seq
        system, directory = self._system, self._journal.directory
        unsynced, settings, parent = self._journal.unsynced_paths(), self._settings, os.getpid()

        def work() -> bytes:
            payload = encode_state(system.state())  # Here: settling every account takes a while.
            found: dict[str, Any] = {"state_bytes": len(payload)}
            found["state_hash"] = blake2b(payload, digest_size=DIGEST_BYTES).hexdigest()
            if writes:
                _sync_files(unsynced)
                found["file"] = str(write_snapshot(directory, mark, payload))
                if os.getppid() == parent:  # Else another riskd may rely on what is older.
                    prune_snapshots(directory, settings.snapshot.keep)
                    found["trimmed"] = trim_journal(directory, settings.journal.retain_bytes)
            return msgspec.json.encode(found)

        self._aside.start(work, lambda told: self._on_done(mark, asked, told))

    def _on_done(self, mark: SnapshotMark, asked: list[Asked], told: bytes | AsideError) -> None:
        if isinstance(told, AsideError):
            self.failures += 1
            text = f"the state at seq {mark.seq} was not written: {told}"
            log.error("checkpoint_failed", text=text)
            self._say(Raised(Severity.CRITICAL, "checkpoint_failed", "checkpoint_failed", text))
            _refuse(asked, f"no snapshot was written: {told}")
            return
        found = msgspec.json.decode(told)
        self._door.inject(StateDigest(at_seq=mark.seq, state_hash=found["state_hash"]))
        self.last = {"seq": mark.seq, **found, "pause_ns": self._aside.pause_ns}
        for request, reply in asked:
            reply(Result(ok=True, data=self.last, request_id=request.request_id))


def _refuse(asked: list[Asked], text: str) -> None:
    for request, reply in asked:
        reply(Error(code="internal", text=text, request_id=request.request_id))


def _sync_files(paths: list[Path]) -> None:
    """Put the records that a snapshot will prove on disk first. Raises OSError."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
