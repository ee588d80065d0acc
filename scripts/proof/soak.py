"""Simulated weeks in minutes: memory flat once its bounds are reached, files within retention.

A real riskd with everything that it keeps: journal, snapshots, audit database, alerts, responses
that a gateway carries out. Its clocks are moved, so that days pass in seconds. At checkpoints the
state that a start would come to, from the oldest snapshot on, is compared with the running one.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from random import Random
from typing import NamedTuple

from engine.digest import state_digest
from scripts.benchmarks.machine import resident_bytes
from scripts.proof.soak_days import Days
from scripts.proof.soak_house import NS, RETENTION_DAYS, make_house, segment_bytes
from transport.audit_schema import TABLES
from transport.journal_reading import JournalReader
from transport.journal_recovery import SEGMENT_SUFFIX
from transport.journal_settings import SCHEMA
from transport.process_replay import begin

ORDERS_A_DAY = 5_000  # As many as an account remembers with their verdicts: `FINISHED_MAX`.
RETAIN_BYTES = 4 << 20
SNAPSHOTS, NOTES = 3, 2
WARM_DAYS = 22  # Until the longest memory, 100,000 executions, is full.
GROWTH_MAX = 1.05
AUDIT_GROWTH_MAX = 1.25  # Pages are reused, not always filled alike.
COMPARE_DAYS = 7
DAY_NS = 86_400 * NS


class Tally(NamedTuple):
    """What the days came to."""

    days: int
    inputs: int
    approvals: int
    refusals: int
    alerts: int
    breakers: int
    responses: int
    instructions: int
    warm_bytes: int  # Resident after the warm-up, 0 if it was not over.
    resident_bytes: int
    segments_bytes_max: int
    segments_bytes_allowed: int
    other_files_max: int  # Beside segments: snapshots, and two notes of the journal.
    audit_warm_bytes: int  # With retention reached, 0 if it was not.
    audit_bytes: int
    audit_days_max: int  # Age of the oldest row.
    hashes_compared: int
    hashes_differing: int

    @property
    def is_clean(self) -> bool:
        """Return whether memory and files are bounded, and every start came to the same state."""
        flat = not self.warm_bytes or self.resident_bytes <= GROWTH_MAX * self.warm_bytes
        kept = self.segments_bytes_max <= self.segments_bytes_allowed
        few = self.other_files_max <= SNAPSHOTS + NOTES
        warm, rows_kept = self.audit_warm_bytes, self.audit_days_max <= RETENTION_DAYS + 1
        tidy = rows_kept and (not warm or self.audit_bytes <= AUDIT_GROWTH_MAX * warm)
        return flat and kept and few and tidy and not self.hashes_differing


class Soak:
    """One riskd and its days, with what was measured at their ends."""

    def __init__(self, folder: Path, retain_bytes: int, seed: int) -> None:
        self.riskd, self.clock = make_house(folder, retain_bytes)
        self.riskd.start()
        self.days = Days(self.riskd, self.clock, Random(seed))
        self.compared = self.differing = self.segments_bytes_max = self.other_files_max = 0
        self.warm_bytes = self.audit_warm_bytes = self.audit_bytes = self.audit_days_max = 0

    def day(self, number: int, orders: int) -> None:
        """Play a day and look at what it left."""
        self.days.day(number, orders)
        for _ in range(SNAPSHOTS):  # Then none of those that are kept needs much of the journal.
            self.riskd.control("snapshot")
        if number % COMPARE_DAYS == 0:
            self.compare()
        files = list((self.riskd.books / "journal").iterdir())
        sizes = [path.stat().st_size for path in files if path.suffix == SEGMENT_SUFFIX]
        self.segments_bytes_max = max(self.segments_bytes_max, sum(sizes))
        self.other_files_max = max(self.other_files_max, len(files) - len(sizes))
        self._look_at_audit()
        if number == WARM_DAYS:
            self.warm_bytes = self.resident()
        if number == 2 * RETENTION_DAYS:
            self.audit_warm_bytes = self.audit_bytes

    def compare(self) -> None:
        """Come to the present state as a start would, from the oldest snapshot that is kept."""
        status = self.riskd.status()
        begun = begin(JournalReader(self.riskd.books, SCHEMA))
        for record in begun.records:
            if record.seq > status["seq"]:
                break
            begun.replay.take(record)
        self.compared += 1
        same = state_digest(begun.replay.core.state()) == status["state_hash"]
        self.differing += not same or bool(begun.replay.divergences)

    def restart(self) -> None:
        """Kill it, and compare what it comes back with."""
        before = self.riskd.status()
        self.riskd.kill()
        self.riskd.start()
        self.compared += 1
        self.differing += self.riskd.status()["books_hash"] != before["books_hash"]

    def resident(self) -> int:
        """Return how much memory riskd has."""
        return resident_bytes(self.riskd.pid) or 0

    def _look_at_audit(self) -> None:
        self.riskd.wait_until(self.days.is_written)
        path = self.riskd.books / "audit.db"
        oldest_ns = self.clock.wall_ns()
        with closing(sqlite3.connect(path)) as audit:
            for table in TABLES:
                (at_ns,) = audit.execute(f"SELECT min(at_ns) FROM {table}").fetchone()
                oldest_ns = min(oldest_ns, at_ns or oldest_ns)
        self.audit_days_max = max(self.audit_days_max, (self.clock.wall_ns() - oldest_ns) // DAY_NS)
        self.audit_bytes = sum(x.stat().st_size for x in self.riskd.books.glob("audit.db*"))


def prove_soak(
    days: int,
    seed: int,
    *,
    orders: int = ORDERS_A_DAY,
    retain_bytes: int = RETAIN_BYTES,
    verbose: bool = True,
) -> Tally:
    """Trade for so many days; print and return what came of it."""
    begun_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak", ignore_cleanup_errors=True) as name:
        soak = Soak(Path(name), retain_bytes, seed)
        try:
            for number in range(days):
                soak.day(number, orders)
                if verbose and number % COMPARE_DAYS == 0:
                    memory, files = soak.resident(), soak.segments_bytes_max
                    told = f"memory {memory:,}, segments {files:,}, audit {soak.audit_bytes:,}"
                    print(f"day {number}: {told}", flush=True)
            tally = _tally(soak, days, retain_bytes)
        finally:
            soak.riskd.close()
    if verbose:
        for field, figure in tally._asdict().items():
            print(f"{field:<24} {figure:>14,}")
        print(f"{'seconds':<24} {time.monotonic() - begun_s:>14,.0f}")
    return tally


def _tally(soak: Soak, days: int, retain_bytes: int) -> Tally:
    counts, inputs, resident = soak.days.counts, soak.riskd.status()["seq"], soak.resident()
    soak.restart()
    # Beside those to keep: one that is being left, the present one, two made ahead.
    beside = 4 * segment_bytes(retain_bytes)
    return Tally(
        days=days,
        inputs=inputs,
        approvals=counts["approvals"],
        refusals=counts["refusals"],
        alerts=counts["alert"],
        breakers=counts["breaker"],
        responses=counts["response"],
        instructions=counts["instructions"],
        warm_bytes=soak.warm_bytes,
        resident_bytes=resident,
        segments_bytes_max=soak.segments_bytes_max,
        segments_bytes_allowed=retain_bytes + beside,
        other_files_max=soak.other_files_max,
        audit_warm_bytes=soak.audit_warm_bytes,
        audit_bytes=soak.audit_bytes,
        audit_days_max=soak.audit_days_max,
        hashes_compared=soak.compared,
        hashes_differing=soak.differing,
    )
