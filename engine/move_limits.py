"""Limits on how far a price may move within a window: whose they are, and how long the windows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from engine.limits import Owner, scopes_of
from riskd.messages import LimitSet, LimitsSpec, PriceMove, Scope


class MoveLimit(NamedTuple):
    """A limit on how far a price may move, and where it was set."""

    move: PriceMove
    scope: Scope
    scope_id: str


def resolve_moves(limits: LimitSet, owner: Owner) -> tuple[MoveLimit, ...]:
    """Return every limit on moves of the price once: none need be tighter than another."""
    found: dict[PriceMove, MoveLimit] = {}
    for scope, scope_id, table in scopes_of(limits, owner):
        if table.price_move is not None:
            found.setdefault(table.price_move, MoveLimit(table.price_move, scope, scope_id))
    return tuple(found.values())


def move_windows_ms(limits: LimitSet) -> tuple[int, dict[str, int]]:
    """Return the longest window in which moves are limited: of all symbols, and by symbol."""

    def longest(tables: Iterable[LimitsSpec]) -> int:
        moves = (table.price_move for table in tables)
        return max((move.window_ms for move in moves if move is not None), default=0)

    wide = [limits.default, limits.firm]
    for tables in (limits.group, limits.account, limits.strategy, limits.trader):
        wide += tables.values()
    narrow = [limits.symbol, *limits.account_symbol.values()]
    symbols = dict.fromkeys(symbol for tables in narrow for symbol in tables)
    return longest(wide), {
        symbol: longest(tables[symbol] for tables in narrow if symbol in tables)
        for symbol in symbols
    }


def moves_of_all(limits: LimitSet, symbol: str) -> tuple[PriceMove, ...]:
    """Return the limits on moves of a symbol that hold for everybody in it."""
    tables = (limits.firm, limits.default, limits.symbol.get(symbol))
    found = (None if table is None else table.price_move for table in tables)
    return tuple(dict.fromkeys(move for move in found if move is not None))
