"""What happened inside: stamps on inputs, and the facts that rules hand to whoever routes them."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from riskd.codes import RejectCode
from riskd.messages import Severity


class Stamp(NamedTuple):
    """When and as which an input passed the door."""

    seq: int
    recv_ns: int  # Wall clock, UTC.
    steady_ns: int  # Never goes backwards; goes on over restarts. Durations use it.


class Missing(NamedTuple):
    """Why figures could not be made: a code and what is missing."""

    code: RejectCode
    what: str


class Recount(Struct, frozen=True):
    """Ask an account to tell its groups anew all that it could come to."""


class Raised(Struct, frozen=True):
    """A cause for an alert; the alert book numbers it and counts repeats of the same `cause`."""

    severity: Severity
    alert_type: str
    cause: str  # Repeats of the same cause are one alert with a count.
    message: str
    account: str | None = None
    symbol: str | None = None
    value: float | None = None
    threshold: float | None = None


class WakeAt(Struct, frozen=True):
    """An account asks to be woken at a steady instant."""

    account: str
    steady_ns: int


class GroupMoved(Struct, frozen=True):
    """What one account of a limited group could come to has changed, by symbol, in lots."""

    group: str  # The account's own; it passes the change on to its parent.
    symbol: str
    settlement: str
    upper_lots: int
    lower_lots: int
    gross_lots: int
    open_orders: int
    turnover_money: int


class LimitsChanged(Struct, frozen=True):
    """Another limit set is in force."""

    limits_version: int


class Watched(Struct, frozen=True):
    """A position must know the extremes of its marks since another version of its quote."""

    symbol: str
    before: int | None  # None: it was never filled.
    after: int


Fact = Raised | WakeAt | GroupMoved | LimitsChanged | Watched
Facts = list[Fact]
