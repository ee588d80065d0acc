"""Statistics of a series: returns and what they say of risk, drawdowns of values, quantiles.

Measures, so floats. A return is simple and a fraction: 0.01 is one percent. What cannot be said of
so few or such values is None, never zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod, sqrt
from statistics import NormalDist, fmean, stdev
from typing import NamedTuple

Series = Sequence[float]


class Fall(NamedTuple):
    """The deepest drawdown of a series of values, and how long its drawdowns lasted, in steps."""

    money: float  # From the peak to the lowest value after it.
    share: float  # Of that peak.
    longest_under_water: int  # From a peak to the value that reached it again, or to the end.
    longest_recovered: int  # The same, of those that were made good.


def returns_of(values: Series) -> list[float]:
    """Return the return of each step of a series of positive values."""
    return [after / before - 1 for before, after in pairwise(values)]


def growth_of(returns: Series) -> list[float]:
    """Return what one unit has become after each return."""
    value, found = 1.0, []
    for one in returns:
        value *= 1 + one
        found.append(value)
    return found


def annual_return(returns: Series, periods: int) -> float | None:
    """Return the compound return of a year of so many periods."""
    grown = prod(1 + one for one in returns)
    return grown ** (periods / len(returns)) - 1 if returns and grown > 0 else None


def volatility(returns: Series, periods: int) -> float | None:
    """Return the sample standard deviation of returns, times the root of periods a year."""
    return stdev(returns) * sqrt(periods) if len(returns) > 1 else None


def sharpe(returns: Series, periods: int, risk_free: float = 0.0) -> float | None:
    """Return the mean excess return over its deviation, of a year; `risk_free` is per period."""
    excess = [one - risk_free for one in returns]
    deviation = volatility(excess, periods)
    return fmean(excess) * periods / deviation if deviation else None


def downside_risk(returns: Series, periods: int, required: float = 0.0) -> float | None:
    """Return the root mean square of what returns fell short of `required`, of a year.

    The mean is over all returns, those that fell short of nothing too.
    """
    short = [min(one - required, 0.0) ** 2 for one in returns]
    return sqrt(fmean(short)) * sqrt(periods) if short else None


def sortino(returns: Series, periods: int, required: float = 0.0) -> float | None:
    """Return the mean excess return over the downside risk, of a year."""
    risk = downside_risk(returns, periods, required)
    return fmean(one - required for one in returns) * periods / risk if risk else None


def calmar(returns: Series, periods: int) -> float | None:
    """Return the annual return over the deepest drawdown of what it grew."""
    grown = annual_return(returns, periods)
    share = fall_of([1.0, *growth_of(returns)]).share
    return grown / share if grown is not None and share else None


def fall_of(values: Series) -> Fall:
    """Return the deepest drawdown of values; the first one is the first peak. O(n).

    A drawdown begins at its peak and ends with the first value that is as high again.
    """
    money = share = 0.0
    peak, peak_at = float("-inf"), 0
    under_water = recovered = 0
    for at, value in enumerate(values):
        if value >= peak:
            if at - peak_at > 1:
                recovered = max(recovered, at - peak_at)
            peak, peak_at = value, at
            continue
        under_water = max(under_water, at - peak_at)
        money = max(money, peak - value)
        if peak > 0:
            share = max(share, (peak - value) / peak)
    return Fall(money, share, max(under_water, recovered), recovered)


def quantile(values: Series, share: float) -> float | None:
    """Return the value below which `share` of them lie, linear between neighbours."""
    if not values:
        return None
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def value_at_risk(returns: Series, confidence: float = 0.95) -> float | None:
    """Return the return that is undercut in 1 - confidence of what happened; a loss is negative."""
    return quantile(returns, 1 - confidence)


def expected_shortfall(returns: Series, confidence: float = 0.95) -> float | None:
    """Return the mean of the worst 1 - confidence of returns, at least one of them (CVaR)."""
    if not returns:
        return None
    count = int((len(returns) - 1) * (1 - confidence)) + 1
    return fmean(sorted(returns)[:count])


def normal_value_at_risk(returns: Series, confidence: float = 0.95) -> float | None:
    """Return the value at risk if returns were normal with their own mean and deviation."""
    if len(returns) < 2:
        return None
    return fmean(returns) + NormalDist().inv_cdf(1 - confidence) * stdev(returns)
