"""Messages of the alerts port: what riskd publishes. Every one carries its class's `pub_seq`."""

from __future__ import annotations

from riskd.contract.base import Answer, Part, Severity, Side
from riskd.contract.measures import MeasuredUpdate
from riskd.contract.orders import Reject
from riskd.contract.responses import ResponseUpdate
from riskd.contract.sessions import Certificate, Instruction


class Alert(Answer, frozen=True, kw_only=True, tag="alert"):
    """Something a person should know. Topic `alert.<severity>.<account or firm>`."""

    alert_id: int
    seq: int  # Of the input that caused it.
    severity: Severity
    alert_type: str
    message: str
    value: float | None
    threshold: float | None
    status: str  # raised, repeated, escalated, acknowledged, muted, resolved.
    first_ns: int
    count: int  # How often this cause has been seen.
    last_ns: int  # When it was last seen.
    by: str | None = None  # Who acknowledged it.
    note: str | None = None  # What they had to say.
    account: str | None = None
    symbol: str | None = None
    withheld: bool = False  # Kept, and not published by itself: an `alert_digest` counts it.
    pub_seq: int = 0


class AlertStep(Part, frozen=True, kw_only=True):
    """What became of an alert at one moment."""

    status: str  # As of the alert.
    severity: Severity
    seq: int  # Of the input that did it.
    at_ns: int
    by: str | None = None
    note: str | None = None  # What they had to say.


class Breaker(Answer, frozen=True, kw_only=True, tag="breaker"):
    """A breaker or kill opened or closed. State topic `breaker.<scope>.<id>`."""

    breaker_id: int
    scope: str
    scope_id: str
    active: bool
    trigger_type: str  # kill, manual, timed.
    action: str
    value: float | None
    threshold: float | None
    reason: str
    by: str
    at_ns: int
    until_ns: int | None = None
    pub_seq: int = 0


class VerdictEvent(Answer, frozen=True, kw_only=True, tag="verdict"):
    """A verdict that left, with the order it is about. Topic `verdict.<account>`."""

    client_order_id: str
    account: str
    approved: bool
    seq: int
    limits_version: int
    checked_ns: int
    duplicate: bool
    durability: int
    rejects: tuple[Reject, ...]
    warnings: tuple[Reject, ...]
    symbol: str
    side: Side
    quantity: float
    price: float | None = None  # Absent for a market order.
    pub_seq: int = 0


class PnlUpdate(Answer, frozen=True, kw_only=True, tag="pnl_update"):
    """An account's P&L in its currency. State topic `pnl.<account>`.

    `complete` is false when a mark or an exchange rate was missing: the figures are then a part.
    """

    account: str
    currency: str
    equity: float | None
    realized: float
    unrealized: float
    fees: float
    day: float | None  # Since the last session roll, without transfers.
    complete: bool
    ts_ns: int
    funding: float = 0.0  # Received; paid is negative.
    week: float | None = None  # Since the week began, without transfers.
    month: float | None = None  # Since the month began, without transfers.
    mark_ages_ns: dict[str, int] = {}  # By symbol that is held: the age of the price it is at.
    pub_seq: int = 0


class LegUpdate(Part, frozen=True, kw_only=True):
    """One leg of a hedging account's symbol: what is open under one position."""

    position_id: str  # As fills name it; `long` and `short` are the legs of those that name none.
    quantity: float  # Signed: negative is short.
    average_price: float | None
    realized: float  # Of what was closed of it, since it was opened.
    unrealized: float | None
    mfe: float | None = None  # Best profit that the open trade stood at.
    mae: float | None = None  # Worst; at most zero.
    planned_reward_to_risk: float | None = None  # At the average price; absent without a stop.
    reward_to_risk: float | None = None  # At the mark; absent past the stop or the target.
    score: float | None = None  # 0 to 100, see docs/measures.md.


class PositionUpdate(Answer, frozen=True, kw_only=True, tag="position_update"):
    """One position. State topic `position.<account>.<symbol>`.

    Of a hedging account its quantity is the net one, and `legs` has what stands side by side.
    """

    account: str
    symbol: str
    quantity: float
    average_price: float | None
    mark: float | None
    mark_age_ns: int | None
    realized: float
    unrealized: float | None
    fees: float
    currency: str  # Of the money above.
    open_buy_quantity: float
    open_sell_quantity: float
    ts_ns: int
    funding: dict[str, float] = {}  # Received for holding it, by currency; paid is negative.
    venue_quantity: float | None = None  # What the venue says is held, where that differs.
    legs: tuple[LegUpdate, ...] = ()  # Hedging accounts: what is open, oldest first.
    mfe: float | None = None  # Best profit that the open trade stood at; absent when flat.
    mae: float | None = None  # Worst; at most zero.
    planned_reward_to_risk: float | None = None  # At the average price; absent without a stop.
    reward_to_risk: float | None = None  # At the mark; absent past the stop or the target.
    score: float | None = None  # 0 to 100, see docs/measures.md.
    rank: int | None = None  # Among the account's open positions, 1 is best; in answers only.
    pub_seq: int = 0


class LimitsUpdate(Answer, frozen=True, kw_only=True, tag="limits_update"):
    """Another limit set is in force. State topic `limits`."""

    limits_version: int
    seq: int
    at_ns: int
    pub_seq: int = 0


class Heartbeat(Answer, frozen=True, kw_only=True, tag="heartbeat"):
    """Every second. Topic `heartbeat`.

    A gateway that hears none for the agreed time behaves as halted.
    """

    seq: int
    state: str
    server_ns: int
    queue_depths: dict[str, int]
    verdict_p50_ns: int
    verdict_p99_ns: int
    verdict_p999_ns: int
    feed_ages_ns: dict[str, int]
    journal_lag: int  # Records not yet synced.
    audit_lag: int = 0  # Rows not yet in the audit database.
    pub_seq: int = 0


Published = (
    Alert
    | Breaker
    | VerdictEvent
    | PnlUpdate
    | PositionUpdate
    | MeasuredUpdate
    | LimitsUpdate
    | Heartbeat
    | Instruction
    | ResponseUpdate
    | Certificate
)
