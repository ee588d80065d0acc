"""Hedging accounts: the legs of one symbol side by side, in figures and in verdicts.

An order closes if it says reduce_only or close_position, or names a position that is open on the
other side. Any other opens. Gross counts both legs, net offsets them, and whether an order
reduces, and by how much it may, is asked of the legs that it closes alone. Netting accounts have
the classes that these ones replace, so they pay nothing for it.
"""

from __future__ import annotations

from engine.books import Books, side_lots
from engine.case import Case
from engine.facts import Missing
from engine.held import NO_FIGURES, Figures, Held, unrealized_of, widened
from engine.instruments import Instrument
from engine.ledger import worst_sides
from engine.money import divide_half_even
from engine.quote import Quote
from engine.rates import converted_away, ends_away
from engine.valuation import Valuation
from riskd.messages import Check, Side


class HedgedValuation(Valuation):
    """A valuation whose positions have legs."""

    __slots__ = ()

    def _figures(self, held: Held) -> Figures | Missing:
        position, instrument = held.position, held.instrument
        rate, wide = self._rate(held), self._exposure_rate(held)
        longs, shorts = worst_sides(position)
        if not longs and not shorts:
            return NO_FIGURES
        profit, marks = unrealized_of(position.books, instrument, held.quote), _marks(held.quote)
        if profit is None or marks is None:
            return self._no_mark(held)
        if rate is None or wide is None:
            return self._no_rate(instrument.settlement)
        upper = instrument.exposure_money(position.worst_long_lots(), marks[0])
        lower = instrument.exposure_money(position.worst_short_lots(), marks[0])
        sides = _sizes(instrument, (longs, shorts), marks)
        profit = divide_half_even(profit * rate.numerator, rate.denominator)
        upper, lower = widened(upper, lower, rate, wide)
        gross = divide_half_even(sum(sides) * wide.numerator, wide.denominator)
        margin = held.terms.initial_money(max(sides), wide, min(sides))
        return profit, upper, lower, gross, margin

    def _sizes(self, held: Held) -> tuple[int, int]:
        marks = _marks(held.quote)
        if marks is None:
            return 0, 0  # Nothing is held: the refresh would have missed a mark.
        sizes = _sizes(held.instrument, side_lots(held.position.books), marks)
        return max(sizes), min(sizes)


class HedgedCase(Case):
    """One order of a hedging account under judgement."""

    __slots__ = ("_gross_lots",)

    _gross_lots: int  # Of both legs, with the order.

    def place(self, lots: int) -> None:
        """Look at the order as one of `lots`; see `Case.place`."""
        position, own = self.plan.position, self.own_lots
        self.lots = lots
        self.notional_money = self._notional(lots)
        if not own:  # A change stays what the order was judged to be.
            self.closing = is_closing(self.order, position.books)
        leaves = max(lots - self.filled_lots, own) if own else lots
        added = self.added_lots = leaves - own
        before = worst_sides(position)
        longs, shorts = before
        if self.closing:
            buys, sells = (added, 0) if self.buying else (0, added)
            longs, shorts = worst_sides(position, buys, sells)
        elif self.buying:
            longs += added
        else:
            shorts += added
        self.longest_lots, self.shortest_lots = longs, -shorts
        self.grown_lots = longs + shorts - sum(before)
        self.grows = self.grown_lots > 0
        self.reducing = self.closing and leaves <= self.reducible_lots()
        if own and not added and not self.is_worse:
            self.reducing = True  # A change that reserves no more, no worse priced, adds no risk.
        self._place_money()

    def reducible_lots(self) -> int:
        """Return how many lots the order may close, beyond what other orders work to close."""
        order, position = self.order, self.plan.position
        longs, shorts = side_lots(position.books)
        own = self.own_lots if self.closing else 0
        if self.buying:
            left = shorts - position.closing_buy_lots + own
        else:
            left = longs - position.closing_sell_lots + own
        if _names_the_other_side(order, position.books):
            leg = position.books.legs[order.position_id or ""]
            left = min(left, abs(leg.lots) - self._closing_lots(order) + own)
        return max(0, left)

    def fitting_lots(self, side_lots: int) -> int:
        """Return how many lots keep both legs together within `side_lots`."""
        return side_lots - (self.longest_lots - self.shortest_lots) + (self.lots or 0)

    def _closing_lots(self, order: Check) -> int:
        """Return what works to close the leg that an order names."""
        return sum(
            other.leaves_lots
            for other in self.working.values()
            if other.closes
            and other.check.symbol == order.symbol
            and other.check.side is order.side
            and other.check.position_id == order.position_id
        )

    def _place_money(self) -> None:
        plan, position = self.plan, self.plan.position
        reference, rate = self.reference_milliticks, self.account_rate
        if not plan.needs_valuation or reference is None or rate is None or self.missing:
            self.symbol_money = None
            return
        instrument = plan.instrument
        buys, sells = (self.added_lots, 0) if self.buying else (0, self.added_lots)
        upper = instrument.exposure_money(position.worst_long_lots() + buys, reference)
        lower = instrument.exposure_money(position.worst_short_lots() - sells, reference)
        sides = [
            instrument.notional_money(lots, reference)
            for lots in (self.longest_lots, self.shortest_lots)
        ]
        upper, lower = ends_away(upper, lower, rate, self.offset_rate)
        symbol = self.symbol_money = converted_away(sum(sides), rate)
        margin = plan.margin_terms.initial_money(max(sides), rate, min(sides))
        self.symbol_margin_money = margin
        self._add_up(upper, lower, symbol, margin)


def is_closing(order: Check, books: Books) -> bool:
    """Return whether an order of a hedging account closes what is open, rather than opens."""
    closes = order.reduce_only or order.close_position
    return closes or _names_the_other_side(order, books)


def _marks(quote: Quote) -> tuple[int, int] | None:
    """Return what a long and what a short leg is valued at."""
    long, short = quote.mark_long, quote.mark_short
    return None if long is None or short is None else (long, short)


def _sizes(
    instrument: Instrument, sides: tuple[int, int], marks: tuple[int, int]
) -> tuple[int, int]:
    """Return the sizes of lots held long and of lots held short, each at its own mark."""
    long, short = (
        instrument.notional_money(lots, mark) for lots, mark in zip(sides, marks, strict=True)
    )
    return long, short


def _names_the_other_side(order: Check, books: Books) -> bool:
    leg = books.legs.get(order.position_id or "")
    return leg is not None and (leg.lots < 0) is (order.side is Side.BUY)
