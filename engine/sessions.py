"""The desk of sessions: hello, what is lost with a session, resynchronisation, instructions.

It alone writes the books of sessions and instructions; accounts read them in place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.account import Account
from engine.boards import Boards
from engine.facts import (
    SUSPENSE,
    Certified,
    Distrusted,
    Facts,
    Instructed,
    Posted,
    Raised,
    Resolved,
    Said,
    SessionEnded,
    Stamp,
    Told,
)
from engine.gateways import SESSIONS_MAX, Session
from engine.orders import Order
from riskd.messages import (
    Ack,
    Error,
    Hello,
    InstructionReport,
    Resynced,
    SessionLost,
    Severity,
    Welcome,
    WorkingOrder,
    WorkingOrders,
)

SessionMessage = Hello | Resynced | InstructionReport | SessionLost


class SessionDesk:
    """Every message about sessions, and its one answer."""

    def __init__(self, boards: Boards, accounts: Mapping[str, Account]) -> None:
        self._boards = boards
        self._accounts = accounts

    def answer(
        self, message: SessionMessage, stamp: Stamp, facts: Facts
    ) -> Welcome | Ack | Error | None:
        """Apply a message and return its one answer; what riskd itself says has none."""
        match message:
            case Hello():
                return self._hello(message, stamp, facts)
            case Resynced():
                return self._resynced(message, stamp)
            case InstructionReport():
                sessions = self._boards.sessions
                odd = self._boards.outbox.report(message, stamp.session, sessions, facts)
                duplicate = odd == "duplicate"
                flags = () if odd is None or duplicate else (odd,)
                ref = message.instruction_id
                return Ack(seq=stamp.seq, ref=ref, duplicate=duplicate, flags=flags)
            case SessionLost():
                session = self._boards.sessions.live(message.session)
                if session is not None:
                    self._lose(session, message.reason, stamp, facts)
                    self._give_again(0, stamp, facts)  # To one that stands by.
                return None

    def settle(self, fact: Instructed | Certified, stamp: Stamp, facts: Facts) -> None:
        """Give what an account or a response asks for to the gateway that it concerns."""
        boards = self._boards
        if isinstance(fact, Instructed):
            span_ms = boards.settings.instruction_ms
            boards.outbox.instruct(fact, boards.sessions, stamp, span_ms, facts)
            return
        facts.append(Posted(f"certificate.{fact.certificate.account}", fact.certificate))
        session = boards.sessions.successor(fact.session)
        if session is not None:
            facts.append(Said(session.number, fact.certificate))

    def elapse(self, stamp: Stamp, facts: Facts) -> None:
        """Look after the instructions that are late."""
        boards = self._boards
        span_ms = boards.settings.instruction_ms
        boards.outbox.remind(boards.sessions, self._is_working, stamp, span_ms, facts)

    def working_orders(
        self, number: int, seq: int, request_id: str | None
    ) -> WorkingOrders | Error:
        """Return the working orders of a session's accounts, oldest first in each."""
        session = self._boards.sessions.live(number)
        if session is None:
            return _no_session(request_id)
        orders = [
            WorkingOrder(
                account=account.id,
                client_order_id=order_id,
                symbol=order.check.symbol,
                side=order.check.side,
                quantity=order.check.quantity,
                price=order.check.price,
                leaves_quantity=self._boards.instruments[order.check.symbol].quantity(
                    order.leaves_lots
                ),
                state=order.state,
                seq=order.verdict.seq,
            )
            for account in self._covered(session)
            for order_id, order in account.state.orders.items()
        ]
        return WorkingOrders(seq=seq, orders=tuple(orders), request_id=request_id)

    def _hello(self, hello: Hello, stamp: Stamp, facts: Facts) -> Welcome | Error:
        book = self._boards.sessions
        wrong = self._hello_wrong(hello, stamp)
        if wrong is not None:
            return wrong
        session = book.of_gateway(hello.gateway)
        if session is not None and session.number not in (stamp.session, hello.session):
            self._lose(session, "the gateway opened another session", stamp, facts)
            session = None
        if session is None:
            session = Session(stamp.seq, hello.gateway, [], False, False, stamp.recv_ns)
            book.add(session)
            facts.append(Resolved(f"session_lost:{hello.gateway}"))
        session.accounts = list(hello.accounts)
        session.executes_responses = hello.executes_responses
        session.cancel_on_disconnect = hello.cancel_on_disconnect
        last_seq = self._synchronise(session, hello.last_seq, facts)
        self._give_again(session.number, stamp, facts)
        return Welcome(
            session=session.number,
            server_ns=stamp.recv_ns,
            heartbeat_ms=self._boards.settings.heartbeat_ms,
            last_seq=last_seq,
            must_resync=session.must_resync,
            request_id=hello.request_id,
        )

    def _hello_wrong(self, hello: Hello, stamp: Stamp) -> Error | None:
        book = self._boards.sessions
        for account in hello.accounts:
            if account not in self._accounts and account not in self._boards.removed:
                text = f"no account {account}"
                return Error(
                    code="not_found", text=text, field="$.accounts", request_id=hello.request_id
                )
        here = book.live(stamp.session)
        if here is not None and here.gateway != hello.gateway:
            text = f"this connection is gateway {here.gateway}; open another for {hello.gateway}"
            return Error(code="refused", text=text, request_id=hello.request_id)
        if book.of_gateway(hello.gateway) is None and len(book.standing()) >= SESSIONS_MAX:
            text = f"{SESSIONS_MAX} sessions stand already"
            return Error(code="overloaded", text=text, request_id=hello.request_id)
        return None

    def _synchronise(self, session: Session, last_seq: int | None, facts: Facts) -> int:
        """Compare what the gateway holds with what is known; return the last approval's seq.

        A gateway that holds more than riskd knows had it from books that are lost: the accounts
        are frozen. One that may hold less must ask what works before its orders are judged.
        """
        held_seq, known_seq = last_seq or 0, 0
        session.must_resync = False
        for account in self._covered(session):
            approved_seq = account.state.approved_seq
            known_seq = max(known_seq, approved_seq)
            if approved_seq > held_seq and not session.must_resync:
                session.must_resync = any(
                    order.newest_seq() > held_seq and not self._is_anothers(order, session)
                    for order in account.state.orders.values()
                )
        if last_seq is not None and last_seq > known_seq:
            session.must_resync = True
            reason = (
                f"gateway {session.gateway} holds an approval of seq {last_seq}, "
                f"the last one known is {known_seq}: reconcile"
            )
            facts.extend(Told(account.id, Distrusted(reason)) for account in self._covered(session))
        return known_seq

    def _resynced(self, message: Resynced, stamp: Stamp) -> Ack | Error:
        session = self._boards.sessions.live(stamp.session)
        if session is None:
            return _no_session(message.request_id)
        text = ""
        if message.seq < session.number:
            text = f"seq {message.seq} is older than the session; send resync first"
        elif message.seq >= stamp.seq:
            text = f"seq {message.seq} was never told, the newest is {stamp.seq - 1}; send resync"
        if text:
            return Error(code="refused", text=text, field="$.seq", request_id=message.request_id)
        duplicate = not session.must_resync
        session.must_resync = False
        return Ack(seq=stamp.seq, ref=str(message.seq), duplicate=duplicate, flags=())

    def _lose(self, session: Session, reason: str, stamp: Stamp, facts: Facts) -> None:
        session.lost_ns, session.lost_reason = stamp.recv_ns, reason
        text = f"session {session.number} of gateway {session.gateway} is lost: {reason}"
        cause = f"session_lost:{session.gateway}"
        facts.append(Raised(Severity.HIGH, "session_lost", cause, text, lasting=True))
        ended = SessionEnded(session.number, session.gateway, session.cancel_on_disconnect)
        for account in self._accounts.values():
            if any(order.session == session.number for order in account.state.orders.values()):
                facts.append(Told(account.id, ended))

    def _give_again(self, greeting: int, stamp: Stamp, facts: Facts) -> None:
        """Give what lost sessions have not done to others, and to one that says hello again."""
        boards = self._boards
        boards.outbox.give_again(boards.sessions, greeting, self._is_working, stamp, facts)

    def _is_anothers(self, order: Order, session: Session) -> bool:
        """Return whether another gateway, whose session stands, looks after an order."""
        successor = self._boards.sessions.successor(order.session)
        return successor is not None and successor.gateway != session.gateway

    def _covered(self, session: Session) -> Iterator[Account]:
        for name in session.accounts or self._accounts:
            if name != SUSPENSE and name in self._accounts:  # Or it is closed since.
                yield self._accounts[name]

    def _is_working(self, account: str, client_order_id: str) -> bool:
        found = self._accounts.get(account)
        return found is not None and found.root_id(client_order_id) in found.state.orders


def _no_session(request_id: str | None) -> Error:
    text = "no session stands on this connection; send hello first"
    return Error(code="refused", text=text, request_id=request_id)
