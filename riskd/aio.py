"""The asyncio client of the orders port: many requests in flight, each answered once.

Works on plain asyncio and on uvloop: it watches the descriptor of a DEALER socket itself.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import msgspec
import zmq

from riskd.client import ORDERS_ADDRESS
from riskd.codec import answers_codec
from riskd.denial import basket_verdict_on, heard, verdict_on
from riskd.errors import BadAnswer, NoAnswer, Refused
from riskd.keys import Key, apply_key, client_key
from riskd.messages import (
    Ack,
    Amend,
    Basket,
    BasketVerdict,
    Check,
    Error,
    Fill,
    FillBust,
    FillCorrect,
    Funding,
    OrderReport,
    OrdersAnswer,
    OrdersRequest,
    Ping,
    Pong,
    PositionReport,
    Transfer,
    Verdict,
    WorkingOrders,
)
from riskd.request import Encoding, encoder_of

TIMEOUT_MS = 2000
ATTEMPT_MS = 500
IN_FLIGHT_MAX = 64
RECEIVE_MAX = 256  # Answers taken before the loop gets its turn again.
TICK_S = 0.02  # Deadlines are looked at this often; it is also the belt under the edge trigger.
ID_BYTES = 4  # As long as the id that REQ_CORRELATE writes.

Expected = TypeVar("Expected", Ack, Pong, WorkingOrders)


@dataclass(slots=True)
class _Pending:
    """One request that waits for its answer."""

    payload: bytes
    future: asyncio.Future[OrdersAnswer]
    sent_s: float
    until_s: float


class AsyncRiskClient:
    """A pipelined client of the orders port for one event loop.

    Requests leave in the order of `submit`. Each is framed as a correlated REQ frames it (an id,
    an empty frame, the message) and riskd returns the envelope, so an answer finds its request
    whatever it is and in whatever order it comes: verdicts may wait for the journal, errors may
    carry no id. At most `in_flight_max` are unanswered, `submit` waits for room.

    What is unanswered for `attempt_ms` is sent again, on a new connection if nothing at all was
    heard since, oldest first: riskd takes every id once. After `timeout_ms` without an answer a
    request fails with NoAnswer, and a check is denied.
    """

    def __init__(
        self,
        address: str = ORDERS_ADDRESS,
        *,
        timeout_ms: int = TIMEOUT_MS,
        attempt_ms: int = ATTEMPT_MS,
        in_flight_max: int = IN_FLIGHT_MAX,
        encoding: Encoding = "msgpack",
        key: Key = None,
    ) -> None:
        if min(timeout_ms, attempt_ms, in_flight_max) <= 0:
            raise ValueError("timeout_ms, attempt_ms and in_flight_max must be positive")
        self.address = address
        self.reconnects = 0  # Connections made anew because nothing was heard.
        self.resends = 0  # Requests sent more than once.
        self.rescues = 0  # Answers found by the clock before the descriptor told of them.
        self._timeout_s, self._attempt_s = timeout_ms / 1000, attempt_ms / 1000
        self._in_flight_max = in_flight_max
        self._encode = encoder_of(encoding)
        self._key = client_key(key)
        self._room = asyncio.Semaphore(in_flight_max)
        self._ids = itertools.count(1)
        self._pending: dict[bytes, _Pending] = {}
        self._heard_s = 0.0
        self._socket: zmq.Socket[bytes] | None = None
        self._descriptor = -1
        self._tick: asyncio.TimerHandle | None = None
        self._drain_is_due = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def __aenter__(self) -> Self:
        self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def open(self) -> None:
        """Connect. Must be called on the running loop that the client then belongs to."""
        self._loop = asyncio.get_running_loop()
        self._connect()
        self._tick = self._loop.call_later(TICK_S, self._on_tick)

    def close(self) -> None:
        """Disconnect; everything unanswered fails with NoAnswer."""
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        self._disconnect()
        for key in list(self._pending):
            self._fail(key, NoAnswer("The client was closed before an answer came."))

    @property
    def in_flight(self) -> int:
        """How many requests wait for their answer."""
        return len(self._pending)

    async def drained(self) -> None:
        """Wait until nothing is in flight."""
        await self._idle.wait()

    async def submit(self, message: OrdersRequest) -> asyncio.Future[OrdersAnswer]:
        """Send `message` as soon as there is room; return the future of its one answer.

        The future has the answer as riskd gave it (an `Error` too), or fails with NoAnswer or
        BadAnswer. Messages leave in the order in which `submit` was called.
        """
        await self._room.acquire()
        if self._socket is None:
            self._room.release()
            raise NoAnswer("The client is closed.")
        now_s = self._loop.time()
        key = (next(self._ids) % 2**32).to_bytes(ID_BYTES, "big")
        future: asyncio.Future[OrdersAnswer] = self._loop.create_future()
        pending = _Pending(self._encode(message), future, now_s, now_s + self._timeout_s)
        self._pending[key] = pending
        self._idle.clear()
        self._send(key, pending.payload)
        self._look_again()
        return future

    async def request(self, message: OrdersRequest) -> OrdersAnswer:
        """Send `message` and return its answer; raise NoAnswer or BadAnswer."""
        return await (await self.submit(message))

    async def check(self, order: Check) -> Verdict:
        """Return the verdict on `order`; silence and errors are denials, as in RiskClient."""
        return verdict_on(order, await heard(self.request(order)))

    async def amend(self, change: Amend) -> Verdict:
        """Return the verdict on a change of a working order, as `check` does."""
        return verdict_on(change, await heard(self.request(change)))

    async def basket(self, basket: Basket) -> BasketVerdict:
        """Return the verdicts on orders that go together, as `check` does."""
        return basket_verdict_on(basket, await heard(self.request(basket)))

    async def report(self, report: OrderReport) -> Ack:
        """Tell what the venue said of an order; raise NoAnswer, BadAnswer or Refused."""
        return await self._told(report, Ack)

    async def fill(self, fill: Fill) -> Ack:
        """Tell of an execution."""
        return await self._told(fill, Ack)

    async def bust(self, bust: FillBust) -> Ack:
        """Tell that the venue cancelled an execution."""
        return await self._told(bust, Ack)

    async def correct(self, correction: FillCorrect) -> Ack:
        """Tell that the venue corrected an execution."""
        return await self._told(correction, Ack)

    async def transfer(self, transfer: Transfer) -> Ack:
        """Tell of a deposit or a withdrawal."""
        return await self._told(transfer, Ack)

    async def funding(self, funding: Funding) -> Ack:
        """Tell of funding or interest of a position."""
        return await self._told(funding, Ack)

    async def positions(self, report: PositionReport) -> Ack:
        """Tell what the venue says is held."""
        return await self._told(report, Ack)

    async def ping(self) -> Pong:
        """Return what riskd says of itself."""
        return await self._told(Ping(), Pong)

    async def _told(self, message: OrdersRequest, expected: type[Expected]) -> Expected:
        answer = await self.request(message)
        if isinstance(answer, Error):
            raise Refused(answer.code, answer.text, answer.field)
        if not isinstance(answer, expected):
            raise BadAnswer(f"Expected {expected.__name__}, got {type(answer).__name__}.")
        return answer

    def _connect(self) -> None:
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        # Twice what may be in flight: a resend never meets a full queue.
        socket.setsockopt(zmq.SNDHWM, 2 * self._in_flight_max)
        socket.setsockopt(zmq.RCVHWM, 4 * self._in_flight_max)
        apply_key(self._key, socket)
        try:
            socket.connect(self.address)
        except zmq.ZMQError as error:
            socket.close(linger=0)
            raise ValueError(f"{self.address!r} is no address to connect to: {error}") from error
        self._socket = socket
        self._descriptor = int(socket.getsockopt(zmq.FD))
        self._loop.add_reader(self._descriptor, self._drain)

    def _disconnect(self) -> None:
        if self._socket is None:
            return
        self._loop.remove_reader(self._descriptor)
        self._socket.close(linger=0)
        self._socket = None

    def _send(self, key: bytes, payload: bytes) -> None:
        socket = self._socket
        assert socket is not None
        try:
            socket.send(key, zmq.SNDMORE | zmq.NOBLOCK)
            socket.send(b"", zmq.SNDMORE | zmq.NOBLOCK)
            socket.send(payload, zmq.NOBLOCK)
        except zmq.Again:
            return  # Nobody is there and the queue is full: it goes out with the next attempt.

    def _drain(self) -> None:
        """Take what has arrived. The descriptor is edge-triggered, so EVENTS is read again."""
        self._drain_is_due = False
        for _ in range(RECEIVE_MAX):
            socket = self._socket
            if socket is None:
                return
            try:
                key = frame = socket.recv(zmq.NOBLOCK)
                is_answer = bool(socket.getsockopt(zmq.RCVMORE))
                while socket.getsockopt(zmq.RCVMORE):
                    frame = socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                break
            self._heard_s = self._loop.time()
            if is_answer:
                self._settle(key, frame)
            else:
                self._on_unasked(frame)
        self._look_again()

    def _look_again(self) -> None:
        if not self._drain_is_due and self._has_arrived():
            self._drain_is_due = True
            self._loop.call_soon(self._drain)

    def _has_arrived(self) -> bool:
        socket = self._socket
        return socket is not None and bool(int(socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN)

    def _settle(self, key: bytes, payload: bytes) -> None:
        pending = self._pending.pop(key, None)
        if pending is None:
            return  # The second answer to something sent twice.
        self._freed()
        if pending.future.done():
            return  # Its caller stopped waiting.
        try:
            answer = answers_codec.decode(payload)
        except (msgspec.DecodeError, ValueError) as error:
            pending.future.set_exception(BadAnswer(f"The answer cannot be read: {error}"))
            return
        self._on_answer(answer)
        pending.future.set_result(answer)

    def _on_answer(self, answer: OrdersAnswer) -> None:
        """Take notice of an answer before whoever asked does."""

    def _on_unasked(self, payload: bytes) -> None:
        """Take what riskd says in one frame; it says nothing so to a client without a session."""

    def _freed(self) -> None:
        self._room.release()
        if not self._pending:
            self._idle.set()

    def _fail(self, key: bytes, error: Exception) -> None:
        pending = self._pending.pop(key)
        self._freed()
        if not pending.future.done():
            pending.future.set_exception(error)

    def _on_tick(self) -> None:
        """Let what is overdue fail, and send again what has waited too long."""
        self._tick = self._loop.call_later(TICK_S, self._on_tick)
        if not self._drain_is_due and self._has_arrived():
            self.rescues += 1
            self._drain()
        now_s = self._loop.time()
        for key, pending in list(self._pending.items()):
            if pending.until_s > now_s:
                break  # All have the same time to live, so the first is the oldest.
            waited_ms = round(self._timeout_s * 1000)
            self._fail(key, NoAnswer(f"No answer from {self.address} within {waited_ms} ms."))
        late = [
            (key, pending)
            for key, pending in self._pending.items()
            if now_s - pending.sent_s > self._attempt_s
        ]
        if late:
            self._send_again(late, now_s)

    def _send_again(self, late: list[tuple[bytes, _Pending]], now_s: float) -> None:
        if all(self._heard_s <= pending.sent_s for _, pending in late):
            # Nothing was heard: the connection is dead or its queue lost. Everything that is
            # unanswered goes again, in its order, so that facts still follow their orders.
            self._disconnect()
            self._connect()
            self.reconnects += 1
            late = list(self._pending.items())
        for key, pending in late:
            pending.sent_s = now_s
            self._send(key, pending.payload)
            self.resends += 1
        self._look_again()
