"""A group, or the firm, as a row of the book: as if one account held all that its accounts do.

Its equity is in the firm's currency: the cash of every account and what their positions stand at,
each currency converted once. Ticks move it and lift its peaks as those of any account. Money that
comes with an account that joins, or goes with one that leaves, is a transfer: no profit, no loss.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, field

from engine.book import Book
from engine.high_water import HighWater, HighWaterState
from engine.instruments import Instrument
from engine.lines import Holding, Tally, holding_of
from engine.nothing import forget, own
from engine.quotes import QuoteBoard
from engine.rates import converted


class GroupState(Struct):
    """What must not be forgotten of a group's row."""

    currency: str  # The firm's, which everything here is in.
    day: str = ""  # The calendar day that has begun for it.
    week: str = ""
    water: HighWaterState = field(default_factory=HighWaterState)


class GroupHeld(NamedTuple):
    """One symbol over all accounts of a group."""

    longs: int = 0  # Lots, not signed.
    shorts: int = 0
    cost_money: int = 0

    def plus(self, other: GroupHeld, sign: int = 1) -> GroupHeld:
        """Return both together, or the difference."""
        return GroupHeld(
            self.longs + sign * other.longs,
            self.shorts + sign * other.shorts,
            self.cost_money + sign * other.cost_money,
        )


NOTHING = GroupHeld()
Change = tuple[str, GroupHeld]  # A symbol, and by how much it changed.


class Part:
    """What some accounts of a group have together, while it is summed up."""

    __slots__ = ("cash", "held", "members")

    def __init__(self) -> None:
        self.held: dict[str, list[int]] = {}  # As in `GroupHeld`.
        self.cash: dict[str, int] = {}
        self.members = 0

    def add(self, changes: list[Change], cash: dict[str, int]) -> None:
        """Count one account more."""
        for symbol, (longs, shorts, cost_money) in changes:
            held = self.held.get(symbol)
            if held is None:
                self.held[symbol] = [longs, shorts, cost_money]
            else:
                held[0] += longs
                held[1] += shorts
                held[2] += cost_money
        _add(self.cash, cash)
        self.members += 1


class GroupRow:
    """The totals of one group, and its row."""

    def __init__(
        self, state: GroupState, book: Book, quotes: QuoteBoard, instruments: dict[str, Instrument]
    ) -> None:
        self.state = state
        self.own = state.currency
        self.water = HighWater(book, self.own, state.water)
        self.held: dict[str, GroupHeld] = {}
        self.cash: dict[str, int] = {}
        self.members = 0  # Accounts.
        self.tallies: dict[str, Tally] = {}  # Of those whose equity is known, by their currency.
        self._book, self._quotes, self._instruments = book, quotes, instruments
        self._lines: dict[str, Holding] = {}
        self._gained: dict[str, int] = {}  # Since the row was made true, by currency.
        self._is_lost = False  # Something changed whose worth is not known.

    def change(self, changes: list[Change], cash: dict[str, int]) -> dict[str, int]:
        """Take what the positions and the cash of its accounts changed by; return its worth."""
        gained = dict(cash)
        for symbol, change in changes:
            before = self.held.get(symbol, NOTHING)
            now = self.held[symbol] = before.plus(change)
            self.tell(symbol)
            was, stands = self.worth(symbol, before), self.worth(symbol, now)
            if was is None or stands is None:
                self._is_lost = True
            else:
                settlement = self._instruments[symbol].settlement
                gained[settlement] = gained.get(settlement, 0) + stands - was
        _add(self.cash, cash)
        _add(self._gained, gained)
        return gained

    def take_up(self, part: Part) -> None:
        """Count what accounts of a restored state hold: the row knows what it is worth."""
        for symbol, held in part.held.items():
            self.held[symbol] = self.held.get(symbol, NOTHING).plus(GroupHeld(*held))
            self.tell(symbol)
        _add(self.cash, part.cash)
        self.members += part.members

    def transfer(self, money: dict[str, int]) -> None:
        """Note that this much of what was gained is no profit."""
        if money:
            _add(own(self.state.water, "unrated"), money)

    def replace(self, before: GroupRow) -> None:
        """Take over the totals of a row in another currency; nothing moves that any more."""
        self.held, self.cash, self.members = before.held, before.cash, before.members
        self.tallies, self._is_lost = before.tallies, True
        for symbol in before.held:
            before._book.hold_lines(before.water.row, symbol, before._lines[symbol], ())
            self.tell(symbol)
        for currency in before.state.water.pockets:
            before.water.set_pocket(currency, 0, size_money=0)
        before.water.lose()

    def tell(self, symbol: str) -> None:
        """Let the book move the row by a symbol as much as it is held."""
        held, quote = self.held[symbol], self._quotes.quotes[symbol]
        by_side: tuple[tuple[bool, int], ...] = ((False, held.longs - held.shorts),)
        if self._quotes.tells_sides(quote):
            by_side = ((False, held.longs), (True, -held.shorts))
        now = holding_of(self._instruments[symbol], by_side, self.own)
        self._book.hold_lines(self.water.row, symbol, self._lines.get(symbol, ()), now)
        self._lines[symbol] = now

    def settle(self, now_ns: int) -> None:
        """Make the row true to what changed, its extremes to what it is worth now."""
        water, quotes = self.water, self._quotes
        equity_money = water.equity_money()
        if equity_money is None or self._is_lost:
            self.measure(now_ns)
            return
        if not self._gained and not water.state.unrated:
            return
        for currency, money in self._gained.items():
            rate = quotes.rate(currency, self.own)
            if rate is None:
                self.measure(now_ns)
                return
            before = 0 if currency == self.own else water.pocket_money(currency)
            equity_money += converted(before + money, rate) - converted(before, rate)
            if currency != self.own:
                self._put(currency, before + money)
        self._gained.clear()
        water.anchor(equity_money, now_ns, self._transferred_money())

    def measure(self, now_ns: int) -> None:
        """Make the row anew from all that the group has; it is not known while something is not."""
        self._gained.clear()
        self._is_lost = False
        worth, equity_money = self._worths(), self.exact_money()
        for currency in (*self.water.state.pockets, *worth):
            if currency != self.own:
                self._put(currency, worth.get(currency, 0) if equity_money is not None else 0)
        if equity_money is None:
            self.water.lose()
        else:
            self.water.anchor(equity_money, now_ns, self._transferred_money())

    def await_rates(self) -> None:
        """Let the first rate of any currency wake the row, whose worth is not known."""
        for currency in self._worths():
            if currency != self.own:
                self._put(currency, 0)

    def exact_money(self) -> int | None:
        """Return what the group is worth, made from all that it has; None if that is not known."""
        total = 0
        for currency, money in self._worths().items():
            rate = self._quotes.rate(currency, self.own)
            if rate is None or money is None:
                return None
            total += converted(money, rate)
        return total

    def has_old_rate(self) -> bool:
        """Return whether a rate that counts is old: then the figures are incomplete."""
        return any(self._quotes.is_old(currency, self.own) for currency in self._worths())

    def loss_money(self) -> int | None:
        """Return what the accounts lost since their days began; None if that is not known."""
        opened = 0
        for currency, tally in self.tallies.items():
            rate = self._quotes.rate(currency, self.own)
            if rate is None:
                return None
            opened += converted(tally.opened_money, rate)
        equity = self.water.equity_money()
        known = sum(tally.rows.count for tally in self.tallies.values())
        return None if equity is None or known < self.members else opened - equity

    def size_pockets(self) -> None:
        """Say how much a rate could move: equity, and what a day's loss is counted from."""
        for currency in self.water.state.pockets:
            self._put(currency, self.water.pocket_money(currency))

    def _put(self, currency: str, money: int | None) -> None:
        tally = self.tallies.get(currency)
        opened = abs(tally.opened_money) if tally is not None else 0
        worth = money or 0
        self.water.set_pocket(currency, worth, size_money=abs(worth) + opened)

    def _worths(self) -> dict[str, int | None]:
        """Return what the group has by currency; None where a mark is missing."""
        found: dict[str, int | None] = {key: money for key, money in self.cash.items() if money}
        for symbol, held in self.held.items():
            if held == NOTHING:
                continue
            settlement, profit = self._instruments[symbol].settlement, self.worth(symbol, held)
            before = found.get(settlement, 0)
            found[settlement] = None if before is None or profit is None else before + profit
        return found

    def worth(self, symbol: str, held: GroupHeld) -> int | None:
        """Return what lots have gained since they were bought, in settlement currency."""
        if held == NOTHING:
            return 0
        quote, instrument = self._quotes.quotes[symbol], self._instruments[symbol]
        long, short = quote.mark_long, quote.mark_short
        if long is None or short is None:
            return None
        if long == short:
            return instrument.value_money(held.longs - held.shorts, long) - held.cost_money
        value = instrument.value_money(held.longs, long) - instrument.value_money(
            held.shorts, short
        )
        return value - held.cost_money

    def _transferred_money(self) -> int:
        """Return what was transferred and no span knows of, at the rates of now."""
        waiting, total = self.state.water.unrated, 0
        for currency, money in list(waiting.items()):
            rate = self._quotes.rate(currency, self.own)
            if rate is not None:
                total += converted(money, rate)
                forget(waiting, currency)
        return total


def _add(totals: dict[str, int], more: dict[str, int]) -> None:
    for currency, money in more.items():
        totals[currency] = totals.get(currency, 0) + money
