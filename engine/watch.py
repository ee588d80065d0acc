"""The watch over every account: its row of the book follows its ledger, its guards the prices.

Run by the market-data actor, between two ticks: what it reads of an account is what the last input
made of it. An account is looked at exactly, from its ledger, whenever its ledger changed and
whenever prices may have carried one of its measures over a threshold; in between nothing is asked.
"""

from __future__ import annotations

from math import inf

from engine.account import Account
from engine.boards import Boards
from engine.book import LineKey
from engine.facts import Facts, Moved, Stamp
from engine.high_water import HighWater
from engine.instruments import MILLI, Instrument
from engine.ledger import Position
from engine.valuation import unrealized_of

Holding = dict[LineKey, float]


class Watch:
    """Keeps the rows of all accounts true."""

    def __init__(self, boards: Boards, accounts: dict[str, Account]) -> None:
        self._boards = boards
        self._accounts = accounts
        self._owners: dict[int, Account] = {}  # By row.
        self._waters: dict[str, HighWater] = {}  # By account: a rebuilt one gets another row.
        self._held: dict[int, dict[str, Holding]] = {}  # What rows hold in the book.

    def take(self, moved: Moved, stamp: Stamp, facts: Facts) -> None:
        """Take a change of one account's ledger, or of what is declared for all."""
        self._wake(self._boards.book.exchange(stamp.recv_ns), stamp)
        if moved.account is None:
            for account in self._accounts.values():
                self._follow(account, moved, stamp)
        else:
            self._follow(self._accounts[moved.account], moved, stamp)

    def price(self, symbol: str, stamp: Stamp, facts: Facts) -> None:
        """Take the newest price of a symbol into every row that it moves."""
        woken = self._boards.book.moved(symbol, stamp.recv_ns)
        if woken:
            self._wake(woken, stamp)

    def restore(self) -> None:
        """Take up the accounts of a restored state."""
        for account in self._accounts.values():
            self._hold(account)

    def _wake(self, rows: list[int], stamp: Stamp) -> None:
        """Look at accounts that prices may have carried over a threshold, or made known."""
        for row in dict.fromkeys(rows):
            account = self._owners[row]
            if not account.water.is_known():
                self._follow(account, Moved(account.id), stamp)
            else:
                account.water.arm(inf)

    def _follow(self, account: Account, moved: Moved, stamp: Stamp) -> None:
        """Make an account's row what its ledger says now."""
        water = account.water
        self._hold(account)
        for currency, money in moved.transfers:
            water.state.unrated[currency] = water.state.unrated.get(currency, 0) + money
        if account.valuation.refresh() is not None:
            water.lose()
            for currency in account.state.cash:
                if currency != account.currency:  # Its rate will wake the account.
                    water.set_pocket(currency, 0, size_money=0)
        else:
            self._pocket(account)
            account.open_day()
            equity_money = account.valuation.equity_money
            water.anchor(equity_money, stamp.recv_ns, self._transferred_money(account))
        if moved.began:
            water.begin(week=moved.began == "week", now_ns=stamp.recv_ns)

    def _transferred_money(self, account: Account) -> int:
        """Return what was transferred and no span knows of, at the rates of now."""
        waiting, total = account.water.state.unrated, 0
        for currency, money in list(waiting.items()):
            converted = account.convert(money, currency)
            if converted is not None:
                total += converted
                del waiting[currency]
        return total

    def _hold(self, account: Account) -> None:
        """Tell the book what an account holds, where that changed."""
        row, book = account.water.row, self._boards.book
        known = self._waters.get(account.id)
        if known is not account.water:
            self._waters[account.id] = account.water
            if known is not None:
                self._release(known)
        self._owners[row] = account
        held = self._held.setdefault(row, {})
        for symbol, position in account.state.positions.items():
            before, now = held.get(symbol, {}), self._holding(account, position)
            if before == now:
                continue
            for key in before:
                if key not in now:
                    book.hold(row, symbol, 0.0, key)
            for key, coefficient in now.items():
                book.hold(row, symbol, coefficient, key)
            held[symbol] = now

    def _release(self, water: HighWater) -> None:
        """Let nothing move the row of an account that was rebuilt."""
        for symbol, holding in self._held.pop(water.row).items():
            for key in holding:
                self._boards.book.hold(water.row, symbol, 0.0, key)
        for currency in water.state.pockets:
            water.set_pocket(currency, 0, size_money=0)
        water.lose()
        del self._owners[water.row]

    def _holding(self, account: Account, position: Position) -> Holding:
        """Return what an account gains by a price, apart by side where sides have other marks."""
        books, instrument = position.books, self._boards.instruments[position.symbol]
        by_side = {False: books.lots}
        if self._boards.settings.mark == "closing":
            legs = [leg.lots for leg in books.legs.values()] or [books.lots]
            by_side = {short: sum(x for x in legs if (x < 0) is short) for short in (False, True)}
        return {
            LineKey(
                settlement=instrument.settlement,
                own=account.currency,
                short=short,
                inverse=instrument.inverse,
                whole=instrument.exact_milli_value() != 0,
            ): _coefficient(instrument, lots)
            for short, lots in by_side.items()
            if lots
        }

    def _pocket(self, account: Account) -> None:
        """Put what the account has in foreign currencies into the book. Everything is known."""
        own, state, quotes = account.currency, account.state, self._boards.quotes.quotes
        worth = {currency: money for currency, money in state.cash.items() if currency != own}
        size = {currency: abs(money) for currency, money in worth.items()}
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
        for currency in worth | account.water.state.pockets:
            money = worth.get(currency, 0)
            account.water.set_pocket(currency, money, size_money=size.get(currency, 0))


def _coefficient(instrument: Instrument, lots: int) -> float:
    """Return the money that lots gain by a thousandth of a tick, of an inverse one per 1/price."""
    if instrument.inverse:
        return lots * instrument.inverse_numerator / instrument.inverse_denominator
    return lots * instrument.tick_value_money / MILLI
