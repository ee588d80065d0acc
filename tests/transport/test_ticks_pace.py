"""The ticks port under more than it can take: it rests, reads all that waits, and conflates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from engine.conflation import Conflation
from engine.instruments import Instrument
from engine.quotes import QuoteBoard
from riskd.codec import encode_msgpack, ticks_codec
from riskd.messages import MarketPhase, MarketState, RiskSettings, Tick, Ticks, TicksMessage
from tests.builders import OTHER_STOCK, STOCK
from transport.peers import PeerLimits, Peers
from transport.ticks import MS, Pace, TicksPort

BUDGET = 4
WAIT_MS = 10_000
ENOUGH = 10_000  # Drains; far fewer are needed.
SENT_MAX = 2000


class Feed:
    """A real port, who feeds it, a clock that is set by hand, and what was admitted."""

    def __init__(self, folder: Path) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.now_ns = 0
        self.taken: list[TicksMessage] = []
        self.told: list[Any] = []  # The same, batches one by one.
        self.rests: list[tuple[float, Callable[[], None]]] = []
        board = QuoteBoard(RiskSettings())
        for spec in (STOCK, OTHER_STOCK):
            board.add(Instrument(spec, 1))
        pull, self.push = self.context.socket(zmq.PULL), self.context.socket(zmq.PUSH)
        pull.setsockopt(zmq.RCVHWM, 0)
        peers = Peers(pull, "ticks", PeerLimits(10, 10, 10**9, 10**9, 10))
        pull.bind(f"ipc://{folder}/ticks")
        self.push.setsockopt(zmq.SNDHWM, 0)
        self.push.connect(f"ipc://{folder}/ticks")
        self.port = TicksPort(
            pull,
            peers=peers,
            admit=self._admit,
            refused=lambda code, text: pytest.fail(text),
            pace=Pace(50, 10, Conflation(board), lambda: self.now_ns),
        )
        self.port.later = lambda span_s, wake: self.rests.append((span_s, wake))
        self.sent = 0

    def _admit(self, message: TicksMessage, raw: bytes) -> None:
        assert ticks_codec.decode(raw) == message  # What the journal keeps is what was taken.
        self.taken.append(message)
        self.told += message.ticks if isinstance(message, Ticks) else (message,)

    def tell(self, count: int) -> None:
        """Send ticks of X that rise and fall, and wait until the last has arrived."""
        for _ in range(count):
            self.sent += 1
            bid = 100.0 + self.sent % 7
            self.push.send(encode_msgpack(Tick(symbol="X", bid=bid, ask=bid + 1, seq=self.sent)))
        assert self.port.socket.poll(WAIT_MS)

    def until(self, is_so: Callable[[], bool]) -> None:
        """Go on draining until something is so."""
        for _ in range(ENOUGH):
            if is_so():
                return
            before = len(self.told)
            if not self.port.drain(BUDGET):
                self.port.socket.poll(1)
            assert len(self.told) - before <= BUDGET  # Between two looks at orders.
        raise AssertionError("it never was")

    def count(self) -> int:
        """Return how many ticks are accounted for."""
        return sum(1 + tick.conflated for tick in self.told if isinstance(tick, Tick))

    def begin_to_conflate(self) -> None:
        """Let more wait than is taken for long, until the port rests."""

        def is_resting() -> bool:
            if self.sent < SENT_MAX:
                self.tell(100)
            self.now_ns += 25 * MS
            return bool(self.rests)

        self.until(is_resting)
        assert self.rests[0][0] == 0.01
        assert [self.port.drain(BUDGET), self.port.readable()] == [0, False]

    def settle(self) -> None:
        """Go on, waking the port whenever it rests, until all that was sent is accounted for."""

        def is_settled() -> bool:
            while self.rests:
                self.rests.pop()[1]()
            return self.count() == self.sent and not self.port.drain(BUDGET) and not self.rests

        self.until(is_settled)


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Feed]:
    made = Feed(tmp_path)
    yield made
    made.context.destroy(linger=0)


def test_port_takes_every_tick_as_it_comes_until_it_was_behind_for_long(feed: Feed):
    for _ in range(3):
        feed.tell(300)
        feed.settle()
        feed.now_ns += 50 * MS  # It was not behind for so long: nothing waited at the end.
    assert len(feed.taken) == feed.sent
    assert all(isinstance(told, Tick) and not told.conflated for told in feed.taken)


def test_port_that_is_behind_conflates_what_waits_and_rests(feed: Feed):
    feed.begin_to_conflate()
    feed.settle()
    told = feed.told
    assert any(isinstance(one, Ticks) for one in feed.taken)
    assert [tick.seq for tick in told] == sorted({tick.seq for tick in told})
    assert told[-1].seq == feed.sent
    assert {tick.bid for tick in told} >= {100.0, 106.0}
    assert feed.port.counts["conflated"] == feed.sent - len(told) > 0


def test_port_with_little_to_do_takes_ticks_one_by_one_again(feed: Feed):
    feed.begin_to_conflate()
    feed.settle()
    feed.tell(5)
    feed.settle()
    assert [type(told) for told in feed.taken[-5:]] == [Tick] * 5


def test_state_of_a_market_is_taken_after_what_came_before_it(feed: Feed):
    feed.begin_to_conflate()
    feed.push.send(encode_msgpack(MarketState(symbol="X", state=MarketPhase.HALTED)))
    before = feed.sent
    feed.tell(100)
    feed.settle()
    told = feed.told
    (at,) = [number for number, one in enumerate(told) if isinstance(one, MarketState)]
    assert sum(1 + tick.conflated for tick in told[:at]) == before


def test_port_that_is_closed_takes_what_it_has_read_first(feed: Feed):
    feed.begin_to_conflate()
    feed.tell(300)
    feed.rests.pop()[1]()
    feed.port.drain(BUDGET)  # Some are read, none is taken.
    feed.port.finish()
    feed.until(lambda: feed.count() == feed.sent)
    assert not feed.rests
