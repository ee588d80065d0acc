"""What actors tell each other: inputs with their stamps, and facts on their way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from pykka import ActorRef

from engine.core import BY_LOCAL
from engine.core import Input as Message
from engine.desk import Answer
from engine.facts import (
    AlertFact,
    BreakerFact,
    Certified,
    Instructed,
    Moved,
    ResponseFact,
    Stamp,
)
from riskd.messages import OrdersPush, Published

__all__ = [
    "BY_LOCAL",
    "BreakerFactAt",
    "FactAt",
    "Input",
    "Message",
    "MovedAt",
    "Publish",
    "RaisedAt",
    "Ref",
    "Reply",
    "Say",
    "SessionFactAt",
    "WakeAccounts",
]

Ref = ActorRef[Any]
Reply = Callable[[Answer], None]
Publish = Callable[[str, Published], None]
Say = Callable[[int, OrdersPush], None]  # To a gateway, by its session.


class Input(Struct, frozen=True):
    """One input past the door, or what it becomes for one account.

    `reply` takes its one answer; a replay and riskd's own inputs have none.
    """

    message: Any  # A `Message`, or an `AccountMessage` where it goes to an account.
    stamp: Stamp
    reply: Reply | None = None
    by: str = BY_LOCAL


class RaisedAt(Struct, frozen=True):
    """A cause for an alert, or its end, with the stamp of the input that made it."""

    fact: AlertFact
    stamp: Stamp


class SessionFactAt(Struct, frozen=True):
    """What an account asks of a gateway, with the stamp of the input that made it."""

    fact: Instructed | Certified
    stamp: Stamp


class BreakerFactAt(Struct, frozen=True):
    """What a measure did to a breaker, with the stamp of the input that made it."""

    fact: BreakerFact
    stamp: Stamp


class FactAt(Struct, frozen=True):
    """What a response answers to, with the stamp of the input that made it."""

    fact: ResponseFact
    stamp: Stamp


class MovedAt(Struct, frozen=True):
    """A change of a ledger with the stamp of the input that made it."""

    moved: Moved
    stamp: Stamp


class WakeAccounts(Struct, frozen=True):
    """Time passed: wake whoever is due."""

    stamp: Stamp
