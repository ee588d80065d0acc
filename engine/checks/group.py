"""The check of groups: what a desk, a client or the firm would come to with the order."""

from __future__ import annotations

from engine.boards import GroupPlan
from engine.case import Case, Plan
from engine.facts import Missing
from engine.findings import shown, used_pct
from engine.limits import GROUP_MEASURES, ResolvedLimit
from engine.money import MONEY_SCALE
from engine.rates import ONE, Rate
from riskd.codes import CODES, RejectCode
from riskd.messages import AccountSpec, Reject

Numbers = tuple[float, float] | None


def has_group_limit(spec: AccountSpec, plan: Plan) -> bool:
    """Return whether any group above the account, or the firm, has a limit on its total."""
    return bool(plan.groups)


def check_group_limit(case: Case) -> Reject | None:
    """Every group above the account, from its own up to the firm, stays within its totals.

    What its accounts lost today together, and the drawdown of what they are worth together, are
    below their limits, but for an order that reduces.

    Formula: sum over the accounts of the group, at worst, + what the order adds <= limit of the
    group
    """
    return _first_past(case, hard=True)


def check_group_warning(case: Case) -> Reject | None:
    """The same for limits that only warn."""
    return _first_past(case, hard=False)


def group_numbers(case: Case) -> Numbers:
    """Return a group's total with the order and its limit: of the one that refused it.

    Where none did, of the hard limit that is used most.
    """
    if case.group_past is not None:
        return total_numbers(case, *case.group_past)
    found = [
        numbers
        for group in case.plan.groups
        for limit in group.limits.values()
        for numbers in (total_numbers(case, group, limit) if limit.hard else None,)
        if numbers is not None
    ]
    return max(found, key=lambda numbers: used_pct(*numbers), default=None)


def total_numbers(case: Case, group: GroupPlan, limit: ResolvedLimit) -> Numbers:
    """Return what the order makes of one total of a group, and its limit; None if not known."""
    rate = group.rate()
    if rate is None or case.lots is None or case.reference_milliticks is None:
        return None
    value = _worst(case, group, limit.key, rate)
    return None if isinstance(value, Missing) else (value / MONEY_SCALE, limit.value)


def _first_past(case: Case, *, hard: bool) -> Reject | None:
    if hard:
        case.group_past = None
    if case.lots is None or case.reference_milliticks is None:
        return None  # Refused by the checks of its price or lots.
    for group in case.plan.groups:
        limits = [
            (key, limit)
            for key, limit in group.limits.items()
            if limit.hard is hard and (key == "turnover" or not case.reducing)
        ]
        rate = group.rate() if limits else ONE
        if rate is None:
            return _missing(group, f"no exchange rate from {case.plan.instrument.settlement}")
        for key, limit in limits:
            value = _worst(case, group, key, rate)
            if isinstance(value, Missing):
                return _missing(group, value.what)
            if value > limit.money or (value == limit.money and key in GROUP_MEASURES):
                if hard:
                    case.group_past = group, limit
                return _refused(group, limit, value)
    return None


def _worst(case: Case, group: GroupPlan, key: str, rate: Rate) -> int | Missing:
    """Return what the order would make of one total, as money (or a count x 10^12)."""
    instrument, lots, reference = case.plan.instrument, case.added_lots, case.reference_milliticks
    assert reference is not None  # `_first_past` saw to it.
    total = group.total
    match key:
        case "open_orders":
            placed = 0 if case.own_lots or not case.lots else 1  # Of no lots: what stands.
            return (total.open_orders + placed) * MONEY_SCALE
        case "position_quantity":
            side = _side_lots(case, group) * instrument.lot_numerator * MONEY_SCALE
            return -(-side // instrument.lot_denominator)
        case "position_notional":
            size = instrument.notional_money(max(0, _side_lots(case, group)), reference)
            return _converted(size, rate)
        case "daily_loss" | "drawdown_day_pct" | "drawdown_week_pct" | "drawdown_max_pct":
            return group.measure(key)
        case "turnover":
            before = group.turnover_money()
            value = case.value_milliticks
            if isinstance(before, Missing) or value is None:
                return before if isinstance(before, Missing) else 0
            leaves = instrument.notional_money(lots + case.own_lots, value)
            return before + _converted(leaves - case.own_money, rate)
        case _:
            return _exposure(case, group, key, rate)


def _exposure(case: Case, group: GroupPlan, key: str, rate: Rate) -> int | Missing:
    worth = group.worth()
    if isinstance(worth, Missing):
        return worth
    reference = case.reference_milliticks or 0
    if key == "gross_exposure":
        size = case.plan.instrument.notional_money(max(0, case.grown_lots), reference)
        return worth.gross + _converted(size, rate)
    size = _converted(case.plan.instrument.notional_money(case.added_lots, reference), rate)
    return size + (worth.upper if case.buying else -worth.lower)


def _side_lots(case: Case, group: GroupPlan) -> int:
    held = group.total.symbols.get(case.plan.instrument.symbol)
    lots = case.added_lots
    if held is None:
        return lots
    return lots + (held.upper_lots if case.buying else -held.lower_lots)


def _converted(money: int, rate: Rate) -> int:
    return -(-money * rate.numerator // rate.denominator)


def _refused(group: GroupPlan, limit: ResolvedLimit, money: int) -> Reject:
    value, past = money / MONEY_SCALE, ">=" if limit.key in GROUP_MEASURES else ">"
    return Reject(
        code=RejectCode.GROUP_LIMIT,
        fix_code=CODES[RejectCode.GROUP_LIMIT].fix_code,
        scope=limit.scope,
        scope_id=limit.scope_id,
        limit_type=limit.key,
        value=value,
        limit=limit.value,
        text=f"{limit.scope} {group.name}: {limit.key} {shown(value)} {past} {shown(limit.value)}",
    )


def _missing(group: GroupPlan, what: str) -> Reject:
    return Reject(
        code=RejectCode.GROUP_LIMIT,
        fix_code=CODES[RejectCode.GROUP_LIMIT].fix_code,
        scope="firm" if group.name == "firm" else "group",
        scope_id=group.name,
        text=f"{group.name} cannot be judged: {what}",
    )
