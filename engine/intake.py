"""What comes in and what goes out: every input that changes state, and what is published."""

from __future__ import annotations

from typing import NamedTuple

from engine.desk import AddressedMessage
from engine.operator import BreakerCommand
from engine.response_desk import ResponseCommand
from engine.sessions import SessionMessage
from riskd.messages import (
    AccountAdd,
    AlertAck,
    Basket,
    Checkpoint,
    Configure,
    DayBegan,
    Elapse,
    InstrumentAdd,
    Override,
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
    | Configure
    | Elapse
    | DayBegan
    | InstrumentAdd
    | AccountAdd
    | Override
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
