"""Plans have in common what is equal, and nothing else."""

from __future__ import annotations

from itertools import permutations

from engine.case import Plan
from riskd.messages import DuplicateOrders, LimitSet, LimitsSpec
from tests.builders import StampedCore, a_core

DEFAULT = LimitsSpec(
    order_quantity=10,
    position_quantity=50,
    open_orders=5,
    daily_loss=1000,
    orders_per_second=4,
    duplicate_orders=DuplicateOrders(count=2, window_ms=1000),
)
LIMITS = LimitSet(
    default=DEFAULT,
    firm=LimitsSpec(gross_exposure=1e9),
    account={"A2": LimitsSpec(order_quantity=7)},
    symbol={"Y": LimitsSpec(position_quantity=3)},
    strategy={"S": LimitsSpec(open_orders=2)},
)
ASKED = [("A1", "X", ""), ("A1", "Y", "S"), ("A2", "X", ""), ("A2", "X", "S"), ("A2", "Y", "")]
TOLD = (
    *("limits", "limit_checks", "credits", "rates", "duplicates", "breaker_keys", "permits"),
    *("session_rate", "fill_rates", "cancel_rates", "risk_steps", "moves", "bans", "owner"),
)


def plan_of(house: StampedCore, asked: tuple[str, str, str]) -> Plan:
    account, symbol, strategy = asked
    plan = house.core.accounts[account].plan(symbol, strategy, "")
    assert plan is not None
    return plan


def test_plan_is_the_same_whichever_plans_were_made_before_it():
    alone = {asked: plan_of(a_core(LIMITS), asked) for asked in ASKED}
    assert alone["A1", "X", ""].limits["order_quantity"].value == 10
    assert alone["A2", "X", ""].limits["order_quantity"].value == 7
    assert alone["A2", "Y", ""].limits["position_quantity"].value == 3
    for order in permutations(ASKED):
        house = a_core(LIMITS)
        for asked in order:
            found = plan_of(house, asked)
            codes = [row.code for row in found.checks]
            assert codes == [row.code for row in alone[asked].checks]
            for name in TOLD:
                assert getattr(found, name) == getattr(alone[asked], name), (order, asked, name)


def test_plans_of_an_account_and_of_a_kind_have_what_is_equal_once():
    house = a_core(LimitSet(default=DEFAULT))
    first, beside = plan_of(house, ("A1", "X", "")), plan_of(house, ("A1", "Y", ""))
    other = plan_of(house, ("A2", "X", ""))
    assert beside.limits["order_quantity"] is first.limits["order_quantity"]
    assert beside.limits is not first.limits
    assert beside.checks is first.checks
    assert other.checks is first.checks
    assert other.kind is first.kind
    assert other.limits["order_quantity"] != first.limits["order_quantity"]  # It names its account.
