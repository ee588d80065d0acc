"""A verdict in this process: decode, decide, reserve, encode, beside two reference loops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, NamedTuple

import msgspec
import uvloop

from riskd.codec import encode_json, encode_msgpack
from riskd.messages import Check, Verdict
from scripts.benchmarks.bench import Bench, collector_off, digest, median_of, percentiles
from scripts.benchmarks.engines import (
    CoreEngine,
    Echo,
    Engine,
    LiveEngine,
    Prototype,
    settle_in,
)
from scripts.benchmarks.world import World, canceled

ACCOUNTS = 1000
POSITIONS = 10
RESTING_PER_ACCOUNT = 2  # Orders beyond these are canceled, untimed, as a venue would say.
P50_NS_MAX, P99_NS_MAX = 5_000, 12_000  # Budgets of the design.
VERDICT_NAMES = ("client_order_id", "account", "approved", "rejects", "warnings", "max_quantity")
TICK_EVERY = {"no ticks": 0, "tick each 10": 10, "tick each": 1}
ENCODERS: dict[str, Callable[[Any], bytes]] = {"msgpack": encode_msgpack, "json": encode_json}

_decode_json = msgspec.json.Decoder(Verdict).decode
_decode_msgpack = msgspec.msgpack.Decoder(Verdict).decode


class Timed(NamedTuple):
    """What came of judging a row of orders."""

    spans_ns: list[int]
    replies: list[bytes]


class Gateway:
    """Sends orders one by one, with ticks before some of them, and cancels old ones, untimed."""

    def __init__(self, engine: Engine, world: World, *, held_max: int | None = None) -> None:
        self._engine, self._world, self._held_max = engine, world, held_max
        self._resting: list[Check] = []
        self._resting_max = RESTING_PER_ACCOUNT * len(world.accounts)

    async def judge(
        self, count: int, *, tick_every: int = 0, encode: Callable[[Any], bytes] = encode_msgpack
    ) -> Timed:
        """Judge `count` new orders and return the span of each; every one must be approved."""
        engine, world, clock = self._engine, self._world, perf_counter_ns
        spans_ns: list[int] = []
        replies: list[bytes] = []
        for number in range(count):
            order = world.order(held_max=self._held_max)
            payload = encode(order)
            if tick_every and number % tick_every == 0:
                engine.tick(encode_msgpack(world.tick(order.symbol)))
            begun_ns = clock()
            reply = engine.judge(payload)
            spans_ns.append(clock() - begun_ns)
            replies.append(reply)
            self._settle(order)
            await asyncio.sleep(0)  # As in riskd, what the input put on the loop gets its turn.
        return Timed(spans_ns, replies)

    def _settle(self, order: Check) -> None:
        self._resting.append(order)
        if len(self._resting) > self._resting_max:
            for old in self._resting[: self._resting_max // 2]:
                self._engine.apply(canceled(old))
            del self._resting[: self._resting_max // 2]


def results(replies: list[bytes]) -> str:
    """Return the digest of what was answered, without instants; all must be approvals."""
    told = []
    for reply in replies:
        decode = _decode_json if reply[:1] == b"{" else _decode_msgpack
        verdict = decode(reply)
        assert verdict.approved, f"the path we meant to time approves: {verdict.rejects}"
        told.append(encode_msgpack([getattr(verdict, name) for name in VERDICT_NAMES]))
    return digest(told)


def bench_verdict(bench: Bench) -> None:
    """Every default check passes: the common path, by encoding, wiring and rate of ticks."""
    uvloop.run(_measure_all(bench))


async def _measure_all(bench: Bench) -> None:
    accounts = bench.parameter("accounts", smoke=50, full=ACCOUNTS)
    bench.parameter("orders", smoke=300, full=10_000)
    bench.parameter("rounds", smoke=2, full=5)
    prototype_ns, echo_ns = _reference(bench, World(accounts, POSITIONS))
    core_world = World(accounts, POSITIONS)
    core = CoreEngine()
    settle_in(core, core_world)
    await _measure(bench, "core", Gateway(core, core_world), (prototype_ns, echo_ns))
    _report_books(bench, "core", core)
    live_world = World(accounts, POSITIONS)
    with LiveEngine() as live:
        settle_in(live, live_world)
        await _measure(bench, "live", Gateway(live, live_world), (prototype_ns, echo_ns))
        _report_books(bench, "live", live)
    _compare(bench)


def _reference(bench: Bench, world: World) -> tuple[float, float]:
    """Time and report both reference loops; return their medians in ns."""
    count, rounds = bench.parameters["orders"], bench.parameters["rounds"]
    prototype, echo = Prototype(world), Echo()
    named: dict[str, Callable[[bytes], bytes]] = {
        "reference: plain Python prototype": prototype.judge,
        "reference: decode and encode": echo.judge,
    }
    medians = []
    with collector_off():
        for case, judge in named.items():
            found = []
            for _ in range(rounds):
                payloads = [encode_msgpack(world.order()) for _ in range(count)]
                spans_ns = []
                for payload in payloads:
                    begun_ns = perf_counter_ns()
                    judge(payload)
                    spans_ns.append(perf_counter_ns() - begun_ns)
                found.append(percentiles(spans_ns))
            bench.report(case, median_of(found))
            medians.append(median_of(found)["p50_ns"])
    return medians[0], medians[1]


async def _measure(
    bench: Bench, wiring: str, gateway: Gateway, references_ns: tuple[float, float]
) -> None:
    count, rounds = bench.parameters["orders"], bench.parameters["rounds"]
    prototype_ns, echo_ns = references_ns
    warm = bench.parameters["accounts"] * POSITIONS  # Every account and symbol once.
    results((await gateway.judge(warm)).replies)
    cases = [(encoding, ticks) for encoding in ENCODERS for ticks in TICK_EVERY]
    found: dict[tuple[str, str], list[dict[str, float]]] = {case: [] for case in cases}
    replies: dict[tuple[str, str], list[bytes]] = {case: [] for case in cases}
    with collector_off():
        for _ in range(rounds):
            for encoding, ticks in cases:  # Cases alternate, so that a slow minute meets all.
                timed = await gateway.judge(
                    count, tick_every=TICK_EVERY[ticks], encode=ENCODERS[encoding]
                )
                found[encoding, ticks].append(percentiles(timed.spans_ns))
                replies[encoding, ticks] += timed.replies
    for (encoding, ticks), spans in found.items():
        figures = median_of(spans)
        figures["of_prototype"] = figures["p50_ns"] / prototype_ns
        figures["of_codec"] = figures["p50_ns"] / echo_ns
        told = results(replies[encoding, ticks])
        bench.report(f"{wiring}, {encoding}, {ticks}", figures, digest=told)


def _report_books(bench: Bench, wiring: str, engine: Engine) -> None:
    """Keep what all those orders and ticks came to: actors and core must agree on it."""
    orders = bench.parameters["orders"] * bench.parameters["rounds"] * 2 * len(TICK_EVERY)
    bench.report(f"{wiring}, books at the end", {"orders": orders}, digest=engine.books())


def _compare(bench: Bench) -> None:
    by_case = {row.case: row.figures for row in bench.rows}
    for case in ("live, msgpack, no ticks", "live, msgpack, tick each"):
        bench.at_most(f"{case}: p50 ns", by_case[case]["p50_ns"], P50_NS_MAX)
        bench.at_most(f"{case}: p99 ns", by_case[case]["p99_ns"], P99_NS_MAX)
