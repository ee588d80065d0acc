"""An account's money from the marks of now, kept up to date by looking only at what changed.

Everything is an integer of account money, 10^-12 of its currency: exact wherever no exchange rate
is involved, rounded half-even once per amount where one is.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.boards import Boards
from engine.facts import Missing
from engine.held import NO_FIGURES, STALE, Figures, Held, widened
from engine.ledger import Position
from engine.margin import margin_of
from engine.money import divide_half_even
from engine.rates import Rate, ends_away
from riskd.codes import RejectCode
from riskd.messages import AccountSpec


class Valuation:
    """Equity, worst-case exposures and margin; `refresh` brings them up to now. O(positions)."""

    __slots__ = (
        "_boards",
        "_boards_version",
        "_cash",
        "_cash_money",
        "_changes",
        "_currency",
        "_held",
        "_rates_version",
        "_touched",
        "epoch",
        "equity_money",
        "gross_money",
        "lower_money",
        "margin_money",
        "profit_money",
        "spec",
        "upper_money",
    )

    def __init__(self, boards: Boards, spec: AccountSpec, cash: dict[str, int]) -> None:
        self._boards = boards
        self.spec = spec
        self._currency = spec.currency
        self._cash = cash
        self._cash_money: int | None = None
        self._held: dict[str, Held] = {}
        self._rates_version = -1
        self._changes = -1  # Of marks, as of the last refresh.
        self._touched: list[Held] = []  # What else changed since then.
        self.epoch = -1  # Of the boards, at which every figure was of now; see `is_of`.
        self._boards_version = boards.version
        self.equity_money = 0
        self.profit_money = 0
        self.upper_money = 0
        self.lower_money = 0
        self.gross_money = 0
        self.margin_money = 0

    def hold(self, position: Position) -> None:
        """Count a position from now on."""
        symbol = position.symbol
        quote, instrument = self._boards.quotes.quotes[symbol], self._boards.instruments[symbol]
        held = self._held[symbol] = Held(position, quote)
        held.declare(instrument, self._boards.margin_terms(self.spec, instrument), self._currency)

    def position_changed(self, symbol: str) -> None:
        """Note that lots, cost or reservations of a symbol changed."""
        held = self._held[symbol]
        held.seen, self.epoch = STALE, -1
        self._touched.append(held)

    def cash_changed(self) -> None:
        """Note that some cash changed."""
        self._cash_money, self.epoch = None, -1

    def held(self, symbol: str) -> Held | None:
        """Return a symbol's part of the figures, after a refresh; None if nothing is held."""
        return self._held.get(symbol)

    def refresh(self) -> Missing | None:
        """Bring every figure up to the marks and rates of now; return what is missing, if any."""
        quotes = self._boards.quotes
        if self._boards_version != self._boards.version:
            self._hold_again()
        if quotes.rates_version != self._rates_version:
            self._rates_changed(quotes.rates_version)
        if quotes.changes != self._changes or self._touched:
            every = quotes.changes != self._changes
            missing = self._revalue(self._held.values() if every else self._touched)
            self._changes = quotes.changes if missing is None else -1
            if missing is not None:
                return missing
            self._touched.clear()
        if self._cash_money is None:
            missing = self._count_cash()
            if missing is not None:
                return missing
        self.equity_money = (self._cash_money or 0) + self.profit_money
        return None

    def is_of(self, epoch: int) -> bool:
        """Bring figures up to `epoch`, the boards' before an order; False if one is missing."""
        if self.epoch != epoch:
            if self.refresh() is not None:
                return False
            self.epoch = epoch
        return True

    def is_settled(self, holdings: int | None) -> bool:
        """Return whether nothing but marks changed since a refresh, and it has so many symbols."""
        return not self._touched and len(self._held) == holdings

    def linear_holdings(self) -> int | None:
        """Return how many symbols there are, None if not all figures move as the marks do."""
        is_plain = len(self._cash) == 1 and all(held.is_linear for held in self._held.values())
        return len(self._held) if is_plain else None

    def reserved(self, symbol: str, lots: int, *, buying: bool) -> None:
        """Note that working orders of a symbol reserve so many lots more, or fewer.

        Linear figures stay those of the mark that they were made from, in few steps.
        """
        held = self._held[symbol]
        if held.is_linear and held.seen != STALE:
            self.count_reserved(held, lots, buying=buying)
        else:
            self.position_changed(symbol)

    def count_reserved(self, held: Held, lots: int, *, buying: bool) -> None:
        """Count so many lots more in linear figures."""
        unit = held.unit
        if buying:
            held.upper_lots += lots
            self.upper_money += lots * unit
        else:
            held.lower_lots -= lots
            self.lower_money -= lots * unit
        upper_lots, lower_lots = held.upper_lots, held.lower_lots
        gross_lots = upper_lots if upper_lots >= -lower_lots else -lower_lots
        if gross_lots != held.gross_lots:
            self.gross_money += (gross_lots - held.gross_lots) * unit
            held.gross_lots = gross_lots
            numerator, denominator = held.terms.initial
            margin = -(-gross_lots * unit * numerator // denominator)
            self.margin_money += margin - held.margin
            held.margin = margin

    def used_money(self) -> int:
        """Return the initial margin of what is held, working orders apart. After a refresh."""
        used_money = 0
        for held in self._held.values():
            if held.is_linear:  # No rate, bracket or leg: `initial_money`, written out.
                numerator, denominator = held.terms.initial
                used_money -= -abs(held.lots) * held.unit * numerator // denominator
            elif (rate := self._exposure_rate(held)) is not None:
                size, smaller = self._sizes(held)
                used_money += held.terms.initial_money(size, rate, smaller)
        return used_money

    def maintenance_money(self) -> int:
        """Return the maintenance margin of what is held. After a refresh. O(positions)."""
        kept_money = 0
        for held in self._held.values():
            if (rate := self._exposure_rate(held)) is not None:
                size, smaller = self._sizes(held)
                kept_money += held.terms.maintenance_money(size, rate, smaller)
        return kept_money

    def _sizes(self, held: Held) -> tuple[int, int]:
        """Return what is held at its mark, and the smaller leg of a hedge, in settlement money."""
        lots, quote = held.position.books.lots, held.quote
        mark = quote.mark_long if lots >= 0 else quote.mark_short
        return held.instrument.notional_money(lots, mark) if lots and mark else 0, 0

    def currency_worst(self, currency: str, order_money: int, *, gains: bool) -> int | Missing:
        """Return the worst holding of a currency with an order, in account money, never under.

        The most that could be held if the order gains so much of it; if it takes that, the most
        that could be owed. Cash and unrealised P&L in the currency, and both legs of its pairs, as
        if the working orders of that direction filled and no others. After a refresh. O(positions).
        """
        lower = upper = self._cash.get(currency, 0) + (order_money if gains else -order_money)
        for held in self._held.values():
            position, instrument = held.position, held.instrument
            books, mark = position.books, held.quote.mark_long
            if currency == instrument.base and instrument.is_pair:
                lower += instrument.base_money(position.worst_short_lots())
                upper += instrument.base_money(position.worst_long_lots())
            elif currency != instrument.settlement or mark is None:
                continue
            elif instrument.is_pair:
                lower -= books.cost_money + instrument.value_money(position.open_buy_lots, mark)
                upper -= books.cost_money - instrument.value_money(position.open_sell_lots, mark)
            else:
                profit = instrument.value_money(books.lots, mark) - books.cost_money
                lower, upper = lower + profit, upper + profit
        quotes = self._boards.quotes
        rate = quotes.rate(currency, self._currency)
        wide = quotes.exposure_rate(currency, self._currency)
        if rate is None or wide is None:
            return self._no_rate(currency)
        upper, lower = ends_away(upper, lower, wide, rate)
        return upper if gains else -lower

    def _hold_again(self) -> None:
        """Take up instruments as they are declared now: their margin may have changed."""
        for held in list(self._held.values()):
            instrument = self._boards.instruments[held.position.symbol]
            terms = self._boards.margin_terms(self.spec, instrument)
            held.declare(instrument, terms, self._currency)
        self._changes = -1
        self._boards_version = self._boards.version

    def _rates_changed(self, rates_version: int) -> None:
        for held in self._held.values():
            if held.instrument.settlement != self._currency:
                held.seen = STALE
        if len(self._cash) > 1:
            self._cash_money = None
        self._rates_version, self._changes = rates_version, -1

    def convert(self, money: int, currency: str) -> int | None:
        """Return money in account currency, half-even; None if no rate is known."""
        rate = self._boards.quotes.rate(currency, self._currency)
        if rate is None:
            return None
        if rate.numerator == rate.denominator:
            return money
        return divide_half_even(money * rate.numerator, rate.denominator)

    def _revalue(self, held_symbols: Iterable[Held]) -> Missing | None:
        """Value what changed, up to the first of which something is missing: return what."""
        profit_money, upper_money, lower_money, gross_money, margin_money = NO_FIGURES
        missing = None
        for held in held_symbols:
            quote, seen = held.quote, held.seen
            version = quote.version
            if seen == version:
                continue
            mark = quote.mark_long if held.lots >= 0 else quote.mark_short
            if seen == STALE or not held.is_linear or mark is None or mark <= 0:
                missing = self._value(held)
                if missing is not None:
                    break
                continue
            unit, gross_lots = mark * held.scale, held.gross_lots  # The hottest loop.
            change = unit - held.unit
            profit_money += held.lots * change
            upper_money += held.upper_lots * change
            lower_money += held.lower_lots * change
            gross_money += gross_lots * change
            numerator, denominator = held.terms.initial
            margin = -(-gross_lots * unit * numerator // denominator)
            margin_money += margin - held.margin
            held.margin, held.unit, held.seen = margin, unit, version
        self._add((profit_money, upper_money, lower_money, gross_money, margin_money))
        return missing

    def _value(self, held: Held) -> Missing | None:
        figures = self._figures(held)
        if isinstance(figures, Missing):
            return figures
        profit, upper, lower, gross, margin = held.worth()
        held.take(figures)
        self._add(figures)
        self._add((-profit, -upper, -lower, -gross, -margin))
        return None

    def _add(self, figures: Figures) -> None:
        profit, upper, lower, gross, margin = figures
        self.profit_money += profit
        self.upper_money += upper
        self.lower_money += lower
        self.gross_money += gross
        self.margin_money += margin

    def _figures(self, held: Held) -> Figures | Missing:
        position, quote, instrument = held.position, held.quote, held.instrument
        lots = position.books.lots
        longest, shortest = lots + position.open_buy_lots, lots - position.open_sell_lots
        if not longest and not shortest and not lots:
            return NO_FIGURES
        mark = quote.mark_long if lots >= 0 else quote.mark_short
        if mark is None:
            return self._no_mark(held)
        unit = mark * held.milli_value
        if held.milli_value:  # The common case, written out: this is the hottest loop.
            profit, upper, lower = lots * unit, longest * unit, shortest * unit
        else:
            profit = instrument.value_money(lots, mark)
            upper = instrument.exposure_money(longest, mark)
            lower = instrument.exposure_money(shortest, mark)
        profit -= position.books.cost_money
        if instrument.settlement != self._currency:
            rate, wide = self._rate(held), self._exposure_rate(held)
            if rate is None or wide is None:
                return self._no_rate(instrument.settlement)
            profit = divide_half_even(profit * rate.numerator, rate.denominator)
            upper, lower = widened(upper, lower, rate, wide)
        gross = max(abs(upper), abs(lower))
        if held.terms.initial_brackets:
            margin = self._tiered(held, max(abs(longest), abs(shortest)), mark)
        else:
            margin = margin_of(gross, held.terms.initial)
        return profit, upper, lower, gross, margin

    def _tiered(self, held: Held, lots: int, mark: int) -> int:
        """Return the initial margin of the larger side; the rate is known."""
        rate = self._exposure_rate(held)
        assert rate is not None
        return held.terms.initial_money(held.instrument.notional_money(lots, mark), rate)

    def has_old_rate(self) -> bool:
        """Return whether a rate that counts in these figures is old: then they are incomplete."""
        quotes, own = self._boards.quotes, self._currency
        held = (x.instrument.settlement for x in self._held.values() if not x.position.is_idle())
        cash = (currency for currency, money in self._cash.items() if money)
        return any(quotes.is_old(currency, own) for currency in (*held, *cash))

    def _exposure_rate(self, held: Held) -> Rate | None:
        return self._boards.quotes.exposure_rate(held.instrument.settlement, self._currency)

    def _rate(self, held: Held) -> Rate | None:
        return self._boards.quotes.rate(held.instrument.settlement, self._currency)

    def _count_cash(self) -> Missing | None:
        total = 0
        for currency, money in self._cash.items():
            converted = money if currency == self._currency else 0
            if money and currency != self._currency:
                rated = self.convert(money, currency)
                if rated is None:
                    return self._no_rate(currency)
                converted = rated
            total += converted
        self._cash_money = total
        return None

    def _no_mark(self, held: Held) -> Missing:
        text = f"{held.position.symbol} is held without a mark"
        return Missing(RejectCode.NO_REFERENCE_PRICE, text)

    def _no_rate(self, currency: str) -> Missing:
        text = f"no exchange rate from {currency} to {self._currency}"
        return Missing(RejectCode.FX_MISSING, text)
