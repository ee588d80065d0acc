"""E4, E51, E54: what a restart brings back, from a snapshot or from the journal alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from engine.core import Core
from engine.digest import decode_state, encode_state
from riskd.messages import (
    Configure,
    DayBegan,
    Kill,
    LimitsSpec,
    ResponseAction,
    ResponseEvent,
    ResponsePolicy,
    RiskSettings,
    Severity,
    Tick,
    Trip,
)
from tests.builders import (
    MS,
    SECOND,
    StampedCore,
    a_core,
    a_fill,
    a_report,
    a_universe,
    an_account,
    an_order,
    codes_of,
)

Restart = Callable[[StampedCore], StampedCore]


def from_snapshot(house: StampedCore) -> StampedCore:
    """Return another house that begins with the state of this one, as bytes."""
    core = Core()
    core.restore(decode_state(encode_state(house.core.state())))
    restarted = StampedCore(core)
    restarted.stamp = house.stamp
    return restarted


def from_journal(house: StampedCore) -> StampedCore:
    """Return another house that took every input of this one again."""
    restarted = StampedCore()
    for message, stamp in house.inputs:
        restarted.send_at(message, stamp)
    restarted.published.clear()
    return restarted


RESTARTS = pytest.mark.parametrize("restart", [from_snapshot, from_journal])


def test_e07_state_that_comes_back_from_a_snapshot_is_the_state_to_the_byte():
    """Of verdicts that were explained too: numbers of nobody's limit are numbers of the wire."""
    house = a_core()
    house.send(an_order("o-1", explain=True))
    house.send(an_order("o-2", quantity=1.5, explain=True))
    assert from_snapshot(house).digest() == house.digest()


@RESTARTS
@pytest.mark.parametrize("ending", [None, "canceled", "rejected", "expired"])
def test_e04_retry_after_a_restart_returns_the_first_verdict_and_reserves_nothing(restart, ending):
    house = a_core(LimitsSpec(order_quantity=5, orders_per_second=3))
    approved = house.send(an_order("yes", quantity=5))
    refused = house.send(an_order("no", quantity=6))
    if ending is not None:
        house.send(a_report("yes", ending))
    again = restart(house)
    leaves = again.position().open_buy_lots
    assert leaves == (5 if ending is None else 0)
    assert again.send(an_order("yes", quantity=5)) == replace(approved, duplicate=True)
    assert again.send(an_order("no", quantity=6)) == replace(refused, duplicate=True)
    assert again.position().open_buy_lots == leaves
    changed = again.send(an_order("yes", quantity=4))
    assert codes_of(changed) == ["ID_REUSED"]
    assert "with quantity 5.0, now 4.0" in changed.rejects[0].text
    # None of the retries cost any of the rate: the third order of the second passes.
    assert codes_of(again.send(an_order("third"))) == []
    assert codes_of(again.send(an_order("fourth"))) == ["RATE_LIMIT"]


@RESTARTS
def test_e04_id_older_than_the_horizon_is_refused_as_too_old_after_a_restart(restart, monkeypatch):
    monkeypatch.setattr("engine.account_state.FINISHED_MAX", 3)
    house = a_core()
    for number in range(5):
        house.send(an_order(f"o-{number}"))
        house.send(a_report(f"o-{number}", "canceled"))
    again = restart(house)
    for number, codes in enumerate([["ID_EXPIRED"], ["ID_EXPIRED"], [], [], []]):
        verdict = again.send(an_order(f"o-{number}"))
        assert codes_of(verdict) == codes
        assert verdict.duplicate is not codes
    assert again.position().open_buy_lots == 0


LIMITS = LimitsSpec(daily_loss=100, orders_per_second=4)


def a_bad_day() -> StampedCore:
    """A1 has lost 99 today, waits for news of an order, and has sent two orders this second."""
    settings = RiskSettings(reservation_ms=500, stale_after_ms=600_000)
    house = a_core(LIMITS, accounts=(an_account(balance=10_000.0),), settings=settings)
    house.send(a_fill("e-1", "buy", 10, 109.9))  # Ten at 109.90, worth 100.
    house.send(an_order("lost", "buy", 3))
    house.elapse(600 * MS)
    house.send(an_order("one", "sell", 1))
    house.send(an_order("two", "sell", 1))
    return house


@RESTARTS
def test_e54_baseline_of_the_day_comes_back_with_its_loss(restart):
    house = a_bad_day()
    again = restart(house)
    assert codes_of(again.send(an_order("under"))) == []  # 99 of 100 lost.
    again.send(Tick(symbol="X", bid=99.9, ask=99.9))  # Ten held: one more is lost.
    again.elapse(SECOND)
    verdict = again.send(an_order("at"))
    assert codes_of(verdict) == ["DAILY_LOSS"]
    assert (verdict.rejects[0].value, verdict.rejects[0].limit) == (100, 100)


@RESTARTS
def test_e54_window_of_a_rate_comes_back_with_what_was_charged(restart):
    """Four a second; three were sent, the first of them 600 ms and 2 us ago."""
    again = restart(a_bad_day())
    assert codes_of(again.send(an_order("fourth", "sell"), 0)) == []
    verdict = again.send(an_order("fifth", "sell"), 0)
    assert codes_of(verdict) == ["RATE_LIMIT"]
    left_ns = 400 * MS - 2000
    assert verdict.rejects[0].retry_after_ns == left_ns
    assert codes_of(again.send(an_order("early", "sell"), left_ns - 1)) == ["RATE_LIMIT"]
    assert codes_of(again.send(an_order("room", "sell"), 1)) == []


@RESTARTS
def test_e54_suspect_reservation_comes_back_counted_and_still_suspect(restart):
    again = restart(a_bad_day())
    assert again.account().orders["lost"].state == "suspect"
    assert again.position().open_buy_lots == 3
    assert again.send(a_report("lost", "canceled")).flags == ()
    assert again.position().open_buy_lots == 0


@RESTARTS
def test_e54_deadline_of_a_reservation_is_kept_over_a_restart(restart):
    """`one` was approved 1 us before `two`; both are suspect 500 ms after, restarted or not."""
    again = restart(a_bad_day())
    again.elapse(500 * MS - 1001)
    assert {again.account().orders[key].state for key in ("one", "two")} == {"pending"}
    again.elapse(1)
    assert [again.account().orders[key].state for key in ("one", "two")] == ["suspect", "pending"]
    again.elapse(1000)
    assert again.account().orders["two"].state == "suspect"


@RESTARTS
def test_e54_tripped_breakers_come_back_the_timed_one_until_its_instant(restart):
    house = a_bad_day()
    until_ns = house.stamp.recv_ns + SECOND
    house.send(Trip(scope="symbol", scope_id="X", until_ns=until_ns, reason="drill"), 0)
    house.send(Kill(scope="account", scope_id="A1"), 0)
    again = restart(house)
    explained = again.send(an_order("both", explain=True), 0)
    assert codes_of(explained)[:2] == ["KILLED", "BREAKER_OPEN"]
    assert f"until_ns {until_ns}: drill" in explained.rejects[1].text
    again.elapse(SECOND - 1)
    assert codes_of(again.send(an_order("before", explain=True), 0))[:2] == [
        "KILLED",
        "BREAKER_OPEN",
    ]
    again.elapse(1)
    assert codes_of(again.send(an_order("after", explain=True), 0)) == ["KILLED"]


@RESTARTS
def test_e51_roll_that_was_missed_is_applied_once_with_the_recorded_baseline(restart):
    """99 of 100 were lost when it stopped; the day begins before the first verdict afterwards."""
    house = a_bad_day()
    house.send(DayBegan(calendar="UTC", day="2026-11-20"))
    house.send(a_fill("e-2", "buy", 10, 109.9))  # 99 lost since that day began.
    again = restart(house)
    again.send(DayBegan(calendar="UTC", day="2026-11-21"))
    assert again.core.accounts["A1"].day_pnl_money() == 0
    assert again.account().day_turnover == {}
    assert "one" not in again.account().orders  # An order for the day that is over.
    again.send(a_fill("e-3", "buy", 10, 109.9))  # 99 lost today.
    again.send(DayBegan(calendar="UTC", day="2026-11-21"))  # Told again, it begins no second time.
    again.send(Tick(symbol="X", bid=99.9, ask=99.9))  # Thirty held: three more are lost.
    again.elapse(SECOND)
    verdict = again.send(an_order("at"))
    assert codes_of(verdict) == ["DAILY_LOSS"]
    assert verdict.rejects[0].value == 102


@RESTARTS
def test_e54_peak_comes_back_though_equity_is_far_below_it(restart):
    """10,000 at first, 11,000 at 200, 10,200 at 120: 7.27 % below the peak; 2 % above the day's."""
    house = a_core(LimitsSpec(drawdown_day_pct=8.0), accounts=(an_account(balance=10_000.0),))
    house.send(a_fill("e-1", "buy", 10))
    for price in (200.0, 120.0):
        house.send(Tick(symbol="X", bid=price, ask=price))
    again = restart(house)
    assert codes_of(again.send(an_order("under", price=120.0))) == []
    again.send(Tick(symbol="X", bid=112.0, ask=112.0))  # 10,120: exactly 8 % below.
    verdict = again.send(an_order("at", price=112.0))
    assert codes_of(verdict) == ["DRAWDOWN"]
    assert verdict.rejects[0].value == 8


@RESTARTS
def test_e54_breaker_that_a_measure_tripped_comes_back_and_cools_when_it_recovers(restart):
    stops = ResponsePolicy(
        id="stops",
        event=ResponseEvent.DAILY_LOSS,
        severity=Severity.CRITICAL,
        action=ResponseAction.MONITOR,
        breaker="halt",
        cooling_ms=5000,
    )
    settings = RiskSettings(dwell_ms=1000, stale_after_ms=600_000)
    told = a_universe(LimitsSpec(daily_loss=100.0), settings=settings)
    house = StampedCore()
    house.send(Configure(universe=replace(told, responses=(stops,))))
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    house.send(a_fill("e-1", "buy", 10))
    house.send(Tick(symbol="X", bid=90.0, ask=90.0))
    again = restart(house)
    (state,) = again.core.boards.breakers.book.open.values()
    assert (state.measure, state.value, state.threshold) == ("daily_loss", 100, 100)
    again.send(Tick(symbol="X", bid=100.0, ask=100.0))
    again.elapse(6 * SECOND - 1)
    assert codes_of(again.send(an_order("o-1"), 0)) == ["BREAKER_OPEN"]
    again.elapse(1)
    assert codes_of(again.send(an_order("o-2"), 0)) == []
