"""E32 to E35, E37, E40: both sides are counted apart, each at its own worst."""

from __future__ import annotations

from typing import Any

import pytest

from riskd.messages import Amend, Kill, LimitsSpec, Tick, Trip
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


@pytest.mark.parametrize(("held", "exit_side"), [("buy", "sell"), ("sell", "buy")])
@pytest.mark.parametrize("limits", EVERY_WORST)
def test_e34_only_the_excess_of_an_opposite_order_counts_as_new_exposure(limits, held, exit_side):
    """Four held, the limit is ten: fourteen the other way come to ten, one more to eleven."""
    house = a_core(limits)
    house.send(a_fill(side=held, quantity=4))
    over = house.send(an_order("over", exit_side, 15))
    assert len(codes_of(over)) == 1
    assert over.max_quantity == 14
    assert codes_of(house.send(an_order("at", exit_side, 14))) == []


@pytest.mark.parametrize(("held", "exit_side"), [("buy", "sell"), ("sell", "buy")])
@pytest.mark.parametrize(("pending", "reducible"), [(0, 4), (3, 1), (4, 0)])
def test_e34_reduce_only_refuses_the_whole_order_and_names_what_would_reduce(
    held, exit_side, pending, reducible
):
    house = a_core()
    house.send(a_fill(side=held, quantity=4))
    if pending:
        house.send(an_order("exit", exit_side, pending))
    verdict = house.send(an_order("over", exit_side, reducible + 1, reduce_only=True))
    assert codes_of(verdict) == ["REDUCE_ONLY"]
    assert f"at most {reducible} would reduce" in verdict.rejects[0].text
    assert verdict.max_quantity == reducible
    position = house.position()
    reserved = position.open_sell_lots if exit_side == "sell" else position.open_buy_lots
    assert reserved == pending  # Nothing of what was refused.
    if reducible:
        assert codes_of(house.send(an_order("at", exit_side, reducible, reduce_only=True))) == []


@pytest.mark.parametrize("action", ["reduce_only", "halt"])
@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("flag", [{}, {"reduce_only": True}, {"close_position": True}])
def test_e35_flat_account_that_may_only_reduce_gets_every_order_refused(action, side, flag):
    house = a_core()
    house.send(Trip(scope="account", scope_id="A1", action=action))
    verdict = house.send(an_order("o", side, 1, **flag))
    assert not verdict.approved
    assert verdict.max_quantity == 0
    flat = a_core()
    if flag:
        assert codes_of(flat.send(an_order("o", side, 1, **flag))) == ["REDUCE_ONLY"]


def lower_the_limit(house: StampedCore) -> None:
    house.send(a_core(LimitsSpec(gross_exposure=500)).inputs[0][0])


@pytest.mark.parametrize("code", ["POSITION_LIMIT", "PRICE_COLLAR", "KILLED"])
def test_e34_refused_opposite_order_names_what_would_reduce_whatever_refused_it(code):
    """Nine held, two on their way out: seven would reduce; of the position limit more may pass."""
    house = a_core(LimitsSpec(position_quantity=10, price_collar_pct=5))
    house.send_all(a_fill(quantity=9), an_order("exit", "sell", 2))
    if code == "KILLED":
        house.send(Kill(scope="firm"))
    price = 90.0 if code == "PRICE_COLLAR" else 100.0
    verdict = house.send(an_order("over", "sell", 18, price=price))
    assert codes_of(verdict) == [code]
    most = {"POSITION_LIMIT": 17.0}.get(code, 0.0)
    assert (verdict.reducing_quantity, verdict.max_quantity) == (7.0, most)
    assert house.send(an_order("same", "buy", 99, price=200.0)).reducing_quantity is None


def raise_the_price(house: StampedCore) -> None:
    house.send(Tick(symbol="X", bid=250.0, ask=250.0))


def fill_beyond(house: StampedCore) -> None:
    house.send(a_fill("race", quantity=8))


@pytest.mark.parametrize("breach", [lower_the_limit, raise_the_price, fill_beyond])
def test_e37_past_a_limit_what_reduces_passes_and_what_increases_fails(breach):
    """Six held, two working, the limit is 1,000: past it however it came about."""
    house = a_core(LimitsSpec(gross_exposure=1000))
    house.send_all(a_fill(quantity=6), an_order("w", "buy", 2))
    assert codes_of(house.send(an_order("room", dry_run=True))) == []
    breach(house)
    for side, quantity, refused in (
        ("buy", 1, ["GROSS_EXPOSURE"]),
        ("sell", 1, []),
        ("sell", 5, []),
    ):
        verdict = house.send(an_order(f"{side}-{quantity}", side, quantity))
        assert codes_of(verdict) == refused
    told: dict[str, Any] = {"account": "A1", "client_order_id": "w"}
    assert house.send(Amend(**told, price=90.0)).approved  # Further away: no more risk.
    assert house.send(Amend(**told, quantity=1.0)).approved
    assert codes_of(house.send(Amend(**told, quantity=3.0))) == ["GROSS_EXPOSURE"]
