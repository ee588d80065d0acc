"""Checks of drawdown: how far equity is below its highest of the day, the week and ever."""

from __future__ import annotations

from math import inf

from msgspec.structs import replace

from engine.case import Case, CheckRow
from engine.checks.credit import shuts
from engine.findings import exceeded
from engine.money import MONEY_SCALE
from riskd.codes import RejectCode
from riskd.messages import Reject

HUNDRED = 100 * MONEY_SCALE
Numbers = tuple[float, float] | None


def check_drawdown_day(case: Case) -> Reject | None:
    """Equity is less than `drawdown_day_pct` percent below the highest of the day.

    Formula: (highest equity of the day - equity) / highest * 100 < drawdown_day_pct
    """
    return _check(case, "drawdown_day_pct", 0)


def check_drawdown_week(case: Case) -> Reject | None:
    """Equity is less than `drawdown_week_pct` percent below the highest of the week.

    Formula: (highest equity of the week - equity) / highest * 100 < drawdown_week_pct
    """
    return _check(case, "drawdown_week_pct", 1)


def check_drawdown_max(case: Case) -> Reject | None:
    """Equity is less than `drawdown_max_pct` percent below the highest it ever was.

    Formula: (highest equity ever - equity) / highest * 100 < drawdown_max_pct
    """
    return _check(case, "drawdown_max_pct", 2)


def drawdown_day_numbers(case: Case) -> Numbers:
    """Return the drawdown of the day in percent and its limit."""
    return _numbers(case, "drawdown_day_pct", 0)


def drawdown_week_numbers(case: Case) -> Numbers:
    """Return the drawdown of the week in percent and its limit."""
    return _numbers(case, "drawdown_week_pct", 1)


def drawdown_max_numbers(case: Case) -> Numbers:
    """Return the drawdown from the highest equity ever in percent and its limit."""
    return _numbers(case, "drawdown_max_pct", 2)


def _check(case: Case, key: str, span: int) -> Reject | None:
    if case.missing is not None:
        return None  # Refused by the check of what is missing.
    limit, equity = case.plan.limits[key], case.valuation.equity_money
    peak = max(case.peaks_money[span], equity)
    if peak > 0 and (peak - equity) * HUNDRED < limit.money * peak:
        return None
    if peak <= equity and limit.money:
        return None  # At the highest; of nothing there is no percent.
    found = exceeded(RejectCode.DRAWDOWN, limit, _pct(peak, equity), "% below the highest equity")
    return replace(found, text=found.text.replace(" > ", " >= ", 1))


def _numbers(case: Case, key: str, span: int) -> Numbers:
    if case.missing is not None:
        return None
    equity = case.valuation.equity_money
    return _pct(max(case.peaks_money[span], equity), equity), case.plan.limits[key].value


def _pct(peak: int, equity: int) -> float:
    if peak > 0:
        return (peak - equity) * 100 / peak
    return inf if equity < peak else 0.0


ROWS = tuple(
    CheckRow(
        RejectCode.DRAWDOWN,
        check,
        key=key,
        numbers=numbers,
        reducing_passes=True,
        valued=True,
        ordinary=True,
        credit=shuts(check),
    )
    for key, check, numbers in (
        ("drawdown_day_pct", check_drawdown_day, drawdown_day_numbers),
        ("drawdown_week_pct", check_drawdown_week, drawdown_week_numbers),
        ("drawdown_max_pct", check_drawdown_max, drawdown_max_numbers),
    )
)
