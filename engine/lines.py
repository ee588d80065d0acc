"""What the valuation book is made of: columns of figures, and lines of those who move together."""

from __future__ import annotations

from array import array
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.holders import Holders
from engine.instruments import MILLI, Instrument

FIRST_ROOM = 64


class Column:
    """One number per row: an array for plain loops, and the same memory as numpy sees it."""

    __slots__ = ("_blank", "many", "one")

    def __init__(self, code: str, blank: float) -> None:
        self._blank = blank
        self.one: Any = array(code)
        self.many: NDArray[Any] = np.zeros(0)
        self.grow(FIRST_ROOM)

    def grow(self, count: int) -> None:
        """Make room for `count` rows, the new ones blank."""
        grown = self.one[:]  # A copy, for an array that numpy has seen cannot grow.
        grown.extend([self._blank] * (count - len(grown)))
        self.one = grown
        self.many = np.frombuffer(grown, dtype=grown.typecode)


class LineKey(NamedTuple):
    """What the holders of a symbol have in common who move together."""

    settlement: str
    own: str  # The accounts' currency.
    short: bool
    inverse: bool
    whole: bool  # Their coefficients are whole, so that no step is rounded.


class Exchange:
    """One currency for one account currency: its rate, and the pockets that it moves."""

    __slots__ = ("is_old", "own", "pockets", "rate", "source")

    def __init__(self, source: str, own: str) -> None:
        self.source = source
        self.own = own
        self.rate: float | None = None
        self.is_old = False  # Then margin counts exposure with a haircut.
        self.pockets = Holders()


class Line:
    """Those who hold one side of one symbol in accounts of one currency."""

    __slots__ = ("exchange", "holders", "inverse", "mark", "short", "whole")

    def __init__(self, key: LineKey, exchange: Exchange | None) -> None:
        self.short = key.short
        self.inverse = key.inverse
        self.whole = key.whole
        self.exchange = exchange  # None: it settles in the accounts' own currency.
        self.mark: int | None = None  # What the holders are valued at now.
        self.holders = Holders()  # Rows, or pockets where there is an exchange.


Holding = tuple[tuple[LineKey, float], ...]  # What a row gains by a price, by line of the book.


def holding_of(instrument: Instrument, by_side: tuple[tuple[bool, int], ...], own: str) -> Holding:
    """Return what a row of a currency gains by a price, of signed lots by side (short or not)."""
    return tuple(
        [
            (_line_key(instrument, own, short), _coefficient(instrument, lots))
            for short, lots in by_side
            if lots
        ]
    )


def _line_key(instrument: Instrument, own: str, short: bool) -> LineKey:
    key: LineKey | None = instrument.lines.get((own, short))
    if key is None:
        key = instrument.lines[own, short] = LineKey(
            settlement=instrument.settlement,
            own=own,
            short=short,
            inverse=instrument.inverse,
            whole=instrument.exact_milli_value() != 0,
        )
    return key


def _coefficient(instrument: Instrument, lots: int) -> float:
    """Return the money that lots gain by a thousandth of a tick, of an inverse one per 1/price."""
    if instrument.inverse:
        return lots * instrument.inverse_numerator / instrument.inverse_denominator
    return lots * instrument.tick_value_money / MILLI


class Tally:
    """What the accounts of one currency come to, of those whose equity is known."""

    __slots__ = ("base_money", "opened_money", "rows")

    def __init__(self) -> None:
        self.rows = Holders()
        self.base_money = 0  # The sum of what their rows count from.
        self.opened_money = 0  # The sum of what they were worth when their day began.
