"""What accounts hold, as the valuation book must know it to move them."""

from __future__ import annotations

from typing import NamedTuple

from engine.account import Account
from engine.boards import Boards
from engine.held import unrealized_of
from engine.high_water import HighWater
from engine.instruments import MILLI, Instrument
from engine.ledger import Position
from engine.limits import FIRM
from engine.lines import LineKey


class Held(NamedTuple):
    """What an account holds of a symbol, as it was told."""

    longs: int  # Lots, not signed.
    shorts: int
    holding: tuple[tuple[LineKey, float], ...]  # What it gains by a price, by line of the book.


FLAT = Held(0, 0, ())


class Holdings:
    """Tells the book what accounts hold, and only what changed."""

    def __init__(self, boards: Boards) -> None:
        self._boards = boards
        self._told: dict[int, dict[str, Held]] = {}  # By row and symbol.
        self._groups: dict[int, tuple[str, ...]] = {}  # In which a row's lots are counted.
        self._waters: dict[str, HighWater] = {}  # By account: a rebuilt one gets another row.
        self._keys: dict[LineKey, LineKey] = {}  # Each once, for there are few of them.
        self._ancestries: dict[tuple[str, ...], tuple[str, ...]] = {}

    def hold(self, account: Account) -> int | None:
        """Tell the book and the groups what an account holds, where that changed.

        Returns the row that it had before it was rebuilt, if it was: nothing moves that any more.
        """
        known = self._waters.get(account.id)
        released = None
        if known is not account.water:
            self._waters[account.id] = account.water
            if known is not None:
                self._release(known)
                released = known.row
        row, told = account.water.row, self._told.setdefault(account.water.row, {})
        groups = (*self._boards.ancestry(account.state.spec.group), FIRM)
        groups = self._ancestries.setdefault(groups, groups)
        counted = self._groups.get(row, ())
        for symbol, position in account.state.positions.items():
            before, now = told.get(symbol, FLAT), self._held(account, position)
            if counted != groups or before != now:
                self._count(symbol, before, counted, sign=-1)
                self._count(symbol, now, groups, sign=1)
            if before != now:
                self._hold(row, symbol, before, now)
                told[symbol] = now
        self._groups[row] = groups
        return released

    def _release(self, water: HighWater) -> None:
        """Let nothing move the row of an account that was rebuilt, and count it nowhere."""
        row = water.row
        for symbol, held in self._told.pop(row).items():
            self._hold(row, symbol, held, FLAT)
            self._count(symbol, held, self._groups[row], sign=-1)
        del self._groups[row]
        for currency in water.state.pockets:
            water.set_pocket(currency, 0, size_money=0)
        water.lose()

    def _hold(self, row: int, symbol: str, before: Held, now: Held) -> None:
        keys = [key for key, _ in now.holding]
        for key, _ in before.holding:
            if key not in keys:
                self._boards.book.hold(row, symbol, 0.0, key)
        for key, coefficient in now.holding:
            self._boards.book.hold(row, symbol, coefficient, key)

    def _count(self, symbol: str, held: Held, groups: tuple[str, ...], *, sign: int) -> None:
        for group in groups if held.longs or held.shorts else ():
            totals = self._boards.held.setdefault(group, {})
            longs, shorts = totals.get(symbol, (0, 0))
            totals[symbol] = longs + sign * held.longs, shorts + sign * held.shorts

    def _held(self, account: Account, position: Position) -> Held:
        """Return what is held of a symbol, and what that gains by its price.

        Sides are apart where they have other marks, and where legs stand side by side: their gross
        moves, though their equity may not.
        """
        books, instrument = position.books, self._boards.instruments[position.symbol]
        legs = [leg.lots for leg in books.legs.values()] if books.legs else [books.lots]
        longs, shorts = sum(x for x in legs if x > 0), -sum(x for x in legs if x < 0)
        if not longs and not shorts:
            return FLAT
        quote = self._boards.quotes.quotes[position.symbol]
        closing = self._boards.settings.mark == "closing"
        by_side = [(False, books.lots)]
        if closing or books.legs or quote.mark_long != quote.mark_short:
            by_side = [(False, longs), (True, -shorts)]
        holding = []
        for short, lots in by_side:
            if lots:
                key = LineKey(
                    settlement=instrument.settlement,
                    own=account.currency,
                    short=short,
                    inverse=instrument.inverse,
                    whole=instrument.exact_milli_value() != 0,
                )
                key = self._keys.setdefault(key, key)
                holding.append((key, _coefficient(instrument, lots)))
        return Held(longs, shorts, tuple(holding))

    def pocket(self, account: Account) -> None:
        """Put what the account has in foreign currencies into the book. Everything is known."""
        worth, size = self._foreign(account)
        for currency in worth | account.water.state.pockets:
            money = worth.get(currency, 0)
            account.water.set_pocket(currency, money, size_money=size.get(currency, 0))

    def await_rates(self, account: Account) -> None:
        """Let the first rate of any currency that the account has cash in wake it."""
        for currency in account.state.cash:
            if currency != account.currency:
                account.water.set_pocket(currency, 0, size_money=0)

    def _foreign(self, account: Account) -> tuple[dict[str, int], dict[str, int]]:
        """Return worth by foreign currency, and the most that one of its rate could move."""
        own, state, quotes = account.currency, account.state, self._boards.quotes.quotes
        worth = {currency: money for currency, money in state.cash.items() if currency != own}
        size = {currency: abs(money) for currency, money in worth.items()}
        for currency, money in state.day_unrated.items():
            size[currency] = size.get(currency, 0) + abs(money)  # Valued anew by every rate.
        for symbol, position in state.positions.items():
            instrument, quote = self._boards.instruments[symbol], quotes[symbol]
            currency, books = instrument.settlement, position.books
            lots = sum(abs(leg.lots) for leg in books.legs.values()) or abs(books.lots)
            if currency == own or not lots:
                continue
            profit = unrealized_of(books, instrument, quote)
            assert profit is not None  # The valuation found every mark.
            assert quote.mark_long is not None
            worth[currency] = worth.get(currency, 0) + profit
            exposure = instrument.notional_money(lots, quote.mark_long)
            size[currency] = size.get(currency, 0) + abs(profit) + exposure
        return worth, size


def _coefficient(instrument: Instrument, lots: int) -> float:
    """Return the money that lots gain by a thousandth of a tick, of an inverse one per 1/price."""
    if instrument.inverse:
        return lots * instrument.inverse_numerator / instrument.inverse_denominator
    return lots * instrument.tick_value_money / MILLI
