"""What comes in and what goes out: every input that changes state, and what is published."""

from __future__ import annotations

from typing import NamedTuple

from engine.desk import AddressedMessage
from engine.operator import BreakerCommand
from engine.response_desk import ResponseCommand
from engine.sessions import SessionMessage
from engine.universe_desk import Declaration
from riskd.messages import (
    AlertAck,
    Basket,
    Checkpoint,
    DayBegan,
    Elapse,
    Published,
    StateDigest,
    Sweep,
    TicksMessage,
)

Input = (
    AddressedMessage
    | Basket
    | SessionMessage
    | TicksMessage
    | BreakerCommand
    | Declaration
    | Elapse
    | DayBegan
    | ResponseCommand
    | Checkpoint
    | StateDigest
    | AlertAck
    | Sweep
)


class Topical(NamedTuple):
    """Something to publish and where."""

    topic: str
    message: Published
