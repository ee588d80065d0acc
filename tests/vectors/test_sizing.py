"""Published sizes for a risk, the Kelly share, liquidation prices and the concentration index."""

from __future__ import annotations

from fractions import Fraction

import pytest

from engine.concentration import concentration
from engine.instruments import Instrument
from engine.money import MONEY_SCALE
from engine.sizing import kelly, largest_lots, liquidation_price
from tests.vectors.world import Case, instrument, read_cases, require

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

    return batch_lots * largest_lots(fits, LOTS_MAX)


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


def position_of(case: Case) -> tuple[float, float, float]:
    """Signed quantity, entry and the wallet that backs it."""
    given = case["input"]
    size, entry = float(given["qty"]), float(given["open"])
    wallet = size * entry / float(given["leverage"])
    return (size if given["side"] == "long" else -size), entry, wallet


def terms_of(case: Case, quantity: float, entry: float) -> tuple[float, float]:
    """Rate and amount of the maintenance margin, each venue's model said as riskd's.

    Binance's is ours. Gate and OKX charge a taker fee of 0.0006 on the way out, which is a higher
    rate, and know no amount. Bybit's margin stays what it was at the entry: a rate of zero, and a
    negative amount of that size.
    """
    given = case["input"]
    rate = float(given["maintenance_rate"])
    if given["venue_model"] == "binance":
        return rate, float(given["maintenance_amount"])
    if given["venue_model"] == "gate/okx":
        return rate + 0.0006, 0.0
    return 0.0, -rate * abs(quantity) * entry


def test_liquidation_price_of_every_published_case_agrees(vectors):
    for case in read_cases(vectors, "liquidation").values():
        quantity, entry, wallet = position_of(case)
        rate, amount = terms_of(case, quantity, entry)
        found = liquidation_price(
            quantity, entry, wallet, maintenance_rate=rate, maintenance_amount=amount
        )
        expected = Fraction(case["expected"]["liquidation_price"])
        assert found is not None
        assert abs(Fraction(found) - expected) <= expected / 10**6, case["id"]


def test_index_of_equal_weights_of_published_case_agrees(vectors):
    case = read_cases(vectors, "concentration")["hhi-equal-500"]
    names = {f"S{index}": MONEY_SCALE for index in range(case["input"]["n_equal_weights"])}
    found = concentration(names, equity_money=0)
    assert found.hhi is not None
    assert found.effective_number is not None
    require(Fraction(found.hhi), case["expected"]["hhi"], case["tolerance"])
    require(Fraction(found.effective_number), case["expected"]["effective_number"], "1e-9")
