"""Checks of conduct: rates of messages, orders sent again and again, rates of exchange."""

from __future__ import annotations

from msgspec.structs import replace

from engine.case import Case, Overrun, Plan
from engine.findings import reject_case
from riskd.codes import CODES, RejectCode
from riskd.messages import AccountSpec, Reject, Side


def has_self_match_rule(spec: AccountSpec, plan: Plan) -> bool:
    """Return whether the account may not trade with itself."""
    return plan.refuses_self_match


def check_self_match(case: Case) -> Reject | None:
    """The order crosses none of the account's own working orders on the other side.

    Unacknowledged, suspect and pending-cancel orders count: the venue may have them. O(working
    orders), where any is on the other side.
    """
    position, symbol = case.plan.position, case.plan.instrument.symbol
    if not (position.open_sell_lots if case.buying else position.open_buy_lots):
        return None
    for order_id, resting in case.working.items():
        told = resting.check
        if told.symbol != symbol or (told.side is Side.BUY) is case.buying:
            continue
        if _crosses(case, told.price):
            text = f"could trade with working order {order_id} of the same account"
            found = reject_case(case, RejectCode.SELF_MATCH, text)
            return replace(found, limit_type="self_match")
    return None


def _crosses(case: Case, resting_price: float | None) -> bool:
    price = case.order.price
    if price is None or resting_price is None:
        return True  # Without a limit it trades at any price.
    return price >= resting_price if case.buying else price <= resting_price


def has_duplicate_limit(spec: AccountSpec, plan: Plan) -> bool:
    """Return whether repeats of the same content are limited."""
    return bool(plan.duplicates)


def check_duplicate_content(case: Case) -> Reject | None:
    """At most `count` orders of the same content in any window; charged before the verdict.

    Formula: same symbol, side, quantity and prices <= count in window_ms
    """
    duplicates = case.repeated
    if duplicates is None:
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


def has_rate_limit(spec: AccountSpec, plan: Plan) -> bool:
    """Return whether any scope of the order limits the rate."""
    return bool(plan.rates)


def check_rate_limit(case: Case) -> Reject | None:
    """At most `orders_per_second` orders in any second; charged before the verdict.

    Formula: orders of the scope in the last second <= orders_per_second
    """
    return _overrun(case.rate_refusal)


def check_rate_warning(case: Case) -> Reject | None:
    """The same for limits that only warn."""
    return _overrun(case.rate_warning)


def _overrun(found: Overrun | None) -> Reject | None:
    if found is None:
        return None
    limit = found.limit
    return Reject(
        code=RejectCode.RATE_LIMIT,
        fix_code=CODES[RejectCode.RATE_LIMIT].fix_code,
        scope=limit.scope,
        scope_id=limit.scope_id,
        limit_type=limit.key,
        value=limit.value + 1,
        limit=limit.value,
        text=f"orders_per_second {limit.value:g} reached, "
        f"retry after {found.retry_after_ns / 1e6:.3f} ms",
        retry_after_ns=found.retry_after_ns,
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
