"""Messages of the orders port: what gateways ask and report, and what riskd answers."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from riskd.contract.base import (
    AccountId,
    Answer,
    Count,
    Currency,
    InstantNs,
    Message,
    Name,
    OrderId,
    OrderStatus,
    OrderType,
    Part,
    Side,
    Symbol,
    TimeInForce,
    UniqueId,
)
from riskd.contract.sessions import Resync, SessionAnswer, SessionInput

BASKET_ORDERS_MAX = 1000


class Check(Message, frozen=True, kw_only=True, tag="check"):
    """Ask whether one order may go to market; answered by exactly one `verdict`.

    Source: order gateway, orders port. Since protocol 1. An approval reserves the order's worst
    case. The same `client_order_id` with the same body gets the first verdict again. In a hedging
    account an order closes if it says `reduce_only` or `close_position`, or names a position that
    is open on the other side; any other order opens: a buy a long leg, a sell a short one.
    """

    account: AccountId
    client_order_id: OrderId  # Unique per account.
    symbol: Symbol
    side: Side
    quantity: float  # Units of the instrument, positive, a multiple of its lot size.
    order_type: OrderType = OrderType.LIMIT
    price: float | None = None  # Needed by limit and stop_limit, absent for market and stop.
    stop_price: float | None = None  # Needed by stop and stop_limit.
    time_in_force: TimeInForce = TimeInForce.DAY
    expire_ns: InstantNs | None = None  # Needed by gtd alone: riskd releases it then.
    strategy: Name = ""
    timeframe: Name = ""
    trader: Name = ""
    reduce_only: bool = False
    close_position: bool = False
    position_id: OrderId | None = None  # Hedging: the leg it closes, or opens if that is not open.
    stop_loss: float | None = None
    take_profit: float | None = None
    deadline_ns: InstantNs | None = None  # A verdict that is later than this instant is a denial.
    cancel_on_disconnect: bool | None = None  # Absent: as its session says, but gtc and gtd stay.
    dry_run: bool = False  # Same answer, nothing reserved, nothing remembered.
    explain: bool = False  # Also list every check with its numbers.
    request_id: OrderId | None = None


class Amend(Message, tag="amend", frozen=True, kw_only=True):
    """Ask whether a working order may be changed; answered by exactly one `verdict`.

    Judged as the order that would result. Until the venue answers (`order_report` with status
    replaced or replace_rejected) the larger of old and new leaves is reserved. What is absent
    stays. A `quantity` is the order's total; at or below what is filled it is refused.
    """

    account: AccountId
    client_order_id: OrderId  # Of the amended order: any id of its chain.
    new_client_order_id: OrderId | None = None  # Of the changed order, if it gets one.
    quantity: float | None = None
    price: float | None = None
    stop_price: float | None = None
    request_id: OrderId | None = None


class Basket(Message, tag="basket", frozen=True, kw_only=True):
    """Ask for several orders together, of one account or of many; one `basket_verdict` answers.

    They are judged one after the other against one state, each seeing what those before it
    reserved, in its account and in the groups above. With `all_or_none` either all are approved or
    none is, and none is reserved. A basket of n orders costs n in every throttle; one that does not
    fit is refused whole, and pays for what was tried or nothing, as [orders] basket_rate says.
    """

    basket_id: UniqueId
    orders: Annotated[list[Check], Meta(min_length=1, max_length=BASKET_ORDERS_MAX)]
    account: AccountId | None = None  # Of every order in it; absent: each names its own.
    all_or_none: bool = True
    request_id: OrderId | None = None


class OrderReport(Message, frozen=True, kw_only=True, tag="order_report"):
    """What the venue said of an order; answered by one `ack`. A repeat changes nothing.

    Source: order gateway, orders port. `rejected`, `canceled` and `expired` release exactly the
    leaves, `replaced` sets them to `leaves_quantity`. A change with an id is answered by that id.
    """

    account: AccountId
    client_order_id: OrderId
    status: OrderStatus
    report_id: UniqueId  # Unique per order.
    leaves_quantity: float | None = None  # Units still working after this event.
    venue_order_id: OrderId | None = None
    venue_ns: InstantNs | None = None


class Fill(Message, frozen=True, kw_only=True, tag="fill"):
    """One execution; answered by one `ack`. A fill is a fact: it is booked, never refused.

    Source: order gateway or drop copy, orders port. The same `exec_id` with the same content is
    ignored; with other content it is ignored too, flagged `conflict`, and raises an alert.
    In a hedging account it closes the leg that it names if that is open on the other side; if its
    order was one that closes, the other legs of that side too, oldest first. What is left opens
    the leg that it names, else `long` for a buy and `short` for a sell.
    """

    account: AccountId
    exec_id: UniqueId  # Unique per account.
    symbol: Symbol
    side: Side
    quantity: float  # Units, positive, a multiple of the lot size.
    price: float  # Any finite price; off the tick it is booked to the last unit of money.
    client_order_id: OrderId | None = None
    fee: float = 0.0  # Positive is paid, negative is a rebate.
    fee_currency: Currency | None = None  # Default: the instrument's settlement currency.
    strategy: Name | None = None  # Default: that of its order.
    timeframe: Name | None = None  # Default: that of its order.
    position_id: OrderId | None = None  # Hedging; default: that of its order.
    venue_ns: InstantNs | None = None


class FillBust(Message, frozen=True, kw_only=True, tag="fill_bust"):
    """The venue cancelled an execution: the books become what they would be without it."""

    account: AccountId
    exec_id: UniqueId


class FillCorrect(Message, frozen=True, kw_only=True, tag="fill_correct"):
    """The venue corrected an execution: the books become what they would be with the new one."""

    account: AccountId
    exec_id: UniqueId
    quantity: float | None = None
    price: float | None = None


class Transfer(Message, frozen=True, kw_only=True, tag="transfer"):
    """A deposit (positive) or a withdrawal; answered by one `ack`. It is no profit or loss."""

    account: AccountId
    transfer_id: UniqueId
    amount: float
    currency: Currency | None = None  # Default: the account's currency.


class Funding(Message, frozen=True, kw_only=True, tag="funding"):
    """Funding or interest of a position, received or paid; answered by one `ack`.

    A fact, booked to the cash and part of the P&L; of a strategy it is `untagged`.
    """

    account: AccountId
    funding_id: UniqueId  # Unique per account; a repeat changes nothing.
    symbol: Symbol
    amount: float  # Positive is received, negative is paid.
    currency: Currency | None = None  # Default: the instrument's settlement currency.
    venue_ns: InstantNs | None = None


class VenuePosition(Part, frozen=True, kw_only=True):
    """What the venue says is held of a symbol."""

    symbol: Symbol
    quantity: float  # Signed: negative is short. Of a hedging account one entry for each side.


class PositionReport(Message, frozen=True, kw_only=True, tag="position_report"):
    """What the venue says an account holds, all of it; answered by one `ack`.

    A symbol that is not named is flat there. Where it differs from the books the symbol is
    unreconciled: an alert says so and limits use the worse of both views, until a later report
    agrees. Fills that the venue dates after the report are not held against it. A query that
    failed is reported as `failed`, never as flat: nothing may increase risk then (UNRECONCILED)
    until a report comes that did not fail.
    """

    account: AccountId
    as_of_ns: InstantNs  # On the venue's clock; a report that is older than the last is ignored.
    positions: tuple[VenuePosition, ...] = ()  # Everything that is held.
    balance: float | None = (
        None  # Cash in the account's currency; off by a cent it is unreconciled.
    )
    failed: bool = False  # The venue could not be asked: what it holds is unknown.


class Ping(Message, frozen=True, kw_only=True, tag="ping"):
    """Ask whether riskd is alive; answered by `pong`."""

    request_id: OrderId | None = None


OrdersInput = (
    Check
    | Amend
    | Basket
    | OrderReport
    | Fill
    | FillBust
    | FillCorrect
    | Transfer
    | Funding
    | PositionReport
    | SessionInput
)
OrdersRequest = OrdersInput | Resync | Ping


class Reject(Part, frozen=True, kw_only=True):
    """One reason why an order may not go, or one warning beside an approval."""

    code: str  # One of the reject codes.
    fix_code: int  # FIX OrdRejReason, tag 103.
    scope: str
    scope_id: str
    text: str
    limit_type: str | None = None  # The configuration key of the limit.
    value: float | None = None  # What the order would make of the measure.
    limit: float | None = None
    retry_after_ns: int | None = None  # A span: when the same order could pass a rate limit.


class ReferencePrice(Part, frozen=True, kw_only=True):
    """The price that an order was judged by."""

    source: str  # touch, last, mark, previous_close, settlement, locked.
    price: float
    age_ns: int  # Nanoseconds since it was told.


class CheckResult(Part, frozen=True, kw_only=True):
    """One check with its numbers, listed on `explain`."""

    code: str
    passed: bool
    limit_type: str | None = None  # The limit that it holds to; several may have one code.
    value: float | None = None
    limit: float | None = None
    utilization: float | None = None  # value / limit.


class Verdict(Answer, frozen=True, kw_only=True, tag="verdict"):
    """The one answer to a `check`.

    `durability` is what the approval rests on: 0 memory, 1 written (survives a kill of the
    process), 2 synced (survives power loss), 3 replicated. `seq` 0: refused before the door.
    """

    client_order_id: str
    account: str
    approved: bool
    seq: int
    limits_version: int
    checked_ns: int
    duplicate: bool  # True for the first verdict given again.
    durability: int
    rejects: tuple[Reject, ...]  # In the documented order; the first is the primary reason.
    warnings: tuple[Reject, ...]
    reservation_id: str | None = None
    valid_until_ns: int | None = None  # Without news by then the reservation becomes suspect.
    request_id: str | None = None
    max_quantity: float | None = None  # The largest quantity that would pass now.
    nearest_price: float | None = None  # For a collar.
    certified_quantity: float | None = None  # Of an approval: as much of it is sure to reduce.
    reducing_quantity: float | None = None  # With a refusal, and explain: as much would reduce.
    binding_limit: str | None = None
    headroom: float | None = None
    reference: ReferencePrice | None = None  # With every refusal that got so far, and explain.
    checks: tuple[CheckResult, ...] | None = None


class BasketVerdict(Answer, tag="basket_verdict", frozen=True, kw_only=True):
    """The one answer to a `basket`: the verdict of each order, in the basket's order.

    Of a basket that is refused whole, an order that would have passed alone is rejected with the
    code of the first that did not; its text names all that did not.
    """

    basket_id: str
    account: str  # Of every order; empty when they are of several.
    approved: bool  # Every order is.
    seq: int
    verdicts: tuple[Verdict, ...]
    request_id: str | None = None


class Ack(Answer, frozen=True, kw_only=True, tag="ack"):
    """The one answer to a report, a fill, a bust, a correction, a transfer or a `resynced`.

    Flags: late_fill, over_fill, unknown_order, unknown_account, unknown_symbol, unknown_exec,
    off_tick, conflict, mismatch, already_terminal, already_answered, unknown_instruction,
    not_instructed.
    """

    seq: int
    ref: str  # The report_id, exec_id, transfer_id or instruction_id; of `resynced` its seq.
    duplicate: bool
    flags: tuple[str, ...]


class Pong(Answer, frozen=True, kw_only=True, tag="pong"):
    """The answer to `ping`; sent unasked, as a heartbeat, to a DEALER that has a session."""

    server_ns: int
    last_seq: int
    state: str  # active, killed, stopping.
    request_id: str | None = None
    session: int | None = None  # Of this connection; absent: none stands, say hello (again).


ErrorCode = Literal[
    "malformed",
    "unknown_type",
    "too_large",
    "not_authorized",
    "overloaded",
    "not_found",
    "refused",
    "internal",
]


class Error(Answer, frozen=True, kw_only=True, tag="error"):
    """A message that could not be taken: state is untouched and the socket goes on."""

    code: ErrorCode
    text: str
    field: str | None = None  # Where in the message, as a path: `$.quantity`.
    request_id: str | None = None


OrdersAnswer = Verdict | BasketVerdict | Ack | Pong | Error | SessionAnswer
Seq = Count
