"""What keeping costs: the pause of a snapshot, its file, and a start from it."""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path
from time import perf_counter_ns

from actors.runtime import RunQueue
from actors.sequencer import Source
from actors.system import System
from engine.chain import AnswerChain
from engine.digest import encode_state, state_digest
from engine.facts import Stamp
from riskd.codec import encode_msgpack
from riskd.messages import Elapse
from scripts.benchmarks.bench import Bench, collector_off, percentiles
from scripts.benchmarks.engines import CoreEngine, open_journal, settle_in, stop_system
from scripts.benchmarks.machine import resident_bytes
from scripts.benchmarks.world import START_NS, World
from transport.aside import Child
from transport.data_directory import DataDirectory
from transport.process_replay import recover_books
from transport.snapshot import SnapshotMark, write_snapshot

POSITIONS = 10
PAUSE_MS_MAX = 20.0  # Budget.
RESTART_S_MAX = 2.0  # Budget: 10,000 accounts.


def bench_restart(bench: Bench) -> None:
    """A snapshot taken and a start from it, with many accounts."""
    accounts = bench.parameter("accounts", smoke=50, full=10_000)
    forks = bench.parameter("forks", smoke=3, full=20)
    with (
        tempfile.TemporaryDirectory(prefix="riskd-bench-") as folder,
        DataDirectory(Path(folder)) as directory,
    ):
        digest = _snapshot(bench, directory, accounts, forks)
        gc.collect()
        _start(bench, directory, accounts, digest)


def _snapshot(bench: Bench, directory: DataDirectory, accounts: int, forks: int) -> str:
    engine = CoreEngine()
    settle_in(engine, World(accounts, POSITIONS))
    core = engine.core
    core.stamp = Stamp(1, START_NS, 1)
    gc.collect()
    gc.freeze()
    with collector_off():
        spans_ns = [_fork() for _ in range(forks)]
    gc.unfreeze()
    with open_journal(directory) as journal:
        journal.append(1, START_NS, 1, Source.INTERNAL, encode_msgpack(Elapse()))
        journal.sync()
        mark = SnapshotMark(
            journal.id, 1, START_NS, 1, journal.last_crc, answers_hash=AnswerChain().cut()
        )
        begun_ns = perf_counter_ns()
        payload = encode_state(core.state())
        encoded_ns = perf_counter_ns()
        write_snapshot(journal.directory, mark, payload)
        written_ns = perf_counter_ns()
    digest = state_digest(core.state())
    figures = percentiles(spans_ns) | {
        "pause_max_ms": max(spans_ns) / 1e6,
        "encode_s": (encoded_ns - begun_ns) / 1e9,
        "write_s": (written_ns - encoded_ns) / 1e9,
        "file_bytes": float(len(payload)),
    }
    resident = resident_bytes()
    if resident is not None:
        figures["resident_bytes"] = float(resident)
    bench.report(f"snapshot of {accounts:,} accounts", figures, digest=digest)
    middle_ms = sorted(spans_ns)[len(spans_ns) // 2] / 1e6
    bench.at_most(f"pause of a snapshot, {accounts:,} accounts, ms", middle_ms, PAUSE_MS_MAX)
    return digest


def _fork() -> int:
    """Return how long the forking process stood still."""
    begun_ns = perf_counter_ns()
    child = Child(lambda: b"")
    span_ns = perf_counter_ns() - begun_ns
    while not child.read():
        pass
    child.result()
    return span_ns


def _start(bench: Bench, directory: DataDirectory, accounts: int, digest: str) -> None:
    queue = RunQueue(_never, _never)
    queue.bind()
    with collector_off():
        begun_ns = perf_counter_ns()
        with open_journal(directory) as journal:
            opened_ns = perf_counter_ns()
            replay = recover_books(journal).replay
        recovered_ns = perf_counter_ns()
        system = System(
            queue, publish=_unheard, say=_unheard, failed=_unheard, fatal=_stop, core=replay.core
        )
        queue.drain()
        ended_ns = perf_counter_ns()
    found = state_digest(system.state())
    assert found == digest, "the start has the state that was written"
    stop_system(queue)
    figures = {
        "open_s": (opened_ns - begun_ns) / 1e9,
        "recover_s": (recovered_ns - opened_ns) / 1e9,
        "actors_s": (ended_ns - recovered_ns) / 1e9,
        "total_s": (ended_ns - begun_ns) / 1e9,
    }
    bench.report(f"start with {accounts:,} accounts", figures, digest=found)
    bench.at_most(
        f"start from a snapshot, {accounts:,} accounts, s", figures["total_s"], RESTART_S_MAX
    )


def _unheard(*told: object) -> None:
    """Nobody listens."""


def _stop(fault: object) -> None:
    raise AssertionError(fault)


def _never(wanted: object) -> None:
    """Schedule nothing: the queue is drained by hand."""
