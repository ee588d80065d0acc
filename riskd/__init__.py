"""riskd: an in-memory pre-trade risk engine. This package is its public face.

`RiskClient` asks for verdicts, `AsyncRiskClient` asks for many at once, `AsyncGateway` does so
with a session, `Subscriber` listens and `ControlClient` operates. Names are loaded when first
used: importing `riskd` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PLACES = {
    "AsyncGateway": "riskd.gateway",
    "AsyncRiskClient": "riskd.aio",
    "BadAnswer": "riskd.errors",
    "ControlClient": "riskd.control",
    "ControlError": "riskd.errors",
    "Gap": "riskd.subscriber",
    "NO_ANSWER": "riskd.denial",
    "NoAnswer": "riskd.errors",
    "Refused": "riskd.errors",
    "RejectCode": "riskd.codes",
    "RiskClient": "riskd.client",
    "RiskdError": "riskd.errors",
    "Subscriber": "riskd.subscriber",
    "WrongThread": "riskd.errors",
}
_MESSAGES = (
    "Ack Amend Basket BasketVerdict Certificate Check Fill FillBust FillCorrect Funding Hello "
    "Instruction InstructionReport OrderReport PositionReport Tick Ticks Transfer Verdict Welcome"
)
_PLACES |= dict.fromkeys(_MESSAGES.split(), "riskd.messages")

__all__ = ["__version__", *sorted(_PLACES)]  # noqa: PLE0604  The names are strings.


def __getattr__(name: str) -> Any:
    """Load a public name from the module that has it."""
    if name not in _PLACES:
        raise AttributeError(f"module 'riskd' has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
