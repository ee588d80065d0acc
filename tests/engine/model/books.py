"""What was executed and what was paid in: everything that is owned, counted anew each time."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction

from riskd.messages import AccountSpec, Fill
from tests.engine.model.market import Market, exact
from tests.engine.slow_books import UNIT, SlowBooks, slow_books


@dataclass
class Booked:
    """One execution: as it came first, as it stands now, and whether it was busted."""

    first: Fill
    fill: Fill
    day: int  # Of its account, counted from the first.
    busted: bool = False

    def quantity(self) -> Fraction:
        """Signed."""
        size = exact(self.fill.quantity)
        return size if self.fill.side == "buy" else -size


@dataclass
class Books:
    """One account's executions and transfers."""

    spec: AccountSpec
    market: Market
    fills: dict[str, Booked] = field(default_factory=dict)
    paid_in: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    transfers: dict[str, tuple[Fraction, str]] = field(default_factory=dict)
    day: int = 0
    opening: Fraction = Fraction(0)  # Equity when the day began, with what was paid in since.

    def __post_init__(self) -> None:
        self.paid_in[self.spec.currency] += exact(self.spec.balance)
        self.opening = exact(self.spec.balance)

    def standing(self) -> list[Booked]:
        return [booked for booked in self.fills.values() if not booked.busted]

    def held(self, symbol: str) -> Fraction:
        mine = (x.quantity() for x in self.standing() if x.fill.symbol == symbol)
        return sum(mine, Fraction(0))

    def position(self, symbol: str) -> SlowBooks:
        """Position, cost and profit of one symbol, in units of money."""
        spec = self.market.instruments[symbol]
        mine = [x for x in self.standing() if x.fill.symbol == symbol]
        fills = [(x.quantity(), exact(x.fill.price)) for x in mine]
        return slow_books(spec, fills, self.spec.cost_method)

    def fees(self, symbol: str) -> dict[str, Fraction]:
        """Paid is negative, by currency."""
        found: dict[str, Fraction] = defaultdict(Fraction)
        for booked in self.standing():
            if booked.fill.symbol == symbol and booked.fill.fee:
                currency = booked.fill.fee_currency or self.market.settlement(symbol)
                found[currency] -= exact(booked.fill.fee)
        return found

    def symbols(self) -> list[str]:
        return [x for x in self.market.instruments if self.fills_of(x)]

    def fills_of(self, symbol: str) -> list[Booked]:
        return [x for x in self.fills.values() if x.fill.symbol == symbol]

    def cash(self) -> dict[str, Fraction]:
        """By currency: paid in, fees, and what closed positions earned."""
        found = defaultdict(Fraction, self.paid_in)
        for symbol in self.symbols():
            found[self.market.settlement(symbol)] += self.position(symbol).realized * UNIT
            for currency, paid in self.fees(symbol).items():
                found[currency] += paid
        return found

    def flows(self) -> dict[str, Fraction]:
        """By currency: paid in, fees, and what was paid for every execution that stands."""
        market = self.market
        found = defaultdict(Fraction, self.paid_in)
        for booked in self.standing():
            fill = booked.fill
            settlement = market.settlement(fill.symbol)
            found[settlement] -= market.worth(fill.symbol, booked.quantity(), exact(fill.price))
            if fill.fee:
                found[fill.fee_currency or settlement] -= exact(fill.fee)
        return found

    def equity(self) -> Fraction:
        """What was paid in, less what was paid for everything, plus what that is worth now."""
        market, own = self.market, self.spec.currency
        total = sum((x * market.rate(key, own) for key, x in self.flows().items()), Fraction(0))
        for symbol in self.symbols():
            worth = market.worth(symbol, self.held(symbol), market.quotes[symbol].mark())
            total += worth * market.rate(market.settlement(symbol), own)
        return total

    def day_profit(self) -> Fraction:
        return self.equity() - self.opening

    def begin_day(self) -> None:
        self.opening = self.equity()
        self.day += 1

    def traded(self) -> dict[str, Fraction]:
        """The size of today's executions, by settlement currency; what was busted is none."""
        found: dict[str, Fraction] = defaultdict(Fraction)
        for booked in self.standing():
            fill = booked.fill
            if booked.day == self.day:
                size = self.market.worth(fill.symbol, exact(fill.quantity), exact(fill.price))
                found[self.market.settlement(fill.symbol)] += size
        return found

    def pay_in(self, amount: Fraction, currency: str) -> None:
        self.paid_in[currency] += amount
        self.opening += amount * self.market.rate(currency, self.spec.currency)
