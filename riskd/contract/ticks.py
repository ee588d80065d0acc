"""Messages of the ticks port: market data in."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from riskd.contract.base import Count, InstantNs, Message, Name, Symbol

TICKS_BATCH_MAX = 2000


class MarketPhase(StrEnum):
    """Whether an instrument trades."""

    OPEN = "open"
    CLOSED = "closed"
    AUCTION = "auction"
    HALTED = "halted"


class Tick(Message, frozen=True, kw_only=True, tag="tick"):
    """A new price of one instrument; an FX rate is a tick of its pair. What is absent stands.

    Source: market data, ticks port; never answered. With `seq` (per `feed` and symbol) repeats and
    late ticks are recognised and do not move anything.
    """

    symbol: Symbol
    bid: float | None = None
    ask: float | None = None
    last: float | None = None
    bid_size: float | None = None
    ask_size: float | None = None
    last_size: float | None = None
    venue_ns: InstantNs | None = None
    seq: Count | None = None
    feed: Name = ""
    conflated: Count = 0  # So many of the same symbol and feed before it were left out.


class Ticks(Message, frozen=True, kw_only=True, tag="ticks"):
    """A batch of ticks, applied in order."""

    ticks: Annotated[list[Tick], Meta(max_length=TICKS_BATCH_MAX)]


class MarketState(Message, frozen=True, kw_only=True, tag="market_state"):
    """The trading state of one instrument, with the prices that a session starts from."""

    symbol: Symbol
    state: MarketPhase
    previous_close: float | None = None
    settlement: float | None = None


TicksMessage = Tick | Ticks | MarketState
