"""The engine against the slow model of `model/`, over any sequence of inputs, after every one."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from msgspec.structs import replace

from riskd.messages import (
    Amend,
    Check,
    DuplicateOrders,
    Error,
    FillBust,
    FillCorrect,
    Kill,
    LimitSet,
    LimitsSpec,
    MarginModel,
    MarketPhase,
    OrderRelease,
    OrderType,
    SelfMatch,
    Tick,
    Transfer,
    Trip,
    VerdictVoid,
)
from tests.builders import MS, SECOND, a_fill, a_report
from tests.engine.gate_agreement import agree
from tests.engine.gate_inputs import (
    KEYS,
    NAMES,
    PICKS,
    PRICES,
    RATES,
    RESERVED_NS,
    SCOPES,
    SHAPES,
    STALE_NS,
    TRADED,
    Shape,
    replace_flags,
    table_entry,
    tick_of,
    unit_of,
    with_limit,
)
from tests.engine.gate_steered import Steered
from tests.engine.model.judge import Case
from tests.engine.model.market import exact
from tests.engine.model.rules import FIRM, Stop


class Gate(Steered):
    """Whatever happens, engine and model agree: first each answer, then everything there is."""

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
        self.start_again()
        order = self.made(shape)
        limits = self.world.limits if keep else LimitSet()
        self.put_limit(Case(self.world, order), limit, limits, soft=soft)
        self.ask(order)

    @rule(shape=SHAPES, scope=st.sampled_from(SCOPES))
    def order_at_every_limit(self, shape: Shape, scope: str) -> None:
        """Each limit in turn is put exactly where an order comes to, and a unit below."""
        self.start_again()
        standing = self.world.limits
        for key in KEYS:
            for units in (0, -1):
                flags = {"dry_run": units == 0, "explain": True}  # What passes may not stay.
                order = self.made(replace_flags(shape, **flags))
                self.put_limit(Case(self.world, order), (key, scope, units), LimitSet())
                self.witness.check(order, self.send(order))
        self.configure(standing)

    @rule(shape=SHAPES, units=st.integers(-1, 1))
    def order_at_the_equity(self, shape: Shape, units: int) -> None:
        """The order's margin, or its price, is all the money there is; then that comes back."""
        self.start_again()
        order = self.made(shape)
        case = Case(self.world, order)
        full = case.spec.margin_model is MarginModel.NONE
        self.ask_with(order, (case.paid() if full else case.margin()) + units * unit_of("margin"))

    @rule(shape=SHAPES, units=st.integers(-1, 1))
    def order_without_money(self, shape: Shape, units: int) -> None:
        """What is a share of the equity is infinite when there is none."""
        self.start_again()
        limits = LimitsSpec(leverage=3.0, risk_per_trade_pct=50.0, concentration_pct=90.0)
        self.configure(LimitSet(default=limits))
        self.ask_with(self.made(replace_flags(shape, explain=True)), units * unit_of("margin"))

    def ask_with(self, order: Check, equity: Fraction) -> None:
        """Ask with so much equity, and give back what was taken."""
        amount = round(equity - self.world.books[order.account].equity(), 9)
        self.pay(order.account, Fraction(amount))
        self.ask(order)
        self.everything_agrees()
        self.pay(order.account, -Fraction(amount))

    @rule(shape=SHAPES, ticks=st.integers(-1, 1))
    def orders_that_meet(self, shape: Shape, ticks: int) -> None:
        """An order rests, and one of the other side comes at its price or a tick beside it."""
        self.start_again()
        self.configure(LimitSet(default=LimitsSpec(self_match=SelfMatch.REJECT)))
        shape = replace_flags(shape, dry_run=False, reduce_only=False, close_position=False)
        shape = shape._replace(kind=OrderType.LIMIT)
        self.ask(self.made(shape))
        other = {"buy": "sell", "sell": "buy"}[shape.side]
        met = shape._replace(side=other, ticks=shape.ticks + ticks)
        self.ask(self.made(replace_flags(met, explain=True, dry_run=True)))

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
        self.change(message)

    @rule(
        pick=PICKS,
        limit=st.tuples(st.sampled_from(KEYS), st.sampled_from(SCOPES), st.integers(-1, 1)),
        more=st.sampled_from((0, 1, 2, -1)),
        ticks=st.sampled_from((None, 1, 5, -5)),
    )
    def amend_at_a_limit(self, pick, limit, more, ticks) -> None:
        """A limit is put where a change of a working order comes to, or a unit beside it."""
        self.start_again()
        found = self.picked(pick)
        if found is None or not found[1].is_working:
            return
        key, order = found
        newest = order.newest()
        lots = exact(newest.quantity) + more
        price = None
        if ticks is not None and newest.price is not None:
            price = exact(newest.price) + ticks * tick_of(newest.symbol)
        if lots <= 0 or (price is not None and price <= 0):
            return
        amend = Amend(
            account=key[0],
            client_order_id=key[1],
            new_client_order_id=self.name("c"),
            quantity=float(lots),
            price=None if price is None else float(price),
        )
        case = Case(self.world, self.witness.merged(order, amend), old=order)
        for name in KEYS:
            self.put_limit(case, (name, limit[1], -1), LimitSet())
            if self.change(replace(amend, new_client_order_id=self.name("c"))).approved:
                return
        self.put_limit(case, limit, LimitSet())
        self.change(amend)

    @rule(pick=PICKS, halves=st.tuples(*(st.sampled_from((2, 4, 8, 12, 20)),) * 2))
    def two_changes_and_the_younger_is_taken(self, pick, halves) -> None:
        found = self.picked(pick)
        if found is None or not found[1].is_working:
            return
        (account, order_id), _ = found
        for number in halves:
            new_id = self.name("c")
            change = Amend(
                account=account,
                client_order_id=order_id,
                new_client_order_id=new_id,
                quantity=number / 2,
            )
            if not self.change(change).approved:
                return
        report = a_report(new_id, "replaced", self.name("r"), account=account)
        self.witness.report(report, self.send(report))

    @rule(shape=SHAPES, edge=st.sampled_from(("stale", "rate", "suspect")), late=st.integers(0, 1))
    def order_at_an_instant(self, shape, edge, late) -> None:
        """Time passes to the last nanosecond at which something holds, or one more."""
        self.start_again()
        shape = replace_flags(shape, explain=True, dry_run=False)
        last_ns = {"stale": STALE_NS, "rate": SECOND - 1, "suspect": RESERVED_NS - 1}[edge]
        if edge == "rate":
            self.configure(LimitSet(default=LimitsSpec(orders_per_second=1)))
        self.move(self.made(shape).symbol, shape.pick, "sound")
        self.ask(self.made(shape))
        self.pass_ns(last_ns + late)
        self.ask(self.made(shape))
        if edge == "rate":  # Whether the one before was charged shows now.
            self.ask(self.made(shape))

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
        """The venue answers a change, maybe again, or replaces an order of its own accord."""
        flying = [
            (key, change)
            for key, order in self.world.orders.items()
            for change in order.changes
            if order.is_working
        ]
        found = self.picked(pick)
        told: dict[str, Any] = {}
        if flying and pick % 5:
            key, change = flying[pick % len(flying)]
            order_id = change.amend.new_client_order_id or key[1]
            told = {"leaves_quantity": float(leaves)} if leaves > 6 else {}
        elif found is not None and found[1].is_working:
            key, order_id = found[0], self.an_id(found[0], pick)
            if order_id == key[1] or leaves > 4:  # Else it is of a change, maybe of an old one.
                told = {"leaves_quantity": float(leaves)}
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

    @rule(
        account=st.sampled_from(NAMES),
        pick=PICKS,
        halves=st.tuples(*(st.sampled_from((2, 4, 6, -2, -4, -8)),) * 4),
        busted=st.sampled_from((None, 0, 1, 2, 3)),
    )
    def round_of_fills(self, account, pick, halves, busted) -> None:
        """A position is opened, closed, turned over at four prices; one of them is busted."""
        symbol = TRADED[account][pick % len(TRADED[account])]
        execs = []
        for number, size in enumerate(halves):
            price = PRICES[symbol][(pick + number) % 4]
            side = "buy" if size > 0 else "sell"
            execs.append(self.name("e"))
            message = a_fill(execs[-1], side, abs(size) / 2, price, account=account, symbol=symbol)
            self.witness.fill(message, self.send(message))
            self.everything_agrees()
        if busted is not None:
            bust = FillBust(account=account, exec_id=execs[busted])
            self.witness.bust(bust, self.send(bust))

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
        self.pass_ns(after_ms * MS)
        if fresh:
            for symbol in PRICES:
                quote = self.world.market.quotes[symbol]
                tick = Tick(symbol=symbol, bid=float(quote.bid), ask=float(quote.ask))
                self.send(tick)
                self.world.market.take(tick, self.world.now_ns)

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
    max_examples=EXAMPLES or 80,
    stateful_step_count=60,
    derandomize=not EXAMPLES,
    phases=(Phase.generate, *SHRINK),
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
    deadline=None,
)
