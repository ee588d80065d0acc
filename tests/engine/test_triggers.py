"""What trips breakers beside an account's measures: rejects, fills, silence, groups, the firm."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.alert_views import done_about
from engine.core import Core
from engine.digest import decode_state, encode_state, state_digest
from riskd.messages import (
    AccountUnfreeze,
    ActorFailed,
    AlertSettings,
    BreakerAction,
    Configure,
    Elapse,
    GroupSpec,
    LimitSet,
    LimitsSpec,
    PriceMove,
    Reduce,
    Reset,
    ResponseAction,
    ResponseEvent,
    ResponseMode,
    ResponsePolicy,
    ResponseUpdate,
    RiskSettings,
    Severity,
    Tick,
)
from tests.builders import SECOND, StampedCore, a_fill, a_universe, an_account, an_order, codes_of
from tests.engine.gateway import Gateway
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


def a_restless_house(breaker: BreakerAction, limits: LimitSet) -> StampedCore:
    moves = ResponsePolicy(
        id="moves",
        event=ResponseEvent.PRICE_MOVE,
        severity=Severity.CRITICAL,
        action=ResponseAction.CANCEL,
        breaker=breaker,
        cooling_ms=COOLING_MS,
    )
    automatic: dict[str, Any] = {"response_mode": ResponseMode.AUTOMATIC}
    accounts = (an_account("A1", **automatic), an_account("A2", **automatic))
    rules = RiskSettings(dwell_ms=2000, recover_pct=10.0, stale_after_ms=3_600_000)
    universe = a_universe(limits, accounts=accounts, settings=rules)
    house = StampedCore()
    house.send(Configure(universe=replace(universe, responses=(moves,))))
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    house.send(Tick(symbol="Y", bid=50.0, ask=50.0))
    return house


MOVES = PriceMove(window_ms=10_000, pct=5.0)


@pytest.mark.parametrize(
    "limits",
    [
        LimitSet(default=LimitsSpec(price_move=MOVES)),
        LimitSet(firm=LimitsSpec(price_move=MOVES)),
        LimitSet(symbol={"X": LimitsSpec(price_move=MOVES)}),
    ],
    ids=["default", "firm", "symbol"],
)
def test_price_that_moves_too_far_in_a_window_trips_the_breaker_of_its_symbol(limits):
    """In steps that are no move of 5 % each: 100, 102, 104, 105 and 105.01."""
    house = a_restless_house("halt", limits)
    for account in ("A1", "A2"):
        house.send(an_order("w-x", account=account, price=90.0))
        house.send(an_order("w-y", account=account, symbol="Y", price=40.0))
    gateway = Gateway(house)
    for price in (102.0, 104.0, 105.0):
        house.send(Tick(symbol="X", bid=price, ask=price), SECOND)
    assert [str(alert.severity) for alert in house.alerts("price_move")] == ["medium", "high"]
    assert house.core.boards.breakers.book.open == {}
    house.send(Tick(symbol="X", bid=105.01, ask=105.01))
    (state,) = house.core.boards.breakers.book.open.values()
    assert (state.scope, state.scope_id, state.measure) == ("symbol", "X", "price_move")
    assert state.value == pytest.approx(5.01)
    assert state.threshold == 5.0
    told = [(one.account, one.client_order_id) for one in gateway.told()]
    assert told == [("A1", "w-x"), ("A2", "w-x")]  # Each account's orders in it, and in it alone.
    assert codes_of(house.send(an_order("y", symbol="Y", price=50.0))) == []
    restored = Core()
    restored.restore(decode_state(encode_state(house.core.state())))
    assert state_digest(restored.state()) == house.digest()
    house.core = restored
    # 100 stood until the first second, so it is behind from the 11th; then the dwell, then cooling.
    house.elapse(9 * SECOND)
    assert codes_of(house.send(an_order("x-1", price=105.0))) == ["BREAKER_OPEN"]
    house.elapse(5 * SECOND + COOLING_MS * 10**6)
    assert house.core.boards.breakers.book.open == {}
    assert [alert.status for alert in house.alerts("price_move")][-1] == "resolved"
    assert codes_of(house.send(an_order("x-2", price=105.0))) == []
    with Live() as live:
        for message, stamp in house.inputs:
            live.send(message, stamp)
        assert state_digest(live.system.state()) == house.digest()


def test_price_that_comes_back_by_less_than_a_step_is_no_calm():
    """From 100 it is past 5 %; from 100.4, at which the window begins later, at 4.59 %, and a tenth
    less than the limit is 4.5."""
    house = a_restless_house("alert", LimitSet(default=LimitsSpec(price_move=MOVES)))
    house.send(Tick(symbol="X", bid=100.4, ask=100.4), 8 * SECOND)
    house.send(Tick(symbol="X", bid=105.01, ask=105.01), SECOND)
    house.elapse(19 * SECOND // 2)  # It is half a second since 100 left the window.
    told = [(str(alert.severity), alert.status) for alert in house.alerts("price_move")]
    assert told == [("critical", "raised")]
    assert house.core.boards.quotes.swings.standing["X"].until_ns is None
    house.elapse(SECOND)  # 100.4 did too.
    assert house.core.boards.quotes.swings.standing["X"].until_ns is not None


def test_move_that_only_one_account_may_not_trade_through_trips_nothing():
    limits = LimitSet(account={"A1": LimitsSpec(price_move=MOVES)})
    house = a_restless_house("halt", limits)
    house.send(Tick(symbol="X", bid=110.0, ask=110.0))
    assert house.alerts("price_move") == []
    assert house.core.boards.breakers.book.open == {}
    assert codes_of(house.send(an_order("o", price=110.0))) == ["BREAKER_OPEN"]
    assert codes_of(house.send(an_order("o", account="A2", price=110.0))) == []


def test_limit_on_moves_that_is_lifted_ends_what_stood_for_it():
    house = a_restless_house("halt", LimitSet(symbol={"X": LimitsSpec(price_move=MOVES)}))
    house.send(Tick(symbol="X", bid=110.0, ask=110.0))
    assert len(house.core.boards.breakers.book.open) == 1
    house.send(Configure(universe=replace(a_universe(), settings=RiskSettings(dwell_ms=2000))))
    house.elapse(4 * SECOND + COOLING_MS * 10**6)
    assert house.core.boards.quotes.swings.standing == {}
    assert house.core.boards.breakers.book.open == {}


def test_fault_that_freezes_an_account_stops_it_and_a_person_lets_it_go_on():
    """What works at the venue is cancelled, what is held stays: its books may lack something."""
    stop = ResponsePolicy(
        id="any",
        event=ResponseEvent.ANY,
        severity=Severity.EXTREME,
        action=ResponseAction.STOP,
        cooling_ms=0,
    )
    accounts = [
        an_account(name, response_mode=mode)
        for name, mode in (("A1", ResponseMode.AUTOMATIC), ("A2", ResponseMode.ADVISE))
    ]
    house = StampedCore()
    told = a_universe(accounts=tuple(accounts))
    house.send(Configure(universe=replace(told, responses=(stop,))))
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    gateway = Gateway(house)
    for name in ("A1", "A2"):
        house.send(a_fill("e", account=name))
        house.send(an_order("w", account=name, price=90.0))
        house.send(ActorFailed(account=name, reason="fault at seq 9"))
    assert [one.account for one in gateway.told()] == ["A1"]
    (state,) = house.core.boards.breakers.book.open.values()
    assert (state.scope, state.scope_id, state.measure) == ("account", "A1", "fault")
    assert "fault at seq 9" in state.reason
    explained = house.send(an_order("o", explain=True))
    assert codes_of(explained)[:2] == ["BREAKER_OPEN", "ACCOUNT_FROZEN"]
    assert house.send(AccountUnfreeze(account="A1", reason="looked at")).ok
    house.elapse(1)
    assert house.core.boards.breakers.book.open == {}
    assert codes_of(house.send(an_order("o-2"))) == []
    with Live() as live:
        for message, stamp in house.inputs:
            live.send(message, stamp)
        assert state_digest(live.system.state()) == house.digest()


@pytest.mark.parametrize(
    ("table", "scope", "scope_id", "stops"),
    [
        ("firm", "firm", "firm", {"A1", "A2", "other"}),
        ("strategy", "strategy", "mm", {"A1", "A2"}),
        ("symbol", "symbol", "X", {"A1", "A2", "other"}),
        ("account", "account", "A1", {"A1", "other"}),
        ("default", "account", "A1", {"A1", "other"}),
    ],
)
def test_fills_that_come_too_fast_trip_the_breaker_of_the_scope_that_limits_them(
    table, scope, scope_id, stops
):
    """Three fills of A1 by strategy mm; orders of mm in A1 and A2, and one of another in A1."""
    limited = LimitsSpec(fills_per_second=2)
    told: dict[str, Any] = {table: limited if table in ("default", "firm") else {scope_id: limited}}
    trips = ResponsePolicy(
        id="trips",
        event=ResponseEvent.FILL_VELOCITY,
        severity=Severity.HIGH,
        action=ResponseAction.MONITOR,
        breaker="halt",
        cooling_ms=COOLING_MS,
    )
    house = StampedCore()
    rules = RiskSettings(stale_after_ms=3_600_000)
    universe = a_universe(LimitSet(**told), settings=rules)
    house.send(Configure(universe=replace(universe, responses=(trips,))))
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    for number in range(3):
        house.send(a_fill(f"e-{number}", strategy="mm"))
    (state,) = house.core.boards.breakers.book.open.values()
    assert (state.scope, state.scope_id, state.measure) == (scope, scope_id, "fill_velocity")
    (entry,) = [
        x for x in house.core.alerts.entries.values() if x.alert.alert_type == "fill_velocity"
    ]
    done = done_about(house.core.boards, entry.cause, 0)
    assert [breaker.breaker_id for breaker in done["breakers"]] == [state.breaker_id]
    orders = {
        "A1": an_order("o-1", strategy="mm"),
        "A2": an_order("o-2", account="A2", strategy="mm"),
        "other": an_order("o-3", strategy="slow"),
    }
    codes = {name: codes_of(house.send(order)) for name, order in orders.items()}
    halted = {name for name, found in codes.items() if "BREAKER_OPEN" in found}
    assert halted == stops
    house.elapse(COOLING_MS * 10**6)
    assert house.core.boards.breakers.book.open == {}


def test_what_prices_cause_comes_before_plans_whose_time_is_over_also_among_actors():
    silence = ResponsePolicy(
        id="silence",
        event=ResponseEvent.FEED_SILENCE,
        severity=Severity.HIGH,
        action=ResponseAction.REDUCE,
        percent=50.0,
    )
    rules = RiskSettings(alerts=AlertSettings(feed_silence=True))
    accounts = (an_account(), an_account("A2"))
    universe = a_universe(settings=rules, accounts=accounts)
    house = StampedCore()
    house.send(Configure(universe=replace(universe, responses=(silence,))))
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    house.send(Tick(symbol="Y", bid=50.0, ask=50.0))
    house.send(a_fill("e-1"))
    house.send(a_fill("e-2", symbol="Y", price=50.0, account="A2"))
    house.send(Reduce(account="A2", reason="by hand"))  # Nobody carries it out.
    house.send(Elapse(), 60 * SECOND)  # It is late, and so is the feed of X, at once.
    told = [(topical.topic, topical.message) for topical in house.core.published]
    plans = [message.account for _, message in told if isinstance(message, ResponseUpdate)]
    assert plans == ["A1", "A2"]
    with Live() as live:
        for message, stamp in house.inputs:
            live.send(message, stamp)
        assert live.published == told
        assert state_digest(live.system.state()) == house.digest()
