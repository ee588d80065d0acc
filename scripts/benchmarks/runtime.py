"""What everything rests on: a message to an actor, a record in the journal, a start from it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import pykka
import uvloop

from actors.runtime import LoopActor, RunQueue
from actors.sequencer import Source
from engine.digest import books_digest
from riskd.codec import encode_msgpack
from scripts.benchmarks.bench import Bench, collector_off, digest, median_of
from scripts.benchmarks.engines import STEP_NS, open_journal, stop_system
from scripts.benchmarks.world import START_NS, World, canceled
from transport.data_directory import DataDirectory
from transport.process_replay import recover_books

REPLAY_PER_S_MIN = 100_000  # Budget.
RECORD_BYTES = 160  # About an order in msgpack.
REPLAY_ACCOUNTS = 1000
HANG_S = 60.0


class _LoopCounter(LoopActor):
    """Counts what it is told, on the loop."""

    def __init__(self, run_queue: RunQueue) -> None:
        super().__init__(run_queue=run_queue)
        self.count = 0

    def on_receive(self, message: Any) -> int:
        self.count += 1
        return self.count


class _ThreadCounter(pykka.ThreadingActor):
    """Counts what it is told, on a thread of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def on_receive(self, message: Any) -> int:
        self.count += 1
        return self.count


def bench_actor(bench: Bench) -> None:
    """A message to an actor on the loop; to one on its own thread, in a stream and with answer."""
    count = bench.parameter("messages", smoke=1_000, full=50_000)
    rounds = bench.parameter("rounds", smoke=2, full=5)
    queue = RunQueue(_never, _never)
    queue.bind()
    on_loop = _LoopCounter.start(queue)
    on_thread = _ThreadCounter.start()
    found = []
    with collector_off():
        for _ in range(rounds):
            loop_ns = _tell_loop(on_loop, queue, count)
            thread_ns = _tell_thread(on_thread, count)
            ask_ns = _ask_thread(on_thread, max(1, count // 50))
            found.append({"loop_ns": loop_ns, "thread_ns": thread_ns, "thread_ask_ns": ask_ns})
    counted: Any = on_thread.ask("last", timeout=HANG_S)
    stop_system(queue)
    on_thread.stop(timeout=HANG_S)
    figures = median_of(found)
    figures["ask_of_loop"] = figures["thread_ask_ns"] / figures["loop_ns"]
    told = digest([str(counted).encode()])
    bench.report("tell and handle one message", figures, digest=told)


def _tell_loop(ref: pykka.ActorRef[Any], queue: RunQueue, count: int) -> float:
    begun_ns = perf_counter_ns()
    for _ in range(count):
        ref.tell("message")
        queue.drain()
    return (perf_counter_ns() - begun_ns) / count


def _tell_thread(ref: pykka.ActorRef[Any], count: int) -> float:
    begun_ns = perf_counter_ns()
    for _ in range(count - 1):
        ref.tell("message")
    ref.ask("message", timeout=HANG_S)
    return (perf_counter_ns() - begun_ns) / count


def _ask_thread(ref: pykka.ActorRef[Any], count: int) -> float:
    begun_ns = perf_counter_ns()
    for _ in range(count):
        ref.ask("message", timeout=HANG_S)
    return (perf_counter_ns() - begun_ns) / count


def bench_journal(bench: Bench) -> None:
    """One record appended, with the shipped sync behind it."""
    count = bench.parameter("records", smoke=2_000, full=200_000)
    rounds = bench.parameter("rounds", smoke=2, full=5)
    raw = bytes(range(256))[:RECORD_BYTES]
    found, seq = [], 0
    with (
        tempfile.TemporaryDirectory(prefix="riskd-bench-") as folder,
        DataDirectory(Path(folder)) as directory,
        open_journal(directory) as journal,
    ):
        for _ in range(rounds):
            with collector_off():
                append_ns = _append(journal, seq, count, raw)
            seq += count
            found.append({"append_ns": append_ns, "write_ns": _write(count, raw)})
        told = digest([record.raw for record in journal.replay(seq - 9)])
    figures = median_of(found)
    figures["of_write"] = figures["append_ns"] / figures["write_ns"]
    bench.report(f"append {RECORD_BYTES} bytes", figures, digest=told)


def _append(journal: Any, seq: int, count: int, raw: bytes) -> float:
    append = journal.append
    begun_ns = perf_counter_ns()
    for number in range(seq + 1, seq + count + 1):
        append(number, START_NS, number, 0, raw)
    return (perf_counter_ns() - begun_ns) / count


def _write(count: int, raw: bytes) -> float:
    """The reference: one write to the system for each record."""
    with tempfile.TemporaryFile(buffering=0) as file:
        begun_ns = perf_counter_ns()
        for _ in range(count):
            file.write(raw)
        return (perf_counter_ns() - begun_ns) / count


def bench_replay(bench: Bench) -> None:
    """A start from a journal: found, checked along its chain, and folded into the live actors."""
    count = bench.parameter("records", smoke=20_000, full=1_000_000)
    accounts = bench.parameter("accounts", smoke=50, full=REPLAY_ACCOUNTS)
    with tempfile.TemporaryDirectory(prefix="riskd-bench-") as folder:
        with DataDirectory(Path(folder)) as directory:
            records = _record(directory, World(accounts, 10), count)
        uvloop.run(_replay(bench, Path(folder), records))


def _record(directory: DataDirectory, world: World, count: int) -> int:
    """Write a day: of each four records two are ticks, one is an order, one ends the order."""
    with open_journal(directory) as journal:
        seq = 0

        def keep(message: Any, source: Source) -> None:
            nonlocal seq
            seq += 1
            at_ns = seq * STEP_NS
            journal.append(seq, START_NS + at_ns, at_ns, source, encode_msgpack(message))

        keep(world.configure(), Source.INTERNAL)
        for message in world.opening():
            keep(
                message, Source.TICKS if message.__struct_config__.tag == "tick" else Source.ORDERS
            )
        while seq < count:
            order = world.order()
            keep(world.tick(order.symbol), Source.TICKS)
            keep(order, Source.ORDERS)
            keep(world.tick(order.symbol), Source.TICKS)
            keep(canceled(order), Source.ORDERS)
    return seq


async def _replay(bench: Bench, folder: Path, records: int) -> None:
    begun_ns = perf_counter_ns()
    with DataDirectory(folder) as directory, open_journal(directory) as journal:
        opened_ns = perf_counter_ns()
        with collector_off():
            replay = recover_books(journal).replay
        ended_ns = perf_counter_ns()
    assert replay.count == records, "every record comes back"
    told = books_digest(replay.core.state())
    figures = {
        "records_per_s": records / (ended_ns - begun_ns) * 1e9,
        "open_s": (opened_ns - begun_ns) / 1e9,
        "fold_s": (ended_ns - opened_ns) / 1e9,
        "ns_a_record": (ended_ns - begun_ns) / records,
    }
    bench.report(f"{records:,} records", figures, digest=told)
    what = f"records replayed a second, of {records:,}"
    bench.at_least(what, figures["records_per_s"], REPLAY_PER_S_MIN)


def _never(wanted: object) -> None:
    """Schedule nothing: each input is drained where it is dispatched."""
