"""The orders port: checks and facts in, one answer each out. Rules do not live here."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from time import perf_counter_ns
from typing import Protocol, get_args

import zmq
from msgspec.structs import replace

from engine.desk import Answer
from engine.facts import Stamp
from engine.findings import reject
from engine.pretrade import denied
from riskd.codec import encode_msgpack, orders_codec
from riskd.codes import RejectCode
from riskd.messages import (
    Amend,
    Basket,
    BasketVerdict,
    Check,
    Error,
    Hello,
    Message,
    OrdersInput,
    Ping,
    Pong,
    Resync,
    Scope,
    Verdict,
    Welcome,
    WorkingOrders,
)
from transport.latency import Latency
from transport.peers import Peers
from transport.router import DEALER, Request, Router, decode_request, is_allowed
from transport.sessions import Links
from transport.sockets import ORDERS_BYTES_MAX

# What has room of its own when a connection has sent too much: it happened, or ends something.
FACTS = frozenset(
    str(kind.__struct_config__.tag)
    for kind in get_args(OrdersInput | Resync)
    if kind not in (Check, Amend, Basket)
)
Reply = Callable[[Answer], None]


class Door(Protocol):
    """What the orders port needs of the house behind it."""

    def admit(self, message: OrdersInput, raw: bytes, reply: Reply, session: int) -> int:
        """Take one input and return its seq; `reply` has been called when this returns."""

    def look(self, message: Check, reply: Reply, session: int) -> None:
        """Answer a dry run."""

    def stands(self, session: int) -> bool:
        """Return whether a session stands."""

    def working_orders(self, session: int, request_id: str | None) -> WorkingOrders | Error:
        """Return what works of a session's accounts."""

    def instructed(self, instruction_id: str) -> str | None:
        """Return the account of an instruction, None if there is no such."""

    def void(self, verdict: Verdict) -> None:
        """Take back an approval that would leave after its deadline."""

    def now_ns(self) -> int:
        """Return the wall clock."""

    @property
    def last_seq(self) -> int:
        """Return the seq of the newest input."""

    @property
    def state(self) -> str:
        """Return the state of the house in a word."""

    @property
    def refusal(self) -> str:
        """Return why nothing can be journalled, empty if it can."""


class OrdersPort:
    """Reads requests, hands them to the door and writes their answers."""

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        door: Door,
        *,
        peers: Peers,
        holds_for_sync: bool,
        held_max: int,
        on_verdict: Callable[[Check, Verdict], None],
    ) -> None:
        """Serve `socket`. With `holds_for_sync` answers wait for `release` of their seq."""
        self.links = Links()
        self.router = Router(
            socket,
            payload_bytes_max=ORDERS_BYTES_MAX,
            peers=peers,
            on_request=self._on_request,
            facts=FACTS,
            on_gone=self.links.gone,
            on_excess=self._on_excess,
        )
        self.latency = Latency()
        self.watched = False  # Somebody subscribed to verdicts.
        self._door = door
        self._holds = holds_for_sync
        self._held: deque[tuple[int, Request, Message]] = deque()
        self._held_max = held_max
        self._on_verdict = on_verdict

    @property
    def held_count(self) -> int:
        """Return how many answers wait for their records to be synced."""
        return len(self._held)

    def release(self, synced_seq: int) -> None:
        """Send the answers whose records are on disk."""
        held = self._held
        while held and held[0][0] <= synced_seq:
            _, request, message = held.popleft()
            self.router.answer(request, self._timely(request, message))
        self.router.flush()

    def _on_request(self, request: Request) -> None:
        begun_ns = perf_counter_ns()
        session = self.links.heard(request)
        message = decode_request(orders_codec, self.router, request)
        if message is None or not is_allowed(self.router, request, message, self._door.instructed):
            return
        if type(message) is Check:
            self._judge(message, request, session)
            self.latency.add(perf_counter_ns() - begun_ns)
        elif isinstance(message, Ping):
            self.router.answer(request, self._pong(session, message.request_id))
        elif isinstance(message, Basket):
            self.router.peers.charge_messages(request.sender, len(message.orders))
            self._admit(message, request, session)
        elif isinstance(message, Hello):
            self._greet(message, request, session)
        elif isinstance(message, Resync):
            self.router.answer(request, self._door.working_orders(session, message.request_id))
        else:
            self._admit(message, request, session)

    def _on_excess(self, request: Request) -> None:
        self.links.heard(request)  # It is alive, and more than that.

    def say(self, session: int, message: Message) -> None:
        """Write to a gateway unasked, if it is one that can be; `flush` sends it."""
        request = self.links.request_of(session)
        if request is not None:
            self._send(request, message, self._door.last_seq)

    def beat(self, standing: Iterable[int]) -> list[tuple[int, str]]:
        """Send gateways their heartbeat; return the sessions that are lost now, and why."""
        for session, request in self.links.writable():
            self.router.answer(request, self._pong(session, None))
        self.router.flush()
        return self.links.beat(standing, self._door.now_ns())

    def _greet(self, hello: Hello, request: Request, session: int) -> None:
        if hello.executes_responses and request.envelope != DEALER:
            text = "a REQ cannot be sent instructions: say hello from a DEALER, in one frame"
            error = Error(
                code="refused",
                text=text,
                field="$.executes_responses",
                request_id=hello.request_id,
            )
            self.router.refuse(request, error)
            return

        def welcome(answer: Answer) -> None:
            if isinstance(answer, Welcome):
                self.links.open(answer.session, request)
            self._send(request, answer, self._door.last_seq)

        raw, holder = request.payload, request.holder
        if holder.is_bound and not hello.accounts:  # To name none would be to name all.
            hello = replace(hello, accounts=holder.accounts)
            raw = encode_msgpack(hello)
        if not self._door.admit(hello, raw, welcome, session):
            self._not_taken(hello, request)

    def _judge(self, check: Check, request: Request, session: int) -> None:
        door = self._door
        if check.dry_run:
            door.look(check, lambda answer: self._send(request, answer, 0), session)
            return
        if len(self._held) >= self._held_max:
            text = "too many verdicts wait for the journal"
            self.router.answer(request, self._refused(check, RejectCode.OVERLOADED, text))
            return
        self._admit(check, request, session)

    def _admit(self, message: OrdersInput, request: Request, session: int) -> None:
        answered: list[Answer] = []
        seq = self._door.admit(message, request.payload, answered.append, session)
        if not seq:
            self._not_taken(message, request)
        for answer in answered:
            self._send(request, answer, seq)
            if self.watched:
                self._tell_watchers(message, answer)

    def _tell_watchers(self, message: OrdersInput, answer: Answer) -> None:
        if isinstance(message, Check) and isinstance(answer, Verdict):
            self._on_verdict(message, answer)
        elif isinstance(message, Basket) and isinstance(answer, BasketVerdict):
            for check, verdict in zip(message.orders, answer.verdicts, strict=True):
                self._on_verdict(check, verdict)

    def _send(self, request: Request, answer: Answer | Message, seq: int) -> None:
        assert answer is not None  # Every message of this port has an answer.
        if self._holds and seq:
            self._held.append((seq, request, answer))
        else:
            self.router.answer(request, answer)

    def _timely(self, request: Request, message: Message) -> Message:
        """Return a held answer, or the denial of an approval that missed its deadline."""
        if not isinstance(message, Verdict) or not message.approved or message.duplicate:
            return message  # The first answer of a duplicate may have been obeyed already.
        check = orders_codec.decode(request.payload)
        assert isinstance(check, Check)
        if check.deadline_ns is None or self._door.now_ns() <= check.deadline_ns:
            return message
        self._door.void(message)
        text = "the journal took longer than the order's deadline"
        found = reject(RejectCode.DEADLINE, text, Scope.ACCOUNT, check.account)
        stamp = Stamp(message.seq, message.checked_ns, 0)
        return denied(check, stamp, (found,), message.limits_version)

    def _not_taken(self, message: OrdersInput, request: Request) -> None:
        """Answer what could not be journalled: nothing has happened, the sender must try again."""
        text = f"not taken: {self._door.refusal}"
        if isinstance(message, Check):
            answer = self._refused(message, RejectCode.INTERNAL_FAULT, text)
            self.router.answer(request, answer)
        else:
            self.router.refuse(request, Error(code="internal", text=text))

    def _refused(self, check: Check, code: RejectCode, text: str) -> Verdict:
        """Refuse an order before it has a seq: it never enters the journal."""
        found = reject(code, text, Scope.FIRM, "firm")
        return denied(check, Stamp(0, self._door.now_ns(), 0), (found,), 0)

    def _pong(self, session: int, request_id: str | None) -> Pong:
        door = self._door
        return Pong(
            server_ns=door.now_ns(),
            last_seq=door.last_seq,
            state=door.state,
            request_id=request_id,
            session=session if door.stands(session) else None,
        )
