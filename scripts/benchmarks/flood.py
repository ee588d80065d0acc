"""A quiet gateway beside one that floods riskd: what the other one's noise costs it."""

from __future__ import annotations

from riskd.codec import encode_msgpack
from riskd.messages import Ping
from scripts.benchmarks.bench import Bench, median_of, percentiles
from scripts.benchmarks.processes import interleaved, pinned
from scripts.benchmarks.verdict import results
from scripts.benchmarks.wire import RISKD, House, house_of

QUIET = "quiet"
FLOOD_RATIO_MAX = 3.0  # Of the p99 beside a flood, and of that without.
ORDERS_FLOODED = 20_000  # Different ones, sent round and round.
GARBAGE_BYTES = 200
LARGE_BYTES = 100_000  # More than a message of the orders port may have.


def bench_flood(bench: Bench) -> None:
    """A REQ asks one order after the other while another peer sends as much as fits.

    riskd's loop has a core, all others share the rest, and the flood has what nobody else wants of
    that: it is to take riskd's time, not that of the peer beside it.
    """
    count = bench.parameter("orders", smoke=60, full=4_000)
    flooded = bench.parameter("orders_flooded", smoke=50, full=ORDERS_FLOODED)
    rounds = bench.parameter("rounds", smoke=1, full=5)
    found: dict[str, list[dict[str, float]]] = {}
    told: dict[str, str] = {}
    with house_of(bench, has_own_core=True) as house:
        noises: dict[str, list[bytes]] = {
            QUIET: [],
            "beside a flood of orders": house.orders(flooded),
            "beside a flood of pings": [encode_msgpack(Ping())],
            "beside a flood of garbage": [b"\xc1" * GARBAGE_BYTES],
            "beside a flood of messages too large": [bytes(LARGE_BYTES)],
        }

        def run(case: str) -> None:
            found.setdefault(case, []).append(_measured(house, count, noises[case], case, told))

        interleaved(noises, rounds, run)
    quiet_ns = median_of(found[QUIET])["p99_ns"]
    for case, figures in found.items():
        medians = median_of(figures)
        medians["p99_of_quiet"] = medians["p99_ns"] / quiet_ns
        bench.report(case, medians, digest=told[case])
        if case != QUIET:
            what = f"verdict p99 {case}, of that without"
            bench.at_most(what, medians["p99_of_quiet"], FLOOD_RATIO_MAX)


def _measured(
    house: House, count: int, noise: list[bytes], case: str, told: dict[str, str]
) -> dict[str, float]:
    stage, requests = house.stage, house.orders(count)
    on_cores = pinned(stage.other_cores or stage.server_cores)
    with on_cores, stage.flooding(RISKD, noise) as flooded_per_s:
        answers = stage.run("ask", RISKD, requests)
    told[case] = results(answers.payloads)
    figures = percentiles(answers.spans_ns[count // 10 :])
    return figures | {"flooded_per_s": sum(flooded_per_s)}
