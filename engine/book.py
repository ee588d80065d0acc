"""The valuation book: what must be true on every tick of every account, by one update a tick.

A row is an account. A price moves the equity of each holder by a coefficient of its own times the
change: one pass over the holders, a plain loop over a few, numpy over many. What has no memory
(exposures, margins) is made exactly from the ledger when it is asked for; kept here is what has
one, peak, trough, low and deepest fall, and `slack`: how far prices may still move the row before
one of its guards could have changed. A guard moves at most as far as the positions it is made of,
so the guards of a row whose slack is not used up need not be looked at: see `engine/guards.py`.

Figures are float64 and whole units of money, counted from the row's base, its exact equity at its
last change. For an account that trades in its own currency every step is exact below 2**53 units
times what divides them all (a tick of 0.01: ten billion). A step through an exchange rate, or of an
inverse contract, is rounded to the unit; the sweep measures what that comes to.
"""

from __future__ import annotations

from math import inf, nan

import numpy as np
from numpy.typing import NDArray

from engine.holders import LOOP_MAX, Holders
from engine.lines import Column, Exchange, Holding, Line, LineKey, Tally
from engine.quote import Quote
from engine.quotes import QuoteBoard

_lowest, _is_any = np.minimum.reduce, np.logical_or.reduce  # As methods, without their frames.
Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


class Book:
    """Rows of running figures, moved by prices and rates; written by the market-data actor."""

    def __init__(self, quotes: QuoteBoard) -> None:
        self._quotes = quotes
        self._rates_version = quotes.rates_version
        self.rows = 0
        self.equity = Column("d", nan)  # No number: not known, and no part of anything.
        self.slack = Column("d", inf)
        self.peak = Column("d", nan)  # The highest equity since the day began.
        self.trough = Column("d", nan)  # The lowest since that peak.
        self.low = Column("d", nan)  # The lowest since the day began.
        self.fall = Column("d", nan)  # The deepest from an earlier peak of the day.
        self.peak_ns = Column("q", 0)  # When equity was last at the peak.
        self.worth = Column("d", 0.0)  # Of a pocket: cash and profit in a foreign currency.
        self.size = Column("d", 0.0)  # Of a pocket: what a rate of one more could move at most.
        self.row_of = Column("q", 0)  # Of a pocket.
        self._pockets: dict[tuple[int, str], int] = {}
        self._lines: dict[str, dict[LineKey, Line]] = {}
        self._exchanges: dict[tuple[str, str], Exchange] = {}
        self._woken: list[int] = []

    def open_row(self) -> int:
        """Return a new row; it takes no part in anything until it is anchored."""
        row = self.rows
        self.rows += 1
        if row == len(self.equity.one):
            for column in (self.equity, self.slack, self.peak, self.trough, self.low, self.fall):
                column.grow(2 * row)
            self.peak_ns.grow(2 * row)
        return row

    def equity_money(self, tally: Tally) -> int:
        """Return what the accounts of a currency are worth together. O(accounts), in numpy."""
        return tally.base_money + int(self.equity.many[tally.rows.rows()].sum())

    def hold(self, row: int, symbol: str, coefficient: float, key: LineKey) -> None:
        """Let a row hold a symbol: its money per thousandth of a tick, zero to hold no more.

        Of an inverse contract: its money times the price. In settlement currency, signed.
        """
        line = self._line(symbol, key)
        member = row if line.exchange is None else self._pocket(row, line.exchange)
        if coefficient:
            line.holders.put(member, coefficient)
        else:
            line.holders.drop(member)

    def hold_lines(self, row: int, symbol: str, before: Holding, now: Holding) -> None:
        """Let a row hold a symbol on these lines, and no more on those before."""
        if before == now:
            return
        keys = [key for key, _ in now]
        for key, _ in before:
            if key not in keys:
                self.hold(row, symbol, 0.0, key)
        for key, coefficient in now:
            self.hold(row, symbol, coefficient, key)

    def set_pocket(self, row: int, currency: str, own: str, worth: float, *, size: float) -> None:
        """Put what a row has in a foreign currency, and what its rate could move at most."""
        number = self._pocket(row, self._exchange(currency, own))
        self.worth.one[number], self.size.one[number] = worth, size

    def pocket_worth(self, row: int, currency: str) -> float:
        """Return what a row has in a foreign currency."""
        worth: float = self.worth.one[self._pockets[row, currency]]
        return worth

    def pocket_size(self, row: int, currency: str) -> float:
        """Return what a rate of one more could move of it at most."""
        size: float = self.size.one[self._pockets[row, currency]]
        return size

    def set_unknown(self, row: int) -> None:
        """Take a row out of everything until it is anchored again."""
        self.equity.one[row], self.slack.one[row] = nan, inf

    def moved(self, symbol: str, now_ns: int) -> list[int]:
        """Take the newest price of a symbol in; return the rows whose guards must be looked at.

        Those whose slack is used up, and those that hold what had no price or no rate until now.
        """
        self._woken = woken = list[int]()
        lines = self._lines.get(symbol, {})
        if len(lines) == 1 and self._rates_version == self._quotes.rates_version:
            (line,) = lines.values()
            if line.whole and line.exchange is None:  # The common case: one pass.
                change = self._step(line, self._quotes.quotes[symbol])
                if change:
                    few = line.holders.count <= LOOP_MAX
                    move = self.move_few if few else self.move_many
                    move(line.holders, change, now_ns)
                return woken
        quote = self._quotes.quotes[symbol]
        steps = tuple((line, self._step(line, quote)) for line in lines.values())
        self._move_lines(steps, now_ns)
        return woken

    def exchange(self, now_ns: int) -> list[int]:
        """Take the rates of now in, as `moved` does for a price."""
        self._woken = woken = list[int]()
        self._move_lines((), now_ns)
        return woken

    def _move_lines(self, steps: tuple[tuple[Line, float], ...], now_ns: int) -> None:
        """Move by a price and by the rates it makes, then look at the extremes.

        Not in between: no account was ever worth what half of a change makes it.
        """
        moved = [line for line, change in steps if self._shift(line, change)]
        exchanged = self._exchange_all()
        for line in moved:
            self._lift(line.holders, now_ns, pockets=line.exchange is not None)
        for exchange in exchanged:
            self._lift(exchange.pockets, now_ns, pockets=True)

    def _exchange_all(self) -> list[Exchange]:
        """Put the rates of now in force; return the exchanges whose pockets moved."""
        moved: list[Exchange] = []
        if self._rates_version == self._quotes.rates_version:
            return moved
        self._rates_version = self._quotes.rates_version
        for exchange in self._exchanges.values():
            before, now = exchange.rate, self._rate(exchange.source, exchange.own)
            exchange.rate = now
            if exchange.is_old is not self._quotes.is_old(exchange.source, exchange.own):
                exchange.is_old = not exchange.is_old
                self._woken += self.row_of.many[exchange.pockets.rows()].tolist()
            if now is None or now == before or not exchange.pockets.count:
                continue
            if before is None:
                self._woken += self.row_of.many[exchange.pockets.rows()].tolist()
            else:
                self._shift_rate(exchange.pockets, now - before)
                moved.append(exchange)
        return moved

    def _rate(self, source: str, own: str) -> float | None:
        rate = self._quotes.rate(source, own)
        return None if rate is None else rate.numerator / rate.denominator

    def _step(self, line: Line, quote: Quote) -> float:
        """Take a line's price in; return by how much it changed, zero if it was not known."""
        mark = quote.mark_short if line.short else quote.mark_long
        before = line.mark
        if mark == before or mark is None:
            return 0.0
        line.mark = mark
        if before is None:
            members = line.holders.rows()
            rows = members if line.exchange is None else self.row_of.many[members]
            self._woken += rows.tolist()
            return 0.0
        if line.inverse:  # Of 1 / price with its sign, as a difference that cancels nothing.
            return (mark - before) / (mark * before)
        return float(mark - before)

    def move_many(self, holders: Holders, change: float, now_ns: int) -> None:
        """Shift and lift holders in numpy, where nothing else moves the same rows."""
        moved = holders.coefficients() * change
        self._add(holders.rows(), moved, np.abs(moved))
        self._lift_many(holders.rows(), now_ns)

    def move_few(self, holders: Holders, change: float, now_ns: int) -> None:
        """Do the same in a plain loop, in one pass."""
        equity, slack = self.equity.one, self.slack.one
        peak, trough = self.peak.one, self.trough.one
        for row, coefficient in holders.few():
            moved = coefficient * change
            worth = equity[row] = equity[row] + moved
            left = slack[row] = slack[row] - (moved if moved > 0 else -moved)
            if left < 0:
                self._woken.append(row)
            if worth >= peak[row]:
                self._rise(row, worth, now_ns)
            elif worth < trough[row]:
                self._sink(row, worth)

    def _shift(self, line: Line, change: float) -> bool:
        """Move the equity of all holders of a line; return whether anything moved."""
        holders, exchange = line.holders, line.exchange
        if not change or not holders.count:
            return False
        rate = None if exchange is None else exchange.rate
        if exchange is not None and rate is None:
            return False  # What they are worth is not known.
        if holders.count <= LOOP_MAX:
            self._shift_few(line, change, rate)
            return True
        moved = holders.coefficients() * change
        if not line.whole:
            np.rint(moved, out=moved)
        rows = members = holders.rows()
        if rate is not None:
            self.worth.many[members] += moved
            self.size.many[members] += 2 * np.abs(moved)  # Worth and exposure may both have grown.
            moved *= rate
            np.rint(moved, out=moved)
            rows = self.row_of.many[members]
        self._add(rows, moved, np.abs(moved))
        return True

    def _shift_few(self, line: Line, change: float, rate: float | None) -> None:
        """Do the same in a plain loop; `round` and `rint` both go to the even one."""
        for member, coefficient in line.holders.few():
            moved, row = coefficient * change, member
            if not line.whole:
                moved = float(round(moved))
            if rate is not None:
                self.worth.one[member] += moved
                self.size.one[member] += 2 * abs(moved)
                moved, row = float(round(moved * rate)), self.row_of.one[member]
            self._add_one(row, moved, abs(moved))

    def _shift_rate(self, holders: Holders, change: float) -> None:
        if holders.count <= LOOP_MAX:
            for pocket, _ in holders.few():
                moved = float(round(self.worth.one[pocket] * change))
                self._add_one(self.row_of.one[pocket], moved, self.size.one[pocket] * abs(change))
            return
        pockets = holders.rows()
        shifted = np.rint(self.worth.many[pockets] * change)
        self._add(self.row_of.many[pockets], shifted, self.size.many[pockets] * abs(change))

    def _add_one(self, row: int, moved: float, used: float) -> None:
        self.equity.one[row] += moved
        left = self.slack.one[row] = self.slack.one[row] - used
        if left < 0:
            self._woken.append(row)

    def _add(self, rows: Rows, moved: Floats, used: Floats) -> None:
        """Move equities and use slack up; a row occurs once."""
        self.equity.many[rows] += moved
        left = self.slack.many[rows]
        left -= used
        self.slack.many[rows] = left
        if _lowest(left) < 0:
            self._woken += rows[left < 0].tolist()

    def _lift(self, holders: Holders, now_ns: int, *, pockets: bool) -> None:
        """Take the equities of now into the extremes."""
        if holders.count > LOOP_MAX:
            members = holders.rows()
            self._lift_many(self.row_of.many[members] if pockets else members, now_ns)
            return
        for member, _ in holders.few():
            row = self.row_of.one[member] if pockets else member
            worth = self.equity.one[row]
            if worth >= self.peak.one[row]:
                self._rise(row, worth, now_ns)
            elif worth < self.trough.one[row]:
                self._sink(row, worth)

    def _lift_many(self, rows: Rows, now_ns: int) -> None:
        worth = self.equity.many[rows]
        risen = worth >= self.peak.many[rows]
        if _is_any(risen):
            up, tops = rows[risen], worth[risen]
            fall = self.peak.many[up] - self.trough.many[up]
            self.fall.many[up] = np.maximum(self.fall.many[up], fall)
            self.peak.many[up] = self.trough.many[up] = tops
            self.peak_ns.many[up] = now_ns
        sunk = worth < self.trough.many[rows]
        if _is_any(sunk):
            down, lows = rows[sunk], worth[sunk]
            self.trough.many[down] = lows
            self.low.many[down] = np.minimum(self.low.many[down], lows)

    def _rise(self, row: int, worth: float, now_ns: int) -> None:
        fall = self.peak.one[row] - self.trough.one[row]
        self.fall.one[row] = max(self.fall.one[row], fall)
        self.peak.one[row] = self.trough.one[row] = worth
        self.peak_ns.one[row] = now_ns

    def _sink(self, row: int, worth: float) -> None:
        self.trough.one[row] = worth
        self.low.one[row] = min(self.low.one[row], worth)

    def _line(self, symbol: str, key: LineKey) -> Line:
        lines = self._lines.get(symbol)
        if lines is None:
            lines = self._lines[symbol] = {}
        line = lines.get(key)
        if line is None:
            own = key.settlement == key.own
            exchange = None if own else self._exchange(key.settlement, key.own)
            line = lines[key] = Line(key, exchange)
            quote = self._quotes.quotes[symbol]
            line.mark = quote.mark_short if key.short else quote.mark_long
            self._lines[symbol] = dict(sorted(lines.items()))
        return line

    def _exchange(self, source: str, own: str) -> Exchange:
        exchange = self._exchanges.get((source, own))
        if exchange is None:
            exchange = self._exchanges[source, own] = Exchange(source, own)
            exchange.rate = self._rate(source, own)
            exchange.is_old = self._quotes.is_old(source, own)
            self._exchanges = dict(sorted(self._exchanges.items()))  # One order in every run.
        return exchange

    def _pocket(self, row: int, exchange: Exchange) -> int:
        key = (row, exchange.source)
        number = self._pockets.get(key)
        if number is None:
            number = self._pockets[key] = len(self._pockets)
            if number == len(self.worth.one):
                for column in (self.worth, self.size, self.row_of):
                    column.grow(2 * number)
            self.row_of.one[number] = row
            exchange.pockets.put(number, 1.0)
        return number
