from __future__ import annotations

import asyncio

import zmq

from riskd.codec import ticks_codec
from riskd.feed.tick_sender import BATCH_MAX, SEND_HWM, TickSender
from riskd.messages import Tick
from tests.riskd.waiting import wait_until

ROWS = 40 * BATCH_MAX * SEND_HWM  # More than every queue on the way to a port that reads nothing.
STALLED_S = 0.3


def tick_of(row: int) -> Tick:
    # A long name fills the queues of the system sooner.
    return Tick(symbol="AAPL", last=10.0, seq=row, feed="f" * 64)


def bound(context: zmq.Context[zmq.Socket[bytes]], address: str) -> zmq.Socket[bytes]:
    """Return a ticks port with a short queue."""
    port = context.socket(zmq.PULL)
    port.setsockopt(zmq.LINGER, 0)
    port.setsockopt(zmq.RCVHWM, 1)
    port.setsockopt(zmq.RCVBUF, 65536)
    wait_until(lambda: is_bound(port, address))
    return port


def is_bound(port: zmq.Socket[bytes], address: str) -> bool:
    """Bind, unless the port that was there before is not gone yet."""
    try:
        port.bind(address)
    except zmq.ZMQError:
        return False
    return True


def rows_in(port: zmq.Socket[bytes]) -> list[int]:
    """Return the rows of the next message."""
    message = ticks_codec.decode(port.recv())
    return [tick.seq for tick in getattr(message, "ticks", [message])]


def test_tick_sender_blocked_while_the_port_dies_begins_again_before_what_waited():
    """What waits in the dead connection must not reach the next riskd ahead of what was lost."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    first = bound(context, "tcp://127.0.0.1:*")
    endpoint = first.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(endpoint, bytes)
    address = endpoint.decode()

    async def scene() -> list[int]:
        sender = TickSender(address, reconnect_s=30)
        sent = [0]
        feeding = asyncio.create_task(feed(sender, sent))
        second = None
        try:
            await until_blocked(feeding, sent)
            first.close(linger=0)
            second = bound(context, address)
            return await rows_of(second, sent[0])
        finally:
            feeding.cancel()
            if second is not None:
                second.close(linger=0)
            sender.close()

    try:
        rows = asyncio.run(asyncio.wait_for(scene(), 30))
    finally:
        first.close(linger=0)
        context.term()
    assert rows == list(range(1, len(rows) + 1))


async def feed(sender: TickSender, sent: list[int]) -> None:
    """Send rows, noting the last."""
    for row in range(1, ROWS + 1):
        await sender.send(tick_of(row))
        sent[0] = row


async def until_blocked(feeding: asyncio.Task[None], sent: list[int]) -> None:
    """Return when no row has gone out for a while."""
    before = 0
    while not sent[0] or sent[0] != before:
        before = sent[0]
        await asyncio.sleep(STALLED_S)
    assert not feeding.done(), "the queues held it all: nothing was blocked"


async def rows_of(port: zmq.Socket[bytes], count: int) -> list[int]:
    """Return the first `count` rows that come."""
    rows: list[int] = []
    while len(rows) < count:
        while not port.poll(0):
            await asyncio.sleep(0.001)
        rows += rows_in(port)
    return rows
