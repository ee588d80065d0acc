"""Which limits apply and decide, how often is too often, and what is stopped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from riskd.messages import (
    DuplicateOrders,
    InstrumentSpec,
    LimitSet,
    LimitsSpec,
    LimitValue,
)
from tests.engine.model.market import exact

FIRM = "firm"
SECOND_NS = 1_000_000_000
OF_EACH_ORDER = {  # Set on a group they bind every order of its accounts; the others its totals.
    "order_quantity",
    "order_notional",
    "basket_notional",
    "price_collar_pct",
    "risk_per_trade_pct",
}
OF_TOTALS = (
    "position_quantity",
    "position_notional",
    "gross_exposure",
    "net_exposure",
    "open_orders",
    "turnover",
)


class Owner(NamedTuple):
    """Whose order it is."""

    account: str
    groups: tuple[str, ...]  # The account's own first, without the firm.
    symbol: str
    strategy: str
    trader: str


class Bound(NamedTuple):
    """One limit of one scope."""

    key: str
    value: Fraction
    hard: bool
    scope: str
    scope_id: str


def bound_of(key: str, table: LimitsSpec, scope: str, scope_id: str) -> Bound | None:
    limit = getattr(table, key)
    if limit is None:
        return None
    if isinstance(limit, LimitValue):
        return Bound(key, exact(limit.value), limit.hard, scope, scope_id)
    return Bound(key, exact(limit), True, scope, scope_id)


def tables(limits: LimitSet, owner: Owner) -> Iterator[tuple[str, str, LimitsSpec]]:
    """Every table that applies, the widest scope first."""
    yield FIRM, FIRM, limits.firm
    for group in reversed(owner.groups):
        yield "group", group, limits.group.get(group, LimitsSpec())
    yield "account", owner.account, limits.default
    for scope, name, found in (
        ("account", owner.account, limits.account),
        ("trader", owner.trader, limits.trader),
        ("strategy", owner.strategy, limits.strategy),
        ("symbol", owner.symbol, limits.symbol),
    ):
        yield scope, name, found.get(name, LimitsSpec())
    narrow = limits.account_symbol.get(owner.account, {}).get(owner.symbol, LimitsSpec())
    yield "account_symbol", f"{owner.account}:{owner.symbol}", narrow


def bounds(limits: LimitSet, owner: Owner, key: str) -> list[Bound]:
    """The tightest limit, and beside one that only warns the tightest that refuses.

    Of equal ones a hard one is named, then that of the widest scope.
    """
    found = []
    for scope, name, table in tables(limits, owner):
        bound = bound_of(key, table, scope, name)
        of_total = scope in (FIRM, "group") and key not in OF_EACH_ORDER
        if bound is not None and not of_total:
            found.append(bound)
    if not found:
        return []
    tightest = min(found, key=lambda bound: (bound.value, not bound.hard))
    hard = [bound for bound in found if bound.hard]
    if tightest.hard or not hard:
        return [tightest]
    return [tightest, min(hard, key=lambda bound: bound.value)]


def bounds_of_group(limits: LimitSet, group: str) -> list[Bound]:
    table = limits.firm if group == FIRM else limits.group.get(group, LimitsSpec())
    scope = FIRM if group == FIRM else "group"
    found = (bound_of(key, table, scope, group) for key in OF_TOTALS)
    return [bound for bound in found if bound is not None]


def duplicate_rules(limits: LimitSet, owner: Owner) -> list[DuplicateOrders]:
    """Of each length of window the tightest."""
    found = [table.duplicate_orders for _, _, table in tables(limits, owner)]
    rules = sorted((rule for rule in found if rule is not None), key=lambda rule: -rule.count)
    return list({rule.window_ms: rule for rule in rules}.values())


def may_not_match_itself(limits: LimitSet, owner: Owner) -> bool:
    return any(table.self_match is not None for _, _, table in tables(limits, owner))


def rate_bounds(limits: LimitSet, owner: Owner) -> list[Bound]:
    """One for each scope, the tightest that refuses if any does; whose is in its name."""
    found: dict[str, list[Bound]] = {}
    for scope, name, table in tables(limits, owner):
        bound = bound_of("orders_per_second", table, scope, name)
        if bound is not None:
            found.setdefault(f"{scope} {name}", []).append(bound)
    return [min(several, key=lambda x: (not x.hard, x.value)) for several in found.values()]


@dataclass
class Throttle:
    """The instants of everything that was charged."""

    charges: dict[tuple[object, ...], list[int]] = field(default_factory=lambda: defaultdict(list))

    def charge(self, key: tuple[object, ...], count: int, window_ns: int, now_ns: int) -> int:
        """Charge if there is room, else return the span until there is."""
        after_ns = self.wait(key, count, window_ns, now_ns)
        if not after_ns:
            self.charges[key].append(now_ns)
        return after_ns

    def wait(self, key: tuple[object, ...], count: int, window_ns: int, now_ns: int) -> int:
        """Return the span until there is room, 0 if there is."""
        recent = [at_ns for at_ns in self.charges[key] if at_ns > now_ns - window_ns]
        if len(recent) < count:
            return 0
        return recent[-count] + window_ns - now_ns if count else window_ns


@dataclass
class Stop:
    """One kill or one open breaker."""

    scope: str
    scope_id: str
    is_kill: bool
    action: str = "halt"
    until_ns: int | None = None
    spacing_ms: int = 0


def scopes_stopped(owner: Owner, instrument: InstrumentSpec) -> set[tuple[str, str]]:
    """Everything whose stop stops an order."""
    currencies = {instrument.currency, instrument.settlement, instrument.base} - {None}
    return (
        {(FIRM, FIRM), ("account", owner.account), ("symbol", owner.symbol)}
        | {("group", group) for group in owner.groups}
        | {("currency", str(currency)) for currency in currencies}
        | ({("strategy", owner.strategy)} if owner.strategy else set())
    )
