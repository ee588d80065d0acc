"""Bad input of every kind on the ticks and alerts ports: counted and dropped, never answered."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest
import zmq

from riskd.messages import TicksMessage
from tests.end_to_end.bad_values import (
    IMPOSSIBLE_NUMBERS,
    example_tree,
    odd_names,
    odd_numbers,
    shapeless,
    structs_of,
    undecodable,
)
from tests.end_to_end.books import replayed_hash
from tests.end_to_end.peer import ANSWER_MS_MAX
from tests.end_to_end.process import RiskdProcess
from tests.end_to_end.raw import GREETING, connected, ready

pytestmark = pytest.mark.end_to_end

STRUCTS = structs_of(TicksMessage)
PRICES = ("bid", "ask", "last", "previous_close", "settlement")
MIB = 1 << 20
ROUNDS = 30


@pytest.fixture(scope="module")
def riskd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RiskdProcess]:
    """A riskd with a price of AAPL."""
    with RiskdProcess(tmp_path_factory.mktemp("riskd")) as process:
        with process.peer("ticks", zmq.PUSH) as feed:
            feed.tell({"type": "tick", "symbol": "AAPL", "bid": 187.49, "ask": 187.51})
            process.wait_until(lambda: ticks_taken(process) == 1)
        yield process
        process.require_running()


def ticks_taken(riskd: RiskdProcess) -> int:
    return sum(riskd.control("metrics")["ticks"].values())


def ticks_refused(riskd: RiskdProcess) -> int:
    counts = riskd.control("metrics")["ticks_port"]
    return sum(n for key, n in counts.items() if key.startswith("errors_"))


def prices_of(riskd: RiskdProcess) -> list[Any]:
    shown = riskd.control("instruments")
    return [
        {key: x[key] for key in ("symbol", "bid", "ask", "last", "mark", "state")} for x in shown
    ]


def require_dropped(riskd: RiskdProcess, messages: Iterable[list[bytes]]) -> None:
    """Each message is counted as refused; the state is what it was."""
    before, refused_before, sent = riskd.status(), ticks_refused(riskd), 0
    with riskd.peer("ticks", zmq.PUSH) as feed:
        for frames in messages:
            feed.send(*frames)
            sent += 1
        riskd.wait_until(lambda: ticks_refused(riskd) >= refused_before + sent)
    after = riskd.status()
    assert ticks_refused(riskd) == refused_before + sent
    assert (after["seq"], after["state_hash"]) == (before["seq"], before["state_hash"])


@pytest.mark.parametrize("type_", STRUCTS)
def test_bad_ticks_that_are_no_message_are_dropped_and_counted(riskd, type_):
    require_dropped(riskd, [[payload.content] for payload in undecodable(STRUCTS[type_])])


def test_bad_ticks_without_shape_are_dropped_and_counted(riskd):
    require_dropped(riskd, [[payload.content] for payload in shapeless()])


def test_bad_ticks_of_odd_frames_are_dropped_and_counted(riskd):
    tick = msgspec.json.encode(example_tree(STRUCTS["tick"]))
    batch = msgspec.json.encode(
        {"type": "ticks", "ticks": [{**TICK, "seq": n} for n in range(2001)]}
    )
    require_dropped(
        riskd,
        [[b""], [b"", tick], [tick, b""], [tick] * 100, [b""] * 100, [b"x" * 10 * MIB], [batch]],
    )


TICK = {"type": "tick", "symbol": "AAPL", "bid": 100.0}


def test_bad_ticks_of_impossible_prices_move_no_price(riskd):
    """A tick is taken whole or not at all: sizes are not kept, so theirs do not matter."""
    before, taken = prices_of(riskd), ticks_taken(riskd)
    numbers = (*IMPOSSIBLE_NUMBERS, -0.0, 0.0, -1.0, float(2**63))
    trees = [
        {**tree, "seq": None, "bid_size": None} if type_ == "tick" else tree
        for type_ in ("tick", "market_state")
        for why, tree in odd_numbers(STRUCTS[type_], numbers)
        if why.partition(" ")[0] in PRICES
    ]
    with riskd.peer("ticks", zmq.PUSH) as feed:
        for tree in trees:
            feed.send(msgspec.msgpack.encode(tree))
        riskd.wait_until(lambda: ticks_taken(riskd) == taken + len(trees))
    assert len(trees) == len(numbers) * 5
    assert prices_of(riskd) == before


def test_bad_ticks_of_strange_names_move_nothing_and_stop_nothing(riskd):
    before, taken = prices_of(riskd), ticks_taken(riskd)
    trees = [
        tree
        for type_ in ("tick", "market_state")
        for why, tree in odd_names(STRUCTS[type_])
        if why.startswith("symbol")
    ]
    trees += [{"type": "tick", "symbol": "AAPL", "feed": f"feed-{n}", "seq": n} for n in range(100)]
    with riskd.peer("ticks", zmq.PUSH) as feed:
        for tree in trees:
            feed.tell(tree)
        riskd.wait_until(lambda: ticks_taken(riskd) == taken + len(trees))
    assert prices_of(riskd) == before


def suppressed_receive(raw: socket.socket) -> bytes:
    """What comes next; nothing once the other side has closed or reset the connection."""
    try:
        return raw.recv(4096)
    except ConnectionError:
        return b""


SUBSCRIPTIONS = (
    *(b"", b"\x02heartbeat", b"heartbeat", b"\x01no_such_topic", b"\x01\xff\xfe"),
    *(b"\x01verdict." + b"x" * 900, b"\x01verdict.A1\n\x00", b"\x00heartbeat"),
)


def test_bad_subscriptions_stop_no_subscriber(riskd):
    before = riskd.status()
    with riskd.peer("alerts", zmq.XSUB) as stranger, riskd.peer("alerts", zmq.SUB) as subscriber:
        for subscription in SUBSCRIPTIONS:
            stranger.send(subscription)
        stranger.send(*[b"\x01x"] * 100)
        subscriber.socket.setsockopt(zmq.SUBSCRIBE, b"heartbeat")
        topic, beat = subscriber.socket.recv_multipart()
        assert topic == b"heartbeat"
        assert msgspec.json.decode(beat)["seq"] == before["seq"]
    assert riskd.status()["state_hash"] == before["state_hash"]


def test_bad_frames_of_a_subscriber_cost_nobody_else_his_subscription(riskd):
    """ZeroMQ gives a subscription that waits behind other frames to whoever comes next, or drops
    it: riskd cuts both, and who comes again is told."""
    for _ in range(ROUNDS):
        with riskd.peer("alerts", zmq.XSUB) as stranger, riskd.peer("alerts", zmq.SUB) as honest:
            for _ in range(20):
                stranger.send(b"no subscription")
                stranger.send(b"\x01verdict")
            honest.socket.setsockopt(zmq.SUBSCRIBE, b"firm.exposure")
            assert honest.socket.recv_multipart()[0] == b"firm.exposure"


def test_bad_subscription_of_many_bytes_is_cut_off_before_it_is_kept(riskd):
    """ZeroMQ keeps a subscription in a tree of a node a byte: 10 MiB of topic would be 1 GiB."""
    topic = b"\x01verdict." + b"x" * (10 * MIB)
    arrived_before = riskd.control("metrics")["alerts"].get("subscriptions_refused")
    with connected(riskd, "alerts") as raw:
        raw.settimeout(ANSWER_MS_MAX / 1000)
        with suppress(OSError):
            raw.sendall(GREETING + ready("SUB") + b"\x02" + len(topic).to_bytes(8) + topic)
        while suppressed_receive(raw):
            pass
    arrived = riskd.control("metrics")["alerts"].get("subscriptions_refused")
    assert arrived == arrived_before, "it was kept, and only then refused"
    with riskd.peer("alerts", zmq.SUB) as subscriber:
        subscriber.socket.setsockopt(zmq.SUBSCRIBE, b"heartbeat")
        assert subscriber.socket.recv_multipart()[0] == b"heartbeat"


def test_bad_ticks_at_the_end_a_good_tick_moves_the_price_and_the_journal_replays(riskd):
    with riskd.peer("ticks", zmq.PUSH) as feed:
        feed.tell({"type": "tick", "symbol": "AAPL", "bid": 200.0, "ask": 200.5, "last": 200.25})
        riskd.wait_until(lambda: prices_of(riskd)[0]["bid"] == 200.0)
    status, prices = riskd.status(), prices_of(riskd)
    riskd.kill()
    assert replayed_hash(riskd.books, status["seq"]) == status["state_hash"]
    riskd.start()
    assert riskd.status()["books_hash"] == status["books_hash"]
    assert prices_of(riskd) == prices
