"""Published sizes for a risk, the Kelly share and the concentration index."""

from __future__ import annotations

from fractions import Fraction

import pytest

from engine.concentration import concentration
from engine.instruments import Instrument
from engine.money import MONEY_SCALE
from engine.sizing import kelly, largest_fitting
from tests.vectors.world import instrument, read_cases, require

LOTS_MAX = 10**12


def sized(
    capital: str, risk: Fraction, entry: str, stop: str, *, batch_lots: int = 1, units: int = 1
) -> int:
    """The most lots of each of `units` orders whose loss at the stop is within the risk.

    In whole batches, and never more than the capital buys.
    """
    prepared = Instrument(instrument(tick_size="0.00001"), 5000)
    entry_milliticks = prepared.milliticks(float(entry))
    stop_milliticks = prepared.milliticks(float(stop))
    money = Fraction(capital) * MONEY_SCALE

    def fits(batches: int) -> bool:
        lots = batches * batch_lots
        worth = prepared.value_money(lots, entry_milliticks)
        loss = abs(worth - prepared.value_money(lots, stop_milliticks))
        return loss * units <= risk * money

    return batch_lots * largest_fitting(fits, LOTS_MAX)


@pytest.mark.parametrize("case_id", ["nt-size-single", "nt-size-batches", "nt-size-zero-equity"])
def test_size_for_a_fixed_risk_of_published_case_agrees(vectors, case_id):
    case = read_cases(vectors, "sizing")[case_id]
    given = case["input"]
    found = sized(
        given["equity"],
        Fraction(given["risk"]),
        given["entry"],
        given["stop"],
        batch_lots=int(given["batch"]),
        units=int(given.get("units", "1")),
    )
    assert found == int(case["expected"]["qty_per_unit"])


def test_size_for_a_percentage_of_capital_of_published_case_agrees(vectors):
    """What the capital buys, 100, is more than the risk allows, 5."""
    case = read_cases(vectors, "sizing")["jesse-risk-long"]
    given = case["input"]
    risk = Fraction(given["risk_percent"]) / 100
    found = sized(given["capital"], risk, given["entry"], given["stop"])
    assert found == int(case["expected"]["qty"])


def test_kelly_of_published_case_agrees(vectors):
    case = read_cases(vectors, "sizing")["kelly-half"]
    found = kelly(float(case["input"]["win_rate"]), float(case["input"]["payoff"]))
    assert found == float(case["expected"]["kelly"])


def test_index_of_equal_weights_of_published_case_agrees(vectors):
    case = read_cases(vectors, "concentration")["hhi-equal-500"]
    names = {f"S{index}": MONEY_SCALE for index in range(case["input"]["n_equal_weights"])}
    found = concentration(names, equity_money=0)
    assert found.hhi is not None
    assert found.effective_number is not None
    require(Fraction(found.hhi), case["expected"]["hhi"], case["tolerance"])
    require(Fraction(found.effective_number), case["expected"]["effective_number"], "1e-9")
