"""Rejects and their texts: what was found, in numbers that people and FIX engines can use."""

from __future__ import annotations

from math import inf, isfinite

from engine.case import Case
from engine.limits import ResolvedLimit
from riskd.codes import CODES, RejectCode
from riskd.messages import Reject, Scope


def reject(code: RejectCode, text: str, scope: str = Scope.ACCOUNT, scope_id: str = "") -> Reject:
    """Return a reject without numbers."""
    return Reject(
        code=code, fix_code=CODES[code].fix_code, scope=scope, scope_id=scope_id, text=text
    )


def reject_case(case: Case, code: RejectCode, text: str) -> Reject:
    """Return a reject of the case's account, without numbers."""
    return reject(code, text, Scope.ACCOUNT, case.plan.owner.account)


def exceeded(code: RejectCode, limit: ResolvedLimit, value: float, unit: str) -> Reject:
    """Return a reject because `value` is past `limit`."""
    return Reject(
        code=code,
        fix_code=CODES[code].fix_code,
        scope=limit.scope,
        scope_id=limit.scope_id,
        limit_type=limit.key,
        value=tellable(value),
        limit=limit.value,
        text=f"{limit.key} {shown(value)} > {shown(limit.value)} {unit}".rstrip(),
    )


def tellable(value: float) -> float | None:
    """Return a number as a verdict tells it: infinity has none, and none would survive JSON."""
    return value if isfinite(value) else None


def used_pct(value: float, limit: float) -> float:
    """Return how much of a limit is used, in percent; of a limit of zero all or nothing."""
    if limit:
        return value * 100 / limit
    return inf if value > 0 else 0.0


def shown(number: float) -> str:
    """Return a number for people: thousands separators, no digits that say nothing."""
    if not isfinite(number):
        return f"{number}"
    if number == int(number) and abs(number) < 1e15:
        return f"{int(number):,}"
    return f"{number:,.10g}" if abs(number) < 1e10 else f"{number:,.2f}"


def shown_age(age_ns: int) -> str:
    """Return an age for people."""
    return f"{age_ns / 1e9:.3f} s old"
