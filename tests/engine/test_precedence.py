"""E5: of two things that are wrong the documented one comes first, for every pair of codes."""

from __future__ import annotations

from itertools import combinations

import pytest

from engine.checks import CHECKS
from riskd.codes import RejectCode as R
from tests.engine.causes import CAUSES, EARLY, Scene

IN_MONEY = {  # Judged in the account's currency.
    R.DAILY_LOSS, R.DRAWDOWN, R.ORDER_NOTIONAL, R.GROSS_EXPOSURE, R.NET_EXPOSURE,
    R.CURRENCY_EXPOSURE, R.TURNOVER, R.CONCENTRATION, R.CORRELATED_EXPOSURE, R.LEVERAGE,
    R.MARGIN, R.BUYING_POWER,
    R.RISK_PER_TRADE,
}  # fmt: skip
AT_A_REFERENCE = {  # Judged at a price of the market.
    R.STALE_PRICE, R.PRICE_COLLAR, R.GROSS_EXPOSURE, R.NET_EXPOSURE, R.CURRENCY_EXPOSURE,
    R.CONCENTRATION, R.CORRELATED_EXPOSURE, R.LEVERAGE, R.MARGIN, R.BUYING_POWER,
    R.SELF_MATCH, R.GROUP_LIMIT,
}  # fmt: skip
OF_LOTS = {  # Judged by how many lots an order has.
    R.ORDER_QUANTITY, R.ORDER_NOTIONAL, R.POSITION_LIMIT, R.GROSS_EXPOSURE, R.NET_EXPOSURE,
    R.CURRENCY_EXPOSURE, R.TURNOVER, R.CONCENTRATION, R.CORRELATED_EXPOSURE, R.LEVERAGE,
    R.MARGIN, R.BUYING_POWER,
    R.RISK_PER_TRADE, R.DUPLICATE_CONTENT, R.GROUP_LIMIT,
}  # fmt: skip


def exclude_each_other(first: R, second: R) -> bool:
    """Whether what the first says leaves nothing to judge for the second."""
    return (
        (first is R.QUANTITY_OFF_LOT and second in OF_LOTS)
        or (first is R.NO_REFERENCE_PRICE and second in AT_A_REFERENCE)
        or (second is R.FX_MISSING and first in IN_MONEY)
        or (first, second) == (R.MARGIN, R.BUYING_POWER)  # An account has one or the other.
    )


PAIRS = [pair for pair in combinations(CAUSES, 2) if not exclude_each_other(*pair)]


@pytest.mark.parametrize("code", CAUSES)
def test_e05_cause_of_a_code_alone_gives_that_code_alone(code):
    assert Scene(code).codes("asked", explain=True) == [code]


@pytest.mark.parametrize("first", CAUSES)
def test_e05_of_two_codes_the_documented_one_is_primary_and_both_are_told(first):
    """What cannot be judged any further is told alone."""
    for second in (second for one, second in PAIRS if one is first):
        both = [first] if first in EARLY else [first, second]
        scene = Scene(first, second)
        assert scene.codes("all", explain=True) == both, second
        assert scene.codes("one", explain=False) == [first], second


def test_e05_causes_are_in_the_order_of_the_codes_and_of_the_checks():
    assert list(CAUSES) == [code for code in R if code in CAUSES]
    checked = dict.fromkeys(row.code for row in CHECKS)
    assert [code for code in CAUSES if code in checked] == list(checked)
    assert len(PAIRS) > 600
