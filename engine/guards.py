"""Guards: thresholds of an account's measures that prices alone may carry it over.

Each measure has a room to a threshold: how much is left, below zero when it is passed. Rooms are
whole numbers, so exactly at a limit is exact, and the same as the check of an order finds. A room
changes by at most `weight` for every unit that prices move the account's positions; the least room
over its weight is therefore how far prices may move before anything needs to be looked at.

A standing is left as it was entered, at once, but for recovery: then the measure must have come
back by a step (`[guards] recover_pct`) and stay there for a dwell (`dwell_ms`).
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import NamedTuple

from engine.limits import Owner, ResolvedLimit, resolve, scopes_of
from engine.money import MONEY_SCALE, money_from_number
from riskd.messages import LimitSet, RiskSettings, Scope

HUNDRED = 100 * MONEY_SCALE
WARNING, CRITICAL, LIMIT = 1, 2, 3
LEVELS = ("safe", "warning", "critical", "breached")
MARGIN_LEVELS = ("ok", "warning", "critical", "stopout")
MARGIN_KEYS = ("margin_warning_pct", "margin_critical_pct", "margin_stopout_pct")
CLUSTER_KEYS = ("correlated_exposure_pct", "correlated_exposure")
DAY_KEYS, WEEK_KEYS = ("daily_loss", "drawdown_day_pct"), ("drawdown_week_pct",)
MARGIN = "margin"


class Figures(NamedTuple):
    """What guards look at: an account's measures of now, exactly, in account money."""

    equity_money: int
    loss_money: int  # Of the day; a gain is negative.
    peaks_money: tuple[int, int, int]  # The highest equity of the day, the week and ever.
    gross_money: int
    net_money: int
    top_money: int  # The largest position.
    together_money: int  # The most in symbols that move together.
    names: tuple[str, tuple[str, ...]]  # Of the largest position, and of what moves together.
    used_money: int  # Margin of what is held.
    margin_rate: float  # By how much `used_money` can change for one of exposure.


class Step(NamedTuple):
    """One threshold of a guard: entered at one value, left again at a better one."""

    level: int
    enter: int  # In money, or percent and multiples as money counts them.
    leave: int


class Kind(NamedTuple):
    """How a measure is held against a threshold."""

    key: str  # Of the limit.
    alert_type: str
    update_type: str  # Of `risk_update`.
    words: str
    room: Callable[[Figures, int, int], int | None]  # None: there is nothing to measure.
    weight: Callable[[Figures, int], float]
    scale: int  # Room is in so many units of money.
    value: Callable[[Figures], float | None]
    named: Callable[[Figures], str] = lambda figures: ""  # What it is about, for people.


class Guard(NamedTuple):
    """A measure of one account with its thresholds, the mildest first."""

    kind: Kind
    steps: tuple[Step, ...]
    floor_money: int = 0  # Of shares in exposure: what is below it is not judged.


class Reading(NamedTuple):
    """Where a measure stands now."""

    level: int  # The worst threshold that is passed.
    kept: int  # The worst that is not recovered from.
    slack: float  # How far prices may move before either could be another.


NOTHING = Reading(0, 0, inf)


def read(guard: Guard, figures: Figures, before: int | None = None) -> Reading:
    """Return where a measure stands; slack is to what matters where it stood at `before`.

    From there a worse level matters when it is entered, and its own when it is left; None: all do.
    """
    kind, floor = guard.kind, guard.floor_money
    if not before:
        # Every other threshold is farther, its slack larger.
        mildest = guard.steps[0].leave if before is None else guard.steps[0].enter
        room = kind.room(figures, mildest, floor)
        if room is None:
            return NOTHING
        if room >= 0:
            return Reading(0, 0, room / kind.scale / kind.weight(figures, mildest))
    level, kept, found = 0, 0, list[tuple[int, bool, float]]()
    for step in guard.steps:
        for threshold, is_enter in ((step.enter, True), (step.leave, False)):
            room = kind.room(figures, threshold, floor)
            if room is None:
                continue
            slack = abs(room) / kind.scale / kind.weight(figures, threshold)
            found.append((step.level, is_enter, slack))
            if room < 0:
                kept = max(kept, step.level)
                level = max(level, step.level) if is_enter else level
    if before is not None:
        stand = max(before, level)
        found = [one for one in found if (one[0] > stand if one[1] else one[0] == stand)]
    return Reading(level, kept, min((slack for *_, slack in found), default=inf))


def guards_of(limits: LimitSet, owner: Owner, settings: RiskSettings) -> tuple[Guard, ...]:
    """Return every guard that limits ask for, of an account whatever it trades."""
    asked = {kind.key: resolve(limits, owner, kind.key) for kind in KINDS}
    floor = resolve(limits, owner, "concentration_floor")
    found = guards_of_limits(
        {key: limit for key, limit in asked.items() if limit is not None},
        settings,
        floor_money=floor.money if floor is not None else 0,
    )
    steps = _margin_steps(limits, owner, money_from_number(settings.recover_pct))
    return (*found, Guard(MARGIN_KIND, steps)) if steps else found


def guards_of_limits(
    limits: dict[str, ResolvedLimit], settings: RiskSettings, *, floor_money: int = 0
) -> tuple[Guard, ...]:
    """Return a guard for each limit of a measure, by its key."""
    found = []
    recover = money_from_number(settings.recover_pct)
    for kind in KINDS:
        limit = limits.get(kind.key)
        if limit is None:
            continue
        enters = (
            limit.money * money_from_number(limit.warning) // HUNDRED,
            limit.money * money_from_number(limit.critical) // HUNDRED,
            limit.money,
        )
        back = limit.money * recover // HUNDRED
        steps = tuple(Step(n + 1, at, at - back) for n, at in enumerate(enters))
        is_floored = kind.key in ("concentration_pct", "correlated_exposure_pct")
        found.append(Guard(kind, steps, floor_money if is_floored else 0))
    return tuple(found)


def _margin_steps(limits: LimitSet, owner: Owner, recover: int) -> tuple[Step, ...]:
    """Return the margin levels at which something happens; the highest of all scopes decides."""
    steps = []
    for number, key in enumerate(MARGIN_KEYS):
        told = [
            getattr(table, key)
            for scope, _, table in scopes_of(limits, owner)
            if scope not in (Scope.FIRM, Scope.GROUP) and getattr(table, key) is not None
        ]
        if told:
            at = money_from_number(max(told))
            steps.append(Step(number + 1, at, at + recover))
    return tuple(steps)


def _room_of_loss(figures: Figures, threshold: int, _: int) -> int:
    return threshold - figures.loss_money - 1  # At its limit, as the check of an order has it.


def _drawdown_kind(key: str, words: str, span: int) -> Kind:
    def room(figures: Figures, threshold: int, _: int) -> int:
        peak, equity = max(figures.peaks_money[span], figures.equity_money), figures.equity_money
        if peak <= 0:
            return (equity - peak) * HUNDRED  # Of nothing: any fall is all of it.
        return threshold * peak - (peak - equity) * HUNDRED - 1

    def value(figures: Figures) -> float | None:
        peak, equity = max(figures.peaks_money[span], figures.equity_money), figures.equity_money
        return (peak - equity) * 100 / peak if peak > 0 else None

    return Kind(key, "drawdown", "drawdown", words, room, _one, HUNDRED, value)


def _room_of_gross(figures: Figures, threshold: int, _: int) -> int:
    return threshold - figures.gross_money


def _room_of_net(figures: Figures, threshold: int, _: int) -> int:
    return threshold - abs(figures.net_money)


def _room_of_leverage(figures: Figures, threshold: int, _: int) -> int | None:
    if not figures.gross_money:
        return None
    return threshold * figures.equity_money - figures.gross_money * MONEY_SCALE


def _room_of_top(figures: Figures, threshold: int, floor_money: int) -> int:
    return _room_of_share(figures, figures.top_money, threshold, floor_money)


def _room_of_cluster(figures: Figures, threshold: int, floor_money: int) -> int:
    return _room_of_share(figures, figures.together_money, threshold, floor_money)


def _room_of_share(figures: Figures, money: int, threshold: int, floor_money: int) -> int:
    whole = max(figures.gross_money, figures.equity_money)
    return max(threshold * whole, floor_money * HUNDRED) - money * HUNDRED


def _room_of_together(figures: Figures, threshold: int, _: int) -> int:
    return threshold - figures.together_money


def _room_of_margin(figures: Figures, threshold: int, _: int) -> int | None:
    if not figures.used_money:
        return None
    return figures.equity_money * HUNDRED - threshold * figures.used_money - 1


def _leverage(figures: Figures) -> float | None:
    return figures.gross_money / figures.equity_money if figures.equity_money > 0 else None


def _share_pct(figures: Figures, money: int) -> float | None:
    whole = max(figures.gross_money, figures.equity_money)
    return money * 100 / whole if whole > 0 else None


def _top(figures: Figures) -> str:
    return f", {figures.names[0]}"


def _together(figures: Figures) -> str:
    return f", {' + '.join(figures.names[1])}"


def margin_level_pct(figures: Figures) -> float | None:
    """Return equity in percent of used margin; None, not zero, where none is used."""
    return figures.equity_money * 100 / figures.used_money if figures.used_money else None


def _one(figures: Figures, threshold: int) -> float:
    return 1.0


def _of_multiple(figures: Figures, threshold: int) -> float:
    return 1.0 + threshold / MONEY_SCALE


def _of_percent(figures: Figures, threshold: int) -> float:
    return 1.0 + threshold / HUNDRED


def _of_margin(figures: Figures, threshold: int) -> float:
    return 1.0 + threshold / HUNDRED * figures.margin_rate


KINDS = (
    Kind(
        "daily_loss",
        "daily_loss",
        "pnl",
        "lost today",
        _room_of_loss,
        _one,
        1,
        lambda figures: figures.loss_money / MONEY_SCALE,
    ),
    _drawdown_kind("drawdown_day_pct", "% below the day's highest equity", 0),
    _drawdown_kind("drawdown_week_pct", "% below the week's highest equity", 1),
    _drawdown_kind("drawdown_max_pct", "% below the highest equity ever", 2),
    Kind(
        "gross_exposure",
        "exposure",
        "exposure",
        "of gross exposure",
        _room_of_gross,
        _one,
        1,
        lambda figures: figures.gross_money / MONEY_SCALE,
    ),
    Kind(
        "net_exposure",
        "exposure",
        "exposure",
        "of net exposure",
        _room_of_net,
        _one,
        1,
        lambda figures: abs(figures.net_money) / MONEY_SCALE,
    ),
    Kind(
        "concentration_pct",
        "concentration",
        "exposure",
        "% of exposure or equity in one name",
        _room_of_top,
        _of_percent,
        HUNDRED,
        lambda figures: _share_pct(figures, figures.top_money),
        _top,
    ),
    Kind(
        "correlated_exposure_pct",
        "correlation",
        "exposure",
        "% of exposure or equity in names that move together",
        _room_of_cluster,
        _of_percent,
        HUNDRED,
        lambda figures: _share_pct(figures, figures.together_money),
        _together,
    ),
    Kind(
        "correlated_exposure",
        "correlation",
        "exposure",
        "in names that move together",
        _room_of_together,
        _one,
        1,
        lambda figures: figures.together_money / MONEY_SCALE,
        _together,
    ),
    Kind(
        "leverage",
        "leverage",
        "exposure",
        "times the equity",
        _room_of_leverage,
        _of_multiple,
        MONEY_SCALE,
        _leverage,
    ),
)
MARGIN_KIND = Kind(
    MARGIN,
    "margin_state",
    "margin",
    "% margin level",
    _room_of_margin,
    _of_margin,
    HUNDRED,
    margin_level_pct,
)
GUARD_TYPES = {kind.key: kind.update_type for kind in (*KINDS, MARGIN_KIND)}
