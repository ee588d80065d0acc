"""What is timed: the pure core, the live actors with a journal, and two loops to compare with."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Protocol, Self

from pykka import ActorRegistry

from actors.inputs import Publish
from actors.runtime import RunQueue
from actors.sequencer import Sequencer, Source
from actors.system import System
from config.settings import Settings
from engine.chain import AnswerChain
from engine.core import Core
from engine.desk import Answer
from engine.digest import books_digest
from engine.facts import Stamp
from riskd.codec import encode_like, encode_msgpack, orders_codec, ticks_codec
from riskd.messages import Check, Message, Side, Tick, Ticks, Verdict
from scripts.benchmarks.world import BALANCE, START_NS, World
from transport.clock import Clock
from transport.data_directory import DataDirectory
from transport.journal import Journal
from transport.journal_settings import SCHEMA, JournalSettings, SyncMode

STEP_NS = 100_000  # Between two inputs of the pure core: 10,000 inputs a second.


class Engine(Protocol):
    """Something that answers orders."""

    def judge(self, payload: bytes) -> bytes:
        """Decode an order, decide, reserve, and return the encoded verdict."""

    def tick(self, payload: bytes) -> None:
        """Decode and apply market data."""

    def apply(self, message: Any) -> None:
        """Apply one input that is not timed."""

    def books(self) -> str:
        """Return the digest of what is owned, promised and quoted."""


class CoreEngine:
    """The engine without actors and without a journal, on made-up time."""

    def __init__(self) -> None:
        self.core = Core()
        self._seq = 0

    def judge(self, payload: bytes) -> bytes:
        """Answer one order."""
        return encode_like(payload, _told(self._apply(orders_codec.decode(payload))))

    def tick(self, payload: bytes) -> None:
        """Apply market data."""
        self._apply(ticks_codec.decode(payload))

    def apply(self, message: Any) -> None:
        """Apply one input that is not timed."""
        self._apply(message)

    def books(self) -> str:
        """Return the digest of what is owned, promised and quoted."""
        return books_digest(self.core.state())

    def _apply(self, message: Any) -> Answer:
        self._seq = seq = self._seq + 1
        steady_ns = seq * STEP_NS
        return self.core.apply(message, Stamp(seq, START_NS + steady_ns, steady_ns))


class LiveEngine:
    """The actors behind their door, every input appended to a journal in a temporary folder."""

    def __init__(self, publish: Publish | None = None) -> None:
        """Start on the running loop; `publish` takes what is told. Use as a context."""
        loop = asyncio.get_running_loop()
        self.run_queue = RunQueue(loop.call_soon_threadsafe, loop.call_soon)
        self.run_queue.bind()
        self.system = start_system(self.run_queue, publish)
        self._folder = tempfile.TemporaryDirectory(prefix="riskd-bench-")
        self._directory = DataDirectory(Path(self._folder.name))
        self.journal = open_journal(self._directory)
        clock = Clock()
        self._admit = Sequencer(
            self.system, self.journal, clock, self.journal.last_seq, AnswerChain()
        ).admit
        self._answered: list[Answer] = []

    def judge(self, payload: bytes) -> bytes:
        """Answer one order."""
        message = orders_codec.decode(payload)
        answered: list[Answer] = []
        assert isinstance(message, Check), "orders are judged, nothing else"
        self._admit(message, payload, Source.ORDERS, answered.append)
        return encode_like(payload, _told(answered[0]))

    def tick(self, payload: bytes) -> None:
        """Apply market data."""
        self._admit(ticks_codec.decode(payload), payload, Source.TICKS)

    def apply(self, message: Any) -> None:
        """Apply one input that is not timed."""
        source = Source.TICKS if isinstance(message, Tick | Ticks) else Source.ORDERS
        self._admit(message, encode_msgpack(message), source, self._forget)

    def books(self) -> str:
        """Return the digest of what is owned, promised and quoted."""
        return books_digest(self.system.state())

    def _forget(self, answered: Answer) -> None:
        """Take an answer that nobody looks at."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.journal.close()
        self._directory.close()
        self._folder.cleanup()
        stop_system(self.run_queue)


def start_system(run_queue: RunQueue, publish: Publish | None = None) -> System:
    """Return the actors on a queue; a fault of any of them ends the benchmark."""
    return System(run_queue, publish=publish or _unheard, say=_unsaid, failed=_stop, fatal=_stop)


def stop_system(run_queue: RunQueue) -> None:
    """Stop every actor and let the thread go."""
    ActorRegistry.stop_all(block=False)
    run_queue.close()


def open_journal(directory: DataDirectory) -> Journal:
    """Return the journal of a folder, kept as the shipped settings keep it."""
    kept = Settings().journal
    settings = JournalSettings(
        schema=SCHEMA,
        sync=SyncMode(kept.sync.value),
        interval_ms=kept.sync_interval_ms,
        segment_bytes=kept.segment_bytes,
    )
    return Journal.open(directory, settings)


def _told(answered: Answer) -> Message:
    assert answered is not None, "an order has an answer"
    return answered


def _unheard(topic: str, message: object) -> None:
    """Publish to nobody."""


def _unsaid(session: int, message: object) -> None:
    """Say it to no gateway."""


def _stop(*what: object) -> NoReturn:
    raise AssertionError(f"an actor failed: {what}")


def settle_in(engine: Engine, world: World) -> None:
    """Give an engine its configuration, prices and positions."""
    engine.apply(world.configure())
    for message in world.opening():
        engine.apply(message)


class Echo:
    """The least anybody could do: decode an order, encode a verdict that was ready."""

    def __init__(self) -> None:
        self._verdict = approval("A000000", "o000000000", 1)

    def judge(self, payload: bytes) -> bytes:
        """Decode, and encode."""
        orders_codec.decode(payload)
        return encode_like(payload, self._verdict)


class Prototype:
    """A risk engine as one would sketch it: dictionaries, floats, eleven checks, one thread."""

    def __init__(self, world: World) -> None:
        self.prices = dict.fromkeys(world.symbols, 100.0)
        self.killed: set[str] = set()
        self._seq = 0
        self.accounts: dict[str, dict[str, Any]] = {
            name: {
                "cash": BALANCE,
                "held": {world.symbol(index, held): 100.0 for held in range(world.positions)},
                "open": {},
                "orders": {},
            }
            for index, name in enumerate(world.accounts)
        }

    def tick(self, symbol: str, price: float) -> None:
        """Take a price."""
        self.prices[symbol] = price

    def judge(self, payload: bytes) -> bytes:
        """Decode, check eleven things, value every position, reserve, encode."""
        order = orders_codec.decode(payload)
        assert isinstance(order, Check)
        account, last = self.accounts[order.account], self.prices.get(order.symbol)
        held, opened, prices = account["held"], account["open"], self.prices
        price, quantity = order.price, order.quantity
        equity, gross = account["cash"], 0.0
        for symbol, lots in held.items():
            value = lots * prices[symbol]
            equity += value
            gross += abs(value)
        signed = quantity if order.side is Side.BUY else -quantity
        worst = held.get(order.symbol, 0.0) + opened.get(order.symbol, 0.0) + signed
        passes = (
            order.account not in self.killed
            and order.client_order_id not in account["orders"]
            and last is not None
            and price is not None
            and abs(price - last) <= 0.05 * last
            and 0 < quantity <= 1e9
            and quantity * price <= 1e9
            and abs(worst) <= 1e9
            and len(account["orders"]) < 1e9
            and equity > 0
            and gross + quantity * price <= 2 * equity
        )
        assert passes, "the prototype approves, as riskd does"
        self._seq += 1
        account["orders"][order.client_order_id] = order
        opened[order.symbol] = opened.get(order.symbol, 0.0) + signed
        return encode_like(payload, approval(order.account, order.client_order_id, self._seq))


def approval(account: str, order_id: str, seq: int) -> Verdict:
    """Return an approval as riskd words it."""
    return Verdict(
        client_order_id=order_id,
        account=account,
        approved=True,
        seq=seq,
        limits_version=1,
        checked_ns=START_NS,
        duplicate=False,
        durability=1,
        rejects=(),
        warnings=(),
        reservation_id=str(seq),
        valid_until_ns=START_NS + 30_000_000_000,
    )
