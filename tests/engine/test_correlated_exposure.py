"""Symbols that move together count as one: just under, at and over, in percent and in money."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskd.messages import (
    AccountSpec,
    Configure,
    CorrelationSettings,
    LimitSet,
    LimitsSpec,
    RiskSettings,
    Tick,
)
from tests.builders import INSTRUMENTS, SECOND, StampedCore, a_core, a_fill, a_universe, an_account
from tests.builders import an_order as order
from tests.builders import codes_of as codes

SETTINGS = RiskSettings(
    stale_after_ms=60_000,
    correlation=CorrelationSettings(sample_ms=1000, threshold=0.7, samples_min=2),
)
POOR = an_account(balance=1000.0)
PRICES = {"X": 100.0, "Y": 50.0, "S": 10.0, "J": 1000.0}
TOGETHER = ("X", "Y")  # They move by the same share; S moves against them, J not at all.


def a_house(
    limits: LimitsSpec | LimitSet | None = None, account: AccountSpec = POOR
) -> StampedCore:
    """Return a house in which X and Y moved together; everything is back at its price."""
    universe = a_universe(limits, accounts=(account,), settings=SETTINGS)
    house = StampedCore()
    house.send(Configure(universe=universe))
    house.send(Tick(symbol="USDJPY", bid=100.0, ask=100.0))
    house.send(Tick(symbol="EURUSD", bid=1.25, ask=1.25))
    for share in (1.0, 1.1, 0.9, 1.1, 1.0, 1.0):
        prices = {
            "X": 100.0 * share,
            "Y": 50.0 * share,
            "S": 10.0 - 10.0 * (share - 1),
            "J": 1000.0,
        }
        for number, (symbol, price) in enumerate(prices.items()):
            told = round(price, 2)
            house.send(Tick(symbol=symbol, bid=told, ask=told), 0 if number else SECOND)
    return house


class Row(NamedTuple):
    """A limit, what is held, and orders in X just under, at and over it."""

    limits: LimitsSpec
    sizes: tuple[int, int, int]
    value: float
    limit: float
    side: str = "buy"
    held: tuple[Any, ...] = (a_fill("e-1", "buy", 4, 50.0, symbol="Y"),)  # 200 of Y.
    account: AccountSpec = POOR


PCT = LimitsSpec(correlated_exposure_pct=50)
ROWS = (
    Row(PCT, (2, 3, 4), 60, 50),  # 200 of Y and 400 of X are 60 % of 1,000.
    Row(PCT, (2, 3, 4), 60, 50, "sell"),  # Long one and short the other is no less.
    Row(PCT, (4, 5, 6), 60, 50, held=()),
    Row(PCT, (4, 5, 6), 60, 50, held=(a_fill("e-1", "buy", 20, 10.0, symbol="S"),)),
    Row(  # A working buy of Y counts as if it filled.
        PCT, (2, 3, 4), 60, 50, held=(order("w", quantity=4, symbol="Y", price=50.0),)
    ),
    Row(LimitsSpec(correlated_exposure=500), (2, 3, 4), 600, 500),
    Row(LimitsSpec(correlated_exposure=500), (2, 3, 4), 600, 500, "sell"),
    Row(LimitsSpec(correlated_exposure_pct=10, concentration_floor=400), (1, 2, 3), 50, 10),
    Row(  # Gross beyond equity: 200 of Y, 800 of S, 500 of X: 700 of 1,500.
        LimitsSpec(correlated_exposure_pct=50),
        (5, 6, 7),
        900 / 1700 * 100,
        50,
        held=(
            a_fill("e-1", "buy", 4, 50.0, symbol="Y"),
            a_fill("e-2", "buy", 80, 10.0, symbol="S"),
        ),
        account=an_account(balance=100.0),
    ),
    Row(  # 200 of Y and 300 of X are 400 euro.
        LimitsSpec(correlated_exposure=400),
        (2, 3, 4),
        480,
        400,
        account=an_account(balance=1000.0, currency="EUR"),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.side}-{row.value:g}")
def test_e11_correlated_exposure_at_its_limit_passes_and_a_lot_over_is_refused(row):
    house = a_house(row.limits, row.account)
    for message in row.held:
        assert getattr(house.send(message), "approved", True)
    for quantity in row.sizes[:2]:
        asked = order(f"o-{quantity}", row.side, quantity, dry_run=True)
        assert codes(house.send(asked)) == []
    verdict = house.send(order("over", row.side, row.sizes[2]))
    assert codes(verdict) == ["CORRELATED_EXPOSURE"]
    found = verdict.rejects[0]
    assert (found.value, found.limit) == (pytest.approx(row.value, rel=1e-12), row.limit)
    assert verdict.max_quantity == row.sizes[1]
    assert verdict.binding_limit == found.limit_type


def test_refusal_names_what_moves_together_and_what_reduces_passes():
    house = a_house(PCT)
    house.send_all(a_fill("e-1", "buy", 8, 50.0, symbol="Y"), a_fill("e-2", "buy", 2))
    verdict = house.send(order("more"))
    assert codes(verdict) == ["CORRELATED_EXPOSURE"]
    assert "in X, Y" in verdict.rejects[0].text
    assert codes(house.send(order("less", "sell", 2, dry_run=True))) == []
    less_of_y = order("less-y", "sell", 8, symbol="Y", price=50.0, dry_run=True)
    assert codes(house.send(less_of_y)) == []
    other = order("other", quantity=30, symbol="S", price=10.0)
    assert codes(house.send(other)) == []  # It moves against them.


def test_symbol_without_enough_samples_counts_alone():
    house = a_core(PCT, accounts=(POOR,), instruments=INSTRUMENTS, settings=SETTINGS)
    house.send(a_fill("e-1", "buy", 4, 50.0, symbol="Y"))
    assert codes(house.send(order("at", quantity=5, dry_run=True))) == []
    assert codes(house.send(order("over", quantity=6))) == ["CORRELATED_EXPOSURE"]


steps = st.lists(
    st.tuples(st.sampled_from("XYS"), st.sampled_from(["buy", "sell"]), st.integers(1, 30)),
    max_size=4,
)
limits_drawn = st.one_of(
    st.integers(0, 120).map(lambda pct: LimitsSpec(correlated_exposure_pct=pct)),
    st.integers(0, 3000).map(lambda money: LimitsSpec(correlated_exposure=money)),
    st.tuples(st.integers(0, 120), st.integers(0, 2000)).map(
        lambda pair: LimitsSpec(correlated_exposure_pct=pair[0], concentration_floor=pair[1])
    ),
)


@settings(max_examples=150, deadline=None)
@given(steps, limits_drawn, st.sampled_from("XY"), st.sampled_from(["buy", "sell"]))
def test_max_quantity_in_a_cluster_passes_and_one_lot_more_fails(held, limits, symbol, side):
    house = a_house()
    for number, (key, way, lots) in enumerate(held):
        house.send(a_fill(f"e-{number}", way, lots, PRICES[key], symbol=key))
    universe = a_universe(limits, accounts=(POOR,), settings=SETTINGS)
    house.send(Configure(universe=universe))
    told: dict[str, Any] = {"symbol": symbol, "price": PRICES[symbol], "dry_run": True}
    verdict = house.send(order("probe", side, 10_000, **told))
    most = 10_000 if verdict.approved else int(verdict.max_quantity)
    if most:
        assert codes(house.send(order("most", side, most, **told))) == []
    if not verdict.approved:
        over = house.send(order("over", side, most + 1, **told))
        assert codes(over) == ["CORRELATED_EXPOSURE"]
        worst = {
            key: sum(n if way == "buy" else -n for k, way, n in held if k == key) for key in "XY"
        }
        worst[symbol] += (most + 1) * (1 if side == "buy" else -1)
        cluster = sum(abs(worst[key]) * PRICES[key] for key in "XY")
        if limits.correlated_exposure is not None:
            assert over.rejects[0].value == cluster
