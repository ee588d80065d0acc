"""Suspense: the fills of accounts that do not exist are booked, counted and said, never dropped."""

from __future__ import annotations

from hashlib import blake2b
from typing import TypeVar

from msgspec.structs import replace

from engine.facts import SUSPENSE, Raised
from riskd.messages import ID_LENGTH_MAX, Ack, Fill, Severity

SUSPENSE_HASH_BYTES = 30  # In hexadecimal digits within the length of an id.
Reply = TypeVar("Reply")


def suspense_fill(fill: Fill) -> Fill:
    """Return the fill of an account that does not exist as the suspense account books it."""
    return Fill(
        account=SUSPENSE,
        exec_id=_suspense_exec_id(fill),
        symbol=fill.symbol,
        side=fill.side,
        quantity=fill.quantity,
        price=fill.price,
        fee=fill.fee,
        fee_currency=fill.fee_currency,
        venue_ns=fill.venue_ns,
    )


def suspense_alert(fill: Fill) -> Raised:
    """Return what a person must know of a fill whose account does not exist."""
    text = f"fill {fill.exec_id} of unknown account {fill.account} is booked to {SUSPENSE}"
    cause = f"unknown_account:{fill.account}"
    return Raised(Severity.CRITICAL, "unknown_account", cause, text, SUSPENSE, fill.symbol)


def as_unknown_account(reply: Reply, fill: Fill) -> Reply:
    """Return the suspense account's ack as the sender of the fill should see it."""
    if not isinstance(reply, Ack):
        return reply
    return replace(reply, ref=fill.exec_id, flags=("unknown_account", *reply.flags))


def _suspense_exec_id(fill: Fill) -> str:
    """Return an execution id that no other account's fill has, readable where it fits."""
    text = f"{fill.account}:{fill.exec_id}"
    if len(text) <= ID_LENGTH_MAX and ":" not in fill.account:
        return text
    told = f"{len(fill.account)}:{text}".encode()
    return f":{blake2b(told, digest_size=SUSPENSE_HASH_BYTES).hexdigest()}"
