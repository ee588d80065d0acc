"""Simulated weeks in minutes: memory flat once its bounds are reached, files within retention.

One account trades day after day under new ids, as a house keeps it: every input is journalled,
each day ends with a snapshot, old ones and segments that none needs go, and the state that a start
would come to is compared with the running one.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from actors.sequencer import Source
from engine.chain import AnswerChain
from engine.core import Core, Input
from engine.digest import encode_state, state_digest
from engine.facts import Stamp
from riskd.codec import encode_msgpack
from riskd.messages import Configure, DayBegan, LimitsSpec, Tick
from scripts.benchmarks.machine import resident_bytes
from tests.builders import (
    SECOND,
    STEADY_NS,
    WALL_NS,
    a_fill,
    a_report,
    a_universe,
    an_order,
)
from tests.transport.kept import CODECS
from transport.data_directory import DataDirectory
from transport.journal import Journal
from transport.journal_reading import JournalReader
from transport.journal_retention import trim_journal
from transport.journal_settings import SCHEMA, JournalSettings, SyncMode
from transport.process_replay import begin
from transport.snapshot import SnapshotMark, prune_snapshots, write_snapshot

ORDERS_A_DAY = 5_000  # As many as an account remembers with their verdicts: `FINISHED_MAX`.
RETAIN_BYTES = 4 << 20
SEGMENTS_RETAINED = 4
SNAPSHOTS = 3
WARM_DAYS = 22  # Until the longest memory, 100,000 executions, is full.
GROWTH_MAX = 1.05
COMPARE_DAYS = 7


class Tally(NamedTuple):
    """What the days came to."""

    days: int
    inputs: int
    warm_bytes: int  # Resident after the warm-up, 0 if it was not over.
    resident_bytes: int
    files_bytes_max: int
    files_bytes_allowed: int
    hashes_compared: int
    hashes_differing: int

    @property
    def is_clean(self) -> bool:
        """Return whether memory and files are bounded, and every start came to the same state."""
        flat = not self.warm_bytes or self.resident_bytes <= GROWTH_MAX * self.warm_bytes
        kept = self.files_bytes_max <= self.files_bytes_allowed
        return flat and kept and not self.hashes_differing


class Soak:
    """One account's days, journalled."""

    def __init__(self, directory: DataDirectory, retain_bytes: int) -> None:
        self._retain_bytes, size = retain_bytes, retain_bytes // SEGMENTS_RETAINED
        settings = JournalSettings(schema=SCHEMA, sync=SyncMode.NONE, segment_bytes=size)
        self._root, self._journal = directory.path, Journal.open(directory, settings)
        self._core, self._chain = Core(), AnswerChain()
        self._steady_ns, self._order = STEADY_NS, 0
        self.compared = self.differing = self.files_bytes_max = self.snapshot_bytes_max = 0
        limits = LimitsSpec(order_quantity=1000, position_quantity=10_000)
        self._take(Configure(universe=a_universe(limits)), Source.INTERNAL)

    @property
    def inputs(self) -> int:
        """Return how many inputs there were."""
        return self._journal.last_seq

    def day(self, number: int, orders: int) -> None:
        """Trade for a day, keep the state, and let go of what is not needed."""
        date = f"{2000 + number // 336:04}-{number // 28 % 12 + 1:02}-{number % 28 + 1:02}"
        self._take(DayBegan(calendar="XNYS", day=date), Source.INTERNAL)
        for message, source in self._trades(orders):
            self._take(message, source)
        self._keep()
        if number % COMPARE_DAYS == 0:
            self._compare()
        sizes = [path.stat().st_size for path in self._journal.directory.iterdir()]
        self.files_bytes_max = max(self.files_bytes_max, sum(sizes))

    def close(self) -> None:
        """Let go of the files."""
        self._journal.close()

    def _trades(self, orders: int) -> Iterator[tuple[Input, Source]]:
        for at in range(orders):
            self._order += 1
            order_id, price = f"o-{self._order}", 100.0 + at % 7
            side = "sell" if self._order % 2 else "buy"
            if at % 4 == 0:
                yield Tick(symbol="X", bid=price, ask=price), Source.TICKS
            check = an_order(order_id, side, 2, account="A1", symbol="X", price=price)
            fill = a_fill(order_id, side, 2, price, symbol="X", client_order_id=order_id)
            yield check, Source.ORDERS
            yield a_report(order_id, "accepted"), Source.ORDERS
            yield fill, Source.ORDERS

    def _take(self, message: Input, source: Source) -> None:
        raw = encode_msgpack(message)
        message = CODECS[source].decode(raw)  # As its port does: 2 becomes 2.0.
        self._steady_ns += 100 * SECOND // 1000
        at = Stamp(self._journal.last_seq + 1, WALL_NS + self._steady_ns, self._steady_ns)
        self._journal.append(*at[:3], source, raw)
        answer = self._core.apply(message, at)
        if answer is not None:
            self._chain.add(answer)

    def _keep(self) -> None:
        journal = self._journal
        journal.sync()
        at = self._core.stamp
        mark = SnapshotMark(
            journal.id, *at[:3], record_crc=journal.last_crc, answers_hash=self._chain.value()
        )
        payload = encode_state(self._core.state())
        self.snapshot_bytes_max = max(self.snapshot_bytes_max, len(payload))
        write_snapshot(journal.directory, mark, payload)
        prune_snapshots(journal.directory, SNAPSHOTS)
        trim_journal(journal.directory, self._retain_bytes)

    def _compare(self) -> None:
        """Come to the present state as a start would, from the oldest snapshot that is kept."""
        begun = begin(JournalReader(self._root, SCHEMA))
        for record in begun.records:
            begun.replay.take(record)
        self.compared += 1
        mine, found = self._core.state(), begun.replay.core.state()
        self.differing += state_digest(mine) != state_digest(found)


def prove_soak(
    days: int, seed: int, *, orders: int = ORDERS_A_DAY, retain_bytes: int = RETAIN_BYTES
) -> Tally:
    """Trade for so many days; print and return what came of it. The seed is not used."""
    begun_s, warm_bytes = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="soak") as name, DataDirectory(Path(name)) as directory:
        soak = Soak(directory, retain_bytes)
        for number in range(days):
            soak.day(number, orders)
            gc.collect()
            if number == WARM_DAYS:
                warm_bytes = resident_bytes() or 0
        soak.close()
        # Segments to keep, one that is being left, the present one, two made ahead; snapshots.
        ahead = 4 * (retain_bytes // SEGMENTS_RETAINED)
        segments = retain_bytes + _day_bytes(soak, days) * SNAPSHOTS + ahead
        allowed = segments + (SNAPSHOTS + 1) * (soak.snapshot_bytes_max + 4096)
    tally = Tally(
        days=days,
        inputs=soak.inputs,
        warm_bytes=warm_bytes,
        resident_bytes=resident_bytes() or 0,
        files_bytes_max=soak.files_bytes_max,
        files_bytes_allowed=allowed,
        hashes_compared=soak.compared,
        hashes_differing=soak.differing,
    )
    for field, figure in tally._asdict().items():
        print(f"{field:<24} {figure:>14,}")
    print(f"{'seconds':<24} {time.monotonic() - begun_s:>14,.0f}")
    return tally


def _day_bytes(soak: Soak, days: int) -> int:
    """Return what the records of a day take at most: three days are needed by the snapshots."""
    return 400 * soak.inputs // days
