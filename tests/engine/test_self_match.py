"""An account does not trade with itself where a scope forbids it."""

from __future__ import annotations

import pytest

from riskd.messages import Amend, LimitsSpec, SelfMatch
from tests.builders import a_core, a_report, an_order, codes_of

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
