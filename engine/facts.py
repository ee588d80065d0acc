"""What happened inside: stamps on inputs, and the facts that rules hand to whoever routes them."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from riskd.messages import Severity


class Stamp(NamedTuple):
    """When and as which an input passed the door."""

    seq: int
    recv_ns: int  # Wall clock, UTC.
    steady_ns: int  # Never goes backwards; goes on over restarts. Durations use it.


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


class LimitsChanged(Struct, frozen=True):
    """Another limit set is in force."""

    limits_version: int


Fact = Raised | WakeAt | LimitsChanged
Facts = list[Fact]
