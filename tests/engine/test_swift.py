"""The swift way to an approval and the long one are one: same answers, same state, same alerts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace

import engine.desk
from engine.core import Core, Input
from engine.digest import state_digest
from engine.facts import Stamp
from engine.swift import decide_swiftly
from riskd.codec import encode_msgpack
from riskd.messages import (
    AccountSpec,
    ActorFailed,
    Check,
    DuplicateOrders,
    Hello,
    Kill,
    LimitSet,
    LimitsSpec,
    MarketState,
    OrderType,
    PositionReport,
    SelfMatch,
    Side,
    Tick,
    TimeInForce,
    Trip,
)
from tests.builders import StampedCore, a_core, a_fill, a_report, an_account, an_order
from tests.engine import random_inputs

COUNT = 1200
SWIFT_LEAST = 40  # Of the orders of a run: what is drawn is mostly odd.
LIMITS = LimitSet(  # Those that no bound is known of are left out, and the rest is met often.
    default=replace(
        random_inputs.LIMITS.default,
        order_notional=3_900,
        position_quantity=500,
        open_orders=90,
        drawdown_day_pct=40,
        drawdown_max_pct=50,
        order_quantity=100,
        currency_exposure=None,
        price_move=None,
        turnover=400_000,
        duplicate_orders=DuplicateOrders(count=2, window_ms=5000),
        risk_per_trade_pct=2,
        repeated_executions=30,
    ),
    account=random_inputs.LIMITS.account,
)


def calmed(inputs: list[tuple[Input, Stamp]]) -> list[tuple[Input, Stamp]]:
    """Return inputs without stops and sessions, most orders ordinary ones in two quoted stocks."""
    found: list[tuple[Input, Stamp]] = []
    for message, stamp in inputs:
        if isinstance(message, Kill | Trip | ActorFailed | MarketState | PositionReport | Hello):
            continue
        if isinstance(message, Tick):
            bid = 100.0 + stamp.seq % 9 / 10
            message = Tick(symbol="X" if stamp.seq % 2 else "Y", bid=bid, ask=bid + 0.1)
        if isinstance(message, Check) and stamp.seq % 8:
            away = stamp.seq % 13 - 6  # Percent, of a collar of five.
            message = replace(
                as_ordinary(message),
                account="A1",
                symbol="X" if stamp.seq % 3 else "Y",
                price=100.0 + away if message.side is Side.BUY else 101.0 - away,
                deadline_ns=None if stamp.seq % 5 else stamp.recv_ns + stamp.seq % 2,
            )
        found.append((message, stamp._replace(session=0)))
    return found


def as_ordinary(order: Check) -> Check:
    """Return a limit order without anything special."""
    return replace(
        order,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        expire_ns=None,
        reduce_only=False,
        dry_run=False,
        explain=False,
    )


def told(inputs: Any) -> tuple[list[bytes], str]:
    """Return every answer with all that was published, and the hash of the state at the end."""
    core, found = Core(), []
    for message, stamp in inputs:
        answer = core.apply(message, stamp)
        found.append(encode_msgpack([answer, [tuple(topical) for topical in core.published]]))
    return found, state_digest(core.state())


@pytest.mark.parametrize("seed", range(3))
def test_swift_way_answers_and_leaves_what_the_long_one_does(seed, monkeypatch):
    ways: Counter[bool] = Counter()

    def counted(*asked: Any) -> Any:
        verdict = decide_swiftly(*asked)
        ways[verdict is not None] += 1
        return verdict

    monkeypatch.setattr(random_inputs, "LIMITS", LIMITS)
    inputs = calmed(random_inputs.Inputs(seed).draw(COUNT))
    monkeypatch.setattr(engine.desk, "decide_swiftly", counted)
    swift = told(inputs)
    monkeypatch.setattr(engine.desk, "decide_swiftly", lambda *asked: None)
    assert swift == told(inputs)
    assert ways[True] >= SWIFT_LEAST


@pytest.mark.parametrize(
    ("limits", "order"),
    [
        (LimitsSpec(), {"explain": True}),
        (LimitsSpec(), {"dry_run": True}),
        (LimitsSpec(), {"reduce_only": True}),
        (LimitsSpec(), {"stop_loss": 90.0}),
        (LimitsSpec(), {"deadline_ns": 1}),
        (LimitsSpec(), {"quantity": 1.5}),
        (LimitsSpec(), {"price": 100.005}),
        (LimitsSpec(), {"symbol": "J"}),  # Settles in another currency.
        (LimitsSpec(fills_per_second=1), {}),  # A limit without a bound.
        (LimitsSpec(order_quantity=9), {"quantity": 10.0}),
    ],
)
def test_what_is_not_ordinary_is_judged_by_the_checks(limits, order):
    house = a_core(limits)
    account = house.core.accounts["A1"]
    house.send(an_order("first", symbol=order.get("symbol", "X")))
    before = state_digest(house.core.state())
    asked: Check = an_order("second", **order)
    assert decide_swiftly(account, asked, house.core.stamp, []) is None
    assert state_digest(house.core.state()) == before


def a_seated_core(limits: LimitsSpec, account: AccountSpec | None = None) -> StampedCore:
    """Return a core in which A1 had an order in X, at 99 to 100: its next ones may be swift."""
    quotes = {"X": (99.0, 100.0), "Y": (49.0, 50.0)}
    house = a_core(limits, quotes=quotes, accounts=(account or an_account(),))
    assert house.send(an_order("first")).approved
    house.send(a_report("first", "canceled", "r"))
    return house


def judged(house: StampedCore, order: Check) -> tuple[bool, bool]:
    """Return whether an order is approved swiftly, and whether it is approved at all."""
    swift = decide_swiftly(house.core.accounts["A1"], order, house.core.stamp, [])
    return swift is not None, house.send(replace(order, client_order_id="again")).approved


@pytest.mark.parametrize(
    ("limits", "within", "beyond"),
    [
        (LimitsSpec(order_quantity=10), {"quantity": 10.0}, {"quantity": 11.0}),
        (LimitsSpec(order_notional=1000), {"quantity": 10.0}, {"quantity": 11.0}),
        (LimitsSpec(position_quantity=10), {"quantity": 10.0}, {"quantity": 11.0}),
        (LimitsSpec(position_notional=1000), {"quantity": 10.0}, {"quantity": 11.0}),
        (LimitsSpec(gross_exposure=1000), {"quantity": 10.0}, {"quantity": 11.0}),
        (LimitsSpec(net_exposure=1000), {"quantity": 10.0}, {"quantity": 11.0}),
        (LimitsSpec(turnover=1000), {"quantity": 10.0}, {"quantity": 11.0}),
        (LimitsSpec(leverage=0.001), {"quantity": 10.0}, {"quantity": 11.0}),
        (LimitsSpec(concentration_pct=0.1), {"quantity": 10.0}, {"quantity": 11.0}),
        (LimitsSpec(price_collar_pct=5), {"price": 105.0}, {"price": 105.01}),
        (LimitsSpec(price_collar_ticks=5), {"price": 100.05}, {"price": 100.06}),
        (LimitsSpec(price_collar_money=0.05), {"price": 100.05}, {"price": 100.06}),
    ],
)
def test_order_exactly_within_a_bound_is_swift_and_one_unit_beyond_is_refused(
    limits, within, beyond
):
    """Ten lots at 100 are a thousand, a thousandth of the equity."""
    assert judged(a_seated_core(limits), an_order("o", **within))[0]
    assert judged(a_seated_core(limits), an_order("o", **beyond)) == (False, False)


def test_margin_exactly_of_the_equity_is_swift_and_a_lot_more_is_refused():
    account = an_account(balance=1.0, leverage=1000.0)
    for quantity, answers in ((10.0, True), (11.0, False)):
        house = a_seated_core(LimitsSpec(leverage=1e6), account)
        assert judged(house, an_order("o", quantity=quantity))[0] is answers


def test_working_orders_are_counted_and_met_by_the_swift_way():
    house = a_seated_core(LimitsSpec(open_orders=2, self_match=SelfMatch.REJECT))
    assert decide_swiftly(house.core.accounts["A1"], an_order("o"), house.core.stamp, [])
    assert judged(house, an_order("p", "sell", price=100.0)) == (False, False)
    assert house.send(an_order("q")).approved
    assert judged(house, an_order("r")) == (False, False)


@pytest.mark.parametrize("held", ["X", "Y"])
def test_bounds_by_money_are_those_of_the_newest_prices(held):
    """A price falls until too little leverage is left; a twin asks the checks of each order."""
    limits = LimitsSpec(leverage=50, daily_loss=1e6)  # So far away that few prices are a look.
    house, twin = (a_seated_core(limits, an_account(balance=100.0)) for _ in range(2))
    answers = set()
    for number in range(60):
        price = 99.5 - number / 100 if held == "X" else 90.0 - 1.5 * number
        order = an_order(f"o-{number}", price=100.0 - number / 100)
        for one in (house, twin):
            if not number:
                one.send(a_fill("e", "buy", 1, 90.0, symbol=held))
            one.send(Tick(symbol=held, bid=price - 0.5, ask=price + 0.5))
        account = house.core.accounts["A1"]
        swift = decide_swiftly(account, order, house.core.stamp, []) is not None
        assert swift is twin.send(replace(order, explain=True)).approved
        answers.add(swift)
    assert answers == {False, True}


def test_an_order_in_another_symbol_takes_from_the_credit_that_lasts():
    """Twice 1,000 in cash: ten of X and 18 of Y at 49.5 leave nothing for five more of X."""
    house = a_seated_core(LimitsSpec(leverage=2), an_account(balance=1000.0))
    for bid in (99.01, 99.02):
        house.send(Tick(symbol="X", bid=bid, ask=100.0))
        house.send(an_order(f"x-{bid}", quantity=5.0))
    house.send(Tick(symbol="X", bid=99.0, ask=100.0))
    assert house.send(an_order("y", quantity=18.0, symbol="Y", price=50.0)).approved
    assert judged(house, an_order("o", quantity=5.0)) == (False, False)


def test_what_the_venue_says_is_missing_tightens_the_swift_way():
    """Ten lots at 100 are fifty times 20: with 19 of cash there they are too much."""
    house = a_seated_core(LimitsSpec(leverage=50), an_account(balance=20.0))
    account = house.core.accounts["A1"]
    assert decide_swiftly(account, an_order("o", quantity=1.0), house.core.stamp, [])
    house.send(PositionReport(account="A1", as_of_ns=1, balance=19.0))
    assert judged(house, an_order("p", quantity=9.0)) == (False, False)


def test_a_fill_that_loses_shuts_the_swift_way():
    house = a_seated_core(LimitsSpec(daily_loss=100))
    account = house.core.accounts["A1"]
    assert decide_swiftly(account, an_order("o"), house.core.stamp, [])
    house.send(a_fill("e", "buy", 10, 109.5))
    assert judged(house, an_order("p")) == (False, False)
