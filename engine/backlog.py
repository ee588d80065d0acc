"""What waits for its turn, so that a price that carries everybody over a line stops no order.

An input looks at so many accounts; who is left waits here, and with them the ticks behind them: a
price is taken in only when everybody whom the one before carried over a line was looked at. The
passes that follow are inputs of their own, between which orders are judged.
"""

from __future__ import annotations

from msgspec import Struct

from riskd.messages import MarketState, Tick

LOOKS_MAX = 16  # Accounts that one input looks at, beside its own.
CROSSING_LOOKS = 16  # A crossing, with all that it causes, costs about as much as so many looks.
TICKS_MAX = 10_000  # That wait; more than these stop everything else until all are looked at.


class Backlog(Struct):
    """Who waits, in the order of their turns."""

    looks: dict[str, None] = {}  # Accounts that prices may have carried over a line.
    recoveries: dict[str, None] = {}  # Accounts of which a measure may have recovered.
    ticks: list[Tick | MarketState] = []
    seq: int = 0  # Of the input that has turns left,
    turns: int = 0  # and how many.

    def is_behind(self) -> bool:
        """Return whether anybody or anything waits."""
        return bool(self.looks or self.recoveries or self.ticks)

    def begin(self, seq: int) -> None:
        """Give an input its turns, if it has not had them."""
        if seq != self.seq:
            self.seq, self.turns = seq, LOOKS_MAX

    def took(self, *, crossed: bool) -> None:
        """Count a look."""
        self.turns -= CROSSING_LOOKS if crossed else 1


def first_of(waiting: dict[str, None]) -> str:
    """Take the first who waits."""
    name = next(iter(waiting))
    del waiting[name]
    return name
