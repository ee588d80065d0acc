"""Changes of working orders: E25 to E31 of risk.md, and repeats of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskd.messages import Amend, Configure, LimitSet, LimitsSpec
from tests.builders import (
    MONEY,
    StampedCore,
    a_core,
    a_fill,
    a_report,
    a_universe,
    an_account,
    an_order,
)


def an_amend(order_id: str = "o-1", new_id: str | None = None, **fields: Any) -> Amend:
    return Amend(account="A1", client_order_id=order_id, new_client_order_id=new_id, **fields)


def reserved(house: StampedCore) -> tuple[int, int]:
    held = house.position()
    return held.open_buy_lots, held.open_sell_lots


def codes(verdict) -> list[str]:
    return [reject.code for reject in verdict.rejects]


def test_e25_amend_up_reserves_the_difference_and_down_releases_only_when_the_venue_took_it():
    house = a_core(LimitsSpec(position_quantity=12.0))
    house.send(an_order("o-1", quantity=10))
    assert house.send(an_amend(quantity=12.0)).approved
    assert reserved(house) == (12, 0)
    assert codes(house.send(an_order("o-2", quantity=1))) == ["POSITION_LIMIT"]
    house.send(a_report("o-1", "replaced", "r-1"))
    assert house.send(an_amend(quantity=4.0)).approved
    assert reserved(house) == (12, 0)  # Until the venue answers the larger counts.
    house.send(a_report("o-1", "replaced", "r-2"))
    assert reserved(house) == (4, 0)
    assert house.send(an_order("o-3", quantity=8)).approved


def test_e25_amend_one_lot_over_the_limit_is_refused_and_says_what_would_pass():
    house = a_core(LimitsSpec(position_quantity=12.0))
    house.send(an_order("o-1", quantity=10))
    verdict = house.send(an_amend(quantity=13.0))
    assert codes(verdict) == ["POSITION_LIMIT"]
    assert verdict.max_quantity == 12.0
    assert reserved(house) == (10, 0)


def test_e26_price_only_is_judged_with_the_kept_quantity_and_quantity_only_with_the_kept_price():
    house = a_core(LimitsSpec(order_notional=1000.0, price_collar_pct=5.0))
    house.send(an_order("o-1", quantity=10, price=99.0))
    assert codes(house.send(an_amend(new_id="a", price=101.0))) == ["ORDER_NOTIONAL"]  # 10 x 101.
    assert house.send(an_amend(new_id="b", price=100.0)).approved
    assert codes(house.send(an_amend(new_id="c", quantity=11.0))) == ["ORDER_NOTIONAL"]  # 11 x 100.
    assert codes(house.send(an_amend(new_id="d", price=106.0))) == ["PRICE_COLLAR"]


def test_e27_refused_change_leaves_order_reservation_and_limits_as_they_were():
    house = a_core(LimitsSpec(position_quantity=20.0))
    house.send(an_order("o-1", quantity=10))
    house.send(an_amend(new_id="o-1b", quantity=15.0))
    assert reserved(house) == (15, 0)
    house.send(a_report("o-1b", "replace_rejected", "r-1"))
    assert reserved(house) == (10, 0)
    assert house.account().orders["o-1"].lots == 10
    assert house.send(an_order("o-2", quantity=10)).approved


def test_e28_change_to_what_is_filled_or_less_is_refused_and_one_lot_more_passes():
    house = a_core()
    house.send(an_order("o-1", quantity=10))
    house.send(a_fill("e-1", quantity=4, client_order_id="o-1"))
    for number, quantity in enumerate((3.0, 4.0)):
        verdict = house.send(an_amend(new_id=f"n-{number}", quantity=quantity))
        assert codes(verdict) == ["VALUE_INVALID"]
        assert reserved(house) == (6, 0)
    assert house.send(an_amend(new_id="n-5", quantity=5.0)).approved
    house.send(a_report("n-5", "replaced"))
    assert reserved(house) == (1, 0)


def test_e29_old_and_new_id_never_both_count_and_either_resolves_fills():
    house = a_core()
    house.send(an_order("o-1", quantity=10))
    house.send(an_amend("o-1", "o-2", quantity=8.0))
    house.send(an_amend("o-2", "o-3", quantity=9.0))
    assert reserved(house) == (10, 0)
    assert house.send(a_fill("e-1", quantity=1, client_order_id="o-1")).flags == ()
    assert house.send(a_fill("e-2", quantity=1, client_order_id="o-3")).flags == ()
    assert reserved(house) == (8, 0)
    house.send(a_report("o-3", "replaced"))
    assert reserved(house) == (7, 0)  # 9 in all, 2 filled.
    assert house.send(a_fill("e-3", quantity=7, client_order_id="o-2")).flags == ()
    assert reserved(house) == (0, 0)
    assert house.account().finished["o-1"].state == "filled"


def test_e30_two_changes_in_flight_reserve_the_worst_of_what_they_can_reach():
    house = a_core()
    house.send(an_order("o-1", quantity=5))
    house.send(an_amend("o-1", "o-2", quantity=9.0))
    house.send(an_amend("o-2", "o-3", quantity=2.0))
    assert reserved(house) == (9, 0)
    house.send(a_report("o-3", "replace_rejected", "r-1"))
    assert reserved(house) == (9, 0)
    house.send(a_report("o-2", "replaced", "r-2"))
    assert reserved(house) == (9, 0)
    house.send(an_amend("o-2", "o-4", quantity=3.0))
    house.send(a_report("o-4", "replaced", "r-3"))
    assert reserved(house) == (3, 0)


@pytest.mark.parametrize("status", ["replaced", "replace_rejected"])
def test_e30_answer_that_comes_again_is_not_that_of_the_next_change(status):
    """The venue has said nothing of o-3 yet: eight are reserved until it does."""
    house = a_core()
    house.send(an_order("o-1", quantity=10))
    house.send(an_amend("o-1", "o-2", quantity=8.0))
    assert house.send(a_report("o-2", "replaced", "r-1")).flags == ()
    house.send(an_amend("o-2", "o-3", quantity=2.0))
    assert house.send(a_report("o-2", status, "r-2")).flags == ("already_answered",)
    assert reserved(house) == (8, 0)
    house.send(a_report("o-3", "replaced", "r-3"))
    assert reserved(house) == (2, 0)
    assert house.send(a_report("o-3", status, "r-4")).flags == ("already_answered",)


def test_e30_change_without_an_id_of_its_own_is_answered_under_the_newest_id():
    house = a_core()
    house.send(an_order("o-1", quantity=10))
    house.send(an_amend("o-1", "o-2", quantity=8.0))
    house.send(a_report("o-2", "replaced", "r-1"))
    house.send(an_amend("o-2", quantity=2.0))
    assert house.send(a_report("o-2", "replaced", "r-2")).flags == ()
    assert reserved(house) == (2, 0)


def test_e26_price_alone_keeps_the_quantity_that_the_venue_left():
    """Of three one is filled and the venue takes one off: two in all stay two."""
    house = a_core(LimitsSpec(order_notional=300.0))
    house.send(an_order("o-1", quantity=3))
    house.send(a_fill("e-1", client_order_id="o-1"))
    house.send(a_report("o-1", "replaced", leaves_quantity=1.0))
    assert house.send(an_amend(new_id="n-1", price=150.0)).approved  # Two at 150, not three.
    assert reserved(house) == (1, 0)


@given(
    old=st.integers(1, 9),
    new=st.integers(1, 9),
    fills=st.lists(st.integers(1, 4), max_size=5),
    answer=st.sampled_from(("replaced", "replace_rejected")),
    when=st.integers(0, 5),
)
def test_e31_exposure_never_passes_the_larger_of_both_while_a_change_is_in_flight(
    old, new, fills, answer, when
):
    house = a_core()
    house.send(an_order("o-1", quantity=old))
    house.send(an_amend("o-1", "o-2", quantity=float(new)))
    filled = 0
    for number, quantity in enumerate(fills):
        if number == when:
            house.send(a_report("o-2", answer))
        most = max(old, new) if number < when else (new if answer == "replaced" else old)
        if filled + quantity > most:
            break
        filled += quantity
        assert (
            house.send(a_fill(f"e-{number}", quantity=quantity, client_order_id="o-2")).flags == ()
        )
        assert house.position().worst_long_lots() == most
        assert reserved(house) == (most - filled, 0)


def test_amend_repeated_gets_its_first_verdict_and_reserves_nothing_more():
    house = a_core(LimitsSpec(orders_per_second=2))
    house.send(an_order("o-1", quantity=5))
    first = house.send(an_amend(new_id="o-2", quantity=7.0))
    again = house.send(an_amend(new_id="o-2", quantity=7.0))
    assert (again.approved, again.seq, again.duplicate) == (True, first.seq, True)
    other = house.send(an_amend(new_id="o-2", quantity=8.0))
    assert codes(other) == ["ID_REUSED"]
    assert "quantity" in other.rejects[0].text
    assert reserved(house) == (7, 0)


def test_amend_of_an_unknown_or_ended_order_is_refused():
    house = a_core()
    house.send(an_order("o-1", quantity=5))
    house.send(a_report("o-1", "canceled"))
    for order_id in ("o-1", "nope"):
        verdict = house.send(an_amend(order_id, quantity=7.0))
        assert codes(verdict) == ["UNKNOWN_ORDER"]
        assert "no working order" in verdict.rejects[0].text
    assert codes(house.send(Amend(account="NO", client_order_id="o-1"))) == ["UNKNOWN_ACCOUNT"]


def test_e37_change_that_reserves_no_more_passes_a_limit_that_is_already_breached():
    house = a_core(LimitsSpec(position_quantity=10.0))
    house.send(an_order("o-1", quantity=10))
    house.send(a_fill("e-1", quantity=5))  # Unknown to riskd: the worst case is now 15.
    assert house.send(an_amend(new_id="o-2", price=99.0)).approved
    assert house.send(an_amend(new_id="o-3", quantity=9.0)).approved
    assert codes(house.send(an_amend(new_id="o-4", quantity=11.0))) == ["POSITION_LIMIT"]


@pytest.mark.parametrize(("side", "away", "nearer"), [("buy", 95.0, 99.0), ("sell", 105.0, 101.0)])
def test_e37_past_a_limit_a_price_further_away_passes_on_either_side_and_a_nearer_one_fails(
    side, away, nearer
):
    house = a_core()
    house.send(an_order("o-1", side, 10, price=97.0 if side == "buy" else 103.0))
    house.send(Configure(universe=a_universe(LimitsSpec(position_quantity=5.0))))
    assert codes(house.send(an_amend(new_id="n-1", price=nearer))) == ["POSITION_LIMIT"]
    assert house.send(an_amend(new_id="n-2", price=away)).approved
    assert house.send(an_amend(new_id="n-3", price=away)).approved
    house.send(a_report("n-3", "replaced"))
    back = 97.0 if side == "buy" else 103.0  # Nearer than where it rests by now.
    assert codes(house.send(an_amend(new_id="n-4", price=back))) == ["POSITION_LIMIT"]


@pytest.mark.parametrize("scope", ["default", "firm"])
def test_e37_sale_at_a_higher_price_is_judged_by_the_turnover_it_may_make_alone(scope):
    """Ten at 103 make 1,030 of 1,040: at 104 they are within it, at 104.01 they are not."""
    house = a_core()
    house.send(an_order("o-1", "sell", 10, price=103.0))
    tight = LimitsSpec(turnover=1040.0, position_quantity=5.0, gross_exposure=500.0)
    limits = LimitSet(firm=tight) if scope == "firm" else LimitSet(default=tight)
    house.send(Configure(universe=a_universe(limits)))
    refused = house.send(an_amend(new_id="n-1", price=104.01))
    assert codes(refused) == ["TURNOVER" if scope == "default" else "GROUP_LIMIT"]
    assert refused.rejects[0].limit_type == "turnover"
    assert house.send(an_amend(new_id="n-2", price=104.0)).approved


def test_change_of_price_alone_may_not_lose_more_at_the_stop_than_a_trade_may():
    """Five sold at 110 lose 50 of 1,000 at 120; at 109.99 they would lose 50.05."""
    house = a_core(LimitsSpec(risk_per_trade_pct=5.0), accounts=(an_account(balance=1000.0),))
    assert house.send(an_order("o-1", "sell", 5, price=110.0, stop_loss=120.0)).approved
    refused = house.send(an_amend(new_id="n-1", price=109.99))
    assert codes(refused) == ["RISK_PER_TRADE"]
    assert house.send(an_amend(new_id="n-2", price=110.01)).approved


def test_change_under_an_id_that_is_too_old_is_refused(monkeypatch):
    monkeypatch.setattr("engine.account_state.FINISHED_MAX", 1)
    house = a_core()
    for name in ("old", "young"):
        house.send_all(an_order(name), a_report(name, "canceled"))
    house.send(an_order("o-1"))
    assert codes(house.send(an_amend(new_id="old", quantity=2.0))) == ["ID_EXPIRED"]
    assert codes(house.send(an_amend(new_id="young", quantity=2.0))) == ["ID_REUSED"]
    assert house.send(an_amend(new_id="new", quantity=2.0)).approved


def test_amended_order_that_ends_releases_everything_it_could_reach():
    house = a_core()
    house.send(an_order("o-1", quantity=5))
    house.send(an_amend(new_id="o-2", quantity=9.0))
    house.send(a_report("o-2", "canceled"))
    assert reserved(house) == (0, 0)
    assert house.account().working_turnover == {"USD": 0}


def test_id_of_a_change_is_no_id_for_a_new_order():
    house = a_core()
    house.send(an_order("o-1", quantity=5))
    house.send(an_amend("o-1", "n-1", quantity=6.0))
    refused = house.send(an_order("n-1", quantity=6))
    assert codes(refused) == ["ID_REUSED"]
    assert reserved(house) == (6, 0)


def test_change_of_price_alone_does_not_pass_the_turnover_limit():
    house = a_core(LimitsSpec(turnover=1000.0))
    house.send(an_order("o-1", quantity=10, price=90.0))
    assert codes(house.send(an_amend(new_id="n-1", price=110.0))) == ["TURNOVER"]
    assert house.send(an_amend(new_id="n-2", price=100.0)).approved


def test_e30_change_to_a_dearer_price_counts_in_turnover_until_the_venue_refuses_it():
    """Ten at 90, maybe at 110: eleven hundred of twelve hundred are taken until it is known."""
    house = a_core(LimitsSpec(turnover=1200.0))
    house.send(an_order("o-1", quantity=10, price=90.0))
    assert house.send(an_amend(new_id="n-1", price=110.0)).approved
    assert codes(house.send(an_order("o-2", quantity=2))) == ["TURNOVER"]
    assert house.send(an_order("o-3", quantity=1)).approved
    house.send(a_report("n-1", "replace_rejected", "r-1"))
    assert house.send(an_order("o-4", quantity=2)).approved  # 900 + 100 + 200.
    assert house.account().working_turnover == {"USD": 1200 * MONEY}


def test_e30_cheaper_change_releases_turnover_only_when_the_venue_took_it():
    house = a_core(LimitsSpec(turnover=1000.0))
    house.send(an_order("o-1", quantity=10, price=100.0))
    assert house.send(an_amend(new_id="n-1", price=90.0)).approved
    assert codes(house.send(an_order("o-2"))) == ["TURNOVER"]
    house.send(a_report("n-1", "replaced", "r-1"))
    assert house.send(an_order("o-3")).approved


def test_e26_change_of_price_alone_is_held_to_the_turnover_of_the_firm():
    house = a_core(LimitSet(firm=LimitsSpec(turnover=1000.0)))
    house.send(an_order("o-1", quantity=10, price=90.0))
    assert codes(house.send(an_amend(new_id="n-1", price=100.01))) == ["GROUP_LIMIT"]
    assert house.send(an_amend(new_id="n-2", price=100.0)).approved


def test_refused_change_without_an_id_of_its_own_is_judged_anew_when_it_is_said_again():
    """Nobody could give it a new id, and the cause may be gone."""
    house = a_core(LimitsSpec(position_quantity=10.0))
    house.send_all(an_order("o-1", quantity=5), an_order("o-2", quantity=5))
    assert codes(house.send(an_amend(quantity=6.0))) == ["POSITION_LIMIT"]
    house.send(a_report("o-2", "canceled"))
    verdict = house.send(an_amend(quantity=6.0))
    assert (verdict.approved, verdict.duplicate) == (True, False)
