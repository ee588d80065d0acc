"""Seats: where an account's orders of one kind are judged swiftly."""

from __future__ import annotations

from engine.case import Plan
from engine.held import Held
from engine.kinds import Kind


class Seat:
    """What an account adds to a kind of orders."""

    __slots__ = ("held", "kind", "plan")

    def __init__(self, kind: Kind, plan: Plan, held: Held) -> None:
        self.kind = kind
        self.plan = plan
        self.held = held
