"""What actors tell each other: inputs with their stamps, and facts on their way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from pykka import ActorRef

from engine.core import BY_LOCAL
from engine.core import Input as Message
from engine.desk import Answer
from engine.facts import Stamp
from riskd.messages import OrdersPush, Published

__all__ = [
    "BY_LOCAL",
    "FactAt",
    "Input",
    "Message",
    "Publish",
    "Ref",
    "Reply",
    "Say",
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


class FactAt(Struct, frozen=True):
    """A fact on its way to the actor that takes it, with the stamp of the input that made it."""

    fact: Any  # A `Fact` that the actor takes; `Mail.post` knows which.
    stamp: Stamp


class WakeAccounts(Struct, frozen=True):
    """Time passed: wake whoever is due."""

    stamp: Stamp
