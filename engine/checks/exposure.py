"""Checks of exposure: what the account could come to at worst, in its own currency."""

from __future__ import annotations

from engine.bounds import Bounds, Credit
from engine.case import Case, Plan
from engine.facts import Missing
from engine.findings import exceeded
from engine.limits import ResolvedLimit
from engine.money import MONEY_SCALE
from riskd.codes import RejectCode
from riskd.messages import AccountSpec, Reject

Numbers = tuple[float, float] | None
_WHOLE = 100 * MONEY_SCALE


def check_gross_exposure(case: Case) -> Reject | None:
    """Worst-case gross exposure is at most `gross_exposure`.

    Formula: sum over symbols of max(|longest|, |shortest|) * multiplier * mark * rate <=
    gross_exposure
    """
    limit = case.plan.limits["gross_exposure"]
    if case.symbol_money is None or not case.grows or case.gross_money <= limit.money:
        return None  # What is missing is refused by the check of it.
    value = case.gross_money / MONEY_SCALE
    return exceeded(RejectCode.GROSS_EXPOSURE, limit, value, f"{case.currency} at worst")


def gross_exposure_numbers(case: Case) -> Numbers:
    """Return the worst-case gross exposure and its limit."""
    if case.symbol_money is None:
        return None
    return case.gross_money / MONEY_SCALE, case.plan.limits["gross_exposure"].value


def gross_exposure_fits(case: Case) -> int | None:
    """Return the most lots that pass `check_gross_exposure`."""
    return fitting_lots(case, case.plan.limits["gross_exposure"].money)


def gross_exposure_bound(plan: Plan, bounds: Bounds) -> None:
    """Bound the worst-case gross exposure."""
    bounds.gross_money = min(bounds.gross_money, plan.limits["gross_exposure"].money)


def check_net_exposure(case: Case) -> Reject | None:
    """Worst-case net exposure on the order's side is at most `net_exposure`.

    Formula: sum over symbols of (longest for a buy, -shortest for a sell) * multiplier * mark
    * rate <= net_exposure
    """
    limit = case.plan.limits["net_exposure"]
    if case.symbol_money is None or _net_money(case) <= limit.money:
        return None  # What is missing is refused by the check of it.
    value = _net_money(case) / MONEY_SCALE
    return exceeded(RejectCode.NET_EXPOSURE, limit, value, f"{case.currency} at worst")


def net_exposure_numbers(case: Case) -> Numbers:
    """Return the worst-case net exposure on the order's side and its limit."""
    if case.symbol_money is None:
        return None
    return _net_money(case) / MONEY_SCALE, case.plan.limits["net_exposure"].value


def net_exposure_fits(case: Case) -> int | None:
    """Return about the most lots that pass `check_net_exposure`."""
    one = one_lot_money(case)
    if case.symbol_money is None or one is None:
        return None
    room = case.plan.limits["net_exposure"].money - _net_money(case)
    return (case.lots or 0) + room * one[1] // one[0]


def net_exposure_bound(plan: Plan, bounds: Bounds) -> None:
    """Bound the worst-case net exposure on the order's side."""
    bounds.net_money = min(bounds.net_money, plan.limits["net_exposure"].money)


def has_currency_limit(spec: AccountSpec, plan: Plan) -> bool:
    """Return whether the order would change what is held of a limited currency."""
    return bool(plan.currency_limits)


def check_currency_exposure(case: Case) -> Reject | None:
    """What is held of a currency, both legs of pairs counted, is at worst within its limit.

    Formula: |worst holding of the currency, cash legs included| * rate <=
    currency_exposure[currency]
    """
    return _past_currency(case, hard=True)


def has_currency_warning(spec: AccountSpec, plan: Plan) -> bool:
    """Return whether a limit on it only warns."""
    return any(not limit.hard for _, limit in plan.currency_limits)


def check_currency_warning(case: Case) -> Reject | None:
    """The same, of limits that only warn."""
    return _past_currency(case, hard=False)


def _past_currency(case: Case, *, hard: bool) -> Reject | None:
    for currency, limit in case.plan.currency_limits:
        worst = _currency_money(case, currency) if limit.hard is hard else None
        if worst is not None and worst > limit.money:
            value, unit = worst / MONEY_SCALE, f"{case.currency} in {currency} at worst"
            return exceeded(RejectCode.CURRENCY_EXPOSURE, limit, value, unit)
    return None


def currency_exposure_numbers(case: Case) -> Numbers:
    """Return the worst exposure to the limited currency with the least room, and its limit."""
    found = [
        (limit.money - worst, worst, limit.value)
        for currency, limit in case.plan.currency_limits
        for worst in (_currency_money(case, currency),)
        if worst is not None
    ]
    if not found:
        return None
    _, worst, limit_value = min(found)
    return worst / MONEY_SCALE, limit_value


def currency_numbers(case: Case, currency: str, limit: ResolvedLimit) -> Numbers:
    """Return the worst exposure to one currency, and a limit on it."""
    worst = _currency_money(case, currency)
    return None if worst is None else (worst / MONEY_SCALE, limit.value)


def currency_exposure_fits(case: Case) -> int | None:
    """Return about the most lots that pass `check_currency_exposure`."""
    one = one_lot_money(case)
    found = None
    for currency, limit in case.plan.currency_limits:
        worst = _currency_money(case, currency) if limit.hard else None
        if worst is not None and one is not None:
            lots = (case.lots or 0) + (limit.money - worst) * one[1] // one[0]
            found = lots if found is None else min(found, lots)
    return found


def check_turnover(case: Case) -> Reject | None:
    """What was traded today, what works and this order come to at most `turnover`.

    Formula: (sum of |fills| of the day + working leaves + order) * price * rate <= turnover
    """
    limit, worst = case.plan.limits["turnover"], _turnover_money(case)
    if worst is None or worst <= limit.money:
        return None  # What is missing is refused by the check of it.
    return exceeded(RejectCode.TURNOVER, limit, worst / MONEY_SCALE, f"{case.currency} today")


def turnover_numbers(case: Case) -> Numbers:
    """Return today's turnover with this order, and its limit."""
    worst = _turnover_money(case)
    if worst is None:
        return None
    return worst / MONEY_SCALE, case.plan.limits["turnover"].value


def turnover_fits(case: Case) -> int | None:
    """Return about the most lots that pass `check_turnover`."""
    worst, one = _turnover_money(case), one_lot_money(case)
    if worst is None or one is None:
        return None
    room = case.plan.limits["turnover"].money - worst
    return (case.lots or 0) + room * one[1] // one[0]


def turnover_bound(plan: Plan, bounds: Bounds) -> None:
    """Bound what was traded today, what works and the order."""
    bounds.turnover_money = min(bounds.turnover_money, plan.limits["turnover"].money)


def check_concentration(case: Case) -> Reject | None:
    """An increase leaves the name at most `concentration_pct` of max(gross, equity).

    Formula: worst of the symbol <= concentration_pct / 100 * max(gross, equity), or <=
    concentration_floor
    """
    if case.symbol_money is None or not case.grows or _share_is_within(case):
        return None  # What is missing is refused by the check of it.
    limit = case.plan.limits["concentration_pct"]
    return exceeded(RejectCode.CONCENTRATION, limit, _share_pct(case), "% at worst")


def concentration_numbers(case: Case) -> Numbers:
    """Return the name's worst-case share in percent and its limit."""
    if case.symbol_money is None:
        return None
    return _share_pct(case), case.plan.limits["concentration_pct"].value


def concentration_fits(case: Case) -> int | None:
    """Return the most lots that pass `check_concentration`.

    With share p, others G and equity Q: E <= p max(G + E, Q) is E <= max(p Q, p G / (1 - p)).
    """
    if case.symbol_money is None:
        return None
    part = case.plan.limits["concentration_pct"].money
    if part >= _WHOLE:
        return None
    others = case.gross_money - case.symbol_money
    by_equity = case.equity_money * part // _WHOLE
    by_gross = others * part // (_WHOLE - part)
    return fitting_lots(case, max(by_equity, by_gross, floor_money(case)) + others)


def concentration_credit(case: Case, credit: Credit) -> None:
    """Bound the worst of the symbol by the equity; a share of more gross exposure may pass too."""
    limit = case.plan.limits["concentration_pct"]
    money = max(floor_money(case), limit.money * case.equity_money // _WHOLE)
    credit.symbol_money = min(credit.symbol_money, money)


def fitting_lots(case: Case, gross_max: int) -> int | None:
    """Return about the most lots that keep gross exposure within `gross_max`, None if any do."""
    if case.symbol_money is None:
        return None
    one = one_lot_money(case)
    if one is None:
        return None
    room = gross_max - (case.gross_money - case.symbol_money)
    return case.fitting_lots(room * one[1] // one[0])


def one_lot_money(case: Case) -> tuple[int, int] | None:
    """Return one lot's exposure in account money as a quotient, None if it is nothing."""
    rate, reference = case.account_rate, case.reference_milliticks
    if rate is None or reference is None:
        return None
    one = case.plan.instrument.notional_money(1, reference) * rate.numerator
    return (one, rate.denominator) if one else None


def floor_money(case: Case) -> int:
    """Return the exposure up to which a share of the account does not matter."""
    floor = case.plan.limits.get("concentration_floor")
    return floor.money if floor is not None else 0


def _currency_money(case: Case, currency: str) -> int | None:
    """Return the worst exposure to a currency on the order's side, in account money.

    What is bought or sold counts at the rate of now, as it will while it works; what is paid or
    received for it counts at the order's own price.
    """
    instrument, value = case.plan.instrument, case.value_milliticks
    if case.symbol_money is None or value is None:
        return None
    is_base, lots = currency == instrument.base, case.added_lots
    size = instrument.base_money(lots) if is_base else instrument.notional_money(lots, value)
    found = case.valuation.currency_worst(currency, size, gains=is_base is case.buying)
    if isinstance(found, Missing):
        case.currency_missing = found
        return None
    return found


def _turnover_money(case: Case) -> int | None:
    rate, size, before = case.account_rate, case.notional_money, case.turnover_money
    if rate is None or size is None or before is None:
        return None
    if case.own_lots and case.value_milliticks is not None:  # What is filled was counted already.
        leaves = case.added_lots + case.own_lots
        size = case.plan.instrument.notional_money(leaves, case.value_milliticks)
    return before + -(-size * rate.numerator // rate.denominator)


def _net_money(case: Case) -> int:
    return case.upper_money if case.buying else -case.lower_money


def _share_is_within(case: Case) -> bool:
    symbol = case.symbol_money or 0
    if symbol <= floor_money(case):
        return True
    base = max(case.gross_money, case.equity_money)
    return symbol * 100 * MONEY_SCALE <= case.plan.limits["concentration_pct"].money * base


def _share_pct(case: Case) -> float:
    base = max(case.gross_money, case.equity_money)
    return (case.symbol_money or 0) * 100 / base if base > 0 else 0.0
