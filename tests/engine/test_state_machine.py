"""The engine against the slow model of `model/`, over any sequence of inputs, after every one."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from riskd.messages import (
    AccountUnfreeze,
    ActorFailed,
    Amend,
    Check,
    Configure,
    DayBegan,
    DuplicateOrders,
    Error,
    FillBust,
    FillCorrect,
    Kill,
    LimitSet,
    MarginModel,
    MarketPhase,
    MarketState,
    OrderRelease,
    OrderType,
    Reset,
    SelfMatch,
    SessionRoll,
    Side,
    Tick,
    TimeInForce,
    Transfer,
    Trip,
    VerdictVoid,
)
from tests.builders import MS, STEADY_NS, WALL_NS, StampedCore, a_fill, a_report
from tests.engine.gate_agreement import agree
from tests.engine.gate_inputs import (
    KEYS,
    NAMES,
    PICKS,
    PRICES,
    RATES,
    SCOPES,
    SHAPES,
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
from tests.engine.model.rules import FIRM, Stop
from tests.engine.model.witness import Witness
from tests.engine.model.world import World


class Gate(RuleBasedStateMachine):
    """Whatever happens, engine and model agree: first each answer, then everything there is."""

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

    @rule(shape=SHAPES, calm=st.booleans())
    def order(self, shape: Shape, calm: bool) -> None:
        if calm:
            self.start_again()
        self.ask(self.made(shape))

    @rule(
        shape=SHAPES,
        limit=st.tuples(st.sampled_from(KEYS), st.sampled_from(SCOPES), st.integers(-1, 1)),
        soft=st.sampled_from((False, False, False, True)),
        keep=st.booleans(),
    )
    def order_at_a_limit(self, shape, limit, soft, keep) -> None:
        """A limit is put where this order comes to, or a unit to either side of it."""
        key, scope, units = limit
        self.start_again()
        order = self.made(shape)
        case = Case(self.world, order)
        if key == "currency_exposure":
            scope, soft = "default", False
        if scope in ("strategy", "trader") and not getattr(order, scope):
            scope = "default"
        value = measured(case, scope, key)
        if value is not None and 0 <= value < 10**9:
            value = Fraction(round(value, 9)) + units * unit_of(key)
            limits = self.world.limits if keep else LimitSet()
            entry = table_entry(key, max(Fraction(0), value), hard=not soft)
            self.configure(with_limit(limits, scope, case, entry))
        self.ask(order)

    @rule(shape=SHAPES, units=st.integers(-1, 1))
    def order_at_the_equity(self, shape: Shape, units: int) -> None:
        """The order's margin, or its price, is all the money there is; then that comes back."""
        self.start_again()
        order = self.made(shape)
        case = Case(self.world, order)
        full = case.spec.margin_model is MarginModel.NONE
        wanted = case.paid() if full else case.margin()
        amount = round(wanted - case.books.equity(), 9) + units * unit_of("margin")
        self.pay(shape.account, amount)
        self.ask(order)
        self.everything_agrees()
        self.pay(shape.account, -amount)

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

    @rule(shape=SHAPES, fault=st.sampled_from(("tick", "lot", "type", "symbol", "zero", "late")))
    def order_that_is_wrong(self, shape: Shape, fault: str) -> None:
        faults: dict[str, dict[str, Any]] = {
            "tick": {"order_type": OrderType.LIMIT, "price": 100.25, "stop_price": None},
            "lot": {"quantity": 1.25},
            "type": {"order_type": OrderType.MARKET, "price": 100.0},
            "symbol": {"symbol": "NONE"},
            "zero": {"quantity": 0.0},
            "late": {"deadline_ns": self.world.wall_ns - 1},
        }
        explain = fault == "late"
        self.ask(replace(self.made(shape), explain=explain, **faults[fault]))

    @rule(shape=SHAPES)
    def another_order(self, shape: Shape) -> None:
        self.ask(self.made(shape))

    @rule(pick=PICKS)
    def message_again(self, pick: int) -> None:
        """The same order, change, fill or transfer, which changes nothing; or one that differs."""
        if not self.sent:
            return
        message = self.sent[pick % len(self.sent)]
        if pick % 3 == 0 and not isinstance(message, Amend | FillBust | FillCorrect):
            field = "amount" if isinstance(message, Transfer) else "quantity"
            message = replace(message, **{field: getattr(message, field) + 1})
        answer = self.send(message)
        take: dict[str, Any] = {
            "Check": self.witness.check,
            "Amend": self.witness.amend,
            "Fill": self.witness.fill,
            "Transfer": self.witness.transfer,
        }
        take[type(message).__name__](message, answer)

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

    @rule(
        pick=PICKS,
        halves=st.sampled_from((None, 0, 2, 4, 6, 8, 12, 20)),
        ticks=st.sampled_from((None, None, 0, 1, -2, 5)),
        named=st.booleans(),
        relative=st.booleans(),
    )
    def amend(self, pick, halves, ticks, named, relative) -> None:
        found = self.picked(pick)
        if found is None:
            return
        key, order = found
        symbol = order.check.symbol
        if symbol not in PRICES:
            return
        tick, quote = tick_of(symbol), self.world.market.quotes[symbol]
        quantity = None if halves is None else halves / 2
        if quantity is not None and relative:
            quantity += float(order.filled)
        limited = order.check.price is not None
        price = None if ticks is None or not limited else quote.mark() // tick * tick + ticks * tick
        message = Amend(
            account=key[0],
            client_order_id=self.an_id(key, pick),
            new_client_order_id=self.name("c") if named else None,
            quantity=quantity,
            price=None if price is None or price <= 0 else float(price),
        )
        self.sent.append(message)
        self.witness.amend(message, self.send(message))

    @rule(
        pick=PICKS,
        status=st.sampled_from(
            ("accepted", "rejected", "canceled", "expired", "cancel_pending", "accepted")
        ),
        again=st.integers(0, 9),
    )
    def report(self, pick: int, status: str, again: int) -> None:
        found = self.picked(pick)
        if found is None:
            return
        key, _ = found
        report_id = "r-again" if not again else self.name("r")
        order_id = "nobody" if again == 9 else self.an_id(key, pick)
        report = a_report(order_id, status, report_id, account=key[0])
        self.witness.report(report, self.send(report))

    @rule(pick=PICKS, taken=st.sampled_from((True, True, False)), leaves=st.integers(0, 9))
    def answer_to_a_change(self, pick: int, taken: bool, leaves: int) -> None:
        """The venue takes or refuses a change in flight, or replaces an order of its own accord."""
        flying = [
            (key, change)
            for key, order in self.world.orders.items()
            for change in order.changes
            if order.is_working
        ]
        found = self.picked(pick)
        if flying and pick % 5:
            key, change = flying[pick % len(flying)]
            order_id = change.amend.new_client_order_id or key[1]
            told: dict[str, Any] = {"leaves_quantity": float(leaves)} if leaves > 6 else {}
        elif found is not None and found[1].is_working:
            key, order_id, told = found[0], found[0][1], {"leaves_quantity": float(leaves)}
        else:
            return
        status = "replaced" if taken else "replace_rejected"
        report = a_report(order_id, status, self.name("r"), account=key[0], **told)
        self.witness.report(report, self.send(report))

    @rule(
        pick=PICKS,
        halves=st.sampled_from((2, 2, 4, 6, 12, 0)),
        ticks=st.sampled_from((0, 0, 1, -3)),
        fee=st.sampled_from((0.0, 0.0, 0.5)),
        odd=st.sampled_from((None, None, None, None, "stray", "side", "price", "fee")),
    )
    def fill(self, pick, halves, ticks, fee, odd) -> None:
        """Of an order: a part, all that is left (0), too much, too late; or of none."""
        found = self.picked(pick)
        if found is None or found[1].check.symbol not in PRICES:
            return
        key, order = found
        check = order.check
        tick, mark = tick_of(check.symbol), self.world.market.quotes[check.symbol].mark()
        price = max(tick, mark // tick * tick + ticks * tick)
        side = {"buy": "sell", "sell": "buy"}[check.side] if odd == "side" else check.side.value
        message = a_fill(
            self.name("e"),
            side,
            float(order.leaves() or 1) if not halves else halves / 2,
            float(price + (Fraction(1, 4) if odd == "price" else 0)),
            account=key[0],
            symbol=check.symbol,
            client_order_id=None if odd == "stray" else self.an_id(key, pick),
            fee=fee,
            fee_currency="USD" if odd == "fee" else None,
        )
        if check.symbol != "Y":
            message = replace(message, quantity=float(max(1, int(message.quantity))))
        self.sent.append(message)
        self.witness.fill(message, self.send(message))

    def executed(self, pick: int) -> tuple[str, str] | None:
        found = [(name, key) for name, books in self.world.books.items() for key in books.fills]
        return found[pick % len(found)] if found else None

    @rule(pick=PICKS)
    def bust(self, pick: int) -> None:
        found = self.executed(pick)
        if found is not None:
            exec_id = "none" if pick % 20 == 0 else found[1]
            message = FillBust(account=found[0], exec_id=exec_id)
            self.witness.bust(message, self.send(message))

    @rule(pick=PICKS, quantity=st.sampled_from((None, 1.0, 4.0)), up=st.sampled_from((None, 2, -1)))
    def correct(self, pick, quantity, up) -> None:
        found = self.executed(pick)
        if found is None:
            return
        fill = self.world.books[found[0]].fills[found[1]].fill
        price = None if up is None else float(exact(fill.price) + up * tick_of(fill.symbol))
        if price is not None and price <= 0:
            return
        message = FillCorrect(account=found[0], exec_id=found[1], quantity=quantity, price=price)
        self.witness.correct(message, self.send(message))

    @rule(
        symbol=st.sampled_from(tuple(PRICES)),
        number=PICKS,
        kind=st.sampled_from(("sound",) * 5 + ("last", "locked", "empty")),
    )
    def tick(self, symbol: str, number: int, kind: str) -> None:
        self.move(symbol, number, kind)

    @rule(after_ms=st.sampled_from((0, 1, 300, 700, 1000, 3000, 5000)), fresh=st.booleans())
    def wait(self, after_ms: int, fresh: bool) -> None:
        """Time passes: reservations grow suspect, prices stale, windows empty, breakers close."""
        world = self.world
        self.house.elapse(after_ms * MS)
        world.now_ns += after_ms * MS
        world.wall_ns += after_ms * MS
        for order in world.orders.values():
            if order.suspect_ns is not None and order.suspect_ns <= world.now_ns:
                order.state, order.suspect_ns = "suspect", None
        for number, stop in list(world.stops.items()):
            if stop.until_ns is not None and stop.until_ns <= world.now_ns:
                del world.stops[number]
        if fresh:
            for symbol in PRICES:
                quote = world.market.quotes[symbol]
                tick = Tick(symbol=symbol, bid=float(quote.bid), ask=float(quote.ask))
                self.send(tick)
                world.market.take(tick, world.now_ns)

    @rule(
        account=st.sampled_from(NAMES),
        amount=st.sampled_from((100.0, -100.0, 300.0, -50.0, 0.0)),
        foreign=st.booleans(),
    )
    def transfer(self, account: str, amount: float, foreign: bool) -> None:
        currency = "JPY" if foreign and account != "A1" else None
        message = Transfer(
            account=account, transfer_id=self.name("t"), amount=amount, currency=currency
        )
        self.sent.append(message)
        self.witness.transfer(message, self.send(message))

    @rule(
        rates=st.lists(
            st.tuples(st.sampled_from(RATES), st.integers(0, 5), st.booleans()), max_size=3
        ),
        duplicates=st.sampled_from((None, None, 1, 2)),
        self_match=st.sampled_from((None, None, SelfMatch.REJECT)),
        keep=st.booleans(),
    )
    def limits(self, rates, duplicates, self_match, keep) -> None:
        """Rates, repeats and self-matches; all other limits stay, or all of them go."""
        limits = self.world.limits if keep else LimitSet()
        case = Case(self.world, self.made(Shape("B1", 0, "buy", 2, 0, OrderType.MARKET, None, {})))
        case.owner = case.owner._replace(strategy="s", trader="t")
        for scope, count, hard in rates:
            entry = table_entry("orders_per_second", Fraction(count), hard=hard)
            limits = with_limit(limits, scope, case, entry)
        repeats = None if duplicates is None else DuplicateOrders(count=duplicates, window_ms=700)
        told = {"duplicate_orders": repeats, "self_match": self_match}
        self.configure(replace(limits, default=replace(limits.default, **told)))

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

    @rule(
        where=st.sampled_from(
            (
                (FIRM, ""),
                ("account", "A1"),
                ("group", "outer"),
                ("group", "inner"),
                ("strategy", "s"),
                ("symbol", "X"),
                ("currency", "JPY"),
                ("currency", "EUR"),
            )
        ),
        kill=st.booleans(),
        action=st.sampled_from(("halt", "reduce_only", "alert", "slow")),
        seconds=st.sampled_from((None, 1, 3)),
    )
    def stop(self, where, kill, action, seconds) -> None:
        world, (scope, name) = self.world, where
        named = name or FIRM
        if kill:
            standing = [x for x in world.stops.values() if x.is_kill]
            result = self.send(Kill(scope=scope, scope_id=name))
            if (scope, named) not in [(x.scope, x.scope_id) for x in standing]:
                world.stops[result.data["breaker_id"]] = Stop(scope, named, is_kill=True)
            return
        until_ns = None if seconds is None else world.now_ns + seconds * 1000 * MS
        wall_ns = None if seconds is None else world.wall_ns + seconds * 1000 * MS
        told = {"action": action, "until_ns": wall_ns, "spacing_ms": 700}
        result = self.send(Trip(scope=scope, scope_id=name, **told))
        told |= {"until_ns": until_ns}
        stop = Stop(scope, named, is_kill=False, **told)
        world.stops[result.data["breaker_id"]] = stop

    def freeze(self, account: str) -> None:
        self.send(ActorFailed(account=account, reason="drill"))
        self.world.frozen[account] = True

    def phase(self, symbol: str, phase: MarketPhase) -> None:
        self.send(MarketState(symbol=symbol, state=phase))
        self.world.market.quotes[symbol].phase = phase.value

    @rule(
        what=st.sampled_from(("roll", "day", "freeze", "phase")),
        pick=PICKS,
        account=st.sampled_from(NAMES),
    )
    def disturb(self, what: str, pick: int, account: str) -> None:
        """What happens seldom."""
        match what:
            case "roll":
                self.roll(account if pick % 2 else None)
            case "day":
                self.day(pick % 2)
            case "freeze":
                self.freeze(account)
            case "phase":
                self.phase("XY"[pick % 2], tuple(MarketPhase)[pick % 4])

    @rule(pick=PICKS, void=st.booleans())
    def taken_back(self, pick: int, void: bool) -> None:
        """An operator frees a reservation, or an approval could not leave in time."""
        found = self.picked(pick)
        if found is None:
            return
        (account, order_id), order = found
        if not void:
            message = OrderRelease(account=account, client_order_id=order_id, reason="gone")
            assert isinstance(self.send(message), Error) is not order.is_working
            if order.is_working:
                order.end("released")
            return
        self.send(VerdictVoid(account=account, client_order_id=order_id))
        if order.state == "pending" and not order.reports:
            order.end("void")
            order.verdict = self.house.account(account).finished[order_id].verdict
            assert [x.code for x in order.verdict.rejects] == ["DEADLINE"]

    @invariant()
    def everything_agrees(self) -> None:
        if self.house.inputs:
            agree(self.house, self.world)


MODEL = Path(__file__).parent / "model"
MODEL_MAY_USE = ("riskd.messages", "tests.engine.model", "tests.engine.slow_books", "msgspec")


def test_model_shares_nothing_with_the_engine_but_the_messages():
    files = [*MODEL.glob("*.py"), MODEL.parent / "slow_books.py"]
    used = re.findall(r"(?m)^(?:from|import) (\S+)", "\n".join(x.read_text() for x in files))
    ours = [name for name in used if name.split(".")[0] in ("engine", "tests", "riskd", "actors")]
    assert ours
    assert all(name.startswith(MODEL_MAY_USE) for name in ours)


EXAMPLES = int(os.environ.get("RISKD_EXAMPLES", "0"))
SHRINK = (Phase.shrink,) if EXAMPLES else ()  # It takes minutes.
TestGate = Gate.TestCase
TestGate.settings = settings(
    max_examples=EXAMPLES or 120,
    stateful_step_count=60,
    derandomize=not EXAMPLES,
    phases=(Phase.generate, *SHRINK),
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
    deadline=None,
)
