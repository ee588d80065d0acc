"""Checks of conduct: rates of messages, orders sent again and again, rates of exchange."""

from __future__ import annotations

from engine.case import Case, Plan
from engine.findings import reject_case
from riskd.codes import CODES, RejectCode
from riskd.messages import AccountSpec, Reject


def has_duplicate_limit(spec: AccountSpec, plan: Plan) -> bool:
    """Return whether repeats of the same content are limited."""
    return plan.duplicates is not None


def check_duplicate_content(case: Case) -> Reject | None:
    """At most `count` orders of the same content in any window; charged before the verdict."""
    duplicates = case.plan.duplicates
    if not case.repeat_after_ns or duplicates is None:
        return None
    return Reject(
        code=RejectCode.DUPLICATE_CONTENT,
        fix_code=CODES[RejectCode.DUPLICATE_CONTENT].fix_code,
        scope="account",
        scope_id=case.plan.owner.account,
        limit_type="duplicate_orders",
        value=float(duplicates.count + 1),
        limit=float(duplicates.count),
        text=f"the same order {duplicates.count} times in {duplicates.window_ms} ms",
        retry_after_ns=case.repeat_after_ns,
    )


def check_rate_limit(case: Case) -> Reject | None:
    """At most `orders_per_second` orders in any second; charged before the verdict."""
    if not case.retry_after_ns:
        return None
    limit = case.plan.limits["orders_per_second"]
    return Reject(
        code=RejectCode.RATE_LIMIT,
        fix_code=CODES[RejectCode.RATE_LIMIT].fix_code,
        scope=limit.scope,
        scope_id=limit.scope_id,
        limit_type=limit.key,
        value=limit.value + 1,
        limit=limit.value,
        text=f"orders_per_second {limit.value:g} reached, "
        f"retry after {case.retry_after_ns / 1e6:.3f} ms",
        retry_after_ns=case.retry_after_ns,
    )


def check_fx_missing(case: Case) -> Reject | None:
    """Every exchange rate that the order and the account's figures need is known."""
    if case.account_rate is None:
        text = f"no exchange rate from {case.plan.instrument.settlement} to account currency"
        return reject_case(case, RejectCode.FX_MISSING, text)
    missing = case.missing or case.currency_missing
    if missing is not None and missing.code is RejectCode.FX_MISSING:
        return reject_case(case, RejectCode.FX_MISSING, missing.what)
    return None
