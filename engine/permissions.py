"""Permissions: what restricted lists forbid, and what must be permitted before it may trade."""

from __future__ import annotations

from typing import NamedTuple

from engine.facts import SUSPENSE
from engine.limits import FIRM, Owner
from riskd.messages import OrderRule, OrderType, PermissionDefault, Permissions, Scope, Side

_NAMED = (  # The narrowest first: what a reject names as its scope.
    ("strategy", Scope.STRATEGY),
    ("trader", Scope.TRADER),
    ("symbol", Scope.SYMBOL),
    ("account", Scope.ACCOUNT),
    ("group", Scope.GROUP),
)


class Ban(NamedTuple):
    """What an owner may not do: on one side, with one type of order, or at all."""

    scope: Scope
    scope_id: str
    text: str
    side: Side | None = None
    order_type: OrderType | None = None


class Permit(NamedTuple):
    """What an owner may do; of no field given: everything."""

    side: Side | None
    order_type: OrderType | None


def bans_of(permissions: Permissions, owner: Owner) -> tuple[Ban, ...]:
    """Return what is forbidden to an owner, in the order of the lists."""
    found: list[Ban] = []
    if owner.account == SUSPENSE:
        text = f"{SUSPENSE} holds the fills of accounts that do not exist, and trades nothing"
        found.append(Ban(Scope.ACCOUNT, SUSPENSE, text))
    for name, scope, known in (
        (owner.trader, Scope.TRADER, permissions.traders),
        (owner.strategy, Scope.STRATEGY, permissions.strategies),
    ):
        if known is not None and name not in known:
            told = f"{scope} {name} is not among those that are known"
            found.append(Ban(scope, name, told if name else f"the order names no {scope}"))
    for rule in permissions.restricted:
        if _is_about(rule, owner):
            scope, scope_id = _scope_of(rule)
            reason = f": {rule.reason}" if rule.reason else ""
            text = f"restricted by {scope} {scope_id}{reason}"
            found.append(Ban(scope, scope_id, text, rule.side, rule.order_type))
    return tuple(found)


def permits_of(permissions: Permissions, owner: Owner) -> tuple[Permit, ...] | None:
    """Return what is permitted to an owner; None: everything that is not forbidden."""
    needed = permissions.default is PermissionDefault.DENY or any(
        rule.account == owner.account or (rule.group is not None and rule.group in owner.groups)
        for rule in permissions.permitted
    )
    if not needed:
        return None
    return tuple(
        Permit(rule.side, rule.order_type)
        for rule in permissions.permitted
        if _is_about(rule, owner)
    )


def _is_about(rule: OrderRule, owner: Owner) -> bool:
    return (
        rule.account in (None, owner.account)
        and (rule.group is None or rule.group in (*owner.groups, FIRM))
        and rule.trader in (None, owner.trader)
        and rule.strategy in (None, owner.strategy)
        and rule.symbol in (None, owner.symbol)
    )


def _scope_of(rule: OrderRule) -> tuple[Scope, str]:
    for name, scope in _NAMED:
        scope_id: str | None = getattr(rule, name)
        if scope_id is not None:
            return scope, scope_id
    return Scope.FIRM, FIRM
