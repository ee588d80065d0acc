"""What trips breakers beside an account's measures: rejects, fills, silence, groups, the firm."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.digest import state_digest
from riskd.messages import (
    AlertSettings,
    BreakerAction,
    Configure,
    GroupSpec,
    LimitSet,
    LimitsSpec,
    Reset,
    ResponseAction,
    ResponseEvent,
    ResponsePolicy,
    RiskSettings,
    Severity,
    Tick,
)
from tests.builders import SECOND, StampedCore, a_fill, a_universe, an_account, an_order, codes_of
from tests.engine.live import Live

COOLING_MS = 5000
REFUSALS: dict[BreakerAction, str] = {
    "halt": "BREAKER_OPEN",
    "halt_cancel": "BREAKER_OPEN",
    "halt_flatten": "BREAKER_OPEN",
    "reduce_only": "REDUCE_ONLY",
}


def a_house(event: ResponseEvent, action: BreakerAction, **limits: Any) -> StampedCore:
    """Return a house where half of four refused orders is too much, and so is what happens."""
    trips = ResponsePolicy(
        id="trips",
        event=event,
        severity=Severity.HIGH,
        action=ResponseAction.MONITOR,
        breaker=action,
        cooling_ms=COOLING_MS,
    )
    watching = AlertSettings(reject_ratio_pct=50.0, reject_orders_min=4, reject_window_ms=1000)
    rules = RiskSettings(stale_after_ms=3_600_000, alerts=watching)
    universe = a_universe(LimitSet(default=LimitsSpec(**limits)), settings=rules)
    house = StampedCore()
    house.send(Configure(universe=replace(universe, responses=(trips,))))
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    return house


def refuse(house: StampedCore, count: int) -> None:
    for _ in range(count):
        number = len(house.inputs)
        assert codes_of(house.send(an_order(f"bad-{number}", quantity=2))) == ["ORDER_QUANTITY"]


@pytest.mark.parametrize("action", REFUSALS)
def test_too_many_rejects_trip_a_breaker_that_cools(action):
    house = a_house(ResponseEvent.REJECT_RATIO, action, order_quantity=1)
    assert codes_of(house.send(an_order("good-1"))) == []
    assert codes_of(house.send(an_order("good-2"))) == []
    refuse(house, 2)  # Two of four are half of them, which is at the limit.
    assert house.core.boards.breakers.book.open == {}
    refuse(house, 1)
    (state,) = house.core.boards.breakers.book.open.values()
    assert (state.scope, state.scope_id, state.action) == ("account", "A1", action)
    assert (state.measure, state.value, state.threshold) == ("reject_ratio", 60.0, 50.0)
    assert REFUSALS[action] in codes_of(house.send(an_order("good-3")))
    house.elapse(COOLING_MS * 10**6 + 2 * SECOND)
    assert codes_of(house.send(an_order("good-4"))) == []


def test_rejects_that_trip_an_alert_alone_stop_nothing():
    house = a_house(ResponseEvent.REJECT_RATIO, "alert", order_quantity=1)
    refuse(house, 4)
    assert len(house.alerts("breaker_stopped")) == 1
    assert codes_of(house.send(an_order("good"))) == []


def test_fills_that_come_too_fast_trip_a_breaker_that_cools():
    house = a_house(ResponseEvent.FILL_VELOCITY, "halt", fills_per_second=2)
    for number in range(2):
        house.send(a_fill(f"e-{number}"))
    assert house.core.boards.breakers.book.open == {}
    house.send(a_fill("e-2"))
    assert "BREAKER_OPEN" in codes_of(house.send(an_order("o-1")))
    house.elapse(COOLING_MS * 10**6)
    assert codes_of(house.send(an_order("o-2"))) == []
    with Live() as live:
        for message, stamp in house.inputs:
            live.send(message, stamp)
        assert state_digest(live.system.state()) == house.digest()


def loss_stops(action: BreakerAction) -> ResponsePolicy:
    return ResponsePolicy(
        id="loss",
        event=ResponseEvent.DAILY_LOSS,
        severity=Severity.CRITICAL,
        action=ResponseAction.MONITOR,
        breaker=action,
        cooling_ms=COOLING_MS,
    )


@pytest.mark.parametrize(("scope", "name"), [("firm", "firm"), ("group", "desk")])
def test_loss_of_a_group_or_the_firm_trips_a_breaker_of_all_its_accounts(scope, name):
    """A1 loses 100, which is what both may lose together; A2, which holds nothing, is stopped."""
    table = LimitsSpec(daily_loss=100)
    limits = LimitSet(firm=table) if scope == "firm" else LimitSet(group={"desk": table})
    accounts = (an_account("A1", group="desk"), an_account("A2", group="desk"))
    universe = a_universe(
        limits, accounts=accounts, settings=RiskSettings(dwell_ms=1000, stale_after_ms=3_600_000)
    )
    groups = (GroupSpec(id="desk"),)
    house = StampedCore()
    told = replace(universe, groups=groups, responses=(loss_stops("halt"),))
    house.send(Configure(universe=told))
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    house.send(a_fill("e", "buy", 10, 100.0))
    house.send(Tick(symbol="X", bid=90.01, ask=90.01))
    assert house.core.boards.breakers.book.open == {}
    house.send(Tick(symbol="X", bid=90.0, ask=90.0))
    (state,) = house.core.boards.breakers.book.open.values()
    assert (state.scope, state.scope_id, state.measure) == (scope, name, "daily_loss")
    refused = house.send(an_order("o-1", account="A2", price=90.0))
    assert "BREAKER_OPEN" in codes_of(refused)
    assert house.send(Reset(breaker_id=state.breaker_id, reason="let us trade")).ok
    (again,) = house.core.boards.breakers.book.open.values()  # The loss is as large as it was.
    assert again.breaker_id == state.breaker_id + 1
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    house.elapse(2 * SECOND + COOLING_MS * 10**6)
    assert codes_of(house.send(an_order("o-2", account="A2"))) == []
    with Live() as live:
        for message, stamp in house.inputs:
            live.send(message, stamp)
        assert state_digest(live.system.state()) == house.digest()


def test_feed_that_falls_silent_stops_its_symbol_until_it_speaks():
    silence = ResponsePolicy(
        id="silence",
        event=ResponseEvent.FEED_SILENCE,
        severity=Severity.HIGH,
        action=ResponseAction.MONITOR,
        breaker="halt",
        cooling_ms=0,
    )
    rules = RiskSettings(alerts=AlertSettings(feed_silence=True))
    house = StampedCore()
    house.send(Configure(universe=replace(a_universe(settings=rules), responses=(silence,))))
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    house.send(Tick(symbol="Y", bid=50.0, ask=50.0))
    house.send(a_fill("e"))
    house.elapse(10 * SECOND)
    (state,) = house.core.boards.breakers.book.open.values()
    assert (state.scope, state.scope_id, state.measure) == ("symbol", "X", "feed_silence")
    assert "BREAKER_OPEN" in codes_of(house.send(an_order("o-1", explain=True)))
    house.send(Tick(symbol="Y", bid=50.0, ask=50.0))
    assert codes_of(house.send(an_order("o-2", symbol="Y", price=50.0))) == []
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    house.elapse(1)
    assert codes_of(house.send(an_order("o-3"))) == []
