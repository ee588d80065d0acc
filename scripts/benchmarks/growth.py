"""How a verdict's cost and an account's memory grow: with accounts, positions, history."""

from __future__ import annotations

import gc
import tracemalloc
from itertools import chain
from time import perf_counter_ns

import uvloop

from actors.inputs import Input
from actors.runtime import RunQueue
from engine.facts import Stamp
from scripts.benchmarks.bench import Bench, collector_off, percentiles
from scripts.benchmarks.engines import (
    STEP_NS,
    CoreEngine,
    settle_in,
    start_system,
    stop_system,
)
from scripts.benchmarks.full_world import FullWorld
from scripts.benchmarks.machine import resident_bytes
from scripts.benchmarks.verdict import POSITIONS, Gateway, Timed, results
from scripts.benchmarks.world import START_NS, World

GROWTH_MAX = 1.5  # Budget: from 10 to 100,000 accounts.
ACCOUNT_BYTES_MAX = 10 * 1024  # Budget: with 10 positions.
MEASURED_ACCOUNTS = 200
SMOKE_ACCOUNTS = (10, 100, 1000)
FULL_ACCOUNTS = (10, 1000, 100_000)


def bench_growth(bench: Bench) -> None:
    """A verdict stays as cheap when there is more of everything but the account's positions."""
    _accounts(bench, World, POSITIONS, "default checks")
    _positions(bench)
    _history(bench)
    # Every plan of so many limits is large, and 100,000 accounts must fit: one position each.
    _accounts(bench, FullWorld, 1, "all checks")


def _accounts(bench: Bench, kind: type[World], positions: int, checks: str) -> None:
    count = bench.parameter("orders", smoke=500, full=50_000)
    sizes = SMOKE_ACCOUNTS if bench.smoke else FULL_ACCOUNTS
    medians = []
    for accounts in sizes:
        before_bytes = resident_bytes()
        world, engine = kind(accounts, positions), CoreEngine()
        begun_ns = perf_counter_ns()
        settle_in(engine, world)
        built_s = (perf_counter_ns() - begun_ns) / 1e9
        gc.collect()
        after_bytes = resident_bytes()
        gateway = Gateway(engine, world, held_max=1)
        # Twice round, so that every account judged has its checks prepared.
        _judge(gateway, 2 * accounts)
        timed = _judge(gateway, count)
        figures = percentiles(timed.spans_ns)
        medians.append(figures["p50_ns"])
        figures |= {"of_fewest": medians[-1] / medians[0], "build_s": built_s}
        if before_bytes is not None and after_bytes is not None and accounts == max(sizes):
            figures["resident_bytes_each"] = (after_bytes - before_bytes) / accounts
        case = f"{accounts:,} accounts, {checks}"
        bench.report(case, figures, digest=results(timed.replies))
    what = f"{checks}: verdict p50, {sizes[-1]:,} accounts of that with {sizes[0]}"
    bench.at_most(what, medians[-1] / medians[0], GROWTH_MAX)


def _positions(bench: Bench) -> None:
    count = bench.parameter("orders_by_positions", smoke=300, full=20_000)
    for positions in (1, 10, 100):
        world, engine = World(20, positions, symbols=100), CoreEngine()
        settle_in(engine, world)
        gateway = Gateway(engine, world)
        _judge(gateway, 20 * positions)
        timed = _judge(gateway, count, tick_every=1)
        bench.report(
            f"{positions} positions, tick each",
            percentiles(timed.spans_ns),
            digest=results(timed.replies),
        )


def _history(bench: Bench) -> None:
    """One account, before and after it has ended many orders."""
    count = bench.parameter("orders_by_history", smoke=300, full=10_000)
    old = bench.parameter("history", smoke=1_000, full=50_000)
    world, engine = World(1, POSITIONS), CoreEngine()
    settle_in(engine, world)
    gateway = Gateway(engine, world)
    _judge(gateway, 10 * POSITIONS)
    for case, before in (("new account", 0), (f"after {old:,} orders", old)):
        _judge(gateway, before)
        timed = _judge(gateway, count)
        bench.report(case, percentiles(timed.spans_ns), digest=results(timed.replies))


def _judge(gateway: Gateway, count: int, *, tick_every: int = 0) -> Timed:
    with collector_off():
        return uvloop.run(gateway.judge(count, tick_every=tick_every))


def bench_memory(bench: Bench) -> None:
    """What an account with ten positions occupies, its actor included; then what it judges by."""
    accounts = bench.parameter("accounts", smoke=50, full=MEASURED_ACCOUNTS)
    world = World(accounts, POSITIONS)
    queue = RunQueue(_never, _never)
    queue.bind()
    system = start_system(queue)
    gc.collect()
    tracemalloc.start()
    begun_bytes = tracemalloc.get_traced_memory()[0]
    for seq, message in enumerate(chain((world.configure(),), world.opening()), start=1):
        stamp = Stamp(seq, START_NS + seq * STEP_NS, seq * STEP_NS)
        system.dispatch(Input(message, stamp))
    gc.collect()
    each = (tracemalloc.get_traced_memory()[0] - begun_bytes) / accounts
    for account in system.accounts.values():
        for symbol in account.state.positions:
            account.seat((symbol, "market-making", ""))
    gc.collect()
    judging = (tracemalloc.get_traced_memory()[0] - begun_bytes) / accounts
    tracemalloc.stop()
    held = sum(len(account.state.positions) for account in system.accounts.values())
    assert held == accounts * POSITIONS, "every account holds what was meant"
    stop_system(queue)
    figures = {"traced_bytes": each, "with_checks_bytes": judging}
    bench.report(f"an account with {POSITIONS} positions", figures)
    bench.at_most(f"account with {POSITIONS} positions, bytes", each, ACCOUNT_BYTES_MAX)


def _never(wanted: object) -> None:
    """Schedule nothing: each input is drained where it is dispatched."""
