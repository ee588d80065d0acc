"""Messages of a gateway's session: hello, resynchronisation, instructions, certificates."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from riskd.contract.base import (
    AccountId,
    Answer,
    Count,
    Message,
    OrderId,
    Part,
    Side,
    Text,
    UniqueId,
)


class Hello(Message, frozen=True, kw_only=True, tag="hello"):
    """Open a session of a gateway on this connection; answered by one `welcome`.

    Source: order gateway, orders port. From then on something must be sent in every `heartbeat_ms`
    of the `welcome`, a `ping` if there is nothing else: after three without a word, or as soon as
    the connection is seen to be gone, the session is lost. A hello of a gateway that has a session
    continues it on the same connection, or where it names it in `session`; otherwise it ends it.
    A gateway that is to be written to unasked must be a DEALER and send its hello as one frame.
    """

    gateway: UniqueId  # Its name; it has one session at a time.
    accounts: tuple[AccountId, ...] = ()  # What it is responsible for; none named: every account.
    executes_responses: bool = False  # It carries out `instruction`; refused from a REQ.
    cancel_on_disconnect: bool = False  # Its day orders are cancelled when the session is lost.
    last_seq: Count | None = None  # Highest seq of an approval of its accounts; no dry run.
    session: Count | None = None  # The session it continues, whose orders it still knows.
    request_id: OrderId | None = None


class Resync(Message, frozen=True, kw_only=True, tag="resync"):
    """Ask for the working orders of the session's accounts; answered by `working_orders`."""

    request_id: OrderId | None = None


class Resynced(Message, frozen=True, kw_only=True, tag="resynced"):
    """Say that the gateway's orders are now those of `working_orders`; answered by one `ack`.

    What the venue does not have must have been reported as ended before. A seq from before the
    session, or that riskd has not told yet, is refused.
    """

    seq: Count  # That of the `working_orders` it went by.
    request_id: OrderId | None = None


class InstructionReport(Message, frozen=True, kw_only=True, tag="instruction_report"):
    """What became of an instruction; answered by one `ack` whose `ref` is its id.

    Only the session that it was given to is believed, of one that was published only whoever is
    responsible for its account: any other's report changes nothing (flag `not_instructed`).
    """

    instruction_id: UniqueId
    status: Literal["accepted", "done", "failed"]
    detail: Text = ""  # Why it failed, for people.


class Welcome(Answer, frozen=True, kw_only=True, tag="welcome"):
    """The answer to `hello`: the session stands."""

    session: int  # The seq of the hello that opened it.
    server_ns: int
    heartbeat_ms: int  # Send something at least this often; riskd sends a `pong` as often.
    last_seq: int  # The highest seq of an approval for its accounts; 0 if there is none.
    must_resync: bool  # Orders work that it may not know: send `resync`, then `resynced`, first.
    request_id: str | None = None


class WorkingOrder(Part, frozen=True, kw_only=True):
    """One order that is counted as working."""

    account: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: float
    leaves_quantity: float  # Units still counted as working.
    state: str  # pending, accepted, cancel_pending or suspect.
    seq: int  # Of its approval.
    price: float | None = None  # Absent for a market order.


class WorkingOrders(Answer, frozen=True, kw_only=True, tag="working_orders"):
    """The answer to `resync`: every working order of the session's accounts, oldest first."""

    seq: int
    orders: tuple[WorkingOrder, ...]
    request_id: str | None = None


class InstructionAction(StrEnum):
    """What a gateway is told to do."""

    CANCEL = (
        "cancel"  # The order named by `client_order_id`; one that is yet to be sent, do not send.
    )
    REDUCE = "reduce"  # Send an order of this symbol, side and quantity; it is judged as any other.
    FLATTEN = "flatten"  # Close all of the symbol, or all of the account.


class Instruction(Answer, frozen=True, kw_only=True, tag="instruction"):
    """Something that a gateway must do; it answers with `instruction_report`.

    Sent unasked to a gateway that said `executes_responses`. The same `instruction_id` may come
    again, after a reconnection too: it is to be done once. Without such a gateway it is published
    on topic `response.<account>` only, and an alert is raised.
    """

    instruction_id: str
    response_id: str  # What it is a part of; several instructions may have one.
    account: str
    action: InstructionAction
    deadline_ns: int  # A reduce must not begin later, its order is refused then; a cancel may.
    client_order_id: str | None = None  # Of the order to cancel, or under which to send one.
    symbol: str | None = None
    side: Side | None = None
    quantity: float | None = None
    price: float | None = None
    position_id: str | None = None  # The leg that a reduce closes, of a hedging account.
    pub_seq: int = 0


class Certificate(Answer, frozen=True, kw_only=True, tag="certificate"):
    """A working order reduces less than its verdict said. Topic `certificate.<account>`.

    Sent unasked to the gateway whose session sent the order.
    """

    account: str
    client_order_id: str
    quantity: float  # Units of it that are still certified to reduce; 0: none, it is revoked.
    seq: int
    reason: str  # What changed, for people.
    pub_seq: int = 0


SessionInput = Hello | Resynced | InstructionReport
SessionAnswer = Welcome | WorkingOrders
OrdersPush = Instruction | Certificate
