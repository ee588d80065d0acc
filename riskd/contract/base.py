"""What every message of riskd is made of: the base class, shared types and enumerations."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

ID_LENGTH_MAX = 64

AccountId = Annotated[str, Meta(min_length=1, max_length=ID_LENGTH_MAX, description="An account.")]
EVERY_ACCOUNT = "all"  # Instead of an account's id, where absent means every account too.
OrderId = Annotated[
    str, Meta(min_length=1, max_length=ID_LENGTH_MAX, description="Unique per account.")
]
Symbol = Annotated[str, Meta(min_length=1, max_length=ID_LENGTH_MAX, description="An instrument.")]
Currency = Annotated[
    str, Meta(min_length=1, max_length=12, description="ISO 4217 or a token's ticker.")
]
Name = Annotated[str, Meta(max_length=ID_LENGTH_MAX)]
UniqueId = Annotated[str, Meta(min_length=1, max_length=ID_LENGTH_MAX)]
Text = Annotated[str, Meta(max_length=1000)]
InstantNs = Annotated[
    int, Meta(ge=0, le=2**63 - 1, description="Nanoseconds since 1970-01-01T00:00:00Z.")
]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]


BreakerScope = Literal["firm", "group", "account", "strategy", "symbol", "currency"]
BreakerAction = Literal["alert", "slow", "reduce_only", "halt", "halt_cancel", "halt_flatten"]


class Message(
    Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="type",
    gc=False,
):
    """Base of every message: a map with a `type`; absent optional fields are left out."""


class ControlRequest(Message, frozen=True, kw_only=True):
    """Base of what operators ask."""

    request_id: OrderId | None = None


class Answer(Message, frozen=True, forbid_unknown_fields=False):
    """Base of what riskd sends: an older client takes a newer riskd's answers."""


class Part(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False
):
    """Base of a map inside a message: like a message, without a `type`."""


class Side(StrEnum):
    """Which way an order or a fill goes."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """How an order is priced: `stop` becomes a market order, `stop_limit` a limit order."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"


class TimeInForce(StrEnum):
    """How long an order lives."""

    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    GTD = "gtd"


class OrderStatus(StrEnum):
    """What the venue says of an order."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"
    REPLACE_REJECTED = "replace_rejected"
    CANCEL_PENDING = "cancel_pending"


class Severity(StrEnum):
    """How loud an alert is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"
    EXTREME = "extreme"


class Scope(StrEnum):
    """What a breaker, a kill or a limit covers."""

    FIRM = "firm"
    GROUP = "group"
    ACCOUNT = "account"
    TRADER = "trader"
    STRATEGY = "strategy"
    SYMBOL = "symbol"
    SESSION = "session"
    CURRENCY = "currency"
    ACCOUNT_SYMBOL = "account_symbol"
