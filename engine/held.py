"""One symbol of an account, in money: what it was last worth, and what makes it so."""

from __future__ import annotations

from engine.books import Books
from engine.instruments import Instrument
from engine.ledger import Position
from engine.margin import MarginTerms
from engine.money import divide_half_even
from engine.quote import Quote
from engine.rates import Rate

STALE = -1
Figures = tuple[int, int, int, int, int]  # Profit, upper, lower, gross, margin, as `Held` has them.
NOTHING: Figures = (0, 0, 0, 0, 0)


class Held:
    """One symbol of the account with what it was last worth."""

    __slots__ = (
        "gross",
        "instrument",
        "lower",
        "margin",
        "milli_value",
        "position",
        "profit",
        "quote",
        "scale",
        "seen",
        "terms",
        "upper",
    )

    def __init__(self, position: Position, quote: Quote) -> None:
        self.position = position
        self.quote = quote
        self.seen = STALE  # The quote's version that the figures below were made from.
        self.profit = 0  # Unrealised P&L.
        self.upper = 0  # Signed exposure if every working buy filled and no sell did.
        self.lower = 0  # Signed exposure if every working sell filled and no buy did.
        self.gross = 0  # The larger of both.
        self.margin = 0  # Initial margin of the larger of both.

    def declare(self, instrument: Instrument, terms: MarginTerms, currency: str) -> None:
        """Take up an instrument as it is declared now, for an account in a currency."""
        self.instrument, self.terms, self.seen = instrument, terms, STALE
        self.milli_value = instrument.exact_milli_value()
        is_plain = instrument.settlement == currency and not terms.initial_brackets
        # What a lot gains by a thousandth of a tick, where nothing else makes its figures; else 0.
        self.scale = self.milli_value if is_plain and not self.position.hedging else 0


def unrealized_of(books: Books, instrument: Instrument, quote: Quote) -> int | None:
    """Return the unrealised P&L of books in settlement money, each leg at the mark of its side."""
    profit = -books.cost_money
    for each in books.legs.values() or (books,):
        mark = quote.mark_long if each.lots >= 0 else quote.mark_short
        if each.lots and mark is None:
            return None
        profit += instrument.value_money(each.lots, mark) if each.lots and mark else 0
    return profit


def widened(upper: int, lower: int, rate: Rate, wide: Rate) -> tuple[int, int]:
    """Return both ends of an exposure converted, wide where that makes it larger, half-even."""
    above, below = wide if upper > 0 else rate, wide if lower < 0 else rate
    return (
        divide_half_even(upper * above.numerator, above.denominator),
        divide_half_even(lower * below.numerator, below.denominator),
    )
