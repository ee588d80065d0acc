"""One order under judgement: every measure of risk.md section 4, and every reason against it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from riskd.messages import Check, MarginModel
from tests.engine.model.market import exact
from tests.engine.model.orders import Asked
from tests.engine.model.rules import (
    FIRM,
    Bound,
    Stop,
    bounds,
    bounds_of_group,
    may_not_match_itself,
    scopes_stopped,
)
from tests.engine.model.world import World

HUNDRED = Fraction(100)
ENDLESS = Fraction(10**30)
NONE = Fraction(0)


class Charged(NamedTuple):
    """What the throttles said when the order came, before it was judged."""

    refusing: list[tuple[Bound, int]]  # With the spans until there is room.
    warning: list[tuple[Bound, int]]
    is_repeated: bool


FREE = Charged([], [], is_repeated=False)


class Found(NamedTuple):
    """One reason against an order, or one warning."""

    code: str
    hard: bool = True
    bound: Bound | None = None
    value: Fraction | None = None


BY_KEY = (  # The documented order; with what a reducing order does not have to pass.
    ("DAILY_LOSS", "daily_loss", True),
    ("PRICE_COLLAR", "price_collar_pct", False),
    ("ORDER_QUANTITY", "order_quantity", False),
    ("ORDER_NOTIONAL", "order_notional", False),
    ("POSITION_LIMIT", "position_quantity", True),
    ("POSITION_LIMIT", "position_notional", True),
    ("GROSS_EXPOSURE", "gross_exposure", True),
    ("NET_EXPOSURE", "net_exposure", True),
    ("CURRENCY_EXPOSURE", "currency_exposure", True),
    ("OPEN_ORDERS", "open_orders", True),
    ("TURNOVER", "turnover", True),
    ("CONCENTRATION", "concentration_pct", True),
    ("LEVERAGE", "leverage", True),
    ("MARGIN", "", True),
    ("BUYING_POWER", "", True),
    ("RISK_PER_TRADE", "risk_per_trade_pct", True),
)


class Case:
    """A new order, or the order that a change of `old` would make."""

    def __init__(
        self, world: World, check: Check, *, old: Asked | None = None, charged: Charged = FREE
    ) -> None:
        self.world, self.check, self.old, self.charged = world, check, old, charged
        self.market, self.books = world.market, world.books[check.account]
        self.owner, self.spec = world.owner(check), self.books.spec
        self.buying, symbol = check.side == "buy", check.symbol
        self.settlement = self.market.settlement(symbol)
        self.rate = self.market.rate(self.settlement, self.spec.currency)
        found = self.market.reference(symbol, check.side, world.now_ns)
        self.reference, self.source, self.is_stale = found
        self.slowed_ns = 0  # The longest that a breaker asks it to wait.
        self.value = self._value()
        quantity = exact(check.quantity)
        self.off_lot = (quantity / self.market.lot(symbol)).denominator != 1
        own, filled = (old.leaves(), old.filled) if old else (NONE, NONE)
        rest = world.worst(check.account, symbol, old)
        closing = self.closing = max(NONE, -rest[0] if self.buying else rest[1])
        if check.close_position and closing:  # As much of it as closes what is left.
            quantity = min(quantity, filled + closing)
        self.quantity = NONE if self.off_lot else quantity
        held = self.books.held(symbol)
        self.certified = min(self.quantity - filled, closing) if held else NONE
        self.leaves = max(self.quantity - filled, own) if old else self.quantity
        self.added = self.leaves - own
        before = world.worst(check.account, symbol)
        self.longest = rest[0] + (self.leaves if self.buying else 0)
        self.shortest = rest[1] - (0 if self.buying else self.leaves)
        self.grown = max(abs(self.longest), abs(self.shortest)) - max(map(abs, before))
        self.is_dearer = old is not None and abs(self.value or NONE) > old.dearest()
        tamed = old is not None and not self.added and not self._is_worse(old)
        closes = self.leaves <= closing
        self.reducing = not self.off_lot and (closes or tamed)
        self.costs_more = self.is_dearer and tamed and not closes

    def _value(self) -> Fraction | None:
        """What a unit is valued at: its price, or stop or touch plus slippage."""
        check = self.check
        if check.price is not None:
            price = exact(check.price)
            return price if self.market.is_on_tick(check.symbol, price) else None
        stop = None if check.stop_price is None else exact(check.stop_price)
        if stop is not None and not self.market.is_on_tick(check.symbol, stop):
            stop = None
        return self.market.market_value(check.side, self.reference, stop)

    def _is_worse(self, old: Asked) -> bool:
        """Whether its price is worse for the account than any that the venue may have by now."""
        if self.value is None:
            return False
        return self.value > max(old.values()) if self.buying else self.value < min(old.values())

    def worth(self, quantity: Fraction, price: Fraction) -> Fraction:
        """In account currency."""
        return self.market.worth(self.check.symbol, quantity, price) * self.rate

    def sides(self, symbol: str) -> tuple[Fraction, Fraction]:
        """The worst of both sides, this order's symbol with it, in account currency."""
        if symbol == self.check.symbol:
            return self.worth(self.longest, self.reference), self.worth(
                self.shortest, self.reference
            )
        longest, shortest = self.world.worst(self.check.account, symbol)
        rate = self.market.rate(self.market.settlement(symbol), self.spec.currency)
        mark = self.market.quotes[symbol].mark()
        return (
            self.market.worth(symbol, longest, mark) * rate,
            self.market.worth(symbol, shortest, mark) * rate,
        )

    def sizes(self) -> dict[str, Fraction]:
        """The larger side of every symbol, in account currency."""
        return {name: max(map(abs, self.sides(name))) for name in self.market.instruments}

    def gross(self) -> Fraction:
        return sum(self.sizes().values(), NONE)

    def net(self) -> Fraction:
        sides = [self.sides(name) for name in self.market.instruments]
        return sum((x[0] if self.buying else -x[1] for x in sides), NONE)

    def margin(self) -> Fraction:
        """Initial margin of the larger side of every symbol."""
        total = NONE
        for symbol, size in self.sizes().items():
            share = exact(self.world.instrument(symbol).initial_margin)
            if self.spec.margin_model is MarginModel.LEVERAGE and self.spec.leverage:
                share = 1 / exact(self.spec.leverage)
            total += size * share
        return total

    def paid(self) -> Fraction:
        """What a cash account would hold at worst, this order at the dearer of price and mark."""
        above = max(NONE, (self.value or NONE) - self.reference)
        return self.gross() + (self.worth(self.added, above) if self.buying else 0)

    def side(self) -> Fraction:
        """The worst position on the order's side."""
        return self.longest if self.buying else -self.shortest

    def turnover(self) -> Fraction:
        before = self.world.turnover(self.check.account, self.old)
        return self.world.converted(before, self.spec.currency) + self.worth(
            self.leaves, abs(self.value or NONE)
        )

    def at_risk(self) -> Fraction:
        """What is lost from entry to the order's stop; nothing without one."""
        stop = self.check.stop_loss
        if stop is None or self.value is None:
            return NONE
        away = self.value - exact(stop) if self.buying else exact(stop) - self.value
        return max(NONE, self.worth(self.quantity, away))

    def away(self) -> Fraction | None:
        """How far the price is on its bad side of the reference."""
        price = self.check.price
        if price is None or self.value is None:
            return None
        return self.value - self.reference if self.buying else self.reference - self.value

    def currency_worst(self, currency: str) -> Fraction:
        """What is held of one leg of the order's pair at worst, on the order's side.

        What works counts at the mark; what this order pays or gets counts at its own price.
        """
        held = flow = self.books.flows()[currency]
        for symbol, spec in self.market.instruments.items():
            longest, shortest = self.world.worst(self.check.account, symbol)
            position, mark = self.books.held(symbol), self.market.quotes[symbol].mark()
            if spec.base == currency:
                held, flow = held + shortest, flow + longest
            elif spec.base is not None and self.market.settlement(symbol) == currency:
                held -= self.market.worth(symbol, longest - position, mark)
                flow += self.market.worth(symbol, position - shortest, mark)
            elif self.market.settlement(symbol) == currency:
                worth = self.market.worth(symbol, position, mark)
                held, flow = held + worth, flow + worth
        is_base = self.world.instrument(self.check.symbol).base == currency
        rate = self.market.rate(currency, self.spec.currency)
        value = abs(self.value or NONE)
        order = self.added if is_base else self.market.worth(self.check.symbol, self.added, value)
        return (order + (flow if is_base is self.buying else -held)) * rate

    def group_value(self, group: str, key: str) -> Fraction:
        """What a group would come to, in the firm's currency, or a count."""
        world, symbol, pivot = self.world, self.check.symbol, self.world.universe.settings.fx_pivot
        rate = self.market.rate(self.settlement, pivot)
        worst = {
            name: [world.worst(member, name) for member in world.members(group)]
            for name in self.market.instruments
        }

        def at_mark(name: str, lots: Fraction) -> Fraction:
            to_pivot = self.market.rate(self.market.settlement(name), pivot)
            return self.market.worth(name, lots, self.market.quotes[name].mark()) * to_pivot

        sign, side = (1, 0) if self.buying else (-1, 1)
        position = sum((sign * x[side] for x in worst[symbol]), NONE) + self.added
        match key:
            case "position_quantity":
                return position
            case "position_notional":
                return self.market.worth(symbol, max(NONE, position), self.reference) * rate
            case "gross_exposure":
                lots = {name: sum((max(map(abs, x)) for x in worst[name]), NONE) for name in worst}
                grown = self.market.worth(symbol, max(NONE, self.grown), self.reference) * rate
                return sum((at_mark(*item) for item in lots.items()), NONE) + grown
            case "net_exposure":
                lots = {name: sum((sign * x[side] for x in worst[name]), NONE) for name in worst}
                added = self.market.worth(symbol, self.added, self.reference) * rate
                return sum((at_mark(*item) for item in lots.items()), NONE) + added
            case "open_orders":
                counts = [len([*world.working(name, self.old)]) for name in world.members(group)]
                return Fraction(sum(counts) + 1)
        members = (world.turnover(name, self.old) for name in world.members(group))
        before = sum((world.converted(x, pivot) for x in members), NONE)
        return before + self.market.worth(symbol, self.leaves, abs(self.value or NONE)) * rate

    def measure(self, key: str) -> Fraction | None:
        """What a limit of this key looks at; None where it does not look."""
        equity = self.books.equity()
        match key:
            case "daily_loss":
                return -self.books.day_profit()
            case "price_collar_pct":
                away = self.away()
                return None if away is None else away * HUNDRED / self.reference
            case "order_quantity":
                return self.quantity
            case "order_notional":
                sized = self.value is not None and not self.off_lot
                return self.worth(self.quantity, abs(self.value or NONE)) if sized else None
            case "position_quantity":
                return self.side()
            case "position_notional":
                sized = not self.off_lot
                return self.worth(max(NONE, self.side()), self.reference) if sized else None
            case "gross_exposure":
                return self.gross() if self.grown > 0 else None
            case "net_exposure":
                return self.net()
            case "open_orders":
                return Fraction(len([*self.world.working(self.check.account, self.old)]) + 1)
            case "turnover":
                return self.turnover() if self.value is not None else None
            case "concentration_pct":
                return self.share(equity)
            case "leverage":
                if self.grown <= 0:
                    return None
                return self.gross() / equity if equity > 0 else ENDLESS
            case "risk_per_trade_pct":
                risk = self.at_risk()
                if not risk:
                    return None
                return risk * HUNDRED / equity if equity > 0 else ENDLESS
        raise AssertionError(key)

    def share(self, equity: Fraction) -> Fraction | None:
        """The name's share; None up to the floor."""
        size = self.sizes()[self.check.symbol]
        floors = bounds(self.world.limits, self.owner, "concentration_floor")
        if self.grown <= 0 or size <= (floors[0].value if floors else 0):
            return None
        return size * HUNDRED / max(self.gross(), equity)

    def reasons(self) -> Iterator[Found]:
        """Everything against it in the documented order, warnings among it."""
        check, passes = self.check, self.reducing
        yield from self._standing()
        for code, key, reducing_passes in BY_KEY:
            if code == "PRICE_COLLAR":
                yield from self._numbers()
            if reducing_passes and passes and not (key == "turnover" and self.costs_more):
                continue
            if code == "MARGIN":
                yield from self._margin()
            elif code == "BUYING_POWER":
                yield from self._buying_power()
            elif code == "CURRENCY_EXPOSURE":
                yield from self._currencies()
            else:
                yield from self._past(code, key)
        if may_not_match_itself(self.world.limits, self.owner) and self._crosses_own():
            yield Found("SELF_MATCH")
        if self.charged.is_repeated:
            yield Found("DUPLICATE_CONTENT")
        for found, hard in ((self.charged.refusing, True), (self.charged.warning, False)):
            if found:
                bound, _ = max(found, key=lambda one: one[1])
                yield Found("RATE_LIMIT", hard, bound, bound.value + 1)
        if (not passes or self.costs_more) and not self.off_lot:
            yield from self._groups()
        if check.deadline_ns is not None and self.world.wall_ns > check.deadline_ns:
            yield Found("DEADLINE")

    def _standing(self) -> Iterator[Found]:
        world, check, stops = self.world, self.check, self.stops().values()
        actions = {stop.action for stop in stops if not stop.is_kill}
        if any(stop.is_kill for stop in stops):
            yield Found("KILLED")
        if "halt" in actions and not self.reducing:
            yield Found("BREAKER_OPEN")
        if world.frozen[check.account]:
            yield Found("ACCOUNT_FROZEN")
        if self.market.quotes[check.symbol].phase in ("closed", "halted"):
            yield Found("MARKET_CLOSED")
        asked = check.reduce_only or check.close_position
        if (asked or "reduce_only" in actions) and not self.reducing:
            yield Found("REDUCE_ONLY")
        if self.slowed_ns and not self.reducing:
            yield Found("SLOWED")

    def stops(self) -> dict[int, Stop]:
        """The kills and breakers of every scope of the order."""
        scopes = scopes_stopped(self.owner, self.world.instrument(self.check.symbol))
        stops = self.world.stops.items()
        return {number: x for number, x in stops if (x.scope, x.scope_id) in scopes}

    def _numbers(self) -> Iterator[Found]:
        prices = (self.check.price, self.check.stop_price)
        on_tick = (self.market.is_on_tick(self.check.symbol, exact(x)) for x in prices if x)
        if not all(on_tick):
            yield Found("PRICE_OFF_TICK")
        if self.off_lot:
            yield Found("QUANTITY_OFF_LOT")
        if self.is_stale and not self.reducing:
            yield Found("STALE_PRICE")

    def _past(self, code: str, key: str) -> Iterator[Found]:
        for bound in bounds(self.world.limits, self.owner, key):
            value = self.measure(key)
            if value is None:
                continue
            if value > bound.value or (key == "daily_loss" and value == bound.value):
                yield Found(code, bound.hard, bound, value)

    def _margin(self) -> Iterator[Found]:
        equity, full = self.books.equity(), self.spec.margin_model is MarginModel.NONE
        if not full and self.grown > 0 and self.margin() > equity:
            yield Found("MARGIN", value=self.margin())

    def _buying_power(self) -> Iterator[Found]:
        full = self.spec.margin_model is MarginModel.NONE
        short = not self.buying and self.shortest < 0
        if full and (short or self.paid() > self.books.equity()):
            yield Found("BUYING_POWER")

    def currency_bounds(self) -> Iterator[Bound]:
        """The limits on both legs of a pair, but for the account's own currency."""
        spec = self.world.instrument(self.check.symbol)
        for currency in (spec.base, self.settlement) if spec.base else ():
            tables = [self.world.limits.default]
            tables += [self.world.limits.account.get(self.check.account, tables[0])]
            values = [(x.currency_exposure or {}).get(currency) for x in tables]
            told = [exact(value) for value in values if isinstance(value, int | float)]
            if told and currency != self.spec.currency:
                name = self.check.account
                yield Bound("currency_exposure", min(told), True, "account", f"{name} {currency}")

    def _currencies(self) -> Iterator[Found]:
        for bound in self.currency_bounds():
            value = self.currency_worst(bound.scope_id.split()[1])
            if value > bound.value:
                named = bound._replace(scope_id=self.check.account)
                yield Found("CURRENCY_EXPOSURE", hard=True, bound=named, value=value)
                return

    def _crosses_own(self) -> bool:
        for order in self.world.working(self.check.account):
            resting = order.check
            if resting.symbol != self.check.symbol or resting.side is self.check.side:
                continue
            changes = (change.check.price for change in order.changes)
            if any(self._crosses(price) for price in (resting.price, *changes)):
                return True  # The venue may have it at any of these prices.
        return False

    def _crosses(self, theirs: float | None) -> bool:
        mine = self.check.price
        if mine is None or theirs is None:
            return True
        return mine >= theirs if self.buying else mine <= theirs

    def _groups(self) -> Iterator[Found]:
        for hard in (True, False):
            for group in (*self.owner.groups, FIRM):
                limits = bounds_of_group(self.world.limits, group)
                past = [
                    Found("GROUP_LIMIT", hard, bound, value)
                    for bound in limits
                    for value in (self.group_value(group, bound.key),)
                    if bound.hard is hard
                    and value > bound.value
                    and (bound.key == "turnover" or not self.costs_more)
                ]
                if past:
                    yield past[0]
                    break
