"""The asyncio client of a gateway with a session: hello, heartbeats, and what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

import msgspec
import zmq
from msgspec.structs import replace

from riskd.aio import ATTEMPT_MS, IN_FLIGHT_MAX, TIMEOUT_MS, AsyncRiskClient
from riskd.client import ORDERS_ADDRESS
from riskd.codec import session_codec
from riskd.errors import NoAnswer, Refused
from riskd.keys import Key
from riskd.messages import (
    Ack,
    BasketVerdict,
    Certificate,
    Error,
    Hello,
    Instruction,
    InstructionReport,
    OrdersAnswer,
    Ping,
    Pong,
    Resync,
    Resynced,
    Verdict,
    Welcome,
    WorkingOrders,
)
from riskd.request import Encoding

SILENCES_MAX = 3  # Heartbeats of silence after which the connection is made anew.
HEARTBEAT_SHARE = 3  # Pings in one heartbeat, so that one that is late loses no session.
INSTRUCTIONS_MAX = 10_000  # Remembered to tell one that comes again.


def _ignore(message: object) -> None:
    """Take something and do nothing."""


class AsyncGateway(AsyncRiskClient):
    """An AsyncRiskClient with a session, for one event loop.

    It says `hello` on every connection it makes, naming the session it continues and the newest
    approval it holds, and again when riskd no longer knows the session; it sends a `ping` several
    times in each heartbeat. `on_welcome` hears of every `welcome`: where `must_resync` is true,
    orders are refused until `resync` and `resynced` were sent. `on_instruction` gets each
    instruction once, by its id; what became of it is told with `report_instruction`.
    `on_certificate` hears when an exit reduces less than its verdict said. All run on the loop.
    """

    def __init__(
        self,
        hello: Hello,
        address: str = ORDERS_ADDRESS,
        *,
        on_instruction: Callable[[Instruction], None] = _ignore,
        on_certificate: Callable[[Certificate], None] = _ignore,
        on_welcome: Callable[[Welcome], None] = _ignore,
        timeout_ms: int = TIMEOUT_MS,
        attempt_ms: int = ATTEMPT_MS,
        in_flight_max: int = IN_FLIGHT_MAX,
        encoding: Encoding = "msgpack",
        key: Key = None,
    ) -> None:
        super().__init__(
            address,
            timeout_ms=timeout_ms,
            attempt_ms=attempt_ms,
            in_flight_max=in_flight_max,
            encoding=encoding,
            key=key,
        )
        self.welcome: Welcome | None = None  # The newest.
        self.last_seq = hello.last_seq or 0  # Of the newest approval it holds: keep it over stops.
        self._hello = hello
        self._on_instruction = on_instruction
        self._on_certificate = on_certificate
        self._on_welcome = on_welcome
        self._instructions: dict[str, InstructionReport | None] = {}
        self._welcomed: asyncio.Future[Welcome] | None = None
        self._hello_s = 0.0  # When it was said last.
        self._connected_s = 0.0
        self._beat: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        self._welcomed = asyncio.get_running_loop().create_future()
        self.open()
        try:
            await asyncio.wait_for(asyncio.shield(self._welcomed), self._timeout_s)
        except TimeoutError:
            self.close()
            waited_ms = round(self._timeout_s * 1000)
            raise NoAnswer(f"No welcome from {self.address} within {waited_ms} ms.") from None
        except Refused:
            self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def open(self) -> None:
        """Connect and say hello; `welcome` is there once it was answered."""
        super().open()
        self._beat = self._loop.call_later(self._heartbeat_s / HEARTBEAT_SHARE, self._on_beat)

    def close(self) -> None:
        """Disconnect: the session is lost."""
        if self._beat is not None:
            self._beat.cancel()
            self._beat = None
        super().close()

    async def resync(self) -> WorkingOrders:
        """Return the orders of the gateway's accounts that riskd counts as working."""
        return await self._told(Resync(), WorkingOrders)

    async def resynced(self, seq: int) -> Ack:
        """Say that the gateway's orders are those of the `working_orders` of this seq."""
        return await self._told(Resynced(seq=seq), Ack)

    async def report_instruction(self, report: InstructionReport) -> Ack:
        """Tell what became of an instruction; one that comes again is answered with the same."""
        if report.instruction_id in self._instructions:
            self._instructions[report.instruction_id] = report
        return await self._told(report, Ack)

    @property
    def _heartbeat_s(self) -> float:
        return self.welcome.heartbeat_ms / 1000 if self.welcome is not None else self._attempt_s

    def _connect(self) -> None:
        super()._connect()
        self._connected_s = self._loop.time()
        self._say_hello()  # Before anything that is sent again: it belongs to the session.

    def _say_hello(self) -> None:
        self._hello_s = self._loop.time()
        known = None if self.welcome is None else self.welcome.session
        session = self._hello.session if known is None else known
        last_seq = self.last_seq or self._hello.last_seq
        self._say(replace(self._hello, session=session, last_seq=last_seq))

    def _say(self, message: Hello | Ping | InstructionReport) -> None:
        assert self._socket is not None
        try:
            self._socket.send(self._encode(message), zmq.NOBLOCK)
        except zmq.Again:
            return  # Nobody is there and the queue is full: a later beat says it again.
        self._look_again()

    def _on_beat(self) -> None:
        """Keep the session alive; find out that the connection, or the session, is not."""
        self._beat = self._loop.call_later(self._heartbeat_s / HEARTBEAT_SHARE, self._on_beat)
        now_s = self._loop.time()
        if now_s - max(self._heard_s, self._connected_s) > SILENCES_MAX * self._heartbeat_s:
            self._disconnect()
            self._connect()
            self.reconnects += 1
        else:
            self._say(Ping())

    def _on_answer(self, answer: OrdersAnswer) -> None:
        """Note the newest approval of its accounts; that of a dry run reserves nothing."""
        verdicts = answer.verdicts if isinstance(answer, BasketVerdict) else (answer,)
        for verdict in verdicts:
            if (
                isinstance(verdict, Verdict)
                and verdict.reservation_id is not None
                and (not self._hello.accounts or verdict.account in self._hello.accounts)
            ):
                self.last_seq = max(self.last_seq, verdict.seq)

    def _on_unasked(self, payload: bytes) -> None:
        try:
            message = session_codec.decode(payload)
        except (msgspec.DecodeError, ValueError):
            return  # Of a newer riskd: nothing that this client could know what to do with.
        match message:
            case Pong():
                self._on_pong(message)
            case Welcome():
                self.welcome = message
                if self._welcomed is not None and not self._welcomed.done():
                    self._welcomed.set_result(message)
                self._on_welcome(message)
            case Error():
                if self._welcomed is not None and not self._welcomed.done():
                    refused = Refused(message.code, message.text, message.field)
                    self._welcomed.set_exception(refused)
            case Instruction():
                self._take(message)
            case Certificate():
                self._on_certificate(message)

    def _on_pong(self, pong: Pong) -> None:
        known = None if self.welcome is None else self.welcome.session
        waits = self._loop.time() - self._hello_s < self._attempt_s
        if pong.session != known and not waits:  # riskd was started anew, or lost patience.
            self._say_hello()

    def _take(self, instruction: Instruction) -> None:
        name = instruction.instruction_id
        if name in self._instructions:
            report = self._instructions[name]
            if report is not None:
                self._say(report)  # It was lost on its way.
            return
        self._instructions[name] = None
        if len(self._instructions) > INSTRUCTIONS_MAX:
            del self._instructions[next(iter(self._instructions))]
        self._on_instruction(instruction)
