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
NO_FIGURES: Figures = (0, 0, 0, 0, 0)


class Held:
    """One symbol of the account with what it was last worth.

    Where lots times one unit of money is all there is to its figures, they are kept as that: then a
    price changes them by few steps, and reservations by fewer.
    """

    __slots__ = (
        "cost_money",
        "figures",
        "gross_lots",
        "instrument",
        "is_linear",
        "lots",
        "lower_lots",
        "margin",
        "milli_value",
        "position",
        "quote",
        "scale",
        "seen",
        "terms",
        "unit",
        "upper_lots",
    )

    instrument: Instrument
    terms: MarginTerms
    milli_value: int
    scale: int  # What a lot gains by a thousandth of a tick, where its figures are linear; else 0.

    def __init__(self, position: Position, quote: Quote) -> None:
        self.position = position
        self.quote = quote
        self.seen = STALE  # The quote's version that the figures below were made from.
        self.is_linear = False  # They are kept as lots and a unit, and else in `figures`.
        self.figures = NO_FIGURES
        self.unit = 0  # What a lot is worth.
        self.lots = self.cost_money = 0
        self.upper_lots = 0  # Signed, if every working buy filled and no sell did.
        self.lower_lots = 0  # Signed, if every working sell filled and no buy did.
        self.gross_lots = 0  # The larger of both.
        self.margin = 0  # Initial margin of the larger of both.

    def declare(self, instrument: Instrument, terms: MarginTerms, currency: str) -> None:
        """Take up an instrument as it is declared now, for an account in a currency."""
        self.instrument, self.terms, self.seen = instrument, terms, STALE
        self.milli_value = instrument.exact_milli_value()
        is_plain = instrument.settlement == currency and not terms.initial_brackets
        self.scale = self.milli_value if is_plain and not self.position.hedging else 0

    def worth(self) -> Figures:
        """Return what it was last worth."""
        if not self.is_linear:
            return self.figures
        unit = self.unit
        ends = self.upper_lots * unit, self.lower_lots * unit
        return (self.lots * unit - self.cost_money, *ends, self.gross_lots * unit, self.margin)

    def take(self, figures: Figures) -> None:
        """Keep what it is worth now."""
        position, quote = self.position, self.quote
        lots = position.books.lots
        mark = quote.mark_long if lots >= 0 else quote.mark_short
        self.seen = quote.version
        self.is_linear = bool(self.scale) and mark is not None and mark > 0
        if not self.is_linear or mark is None:
            self.figures = figures
            return
        self.unit = mark * self.scale
        self.lots, self.cost_money = lots, position.books.cost_money
        # Where nothing works these are one number, in one place of the memory.
        self.upper_lots = position.worst_long_lots() if position.open_buy_lots else lots
        self.lower_lots = position.worst_short_lots() if position.open_sell_lots else lots
        self.gross_lots = max(self.upper_lots, -self.lower_lots)
        self.margin = figures[-1]


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
