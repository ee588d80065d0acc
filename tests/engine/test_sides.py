"""E32, E33, E40: both sides are counted apart, each at its own worst."""

from __future__ import annotations

import pytest

from riskd.messages import LimitsSpec, Trip
from tests.builders import StampedCore, a_core, a_fill, an_order, codes_of

EVERY_WORST = [
    LimitsSpec(position_quantity=10),
    LimitsSpec(position_notional=1000),
    LimitsSpec(gross_exposure=1000),
    LimitsSpec(net_exposure=1000),
    LimitsSpec(leverage=0.001),  # Of 1,000,000.
]


def worst_of(house: StampedCore, side: str, quantity: float) -> float:
    """The worst position that the verdict shows for an order."""
    order = an_order(f"{side}-{quantity}", side, quantity, dry_run=True, explain=True)
    (found,) = [x for x in house.send(order).checks if x.code == "POSITION_LIMIT"]
    return float(found.value)


def test_e32_worst_long_and_worst_short_are_not_netted():
    """Long 5, working buys 4, sells 3: worst long 9, worst short +2."""
    house = a_core(LimitsSpec(position_quantity=1000))
    house.send(a_fill(quantity=5))
    house.send_all(an_order("b", "buy", 4), an_order("s", "sell", 3))
    position = house.position()
    assert (position.worst_long_lots(), position.worst_short_lots()) == (9, 2)
    assert worst_of(house, "buy", 7) == 16
    assert worst_of(house, "sell", 7) == 5  # Minus five: five on the short side.


@pytest.mark.parametrize(("buy_max", "sell_max"), [(16, 5), (15, 4)])
def test_e32_each_side_is_held_to_its_own_limit(buy_max, sell_max):
    for side, limit, worst in (("buy", buy_max, 16), ("sell", sell_max, 5)):
        house = a_core()
        house.send(a_fill(quantity=5))
        house.send_all(an_order("b", "buy", 4), an_order("s", "sell", 3))
        tight = a_core(LimitsSpec(position_quantity=limit)).inputs[0][0]
        house.send(tight)
        expected = [] if worst <= limit else ["POSITION_LIMIT"]
        assert codes_of(house.send(an_order("o", side, 7))) == expected


@pytest.mark.parametrize("limits", EVERY_WORST)
@pytest.mark.parametrize(("side", "other"), [("buy", "sell"), ("sell", "buy")])
def test_e33_equal_resting_orders_of_both_sides_never_offset_in_any_limit(limits, side, other):
    """Ten working each way; one more on either side is past a limit of ten."""
    house = a_core(limits)
    assert codes_of(house.send(an_order("a", side, 10))) == []
    assert codes_of(house.send(an_order("b", other, 10))) == []
    for again in (side, other):
        assert len(codes_of(house.send(an_order(f"c-{again}", again, 1)))) == 1
    assert (house.position().open_buy_lots, house.position().open_sell_lots) == (10, 10)


@pytest.mark.parametrize("limits", EVERY_WORST)
def test_e40_sale_from_flat_is_new_short_exposure(limits):
    house = a_core(limits)
    assert len(codes_of(house.send(an_order("over", "sell", 11)))) == 1
    assert codes_of(house.send(an_order("at", "sell", 10))) == []


def test_e40_sale_from_flat_is_no_reduction():
    house = a_core()
    house.send(Trip(scope="firm"))
    assert codes_of(house.send(an_order("o-1", "sell"))) == ["BREAKER_OPEN"]
    assert codes_of(house.send(an_order("o-2", "sell", reduce_only=True)))[-1] == "BREAKER_OPEN"


@pytest.mark.parametrize(("held", "exit_side"), [("buy", "sell"), ("sell", "buy")])
def test_e40_only_what_working_orders_leave_of_the_position_reduces(held, exit_side):
    """Five held and three on their way out: two more reduce, three do not."""
    house = a_core()
    house.send(a_fill(side=held, quantity=5))
    house.send(an_order("w", exit_side, 3))
    house.send(Trip(scope="firm"))
    assert codes_of(house.send(an_order("more", exit_side, 3))) == ["BREAKER_OPEN"]
    assert codes_of(house.send(an_order("same", held, 1))) == ["BREAKER_OPEN"]
    assert codes_of(house.send(an_order("rest", exit_side, 2))) == []
    assert codes_of(house.send(an_order("none", exit_side, 1))) == ["BREAKER_OPEN"]
