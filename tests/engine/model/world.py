"""Everything the model knows, and the sums that are asked of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from riskd.messages import AccountSpec, Check, InstrumentSpec, LimitSet, Universe
from tests.engine.model.books import Books
from tests.engine.model.market import Market
from tests.engine.model.orders import Asked
from tests.engine.model.rules import FIRM, Owner, Stop, Throttle

Key = tuple[str, str]  # Account and id.


@dataclass
class World:
    """Every account, order, limit and stop; both clocks."""

    universe: Universe
    now_ns: int
    wall_ns: int
    market: Market = field(init=False)
    books: dict[str, Books] = field(init=False)
    limits: LimitSet = field(init=False)
    orders: dict[Key, Asked] = field(default_factory=dict)
    aliases: dict[Key, str] = field(default_factory=dict)
    stops: dict[int, Stop] = field(default_factory=dict)
    throttle: Throttle = field(default_factory=Throttle)
    frozen: dict[str, bool] = field(default_factory=lambda: defaultdict(bool))
    day: str = ""

    def __post_init__(self) -> None:
        instruments = {spec.symbol: spec for spec in self.universe.instruments}
        self.market = Market(self.universe.settings, instruments)
        self.books = {spec.id: Books(spec, self.market) for spec in self.universe.accounts}
        self.limits = self.universe.limits

    def spec(self, account: str) -> AccountSpec:
        return self.books[account].spec

    def instrument(self, symbol: str) -> InstrumentSpec:
        return self.market.instruments[symbol]

    def groups(self, account: str) -> tuple[str, ...]:
        """The account's own first, without the firm."""
        parents = {group.id: group.parent for group in self.universe.groups}
        found, group = [], self.spec(account).group
        while group != FIRM:
            found.append(group)
            group = parents[group]
        return tuple(found)

    def members(self, group: str) -> list[str]:
        return [name for name in self.books if group in (*self.groups(name), FIRM)]

    def owner(self, check: Check) -> Owner:
        groups = self.groups(check.account)
        return Owner(check.account, groups, check.symbol, check.strategy, check.trader)

    def root(self, account: str, order_id: str) -> Key:
        """The key of the order that an id of its chain names."""
        return account, self.aliases.get((account, order_id), order_id)

    def working(self, account: str, but: Asked | None = None) -> Iterator[Asked]:
        for (owner, _), order in self.orders.items():
            if owner == account and order.is_working and order is not but:
                yield order

    def leaves(self, account: str, symbol: str, side: str) -> Fraction:
        mine = (x for x in self.working(account) if x.check.symbol == symbol)
        return sum((x.leaves() for x in mine if x.check.side == side), Fraction(0))

    def worst(
        self, account: str, symbol: str, but: Asked | None = None
    ) -> tuple[Fraction, Fraction]:
        """The position if every buy filled and no sell, and if every sell and no buy."""
        longest = shortest = self.books[account].held(symbol)
        for order in self.working(account, but):
            if order.check.symbol == symbol and order.check.side == "buy":
                longest += order.leaves()
            elif order.check.symbol == symbol:
                shortest -= order.leaves()
        return longest, shortest

    def turnover(self, account: str, but: Asked | None = None) -> dict[str, Fraction]:
        """Traded today and working, by settlement currency."""
        found = self.books[account].traded()
        for order in self.working(account, but):
            symbol = order.check.symbol
            worth = self.market.worth(symbol, order.leaves(), order.dearest())
            found[self.market.settlement(symbol)] += worth
        return found

    def converted(self, amounts: dict[str, Fraction], currency: str) -> Fraction:
        total = (x * self.market.rate(key, currency) for key, x in amounts.items() if x)
        return sum(total, Fraction(0))
