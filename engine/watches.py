"""Watches: the limits that are given as tables, at whose thresholds an order is looked at."""

from __future__ import annotations

from functools import partial

from engine.case import Case, CheckRow, Plan
from engine.checks.conduct import count_numbers
from engine.checks.exposure import currency_numbers
from engine.checks.group import total_numbers
from engine.limits import ResolvedLimit
from engine.money import MONEY_SCALE
from engine.throttle import content_window
from riskd.codes import RejectCode
from riskd.messages import DuplicateOrders, Scope


def watches_of(row: CheckRow, limit: ResolvedLimit | None) -> list[CheckRow]:
    """Return the watch of a check's one limit."""
    if limit is None or not limit.is_table or row.numbers is None:
        return []
    return [row._replace(limit=limit)]


def wider_watches(plan: Plan, row: CheckRow) -> list[CheckRow]:
    """Return the watches of a check of several limits: of groups, or of currencies."""
    if row.warns:
        return []  # The same limits as those of the row that refuses.
    if row.code is RejectCode.GROUP_LIMIT:
        return [
            row._replace(limit=limit, numbers=partial(total_numbers, group=group, limit=limit))
            for group in plan.groups
            for limit in group.limits.values()
            if limit.is_table
        ]
    if row.code is not RejectCode.CURRENCY_EXPOSURE:
        return []
    return [
        row._replace(limit=limit, numbers=partial(currency_numbers, currency=currency, limit=limit))
        for currency, limit in plan.currency_limits
        if limit.is_table
    ]


def count_watches(plan: Plan) -> list[CheckRow]:
    """Return watches of what an order adds one to: of rates, and of the same content."""
    counted = [(rate.limit, rate.window, RejectCode.RATE_LIMIT) for rate in plan.rates]
    if plan.session_rate is not None:
        counted.append((plan.session_rate, str(Scope.SESSION), RejectCode.RATE_LIMIT))
    for each in plan.duplicates:
        limit = _content_limit(each, plan.owner.account)
        counted.append((limit, content_window(each), RejectCode.DUPLICATE_CONTENT))
    return [
        CheckRow(
            code,
            _is_none,
            numbers=partial(count_numbers, limit=limit, window=window),
            limit=limit,
        )
        for limit, window, code in counted
        if limit.is_table
    ]


def _content_limit(told: DuplicateOrders, account: str) -> ResolvedLimit:
    """Return a limit on repeats as one with thresholds, if it has any."""
    count, money = float(told.count), told.count * MONEY_SCALE
    limit = ResolvedLimit("duplicate_orders", count, money, Scope.ACCOUNT, account, hard=True)
    if told.warning is None and told.critical is None:
        return limit
    warning = limit.warning if told.warning is None else told.warning
    critical = limit.critical if told.critical is None else told.critical
    return limit._replace(warning=warning, critical=critical, is_table=True)


def _is_none(_: Case) -> None:
    """A watch of a count is no check."""
