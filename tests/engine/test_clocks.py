"""E52: a wall clock that steps moves neither breakers nor throttles, and no day begins twice."""

from __future__ import annotations

import pytest

from engine.facts import Stamp
from riskd.messages import DayBegan, LimitsSpec, Tick, Trip
from tests.builders import SECOND, StampedCore, a_core, a_fill, an_order, codes_of

STEPS = pytest.mark.parametrize("step_ns", [-86_400 * SECOND, 86_400 * SECOND])


def step(house: StampedCore, wall_ns: int) -> None:
    """Let the wall clock step; the steady one goes on by nothing."""
    seq, recv_ns, steady_ns = house.stamp[:3]
    house.stamp = Stamp(seq, recv_ns + wall_ns, steady_ns)


@STEPS
def test_e52_timed_breaker_ends_after_its_span_whatever_the_wall_clock_says(step_ns):
    house = a_core()
    house.send(Trip(scope="firm", until_ns=house.stamp.recv_ns + SECOND), 0)
    step(house, step_ns)
    house.elapse(SECOND - 1)
    assert codes_of(house.send(an_order("early"), 0)) == ["BREAKER_OPEN"]
    house.elapse(1)
    assert codes_of(house.send(an_order("after"), 0)) == []


@STEPS
def test_e52_step_refills_no_throttle_and_empties_none(step_ns):
    house = a_core(LimitsSpec(orders_per_second=2))
    house.send(an_order("1"), 0)
    house.send(an_order("2"), 0)
    step(house, step_ns)
    refused = house.send(an_order("3"), SECOND - 1)
    assert codes_of(refused) == ["RATE_LIMIT"]
    assert refused.rejects[0].retry_after_ns == 1
    assert codes_of(house.send(an_order("4"), 1)) == []


@STEPS
def test_e52_price_and_reservation_are_as_old_as_the_steady_clock_says(step_ns):
    house = a_core()
    house.send(Tick(symbol="X", bid=100.0, ask=100.5), 0)
    house.send(an_order("1"), 0)
    step(house, step_ns)
    assert codes_of(house.send(an_order("2"), 5 * SECOND)) == []
    assert house.account().orders["1"].state == "pending"
    house.elapse(25 * SECOND)
    assert house.account().orders["1"].state == "suspect"


def test_e52_day_of_the_calendar_begins_once_and_never_again_after_a_step_back():
    house = a_core(LimitsSpec(daily_loss=100))
    house.send(DayBegan(calendar="UTC", day="2026-11-20"))
    house.send(a_fill("e-1", "buy", 10, 110.0))  # A hundred lost today.
    for day in ("2026-11-20", "2026-11-19"):
        step(house, -86_400 * SECOND)
        house.send(DayBegan(calendar="UTC", day=day))
        assert codes_of(house.send(an_order(day))) == ["DAILY_LOSS"]
    house.send(DayBegan(calendar="UTC", day="2026-11-21"))
    assert codes_of(house.send(an_order("next"))) == []
