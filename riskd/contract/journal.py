"""What riskd writes into its journal itself: no port takes it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from riskd.contract.base import AccountId, Count, Message, Name, OrderId, Text
from riskd.contract.specs import Universe

Day = Annotated[str, Meta(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")]


class Configure(Message, frozen=True, kw_only=True, tag="configure"):
    """What a start put in force. Written to the journal by riskd itself, taken from no port."""

    universe: Universe


class Elapse(Message, frozen=True, kw_only=True, tag="elapse"):
    """Time passed and something was due. Written to the journal by riskd itself."""


class DayBegan(Message, tag="day_began", frozen=True, kw_only=True):
    """A day of a calendar began. Written to the journal by riskd itself, once per day."""

    calendar: Name
    day: Day
    week: Day = ""  # The first day of the week that the day is in.
    month: Day = ""  # The first day of its month.


class VerdictVoid(Message, frozen=True, kw_only=True, tag="verdict_void"):
    """A verdict missed its deadline on the way out. Written to the journal by riskd itself."""

    account: AccountId
    client_order_id: OrderId


class ActorFailed(Message, frozen=True, kw_only=True, tag="actor_failed"):
    """The actor of an account failed: the account is frozen. Written by riskd itself."""

    account: AccountId
    reason: Text = ""


class SessionLost(Message, frozen=True, kw_only=True, tag="session_lost"):
    """A gateway's session was lost. Written to the journal by riskd itself."""

    session: Count  # The seq of the hello that opened it.
    reason: Text = ""


class AccountRebuilt(Message, frozen=True, kw_only=True, tag="account_rebuilt"):
    """An account was made anew from the journal. Written to the journal by riskd itself."""

    account: AccountId
    part: Count  # Which of the parts that the state comes in, from 0.
    parts: Count  # How many there are: the last one puts it in place.
    state: str  # This part of its JSON.
    reason: Text = ""


class Checkpoint(Message, frozen=True, kw_only=True, tag="checkpoint"):
    """The state at this seq is being hashed beside the loop. Written by riskd itself."""

    answers_hash: str  # Of every answer before it, each folded into the next.
    version: str  # Of the riskd that gave them: another may word its answers otherwise.


class StateDigest(Message, frozen=True, kw_only=True, tag="state_digest"):
    """The hash of the state at a checkpoint. Written by riskd itself; a start compares it."""

    at_seq: Count  # Of the checkpoint.
    state_hash: str


InternalMessage = (
    Configure
    | Elapse
    | DayBegan
    | VerdictVoid
    | ActorFailed
    | SessionLost
    | AccountRebuilt
    | Checkpoint
    | StateDigest
)
