"""What is said when a measure of an account or a group crosses a line, and when it recovered."""

from __future__ import annotations

from typing import NamedTuple

from engine.account import Account
from engine.facts import Facts, Raised, Resolved, Stood
from engine.guards import LEVELS, MARGIN, MARGIN_LEVELS, Figures, Guard, Reading, read
from engine.high_water import Standing
from engine.money import MONEY_SCALE
from riskd.messages import BreakerScope, ResponseEvent, Severity

SEVERITIES = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
RESPONSE_EVENTS = {
    "daily_loss": ResponseEvent.DAILY_LOSS,
    "drawdown_day_pct": ResponseEvent.DRAWDOWN,
    "drawdown_week_pct": ResponseEvent.DRAWDOWN,
    "drawdown_max_pct": ResponseEvent.DRAWDOWN,
    "gross_exposure": ResponseEvent.EXPOSURE,
    "net_exposure": ResponseEvent.EXPOSURE,
    "concentration_pct": ResponseEvent.CONCENTRATION,
    "correlated_exposure_pct": ResponseEvent.CORRELATION,
    "correlated_exposure": ResponseEvent.CORRELATION,
    "leverage": ResponseEvent.LEVERAGE,
    MARGIN: ResponseEvent.MARGIN,
}
MARGIN_SEVERITIES = (Severity.LOW, Severity.MEDIUM, Severity.CRITICAL, Severity.EXTREME)


class Subject(NamedTuple):
    """Whose measure it is: an account's, a group's or the firm's."""

    name: str  # In the causes of its alerts.
    text: str
    account: str | None  # Of an account.
    scope: BreakerScope
    scope_id: str


def subject_of(account: Account) -> Subject:
    """Return an account as a subject."""
    return Subject(account.id, f"account {account.id}", account.id, "account", account.id)


def stand(
    standings: dict[str, Standing],
    subject: Subject,
    guard: Guard,
    reading: Reading,
    *,
    figures: Figures,
    until_ns: int,
    facts: Facts,
) -> bool:
    """Enter a worse standing at once; begin to leave one, by `until_ns`, or go on in it.

    Returns whether it begins to leave, so that somebody has to look then.
    """
    key = guard.kind.key
    standing = standings.get(key)
    before = standing.level if standing is not None else 0
    if reading.level > before:
        standings[key] = Standing(reading.level)
        worse = crossed(subject, guard, reading.level, before=before, figures=figures)
        facts += [worse, stood(subject, key, worse)]
        return False
    if standing is None:
        return False
    if reading.kept >= before:
        standing.until_ns = None
        return False
    if standing.until_ns is not None:
        return False
    standing.until_ns = until_ns
    return True


def fall_back(
    standings: dict[str, Standing], subject: Subject, guard: Guard, figures: Figures, facts: Facts
) -> None:
    """Let a measure fall back to where it is, and say so: its alert is milder, or ends."""
    key, level = guard.kind.key, read(guard, figures).kept
    if level:
        standings[key] = Standing(level)
        facts.append(crossed(subject, guard, level, before=level, figures=figures))
    else:
        del standings[key]
        facts += recovered(subject, key)


def stood(subject: Subject, key: str, crossed: Raised) -> Stood:
    """Return what responses are told when a measure got worse."""
    return Stood(
        account=subject.scope_id,
        scope=subject.scope,
        measure=key,
        event=RESPONSE_EVENTS[key],
        severity=crossed.severity,
        reason=crossed.message,
        value=crossed.value,
        threshold=crossed.threshold,
    )


def recovered(subject: Subject, key: str) -> Facts:
    """Return what is said when a measure is safe again."""
    event = RESPONSE_EVENTS[key]
    safe = Stood(subject.scope_id, key, event, None, "recovered", scope=subject.scope)
    return [Resolved(cause_of(subject, key)), safe]


def crossed(subject: Subject, guard: Guard, level: int, *, before: int, figures: Figures) -> Raised:
    """Return the one alert of a crossing: the worst level, and the others that it passed with."""
    kind = guard.kind
    margin = kind.key == MARGIN
    names, severities = (MARGIN_LEVELS, MARGIN_SEVERITIES) if margin else (LEVELS, SEVERITIES)
    threshold = next(step.enter for step in guard.steps if step.level == level) / MONEY_SCALE
    value = kind.value(figures)
    told = "all" if value is None else f"{value:,.10g}"
    text = f"{subject.text} {names[level]}: {told} {kind.words}{kind.named(figures)}"
    text += f", threshold {threshold:,.10g}"
    passed = [names[step.level] for step in guard.steps if before < step.level < level]
    if passed:
        text += f"; passed {' and '.join(passed)} with it"
    return Raised(
        severities[level],
        kind.alert_type,
        cause_of(subject, kind.key),
        text,
        subject.account,
        value=value,
        threshold=threshold,
        lasting=True,
    )


def cause_of(subject: Subject, key: str) -> str:
    """Return what all crossings of one measure are one alert by, until it has recovered."""
    return f"{key}:{subject.name}"
