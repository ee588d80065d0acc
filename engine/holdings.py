"""What accounts hold, as the valuation book must know it to move them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from engine.account import Account
from engine.boards import Boards
from engine.group_row import NOTHING, Change, GroupHeld, Part
from engine.held import unrealized_of
from engine.high_water import HighWater
from engine.ledger import Position
from engine.limits import FIRM
from engine.lines import Holding, Tally, holding_of

Transfers = tuple[tuple[str, int], ...]  # Currency and money that was put in.


class Held(NamedTuple):
    """What an account holds of a symbol, as it was told."""

    longs: int
    shorts: int
    cost_money: int
    is_apart: bool | None  # Longs and shorts are on lines of their own; None: it is on no line.

    def total(self) -> GroupHeld:
        """Return what its groups count."""
        return GroupHeld(self.longs, self.shorts, self.cost_money)


class Above(NamedTuple):
    """Where an account is counted, and with what beside its positions."""

    groups: tuple[str, ...]
    cash: tuple[tuple[str, int], ...]


FLAT = Held(*NOTHING, None)
NOWHERE = Above((), ())
Counted = tuple[int, int]  # What a row counts from, and what it was worth when its day began.


class Holdings:
    """Tells the book and the groups what accounts hold, and only what changed."""

    def __init__(self, boards: Boards) -> None:
        self._boards = boards
        self._told: dict[int, dict[str, Held]] = {}  # By row and symbol.
        self._above: dict[int, Above] = {}  # By row.
        self._counted: dict[int, Counted] = {}  # By row whose equity is known.
        self._waters: dict[str, HighWater] = {}  # By account: a rebuilt one gets another row.
        self._ancestries: dict[tuple[str, ...], tuple[str, ...]] = {}
        self.moved: dict[str, None] = {}  # Groups whose rows are to be made true.

    def hold(self, account: Account, transfers: Transfers = ()) -> int | None:
        """Tell the book and the groups what an account holds, where that changed.

        Returns the row that it had before it was rebuilt, if it was: nothing moves that any more.
        """
        known, released = self._waters.get(account.id), None
        if known is not account.water:
            self._waters[account.id] = account.water
            if known is not None:
                self._replace(known, account.water)
                released = known.row
        groups = self._groups_of(account)
        before = self._above.get(account.water.row, NOWHERE)
        self._leave(account.water, [group for group in before.groups if group not in groups])
        self._move(account, groups, self._tell(account), dict(transfers))
        return released

    def remove(self, name: str) -> int:
        """Let an account that is closed count nowhere; return its row, which nothing moves more."""
        water = self._waters.pop(name)
        row = water.row
        self._leave(water, list(self._above[row].groups))
        for symbol, held in self._told.pop(row).items():
            self._boards.book.hold_lines(row, symbol, self._lines_of(water, symbol, held), ())
        for currency in water.state.pockets:
            water.set_pocket(currency, 0, size_money=0)
        water.lose()
        del self._above[row]
        self._counted.pop(row, None)
        return row

    def take_up(self, accounts: Iterable[Account]) -> None:
        """Tell what the accounts of a restored state hold: the rows know what it is worth.

        Each group is told once, of all of its accounts together.
        """
        parts: dict[tuple[str, ...], Part] = {}
        for account in accounts:
            groups = self._groups_of(account)
            part = parts.setdefault(groups, Part())
            part.add(self._tell(account), account.state.cash)
            self._waters[account.id] = account.water
            self._above[account.water.row] = Above(groups, tuple(account.state.cash.items()))
        for groups, part in parts.items():
            for group in groups:
                self._boards.group_row(group).take_up(part)

    def count(self, account: Account) -> None:
        """Count an account in what the day of its groups began with."""
        row, state = account.water.row, account.water.state
        before, now = self._counted.get(row), None
        if state.equity_money is not None and state.day is not None:
            now = (state.base_money, state.day.opened_money)
        if before != now:
            for group in self._above[row].groups:
                self._count(group, account.water, before=before, now=now)
        if now is None:
            self._counted.pop(row, None)
        else:
            self._counted[row] = now
        if before is None or now is None or before[1] != now[1]:
            self.moved |= dict.fromkeys(self._above[row].groups)

    def _count(
        self, group: str, water: HighWater, *, before: Counted | None, now: Counted | None
    ) -> None:
        tally = self._boards.group_row(group).tallies.setdefault(water.own, Tally())
        for sign, counted in ((-1, before), (1, now)):
            if counted is not None:
                tally.base_money += sign * counted[0]
                tally.opened_money += sign * counted[1]
        if now is None:
            tally.rows.drop(water.row)
        else:
            tally.rows.put(water.row, 1.0)

    def _tell(self, account: Account) -> list[Change]:
        """Tell the book what an account holds; return what changed."""
        row = account.water.row
        told, changes = self._told.setdefault(row, {}), []
        for symbol, position in account.state.positions.items():
            before, now = told.get(symbol, FLAT), self._held(position)
            if before != now:
                lines = (self._lines_of(account.water, symbol, held) for held in (before, now))
                self._boards.book.hold_lines(row, symbol, *lines)
                told[symbol] = now
                if before is FLAT:
                    changes.append((symbol, now.total()))
                elif before[:-1] != now[:-1]:
                    changes.append((symbol, now.total().plus(before.total(), -1)))
        return changes

    def _move(
        self,
        account: Account,
        groups: tuple[str, ...],
        changes: list[Change],
        transfers: dict[str, int],
    ) -> None:
        """Take the changes of an account into its groups: into those that it joins all it has."""
        row, cash = account.water.row, account.state.cash
        before = self._above.get(row, NOWHERE)
        told = dict(before.cash)
        spent = {x: money - told.get(x, 0) for x, money in cash.items()}
        spent = {currency: money for currency, money in spent.items() if money}
        if before.groups == groups and not (changes or spent or transfers):
            return
        for group in groups:
            above = self._boards.group_row(group)
            if group in before.groups:
                above.change(changes, spent)
                above.transfer(transfers)
            else:
                above.members += 1
                above.transfer(above.change(self._all_of(row), cash))
                self._count(group, account.water, before=None, now=self._counted.get(row))
            self.moved[group] = None
        self._above[row] = Above(groups, tuple(cash.items()))

    def _leave(self, water: HighWater, groups: list[str]) -> None:
        """Take a row out of groups, with what they were told of it."""
        row, cash = water.row, self._above.get(water.row, NOWHERE).cash
        past = [(symbol, NOTHING.plus(held, -1)) for symbol, held in self._all_of(row)]
        for group in groups:
            above = self._boards.group_row(group)
            above.members -= 1
            gone = {currency: -money for currency, money in cash}
            above.transfer(above.change(past, gone))
            self._count(group, water, before=self._counted.get(row), now=None)
            self.moved[group] = None

    def _replace(self, known: HighWater, water: HighWater) -> None:
        """Let a rebuilt account's new row stand where its old one did, which nothing moves more."""
        old, new = known.row, water.row
        told = self._told[new] = {}
        for symbol, held in self._told.pop(old).items():
            self._boards.book.hold_lines(old, symbol, self._lines_of(known, symbol, held), ())
            told[symbol] = held._replace(is_apart=None)
        above = self._above[new] = self._above.pop(old)
        counted = self._counted.pop(old, None)
        if counted is not None:
            self._counted[new] = counted
            for group in above.groups:
                rows = self._boards.group_row(group).tallies[water.own].rows
                rows.drop(old)
                rows.put(new, 1.0)
        for currency in known.state.pockets:
            known.set_pocket(currency, 0, size_money=0)
        known.lose()

    def _all_of(self, row: int) -> list[Change]:
        return [(symbol, held.total()) for symbol, held in self._told.get(row, {}).items()]

    def _groups_of(self, account: Account) -> tuple[str, ...]:
        groups = (*self._boards.ancestry(account.state.spec.group), FIRM)
        return self._ancestries.setdefault(groups, groups)

    def _held(self, position: Position) -> Held:
        """Return what is held of a symbol.

        Sides are apart where they have other marks, and where legs stand side by side: their gross
        moves, though their equity may not.
        """
        books, quotes = position.books, self._boards.quotes
        longs, shorts, is_apart = max(books.lots, 0), max(-books.lots, 0), bool(books.legs)
        if books.legs:
            legs = [leg.lots for leg in books.legs.values()]
            longs, shorts = sum(x for x in legs if x > 0), -sum(x for x in legs if x < 0)
        if not longs and not shorts:
            return FLAT
        is_apart = is_apart or quotes.tells_sides(quotes.quotes[position.symbol])
        return Held(longs, shorts, books.cost_money, is_apart)

    def _lines_of(self, water: HighWater, symbol: str, held: Held) -> Holding:
        """Return what a row gains by the price of what is held."""
        if held.is_apart is None:
            return ()
        by_side: tuple[tuple[bool, int], ...] = ((False, held.longs - held.shorts),)
        if held.is_apart:
            by_side = ((False, held.longs), (True, -held.shorts))
        return holding_of(self._boards.instruments[symbol], by_side, water.own)

    def pocket(self, account: Account) -> None:
        """Put what the account has in foreign currencies into the book. Everything is known."""
        worth, size = self._foreign(account)
        for currency in {**worth, **account.water.state.pockets}:
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
