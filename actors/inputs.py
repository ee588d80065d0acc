"""What actors tell each other: inputs with their stamps, and facts on their way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from pykka import ActorRef

from engine.core import Input as Message
from engine.desk import AccountMessage, Answer
from engine.facts import Raised, Stamp
from riskd.messages import Published

__all__ = [
    "AccountInput",
    "Input",
    "Message",
    "Publish",
    "RaisedAt",
    "Ref",
    "Reply",
    "WakeAccounts",
]

Ref = ActorRef[Any]
Reply = Callable[[Answer], None]
Publish = Callable[[str, Published], None]


class Input(Struct, frozen=True):
    """One input past the door. `reply` takes its one answer; a replay gives none."""

    message: Message
    stamp: Stamp
    by: str
    reply: Reply | None


class AccountInput(Struct, frozen=True):
    """An input on its way to one account."""

    message: AccountMessage
    stamp: Stamp
    reply: Reply | None


class RaisedAt(Struct, frozen=True):
    """A cause for an alert with the stamp of the input that made it."""

    raised: Raised
    stamp: Stamp


class WakeAccounts(Struct, frozen=True):
    """Time passed: wake whoever is due."""

    stamp: Stamp
