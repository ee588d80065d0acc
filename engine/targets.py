"""Targets: what a response leaves of positions."""

from __future__ import annotations

from msgspec import Struct


class Target(Struct):
    """What may be left of one position, or of one leg of it."""

    symbol: str
    leg: str | None
    lots: int  # Signed as the position.
