"""State topics: the last value on subscribing, one message for many ticks, nothing for nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from engine.account import Account
from riskd.messages import Published, Tick
from tests.builders import StampedCore, a_core, a_fill
from transport.alerts import AlertsPort
from transport.peers import PeerLimits, Peers
from transport.publisher import Publisher

LOOKS_MAX = 1000
WAIT_MS = 10_000


class Unasked(dict[str, Account]):
    """Accounts at which nobody may look."""

    def values(self) -> Any:
        """Fail: something was about to be computed."""
        raise AssertionError("nobody asked for it")


class Scene:
    """A real port with a publisher behind it, and a subscriber."""

    def __init__(self, folder: Path) -> None:
        self.house: StampedCore = a_core()
        self.house.send(a_fill("e-1", "buy", 10, 100.0))
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        socket = self.context.socket(zmq.XPUB)
        socket.setsockopt(zmq.XPUB_MANUAL, 1)
        peers = Peers(socket, "alerts", PeerLimits(10, 10, 1000, 1000, 10))
        socket.bind(f"ipc://{folder}/alerts")
        self.publisher = self.publisher_of(self.house.core.accounts)
        self.port = AlertsPort(
            socket,
            peers=peers,
            standing=self._standing,
            accounts=lambda: self.house.core.accounts,
            on_change=lambda: None,
        )
        self._sub = self.context.socket(zmq.SUB)
        self._sub.setsockopt(zmq.RCVTIMEO, WAIT_MS)
        self._sub.connect(f"ipc://{folder}/alerts")

    def _standing(self, prefix: str) -> Iterator[tuple[str, Published]]:
        return self.publisher.standing(prefix)

    def publisher_of(self, accounts: dict[str, Account]) -> Publisher:
        """Return a publisher of these accounts."""
        core, house = self.house.core, self.house
        return Publisher(core.boards, accounts, lambda: house.stamp.recv_ns)

    def subscribe(self, topic: str) -> None:
        """Subscribe, and return when the port knows."""
        before = self.port.subscriptions
        self._sub.setsockopt(zmq.SUBSCRIBE, topic.encode())
        for _ in range(LOOKS_MAX):
            self.port.peers.drain(16)
            self.port.drain(16)
            if self.port.subscriptions > before:
                return
            self.port.socket.poll(10)
        raise AssertionError("the subscription never came")

    def heard(self) -> tuple[str, dict[str, Any]]:
        """Return the next message."""
        topic, payload = self._sub.recv_multipart()
        return topic.decode(), msgspec.json.decode(payload)

    def tick(self, price: float) -> None:
        """Move the price of X."""
        self.house.send(Tick(symbol="X", bid=price, ask=price))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.context.destroy(linger=0)


def rounds(publisher: Publisher, port: AlertsPort) -> None:
    """Look at all accounts once."""
    while publisher.step(port):
        pass


def test_nothing_is_computed_for_topics_that_nobody_subscribed_to(scene: Scene):
    publisher = scene.publisher = scene.publisher_of(Unasked(scene.house.core.accounts))
    rounds(publisher, scene.port)
    scene.subscribe("verdict.A1")
    rounds(publisher, scene.port)
    assert scene.port.counts["sent"] == 0


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        ("pnl.A1", lambda told: told["unrealized"]),
        ("exposure.A1", lambda told: told["net"] - 1000),
        ("position.A1.X", lambda told: told["unrealized"]),
        ("firm.pnl", lambda told: told["day"]),
    ],
)
def test_topic_tells_its_last_value_on_subscribing_and_many_ticks_at_once(
    scene: Scene, topic: str, value: Callable[[dict[str, Any]], float]
):
    scene.subscribe(topic)
    name, told = scene.heard()
    assert (name, value(told)) == (topic, 0.0)
    rounds(scene.publisher, scene.port)  # What was told stands: it is told once more, to compare.
    first = scene.port.counts["sent"]
    for price in range(101, 150):
        scene.tick(float(price))
    rounds(scene.publisher, scene.port)
    rounds(scene.publisher, scene.port)  # And nothing more while nothing changes.
    assert scene.port.counts["sent"] == first + 1
    while value(told) != 490.0:
        name, told = scene.heard()
        assert name == topic


def test_drawdown_of_conflated_ticks_has_the_peak_that_came_and_went(scene: Scene):
    scene.subscribe("drawdown.A1")
    rounds(scene.publisher, scene.port)
    for price in (150.0, 90.0, 100.0):
        scene.tick(price)
    rounds(scene.publisher, scene.port)
    told: dict[str, Any] = {"day": {"peak": 0.0}}
    while told["day"]["peak"] != 1_000_500.0:
        told = scene.heard()[1]
    assert (told["day"]["trough"], told["day"]["drawdown"]) == (999_900.0, 500.0)
