"""E63, E66, E68, E75: each row of the shipped policy table, from a tick that crosses a line."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from config.load import load
from engine.digest import state_digest
from riskd.messages import (
    Breaker,
    Configure,
    CorrelationSettings,
    LimitSet,
    LimitsSpec,
    MarginModel,
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
from tests.builders import (
    MS,
    SECOND,
    StampedCore,
    a_fill,
    a_universe,
    an_account,
    an_order,
    codes_of,
)
from tests.engine.gateway import Gateway
from tests.engine.live import Live

SHIPPED = load(None, {}).universe.responses
DWELL_MS = 1000


def tick(house: StampedCore, price: float, symbol: str = "X") -> None:
    house.send(Tick(symbol=symbol, bid=price, ask=price))


def a_house(
    limits: dict[str, Any],
    *,
    lots: int = 100,
    balance: float = 2000.0,
    mode: ResponseMode = ResponseMode.AUTOMATIC,
    policies: tuple[ResponsePolicy, ...] = SHIPPED,
) -> StampedCore:
    """A1 is long X at 100 and needs a tenth of it as margin."""
    house = StampedCore()
    account = an_account(
        balance=balance, margin_model=MarginModel.LEVERAGE, leverage=10.0, response_mode=mode
    )
    universe = a_universe(
        LimitSet(default=LimitsSpec(**limits)),
        accounts=(account,),
        settings=RiskSettings(dwell_ms=DWELL_MS),
    )
    house.send(Configure(universe=replace(universe, responses=policies)))
    tick(house, 100.0)
    tick(house, 50.0, "Y")
    house.send(a_fill("e-1", "buy", lots))
    return house


def stages(house: StampedCore) -> list[tuple[str, str]]:
    """Return policy and stage of everything that was published of responses."""
    told = [topical.message for topical in house.published]
    return [(x.policy, str(x.stage)) for x in told if isinstance(x, ResponseUpdate)]


MARGIN = {
    "margin_warning_pct": 150,
    "margin_critical_pct": 120,
    "margin_stopout_pct": 100,
}


def test_margin_that_is_critical_cuts_positions_by_half():
    """100 lots: equity 2,000 - 100 x fall, margin 10 x price; at 91 it is 1,100 / 910 = 120.9 %."""
    house = a_house(MARGIN)
    gateway = Gateway(house)
    tick(house, 91.0)
    gateway.work()
    assert gateway.sent == []
    tick(house, 90.5)  # 1,050 / 905 = 116 %.
    gateway.work()
    assert [order.quantity for order in gateway.sent] == [50]
    assert house.position().books.lots == 50
    house.elapse(10 * DWELL_MS * MS)
    assert stages(house)[-1] == ("margin-critical", "done")
    told = [alert.severity for alert in house.alerts("margin_state")]
    assert told[:2] == [Severity.MEDIUM, Severity.CRITICAL]  # Warning on the way.


def test_margin_at_stop_out_closes_everything():
    house = a_house(MARGIN)
    gateway = Gateway(house)
    tick(house, 88.0)  # 800 / 880 = 91 %.
    gateway.work()
    assert house.position().books.lots == 0
    assert stages(house)[-1] == ("margin-stopout", "done")


def test_margin_that_falls_on_while_half_is_being_cut_closes_everything_once():
    house = a_house(MARGIN)
    gateway = Gateway(house)
    tick(house, 90.5)
    tick(house, 88.0)
    gateway.work()  # Half was on its way already: it is void now, and refused.
    assert [verdict.rejects[0].code for verdict in gateway.refused] == ["DEADLINE"]
    assert house.position().books.lots == 0
    assert [order.quantity for order in gateway.sent] == [100]
    assert stages(house)[-1] == ("margin-stopout", "done")


def test_e68_margin_level_that_oscillates_around_a_line_acts_and_tells_once():
    house = a_house(MARGIN)
    gateway = Gateway(house)
    gateway.fill_part = 0.0
    for _ in range(5):
        tick(house, 90.5)
        tick(house, 90.9)  # 1,090 / 909 = 119.9 %: still critical.
        tick(house, 91.5)  # 1,150 / 915 = 125.7 %: back, but not for the dwell.
    assert len(house.alerts("margin_state")) == 1  # At the worst level, naming the other.
    assert house.core.boards.responses.number == 1


def test_drawdown_shrinks_what_one_trade_may_risk_until_it_has_recovered():
    """The limit is 5 % of 2,000: high from 90 % of it, a fall of 90."""
    house = a_house({"drawdown_day_pct": 5, "risk_per_trade_pct": 2}, lots=10)
    risky: dict[str, Any] = {
        "quantity": 2,
        "stop_loss": 85.0,
        "price": 100.0,
    }  # Risks 30 of some 1,910: 1.57 %.
    assert codes_of(house.send(an_order("o-1", **risky))) == []
    tick(house, 91.0)
    assert house.account().conduct.risk_shrunk_pct == 1
    tick(house, 91.0)
    refused = house.send(an_order("o-2", **(risky | {"price": 91.0, "stop_loss": 76.0})))
    assert codes_of(refused) == ["RISK_PER_TRADE"]
    assert refused.rejects[0].limit == 1
    tick(house, 100.0)
    house.elapse(2 * DWELL_MS * MS)
    tick(house, 100.0)
    assert house.account().conduct.risk_shrunk_pct is None
    assert codes_of(house.send(an_order("o-3", **risky))) == []


def test_concentration_brings_every_symbol_under_its_share():
    """At most 25 %, warned from 20 %: a name of 450 in 2,000 is brought to 20 %: 400."""
    house = a_house({"concentration_pct": 25}, lots=4)
    gateway = Gateway(house)
    tick(house, 112.5)
    gateway.work()
    assert house.position().books.lots == 3  # 3 x 112.5 = 337.5; four would be 450.
    assert stages(house)[-1] == ("concentration-medium", "done")


MOVING = RiskSettings(
    stale_after_ms=60_000,
    dwell_ms=DWELL_MS,
    correlation=CorrelationSettings(sample_ms=1000, threshold=0.7, samples_min=2),
)


def a_house_in_which_two_move_together(limits: dict[str, Any]) -> StampedCore:
    """A1 has 2,000, is long 4 of X at 100 and 8 of Y at 50, which moved together; S moved alone."""
    house = StampedCore()
    account = an_account(balance=2000.0, response_mode=ResponseMode.AUTOMATIC)
    told = LimitSet(default=msgspec.convert(limits, LimitsSpec))
    universe = a_universe(told, accounts=(account,), settings=MOVING)
    house.send(Configure(universe=replace(universe, responses=SHIPPED)))
    for share, alone in ((1.0, 1.0), (1.1, 1.1), (0.9, 1.2), (1.1, 1.1), (1.0, 1.1)):
        tick(house, round(100 * share, 2))
        tick(house, round(50 * share, 2), "Y")
        tick(house, round(10 * alone, 2), "S")
        house.elapse(SECOND)
    tick(house, 100.0)
    for number, (lots, price, symbol) in enumerate(((4, 100.0, "X"), (8, 50.0, "Y"))):
        house.send(a_fill(f"e-{number}", "buy", lots, price, symbol=symbol))
    house.send(a_fill("e-3", "buy", 10, 11.0, symbol="S"))
    return house


@pytest.mark.parametrize(
    ("limits", "at", "over", "threshold"),
    [
        ({"correlated_exposure_pct": 50}, 100.0, 100.01, 40.0),  # 400 + 400 of 2,000 are 40 %.
        ({"correlated_exposure": 1005}, 101.0, 101.01, 804.0),  # 404 + 400.
    ],
)
def test_correlation_cuts_positions_that_move_together_by_half(limits, at, over, threshold):
    house = a_house_in_which_two_move_together(limits)
    gateway = Gateway(house)
    tick(house, at)
    assert house.alerts("correlation") == []
    tick(house, over)
    gateway.work()
    (alert,) = house.alerts("correlation")
    assert (alert.severity, alert.threshold) == (Severity.MEDIUM, threshold)
    assert alert.value is not None
    assert alert.value > threshold
    assert "X + Y" in alert.message
    assert house.position("X").books.lots == 2
    assert house.position("Y").books.lots == 4
    assert house.position("S").books.lots == 10
    assert stages(house)[-1] == ("correlation-medium", "done")


def test_names_that_begin_to_move_together_are_a_crossing_without_any_price_of_theirs():
    """Nothing is bought and neither name moves: one more sample makes their correlation known."""
    house = StampedCore()
    account = an_account(balance=2000.0, response_mode=ResponseMode.AUTOMATIC)
    limits = LimitSet(default=LimitsSpec(correlated_exposure=800))
    universe = a_universe(limits, accounts=(account,), settings=MOVING)
    house.send(Configure(universe=replace(universe, responses=SHIPPED)))
    for number, (lots, price, symbol) in enumerate(((4, 100.0, "X"), (8, 50.0, "Y"))):
        tick(house, price, symbol)
        house.send(a_fill(f"e-{number}", "buy", lots, price, symbol=symbol))
    for share in (1.1, 0.9):
        assert house.alerts("correlation") == []
        house.elapse(SECOND)
        tick(house, round(100 * share, 2))
        tick(house, round(50 * share, 2), "Y")
    assert house.alerts("correlation") == []
    house.elapse(SECOND)
    tick(house, 10.01, "S")
    told = [(x.severity, x.value) for x in house.alerts("correlation")]
    assert told == [(Severity.MEDIUM, 720.0)]  # 360 in each, of 640.


def test_account_that_only_wants_advice_is_told_the_plan_and_nothing_is_done():
    house = a_house(MARGIN, mode=ResponseMode.ADVISE)
    gateway = Gateway(house)
    tick(house, 90.5)
    assert gateway.told() == []
    updates = [x.message for x in house.published if isinstance(x.message, ResponseUpdate)]
    assert [(x.stage, [(y.side, y.quantity) for y in x.exits]) for x in updates] == [
        ("advised", [("sell", 50)])
    ]
    assert house.position().books.lots == 100


def test_any_extreme_event_halts_the_account_and_cancels_what_works():
    """Without a row of its own the stop-out is stopped by the row for any."""
    house = a_house(MARGIN, policies=tuple(x for x in SHIPPED if x.event is ResponseEvent.ANY))
    house.send(an_order("w-1", price=80.0))
    gateway = Gateway(house)
    tick(house, 88.0)
    assert [x.action for x in house.core.boards.breakers.book.open.values()] == ["halt"]
    gateway.work()
    assert house.account().orders == {}
    assert house.position().books.lots == 100
    assert stages(house)[-1] == ("any-extreme", "done")


def test_stop_is_only_advice_for_an_account_that_only_wants_advice():
    stops = tuple(x for x in SHIPPED if x.event is ResponseEvent.ANY)
    house = a_house(MARGIN, policies=stops, mode=ResponseMode.ADVISE)
    house.send(an_order("w-1", price=80.0))
    tick(house, 88.0)
    assert house.core.boards.breakers.book.open == {}
    assert house.account().orders["w-1"].state == "pending"
    assert stages(house)[-1] == ("any-extreme", "advised")


LOSS_BREAKER = ResponsePolicy(
    id="loss",
    event=ResponseEvent.DAILY_LOSS,
    severity=Severity.HIGH,
    action=ResponseAction.MONITOR,
    breaker="reduce_only",
    cooling_ms=5000,
)


def breakers(house: StampedCore) -> list[tuple[int, bool, int | None]]:
    told = [topical.message for topical in house.published]
    return [(x.breaker_id, x.active, x.until_ns) for x in told if isinstance(x, Breaker)]


def test_e75_limit_nearly_used_up_lets_only_exits_pass_until_it_recovered_and_cooled():
    house = a_house({"daily_loss": 1000}, lots=10, policies=(LOSS_BREAKER,))
    tick(house, 9.0)  # A loss of 910: past 90 %.
    assert codes_of(house.send(an_order("o-1", price=9.0))) == ["REDUCE_ONLY"]
    assert codes_of(house.send(an_order("exit", "sell", 4, price=9.0))) == []
    tick(house, 60.0)
    house.elapse(DWELL_MS * MS)  # It has recovered for the dwell: the breaker cools.
    assert breakers(house)[-1][:2] == (1, True)
    assert breakers(house)[-1][2] is not None
    tick(house, 60.0)
    assert codes_of(house.send(an_order("o-2", price=60.0))) == ["REDUCE_ONLY"]
    house.elapse(5 * SECOND)
    tick(house, 60.0)
    assert codes_of(house.send(an_order("o-3", price=60.0))) == []


def test_e63_breaker_reset_while_its_condition_holds_trips_again_at_once():
    house = a_house({"daily_loss": 1000}, lots=10, policies=(LOSS_BREAKER,))
    tick(house, 9.0)
    first = next(iter(house.core.boards.breakers.book.open.values()))
    peak = house.core.accounts["A1"].water.peaks_money()
    assert house.send(Reset(breaker_id=first.breaker_id, reason="let us trade")).ok
    again = next(iter(house.core.boards.breakers.book.open.values()))
    assert again.breaker_id == 2
    assert (again.reason, again.measure, again.value) == (first.reason, "daily_loss", 910)
    assert codes_of(house.send(an_order("o-1", price=9.0))) == ["REDUCE_ONLY"]
    assert house.core.accounts["A1"].water.peaks_money() == peak
    tick(house, 60.0)
    house.elapse(DWELL_MS * MS)
    assert house.send(Reset(breaker_id=2, reason="it is good again")).ok
    assert house.core.boards.breakers.book.open == {}


def test_breaker_that_cools_is_as_new_when_the_measure_gets_worse_again():
    house = a_house({"daily_loss": 1000}, lots=10, policies=(LOSS_BREAKER,))
    tick(house, 9.0)
    tick(house, 60.0)
    house.elapse(DWELL_MS * MS)
    tick(house, 8.0)
    (state,) = house.core.boards.breakers.book.open.values()
    assert (state.breaker_id, state.until_steady_ns, state.value) == (1, None, 920)


def test_live_system_follows_the_same_policies_to_the_digest():
    house = a_house(MARGIN | {"daily_loss": 900}, policies=(*SHIPPED, LOSS_BREAKER))
    gateway = Gateway(house)
    for price in (91.0, 90.5, 89.0, 88.0):
        tick(house, price)
        gateway.work()
    house.elapse(20 * SECOND)
    with Live() as live:
        for message, stamp in house.inputs:
            live.send(message, stamp)
        assert state_digest(live.system.state()) == house.digest()
