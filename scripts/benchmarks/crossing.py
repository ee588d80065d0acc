"""From a tick that crosses a line to its alert on a subscriber's socket; and everybody at once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter_ns, sleep, thread_time_ns
from typing import Any, NamedTuple

import msgspec
import uvloop
import zmq
from msgspec.structs import replace

from riskd.codec import (
    answers_codec,
    control_answers_codec,
    encode_json,
    encode_msgpack,
)
from riskd.messages import (
    Alert,
    Check,
    Elapse,
    LimitSet,
    LimitsSpec,
    LimitValue,
    Metrics,
    Published,
    Result,
    Side,
    Tick,
    Verdict,
)
from scripts.benchmarks.bench import Bench, collector_off, digest, median_of, percentiles
from scripts.benchmarks.engines import LiveEngine, settle_in
from scripts.benchmarks.processes import Stage
from scripts.benchmarks.world import FIRST_LOTS, World, toml_of

POSITIONS = 10
PRICE = 100.0
STEP = 0.01  # Of the price: each step carries one account more over its own limit.
LOSS_STEP = FIRST_LOTS * STEP
ALERT_P99_NS_MAX = 1_000_000  # Budget, in process.
HANG_MS = 20_000
ONCE = 100  # Percent: warning, critical and limit are one line.
WARM = 50
OUTSIDERS = 50
GAP_S = 0.003  # Between two crossings: of more than 500 a second the rest is withheld.
ASK_RUN = 20  # Questions between two looks at how far the alerts are.
PAUSE_MS = 2_000  # Without a further alert: all that are published have come.
_alert = msgspec.json.Decoder(Alert).decode


class Measured(NamedTuple):
    """What crossings took, and the digest of what was told."""

    spans_ns: list[int]
    cpu_ns: list[int]  # Of the measuring thread, which in process does all the work.
    told: str


class Ladder(World):
    """Accounts that all hold one symbol, each with a daily loss limit a step above the last."""

    def limits(self) -> LimitSet:
        """Return limits that nothing else can cross."""
        return LimitSet(
            default=LimitsSpec(),
            account={
                name: LimitsSpec(daily_loss=self.loss_limit(number))
                for number, name in enumerate(self.accounts)
            },
        )

    def loss_limit(self, number: int) -> LimitValue:
        """Return the limit of one account: a step of the price above that of the one before."""
        value = round((number + 0.5) * LOSS_STEP, 6)
        return LimitValue(value=value, warning=ONCE, critical=ONCE)

    def symbol(self, account: int, held: int) -> str:
        """Return the symbol of an account's position: the first is everybody's."""
        return self.symbols[held and 1 + (account * 7 + held) % (len(self.symbols) - 1)]

    def opening(self) -> Iterator[Any]:
        """Yield prices and fills; everybody is long the first symbol."""
        for message in super().opening():
            if isinstance(message, Tick):
                yield Tick(symbol=message.symbol, bid=PRICE, ask=PRICE)
            else:
                yield replace(message, side=Side.BUY)

    def step(self, number: int) -> bytes:
        """Return the tick that carries the account of this number over its line."""
        price = round(PRICE - (number + 1) * STEP, 2)
        return encode_msgpack(Tick(symbol=self.symbols[0], bid=price, ask=price))


class Crowd(Ladder):
    """The same accounts with one limit for all, and some outsiders who hold nothing."""

    def limits(self) -> LimitSet:
        """Return the limits."""
        return LimitSet(default=LimitsSpec(daily_loss=self.loss_limit(0)))

    def opening(self) -> Iterator[Any]:
        """Yield prices and fills, none of outsiders."""
        outsiders = self.accounts[-OUTSIDERS:]
        for message in super().opening():
            if isinstance(message, Tick) or message.account not in outsiders:
                yield message

    def question(self, number: int) -> bytes:
        """Return an order of an outsider in another symbol than everybody's."""
        order = Check(
            account=self.accounts[-1 - number % OUTSIDERS],
            client_order_id=f"q{number}",
            symbol=self.symbols[1],
            side=Side.BUY if number % 2 else Side.SELL,
            quantity=1.0,
            price=PRICE,
        )
        return encode_msgpack(order)


def bench_crossing(bench: Bench) -> None:
    """From the tick that crosses a line to the alert on a subscriber's socket; a crowd at once."""
    accounts = bench.parameter("accounts", smoke=100, full=1_000)
    rounds = bench.parameter("rounds", smoke=1, full=3)
    found = [uvloop.run(_in_process(Ladder(accounts, POSITIONS))) for _ in range(rounds)]
    figures = median_of([_figures(measured) for measured in found])
    told = {measured.told for measured in found}
    assert len(told) == 1, "each round tells the same"
    bench.report(f"{accounts:,} accounts, in process", figures, digest=told.pop())
    bench.at_most("tick to alert in process, p99 ns", figures["p99_ns"], ALERT_P99_NS_MAX)
    with tempfile.TemporaryDirectory(prefix="riskd-bench-", ignore_cleanup_errors=True) as folder:
        measured = _over_sockets(Ladder(accounts, POSITIONS), Path(folder))
    figures = percentiles(measured.spans_ns)
    bench.report(f"{accounts:,} accounts, over ipc", figures, digest=measured.told)
    _crowd(bench)


async def _in_process(world: Ladder) -> Measured:
    """Measure all crossings in one process, the subscriber's socket included."""
    context: zmq.Context[Any] = zmq.Context()
    publisher, subscriber = context.socket(zmq.PUB), context.socket(zmq.SUB)
    subscriber.setsockopt(zmq.RCVTIMEO, HANG_MS)
    subscriber.setsockopt(zmq.SUBSCRIBE, b"alert.critical")
    publisher.bind("inproc://alerts")
    subscriber.connect("inproc://alerts")

    def publish(topic: str, message: Published) -> None:
        publisher.send(topic.encode(), zmq.SNDMORE)
        publisher.send(encode_json(message))

    try:
        with LiveEngine(publish) as engine:
            settle_in(engine, world)
            _forget(subscriber)
            ticks = [world.step(number) for number in range(len(world.accounts))]

            def send(tick: bytes) -> None:
                engine.tick(tick)
                while engine.system.is_behind():
                    engine.apply(Elapse())

            with collector_off():
                return _measured(subscriber, ticks, send)
    finally:
        context.destroy(linger=0)


def _over_sockets(world: Ladder, folder: Path) -> Measured:
    with _served(world, folder) as (_, push, subscriber):
        ticks = [world.step(number) for number in range(len(world.accounts))]
        return _measured(subscriber, ticks, push.send)


def _measured(subscriber: Any, ticks: list[bytes], send: Any) -> Measured:
    spans, cpu, told = [], [], []
    for tick in ticks:
        sleep(GAP_S)
        begun_ns, worked_ns = perf_counter_ns(), thread_time_ns()
        send(tick)
        alert = _next_alert(subscriber)
        cpu.append(thread_time_ns() - worked_ns)
        spans.append(perf_counter_ns() - begun_ns)
        told.append(f"{alert.account} {alert.alert_type} {alert.value} {alert.threshold}".encode())
    warm = min(WARM, len(spans) // 2)
    return Measured(spans[warm:], cpu[warm:], digest(told))


def _figures(measured: Measured) -> dict[str, float]:
    """Return percentiles, with those of the time that this thread was at work."""
    cpu = {f"cpu_{name}": value for name, value in percentiles(measured.cpu_ns).items()}
    return percentiles(measured.spans_ns) | cpu


def _next_alert(subscriber: Any) -> Alert:
    """Return the next alert of a crossing; others are of the fills that came before."""
    while True:
        subscriber.recv()
        alert = _alert(subscriber.recv())
        if alert.alert_type == "daily_loss":
            return alert


def _forget(subscriber: Any) -> None:
    while subscriber.poll(100):
        subscriber.recv()


@contextmanager
def _served(world: World, folder: Path) -> Iterator[tuple[Stage, Any, Any]]:
    """Yield riskd with its accounts positioned, a socket for ticks and a subscriber of alerts."""
    context: zmq.Context[Any] = zmq.Context()
    with Stage(folder) as stage:
        if stage.other_cores:
            (stage.loop_core,), stage.server_cores = stage.server_cores, stage.all_cores
        addresses = stage.start_riskd(toml_of(world))
        push, subscriber = context.socket(zmq.PUSH), context.socket(zmq.SUB)
        try:
            subscriber.setsockopt(zmq.RCVTIMEO, HANG_MS)
            subscriber.setsockopt(zmq.SUBSCRIBE, b"alert.critical")
            subscriber.setsockopt(zmq.RCVHWM, 0)
            subscriber.connect(addresses["alerts"])
            push.connect(addresses["ticks"])
            opening = list(world.opening())
            for message in opening[: len(world.symbols)]:
                push.send(encode_msgpack(message))
            _wait_for_prices(stage, opening[len(world.symbols)])
            fills = [encode_msgpack(message) for message in opening[len(world.symbols) :]]
            stage.run("pipeline", "riskd", fills, "64")
            _forget(subscriber)
            yield stage, push, subscriber
        finally:
            context.destroy(linger=0)


def _wait_for_prices(stage: Stage, fill: Any) -> None:
    """Return when ticks have arrived: an order of the fill's symbol has a reference price."""
    order = Check(
        account=fill.account,
        client_order_id="probe",
        symbol=fill.symbol,
        side=fill.side,
        quantity=1.0,
        price=PRICE,
        dry_run=True,
    )
    while b'"approved":true' not in stage.run("ask", "riskd", [encode_json(order)]).payloads[0]:
        pass


def _crowd(bench: Bench) -> None:
    """All accounts cross on one tick, while others ask for verdicts, one after the other."""
    accounts = bench.parameter("crowd", smoke=100, full=10_000)
    asked = bench.parameter("questions", smoke=50, full=2_000)
    world = Crowd(accounts + OUTSIDERS, 1, symbols=2)
    with (
        tempfile.TemporaryDirectory(prefix="riskd-bench-", ignore_cleanup_errors=True) as folder,
        _served(world, Path(folder)) as (_, push, subscriber),
    ):
        context: zmq.Context[Any] = zmq.Context()
        orders, control = (
            _asker(context, f"ipc://{folder}/{name}") for name in ("orders", "control")
        )
        before = _raised(control)
        quiet = [_span_ns(orders, world.question(number)) for number in range(asked)]
        push.send(world.step(0))
        begun_ns, busy = perf_counter_ns(), list[int]()
        while _raised(control) < before + accounts:
            busy += [
                _span_ns(orders, world.question(asked + len(busy) + n)) for n in range(ASK_RUN)
            ]
        whole_ns = perf_counter_ns() - begun_ns
        published = 0
        while subscriber.poll(PAUSE_MS):
            _, payload = subscriber.recv_multipart()
            published += _alert(payload).alert_type == "daily_loss"
        context.destroy(linger=0)
    at_rest, in_crowd = percentiles(quiet), percentiles(busy)
    bench.report(f"a verdict before {accounts:,} cross at once", at_rest)
    figures = in_crowd | {
        "p99_of_quiet": in_crowd["p99_ns"] / at_rest["p99_ns"],
        "all_told_ms": whole_ns / 1e6,
        "published": float(published),
    }
    bench.report(f"a verdict while {accounts:,} cross at once", figures)


def _asker(context: zmq.Context[Any], address: str) -> Any:
    asker = context.socket(zmq.REQ)
    asker.setsockopt(zmq.RCVTIMEO, HANG_MS)
    asker.connect(address)
    return asker


def _span_ns(orders: Any, question: bytes) -> int:
    begun_ns = perf_counter_ns()
    orders.send(question)
    answer = orders.recv()
    span_ns = perf_counter_ns() - begun_ns
    verdict = answers_codec.decode(answer)
    assert isinstance(verdict, Verdict), f"an order has a verdict: {verdict}"
    assert verdict.approved, f"outsiders are not in the crowd: {verdict.rejects}"
    return span_ns


def _raised(control: Any) -> int:
    """Return how many alerts there were so far."""
    control.send(encode_json(Metrics()))
    answer = control_answers_codec.decode(control.recv())
    assert isinstance(answer, Result), f"riskd says how it is: {answer}"
    return int(msgspec.to_builtins(answer.data)["alerts_raised"])
