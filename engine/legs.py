"""Legs of baskets at their accounts: judged like any order, and taken back with their basket."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from engine.account import Account
from engine.facts import Facts, Stamp
from engine.orders import OrderState
from engine.pretrade import decide_order, denied, deny
from riskd.messages import Check, Reject, Verdict


class Leg(Struct, frozen=True):
    """Ask an account to judge an order of a basket; what it crosses is said once that stands."""

    check: Check
    refusal: Reject | None = None  # Why no leg is judged: it is refused, and nothing is charged.


class Stands(Struct, frozen=True):
    """Tell an account that the basket stands: what its legs crossed is said."""


class TakeBack(Struct, frozen=True):
    """Ask an account to release an order of a basket that is refused, and to remember it so."""

    check: Check
    reason: Reject


def judge_leg(account: Account, leg: Leg, stamp: Stamp, facts: Facts) -> Verdict:
    """Return a leg's verdict; an approval has reserved its leaves when this returns."""
    if leg.refusal is not None:
        return deny(account, leg.check, stamp, (leg.refusal,), None)
    crossed: Facts = []
    verdict = decide_order(account, leg.check, stamp, facts, crossed)
    account.crossed += tuple(crossed)
    return verdict


def say_crossed(account: Account, facts: Facts) -> None:
    """Say what the legs of a basket crossed that stands."""
    facts += account.crossed
    account.crossed = ()


def take_back(account: Account, message: TakeBack) -> Verdict:
    """Release an order that was approved in this input; return the refusal it has now."""
    account.crossed = ()
    order_id = message.check.client_order_id
    first = account.state.orders[order_id].verdict
    stamp = Stamp(first.seq, first.checked_ns, 0)
    refused = denied(message.check, stamp, (message.reason,), first.limits_version)
    refused = replace(refused, durability=first.durability)
    account.end(order_id, OrderState.DENIED)
    account.state.finished[order_id].verdict = refused
    return refused
