"""riskd over its sockets, a real process with its journal on, beside bare echoes in turns."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import zmq

from riskd.codec import control_answers_codec, encode_json, encode_msgpack
from riskd.messages import Result, Status, Ticks
from scripts.benchmarks.bench import Bench, digest, median_of, percentiles
from scripts.benchmarks.peer import Answers, write_frames
from scripts.benchmarks.processes import Stage, interleaved, pinned, settings
from scripts.benchmarks.verdict import ACCOUNTS, POSITIONS, results
from scripts.benchmarks.world import World, toml_of

IN_FLIGHT = 64
TICKS_PER_S = 50_000
ORDERS_PER_S = 1_000  # Beside the ticks.
TICK_FILE = 1_000  # Different ticks, sent round and round.
C_ECHO, PYZMQ_ECHO, RISKD = "echo, C libzmq", "echo, pyzmq uvloop", "riskd"
P50_RATIO_MAX = {"one core": 1.35, "one core each": 1.25}  # Budgets of the design.
P99_RATIO_MAX = 2.0
PIPELINED_PER_S_MIN = 120_000
TICKING_RATIO_MAX = 2.0
ANSWER_S_MAX = 10_000

Measured = dict[tuple[str, str], list[dict[str, float]]]


class House:
    """riskd with its accounts funded and positioned, and echoes beside it."""

    def __init__(self, stage: Stage, bench: Bench) -> None:
        accounts = bench.parameter("accounts", smoke=50, full=ACCOUNTS)
        self.stage = stage
        self.world = World(accounts, POSITIONS)
        stage.start_echoes()
        self.addresses = stage.start_riskd(toml_of(self.world))
        opening = [encode_msgpack(message) for message in self.world.opening()]
        symbols = len(self.world.symbols)
        self.send_ticks(opening[:symbols], symbols)
        stage.run("pipeline", RISKD, opening[symbols:], str(IN_FLIGHT))
        warm = self.orders(accounts * POSITIONS)
        results(stage.run("pipeline", RISKD, warm, str(IN_FLIGHT)).payloads)

    def orders(self, count: int) -> list[bytes]:
        """Return new orders, ready to be sent."""
        return [encode_msgpack(self.world.order()) for _ in range(count)]

    def send_ticks(self, payloads: list[bytes], count: int) -> None:
        """Send ticks and return when riskd has applied them."""
        context: zmq.Context[Any] = zmq.Context()
        push = context.socket(zmq.PUSH)
        push.connect(self.addresses["ticks"])
        before = self.ticks_applied()
        for payload in payloads:
            push.send(payload)
        while self.ticks_applied() < before + count:
            pass
        context.destroy(linger=0)

    def ticks_applied(self) -> int:
        """Return how many ticks were taken so far, applied or conflated with those that were."""
        told = self.ticks_told()
        return told.get("applied", 0) + told.get("conflated", 0)

    def ticks_told(self) -> dict[str, int]:
        """Return what became of the ticks so far."""
        context: zmq.Context[Any] = zmq.Context()
        req = context.socket(zmq.REQ)
        req.setsockopt(zmq.RCVTIMEO, ANSWER_S_MAX)
        req.connect(self.addresses["control"])
        req.send(encode_json(Status()))
        answer = control_answers_codec.decode(req.recv())
        context.destroy(linger=0)
        assert isinstance(answer, Result), f"riskd says how it is: {answer}"
        told: dict[str, int] = msgspec.to_builtins(answer.data)["ticks"]
        return told


@contextmanager
def house_of(
    bench: Bench, *, is_pinned: bool = True, has_own_core: bool = False
) -> Iterator[House]:
    """Start riskd and the echoes in a folder of their own, and end them with the block.

    They run on the first core, or on any; with `has_own_core` riskd's loop alone does, where there
    are others.
    """
    with (
        tempfile.TemporaryDirectory(prefix="riskd-bench-", ignore_cleanup_errors=True) as folder,
        Stage(Path(folder)) as stage,
    ):
        if has_own_core and stage.other_cores:
            (stage.loop_core,) = stage.server_cores
        if not is_pinned or stage.loop_core is not None:
            stage.server_cores = stage.all_cores
        house = House(stage, bench)
        if stage.compiled is None:
            bench.report("no C compiler: clients are Python, there is no C echo", {})
        yield house


def bench_reqrep(bench: Bench) -> None:
    """A REQ asks riskd over ipc, one order after the other, against bare echoes in the same run."""
    count = bench.parameter("orders", smoke=200, full=4_000)
    _measure(bench, "ask", count, ())
    found = {row.case: row.figures for row in bench.rows}
    for where, ratio_max in P50_RATIO_MAX.items():
        riskd, echo = found.get(f"{RISKD}, {where}"), found.get(f"{C_ECHO}, {where}")
        if riskd is not None and echo is not None:
            ratio = riskd["p50_ns"] / echo["p50_ns"]
            bench.at_most(f"p50 of that of a C echo, {where}", ratio, ratio_max)
            ratio = riskd["p99_ns"] / echo["p99_ns"]
            bench.at_most(f"p99 of that of a C echo, {where}", ratio, P99_RATIO_MAX)


def bench_pipelined(bench: Bench) -> None:
    """A DEALER keeps 64 orders in flight, against bare echoes in the same run."""
    count = bench.parameter("orders", smoke=1_000, full=30_000)
    _measure(bench, "pipeline", count, (str(IN_FLIGHT),))
    for row in bench.rows:
        if row.case == f"{RISKD}, one core each":
            rate = row.figures["answers_per_s"]
            bench.at_least("verdicts a second, client apart", rate, PIPELINED_PER_S_MIN)


def _measure(bench: Bench, mode: str, count: int, rest: tuple[str, ...]) -> None:
    """Measure every server in turns, with the client on the same core and on another one."""
    rounds = bench.parameter("rounds", smoke=1, full=7)
    found: Measured = {}
    told: dict[tuple[str, str], str] = {}
    with house_of(bench) as house:
        for where, client_cores in settings(house.stage).items():

            def run(server: str, where: str = where, on: tuple[int, ...] = client_cores) -> None:
                requests = house.orders(count)
                with pinned(on):
                    answers = house.stage.run(mode, server, requests, *rest)
                found.setdefault((server, where), []).append(_figures(mode, answers))
                told[server, where] = _told(server, requests, answers)

            interleaved(house.stage.servers, rounds, run)
    for (server, where), figures in found.items():
        medians = median_of(figures)
        for name, echo in (("of_c", C_ECHO), ("of_pyzmq", PYZMQ_ECHO)):
            if (echo, where) in found:
                main = "p50_ns" if mode == "ask" else "answers_per_s"
                medians[name] = medians[main] / median_of(found[echo, where])[main]
        bench.report(f"{server}, {where}", medians, digest=told[server, where])


def _figures(mode: str, answers: Answers) -> dict[str, float]:
    warm = len(answers.spans_ns) // 10  # Until the connection stands and caches are warm.
    spans = percentiles(answers.spans_ns[warm:])
    if mode == "ask":
        return spans
    return {"answers_per_s": len(answers.spans_ns) / answers.span_ns * 1e9} | spans


def _told(server: str, requests: list[bytes], answers: Answers) -> str:
    """Return the digest of the answers: riskd's verdicts, an echo's requests."""
    if server == RISKD:
        return results(answers.payloads)
    assert answers.payloads == requests, "an echo returns what it was sent"
    return digest(answers.payloads)


def bench_ticking(bench: Bench) -> None:
    """A verdict's latency while 50,000 ticks a second arrive, open loop, against none arriving."""
    seconds_hundredths = bench.parameter("seconds_hundredths", smoke=40, full=400)
    rounds = bench.parameter("rounds", smoke=1, full=5)
    count = ORDERS_PER_S * seconds_hundredths // 100
    found: dict[str, list[dict[str, float]]] = {}
    told: dict[str, str] = {}
    with house_of(bench, has_own_core=True) as house:
        feeds = {
            "no ticks": 0,
            "50,000 ticks/s, one a message": 1,
            "50,000 ticks/s, ten a message": 10,
        }

        def run(case: str) -> None:
            requests, before = house.orders(count), house.ticks_told()
            answers = _run_paced(house, requests, feeds[case])
            sent = answers.ticks * max(1, feeds[case])
            house.send_ticks([], 0)
            after = house.ticks_told()
            figures = percentiles(answers.spans_ns[count // 10 :])
            figures["sent_per_s"] = sent / answers.span_ns * 1e9
            for name in ("applied", "conflated"):
                grown = after.get(name, 0) - before.get(name, 0)
                figures[f"{name}_per_s"] = grown / answers.span_ns * 1e9
            found.setdefault(case, []).append(figures)
            told[case] = results(answers.payloads)

        interleaved(feeds, rounds, run)
    quiet_ns = median_of(found["no ticks"])["p99_ns"]
    for case, figures in found.items():
        medians = median_of(figures)
        medians["p99_of_quiet"] = medians["p99_ns"] / quiet_ns
        bench.report(case, medians, digest=told[case])
        if case != "no ticks":
            what = f"verdict p99 with {case}, of that without"
            bench.at_most(what, medians["p99_of_quiet"], TICKING_RATIO_MAX)


def _run_paced(house: House, requests: list[bytes], ticks_a_message: int) -> Answers:
    stage, world = house.stage, house.world
    one: list[Any] = [world.tick(world.symbols[n % len(world.symbols)]) for n in range(TICK_FILE)]
    size = max(1, ticks_a_message)
    batches = [Ticks(ticks=one[at : at + size]) for at in range(0, TICK_FILE, size)]
    messages = [batch.ticks[0] if size == 1 else batch for batch in batches]
    file = stage.folder / "ticks-file"
    write_frames(file, [encode_msgpack(message) for message in messages])
    rate = TICKS_PER_S / size if ticks_a_message else 0
    with pinned(stage.other_cores or stage.server_cores):
        return stage.run(
            "paced",
            RISKD,
            requests,
            str(ORDERS_PER_S),
            house.addresses["ticks"],
            str(file),
            str(rate),
        )
