"""E55 to E59: a sliding window is exact, whatever is asked of it and when."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.throttle import Window
from riskd.messages import Configure, DuplicateOrders, LimitSet, LimitsSpec, LimitValue
from tests.builders import SECOND, a_core, a_universe, an_order, codes_of

WINDOW_NS = 1000
PROPERTY = settings(max_examples=300, deadline=None, database=None)
GAPS = st.one_of(st.sampled_from([0, 1, 499, 500, 501, 999, 1000, 1001]), st.integers(0, 3000))
ATTEMPTS = st.lists(st.tuples(GAPS, st.integers(0, 5)), max_size=120)


@PROPERTY
@given(attempts=ATTEMPTS)
def test_e55_window_agrees_with_a_count_of_what_was_charged(attempts):
    """A charge passes exactly when fewer than the count of now are in the window of now."""
    window, now_ns = Window(), 0
    charged: list[int] = []
    for gap_ns, count_max in attempts:
        now_ns += gap_ns
        inside = sum(1 for at_ns in charged if at_ns > now_ns - WINDOW_NS)
        wait_ns = window.charge(count_max, WINDOW_NS, now_ns)
        assert (wait_ns == 0) is (inside < count_max)
        if wait_ns == 0:
            charged.append(now_ns)
            continue
        assert 0 < wait_ns <= WINDOW_NS
        if count_max:  # As long as nothing else comes, it passes then and no sooner.
            for early_ns, room in ((1, False), (0, True)):
                later_ns = now_ns + wait_ns - early_ns
                left = sum(1 for at_ns in charged if at_ns > later_ns - WINDOW_NS)
                assert (left < count_max) is room


@PROPERTY
@given(gaps=st.lists(GAPS, max_size=200), count_max=st.integers(1, 4))
def test_e55_no_window_anywhere_holds_more_than_the_count(gaps, count_max):
    window, now_ns = Window(), 0
    charged: list[int] = []
    for gap_ns in gaps:
        now_ns += gap_ns
        if window.charge(count_max, WINDOW_NS, now_ns) == 0:
            charged.append(now_ns)
    for first, last in zip(charged, charged[count_max:], strict=False):
        assert last - first >= WINDOW_NS
    inside = [at_ns for at_ns in charged if at_ns > now_ns - WINDOW_NS]
    assert window.charges[len(window.charges) - len(inside) :] == inside


@pytest.mark.parametrize("count_max", [2, 1_000_000])
def test_e55_long_run_keeps_the_list_short(count_max):
    window = Window()
    for at_ns in range(0, 1_000_000, 500):
        assert window.charge(count_max, WINDOW_NS, at_ns) == 0
    assert len(window.charges) < 200


def test_e58_refused_orders_of_other_causes_cost_and_refusals_of_the_rate_do_not():
    house = a_core(LimitsSpec(orders_per_second=2, order_quantity=10))
    assert codes_of(house.send(an_order("o-1", quantity=11))) == ["ORDER_QUANTITY"]
    assert codes_of(house.send(an_order("o-2"))) == []
    for number in range(5):
        assert codes_of(house.send(an_order(f"r-{number}"))) == ["RATE_LIMIT"]
    assert len(house.account().windows["orders_per_second"].charges) == 2


def test_e59_lower_rate_binds_what_was_charged_and_a_higher_one_grants_no_burst():
    house = a_core(LimitsSpec(orders_per_second=4))
    house.send_all(an_order("o-1"), an_order("o-2"), an_order("o-3"))
    house.send(Configure(universe=a_universe(LimitsSpec(orders_per_second=2))))
    assert codes_of(house.send(an_order("o-4"))) == ["RATE_LIMIT"]
    house.send(Configure(universe=a_universe(LimitsSpec(orders_per_second=5))))
    verdicts = [codes_of(house.send(an_order(f"n-{x}"))) for x in range(3)]
    assert verdicts == [[], [], ["RATE_LIMIT"]]


def test_repeats_are_bound_by_every_scope_that_limits_them():
    """Once in a millisecond for the account does not lift twice in an hour for all."""
    limits = LimitSet(
        default=LimitsSpec(duplicate_orders=DuplicateOrders(count=2, window_ms=3_600_000)),
        account={"A1": LimitsSpec(duplicate_orders=DuplicateOrders(count=1, window_ms=1))},
    )
    house = a_core(limits)
    for number in (1, 2):
        assert house.send(an_order(f"o-{number}"), after_ns=10**9).approved
    last = house.send(an_order("o-3"), after_ns=10**9)
    assert [reject.code for reject in last.rejects] == ["DUPLICATE_CONTENT"]
    assert last.rejects[0].limit == 2.0


def test_two_limits_with_one_window_charge_an_order_once_each():
    hour_ms = 3_600_000
    limits = LimitSet(
        default=LimitsSpec(duplicate_orders=DuplicateOrders(count=3, window_ms=hour_ms)),
        account={"A1": LimitsSpec(duplicate_orders=DuplicateOrders(count=2, window_ms=hour_ms))},
    )
    house = a_core(limits)
    assert [codes_of(house.send(an_order(f"o-{x}"))) for x in range(3)] == [
        [],
        [],
        ["DUPLICATE_CONTENT"],
    ]


def test_what_is_sent_in_one_symbol_is_not_held_against_another():
    limits = LimitSet(
        default=LimitsSpec(orders_per_second=4), symbol={"X": LimitsSpec(orders_per_second=2)}
    )
    house = a_core(limits)
    others = [an_order(f"y-{x}", symbol="Y", price=50.0) for x in range(2)]
    assert [codes_of(house.send(order)) for order in others] == [[], []]
    assert [codes_of(house.send(an_order(f"x-{x}"))) for x in range(2)] == [[], []]
    refused = house.send(an_order("x-2"))
    assert [(x.code, x.scope_id) for x in refused.rejects] == [("RATE_LIMIT", "X")]
    house.elapse(SECOND - 4000)  # The orders in Y have left their window, those in X have not.
    refused = house.send(an_order("x-3"))
    assert (refused.rejects[0].scope, refused.rejects[0].limit) == ("symbol", 2)
    assert codes_of(house.send(an_order("y-3", symbol="Y", price=50.0))) == []


def test_soft_rate_warns_beside_a_hard_one_of_another_scope():
    limits = LimitSet(
        default=LimitsSpec(orders_per_second=LimitValue(value=1, hard=False)),
        symbol={"X": LimitsSpec(orders_per_second=2)},
    )
    house = a_core(limits)
    told = [house.send(an_order(f"o-{x}")) for x in range(3)]
    assert [codes_of(x) for x in told] == [[], [], ["RATE_LIMIT"]]
    at, past = ([y.text for y in x.warnings] for x in told[:2])
    assert at == ["orders_per_second 1 of 1 for account A1, 100 %: critical"]
    assert past[0].startswith("orders_per_second 1 reached")


def test_soft_rate_of_an_account_never_loosens_the_hard_one_of_all():
    """Both are limits of one account, so they share its window: the hard one decides."""
    limits = LimitSet(
        default=LimitsSpec(orders_per_second=2),
        account={"A1": LimitsSpec(orders_per_second=LimitValue(value=1, hard=False))},
    )
    house = a_core(limits)
    told = [codes_of(house.send(an_order(f"o-{x}"))) for x in range(3)]
    assert told == [[], [], ["RATE_LIMIT"]]
