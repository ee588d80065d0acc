"""Trades told slowly: every mark and fill in a list, every profit made anew from the cash it took.

A trade's profit at a price is what its fills have paid and got, and what its lots are worth there:
no cost, no average, no ladder, so no rounding either.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple


class Mark(NamedTuple):
    """A market: what a long position and a short one are worth each."""

    long: Fraction
    short: Fraction


class Dealt(NamedTuple):
    """A fill: signed quantity and price."""

    exec_id: str
    quantity: Fraction
    price: Fraction


class SlowTrade(NamedTuple):
    """One trade, open or closed."""

    profit: Fraction
    best: Fraction
    worst: Fraction
    taken: Fraction  # All that was opened, signed.


def slow_trades(
    events: list[Mark | Dealt], busted: tuple[str, ...]
) -> tuple[list[SlowTrade], SlowTrade | None]:
    """Return the closed trades and the open one, its profit at the last mark."""
    closed: list[SlowTrade] = []
    held = cash = taken = Fraction(0)
    profits: list[Fraction] = []
    mark: Mark | None = None

    def worth() -> Fraction | None:
        if mark is None:
            return None
        return cash + held * (mark.long if held > 0 else mark.short)

    for event in events:
        if isinstance(event, Mark):
            mark = event
        elif event.exec_id not in busted:
            quantity, price = event.quantity, event.price
            if held:
                profits.append(cash + held * price)
            closing = Fraction(0)
            if held * quantity < 0:
                closing = -held if abs(quantity) >= abs(held) else quantity
                held, cash = held + closing, cash - closing * price
                if not held:
                    closed.append(SlowTrade(cash, max(profits), min(profits), taken))
                    cash = taken = Fraction(0)
            opening = quantity - closing
            if opening:
                if not held:
                    profits = [Fraction(0)]
                held, cash, taken = held + opening, cash - opening * price, taken + opening
        profit = worth()
        if held and profit is not None:
            profits.append(profit)
    if not held:
        return closed, None
    last = worth()
    return closed, SlowTrade(last or Fraction(0), max(profits), min(profits), taken)
