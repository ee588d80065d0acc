"""Baskets: all or none against one state; E60 and the cap on a basket."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from riskd.messages import (
    Basket,
    Check,
    Configure,
    GroupSpec,
    LimitSet,
    LimitsSpec,
    LimitValue,
    RiskSettings,
)
from tests.builders import StampedCore, a_core, a_report, a_universe, an_account, an_order


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
    assert "A1 o-2:" in answer.verdicts[0].rejects[0].text
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


WHOLE = RiskSettings(basket_rate="whole")


def test_e60_basket_that_does_not_fit_is_refused_and_nothing_is_charged_where_it_is_so_configured():
    house = a_core(LimitsSpec(orders_per_second=3), settings=WHOLE)
    house.send(an_order("o-0"))
    three = [an_order(f"o-{n}", quantity=n) for n in range(1, 4)]
    refused = house.send(a_basket(*three))
    assert codes(refused) == [["RATE_LIMIT"]] * 3
    reason = refused.verdicts[0].rejects[0]
    assert (reason.limit_type, reason.limit) == ("orders_per_second", 3)
    assert reason.retry_after_ns == 10**9 - 1000  # When the first order has left the window.
    assert reserved(house) == (1, 0)
    two = [an_order(f"p-{n}", quantity=n) for n in range(1, 3)]
    assert house.send(a_basket(*two, basket_id="b-2")).approved  # Nothing was charged.
    again = house.send(a_basket(*three, basket_id="b-3"), after_ns=10**9)
    assert codes(again) == [["RATE_LIMIT"]] * 3  # E3: what was refused stays refused.
    assert [verdict.duplicate for verdict in again.verdicts] == [True] * 3


def test_e60_rates_of_all_scopes_are_needed_for_the_legs_that_fall_under_them():
    """Two in X for everybody, three for each account: two accounts may not send three in X."""
    limits = LimitSet(
        default=LimitsSpec(orders_per_second=3), symbol={"X": LimitsSpec(orders_per_second=2)}
    )
    house = a_core(limits, settings=WHOLE)
    legs = [an_order("o-1"), an_order("o-2", account="A2"), an_order("o-3", account="A2")]
    assert codes(house.send(a_basket(*legs))) == [["RATE_LIMIT"]] * 3
    of_y: dict[str, Any] = {"symbol": "Y", "price": 50.0}
    fits = [
        an_order("p-1"),
        an_order("p-2", account="A2"),
        an_order("p-3", account="A2", **of_y),
        an_order("p-4", account="A2", **of_y),
    ]
    assert house.send(a_basket(*fits, basket_id="b-2")).approved
    four = [an_order(f"q-{n}", quantity=n, **of_y) for n in range(1, 5)]
    assert codes(house.send(a_basket(*four, basket_id="b-3"))) == [["RATE_LIMIT"]] * 4


def test_basket_with_an_id_twice_or_of_another_account_than_it_says_is_refused_whole():
    house = a_core()
    other = a_basket(an_order("o-1"), an_order("o-2", account="A2"), account="A1")
    twice = a_basket(an_order("o-1"), an_order("o-1", quantity=2))
    dry = a_basket(an_order("o-1"), an_order("o-2", dry_run=True))
    for basket in (other, twice, dry):
        assert codes(house.send(basket)) == [["MALFORMED"]] * 2
    assert house.send(an_order("o-1")).approved
    unknown = house.send(a_basket(an_order("o-9", account="NO")))
    assert codes(unknown) == [["UNKNOWN_ACCOUNT"]]


def test_basket_of_several_accounts_reserves_in_each_and_repeats_its_first_verdicts():
    house = a_core()
    basket = a_basket(
        an_order("o-1", quantity=3),
        an_order("o-1", "sell", 4, account="A2"),
        an_order("o-2", quantity=2),
    )
    first = house.send(basket)
    assert (first.approved, first.account, reserved(house)) == (True, "", (5, 0))
    assert house.position(account="A2").open_sell_lots == 4
    again = house.send(basket)
    assert ([v.duplicate for v in again.verdicts], again.approved) == ([True] * 3, True)
    assert reserved(house) == (5, 0)


def test_basket_of_several_accounts_with_legs_that_fail_is_taken_back_in_all_and_names_them():
    """The third leg is of an account that may trade less, the last of one that does not exist."""
    limits = LimitSet(account={"A2": LimitsSpec(order_quantity=5.0)})
    house = a_core(limits)
    legs = (
        an_order("o-1", quantity=6),
        an_order("o-2", "sell", 4, account="A2"),
        an_order("o-3", quantity=6, account="A2"),
        an_order("o-4", account="NO"),
    )
    before = house.books()
    answer = house.send(a_basket(*legs))
    assert codes(answer) == [["ORDER_QUANTITY"]] * 3 + [["UNKNOWN_ACCOUNT"]]
    for verdict in answer.verdicts[:2]:
        assert "A2 o-3, NO o-4" in verdict.rejects[0].text
    for name in ("A1", "A2"):
        held = house.position(account=name)
        assert (held.open_buy_lots, held.open_sell_lots) == (0, 0)
        assert not house.account(name).orders
    assert house.books() != before  # The refusals are remembered, as of single orders.
    assert not house.send(legs[0]).approved
    part = house.send(
        a_basket(
            *(replace(leg, client_order_id=f"p-{n}") for n, leg in enumerate(legs)),
            basket_id="b-2",
            all_or_none=False,
        )
    )
    assert [verdict.approved for verdict in part.verdicts] == [True, True, False, False]


GROUPED = (an_account("A1", group="desk"), an_account("A2", group="desk"))


def a_desk(limit: LimitsSpec, default: LimitsSpec | None = None) -> StampedCore:
    limits = LimitSet(default=default or LimitsSpec(), group={"desk": limit})
    universe = a_universe(limits, accounts=GROUPED)
    house = a_core()
    house.send(Configure(universe=replace(universe, groups=(GroupSpec(id="desk"),))))
    return house


@pytest.mark.parametrize("accounts", [("A1", "A1"), ("A1", "A2"), ("A2", "A1")])
@pytest.mark.parametrize(("quantity", "passes"), [(3, True), (4, True), (5, False)])
def test_group_total_holds_over_the_legs_of_one_basket(accounts, quantity, passes):
    """Six and so many more of at most ten: no leg would fail alone."""
    house = a_desk(LimitsSpec(position_quantity=10))
    first, second = accounts
    answer = house.send(
        a_basket(
            an_order("o-1", quantity=6, account=first),
            an_order("o-2", quantity=quantity, account=second),
        )
    )
    assert codes(answer) == ([[], []] if passes else [["GROUP_LIMIT"]] * 2)
    room = 4 - quantity if passes else 10  # What was taken back is free again.
    assert not house.send(an_order("over", quantity=room + 1, dry_run=True)).approved
    assert not room or house.send(an_order("at", quantity=room)).approved


@pytest.mark.parametrize(("quantity", "passes"), [(4, True), (5, True), (6, False)])
def test_basket_notional_of_a_group_holds_what_its_accounts_have_in_the_basket(quantity, passes):
    house = a_desk(LimitsSpec(basket_notional=1000.0))
    legs = (an_order("o-1", quantity=5), an_order("o-2", "sell", quantity, account="A2"))
    answer = house.send(a_basket(*legs))
    assert codes(answer) == ([[], []] if passes else [["BASKET_NOTIONAL"]] * 2)
    if not passes:
        found = answer.verdicts[0].rejects[0]
        assert (found.scope, found.scope_id, found.value, found.limit) == (
            "group",
            "desk",
            1100,
            1000,
        )
        assert reserved(house) == (0, 0)


def test_basket_notional_of_each_account_is_judged_by_its_own_limit():
    limits = LimitSet(account={"A2": LimitsSpec(basket_notional=300.0)})
    house = a_core(limits)

    def answer(number: int, quantity: int) -> Any:
        legs = (
            an_order(f"o-{number}", quantity=50),
            an_order(f"o-{number}", quantity=quantity, account="A2"),
        )
        return house.send(a_basket(*legs, basket_id=f"b-{number}"))

    assert answer(1, 3).approved
    assert codes(answer(2, 4)) == [["BASKET_NOTIONAL"]] * 2


def test_e78_soft_basket_notional_warns_and_a_hard_one_beyond_it_refuses():
    soft = LimitValue(value=1000.0, hard=False)
    limits = LimitSet(
        default=LimitsSpec(basket_notional=soft), symbol={"X": LimitsSpec(basket_notional=2000.0)}
    )
    house = a_core(limits)
    under = house.send(a_basket(an_order("o-0", quantity=7), basket_id="b-0"))
    assert (under.approved, under.verdicts[0].warnings) == (True, ())
    at = house.send(a_basket(an_order("o-1", quantity=10)))
    assert [found.text.split(": ")[-1] for found in at.verdicts[0].warnings] == ["critical"]
    over = house.send(a_basket(an_order("o-2", quantity=11), basket_id="b-2"))
    assert [found.code for found in over.verdicts[0].warnings] == ["BASKET_NOTIONAL"]
    hard = house.send(a_basket(an_order("o-3", quantity=21), basket_id="b-3"))
    assert codes(hard) == [["BASKET_NOTIONAL"]]


def test_basket_order_that_was_known_before_keeps_its_verdict_and_reservation():
    house = a_core(LimitsSpec(order_quantity=5.0))
    house.send(an_order("o-1", quantity=3))
    answer = house.send(a_basket(an_order("o-1", quantity=3), an_order("o-2", quantity=6)))
    assert [v.approved for v in answer.verdicts] == [True, False]
    assert reserved(house) == (3, 0)
    house.send(a_report("o-1", "canceled"))
    assert reserved(house) == (0, 0)
