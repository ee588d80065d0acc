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
    Side,
    Tick,
    TimeInForce,
    Trip,
)
from tests.builders import a_core, an_order
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
