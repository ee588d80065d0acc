"""The engine and its slow model side by side, told the same: what the state machine is made of."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, initialize
from msgspec.structs import replace

from riskd.messages import (
    AccountUnfreeze,
    ActorFailed,
    Amend,
    Check,
    Configure,
    DayBegan,
    LimitSet,
    MarketPhase,
    MarketState,
    OrderType,
    Reset,
    SessionRoll,
    Side,
    Tick,
    TimeInForce,
    Transfer,
    Verdict,
)
from tests.builders import STEADY_NS, WALL_NS, StampedCore
from tests.engine.gate_inputs import (
    NAMES,
    PRICES,
    TRADED,
    UNIVERSE,
    Shape,
    measured,
    table_entry,
    tick_of,
    unit_of,
    with_limit,
)
from tests.engine.model.judge import Case
from tests.engine.model.market import exact
from tests.engine.model.orders import Asked
from tests.engine.model.rules import FIRM, OF_EACH_ORDER, OF_TOTALS
from tests.engine.model.witness import Witness
from tests.engine.model.world import World


class Sides(RuleBasedStateMachine):
    """The engine and the model, with the little that every rule of the machine needs."""

    def __init__(self) -> None:
        super().__init__()
        self.house = StampedCore()
        self.world = World(UNIVERSE, now_ns=STEADY_NS, wall_ns=WALL_NS)
        self.witness = Witness(self.world)
        self.count = 0
        self.sent: list[Any] = []  # Orders, changes, fills and transfers, to send again.

    def send(self, message: Any) -> Any:
        return self.house.send(message, after_ns=0)

    def name(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}-{self.count}"

    @initialize()
    def open_market(self) -> None:
        self.send(Configure(universe=UNIVERSE))
        for symbol in PRICES:
            self.move(symbol, 0, "sound")

    def move(self, symbol: str, number: int, kind: str) -> None:
        mid, spread = PRICES[symbol][number % 4], PRICES[symbol][4]
        told: dict[str, Any] = {"bid": mid - spread, "ask": mid + spread}
        if kind == "last":
            told = {"last": mid}
        elif kind == "locked":
            told = {"bid": mid, "ask": mid}
        elif kind == "empty":
            told["bid_size"] = 0.0
        tick = Tick(symbol=symbol, **told)
        self.send(tick)
        self.world.market.take(tick, self.world.now_ns)

    def made(self, shape: Shape) -> Check:
        """An order of this shape at prices near the market."""
        symbol = TRADED[shape.account][shape.pick % len(TRADED[shape.account])]
        halves = shape.halves if symbol == "Y" or shape.halves % 2 == 0 else shape.halves + 1
        tick, mark = tick_of(symbol), self.world.market.quotes[symbol].mark()
        price = float(max(tick, mark // tick * tick + shape.ticks * tick))
        limited = shape.kind in (OrderType.LIMIT, OrderType.STOP_LIMIT)
        stopped = shape.kind in (OrderType.STOP, OrderType.STOP_LIMIT)
        away = None if shape.stop_loss is None else float(exact(price) + shape.stop_loss * tick)
        return Check(
            account=shape.account,
            client_order_id=self.name("o"),
            symbol=symbol,
            side=Side(shape.side),
            quantity=halves / 2,
            order_type=shape.kind,
            price=price if limited else None,
            stop_price=price if stopped else None,
            stop_loss=away if away is None or away > 0 else None,
            **shape.flags,
        )

    def ask(self, order: Check) -> None:
        self.sent.append(order)
        self.witness.check(order, self.send(order))

    def configure(self, limits: LimitSet) -> None:
        self.world.limits = limits
        self.send(Configure(universe=replace(UNIVERSE, limits=limits)))

    def put_limit(
        self, case: Case, limit: tuple[str, str, int], limits: LimitSet, *, soft: bool = False
    ) -> None:
        """Put a limit of a scope where this case comes to, or a unit beside it."""
        key, scope, units = limit
        if key in ("currency_exposure", "concentration_floor"):
            scope, soft = "default", False
        if scope in ("strategy", "trader") and not getattr(case.check, scope):
            scope = "account"
        if scope in ("group", FIRM) and key not in (*OF_TOTALS, *OF_EACH_ORDER):
            scope = "symbol"
        value = measured(case, scope, key)
        if value is not None and 0 <= value < 10**9:
            value = Fraction(round(value, 9)) + units * unit_of(key)
            entry = table_entry(key, max(Fraction(0), value), hard=not soft)
            self.configure(with_limit(limits, scope, case, entry))

    def pay(self, account: str, amount: Fraction) -> None:
        if amount:
            transfer = Transfer(account=account, transfer_id=self.name("t"), amount=float(amount))
            self.witness.transfer(transfer, self.send(transfer))

    def start_again(self) -> None:
        """Everything that stops is lifted."""
        for number in list(self.world.stops):
            assert self.send(Reset(breaker_id=number)).ok
            del self.world.stops[number]
        for name in NAMES:
            if self.world.frozen[name]:
                assert self.send(AccountUnfreeze(account=name, reason="seen")).ok
                self.world.frozen[name] = False
        for symbol, quote in self.world.market.quotes.items():
            if quote.phase != "open":
                self.phase(symbol, MarketPhase.OPEN)

    def picked(self, pick: int) -> tuple[tuple[str, str], Asked] | None:
        """An order, most often one that works."""
        approved = [(key, x) for key, x in self.world.orders.items() if x.state != "denied"]
        working = [item for item in approved if item[1].is_working]
        chosen = working if working and pick % 8 else approved if pick % 16 else None
        chosen = chosen or list(self.world.orders.items())
        return chosen[pick % len(chosen)] if chosen else None

    def an_id(self, key: tuple[str, str], pick: int) -> str:
        """Any id of the order's chain."""
        aliases = [name for (_, name), root in self.world.aliases.items() if root == key[1]]
        return [key[1], *aliases][pick % (1 + len(aliases))]

    def change(self, message: Amend) -> Verdict:
        self.sent.append(message)
        verdict: Verdict = self.send(message)
        self.witness.amend(message, verdict)
        return verdict

    def executed(self, pick: int) -> tuple[str, str] | None:
        found = [(name, key) for name, books in self.world.books.items() for key in books.fills]
        return found[pick % len(found)] if found else None

    def pass_ns(self, after_ns: int) -> None:
        world = self.world
        self.house.elapse(after_ns)
        world.now_ns += after_ns
        world.wall_ns += after_ns
        for order in world.orders.values():
            if order.suspect_ns is not None and order.suspect_ns <= world.now_ns:
                order.state, order.suspect_ns = "suspect", None
        for number, stop in list(world.stops.items()):
            if stop.until_ns is not None and stop.until_ns <= world.now_ns:
                del world.stops[number]

    def roll(self, account: str | None) -> None:
        self.send(SessionRoll(account=account))
        for name, books in self.world.books.items():
            if account in (None, name):
                books.begin_day()

    def day(self, ahead: int) -> None:
        """A day begins once: its orders for the day expire, all others are carried."""
        world = self.world
        days = ahead + int(world.day[-2:] or 10)
        day = f"2026-11-{min(days, 99):02}"
        self.send(DayBegan(calendar="UTC", day=day))
        if day <= world.day:
            return
        world.day = day
        for books in world.books.values():
            books.begin_day()
        for order in world.orders.values():
            if order.is_working and order.check.time_in_force is TimeInForce.DAY:
                order.end("expired")

    def freeze(self, account: str) -> None:
        self.send(ActorFailed(account=account, reason="drill"))
        self.world.frozen[account] = True

    def phase(self, symbol: str, phase: MarketPhase) -> None:
        self.send(MarketState(symbol=symbol, state=phase))
        self.world.market.quotes[symbol].phase = phase.value
