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
from riskd.codes import CODES
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
    watches = [
        watch for watch in case.plan.watches if not (case.reducing and watch.reducing_passes)
    ]
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
            warnings += (_warning(watch, level, now),)
        standing = Level.NORMAL if watch.edge is not None else _level(watch, was)
        if standing < level:  # A price was nowhere before its order.
            crossings.append(_Crossing(watch, standing, level, now[0]))
    if crossings and not case.order.dry_run:
        crossed.append(_alert(case, crossings))
    return warnings


def _limit(watch: CheckRow) -> ResolvedLimit:
    assert watch.limit is not None  # It is watched for it.
    return watch.limit


def _numbers(watch: CheckRow, case: Case) -> Numbers:
    assert watch.numbers is not None  # Nor is it watched without.
    return watch.numbers(case)


def _level(watch: CheckRow, numbers: Numbers) -> Level:
    limit = _limit(watch)
    if numbers is None:
        return Level.NORMAL
    if numbers[0] > numbers[1]:
        return Level.BREACHED
    used = used_pct(*numbers)
    if used >= limit.critical:
        return Level.CRITICAL
    return Level.WARNING if used >= limit.warning else Level.NORMAL


def _warning(watch: CheckRow, level: Level, numbers: tuple[float, float]) -> Reject:
    limit, code = _limit(watch), watch.code
    return Reject(
        code=code,
        fix_code=CODES[code].fix_code,
        scope=limit.scope,
        scope_id=limit.scope_id,
        limit_type=limit.key,
        value=numbers[0],
        limit=numbers[1],
        text=f"{_used(watch, numbers[0])}: {level.name.lower()}",
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
    text = f"{_used(first.watch, first.value)}: {level.name.lower()}"
    if others:
        text += f"; with it {', '.join(others)}"
    of_all = limit.scope in (Scope.FIRM, Scope.GROUP)
    owner, symbol = case.plan.owner, case.plan.instrument.symbol
    cause = (
        f"limit:{level.name}:{owner.account}:{limit.scope}:{limit.scope_id}:{limit.key}:{symbol}"
    )
    if limit.key in GUARDED and limit.scope is Scope.ACCOUNT:
        cause = f"{limit.key}:{owner.account}"
    return Raised(
        SEVERITY[level],
        f"limit_{level.name.lower()}",
        cause,
        text,
        None if of_all else owner.account,
        symbol,
        first.value,
        _threshold(first),
    )


def _threshold(crossing: _Crossing) -> float:
    limit = _limit(crossing.watch)
    share = {Level.WARNING: limit.warning, Level.CRITICAL: limit.critical}
    return limit.value * share.get(crossing.level, 100.0) / 100


def _used(watch: CheckRow, value: float) -> str:
    limit = _limit(watch)
    used = used_pct(value, limit.value)
    return (
        f"{limit.key} {shown(value)} of {shown(limit.value)} for {limit.scope} {limit.scope_id}, "
        f"{used:.4g} %"
    )
