"""Margin: brackets of the notional, maintenance beside initial, and what fits at the limit."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.instruments import Instrument
from engine.margin import MarginTerms
from engine.rates import ONE
from riskd.messages import InstrumentAdd, LimitsSpec, MarginModel, MarginTier
from tests.builders import (
    MONEY,
    PERPETUAL,
    STOCK,
    USDJPY,
    YEN_STOCK,
    a_core,
    a_fill,
    an_account,
    an_order,
    codes_of,
)

TIERS = (
    MarginTier(notional=1000.0, initial_margin=0.1, maintenance_margin=0.05),
    MarginTier(notional=3000.0, initial_margin=0.2, maintenance_margin=0.1),
    MarginTier(notional=5000.0, initial_margin=0.5, maintenance_margin=0.4),
)
TIERED = replace(STOCK, tiers=TIERS)
ONE_QUOTE = {"X": (100.0, 100.0)}


def slow_margin(size: Fraction, tiers: list[tuple[Fraction, Fraction]]) -> Fraction:
    """Each part of the size at the rate of its bracket; the rest in full."""
    margin, below = Fraction(0), Fraction(0)
    for top, rate in tiers:
        margin += max(Fraction(0), min(size, top) - below) * rate
        below = top
    return margin + max(Fraction(0), size - below)


def exact(number: float) -> Fraction:
    return Fraction(str(number))


RATES = st.integers(0, 1000).map(lambda permille: permille / 1000)
STEPS = st.tuples(st.integers(1, 10**6), RATES, RATES)


@given(st.lists(STEPS, min_size=1, max_size=6), st.integers(0, 10**19))
def test_tiers_margin_is_the_sum_of_the_parts_rounded_up(steps, size_money):
    tops = [sum(step for step, _, _ in steps[: index + 1]) for index in range(len(steps))]
    tiers = tuple(
        MarginTier(notional=float(top), initial_margin=initial, maintenance_margin=kept)
        for top, (_, initial, kept) in zip(tops, steps, strict=True)
    )
    spec = an_account(margin_model=MarginModel.TIERS)
    terms = MarginTerms(spec, Instrument(replace(STOCK, tiers=tiers), 5000))
    for found, name in (
        (terms.initial_money(size_money, ONE), "initial_margin"),
        (terms.maintenance_money(size_money, ONE), "maintenance_margin"),
    ):
        rates = [(exact(x.notional) * MONEY, exact(getattr(x, name))) for x in tiers]
        slow = slow_margin(Fraction(size_money), rates)
        assert found == -(-slow.numerator // slow.denominator)


def an_account_of(balance: float, **fields):
    return an_account(balance=balance, **({"margin_model": MarginModel.TIERS} | fields))


@pytest.mark.parametrize(("quantity", "margin"), [(10, 100), (30, 500), (50, 1500), (60, 2500)])
def test_tiers_order_at_the_margin_passes_and_one_lot_more_does_not(quantity, margin):
    """Of 100 each: 0.1 up to 1000, 0.2 up to 3000, 0.5 up to 5000, then in full."""
    house = a_core(
        accounts=(an_account_of(float(margin)),), instruments=(TIERED,), quotes=ONE_QUOTE
    )
    refused = house.send(an_order("o-1", quantity=quantity + 1))
    assert codes_of(refused) == ["MARGIN"]
    assert refused.max_quantity == quantity
    assert refused.rejects[0].limit == margin
    assert codes_of(house.send(an_order("o-2", quantity=quantity))) == []


def test_tiers_are_in_settlement_currency_whatever_the_account_has():
    """10 shares of 1000 yen are 10,000 yen, 5 % of them at 100 yen to the dollar 5 dollars."""
    tier = MarginTier(notional=20_000.0, initial_margin=0.05, maintenance_margin=0.02)
    instruments = (replace(YEN_STOCK, tiers=(tier,)), USDJPY)
    quotes = {"J": (1000.0, 1000.0), "USDJPY": (100.0, 100.0)}
    house = a_core(accounts=(an_account_of(5.0),), instruments=instruments, quotes=quotes)
    order = an_order("o-1", quantity=11, symbol="J", price=1000.0)
    refused = house.send(order)
    assert (codes_of(refused), refused.max_quantity) == (["MARGIN"], 10)
    assert codes_of(house.send(replace(order, client_order_id="o-2", quantity=10.0))) == []
    house.send(a_fill(quantity=10, price=1000.0, symbol="J", client_order_id="o-2"))
    valuation = house.core.accounts["A1"].valuation
    assert valuation.refresh() is None
    assert valuation.margin_money == valuation.used_money() == 5 * MONEY
    assert valuation.maintenance_money() == 2 * MONEY


@pytest.mark.parametrize(
    ("model", "leverage", "used", "maintenance"),
    [
        (MarginModel.RATE, None, 500, 250),
        (MarginModel.LEVERAGE, 5.0, 200, 200),
        (MarginModel.LEVERAGE, 2.5, 400, 250),
        (MarginModel.TIERS, None, 500, 250),
        (MarginModel.NONE, None, 0, 0),
    ],
)
def test_maintenance_is_of_what_is_held_and_never_above_what_leverage_asks(
    model, leverage, used, maintenance
):
    stock = replace(STOCK, initial_margin=0.5, maintenance_margin=0.25)
    account = an_account(margin_model=model, leverage=leverage)
    house = a_core(accounts=(account,), instruments=(stock,), quotes={"X": (100.0, 100.0)})
    house.send(a_fill(quantity=10))
    house.send(an_order(quantity=7))
    valuation = house.core.accounts["A1"].valuation
    assert valuation.refresh() is None
    assert valuation.used_money() == used * MONEY
    assert valuation.maintenance_money() == maintenance * MONEY


def test_margin_of_an_inverse_contract_follows_its_size_in_settlement():
    """Five contracts of 100 dollars at 50,000 are 0.01 bitcoin: tiers of bitcoin apply."""
    tier = MarginTier(notional=0.004, initial_margin=0.1, maintenance_margin=0.05)
    account = an_account_of(1.0, currency="BTC")
    instruments = (replace(PERPETUAL, tiers=(tier,)),)
    house = a_core(accounts=(account,), instruments=instruments, quotes={"P": (50_000.0,) * 2})
    house.send(a_fill(quantity=5, price=50_000.0, symbol="P"))
    valuation = house.core.accounts["A1"].valuation
    assert valuation.refresh() is None
    assert valuation.used_money() == (4 * 10**8) + 6 * 10**9
    assert valuation.maintenance_money() == 2 * 10**8 + 6 * 10**9


@pytest.mark.parametrize("tops", [(1000.0, 1000.0), (1000.0, 500.0), (float("inf"),), (1e300,)])
def test_tiers_that_do_not_rise_are_refused_whole(tops):
    house = a_core()
    tiers = tuple(
        MarginTier(notional=top, initial_margin=0.1, maintenance_margin=0.1) for top in tops
    )
    answer = house.send(InstrumentAdd(instrument=replace(STOCK, symbol="N", tiers=tiers)))
    assert answer.code == "refused"
    assert "N" not in house.core.boards.instruments


def test_margin_of_tiers_holds_for_working_orders_of_both_sides():
    house = a_core(
        LimitsSpec(), accounts=(an_account_of(500.0),), instruments=(TIERED,), quotes=ONE_QUOTE
    )
    house.send_all(an_order("o-1", quantity=30), an_order("o-2", "sell", quantity=30))
    assert codes_of(house.send(an_order("o-3", quantity=1))) == ["MARGIN"]
    assert codes_of(house.send(an_order("o-4", "sell", quantity=1))) == ["MARGIN"]
