"""Sends ticks by PUSH in batches, and again what a lost connection may have swallowed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

import zmq
from zmq.utils.monitor import recv_monitor_message

from riskd.codec import encode_msgpack
from riskd.feed.timed import FeedError
from riskd.keys import Key, apply_key, client_key
from riskd.messages import MarketState, Tick, Ticks

BATCH_MAX = 100  # Ticks a message.
SEND_HWM = 50  # Batches that may wait here: what is not waiting is not lost.
WINDOW_MAX = 4000  # Batches kept for sending again; more than all queues on the way can hold.
RETRY_S = 0.001
LINGER_MS = 5000
EVENTS = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED


class TickSender:
    """One PUSH connection to the ticks port.

    Ticks are never answered. They carry a row number, so sending some again changes nothing:
    after a lost connection everything in the window goes out again, in order, before what is
    new. `confirm` empties the window when riskd is known to have taken it.
    """

    def __init__(self, address: str, *, reconnect_s: float, key: Key = None) -> None:
        self.address = address
        self.reconnects = 0
        self._reconnect_s = reconnect_s
        self._key = client_key(key)
        self._batch: list[Tick] = []
        self._window: deque[bytes] = deque(maxlen=WINDOW_MAX)
        self._is_connected = False
        # A context of its own: its end waits until what was sent has left.
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._open()

    async def send(self, message: Tick | MarketState) -> None:
        """Queue a tick; it leaves with its batch, a market state at once."""
        if isinstance(message, MarketState):
            await self.flush()
            await self._deliver(encode_msgpack(message))
            return
        self._batch.append(message)
        if len(self._batch) >= BATCH_MAX:
            await self.flush()

    async def flush(self) -> None:
        """Send the batch as far as it is."""
        if not self._batch:
            return
        ticks = self._batch
        self._batch = []
        await self._deliver(encode_msgpack(ticks[0] if len(ticks) == 1 else Ticks(ticks=ticks)))

    def confirm(self) -> None:
        """Forget what was sent: riskd has it."""
        self._window.clear()

    async def send_again(self) -> None:
        """Open a new connection and send the window again."""
        self._close_socket()
        self._open()
        self.reconnects += 1
        await self._push(self._window)

    async def watch(self) -> None:
        """Send the window again if the connection was lost since the last look."""
        await self._push(())

    async def finish(self) -> None:
        """Send what is left; raise FeedError if nobody is there to take it."""
        await self.flush()
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._reconnect_s
        await self.watch()
        while self._window and not self._is_connected:
            if loop.time() > until_s:
                raise self._nobody()
            await asyncio.sleep(RETRY_S)
            await self.watch()

    def close(self) -> None:
        """Disconnect; if anybody is there, wait at most LINGER_MS until the last batch has left."""
        self._close_socket(linger_ms=LINGER_MS if self._is_connected else 0)
        self._context.term()

    async def _deliver(self, payload: bytes) -> None:
        self._window.append(payload)
        await self._push((payload,))

    async def _push(self, payloads: Iterable[bytes]) -> None:
        """Send payloads that are in the window; all of the window if the connection was lost.

        That is looked for before each: nothing new may overtake what was lost.
        """
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._reconnect_s
        waiting = deque(payloads)
        while True:
            if self._was_lost():
                self.reconnects += 1
                waiting = deque(self._window)
            if not waiting:
                return
            try:
                self._socket.send(waiting[0], zmq.NOBLOCK)
            except zmq.Again:
                if loop.time() > until_s:
                    raise self._nobody() from None
                await asyncio.sleep(RETRY_S)
                continue
            waiting.popleft()
            until_s = loop.time() + self._reconnect_s
            await asyncio.sleep(0)  # Answers of the orders port have their turn.

    def _nobody(self) -> FeedError:
        return FeedError(f"{self.address} has taken no tick for {self._reconnect_s:g} s.")

    def _open(self) -> None:
        socket: zmq.Socket[bytes] = self._context.socket(zmq.PUSH)
        socket.setsockopt(zmq.SNDHWM, SEND_HWM)
        # A queue dies with its connection: else it would overtake what was lost before it.
        socket.setsockopt(zmq.IMMEDIATE, 1)
        apply_key(self._key, socket)
        self._monitor = socket.get_monitor_socket(EVENTS)
        try:
            socket.connect(self.address)
        except zmq.ZMQError as error:
            socket.disable_monitor()
            socket.close(linger=0)
            raise ValueError(f"{self.address!r} is no address to connect to: {error}") from error
        self._socket = socket

    def _was_lost(self) -> bool:
        was_lost = False
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            self._is_connected = event == zmq.EVENT_HANDSHAKE_SUCCEEDED
            was_lost |= not self._is_connected
        return was_lost

    def _close_socket(self, *, linger_ms: int = 0) -> None:
        self._is_connected = False
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=linger_ms)
