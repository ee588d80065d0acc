"""Published statistics of series: returns, ratios, drawdowns and values at risk."""

from __future__ import annotations

from fractions import Fraction

import pytest

from engine.statistics import (
    annual_return,
    calmar,
    downside_risk,
    expected_shortfall,
    fall_of,
    growth_of,
    normal_value_at_risk,
    quantile,
    returns_of,
    sharpe,
    sortino,
    value_at_risk,
    volatility,
)
from tests.vectors.world import Case, read_cases, require

STATISTICS = {
    "annual_volatility": volatility,
    "sharpe": sharpe,
    "sortino": sortino,
    "downside_risk": downside_risk,
    "calmar": calmar,
    "annual_return": annual_return,
}
NOT_APPLICABLE = {
    "bacon-upside-frequency": "riskd counts winning trades (`trades`), not winning months.",
    "bacon-kurtosis-excess-sample": "riskd shows tails by quantiles and shortfall, not by moments.",
}


def returns_in(case: Case) -> list[float]:
    """The returns of a case as fractions; a missing first one is no return."""
    return [one / 100 for one in case["input"]["returns_percent"] if one is not None]


def check_ratio(case: Case) -> None:
    """Risk-free and required returns are zero in all of these cases, as they are by default."""
    (name,) = case["expected"]
    # Empyrical counts the missing first return of the mixed series among none of its figures.
    periods = int(case["input"]["periods_per_year"])
    found = STATISTICS[name](returns_in(case), periods)
    assert found is not None
    require(Fraction(found), case["expected"][name], case["tolerance"])


def check_growth(case: Case) -> None:
    """The case gives the growth from 0, we from 1: one less."""
    grown = growth_of(returns_in(case))
    for value, expected in zip(grown, case["expected"]["path"], strict=True):
        require(Fraction(value) - 1, expected, case["tolerance"])


def check_quantiles(case: Case) -> None:
    for cutoff, expected in case["expected"]["value_at_cutoff"].items():
        found = quantile(case["input"]["returns"], float(cutoff))
        assert found is not None
        require(Fraction(found), expected, case["tolerance"])


def check_shortfall(case: Case) -> None:
    """A cutoff is one less our confidence."""
    returns = returns_of(case["input"]["prices"])
    confidence = 1 - float(case["input"]["cutoff"])
    for found, name in (
        (value_at_risk(returns, confidence), "value_at_risk"),
        (expected_shortfall(returns, confidence), "cond_value_at_risk"),
    ):
        assert found is not None
        require(Fraction(found), case["expected"][name], case["tolerance"])


def check_order_statistic(case: Case) -> None:
    """The case takes the ((1 - confidence) n + 1)-th worst itself, we a point between neighbours:
    its k-th worst of n is our quantile at (k - 1) / (n - 1)."""
    worst = [float(one) for one in case["input"]["worst_five_pnl_millions"]]
    count = case["input"]["n"]
    profits = worst + [0.0] * (count - len(worst))
    place = (1 - Fraction(case["input"]["confidence"])) * count  # Of the ones before it.
    found = quantile(profits, float(place / (count - 1)))
    assert found is not None
    require(Fraction(found), case["expected"]["var_pnl"], "1e-9")


def check_normal(case: Case) -> None:
    """The case rounds to three decimals, and so is its tolerance."""
    returns = [float(one) for one in case["input"]["returns"]]
    for name, expected in case["expected"].items():
        found = normal_value_at_risk(returns, int(name.removeprefix("VaR_")) / 100)
        assert found is not None
        require(Fraction(found), expected, "0.001")


CHECKS = {
    "emp-vol-daily": check_ratio,
    "emp-sharpe-positive_returns": check_ratio,
    "emp-sortino-negative_returns-252": check_ratio,
    "emp-downside-one_return-252-0": check_ratio,
    "emp-downside-weekly_or_monthly_returns-52-0": check_ratio,
    "emp-calmar-52": check_ratio,
    "emp-annual-return-12": check_ratio,
    "emp-cum-returns-negative": check_growth,
    "emp-var-two": check_quantiles,
    "vbt-var-cvar-a": check_shortfall,
    "analystprep-hs-var": check_order_statistic,
    "lean-parametric-var-20": check_normal,
}


@pytest.mark.parametrize("case_id", CHECKS)
def test_statistics_of_published_case_agree(vectors, case_id):
    CHECKS[case_id](read_cases(vectors, "risk_stats")[case_id])


def test_statistics_leave_no_published_case_out(vectors):
    assert sorted([*CHECKS, *NOT_APPLICABLE]) == sorted(read_cases(vectors, "risk_stats"))


def check_intratrade(case: Case) -> None:
    """Of a short trade the best price is the lowest: its values are the prices with the sign
    turned. The entry is the first price, and so the first peak."""
    sign = -1 if case["input"]["side"] == "short" else 1
    values = [sign * float(price) for price in case["input"]["prices"]]
    require(Fraction(fall_of(values).money), case["expected"]["max_intratrade_drawdown"])


def check_recovery(case: Case) -> None:
    """The values are daily: a step is a day."""
    values = [float(one) for one in case["input"]["daily_equity"]]
    days = int(case["expected"]["longest_recovered_drawdown_days"])
    assert fall_of(values).longest_recovered == days


def check_drawdown_of_returns(case: Case) -> None:
    """Ours is a positive share of the peak, theirs a negative return. The start of 1 is a peak."""
    given = case["input"]
    returns = returns_in(case) if "returns_percent" in given else given["returns"]
    found = fall_of([1.0, *growth_of(returns)]).share
    require(-Fraction(found), case["expected"]["max_drawdown"], case["tolerance"])


def check_drawdown_of_values(case: Case) -> None:
    fall = fall_of([float(one) for one in case["input"]["daily_equity"]])
    require(Fraction(fall.share), case["expected"]["max_drawdown"], "1e-15")
    assert fall.longest_under_water == case["expected"]["longest_days"]


DRAWDOWNS = {
    "lean-intratrade": check_intratrade,
    "lean-recovery": check_recovery,
    "emp-maxdd": check_drawdown_of_returns,
    "nt-dd": check_drawdown_of_returns,
    "pat-dd": check_drawdown_of_values,
}


def test_drawdown_of_every_published_case_agrees(vectors):
    for case_id, case in read_cases(vectors, "drawdown").items():
        (check,) = [found for prefix, found in DRAWDOWNS.items() if case_id.startswith(prefix)]
        check(case)
