"""Limits: which of all that apply decides. The tightest does; a child may tighten, never loosen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from engine.money import money_from_number
from riskd.messages import (
    DuplicateOrders,
    LimitSet,
    LimitsSpec,
    LimitValue,
    Scope,
    SelfMatch,
)

FIRM = "firm"
ORDER_RATE = "orders_per_second"
CANCEL_RATE = "cancels_per_second"
FILL_RATE = "fills_per_second"
# Of a group or the firm these are on what all its accounts are worth together.
GROUP_MEASURES = ("daily_loss", "drawdown_day_pct", "drawdown_week_pct", "drawdown_max_pct")
ENFORCED = (
    *GROUP_MEASURES,
    "order_quantity",
    "order_notional",
    "basket_notional",
    "position_notional",
    "position_quantity",
    "margin_warning_pct",
    "margin_critical_pct",
    "margin_stopout_pct",
    "gross_exposure",
    "net_exposure",
    "currency_exposure",
    "concentration_pct",
    "concentration_floor",
    "correlated_exposure_pct",
    "correlated_exposure",
    "turnover",
    "leverage",
    "risk_per_trade_pct",
    "risk_per_trade_drawdown",
    "open_orders",
    "price_collar_pct",
    "price_collar_ticks",
    "price_collar_money",
    "auction_collar_factor",
    "price_move",
    "orders_per_second",
    "cancels_per_second",
    "order_to_trade",
    "cancel_ratio_pct",
    "ratio_floor",
    "fills_per_second",
    "repeated_executions",
    "duplicate_orders",
    "self_match",
)

GROUP_ENFORCED = (  # On the totals of a group or the firm.
    *GROUP_MEASURES,
    "position_quantity",
    "position_notional",
    "gross_exposure",
    "net_exposure",
    "open_orders",
    "turnover",
)
ORDER_KEYS = (  # On each order alone, so a group's table binds every order of its accounts.
    "order_quantity",
    "order_notional",
    "basket_notional",
    "price_collar_pct",
    "price_collar_ticks",
    "price_collar_money",
    "auction_collar_factor",
    "risk_per_trade_pct",
    "risk_per_trade_drawdown",
)

ANY_SCOPE_KEYS = (
    *(ORDER_RATE, CANCEL_RATE, FILL_RATE, "duplicate_orders", "self_match", "price_move"),
    "currency_exposure",  # Of [firm] and [group]: of each of their accounts alone.
)


class ResolvedLimit(NamedTuple):
    """The limit of one type that decides for an account and symbol."""

    key: str  # The configuration key.
    value: float
    money: int  # `value` as money, so that a comparison exactly at the limit is exact.
    scope: Scope
    scope_id: str
    hard: bool
    warning: float = 80.0  # Percent of the value.
    critical: float = 90.0
    is_table: bool = False  # Given as a table: every order looks at its thresholds.


CurrencyLimits = tuple[tuple[str, ResolvedLimit], ...]  # By currency.


class RateLimit(NamedTuple):
    """A limit on a rate, and the sliding window that it is charged to."""

    window: str
    limit: ResolvedLimit
    is_shared: bool  # By all accounts: the window of a trader, strategy, symbol, group, the firm.


class RiskStep(NamedTuple):
    """What one trade may risk from some drawdown on."""

    drawdown_pct: float
    limit: ResolvedLimit


class Owner(NamedTuple):
    """Who an order belongs to: everything a limit may be set for."""

    account: str
    groups: tuple[str, ...]  # From the account's own group upwards, without the firm.
    symbol: str
    strategy: str
    trader: str


def scopes_of(limits: LimitSet, owner: Owner) -> Iterator[tuple[Scope, str, LimitsSpec]]:
    """Yield every limit table that applies to `owner`, from the firm down."""
    yield Scope.FIRM, FIRM, limits.firm
    for group in reversed(owner.groups):
        if group in limits.group:
            yield Scope.GROUP, group, limits.group[group]
    yield Scope.ACCOUNT, owner.account, limits.default
    if owner.account in limits.account:
        yield Scope.ACCOUNT, owner.account, limits.account[owner.account]
    if owner.trader in limits.trader:
        yield Scope.TRADER, owner.trader, limits.trader[owner.trader]
    if owner.strategy in limits.strategy:
        yield Scope.STRATEGY, owner.strategy, limits.strategy[owner.strategy]
    if owner.symbol in limits.symbol:
        yield Scope.SYMBOL, owner.symbol, limits.symbol[owner.symbol]
    narrow = limits.account_symbol.get(owner.account, {}).get(owner.symbol)
    if narrow is not None:
        yield Scope.ACCOUNT_SYMBOL, f"{owner.account}:{owner.symbol}", narrow


def resolve(
    limits: LimitSet, owner: Owner, key: str, *, hard_only: bool = False
) -> ResolvedLimit | None:
    """Return the tightest limit of type `key` for `owner`, or None if none is set anywhere.

    Of groups and the firm only limits on each order alone; the others bind their totals.
    Of equal values the widest scope is named, and a hard limit before a soft one. A soft limit may
    be tighter than a hard one, which binds all the same: `hard_only` finds that.
    """
    found: ResolvedLimit | None = None
    for scope, scope_id, table in scopes_of(limits, owner):
        if scope in (Scope.FIRM, Scope.GROUP) and key not in ORDER_KEYS:
            continue  # On the group's total, see `group_limits`.
        limit = limit_of(table, key, scope, scope_id)
        if limit is None or (hard_only and not limit.hard):
            continue
        if found is None or (limit.value, not limit.hard) < (found.value, not found.hard):
            found = limit
    return found


def limit_of(table: LimitsSpec, key: str, scope: Scope, scope_id: str) -> ResolvedLimit | None:
    """Return the limit of type `key` that one table sets, None if it sets none."""
    limit: float | LimitValue | None = getattr(table, key)
    return None if limit is None else resolved(limit, key, scope, scope_id)


def resolved(limit: float | LimitValue, key: str, scope: Scope, scope_id: str) -> ResolvedLimit:
    """Return a limit as it is written, with whose it is."""
    value, hard = _value_of(limit)
    found = ResolvedLimit(key, float(value), money_from_number(value), scope, scope_id, hard)
    if not isinstance(limit, LimitValue):
        return found  # To look at its thresholds with every order would cost every verdict.
    return found._replace(warning=limit.warning, critical=limit.critical, is_table=True)


def group_limits(limits: LimitSet, group: str) -> dict[str, ResolvedLimit]:
    """Return the limits on the totals of a group, or of the firm, by key; empty if it has none."""
    table = limits.firm if group == FIRM else limits.group.get(group, LimitsSpec())
    found: dict[str, ResolvedLimit] = {}
    scope = Scope.FIRM if group == FIRM else Scope.GROUP
    for key in GROUP_ENFORCED:
        limit = limit_of(table, key, scope, group)
        if limit is not None:
            found[key] = limit
    return found


def resolve_currency(
    limits: LimitSet, owner: Owner, currency: str, *, hard_only: bool = False
) -> ResolvedLimit | None:
    """Return the tightest limit on what may be held of a currency, None if none is set."""
    found: ResolvedLimit | None = None
    for scope, scope_id, table in scopes_of(limits, owner):
        told = (table.currency_exposure or {}).get(currency)
        if told is None:
            continue
        limit = resolved(told, "currency_exposure", scope, scope_id)
        if hard_only and not limit.hard:
            continue
        if found is None or (limit.value, not limit.hard) < (found.value, not found.hard):
            found = limit
    return found


def self_match_rule(limits: LimitSet, owner: Owner) -> SelfMatch | None:
    """Return what is done where an account would trade with itself; None: it may.

    The narrowest scope that says anything decides what becomes of the resting order.
    """
    found = None
    for _, _, table in scopes_of(limits, owner):
        found = table.self_match or found
    return found


def resolve_rates(limits: LimitSet, owner: Owner, key: str) -> tuple[RateLimit, ...]:
    """Return the limits of type `key` on rates, from the firm down, with the window of each.

    Every scope has a window of its own, so that what is sent in one symbol is not held against
    another. Where a scope has several, it is charged once: for the tightest hard one, if any.
    """
    found: dict[str, list[RateLimit]] = {}
    for scope, scope_id, table in scopes_of(limits, owner):
        limit = limit_of(table, key, scope, scope_id)
        if limit is None:
            continue
        own = scope in (Scope.ACCOUNT, Scope.ACCOUNT_SYMBOL)
        name = key if scope is Scope.ACCOUNT else f"{key} {scope} {scope_id}"
        found.setdefault(name, []).append(RateLimit(name, limit, is_shared=not own))
    return tuple(
        min(several, key=lambda one: (not one.limit.hard, one.limit.value))
        for several in found.values()
    )


def session_rate(limits: LimitSet) -> ResolvedLimit | None:
    """Return the limit on the rate of each gateway's session, None if there is none."""
    return limit_of(limits.session, ORDER_RATE, Scope.SESSION, "")


def resolve_duplicates(limits: LimitSet, owner: Owner) -> tuple[DuplicateOrders, ...]:
    """Return the limits on repeats of the same content: of each length of window the tightest."""
    found = (table.duplicate_orders for _, _, table in scopes_of(limits, owner))
    told = sorted((each for each in found if each is not None), key=lambda each: -each.count)
    return tuple({each.window_ms: each for each in told}.values())


def resolve_risk_steps(limits: LimitSet, owner: Owner) -> tuple[RiskStep, ...]:
    """Return every step by which the risk of a trade shrinks in drawdown, the tightest first."""
    key = "risk_per_trade_drawdown"
    found = [
        RiskStep(
            step.drawdown_pct,
            ResolvedLimit(
                key, step.risk_pct, money_from_number(step.risk_pct), scope, scope_id, hard=True
            ),
        )
        for scope, scope_id, table in scopes_of(limits, owner)
        for step in table.risk_per_trade_drawdown or ()
    ]
    return tuple(sorted(found, key=lambda step: step.limit.value))


def unenforced(limits: LimitSet) -> list[str]:
    """Return the limits that are set but not checked yet, as `scope.id key`, for a warning."""
    return [
        f"[{name}] {key}"
        for name, table in _tables(limits)
        for key in LimitsSpec.__struct_fields__
        if getattr(table, key) is not None and not is_enforced(name, key)
    ]


def limits_fills(limits: LimitSet) -> bool:
    """Return whether any limit of any scope counts fills, so that each has to be looked at."""
    return any(
        table.fills_per_second is not None or table.repeated_executions is not None
        for _, table in _tables(limits)
    )


def _tables(limits: LimitSet) -> Iterator[tuple[str, LimitsSpec]]:
    """Yield every table there is with its name in the configuration."""
    yield "default", limits.default
    yield "firm", limits.firm
    yield "session", limits.session
    for name in ("group", "account", "strategy", "trader", "symbol"):
        for key, spec in getattr(limits, name).items():
            yield f"{name}.{key}", spec
    for account, symbols in limits.account_symbol.items():
        for key, spec in symbols.items():
            yield f"account.{account}.symbol.{key}", spec


def is_enforced(name: str, key: str) -> bool:
    """Return whether a limit of the table of this name binds anything."""
    if name == "session":
        return key == ORDER_RATE
    if name == "firm" or name.startswith("group."):
        return key in GROUP_ENFORCED or key in ORDER_KEYS or key in ANY_SCOPE_KEYS
    return key in ENFORCED


def _value_of(limit: float | LimitValue) -> tuple[float, bool]:
    """Return a limit's value and whether it is hard."""
    return (limit.value, limit.hard) if isinstance(limit, LimitValue) else (float(limit), True)
