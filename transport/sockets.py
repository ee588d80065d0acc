"""ZeroMQ sockets as riskd sets them up, and frames in and out, one by one.

The options are those that quality.md section 3 measured to matter: a client that never reads, one
that sends frames without end and one that dies silently cost only themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import zmq

from riskd.keys import Key, apply_key

FRAMES_MAX = 8  # Frames of one message; one with more is drained, refused and counted.
ORDERS_BYTES_MAX = 64 << 10
TICKS_BYTES_MAX = 256 << 10
CONTROL_BYTES_MAX = 256 << 10
TAKEN_BLINDLY_MAX = 4  # Messages between two looks: who has become readable shows at a look only.
QUEUE_MAX = 1000  # Messages that may wait per peer in each direction.
CONTROL_QUEUE_MAX = 100
SUBSCRIPTION_BYTES_CUT = 1024  # A longer subscription cuts the connection.
ALERTS_QUEUE_MAX = 10_000  # Per subscriber; beyond it that subscriber has gaps, which it can see.

NOBLOCK = int(zmq.NOBLOCK)
MORE = int(zmq.SNDMORE | zmq.NOBLOCK)
_RCVMORE = int(zmq.RCVMORE)
_EVENTS = int(zmq.EVENTS)
_POLLIN = int(zmq.POLLIN)


class Reader:
    """A socket that is drained within a budget. Bound methods are cached: this is the hot path."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.socket = socket
        self.is_held = False  # Nothing is taken for now; whoever lets go looks here again.
        self._work = 1  # What the last message counts in a budget; a batch is all that is in it.
        self._get: Callable[[int], Any] = socket.getsockopt
        self._recv: Callable[[int], bytes] = socket.recv
        self._recv_frame: Callable[[int], Any] = socket.recv

    def drain(self, budget: int) -> int:
        """Take messages up to a `budget` of work; return how much was done. Less: none is left.

        Answers leave before the last look, for sending may take an edge of the descriptor that
        only a look at EVENTS gives back. A lone message is answered at once; in a burst a receive
        that finds nothing ends it, as one is cheaper than a look per message.
        """
        if not self._get(_EVENTS) & _POLLIN:
            return 0
        try:
            taken = self._take_up_to(1)
            self._flush()
            while taken < budget and (self.readable() or (self._flush() and self.readable())):
                taken += self._take_up_to(min(TAKEN_BLINDLY_MAX, budget - taken))
        finally:
            self._flush()
        return taken

    def _take_up_to(self, count: int) -> int:
        recv, take = self._recv_frame, self._take
        taken = 0
        try:
            while taken < count and not self.is_held:
                take(recv(NOBLOCK))
                taken += self._work
        except zmq.Again:
            pass
        return taken

    def readable(self) -> bool:
        """Return whether a message waits to be taken. Reading EVENTS re-arms the descriptor."""
        return bool(self._get(_EVENTS) & _POLLIN) and not self.is_held

    def _flush(self) -> bool:
        """Send what the messages taken have put by, together; return whether that was anything."""
        return False

    def _take(self, first: Any) -> None:
        """Take the message that begins with this frame, to its last frame."""
        raise NotImplementedError

    def _has_more(self) -> bool:
        return bool(self._get(_RCVMORE))

    def _drop_rest(self) -> int:
        """Drop the rest of a message; return how many frames that were."""
        dropped = 0
        while self._has_more():
            self._recv(NOBLOCK)
            dropped += 1
        return dropped


def make_router(
    context: zmq.Context[zmq.Socket[bytes]], queue_max: int, frame_bytes_max: int
) -> zmq.Socket[bytes]:
    """Return a ROUTER that never blocks and never hands one peer's place to another.

    A frame over `frame_bytes_max` cuts its connection; a smaller one can be answered.
    """
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    socket.setsockopt(zmq.ROUTER_HANDOVER, 0)
    _guard(socket, queue_max, frame_bytes_max)
    return socket


def make_pull(context: zmq.Context[zmq.Socket[bytes]], frame_bytes_max: int) -> zmq.Socket[bytes]:
    """Return a PULL for market data."""
    socket = context.socket(zmq.PULL)
    _guard(socket, QUEUE_MAX, frame_bytes_max)
    return socket


def make_sub(
    context: zmq.Context[zmq.Socket[bytes]], frame_bytes_max: int, key: Key = None
) -> zmq.Socket[bytes]:
    """Return a SUB for publishers of market data, subscribed to all they send.

    `key` is that with which they let riskd in. Raises KeysError.
    """
    socket = context.socket(zmq.SUB)
    _guard(socket, QUEUE_MAX, frame_bytes_max)
    apply_key(key, socket)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    return socket


def make_xpub(context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
    """Return an XPUB that admits subscriptions one by one and drops for slow subscribers only."""
    socket = context.socket(zmq.XPUB)
    socket.setsockopt(zmq.XPUB_MANUAL, 1)
    # ZeroMQ itself keeps every subscription in a tree of a node a byte, 100 bytes each.
    _guard(socket, ALERTS_QUEUE_MAX, SUBSCRIPTION_BYTES_CUT)
    return socket


def _guard(socket: zmq.Socket[bytes], queue_max: int, frame_bytes_max: int) -> None:
    socket.setsockopt(zmq.MAXMSGSIZE, frame_bytes_max)
    socket.setsockopt(zmq.RCVHWM, queue_max)
    socket.setsockopt(zmq.SNDHWM, queue_max)
    socket.setsockopt(zmq.HANDSHAKE_IVL, 2000)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 1000)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3000)
    socket.setsockopt(zmq.HEARTBEAT_TTL, 5000)
    socket.setsockopt(zmq.BACKLOG, 256)
    socket.setsockopt(zmq.LINGER, 0)
