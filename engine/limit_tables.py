"""Tables of limits by scope: reading one, changing one key, and whether a change loosens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec.structs import replace

from engine.misfits import MARGIN_LEVELS
from engine.money import is_amount
from riskd.messages import DuplicateOrders, LimitSet, LimitsSpec, LimitValue, PriceMove

WHOLE = ("default", "firm", "session")  # Scopes of one table.
NAMED = ("group", "account", "strategy", "trader", "symbol")  # Scopes of a table a name.
RATIO_FLOOR = 100  # Messages of a day up to which ratios say nothing, if ratio_floor is absent.
FLOORS: dict[str, float] = {  # Below these nothing is judged: what an absent one comes to.
    "concentration_floor": 0.0,
    "ratio_floor": RATIO_FLOOR,
    "auction_collar_factor": 1.0,
}


class TableScope(NamedTuple):
    """Which table of limits: `account:A1:AAPL` is the account's in one symbol."""

    kind: str
    name: str = ""
    symbol: str = ""

    def __str__(self) -> str:
        return ":".join(part for part in self if part)


def parse_table_scope(written: str) -> TableScope | None:
    """Return the scope that `written` names, None if it names none."""
    kind, _, rest = written.partition(":")
    if kind in WHOLE:
        return None if rest else TableScope(kind)
    if kind not in NAMED or not rest:
        return None
    if kind != "account":
        return TableScope(kind, rest)
    name, colon, symbol = rest.partition(":")
    return TableScope(kind, name, symbol) if name and (symbol or not colon) else None


def checked_scope(written: str) -> TableScope:
    """Return the scope that `written` names: one that `parse_table_scope` knew when it came."""
    scope = parse_table_scope(written)
    assert scope is not None
    return scope


def scopes_in(limits: LimitSet) -> Iterator[TableScope]:
    """Yield every scope for which there is a table."""
    for kind in WHOLE:
        yield TableScope(kind)
    for kind in NAMED:
        yield from (TableScope(kind, name) for name in getattr(limits, kind))
    for account, symbols in limits.account_symbol.items():
        yield from (TableScope("account", account, symbol) for symbol in symbols)


def table_of(limits: LimitSet, scope: TableScope) -> LimitsSpec:
    """Return the table of a scope; one without any limit where none is set."""
    if scope.symbol:
        return limits.account_symbol.get(scope.name, {}).get(scope.symbol, LimitsSpec())
    table = getattr(limits, scope.kind)
    found: LimitsSpec = table if scope.kind in WHOLE else table.get(scope.name, LimitsSpec())
    return found


def with_table(limits: LimitSet, scope: TableScope, table: LimitsSpec) -> LimitSet:
    """Return limits with another table for a scope."""
    if scope.symbol:
        inner = limits.account_symbol.get(scope.name, {}) | {scope.symbol: table}
        return replace(limits, account_symbol=limits.account_symbol | {scope.name: inner})
    if scope.kind in WHOLE:
        return replace(limits, **{scope.kind: table})
    return replace(limits, **{scope.kind: getattr(limits, scope.kind) | {scope.name: table}})


def is_finite(raw: object) -> bool:
    """Return whether every number in a value is finite and within what money may count."""
    if isinstance(raw, dict):
        return all(is_finite(each) for each in raw.values())
    if isinstance(raw, list | tuple):
        return all(is_finite(each) for each in raw)
    return not isinstance(raw, int | float) or is_amount(raw)


def loosens(key: str, old: Any, new: Any) -> bool:
    """Return whether `new` lets anything pass that `old` refuses, or that could not be told.

    Both are values of a LimitsSpec's field; None is no limit.
    """
    if old == new:
        return False
    if key in FLOORS:
        absent = FLOORS[key]
        return (absent if new is None else new) > (absent if old is None else old)
    if old is None or new is None:
        return new is None
    if key in MARGIN_LEVELS:
        return bool(new < old)
    match old, new:
        case dict(), dict():  # By currency.
            return any(loosens("", value, new.get(name)) for name, value in old.items())
        case DuplicateOrders(), DuplicateOrders():
            wider = new.count > old.count or new.window_ms < old.window_ms
            return bool(wider or _warns_later(old, new))
        case PriceMove(), PriceMove():
            narrower = new.window_ms < old.window_ms or _warns_later(old, new)
            return narrower or _rises(old.pct, new.pct) or _rises(old.ticks, new.ticks)
        case ((int() | float() | LimitValue()), (int() | float() | LimitValue())):
            before, after = _thresholds(old), _thresholds(new)
            return any(late > early for early, late in zip(before, after, strict=True))
    return True


def _rises(old: float | None, new: float | None) -> bool:
    return old is not None and (new is None or new > old)


def _warns_later(old: DuplicateOrders | PriceMove, new: DuplicateOrders | PriceMove) -> bool:
    return _rises(old.warning, new.warning) or _rises(old.critical, new.critical)


def _thresholds(limit: float | LimitValue) -> tuple[float, ...]:
    """Return what must not rise: the value, whether it only warns, and where it says so first."""
    told = limit if isinstance(limit, LimitValue) else LimitValue(value=limit)
    warned = (told.value * told.warning, told.value * told.critical)
    return (told.value, float(not told.hard), *warned)
