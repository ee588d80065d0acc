"""Profit and loss of an account, broken down: by symbol, by strategy, by timeframe.

Lines are in account money, an integer each; the lines of a breakdown sum to the account's own
line, and that to what its equity changed by beside transfers, to the last unit. Where an exchange
rate is involved each amount is rounded once, and what rates made of cash, roundings included, is
`revaluation`, on a line of its own. A strategy's realised P&L is that of its own fills: where one
closed what another had opened, the line `netted` says what the position realised of it instead.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from engine.account_state import AccountState, PeriodOpening
from engine.boards import Boards
from engine.books import Books
from engine.held import unrealized_of
from engine.instruments import Instrument
from engine.ledger import Position
from engine.nothing import NOTHING
from engine.quote import Quote
from engine.tags import UNTAGGED
from engine.valuation import Valuation

UNTAGGED_LINE, NETTED_LINE, CASH_LINE = "untagged", "netted", "cash"
PARTS = ("realized", "unrealized", "fees", "funding", "revaluation")
PERIODS = ("day", "week", "month")


class Breakdown(StrEnum):
    """What the P&L of an account is told by."""

    SYMBOL = "symbol"
    STRATEGY = "strategy"
    TIMEFRAME = "timeframe"


class Line(Struct):
    """The parts of a P&L since the account began, and its sum over shorter periods."""

    realized: int = 0
    unrealized: int = 0
    fees: int = 0  # Paid is negative.
    funding: int = 0
    revaluation: int = 0  # What exchange rates made of cash.
    day: int | None = 0  # None: not known since the period began.
    week: int | None = 0
    month: int | None = 0

    @property
    def life(self) -> int:
        """Return the sum of the parts."""
        return self.realized + self.unrealized + self.fees + self.funding + self.revaluation

    def add(self, other: Line, sign: int = 1) -> None:
        """Add the parts and the periods of another line, or take them away."""
        for name in PARTS:
            setattr(self, name, getattr(self, name) + sign * getattr(other, name))
        for name in PERIODS:
            mine, its = getattr(self, name), getattr(other, name)
            setattr(self, name, None if mine is None or its is None else mine + sign * its)

    def is_nothing(self) -> bool:
        """Return whether there is nothing to tell."""
        return not any(getattr(self, name) for name in (*PARTS, *PERIODS))


class Profits:
    """Reads the P&L of one account at the marks and rates of now."""

    __slots__ = ("_boards", "_state", "_valuation", "known")

    def __init__(self, state: AccountState, boards: Boards, valuation: Valuation) -> None:
        self._state, self._boards, self._valuation = state, boards, valuation
        self.known = valuation.refresh() is None  # Every mark and rate was.

    @property
    def complete(self) -> bool:
        """Return whether every mark and rate that counts is known, and none of them old."""
        return self.known and not self._valuation.has_old_rate()

    def total(self) -> Line:
        """Return the account's own line."""
        line = self._sum_of_positions()
        if self.known:
            line.revaluation = self.life_money() - line.life
        for name in PERIODS:
            setattr(line, name, self._since(name))
        return line

    def life_money(self) -> int:
        """Return equity less what was put in, at the rate of the day it was: all P&L there was."""
        invested = self._state.invested_money
        for currency, money in self._state.unrated.items():
            invested += self._valuation.convert(money, currency) or 0
        return self._valuation.equity_money - invested

    def lines(self, by: Breakdown) -> dict[str, Line]:
        """Return a line for each symbol, strategy or timeframe, and those that make up the sum."""
        found = self._lines(by)
        for name in PERIODS:
            opening = self._state.periods[name]
            opened = getattr(opening, by.value)
            for key in opened:
                found.setdefault(key, Line())
            known = opening.life_money is not None and self.known
            for key, line in found.items():
                setattr(line, name, line.life - opened.get(key, 0) if known else None)
        cash = found[CASH_LINE] = self.total()
        for key, line in found.items():
            if key != CASH_LINE:
                cash.add(line, -1)
        return {key: line for key, line in found.items() if not line.is_nothing()}

    def opening(self) -> PeriodOpening:
        """Return what a period that begins now is measured from; not known where it is not."""
        if not self.known:
            return PeriodOpening(life_money=None)
        symbol, strategy, timeframe = dict[str, int](), dict[str, int](), dict[str, int]()
        for position in self._state.positions.values():
            life = sum(self._parts_of(position.books, position)) + self._funding(position)
            symbol[position.symbol] = life
            if position.tags is None:
                for told in (strategy, timeframe):
                    told[UNTAGGED_LINE] = told.get(UNTAGGED_LINE, 0) + life
            else:
                self._add_lives(strategy, position.tags.strategy, position, life)
                self._add_lives(timeframe, position.tags.timeframe, position, life)
        return PeriodOpening(
            self.life_money(), symbol or NOTHING, strategy or NOTHING, timeframe or NOTHING
        )

    def _add_lives(
        self, told: dict[str, int], ledgers: dict[str, Books], position: Position, life: int
    ) -> None:
        """Add what each tag made of a position, and the rest, as `_tagged` tells it in parts."""
        rest = life
        for tag, books in ledgers.items():
            own = sum(self._parts_of(books, position))
            own += self._funding(position) if tag == UNTAGGED else 0
            key = tag or UNTAGGED_LINE
            told[key] = told.get(key, 0) + own
            rest -= own
        told[NETTED_LINE] = told.get(NETTED_LINE, 0) + rest

    def _since(self, period: str) -> int | None:
        opened = self._state.periods[period].life_money
        return None if opened is None or not self.known else self.life_money() - opened

    def _lines(self, by: Breakdown) -> dict[str, Line]:
        found: dict[str, Line] = {}
        for position in self._state.positions.values():
            whole = self._line(position)
            if by is Breakdown.SYMBOL:
                found[position.symbol] = whole
                continue
            for key, line in self._tagged(position, whole, by).items():
                found.setdefault(key, Line()).add(line)
        return found

    def _tagged(self, position: Position, whole: Line, by: Breakdown) -> dict[str, Line]:
        if position.tags is None:
            return {UNTAGGED_LINE: whole}
        ledgers = position.tags.strategy if by is Breakdown.STRATEGY else position.tags.timeframe
        found: dict[str, Line] = {}
        rest = Line()
        rest.add(whole)
        for tag, books in ledgers.items():
            line = Line(*self._parts_of(books, position))
            if tag == UNTAGGED:
                line.funding = whole.funding
            rest.add(line, -1)
            found[tag or UNTAGGED_LINE] = line
        found[NETTED_LINE] = rest
        return found

    def _sum_of_positions(self) -> Line:
        line = Line()
        for position in self._state.positions.values():
            line.add(self._line(position))
        return line

    def _line(self, position: Position) -> Line:
        return Line(*self._parts_of(position.books, position), funding=self._funding(position))

    def _funding(self, position: Position) -> int:
        funding = position.funding
        if funding is None:
            return 0
        return sum(self._converted(money, key) for key, money in funding.items())

    def _parts_of(self, books: Books, position: Position) -> tuple[int, int, int]:
        """Return what books have realised, what is unrealised, and fees, in account money."""
        instrument = self._boards.instruments[position.symbol]
        quote, settlement = self._boards.quotes.quotes[position.symbol], instrument.settlement
        unrealized = _unrealized(books, position, instrument, quote) or 0
        parts = (books.realized_money, unrealized, books.fees_money)
        if settlement != self._valuation.spec.currency:
            realized, unrealized, fees = (self._converted(money, settlement) for money in parts)
            parts = (realized, unrealized, fees)
        if not books.foreign_fees:
            return parts
        foreign = sum(self._converted(money, key) for key, money in books.foreign_fees.items())
        return parts[0], parts[1], parts[2] + foreign

    def _converted(self, money: int, currency: str) -> int:
        return self._valuation.convert(money, currency) or 0 if money else 0


def _unrealized(
    books: Books, position: Position, instrument: Instrument, quote: Quote
) -> int | None:
    """Return the unrealised P&L of a position, or of one of its tags at the position's own mark."""
    if books is position.books or books.legs:
        return unrealized_of(books, instrument, quote)
    mark = quote.mark_long if position.books.lots >= 0 else quote.mark_short
    if not books.lots or mark is None:
        return -books.cost_money
    return instrument.value_money(books.lots, mark) - books.cost_money
