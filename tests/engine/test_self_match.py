"""An account does not trade with itself where a scope forbids it."""

from __future__ import annotations

import pytest

from riskd.messages import Amend, Basket, Instruction, LimitSet, LimitsSpec, SelfMatch
from tests.builders import StampedCore, a_core, a_report, an_order, codes_of
from tests.engine.test_sessions import executing

FORBIDDEN = LimitsSpec(self_match=SelfMatch.REJECT)


@pytest.mark.parametrize(
    ("side", "price", "refused"),
    [
        ("buy", 100.99, False),  # Just under the resting sell.
        ("buy", 101.0, True),  # At it they would trade.
        ("buy", 101.01, True),
        ("sell", 99.01, False),
        ("sell", 99.0, True),
        ("sell", 98.99, True),
    ],
)
def test_self_match_is_refused_where_prices_meet(side: str, price: float, refused: bool):
    house = a_core(FORBIDDEN)
    house.send(an_order("resting-sell", "sell", price=101.0))
    house.send(an_order("resting-buy", "buy", price=99.0))
    verdict = house.send(an_order("o-1", side, price=price))
    assert codes_of(verdict) == (["SELF_MATCH"] if refused else [])
    if refused:
        assert "resting-" in verdict.rejects[0].text


@pytest.mark.parametrize("state", ["pending", "accepted", "cancel_pending"])
def test_self_match_counts_orders_the_venue_may_still_have(state: str):
    house = a_core(FORBIDDEN)
    house.send(an_order("resting", "sell", price=101.0))
    if state != "pending":
        house.send(a_report("resting", state))
    assert codes_of(house.send(an_order("o-1", price=101.0))) == ["SELF_MATCH"]
    house.send(a_report("resting", "canceled", "r-2"))
    assert house.send(an_order("o-2", price=101.0)).approved


def test_self_match_of_market_orders_is_refused_at_any_price():
    house = a_core(FORBIDDEN)
    house.send(an_order("resting", "sell", price=150.0))
    market = an_order("o-1", order_type="market", price=None)
    assert codes_of(house.send(market)) == ["SELF_MATCH"]


def test_self_match_of_a_change_is_judged_with_its_new_price():
    house = a_core(FORBIDDEN)
    house.send(an_order("resting", "sell", price=101.0))
    house.send(an_order("o-1", price=99.0))
    change = Amend(account="A1", client_order_id="o-1", price=101.0)
    assert codes_of(house.send(change)) == ["SELF_MATCH"]


def test_self_match_is_of_one_account_and_symbol_and_only_where_it_is_forbidden():
    house = a_core(FORBIDDEN)
    house.send(an_order("resting", "sell", price=101.0))
    assert house.send(an_order("o-1", price=101.0, account="A2")).approved
    assert house.send(an_order("o-2", price=101.0, symbol="Y")).approved
    free = a_core()
    free.send(an_order("resting", "sell", price=101.0))
    assert free.send(an_order("o-1", price=101.0)).approved


CANCELLED_FIRST = LimitsSpec(self_match=SelfMatch.CANCEL_RESTING)
BOTH = LimitsSpec(self_match=SelfMatch.CANCEL_BOTH)


def cancels(house: StampedCore) -> list[str | None]:
    """Return the orders whose cancel was asked of a gateway."""
    return [told.client_order_id for _, told in house.said if isinstance(told, Instruction)]


@pytest.mark.parametrize("limits", [CANCELLED_FIRST, BOTH], ids=["resting", "both"])
def test_self_match_cancels_what_rests_and_another_id_passes_once_it_is_gone(limits: LimitsSpec):
    """The new order is refused, for the venue could match the two before the cancel arrives."""
    house = a_core(limits)
    executing(house)
    house.send(an_order("far", "sell", price=102.0))
    house.send(an_order("near", "sell", price=101.0))
    house.send(an_order("buy", "buy", price=99.0))
    assert codes_of(house.send(an_order("o-1", price=101.0))) == ["SELF_MATCH"]
    assert cancels(house) == ["near"]
    assert {key: str(order.state) for key, order in house.account().orders.items()} == {
        "far": "pending",
        "near": "cancel_pending",
        "buy": "pending",
    }
    assert house.position().open_sell_lots == 2  # Counted until the venue has said so.
    assert codes_of(house.send(an_order("o-2", price=101.0))) == ["SELF_MATCH"]
    assert cancels(house) == ["near"]  # Asked for once.
    house.send(a_report("near", "canceled"))
    assert house.send(an_order("o-3", price=101.0)).approved
    assert codes_of(house.send(an_order("o-1", price=101.0))) == ["SELF_MATCH"]  # E3: it stays.


def test_self_match_cancels_everything_that_the_order_could_trade_with():
    house = a_core(CANCELLED_FIRST)
    executing(house)
    for price in (101.0, 102.0, 103.0):
        house.send(an_order(f"s-{price}", "sell", price=price))
    house.send(an_order("o-1", price=102.0))
    assert cancels(house) == ["s-101.0", "s-102.0"]


@pytest.mark.parametrize(
    ("limits", "cancelled"),
    [(CANCELLED_FIRST, ["resting"]), (BOTH, ["resting", "o-1"])],
    ids=["resting", "both"],
)
def test_self_match_of_a_change_cancels_what_the_rule_says(
    limits: LimitsSpec, cancelled: list[str]
):
    house = a_core(limits)
    executing(house)
    house.send(an_order("resting", "sell", price=101.0))
    house.send(an_order("o-1", price=99.0))
    change = Amend(account="A1", client_order_id="o-1", price=101.0)
    assert codes_of(house.send(change)) == ["SELF_MATCH"]
    assert cancels(house) == cancelled


def test_self_match_cancels_nothing_for_a_dry_run_or_an_order_that_fails_anyhow():
    house = a_core(LimitsSpec(self_match=SelfMatch.CANCEL_BOTH, order_quantity=5))
    executing(house)
    house.send(an_order("resting", "sell", price=101.0))
    assert codes_of(house.send(an_order("dry", price=101.0, dry_run=True))) == ["SELF_MATCH"]
    large = house.send(an_order("o-1", quantity=6, price=101.0, explain=True))
    assert codes_of(large) == ["ORDER_QUANTITY", "SELF_MATCH"]
    assert cancels(house) == []
    assert str(house.account().orders["resting"].state) == "pending"


def test_self_match_within_a_basket_cancels_nothing_that_never_left():
    house = a_core(CANCELLED_FIRST)
    executing(house)
    legs = [an_order("b-1", "sell", price=101.0), an_order("b-2", price=101.0)]
    verdict = house.send(Basket(basket_id="b", orders=legs))
    assert not verdict.approved
    assert cancels(house) == []
    assert house.core.boards.outbox.outstanding == {}


def test_self_match_counts_the_price_of_a_change_that_the_venue_may_have_taken():
    house = a_core(FORBIDDEN)
    house.send(an_order("resting", "sell", price=103.0))
    assert house.send(an_order("o-1", price=101.0)).approved
    change = Amend(account="A1", client_order_id="resting", price=101.5)
    assert house.send(change).approved
    assert codes_of(house.send(an_order("o-2", price=101.5))) == ["SELF_MATCH"]
    house.send(a_report("resting", "replace_rejected"))
    assert house.send(an_order("o-3", price=101.5)).approved


def test_self_match_rule_of_the_narrowest_scope_decides_what_becomes_of_what_rests():
    limits = LimitSet(
        default=CANCELLED_FIRST,
        account_symbol={"A1": {"X": FORBIDDEN}},
    )
    house = a_core(limits)
    executing(house)
    for symbol in ("X", "Y"):
        house.send(an_order(f"rest-{symbol}", "sell", price=51.0, symbol=symbol))
        refused = house.send(an_order(f"new-{symbol}", price=51.0, symbol=symbol))
        assert codes_of(refused) == ["SELF_MATCH"]
    assert cancels(house) == ["rest-Y"]
