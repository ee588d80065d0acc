"""A deliberately slow gate in fractions, written from the definitions of risk.md, not from riskd.

It keeps lists of what happened and counts everything anew for every question: equity is what was
paid in, less what was paid for everything, plus what is held at the mark. Bid, ask and mark are one
price here, and every instrument settles in dollars.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

PAIR = "EURUSD"
HUNDRED = Fraction(100)


@dataclass
class SlowOrder:
    """An order as the venue may have it: the changes in flight are (quantity, price, id)."""

    account: str
    symbol: str
    side: str
    quantity: Fraction
    price: Fraction
    stop: Fraction | None = None
    filled: Fraction = Fraction(0)
    changes: list[tuple[Fraction, Fraction, str]] = field(default_factory=list)
    ended: bool = False

    def leaves(self) -> Fraction:
        """The most that may still be filled."""
        if self.ended:
            return Fraction(0)
        most = max([self.quantity, *(quantity for quantity, _, _ in self.changes)])
        return max(Fraction(0), most - self.filled)


@dataclass
class SlowAccount:
    """What is declared of an account; `margin` is the margin of one dollar of each symbol."""

    currency: str
    groups: tuple[str, ...]
    paid_in: Fraction
    margin: dict[str, Fraction]
    pays_in_full: bool = False
    limits: dict[str, Fraction] = field(default_factory=dict)


@dataclass
class SlowFill:
    """One execution."""

    account: str
    symbol: str
    quantity: Fraction  # Signed.
    price: Fraction
    today: bool = True
    busted: bool = False


@dataclass
class SlowGate:
    """Everything that happened, and every question about it."""

    accounts: dict[str, SlowAccount]
    marks: dict[str, Fraction]
    group_limits: dict[str, dict[str, Fraction]] = field(default_factory=dict)
    orders: dict[str, SlowOrder] = field(default_factory=dict)
    fills: dict[str, SlowFill] = field(default_factory=dict)

    def rate(self, account: str) -> Fraction:
        """What a dollar is worth in the account's currency."""
        return 1 / self.marks[PAIR] if self.accounts[account].currency == "EUR" else Fraction(1)

    def working(self, account: str, but: SlowOrder | None = None) -> Iterator[SlowOrder]:
        for order in self.orders.values():
            if order.account == account and not order.ended and order is not but:
                yield order

    def held(self, account: str, symbol: str) -> Fraction:
        return sum((x.quantity for x in self.booked(account) if x.symbol == symbol), Fraction(0))

    def booked(self, account: str) -> Iterator[SlowFill]:
        return (x for x in self.fills.values() if x.account == account and not x.busted)

    def worst(
        self, account: str, symbol: str, but: SlowOrder | None = None
    ) -> tuple[Fraction, Fraction]:
        """The position if every buy filled, and if every sell did."""
        held = self.held(account, symbol)
        longest = shortest = held
        for order in self.working(account, but):
            if order.symbol == symbol and order.side == "buy":
                longest += order.leaves()
            elif order.symbol == symbol:
                shortest -= order.leaves()
        return longest, shortest

    def equity(self, account: str) -> Fraction:
        """In account currency."""
        dollars = sum((-x.quantity * x.price for x in self.booked(account)), Fraction(0))
        dollars += sum(self.held(account, symbol) * mark for symbol, mark in self.marks.items())
        return self.accounts[account].paid_in + dollars * self.rate(account)

    def turnover(self, account: str, but: SlowOrder | None = None) -> Fraction:
        """In dollars; what was busted was not traded."""
        traded = (x for x in self.booked(account) if x.today)
        total = sum((abs(x.quantity) * x.price for x in traded), Fraction(0))
        return total + sum(x.leaves() * x.price for x in self.working(account, but))

    def end_if_done(self, order: SlowOrder) -> None:
        order.ended = order.ended or not order.leaves()
        if order.ended:
            order.changes.clear()


@dataclass
class SlowCase:
    """One new order, or one change of `old`, and every reason against it."""

    gate: SlowGate
    order: SlowOrder
    old: SlowOrder | None = None

    def __post_init__(self) -> None:
        gate, order, old = self.gate, self.order, self.old
        self.account = gate.accounts[order.account]
        self.rate = gate.rate(order.account)
        own = old.leaves() if old else Fraction(0)
        filled = old.filled if old else Fraction(0)
        self.leaves = max(order.quantity - filled, own)
        self.added = self.leaves - own
        before = gate.worst(order.account, order.symbol)
        rest = gate.worst(order.account, order.symbol, old)
        buying = order.side == "buy"
        longest = rest[0] + (self.leaves if buying else 0)
        shortest = rest[1] - (0 if buying else self.leaves)
        self.sides = {order.symbol: (longest, shortest)}
        self.before = max(map(abs, before))
        self.after = max(abs(longest), abs(shortest))
        room = -rest[0] if buying else rest[1]
        tamed = old is not None and not self.added and order.price <= old.price
        self.reducing = self.leaves <= room or tamed

    def reasons(self) -> list[str]:
        """Every code against it, in the documented order."""
        if self.old is not None and self.order.quantity <= self.old.filled:
            return ["VALUE_INVALID"]
        found = [] if self.order_notional() <= self.limit("order_notional") else ["ORDER_NOTIONAL"]
        if self.reducing:
            return found
        return found + [code for code, past in self.measures() if past] + self.group_reasons()

    def limit(self, key: str) -> Fraction:
        return self.account.limits.get(key, Fraction(10**30))

    def order_notional(self) -> Fraction:
        return self.order.quantity * self.order.price * self.rate

    def worst(self, symbol: str) -> tuple[Fraction, Fraction]:
        return self.sides.get(symbol) or self.gate.worst(self.order.account, symbol)

    def sizes(self) -> dict[str, Fraction]:
        """The larger side of every symbol, in account currency."""
        return {
            symbol: max(map(abs, self.worst(symbol))) * mark * self.rate
            for symbol, mark in self.gate.marks.items()
        }

    def net(self) -> Fraction:
        side, sign = (0, 1) if self.order.side == "buy" else (1, -1)
        marks = self.gate.marks.items()
        return sum(sign * self.worst(x)[side] * mark * self.rate for x, mark in marks) + Fraction(0)

    def currency(self) -> Fraction | None:
        """What is held of the pair's other currency on the order's side; None if not a pair."""
        gate, order, mark = self.gate, self.order, self.gate.marks[PAIR]
        if order.symbol != PAIR:
            return None
        longest, shortest = gate.worst(order.account, PAIR)
        buying, held = order.side == "buy", gate.held(order.account, PAIR)
        if self.account.currency == "USD":  # Euro, in dollars.
            return mark * (longest + self.added if buying else self.added - shortest)
        dollars = sum((-x.quantity * x.price for x in gate.booked(order.account)), Fraction(0))
        dollars += sum(gate.held(order.account, x) * m for x, m in gate.marks.items() if x != PAIR)
        if buying:
            dollars = -(dollars - (longest - held) * mark)
        else:
            dollars += (held - shortest) * mark
        return (dollars + self.added * order.price) * self.rate

    def measures(self) -> list[tuple[str, bool]]:
        """Every measure of the account with whether it is past its limit."""
        gate, order, sizes = self.gate, self.order, self.sizes()
        symbol, gross, equity = sizes[order.symbol], sum(sizes.values()), gate.equity(order.account)
        side = self.worst(order.symbol)[0 if order.side == "buy" else 1]
        side = side if order.side == "buy" else -side
        grows, currency = self.after > self.before, self.currency()
        turnover = gate.turnover(order.account, self.old) + self.leaves * order.price
        count = len([*gate.working(order.account, self.old)]) + 1
        margin = sum(size * self.account.margin[name] for name, size in sizes.items())
        share = symbol * HUNDRED > self.limit("concentration_pct") * max(gross, equity)
        floored = symbol <= self.account.limits.get("concentration_floor", 0)
        loss = Fraction(0)
        if order.stop is not None:
            away = order.price - order.stop if order.side == "buy" else order.stop - order.price
            loss = max(Fraction(0), away * order.quantity * self.rate)
        geared = equity <= 0 or gross > self.limit("leverage") * equity
        short = order.side == "sell" and self.worst(order.symbol)[1] < 0
        full = self.account.pays_in_full
        above = max(Fraction(0), order.price - gate.marks[order.symbol])
        paid = gross + (above * self.added * self.rate if order.side == "buy" else 0)
        at_risk = loss * HUNDRED > self.limit("risk_per_trade_pct") * max(Fraction(0), equity)
        mark = gate.marks[order.symbol] * self.rate
        return [
            ("POSITION_LIMIT", side * mark > self.limit("position_notional")),
            ("GROSS_EXPOSURE", grows and gross > self.limit("gross_exposure")),
            ("NET_EXPOSURE", self.net() > self.limit("net_exposure")),
            ("CURRENCY_EXPOSURE", (currency or 0) > self.limit("currency_exposure")),
            ("OPEN_ORDERS", count > self.limit("open_orders")),
            ("TURNOVER", turnover * self.rate > self.limit("turnover")),
            (
                "CONCENTRATION",
                grows and "concentration_pct" in self.account.limits and share and not floored,
            ),
            ("LEVERAGE", grows and "leverage" in self.account.limits and geared),
            ("MARGIN", grows and not full and margin > equity),
            ("BUYING_POWER", full and (short or paid > equity)),
            ("RISK_PER_TRADE", "risk_per_trade_pct" in self.account.limits and at_risk),
        ]

    def group_reasons(self) -> list[str]:
        """One code, if any group above is past any of its limits."""
        for group in self.account.groups:
            values = self.group_values(group)
            limits = self.gate.group_limits.get(group, {})
            if any(values[key] > limit for key, limit in limits.items()):
                return ["GROUP_LIMIT"]
        return []

    def group_values(self, group: str) -> dict[str, Fraction]:
        """What a group would come to, in dollars and lots."""
        gate, order = self.gate, self.order
        members = [name for name, x in gate.accounts.items() if group in x.groups]
        side, sign = (0, 1) if order.side == "buy" else (1, -1)
        lots = {x: [gate.worst(name, x) for name in members] for x in gate.marks}
        mark = gate.marks[order.symbol]
        gross = sum(max(map(abs, worst)) * gate.marks[x] for x in lots for worst in lots[x])
        net = sum(sign * worst[side] * gate.marks[x] for x in lots for worst in lots[x])
        position = sum(sign * worst[side] for worst in lots[order.symbol]) + self.added
        grown = max(Fraction(0), self.after - self.before)
        counts = [len([*gate.working(name)]) for name in members]
        return {
            "position_quantity": Fraction(position),
            "gross_exposure": gross + grown * mark,
            "net_exposure": net + self.added * mark,
            "open_orders": Fraction(sum(counts) + (0 if self.old else 1)),
            "turnover": sum(gate.turnover(name) for name in members) + self.added * order.price,
        }
