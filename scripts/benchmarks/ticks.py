"""A tick: everything it updates, by how many accounts hold its symbol."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from time import perf_counter_ns
from typing import Any

import numpy as np
import uvloop
from numpy.typing import NDArray

from engine.book import Book
from engine.holders import LOOP_MAX, Holders
from engine.instruments import Instrument
from engine.quotes import QuoteBoard
from riskd.codec import encode_msgpack
from riskd.messages import InstrumentSpec, RiskSettings, Tick, Ticks
from scripts.benchmarks.bench import Bench, collector_off, median_of, percentiles
from scripts.benchmarks.engines import CoreEngine, LiveEngine, settle_in
from scripts.benchmarks.world import World

BATCH = 100
DIFFERENT_TICKS = 100
MEASURES = 8  # Columns of a valuation row in the plan.
TICK_NS_MAX = 10_000  # Budget with ten holders.
HOLDER_NS_MAX = 40  # Budget with ten thousand.
BATCHED_PER_S_MIN = 150_000
FEW_HOLDERS, MANY_HOLDERS = 10, 10_000
CROSSOVER = (8, 16, 24, 32, 40, 64)
HOLDERS = (1, FEW_HOLDERS, 100, 1000, MANY_HOLDERS)


class Holder:
    """What a plain Python loop would keep for an account that holds the symbol."""

    __slots__ = ("equity", "gross", "lots", "peak")

    def __init__(self, number: int) -> None:
        self.lots = 1.0 + number % 7
        self.equity = self.peak = 1e6
        self.gross = 0.0


def bench_tick(bench: Bench) -> None:
    """One tick through the core, beside a Python loop over its holders and the numpy floor."""
    count = bench.parameter("ticks", smoke=200, full=2_000)
    rounds = bench.parameter("rounds", smoke=2, full=5)
    for holders in HOLDERS if not bench.smoke else HOLDERS[:-1]:
        world, engine = World(holders, 1, symbols=1), CoreEngine()
        settle_in(engine, world)
        ticks = [world.tick(world.symbols[0]) for _ in range(DIFFERENT_TICKS)]
        plain = [Holder(number) for number in range(holders)]
        floor = _Floor(holders)
        loops: dict[str, Callable[[float], object]] = {
            "riskd": partial(_apply_tick, engine, cycle(ticks)),
            "loop": partial(_loop, plain),
            "numpy": floor.step,
        }
        found: dict[str, list[dict[str, float]]] = {name: [] for name in loops}
        with collector_off():
            for _ in range(rounds):
                for name, step in loops.items():
                    few = count if name == "riskd" else max(20, min(count, 200_000 // holders))
                    found[name].append(_percentiles(step, few))
        _report(bench, engine, holders, {name: median_of(ones) for name, ones in found.items()})
    _many_accounts(bench)
    _crossover(bench)
    _batches(bench)


def _many_accounts(bench: Bench) -> None:
    """A tick costs its holders, however many accounts there are beside them."""
    accounts = bench.parameter("accounts", smoke=1_000, full=100_000)
    count = bench.parameters["ticks"]
    world, engine = World(accounts, 1, symbols=accounts // FEW_HOLDERS), CoreEngine()
    settle_in(engine, world)
    ticks = [world.tick(world.symbol(0, 0)) for _ in range(DIFFERENT_TICKS)]
    step = partial(_apply_tick, engine, cycle(ticks))
    with collector_off():
        found = [_percentiles(step, count) for _ in range(bench.parameters["rounds"])]
    case = f"{FEW_HOLDERS} holders of {accounts:,} accounts"
    bench.report(case, median_of(found), digest=engine.books())


def _crossover(bench: Bench) -> None:
    """The same holders by a plain loop and by numpy: where they cross is `LOOP_MAX`."""
    count = bench.parameters["ticks"]
    for holders in CROSSOVER:
        quotes = QuoteBoard(RiskSettings())
        quotes.add(Instrument(InstrumentSpec(symbol="X", currency="USD"), 1))
        book, held = Book(quotes), Holders()
        for _ in range(holders):
            row = book.open_row()
            held.put(row, 1e9)
            for column, worth in ((book.equity, 0.0), (book.peak, 1e18), (book.trough, -1e18)):
                column.one[row] = worth
        found: dict[str, list[dict[str, float]]] = {"loop": [], "numpy": []}
        with collector_off():
            for _ in range(bench.parameters["rounds"]):
                found["loop"].append(_percentiles(partial(_move, book.move_few, held), count))
                found["numpy"].append(_percentiles(partial(_move, book.move_many, held), count))
        medians = {name: median_of(ones)["p50_ns"] for name, ones in found.items()}
        figures = {f"{name}_ns": p50_ns for name, p50_ns in medians.items()}
        figures |= {"of_numpy": medians["loop"] / medians["numpy"], "chosen_max": float(LOOP_MAX)}
        bench.report(f"{holders} holders, both ways", figures)


def _move(way: Callable[[Holders, float, int], None], held: Holders, change: float) -> None:
    way(held, change, 0)


def _report(
    bench: Bench, engine: CoreEngine, holders: int, found: dict[str, dict[str, float]]
) -> None:
    riskd = found["riskd"]
    figures = riskd | {
        "ns_a_holder": riskd["p50_ns"] / holders,
        "loop_ns": found["loop"]["p50_ns"],
        "numpy_ns": found["numpy"]["p50_ns"],
        "of_loop": riskd["p50_ns"] / found["loop"]["p50_ns"],
        "of_numpy": riskd["p50_ns"] / found["numpy"]["p50_ns"],
    }
    bench.report(f"{holders:,} holders", figures, digest=engine.books())
    if holders == FEW_HOLDERS:
        bench.at_most(f"a tick with {holders} holders, p50 ns", riskd["p50_ns"], TICK_NS_MAX)
    if holders == MANY_HOLDERS:
        what = f"a tick with {holders:,} holders, ns a holder"
        bench.at_most(what, riskd["p50_ns"] / holders, HOLDER_NS_MAX)


def _percentiles(step: Callable[[float], object], count: int) -> dict[str, float]:
    spans_ns = []
    for number in range(count):
        change = 0.01 if number % 2 else -0.01
        begun_ns = perf_counter_ns()
        step(change)
        spans_ns.append(perf_counter_ns() - begun_ns)
    return percentiles(spans_ns)


def _apply_tick(engine: CoreEngine, ticks: Iterator[Tick], _: float) -> None:
    engine.apply(next(ticks))


def _loop(holders: list[Holder], change: float) -> None:
    """Move equity, exposure and peak of each holder, one by one."""
    for holder in holders:
        moved = holder.lots * change
        equity = holder.equity = holder.equity + moved
        holder.gross += abs(moved)
        if equity > holder.peak:
            holder.peak = equity


class _Floor:
    """The least that numpy can do: take the holders' rows, multiply, add, put them back."""

    def __init__(self, holders: int) -> None:
        self._rows: NDArray[np.float64] = np.full((2 * holders, MEASURES), 1e6)
        self._index = np.arange(0, 2 * holders, 2)
        self._coefficients = np.ones((holders, MEASURES))
        self._taken = np.empty((holders, MEASURES))
        self._moved = np.empty((holders, MEASURES))

    def step(self, change: float) -> None:
        """Apply one price change."""
        np.take(self._rows, self._index, axis=0, out=self._taken)
        np.multiply(self._coefficients, change, out=self._moved)
        np.add(self._taken, self._moved, out=self._taken)
        self._rows[self._index] = self._taken


def _batches(bench: Bench) -> None:
    """Batches of ticks through the live actors: decode, journal, apply; ten holders a symbol."""
    batches = bench.parameter("batches", smoke=20, full=500)
    world = World(BATCH, FEW_HOLDERS, symbols=BATCH)
    rates, told = uvloop.run(_run_batches(world, batches, bench.parameters["rounds"]))
    figures = median_of(rates)
    bench.report(f"batches of {BATCH}, {FEW_HOLDERS} holders each", figures, digest=told)
    what = f"ticks a second in batches of {BATCH}"
    bench.at_least(what, figures["ticks_per_s"], BATCHED_PER_S_MIN)


async def _run_batches(
    world: World, batches: int, rounds: int
) -> tuple[list[dict[str, float]], str]:
    found = []
    with LiveEngine() as engine:
        settle_in(engine, world)
        for _ in range(rounds):
            payloads = [_batch(world) for _ in range(batches)]
            with collector_off():
                begun_ns = perf_counter_ns()
                for payload in payloads:
                    engine.tick(payload)
                span_ns = perf_counter_ns() - begun_ns
            ticks = batches * BATCH
            found.append({"ticks_per_s": ticks / span_ns * 1e9, "ns_a_tick": span_ns / ticks})
        told = engine.books()
    return found, told


def _batch(world: World) -> bytes:
    batch: Any = Ticks(ticks=[world.tick(symbol) for symbol in world.symbols])
    return encode_msgpack(batch)
