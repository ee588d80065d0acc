"""Baskets: all or none against one state; E60 and the cap on a basket."""

from __future__ import annotations

from typing import Any

from riskd.messages import Basket, Check, LimitsSpec
from tests.builders import StampedCore, a_core, a_report, an_order


def a_basket(*orders: Check, basket_id: str = "b-1", **fields: Any) -> Basket:
    return Basket(basket_id=basket_id, orders=list(orders), **fields)


def codes(answer) -> list[list[str]]:
    return [[reject.code for reject in verdict.rejects] for verdict in answer.verdicts]


def reserved(house: StampedCore) -> tuple[int, int]:
    held = house.position()
    return held.open_buy_lots, held.open_sell_lots


def test_basket_that_passes_reserves_every_order_and_repeats_its_first_verdicts():
    house = a_core()
    basket = a_basket(an_order("o-1", quantity=3), an_order("o-2", "sell", 4))
    first = house.send(basket)
    assert (first.approved, first.account, reserved(house)) == (True, "A1", (3, 4))
    again = house.send(basket)
    assert [verdict.duplicate for verdict in again.verdicts] == [True, True]
    assert (again.approved, reserved(house)) == (True, (3, 4))


def test_basket_with_one_order_that_fails_reserves_nothing_and_names_it():
    house = a_core(LimitsSpec(order_quantity=5.0))
    basket = a_basket(an_order("o-1", quantity=3), an_order("o-2", quantity=6), an_order("o-3"))
    answer = house.send(basket)
    assert not answer.approved
    assert codes(answer) == [["ORDER_QUANTITY"]] * 3
    assert "o-2" in answer.verdicts[0].rejects[0].text
    assert (reserved(house), house.account().working_turnover) == ((0, 0), {"USD": 0})
    assert house.send(an_order("o-1", quantity=3)).duplicate  # Refused, and stays refused.
    assert not house.send(an_order("o-1", quantity=3)).approved


def test_basket_that_is_not_all_or_none_approves_what_passes():
    house = a_core(LimitsSpec(order_quantity=5.0))
    basket = a_basket(an_order("o-1", quantity=3), an_order("o-2", quantity=6), all_or_none=False)
    answer = house.send(basket)
    assert ([v.approved for v in answer.verdicts], answer.approved) == ([True, False], False)
    assert reserved(house) == (3, 0)


def test_basket_orders_see_what_those_before_them_reserved():
    house = a_core(LimitsSpec(position_quantity=10.0))
    over = house.send(a_basket(an_order("o-1", quantity=6), an_order("o-2", quantity=5)))
    assert (over.approved, reserved(house)) == (False, (0, 0))
    at = a_basket(an_order("o-3", quantity=6), an_order("o-4", quantity=4), basket_id="b-2")
    assert house.send(at).approved


def test_basket_notional_just_under_at_and_over_its_limit():
    for quantity, passes in ((4, True), (5, True), (6, False)):
        house = a_core(LimitsSpec(basket_notional=1000.0))
        orders = (an_order("o-1", quantity=5), an_order("o-2", "sell", quantity))
        answer = house.send(a_basket(*orders))
        assert answer.approved is passes
        if not passes:
            assert codes(answer) == [["BASKET_NOTIONAL"]] * 2
            assert answer.verdicts[0].rejects[0].value == 1100.0
            assert reserved(house) == (0, 0)


def test_e60_basket_costs_what_its_orders_cost_and_is_refused_whole_if_they_do_not_fit():
    house = a_core(LimitsSpec(orders_per_second=3))
    house.send(an_order("o-0"))
    four = [an_order(f"o-{n}", quantity=n) for n in range(1, 5)]
    refused = house.send(a_basket(*four))
    assert (refused.approved, reserved(house)) == (False, (1, 0))
    assert refused.verdicts[0].rejects[0].code == "RATE_LIMIT"
    later = [an_order(f"p-{n}", quantity=n) for n in range(1, 4)]
    passed = house.send(a_basket(*later, basket_id="b-2"), after_ns=10**9)
    assert passed.approved
    assert not house.send(an_order("p-4")).approved  # Three were charged.


def test_basket_of_two_accounts_or_with_an_id_twice_is_refused_whole():
    house = a_core()
    two = a_basket(an_order("o-1"), an_order("o-2", account="A2"))
    twice = a_basket(an_order("o-1"), an_order("o-1", quantity=2))
    for basket in (two, twice):
        assert codes(house.send(basket)) == [["MALFORMED"]] * 2
    assert house.send(an_order("o-1")).approved
    unknown = house.send(a_basket(an_order("o-9", account="NO")))
    assert codes(unknown) == [["UNKNOWN_ACCOUNT"]]


def test_basket_order_that_was_known_before_keeps_its_verdict_and_reservation():
    house = a_core(LimitsSpec(order_quantity=5.0))
    house.send(an_order("o-1", quantity=3))
    answer = house.send(a_basket(an_order("o-1", quantity=3), an_order("o-2", quantity=6)))
    assert [v.approved for v in answer.verdicts] == [True, False]
    assert reserved(house) == (3, 0)
    house.send(a_report("o-1", "canceled"))
    assert reserved(house) == (0, 0)
