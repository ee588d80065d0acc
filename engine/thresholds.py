"""Thresholds: what an approved order makes of limits that are given as a table.

A threshold is reached at its percentage of the limit, the limit itself is past beyond its value.
An order that carries a limit over one raises one alert, whatever else it carries over others: of
the highest level, naming all. What stands between two orders is no matter here: an order crosses a
threshold if the limit was below it without the order and is not with it, so that a limit that fell
below is armed again.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from engine.case import Case, CheckRow
from engine.facts import Facts, Raised
from engine.findings import shown, used_pct
from engine.limits import ResolvedLimit
from riskd.codes import CODES, RejectCode
from riskd.messages import Reject, Scope, Severity

Numbers = tuple[float, float] | None


# Limits that a guard watches too: what an order begins and its fill goes on with is one alert.
GUARDED = (
    "gross_exposure",
    "net_exposure",
    "concentration_pct",
    "correlated_exposure_pct",
    "correlated_exposure",
    "leverage",
)


class Level(IntEnum):
    """How far a limit is used."""

    NORMAL = 0
    WARNING = 1
    CRITICAL = 2
    BREACHED = 3


SEVERITY = {
    Level.WARNING: Severity.MEDIUM,
    Level.CRITICAL: Severity.HIGH,
    Level.BREACHED: Severity.CRITICAL,
}


class _Crossing(NamedTuple):
    """A limit that the order carried over a threshold."""

    watch: CheckRow
    before: Level
    level: Level
    value: float


def judge_thresholds(case: Case, crossed: Facts) -> tuple[Reject, ...]:
    """Return a warning for each limit that is at a threshold or past it with the order.

    Appends the alert of what the order crosses. Call for an order that is approved; leaves the case
    as it was.
    """
    watches = [watch for watch in case.plan.watches if not watch.spares(case)]
    after = [_numbers(watch, case) for watch in watches]
    lots = case.lots or 0
    case.place(0)
    before = [_numbers(watch, case) for watch in watches]
    case.place(lots)
    warnings: tuple[Reject, ...] = ()
    crossings: list[_Crossing] = []
    for watch, was, now in zip(watches, before, after, strict=True):
        level = _level(watch, now)
        if now is None or level is Level.NORMAL:
            continue
        if level is not Level.BREACHED:  # The check of a soft limit warns of itself.
            warnings += (warning_of(_limit(watch), watch.code, now[0]),)
        standing = Level.NORMAL if watch.edge is not None else _level(watch, was)
        if standing < level:  # A price was nowhere before its order.
            crossings.append(_Crossing(watch, standing, level, now[0]))
    if crossings and not case.order.dry_run:
        crossed.append(_alert(case, crossings))
    return warnings


def count_crossed(
    account: str, limit: ResolvedLimit, before: float, now: float, *, breaches: bool = False
) -> Facts:
    """Return the alert of what a fill or a cancel carried over a threshold, if it did.

    Unless `breaches`, that it is past the limit itself is said by an alert of its own.
    """
    was, level = level_of(limit, before, limit.value), level_of(limit, now, limit.value)
    if not limit.is_table or level <= was or (level is Level.BREACHED and not breaches):
        return []
    return [crossed_alert(limit, level, now, account=account, symbol="")]


def level_of(limit: ResolvedLimit, value: float, most: float) -> Level:
    """Return how far a limit of so much is used by a value."""
    if value > most:
        return Level.BREACHED
    used = used_pct(value, most)
    if used >= limit.critical:
        return Level.CRITICAL
    return Level.WARNING if used >= limit.warning else Level.NORMAL


def crossed_alert(
    limit: ResolvedLimit, level: Level, value: float, *, account: str, symbol: str, others: str = ""
) -> Raised:
    """Return the alert of a limit whose use came to a level, naming what was crossed with it."""
    text = f"{_used(limit, value)}: {level.name.lower()}{others}"
    of_all = limit.scope in (Scope.FIRM, Scope.GROUP)
    cause = f"limit:{level.name}:{account}:{limit.scope}:{limit.scope_id}:{limit.key}:{symbol}"
    if limit.key in GUARDED and limit.scope is Scope.ACCOUNT:
        cause = f"{limit.key}:{account}"
    share = {Level.WARNING: limit.warning, Level.CRITICAL: limit.critical}.get(level, 100.0)
    return Raised(
        SEVERITY[level],
        f"limit_{level.name.lower()}",
        cause,
        text,
        None if of_all else account,
        symbol or None,
        value,
        limit.value * share / 100,
    )


def _limit(watch: CheckRow) -> ResolvedLimit:
    assert watch.limit is not None  # It is watched for it.
    return watch.limit


def _numbers(watch: CheckRow, case: Case) -> Numbers:
    assert watch.numbers is not None  # Nor is it watched without.
    return watch.numbers(case)


def _level(watch: CheckRow, numbers: Numbers) -> Level:
    return Level.NORMAL if numbers is None else level_of(_limit(watch), *numbers)


def warning_of(limit: ResolvedLimit, code: RejectCode, value: float) -> Reject:
    """Return the warning of a limit that is at a threshold."""
    level = level_of(limit, value, limit.value)
    return Reject(
        code=code,
        fix_code=CODES[code].fix_code,
        scope=limit.scope,
        scope_id=limit.scope_id,
        limit_type=limit.key,
        value=value,
        limit=limit.value,
        text=f"{_used(limit, value)}: {level.name.lower()}",
    )


def _alert(case: Case, crossings: list[_Crossing]) -> Raised:
    """Return the one alert of an order: at the highest level, naming everything it crossed."""
    first = max(crossings, key=lambda crossing: crossing.level)
    limit, level = _limit(first.watch), first.level
    others = [
        f"{_limit(crossing.watch).key} {passed.name.lower()}"
        for crossing in crossings
        for passed in Level
        if crossing.before < passed <= crossing.level and (crossing, passed) != (first, level)
    ]
    told = f"; with it {', '.join(others)}" if others else ""
    owner, symbol = case.plan.owner, case.plan.instrument.symbol
    return crossed_alert(
        limit, level, first.value, account=owner.account, symbol=symbol, others=told
    )


def _used(limit: ResolvedLimit, value: float) -> str:
    used = used_pct(value, limit.value)
    return (
        f"{limit.key} {shown(value)} of {shown(limit.value)} for {limit.scope} {limit.scope_id}, "
        f"{used:.4g} %"
    )
