"""Plans: what is the same for every order of one account, symbol, strategy and trader."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from engine.boards import Boards, GroupPlan
from engine.bounds import Bounds
from engine.breakers import ScopeKey
from engine.case import Case, CheckRow, Plan
from engine.checks import CHECKS
from engine.facts import MS_NS
from engine.instruments import Instrument, currencies_of
from engine.kinds import Content, Kind, Rate
from engine.ledger import Position
from engine.limits import (
    CANCEL_RATE,
    FILL_RATE,
    FIRM,
    ORDER_RATE,
    CurrencyLimits,
    Owner,
    ResolvedLimit,
    resolve,
    resolve_currency,
    resolve_duplicates,
    resolve_rates,
    resolve_risk_steps,
    self_match_rule,
    session_rate,
)
from engine.money import MONEY_SCALE
from engine.move_limits import resolve_moves
from engine.permissions import bans_of, permits_of
from engine.throttle import content_window
from engine.watches import count_watches, watches_of, wider_watches
from riskd.codes import RejectCode
from riskd.messages import AccountSpec, LimitSet, Scope

ORDERS_MAX = 100_000  # Working per account where `open_orders` limits nobody; the next is refused.
Found = TypeVar("Found")

SHARED = (
    "checks",
    "limit_checks",
    "credits",
    "duplicates",
    "risk_steps",
    "moves",
    "rates",
    "session_rate",
    "fill_rates",
    "cancel_rates",
    "bans",
    "permits",
)
BESIDE = ("concentration_floor", "ratio_floor", "auction_collar_factor")  # Read by other checks.


def build_plan(
    boards: Boards, spec: AccountSpec, position: Position, strategy: str, trader: str
) -> Plan:
    """Return the prepared checks of orders of this kind; the position's symbol is known."""
    symbol = position.symbol
    instrument = boards.instruments[symbol]
    groups = boards.ancestry(spec.group)
    owner = Owner(spec.id, groups, symbol, strategy, trader)
    terms = boards.margin_terms(spec, instrument)
    plan = Plan(owner, instrument, position, boards, terms)
    plan.currency_limits = _currency_limits(boards, owner, spec, instrument)
    plan.groups = tuple(
        GroupPlan(boards, group, instrument.settlement)
        for group in (*groups, FIRM)
        if group in boards.group_limits
    )
    plan.self_match = self_match_rule(boards.limits, owner)
    plan.bans = bans_of(boards.permissions, owner)
    plan.permits = permits_of(boards.permissions, owner)
    plan.duplicates = resolve_duplicates(boards.limits, owner)
    plan.risk_steps = resolve_risk_steps(boards.limits, owner)
    plan.moves = resolve_moves(boards.limits, owner)
    plan.rates = resolve_rates(boards.limits, owner, ORDER_RATE)
    plan.session_rate = session_rate(boards.limits)
    plan.fill_rates = resolve_rates(boards.limits, owner, FILL_RATE)
    plan.cancel_rates = resolve_rates(boards.limits, owner, CANCEL_RATE)
    for key in BESIDE:
        limit = resolve(boards.limits, owner, key)
        if limit is not None:
            plan.limits[key] = limit
    rows = plan.checks = _rows_of(plan, spec, boards.limits)
    plan.limit_checks = tuple(row.check for row in rows if row.ordinary)
    plan.needs_valuation = any(row.valued for row in rows)
    plan.needs_peaks = any(row.code is RejectCode.DRAWDOWN for row in rows)
    plan.is_account_currency = instrument.settlement == spec.currency
    plan.credits = tuple(row.credit for row in rows if row.credit is not None)
    kind = _kind_of(plan)
    plan.kind = None if kind is None else boards.kinds.shared(kind, boards.version)
    plan.breaker_keys = _breaker_keys(owner, instrument)
    if plan.kind is not None:
        if plan.kind.first is None:
            plan.kind.first = plan
        share(plan, plan.kind.first)
    return plan


def share(plan: Plan, other: Plan) -> None:
    """Let a plan have whatever of it equals what another has, once in the memory for both.

    Plans of one account differ in few limits, those of one kind in the account that they name.
    """
    for name in SHARED:
        if getattr(plan, name) == getattr(other, name):
            setattr(plan, name, getattr(other, name))
    for key, limit in plan.limits.items():
        found = other.limits.get(key)
        if found == limit:
            plan.limits[key] = found
    known = dict(zip(other.breaker_keys, other.breaker_keys, strict=True))
    plan.breaker_keys = tuple([known.get(key, key) for key in plan.breaker_keys])


def _breaker_keys(owner: Owner, instrument: Instrument) -> tuple[ScopeKey, ...]:
    """Return every scope whose breakers stop an owner's orders, the widest first."""
    return (
        (Scope.FIRM.value, FIRM),
        *((Scope.GROUP.value, group) for group in reversed(owner.groups)),
        (Scope.ACCOUNT.value, owner.account),
        *(((Scope.STRATEGY.value, owner.strategy),) if owner.strategy else ()),
        (Scope.SYMBOL.value, owner.symbol),
        *((Scope.CURRENCY.value, currency) for currency in currencies_of(instrument)),
    )


def _currency_limits(
    boards: Boards, owner: Owner, spec: AccountSpec, instrument: Instrument
) -> CurrencyLimits:
    """Return the limits on the currencies of a pair: those that refuse, and tighter ones."""
    found = []
    for currency in (instrument.base, instrument.settlement) if instrument.is_pair else ():
        if currency is None or currency == spec.currency:
            continue
        tightest = resolve_currency(boards.limits, owner, currency)
        hard = resolve_currency(boards.limits, owner, currency, hard_only=True)
        limits = dict.fromkeys(limit for limit in (tightest, hard) if limit is not None)
        found += [(currency, limit) for limit in limits]
    return tuple(found)


def _rows_of(plan: Plan, spec: AccountSpec, limits: LimitSet) -> tuple[CheckRow, ...]:
    """Return the rows that apply to a plan; note in it the limits that decide, and thresholds.

    Where the tightest limit only warns and a hard one is wider, both are checked: a soft limit
    never loosens a hard one.
    """
    rows: list[CheckRow] = []
    watches: list[CheckRow] = []
    for row in CHECKS:
        limit = None if row.key is None else resolve(limits, plan.owner, row.key)
        hard = limit
        if limit is not None and not limit.hard:
            hard = resolve(limits, plan.owner, limit.key, hard_only=True)
        if row.key == "open_orders" and hard is None:
            hard = _most_orders(plan.owner)
            limit = limit or hard
        if limit is not None:
            plan.limits[limit.key] = limit
        if row.key is not None and limit is None:
            continue
        if row.applies is not None and not row.applies(spec, plan):
            continue
        rows.append(row)
        watches += watches_of(row, limit)
        if hard is not None and hard is not limit:
            rows.append(_held_to(row, hard))
            watches += watches_of(rows[-1], hard)
        watches += wider_watches(plan, row)
    watches += count_watches(plan)
    plan.watches = tuple(watches)
    return tuple(rows)


def _most_orders(owner: Owner) -> ResolvedLimit:
    """Return what binds an account whose working orders nobody limits."""
    most, money = float(ORDERS_MAX), ORDERS_MAX * MONEY_SCALE  # As a verdict is read back.
    return ResolvedLimit("open_orders", most, money, Scope.ACCOUNT, owner.account, hard=True)


def _kind_of(plan: Plan) -> Kind | None:
    """Return a plan's kind, None if a check has no bound or its figures take more than lots.

    Each bound is that of the tightest limit, so it holds for a wider one behind it too.
    """
    has_all = all(row.bound or row.credit for row in plan.checks if row.ordinary)
    is_plain = plan.is_account_currency and plan.milli_value and not plan.position.hedging
    if not has_all or not is_plain or plan.watches or plan.margin_terms.initial_brackets:
        return None
    bounds, owner, limits = Bounds(), plan.owner, plan.limits
    for row in plan.checks:
        if row.bound is not None:
            row.bound(plan, bounds)
    kind = Kind((owner.symbol, owner.strategy, owner.trader), plan.instrument, plan.quote, bounds)
    kind.initial_margin = plan.margin_terms.initial
    kind.session_rate = plan.session_rate
    kind.rates = tuple(
        Rate(window, int(limit.value), is_shared) for window, limit, is_shared in plan.rates
    )
    kind.contents = tuple(
        Content(content_window(each), each.count, each.window_ms * MS_NS)
        for each in plan.duplicates
    )
    keys = [row.key for row in plan.checks if row.credit is not None and row.key is not None]
    moneys = tuple((key, limits[key].money) for key in (*keys, *BESIDE) if key in limits)
    kind.terms = (owner.strategy, owner.trader, plan.credits, moneys)
    return kind


def _held_to(row: CheckRow, limit: ResolvedLimit) -> CheckRow:
    """Return the row held to a hard limit that is wider than the plan's."""
    return row._replace(
        check=_under(limit, row.check),
        numbers=None if row.numbers is None else _under(limit, row.numbers),
        fits_lots=None if row.fits_lots is None else _under(limit, row.fits_lots),
        edge=None if row.edge is None else _under(limit, row.edge),
        hard_beyond=True,
    )


def _under(limit: ResolvedLimit, function: Callable[[Case], Found]) -> Callable[[Case], Found]:
    """Return a function of a case that finds `limit` in the plan instead of the tightest."""

    def found(case: Case) -> Found:
        limits = case.plan.limits
        tightest = limits[limit.key]
        limits[limit.key] = limit
        try:
            return function(case)
        finally:
            limits[limit.key] = tightest

    return found
