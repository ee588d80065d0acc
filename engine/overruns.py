"""What says that an order comes too early, and how long it has to wait."""

from __future__ import annotations

from typing import NamedTuple

from engine.breakers import BreakerState
from engine.limits import ResolvedLimit


class Slowed(NamedTuple):
    """A breaker that slows, and the span until it lets the next order pass."""

    state: BreakerState
    retry_after_ns: int


class Overrun(NamedTuple):
    """A rate limit without room, and the span until there is."""

    limit: ResolvedLimit
    retry_after_ns: int
