"""Alerts over a stretch of time: pace of loss, moves, reward to risk, rebalancing."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.digest import decode_state, encode_state, state_digest
from riskd.messages import (
    Alert,
    AlertSettings,
    Configure,
    LimitSet,
    LimitsSpec,
    LimitValue,
    ResponseAction,
    ResponseEvent,
    ResponseMode,
    ResponsePolicy,
    RiskSettings,
    Severity,
    Tick,
    Transfer,
)
from tests.builders import (
    SECOND,
    StampedCore,
    a_fill,
    a_report,
    a_universe,
    an_account,
    an_order,
    codes_of,
)
from tests.engine.live import Live

DWELL_S = 3
LOOK_MS = 1000


def a_house(
    lots: int = 10,
    *,
    limits: LimitsSpec | None = None,
    responses: tuple[ResponsePolicy, ...] = (),
    **alerts: Any,
) -> StampedCore:
    """Return a house with A1: 10,000 and long X at 100; it is looked at each second."""
    told: dict[str, Any] = {
        "look_ms": LOOK_MS,
        "burn_horizon_ms": 0,
        "burn_short_ms": 4000,
        "burn_long_ms": 8000,
        "move_window_ms": 4000,
    }
    rules = RiskSettings(
        stale_after_ms=3_600_000,
        dwell_ms=DWELL_S * 1000,
        alerts=AlertSettings(**{**told, **alerts}),
    )
    house = StampedCore()
    account = an_account(balance=10_000.0, response_mode=ResponseMode.AUTOMATIC)
    universe = a_universe(
        LimitSet(default=limits or LimitsSpec()), accounts=(account,), settings=rules
    )
    house.send(Configure(universe=replace(universe, responses=responses)))
    tick(house, 100.0)
    tick(house, 50.0, "Y")
    if lots:
        house.send(a_fill("e-1", "buy", lots, 100.0))
    house.published.clear()
    return house


def tick(house: StampedCore, price: float, symbol: str = "X") -> None:
    house.send(Tick(symbol=symbol, bid=price, ask=price))


def seconds(house: StampedCore, *prices: float) -> None:
    """Let X have each of these prices for a second, at the end of which A1 is looked at."""
    for price in prices:
        tick(house, price)
        house.elapse(SECOND)


def said(house: StampedCore) -> list[tuple[str, str]]:
    found = [topical.message for topical in house.published]
    return [(x.alert_type, x.status) for x in found if isinstance(x, Alert)]


BURNING: dict[str, Any] = {"burn_horizon_ms": 40_000, "limits": LimitsSpec(daily_loss=500.0)}


def test_loss_that_reaches_its_limit_soon_at_the_pace_of_both_windows_is_said():
    """Ten lots fall by 1 a second. Ten seconds on 100 of 500 are lost: the rest lasts 40 s."""
    house = a_house(**BURNING)
    seconds(house, *(100.0 for _ in range(9)))
    seconds(house, *(99.0 - n for n in range(9)))
    assert said(house) == []  # 41 s are left.
    seconds(house, 90.0)
    (alert,) = house.alerts("burn_rate")
    assert (alert.severity, alert.value, alert.threshold) == (Severity.HIGH, 40.0, 40.0)
    assert "in 40 s (the last 4 s), in 40 s (the last 8 s)" in alert.message
    seconds(house, 89.0, 88.0)
    assert said(house) == [("burn_rate", "raised")]


def test_fall_in_one_window_alone_is_no_pace():
    """The last four seconds alone would reach the limit within 20 s, the last eight would not."""
    house = a_house(**{**BURNING, "burn_horizon_ms": 20_000})
    seconds(house, *(100.0 for _ in range(9)))
    seconds(house, 100.0, 97.0, 94.0, 91.0)  # 90 lost: 410 last 18.2 s and 36.4 s.
    assert said(house) == []
    stopped = a_house(**BURNING)
    seconds(stopped, 100.0, 100.0)
    seconds(stopped, *(80.0 for _ in range(9)))  # Lost, and not losing any more.
    assert said(stopped) == []


def test_pace_is_not_known_before_the_longer_window_was_seen():
    house = a_house(**BURNING)
    seconds(house, 97.0, 94.0, 91.0, 88.0, 85.0, 82.0, 79.0, 76.0)
    assert said(house) == []
    seconds(house, 73.0)
    assert said(house) == [("burn_rate", "raised")]


def test_pace_that_slows_down_ends_its_alert_after_the_dwell():
    house = a_house(**BURNING)
    seconds(house, *(100.0 for _ in range(9)))
    seconds(house, 96.0, 92.0, 88.0, 84.0)
    assert said(house) == [("burn_rate", "raised")]
    seconds(house, *(84.0 for _ in range(5 + DWELL_S)))
    assert said(house) == [("burn_rate", "raised"), ("burn_rate", "resolved")]


def test_what_is_paid_out_is_no_loss_and_no_move():
    house = a_house(**BURNING, pnl_move_pct=1.0)
    seconds(house, *(100.0 for _ in range(9)))
    house.send(Transfer(account="A1", transfer_id="t", amount=-5000.0))
    seconds(house, *(100.0 for _ in range(9)))
    assert said(house) == []


@pytest.mark.parametrize("direction", [1, -1])
def test_account_that_moved_too_far_within_the_window_is_said_and_ends(direction):
    """Ten lots: 10 of price are 100, 1 % of 10,000."""
    house = a_house(pnl_move_pct=1.0)
    seconds(house, 100.0, 100.0 + direction * 10.0)
    assert said(house) == []
    seconds(house, 100.0 + direction * 10.01)
    (alert,) = house.alerts("pnl_move")
    assert (alert.severity, alert.threshold) == (Severity.MEDIUM, 1.0)
    assert alert.value == pytest.approx(1.001)
    assert ("gained 100.1 USD" if direction > 0 else "lost 100.1 USD") in alert.message
    seconds(house, *(100.0 + direction * 10.01 for _ in range(4 + DWELL_S + 1)))
    assert said(house)[-1] == ("pnl_move", "resolved")


def test_position_that_moved_too_far_is_named_though_the_account_did_not():
    """X gains what Y loses: 20 each, of an equity of 10,000."""
    house = a_house(pnl_move_pct=0.2, position_move_pct=0.2)
    house.send(a_fill("e-2", "buy", 10, 50.0, symbol="Y"))
    seconds(house, 100.0)
    tick(house, 48.0, "Y")
    seconds(house, 102.0)
    assert house.alerts("position_move") == []
    tick(house, 47.99, "Y")
    seconds(house, 102.01)
    told = house.alerts("position_move")
    assert [x.symbol for x in told] == ["X", "Y"]
    assert [x.value for x in told] == pytest.approx([0.201, 0.201])
    assert house.alerts("pnl_move") == []


def test_profit_that_is_taken_is_no_move_of_the_position():
    house = a_house(position_move_pct=0.2)
    seconds(house, 100.0, 101.5)
    house.send(a_fill("e-2", "sell", 10, 101.5))
    house.send(a_fill("e-3", "buy", 10, 101.5))
    seconds(house, 101.5, 101.5)
    assert house.alerts("position_move") == []


def with_stop(house: StampedCore) -> None:
    order = an_order("o-1", quantity=10, stop_loss=90.0, take_profit=110.0)
    assert codes_of(house.send(order)) == []
    house.send(a_fill("e-9", "buy", 10, 100.0, client_order_id="o-1"))


def test_reward_that_is_gone_for_its_risk_is_said_until_it_is_back():
    """At 103.33 there is 6.67 to win and 13.33 to lose, at 103.34 less than half."""
    house = a_house(0, reward_to_risk_min=0.5)
    with_stop(house)
    seconds(house, 103.33)
    assert said(house) == []
    seconds(house, 103.34)
    (alert,) = house.alerts("reward_to_risk")
    assert (alert.symbol, alert.severity, alert.threshold) == ("X", Severity.LOW, 0.5)
    assert alert.value == pytest.approx(6.66 / 13.34)
    seconds(house, 103.0, *(102.0 for _ in range(DWELL_S + 2)))
    assert said(house) == [("reward_to_risk", "raised"), ("reward_to_risk", "resolved")]
    seconds(house, 89.0)  # Past its stop there is nothing left to win.
    assert [x.value for x in house.alerts("reward_to_risk")][-1] == 0.0


def test_position_without_a_stop_has_no_reward_to_lose():
    house = a_house(reward_to_risk_min=0.5)
    seconds(house, 150.0, 50.0)
    assert said(house) == []


def test_account_that_hangs_on_few_of_its_names_wants_rebalancing():
    """Ten X at 100 and twenty Y at 50 are even: an index of a half, which is at the threshold."""
    house = a_house(rebalance_hhi=0.5)
    seconds(house, 100.0)
    assert said(house) == []  # One name alone is no imbalance.
    house.send(a_fill("e-2", "buy", 20, 50.0, symbol="Y"))
    seconds(house, 100.0)
    assert house.alerts("rebalancing") == []
    seconds(house, 110.0)
    (alert,) = house.alerts("rebalancing")
    assert (alert.symbol, alert.severity, alert.threshold) == ("X", Severity.LOW, 0.5)
    assert "52.4 % of exposure, 50 % would be even" in alert.message


STOPS = ResponsePolicy(
    id="burn",
    event=ResponseEvent.BURN_RATE,
    severity=Severity.HIGH,
    action=ResponseAction.MONITOR,
    breaker="reduce_only",
    cooling_ms=1000,
)


def burnt(house: StampedCore) -> None:
    seconds(house, *(100.0 for _ in range(9)))
    seconds(house, 96.0, 92.0, 88.0, 84.0)


def test_pace_may_trip_a_breaker_that_cools_once_it_has_slowed_down():
    house = a_house(**BURNING, responses=(STOPS,))
    burnt(house)
    assert codes_of(house.send(an_order("o-1", price=84.0))) == ["REDUCE_ONLY"]
    seconds(house, *(84.0 for _ in range(7 + DWELL_S)))
    assert codes_of(house.send(an_order("o-2", price=84.0))) == []


def test_restored_engine_and_actors_know_pace_and_moves_to_the_last_bit():
    house = a_house(
        **BURNING,
        responses=(STOPS,),
        pnl_move_pct=1.0,
        position_move_pct=0.5,
        reward_to_risk_min=0.9,
        rebalance_hhi=0.5,
    )
    with_stop(house)
    house.send(a_fill("e-2", "buy", 20, 50.0, symbol="Y"))
    burnt(house)
    cut = len(house.inputs)
    restored = StampedCore()
    restored.core.restore(decode_state(encode_state(house.core.state())))
    house.send(Transfer(account="A1", transfer_id="t", amount=-500.0))
    seconds(house, *(84.0 for _ in range(5)), 95.0, 82.0, *(100.0 for _ in range(9)))
    for message, stamp in house.inputs[cut:]:
        restored.send_at(message, stamp)
    assert restored.digest() == house.digest()
    types = {name for name, _ in said(house)}
    assert types > {"burn_rate", "pnl_move", "position_move", "reward_to_risk", "rebalancing"}
    with Live() as live:
        for message, stamp in house.inputs:
            live.send(message, stamp)
        assert state_digest(live.system.state()) == house.digest()


def test_rate_that_carries_a_currency_past_its_limit_is_told_though_nobody_trades():
    """100 EUR at 1.25 are the 125 that there may be; eased by a twentieth it is safe at 118.75."""
    told: Any = {"currency_exposure": {"EUR": LimitValue(value=125.0, hard=False)}}
    cancels = ResponsePolicy(
        id="cancels",
        event=ResponseEvent.EXPOSURE,
        severity=Severity.CRITICAL,
        action=ResponseAction.CANCEL,
        breaker="reduce_only",
        cooling_ms=0,
    )
    house = a_house(0, limits=LimitsSpec(**told), responses=(cancels,))
    euro: dict[str, Any] = {"symbol": "EURUSD"}
    tick(house, 1.25, "EURUSD")
    house.send(a_fill("e-2", "buy", 100, 1.25, **euro))
    house.elapse(2 * SECOND)
    assert house.alerts("currency_limit") == []
    tick(house, 1.2501, "EURUSD")
    house.elapse(SECOND)
    (alert,) = house.alerts("currency_limit")
    assert (alert.account, alert.severity, alert.threshold) == ("A1", Severity.CRITICAL, 125)
    assert alert.value == pytest.approx(125.01)
    (state,) = house.core.boards.breakers.book.open.values()
    assert (state.scope, state.measure) == ("account", "currency_limit:EUR")
    assert codes_of(house.send(an_order("more", price=1.25, **euro))) == ["REDUCE_ONLY"]
    assert codes_of(house.send(an_order("less", "sell", 50, price=1.25, **euro))) == []
    house.send(a_report("less", "canceled"))
    tick(house, 1.19, "EURUSD")
    house.elapse((DWELL_S + 2) * SECOND)
    assert len(house.alerts("currency_limit")) == 1
    tick(house, 1.18, "EURUSD")
    house.elapse((DWELL_S + 2) * SECOND)
    assert [alert.status for alert in house.alerts("currency_limit")] == ["raised", "resolved"]
    assert house.core.boards.breakers.book.open == {}
    with Live() as live:
        for message, stamp in house.inputs:
            live.send(message, stamp)
        assert state_digest(live.system.state()) == house.digest()


def test_currency_that_nobody_limits_and_that_of_the_account_are_not_looked_at():
    told: Any = {"currency_exposure": {"USD": 1.0, "JPY": 1.0}}
    house = a_house(0, limits=LimitsSpec(**told))
    tick(house, 1.25, "EURUSD")
    house.send(a_fill("e-2", "buy", 100, 1.25, symbol="EURUSD"))
    house.elapse(3 * SECOND)
    assert house.alerts("currency_limit") == []
