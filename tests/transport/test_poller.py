"""The poller: orders between any two turns of another socket, and nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
import uvloop
import zmq

from transport.poller import ORDERS_BUDGET, TICKS_BUDGET, Poller
from transport.sockets import Reader

END = b"end"


class Recorder(Reader):
    """A real socket whose messages are noted in the order in which they are taken."""

    def __init__(self, socket: zmq.Socket[bytes], name: str, taken: list[str]) -> None:
        super().__init__(socket)
        self._name, self._noted = name, taken

    def _take(self, first: bytes) -> None:
        self._noted.append("end" if first == END else self._name)


Pair = tuple[zmq.Socket[bytes], zmq.Socket[bytes]]


@pytest.fixture
def pair() -> Iterator[Callable[[str], Pair]]:
    """Make connected PULL and PUSH sockets, and close them all at the end."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    made: list[zmq.Socket[bytes]] = []

    def make(name: str) -> Pair:
        pull, push = context.socket(zmq.PULL), context.socket(zmq.PUSH)
        made.extend((pull, push))
        pull.bind(f"inproc://{name}")
        push.connect(f"inproc://{name}")
        return pull, push

    yield make
    for socket in made:
        socket.close(linger=0)
    context.term()


async def run_until_end(poller: Poller, taken: list[str]) -> None:
    until_s = asyncio.get_running_loop().time() + 30
    while "end" not in taken:
        assert asyncio.get_running_loop().time() < until_s, "a message was left behind"
        await asyncio.sleep(0)
    poller.stop()


def test_poller_takes_orders_first_and_bounds_ticks_between_two_looks_at_them(pair):
    orders, orders_in = pair("orders")
    ticks, ticks_in = pair("ticks")
    taken: list[str] = []

    async def scene() -> None:
        poller = Poller(asyncio.get_running_loop())
        poller.add(Recorder(orders, "order", taken), orders, ORDERS_BUDGET)
        poller.add(Recorder(ticks, "tick", taken), ticks, TICKS_BUDGET)
        for _ in range(300):
            ticks_in.send(b"tick")
        for _ in range(ORDERS_BUDGET + 10):
            orders_in.send(b"order")
        ticks_in.send(END)
        await run_until_end(poller, taken)

    uvloop.run(scene())
    assert (taken.count("tick"), taken.count("order")) == (300, ORDERS_BUDGET + 10)
    waiting = [name for name in taken[: taken.index("end")] if name != "end"]
    last_order = len(waiting) - 1 - waiting[::-1].index("order")
    assert waiting[:last_order].count("tick") <= 2 * TICKS_BUDGET


@pytest.mark.parametrize("spin_us", [0, 200])
def test_poller_leaves_nothing_behind_and_rescues_nothing_over_many_small_bursts(pair, spin_us):
    orders, orders_in = pair("orders")
    taken: list[str] = []

    async def scene() -> int:
        poller = Poller(asyncio.get_running_loop(), spin_us=spin_us)
        poller.add(Recorder(orders, "order", taken), orders, ORDERS_BUDGET)
        poller.start()
        for burst in range(400):
            for _ in range(1 + burst % 7):
                orders_in.send(b"order")
            if burst % 3:
                await asyncio.sleep(0)
        orders_in.send(END)
        await run_until_end(poller, taken)
        return poller.rescues

    assert uvloop.run(scene()) == 0
    assert taken.count("order") == sum(1 + burst % 7 for burst in range(400))
