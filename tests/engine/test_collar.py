"""Collars in percent, ticks and money: just under, at and over; E13, E42 to E44 at the edge."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskd.messages import (
    Check,
    LimitSet,
    LimitsSpec,
    LimitValue,
    MarketPhase,
    MarketState,
    OrderType,
)
from tests.builders import QUOTES, a_core, an_order, codes_of

BOOK = (99.0, 101.0)  # A buy is judged by 101, a sale by 99.


class Row(NamedTuple):
    """A collar, a price at it, and the price a tick over it."""

    limits: LimitsSpec
    side: str
    at: float
    over: float
    value: float  # How far `over` is, in the limit's unit.
    limit: float


ROWS = (
    Row(LimitsSpec(price_collar_pct=2), "buy", 103.02, 103.03, 203 / 101, 2),
    Row(LimitsSpec(price_collar_pct=2), "sell", 97.02, 97.01, 199 / 99, 2),
    Row(LimitsSpec(price_collar_pct=0), "buy", 101.0, 101.01, 1 / 101, 0),
    Row(LimitsSpec(price_collar_ticks=150), "buy", 102.5, 102.51, 151, 150),
    Row(LimitsSpec(price_collar_ticks=150), "sell", 97.5, 97.49, 151, 150),
    Row(LimitsSpec(price_collar_ticks=0), "sell", 99.0, 98.99, 1, 0),
    Row(LimitsSpec(price_collar_money=0.25), "buy", 101.25, 101.26, 0.26, 0.25),
    Row(LimitsSpec(price_collar_money=0.25), "sell", 98.75, 98.74, 0.26, 0.25),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.side}-{row.over}")
def test_e11_price_at_a_collar_passes_and_a_tick_over_names_the_nearest_price(row):
    house = a_core(row.limits, quotes={"X": BOOK})
    inward = row.at - 0.01 if row.side == "buy" else row.at + 0.01
    for name, price in (("under", round(inward, 2)), ("at", row.at)):
        assert codes_of(house.send(an_order(name, row.side, price=price))) == []
    verdict = house.send(an_order("over", row.side, price=row.over))
    assert codes_of(verdict) == ["PRICE_COLLAR"]
    assert verdict.rejects[0].value == pytest.approx(row.value, rel=1e-12)
    assert (verdict.rejects[0].limit, verdict.nearest_price) == (row.limit, row.at)
    assert verdict.reference.source == "touch"
    market = an_order("market", row.side, order_type=OrderType.MARKET, price=None)
    assert codes_of(house.send(market)) == []


def test_tightest_of_all_collars_decides_and_names_the_nearest_price():
    """Of a buy at 101: 2 % are 2.02, 300 ticks are 3, and half a dollar is the tightest."""
    limits = LimitsSpec(price_collar_pct=2, price_collar_ticks=300, price_collar_money=0.5)
    house = a_core(limits, quotes={"X": BOOK})
    assert codes_of(house.send(an_order("o-1", price=101.5))) == []
    verdict = house.send(an_order("o-2", price=102.0))
    assert [reject.limit_type for reject in verdict.rejects] == ["price_collar_money"]
    assert verdict.nearest_price == 101.5
    far = house.send(an_order("o-3", price=104.5, explain=True))
    told = [reject.limit_type for reject in far.rejects]
    assert told == ["price_collar_pct", "price_collar_ticks", "price_collar_money"]
    assert far.nearest_price == 101.5


def test_collar_of_a_symbol_tightens_that_of_all_and_a_soft_one_only_warns():
    tight = LimitsSpec(price_collar_ticks=LimitValue(value=10, hard=False))
    limits = LimitSet(default=LimitsSpec(price_collar_ticks=100), symbol={"X": tight})
    house = a_core(limits, quotes={"X": BOOK, "Y": BOOK})
    warned = house.send(an_order("o-1", price=101.11))
    assert (warned.approved, [found.code for found in warned.warnings]) == (True, ["PRICE_COLLAR"])
    verdict = house.send(an_order("o-2", price=102.01))
    assert (codes_of(verdict), verdict.nearest_price) == (["PRICE_COLLAR"], 102.0)
    assert house.send(an_order("o-3", price=101.11, symbol="Y")).warnings == ()


@pytest.mark.parametrize(
    ("limits", "at", "over"),
    [
        (LimitsSpec(price_collar_pct=2), 105.04, 105.05),
        (LimitsSpec(price_collar_ticks=100), 103.0, 103.01),
        (LimitsSpec(price_collar_money=0.5), 102.0, 102.01),
    ],
)
def test_collar_is_wider_in_an_auction_by_its_factor(limits, at, over):
    """Twice as wide, and as before once the market is open."""
    firm = LimitSet(default=limits, symbol={"X": LimitsSpec(auction_collar_factor=2)})
    house = a_core(firm, quotes={"X": BOOK})
    assert codes_of(house.send(an_order("open", price=at))) == ["PRICE_COLLAR"]
    house.send(MarketState(symbol="X", state=MarketPhase.AUCTION))
    assert codes_of(house.send(an_order("at", price=at))) == []
    verdict = house.send(an_order("over", price=over))
    assert (codes_of(verdict), verdict.nearest_price) == (["PRICE_COLLAR"], at)
    house.send(MarketState(symbol="X", state=MarketPhase.OPEN))
    assert codes_of(house.send(an_order("again", price=at))) == ["PRICE_COLLAR"]


@pytest.mark.parametrize("middle", [-10.0, 0.0, 10.0])
@pytest.mark.parametrize(
    "limits",
    [LimitsSpec(price_collar_ticks=5), LimitsSpec(price_collar_money=0.5)],
    ids=["ticks", "money"],
)
def test_e13_collar_of_an_instrument_that_may_be_negative_works_through_zero(limits, middle):
    """Five ticks of 0.1 above the ask and below the bid, wherever zero is; no percentage."""
    wide = LimitsSpec(
        price_collar_pct=0.001,
        price_collar_ticks=limits.price_collar_ticks,
        price_collar_money=limits.price_collar_money,
    )
    house = a_core(wide, quotes={"S": (middle - 0.1, middle + 0.1)})
    told: dict[str, Any] = {"symbol": "S"}
    for side, edge, step in (("buy", middle + 0.6, 0.1), ("sell", middle - 0.6, -0.1)):
        at, over = round(edge, 1), round(edge + step, 1)
        assert codes_of(house.send(an_order(f"{side}-at", side, price=at, **told))) == []
        verdict = house.send(an_order(f"{side}-over", side, price=over, **told))
        assert (codes_of(verdict), verdict.nearest_price) == (["PRICE_COLLAR"], at)
        assert house.account().frozen == ""


def test_e42_reducing_order_is_held_to_the_collar_all_the_same():
    house = a_core(LimitsSpec(price_collar_ticks=5), quotes={"X": BOOK})
    assert house.send(an_order("buy", quantity=5)).approved
    assert codes_of(house.send(an_order("sell", "sell", 1, price=98.0))) == ["PRICE_COLLAR"]


TICK_SIZES = {"X": Fraction(1, 100), "J": Fraction(1), "S": Fraction(1, 10), "P": Fraction(1, 2)}
limit_values = st.one_of(st.none(), st.floats(0, 50).map(lambda x: round(x, 4)))


def allowed(reference: Fraction, symbol: str, side: str, limits: LimitsSpec, price: Fraction):
    """Return whether a price is within every collar: the definition, in fractions."""
    away = price - reference if side == "buy" else reference - price
    pct, ticks, money = (
        None if limit is None else Fraction(str(limit))
        for limit in (limits.price_collar_pct, limits.price_collar_ticks, limits.price_collar_money)
    )
    return (
        (pct is None or symbol == "S" or away * 100 <= reference * pct)
        and (ticks is None or away <= ticks * TICK_SIZES[symbol])
        and (money is None or away <= money)
    )


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(TICK_SIZES)),
    st.sampled_from(["buy", "sell"]),
    st.tuples(limit_values, limit_values, limit_values),
    st.integers(20, 400),
    st.integers(-300, 700),
)
def test_nearest_price_is_the_last_tick_that_the_definition_allows(symbol, side, told, mid, asked):
    pct, ticks, money = told
    limits = LimitsSpec(price_collar_pct=pct, price_collar_ticks=ticks, price_collar_money=money)
    size = TICK_SIZES[symbol]
    asked = asked if symbol == "S" else abs(asked) + 1
    quotes = QUOTES | {symbol: (float((mid - 1) * size), float((mid + 1) * size))}
    house = a_core(limits, quotes=quotes)
    reference = (mid + 1 if side == "buy" else mid - 1) * size

    def send(ticks_asked: int) -> Any:
        price = float(ticks_asked * size)
        order: Check = an_order("o", side, symbol=symbol, price=price, dry_run=True)
        return house.send(order)

    verdict = send(asked)
    within = allowed(reference, symbol, side, limits, asked * size)
    assert codes_of(verdict) == ([] if within else ["PRICE_COLLAR"])
    if within:
        assert verdict.nearest_price is None
        return
    nearest = round(Fraction(str(verdict.nearest_price)) / size)
    assert allowed(reference, symbol, side, limits, nearest * size)
    assert codes_of(send(nearest)) == []
    further = nearest + (1 if side == "buy" else -1)
    assert not allowed(reference, symbol, side, limits, further * size)
    assert codes_of(send(further)) == ["PRICE_COLLAR"]
