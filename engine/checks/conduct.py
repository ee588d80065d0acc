"""Checks of conduct: rates of messages, orders sent again and again, rates of exchange."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from engine.bounds import Bounds
from engine.case import Case, Plan
from engine.findings import exceeded, reject_case
from engine.limit_tables import RATIO_FLOOR
from engine.limits import ResolvedLimit
from engine.money import MONEY_SCALE
from engine.orders import Order
from engine.overruns import Overrun
from riskd.codes import CODES, RejectCode
from riskd.messages import AccountSpec, Reject, SelfMatch, Side


def has_self_match_rule(spec: AccountSpec, plan: Plan) -> bool:
    """Return whether the account may not trade with itself."""
    return plan.self_match is not None


def check_self_match(case: Case) -> Reject | None:
    """The order crosses none of the account's own working orders on the other side.

    Unacknowledged, suspect and pending-cancel orders count, at every price that a change in flight
    may give them: the venue may have them. O(working orders), where any is on the other side.
    """
    position = case.plan.position
    if not (position.open_sell_lots if case.buying else position.open_buy_lots):
        return None
    for resting in crossed_orders(case):
        order_id = resting.check.client_order_id
        text = f"could trade with working order {order_id} of the same account"
        if case.plan.self_match is not SelfMatch.REJECT:
            text += ", which is cancelled first; send it again under another id when it is gone"
        found = reject_case(case, RejectCode.SELF_MATCH, text)
        return replace(found, limit_type="self_match")
    return None


def self_match_bound(plan: Plan, bounds: Bounds) -> None:
    """Let the other side of the order's symbol be empty of the account's own orders."""
    bounds.meets_own = False


def crossed_orders(case: Case) -> Iterator[Order]:
    """Yield the account's working orders that the order could trade with, oldest first.

    A resting order with changes in flight rests at every price that the venue may have taken.
    """
    symbol = case.plan.instrument.symbol
    for resting in case.working.values():
        told = resting.check
        if told.symbol != symbol or (told.side is Side.BUY) is case.buying:
            continue
        if _crosses(case, told.price) or any(
            _crosses(case, amend.check.price) for amend in resting.amends
        ):
            yield resting


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
    return bool(plan.rates) or plan.session_rate is not None


def check_rate_limit(case: Case) -> Reject | None:
    """At most `orders_per_second` orders in any second; charged before the verdict.

    Formula: orders of the scope in the last second <= orders_per_second
    """
    return _overrun(case.rate_refusal)


def check_rate_warning(case: Case) -> Reject | None:
    """The same for limits that only warn."""
    return _overrun(case.rate_warning)


def _overrun(found: Overrun | None) -> Reject | None:
    return None if found is None else over_rate(found)


def over_rate(found: Overrun) -> Reject:
    """Return the refusal of what a rate has no room for."""
    limit = found.limit
    return Reject(
        code=RejectCode.RATE_LIMIT,
        fix_code=CODES[RejectCode.RATE_LIMIT].fix_code,
        scope=limit.scope,
        scope_id=limit.scope_id,
        limit_type=limit.key,
        value=limit.value + 1,
        limit=limit.value,
        text=f"{limit.key} {limit.value:g} reached, "
        f"retry after {found.retry_after_ns / 1e6:.3f} ms",
        retry_after_ns=found.retry_after_ns,
    )


def check_repeated_execution(case: Case) -> Reject | None:
    """A strategy executes at most `repeated_executions` times before a person has looked.

    Formula: orders of the strategy that were filled since the last rearm + 1 <=
    repeated_executions
    """
    value, _ = repeated_execution_numbers(case)
    limit = case.plan.limits["repeated_executions"]
    if value <= limit.value:
        return None
    return exceeded(RejectCode.REPEATED_EXECUTION, limit, value, "executions without a person")


def repeated_execution_numbers(case: Case) -> tuple[float, float]:
    """Return which execution since a person looked it would be, and how many there may be."""
    count = case.conduct.executions.get(case.plan.owner.strategy, 0)
    return count + 1.0, case.plan.limits["repeated_executions"].value


def has_fill_rate(spec: AccountSpec, plan: Plan) -> bool:
    """Return whether any scope of the order limits how fast it may be filled."""
    return bool(plan.fill_rates)


def check_fill_velocity(case: Case) -> Reject | None:
    """While more than `fills_per_second` fills are in the last second only what reduces passes.

    Formula: fills of the scope in the last second <= fills_per_second
    """
    return _overrun(case.fill_overrun)


def check_order_to_trade(case: Case) -> Reject | None:
    """Past `ratio_floor` messages a day, each fill answers for at most `order_to_trade` of them.

    Formula: (orders + changes + cancels of the day) <= order_to_trade * max(1, fills of the day)
    """
    limit, conduct = case.plan.limits["order_to_trade"], case.conduct
    messages, fills = _messages(case), max(1, conduct.fills)
    if messages <= _ratio_floor(case) or messages * MONEY_SCALE <= limit.money * fills:
        return None
    return exceeded(RejectCode.RATE_LIMIT, limit, messages / fills, "messages for each fill")


def order_to_trade_numbers(case: Case) -> tuple[float, float] | None:
    """Return the messages of the day for each of its fills, and their limit, past the floor."""
    messages, limit = _messages(case), case.plan.limits["order_to_trade"].value
    if messages <= _ratio_floor(case):
        return None
    return messages / max(1, case.conduct.fills), limit


def check_cancel_ratio(case: Case) -> Reject | None:
    """Past `ratio_floor` messages a day, cancels are at most `cancel_ratio_pct` of the rest.

    Formula: cancels of the day <= cancel_ratio_pct / 100 * (orders + changes of the day)
    """
    limit, cancels = case.plan.limits["cancel_ratio_pct"], case.conduct.cancels
    orders = _messages(case) - cancels
    within = cancels * 100 * MONEY_SCALE <= limit.money * orders
    if within or orders + cancels <= _ratio_floor(case):
        return None
    return exceeded(RejectCode.RATE_LIMIT, limit, cancel_ratio_numbers(case)[0], "%")


def cancel_ratio_numbers(case: Case) -> tuple[float, float]:
    """Return the cancels of the day in percent of its orders and changes, and their limit."""
    cancels = case.conduct.cancels
    limit = case.plan.limits["cancel_ratio_pct"].value
    return cancels * 100 / max(1, _messages(case) - cancels), limit


def count_numbers(case: Case, limit: ResolvedLimit, window: str) -> tuple[float, float] | None:
    """Return the orders in a window, this one counted, and how many there may be."""
    count = case.counts.get(window)
    if count is None:
        return None
    return float(count - (case.lots == 0)), limit.value  # Of no lots: what stands before it.


def _messages(case: Case) -> int:
    """Return the messages of the day, this order counted, unless it is of no lots."""
    charged = 1 if case.order.dry_run else 0  # A dry run is not charged.
    return case.conduct.messages + charged - (case.lots == 0)


def _ratio_floor(case: Case) -> float:
    floor = case.plan.limits.get("ratio_floor")
    return RATIO_FLOOR if floor is None else floor.value


def check_fx_missing(case: Case) -> Reject | None:
    """Every exchange rate that the order and the account's figures need is known."""
    if case.account_rate is None:
        text = f"no exchange rate from {case.plan.instrument.settlement} to account currency"
        return reject_case(case, RejectCode.FX_MISSING, text)
    missing = case.missing or case.currency_missing
    if missing is not None and missing.code is RejectCode.FX_MISSING:
        return reject_case(case, RejectCode.FX_MISSING, missing.what)
    return None
