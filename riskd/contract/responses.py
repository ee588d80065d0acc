"""Responses: what riskd does when a measure crosses a line, and what it tells of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from riskd.contract.base import (
    AccountId,
    Answer,
    BreakerAction,
    ControlRequest,
    Count,
    Part,
    Severity,
    Side,
    Symbol,
    Text,
    UniqueId,
)

Part100 = Annotated[float, Meta(gt=0, le=100)]


class ResponseEvent(StrEnum):
    """What a response answers to."""

    MARGIN = "margin"  # The margin level fell to a level of its own.
    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"
    EXPOSURE = "exposure"
    LEVERAGE = "leverage"
    CONCENTRATION = "concentration"
    CORRELATION = "correlation"
    BURN_RATE = "burn_rate"  # At this pace the daily loss limit is reached soon.
    PNL_MOVE = "pnl_move"  # An account or a position moved far in a short time.
    REWARD_TO_RISK = "reward_to_risk"  # A position may win too little for what it may lose.
    REBALANCING = "rebalancing"  # The account hangs on few of its names.
    REJECT_RATIO = "reject_ratio"  # Many orders were refused: a breaker opens and cools at once.
    FEED_SILENCE = "feed_silence"  # Nothing is heard of a symbol: its breaker opens till it speaks.
    PRICE_MOVE = "price_move"  # A symbol moved too far within a window: open till it is calm.
    FILL_VELOCITY = "fill_velocity"  # Many fills in a second: that of the limit's scope does.
    FAULT = "fault"  # The account was frozen: its books cannot be trusted until a person looked.
    KILL = "kill"  # A person stopped a scope and wants its orders or positions gone.
    BREAKER = "breaker"  # A breaker did.
    MANUAL = "manual"  # A person asked for it.
    ANY = "any"  # Of a policy: whatever has none of its own.


class ResponseAction(StrEnum):
    """What is done."""

    MONITOR = "monitor"  # Nothing but the alert.
    CANCEL = "cancel"  # Working orders are cancelled.
    REDUCE = "reduce"  # Positions are cut until `percent` of the exposure is gone.
    SHARE = "share"  # Every symbol is brought to at most `percent` of exposure or equity.
    CUT_CORRELATED = "cut_correlated"  # Positions that move together are cut by `percent`.
    SHRINK_RISK = "shrink_risk"  # Risk per trade is at most `percent` while it lasts.
    FLATTEN = "flatten"  # Every position is closed.
    STOP = "stop"  # The account is halted and its working orders are cancelled.


class ResponsePriority(StrEnum):
    """Which position goes first."""

    LARGEST_LOSS = "largest_loss"
    LARGEST_MARGIN = "largest_margin"
    WORST_SCORE = "worst_score"


class ResponseStage(StrEnum):
    """Where a response stands."""

    ADVISED = "advised"  # The account only wants advice: nothing is done.
    CANCELING = "canceling"  # Orders that race it are being cancelled.
    EXITING = "exiting"  # Exits are with the gateway.
    WAITING = "waiting"  # For the next attempt.
    DONE = "done"
    ESCALATED = "escalated"  # It did not help: the next severity's response follows, or a person.
    STOPPED = "stopped"  # By a person.


class ResponsePolicy(Part, frozen=True, kw_only=True):
    """One row of the policy table: what is done about an event of a severity.

    Of an event of a group or the firm in each of its accounts, of one of a symbol in what they hold
    and work in it.
    """

    id: UniqueId
    event: ResponseEvent  # What happened.
    severity: Severity
    action: ResponseAction
    percent: Part100 | None = None  # Of reduce, share, cut_correlated, shrink_risk.
    priority: ResponsePriority = ResponsePriority.LARGEST_LOSS  # What goes first.
    breaker: BreakerAction | None = None  # Also opens a breaker of whatever it is about.
    cooling_ms: Annotated[int, Meta(ge=0, le=86_400_000)] = 60_000  # Open so long once recovered.


class Exit(Part, frozen=True, kw_only=True):
    """One order that a plan closes with."""

    symbol: Symbol
    side: Side
    quantity: float
    client_order_id: str  # Under which the gateway is to send it.
    position_id: str | None = None  # The leg, of a hedging account.


class ResponseUpdate(Answer, frozen=True, kw_only=True, tag="response_update"):
    """A response began, went on or ended. Topic `response.<account>`."""

    response_id: str  # As `responses` lists it.
    account: AccountId
    policy: str  # The id of its row; what a person asked for has none.
    event: ResponseEvent  # What happened.
    severity: Severity
    action: ResponseAction
    stage: ResponseStage  # Where it stands.
    attempt: int  # How often exits were asked for.
    reason: str
    seq: int  # Of the input that moved it.
    at_ns: int
    exits: tuple[Exit, ...] = ()  # What it asks the gateway to send now.
    pub_seq: int = 0


class Reduce(ControlRequest, tag="reduce", frozen=True, kw_only=True):
    """Close positions of an account: a plan like that of a response, asked for by a person.

    Working orders are cancelled first; exits go to the gateway that executes responses.
    """

    account: AccountId
    percent: Part100 = 100.0  # Of the exposure; 100 closes everything.
    symbol: Symbol | None = None  # In this one only; absent: in all.
    priority: ResponsePriority = ResponsePriority.LARGEST_LOSS  # What goes first.
    reason: Text = ""


class ResponseStop(ControlRequest, tag="response_stop", frozen=True, kw_only=True):
    """End a running response; what its gateway has begun goes on."""

    response_id: UniqueId  # As `responses` lists it.
    reason: Text = ""


class Responses(ControlRequest, tag="responses", frozen=True, kw_only=True):
    """Responses that run, then those that ended, the latest last."""

    account: AccountId | None = None
    limit: Count = 100
