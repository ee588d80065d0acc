"""What every reader yields, and the exact conversions that all of them share."""

from __future__ import annotations

from datetime import date, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from riskd.messages import Check, Fill, MarketState, OrderReport, Tick

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000

FeedMessage = Tick | MarketState | Check | OrderReport | Fill


class FeedError(Exception):
    """A file cannot be played; the text names file, line and what was expected."""


class Timed(NamedTuple):
    """A message and the instant at which it happened, UTC."""

    at_ns: int
    message: FeedMessage
    row: int  # Of its file, from 1, the header not counted.


class Recording(NamedTuple):
    """What the readers need to know of a file besides its lines."""

    name: str  # For error texts.
    symbol: str
    account: str
    price_scale: Decimal
    stem: str  # File name without folder and endings; names the feed.
    prefix: str  # Begins every id made from this file, so that files do not collide.
    day: date | None  # From the file name.
    zone: tzinfo  # In which times of day are counted.

    def midnight_ns(self) -> int:
        """Return the instant from which times of day count; raise FeedError without a date."""
        if self.day is None:
            raise FeedError(f"{self.name}: times of day need a date (YYYY-MM-DD) in the file name.")
        midnight = datetime(self.day.year, self.day.month, self.day.day, tzinfo=self.zone)
        return int(midnight.timestamp()) * NS_PER_S


def decimal_of(cell: str) -> Decimal:
    """Return the number in a cell exactly; raise ValueError if there is none."""
    try:
        number = Decimal(cell)
    except InvalidOperation:
        raise ValueError(f"{cell!r} is not a number") from None
    if not number.is_finite():
        raise ValueError(f"{cell!r} is not finite")
    return number
