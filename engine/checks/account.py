"""Checks of the whole account: the day's loss, leverage, rates of messages and of exchange."""

from __future__ import annotations

from math import inf

from engine.case import Case, Measures, Missing
from engine.findings import exceeded, reject_case
from engine.money import MONEY_SCALE
from riskd.codes import CODES, RejectCode
from riskd.messages import Reject


def check_daily_loss(case: Case) -> Reject | None:
    """The day's P&L is above minus `daily_loss`; at the limit no order may increase risk."""
    measures = case.measure()
    if isinstance(measures, Missing):
        return None  # Refused by the check of what is missing.
    limit = case.plan.limits["daily_loss"]
    if -measures.day_pnl_money < limit.money:
        return None
    loss = -measures.day_pnl_money / MONEY_SCALE
    found = exceeded(RejectCode.DAILY_LOSS, limit, loss, "lost today")
    return Reject(
        code=found.code,
        fix_code=found.fix_code,
        scope=found.scope,
        scope_id=found.scope_id,
        limit_type=found.limit_type,
        value=loss,
        limit=limit.value,
        text=found.text.replace(" > ", " >= ", 1),
    )


def daily_loss_numbers(case: Case) -> tuple[float, float] | None:
    """Return today's loss (a gain is negative) and its limit."""
    measures = case.measure()
    if isinstance(measures, Missing):
        return None
    return -measures.day_pnl_money / MONEY_SCALE, case.plan.limits["daily_loss"].value


def check_leverage(case: Case) -> Reject | None:
    """Worst-case gross exposure is at most `leverage` times equity; no equity is infinite."""
    measures = case.measure()
    if isinstance(measures, Missing):
        return None  # Refused by the check of what is missing.
    worst = _worst_gross_money(case, measures)
    if worst is None:
        return None  # Refused by the checks of its price, its lots or its rate.
    limit = case.plan.limits["leverage"]
    if measures.equity_money > 0 and worst * MONEY_SCALE <= limit.money * measures.equity_money:
        return None
    return exceeded(RejectCode.LEVERAGE, limit, _ratio(worst, measures.equity_money), "at worst")


def leverage_numbers(case: Case) -> tuple[float, float] | None:
    """Return the worst-case leverage and its limit."""
    measures = case.measure()
    worst = None if isinstance(measures, Missing) else _worst_gross_money(case, measures)
    if worst is None or isinstance(measures, Missing):
        return None
    return _ratio(worst, measures.equity_money), case.plan.limits["leverage"].value


def leverage_fits(case: Case) -> int | None:
    """Return the most lots that pass `check_leverage`."""
    measures = case.measure()
    rate, reference = case.account_rate, case.reference
    if isinstance(measures, Missing) or rate is None or reference is None:
        return None
    instrument, position = case.plan.instrument, case.plan.position
    gross_max = case.plan.limits["leverage"].money * max(0, measures.equity_money) // MONEY_SCALE
    others = measures.gross_worst_money - measures.gross_worst_by_symbol.get(instrument.symbol, 0)
    one = instrument.notional_money(1, reference.milliticks)
    if one == 0 or gross_max < others:
        return 0 if one else None
    side_max = (gross_max - others) * rate.denominator // (one * rate.numerator)
    longest, shortest = position.worst_long_lots(), -position.worst_short_lots()
    this_side, other_side = (longest, shortest) if case.buying else (shortest, longest)
    return 0 if other_side > side_max else side_max - this_side


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
    missing = case.measure() if case.plan.needs_measures else None
    if isinstance(missing, Missing) and missing.code is RejectCode.FX_MISSING:
        return reject_case(case, RejectCode.FX_MISSING, missing.what)
    return None


def _worst_gross_money(case: Case, measures: Measures) -> int | None:
    """Return the account's gross exposure, in its currency, if this order made its worst of it."""
    rate, reference, lots = case.account_rate, case.reference, case.lots
    if rate is None or reference is None or lots is None:
        return None
    position, instrument = case.plan.position, case.plan.instrument
    longest = position.worst_long_lots() + (lots if case.buying else 0)
    shortest = position.worst_short_lots() - (0 if case.buying else lots)
    notional = instrument.notional_money(max(abs(longest), abs(shortest)), reference.milliticks)
    symbol_money = -(-notional * rate.numerator // rate.denominator)  # Rounded up: never under.
    held = measures.gross_worst_by_symbol.get(instrument.symbol, 0)
    return measures.gross_worst_money - held + symbol_money


def _ratio(worst_money: int, equity_money: int) -> float:
    return worst_money / equity_money if equity_money > 0 else inf
