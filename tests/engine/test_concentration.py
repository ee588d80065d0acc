"""The concentration of a book: weights, the index and its levels, clusters as one name."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.concentration import Level, as_clusters, concentration
from riskd.messages import LimitsSpec
from tests.builders import MONEY, a_core, an_account, an_order, codes_of

EXPOSURES = st.dictionaries(st.sampled_from("ABCDEFGH"), st.integers(-(10**24), 10**24), max_size=8)


@given(exposures=EXPOSURES, equity=st.integers(-(10**24), 10**24))
def test_concentration_of_any_book_is_that_of_exact_fractions(exposures, equity):
    sizes = {symbol: Fraction(abs(money)) for symbol, money in exposures.items() if money}
    found = concentration(exposures, equity)
    if not sizes:
        assert found.weights == {}
        assert (found.hhi, found.level, found.largest_weight) == (None, None, None)
        return
    gross = sum(sizes.values())
    hhi = sum((size / gross) ** 2 for size in sizes.values())
    assert found.weights == {key: float(size / max(gross, equity)) for key, size in sizes.items()}
    assert found.largest_weight == max(found.weights.values())
    assert found.largest_symbol is not None
    assert sizes[found.largest_symbol] == max(sizes.values())
    assert found.hhi == float(hhi)
    assert found.effective_number == float(1 / hhi)
    assert found.diversification == pytest.approx(float(100 * (1 - hhi)), rel=1e-15)
    expected = Level.LOW if hhi < Fraction(15, 100) else Level.MODERATE
    assert found.level is (Level.HIGH if hhi >= Fraction(25, 100) else expected)


@pytest.mark.parametrize(
    ("sizes", "level"),
    [
        ([1] * 7, Level.LOW),  # 1/7 = 0.142.
        ([5, 4, 3, 1, 1, 1, 1, 1, 1, 1, 1], Level.LOW),  # 58 squares of 20 x 20: just below 0.15.
        ([5, 4, 3, 2, 1, 1, 1, 1, 1, 1], Level.MODERATE),  # 60 of 400: exactly 0.15.
        ([1] * 5, Level.MODERATE),
        ([1000, 1000, 1000, 1000, 1], Level.MODERATE),  # A trifle below a quarter.
        ([1] * 4, Level.HIGH),  # Exactly a quarter.
    ],
)
def test_level_of_an_index_is_exact_at_its_thresholds(sizes, level):
    found = concentration({f"S{at}": size * MONEY for at, size in enumerate(sizes)}, 0)
    assert found.level is level


def test_weight_of_a_small_position_in_a_rich_account_is_small():
    """Weights are of max(gross, equity); the index is of gross alone, so one name is all of it."""
    found = concentration({"X": -100 * MONEY}, 10_000 * MONEY)
    assert found.weights == {"X": 0.01}
    assert (found.hhi, found.level, found.diversification) == (1.0, Level.HIGH, 0.0)


def test_clusters_count_as_one_name_whatever_their_sides():
    exposures = {"X": 3 * MONEY, "Y": -MONEY, "Z": 2 * MONEY, "W": 0}
    assert as_clusters(exposures, [["X", "Y", "W"], ["Z", "V"]]) == {
        "X+Y": 4 * MONEY,
        "Z": 2 * MONEY,
    }


def test_e84_single_small_first_position_passes_up_to_the_floor_whatever_its_share():
    """Its index is 1 and its share of 1,000 is far above 10 percent: 500 is not judged, 501 is."""
    limits = LimitsSpec(concentration_pct=10, concentration_floor=500)
    house = a_core(limits, accounts=(an_account(balance=1000.0),))
    told: dict[str, Any] = {"symbol": "S", "dry_run": True}
    assert codes_of(house.send(an_order("i-1", quantity=50, price=10.0, **told))) == []
    assert codes_of(house.send(an_order("i-2", quantity=51, price=10.0, **told))) == [
        "CONCENTRATION"
    ]
