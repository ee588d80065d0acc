"""Whether a published message tells what is expected of it."""

from __future__ import annotations

from math import isclose
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

Expected = dict[str, Any]
CLOSE = 1e-9  # Relative, of what is no whole number of units.


def require_told(told: Struct | dict[str, Any], expected: Expected, scale: float) -> int:
    """Assert that every expected figure is told; return how many there were.

    Exactly where `scale` is zero and the figure is money; else within 1e-9 of itself, or of
    `scale`, the size of what it is the difference of.
    """
    found = told if isinstance(told, dict) else asdict(told)
    if "legs" in found:  # Oldest first.
        found["legs"] = {leg.position_id: leg for leg in found["legs"]}
    for name, value in expected.items():
        assert _same(found[name], value, scale), f"{name}: told {found[name]}, the file: {value}"
    return len(expected)


def _same(told: Any, expected: Any, scale: float) -> bool:
    if isinstance(expected, dict):
        found = told if isinstance(told, dict) else asdict(told)
        if isinstance(told, dict) and any(_is_more(told[key]) for key in told.keys() - expected):
            return False
        return all(key in found for key in expected) and all(
            _same(found[key], value, scale) for key, value in expected.items()
        )
    if not isinstance(expected, float) or told is None:
        return bool(told == expected)
    return told == expected or isclose(told, expected, rel_tol=CLOSE, abs_tol=CLOSE * scale)


def _is_more(figure: Any) -> bool:
    """Return whether a figure that nobody expects is more than what floats leave of nothing."""
    return not isinstance(figure, float) or abs(figure) > CLOSE
