"""Concentration: how much of a book hangs on few names, and on names that move together.

Exposures are money of one currency, by symbol, signed. Figures that a level depends on are compared
as integers, so that a book exactly at a threshold is at it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

MODERATE_HUNDREDTHS = 15  # An HHI below 0.15 is low.
HIGH_HUNDREDTHS = 25  # From 0.25 on it is high.


class Level(StrEnum):
    """How concentrated a book is, by its Herfindahl-Hirschman index."""

    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"


class Concentration(Struct, frozen=True):
    """How a book is spread. None where there is nothing to divide by, such as an empty book."""

    weights: dict[str, float]  # |exposure| / max(gross, equity), the largest first.
    largest_symbol: str | None
    largest_weight: float | None
    hhi: float | None  # Sum of the squared shares of gross exposure.
    level: Level | None
    effective_number: float | None  # 1 / hhi: so many equal positions would be as concentrated.
    diversification: float | None  # 100 x (1 - hhi): 0 for one name, 50 for two equal ones.


def concentration(exposures: Mapping[str, int], equity_money: int) -> Concentration:
    """Return the concentration of exposures; a symbol without exposure does not count.

    Weights are shares of max(gross, equity), so that a small position in a rich account is small;
    the index is of shares of gross alone, so that it knows nothing of leverage.
    """
    sizes = {symbol: abs(money) for symbol, money in exposures.items() if money}
    ordered = sorted(sizes, key=lambda symbol: (-sizes[symbol], symbol))
    gross = sum(sizes.values())
    if not gross:
        return Concentration({}, None, None, None, None, None, None)
    base = max(gross, equity_money)
    squares = sum(size * size for size in sizes.values())
    weights = {symbol: sizes[symbol] / base for symbol in ordered}
    return Concentration(
        weights=weights,
        largest_symbol=ordered[0],
        largest_weight=weights[ordered[0]],
        hhi=squares / (gross * gross),
        level=level_of(squares, gross),
        effective_number=gross * gross / squares,
        diversification=100 * (gross * gross - squares) / (gross * gross),
    )


def level_of(squares: int, gross_money: int) -> Level:
    """Return the level of the index `squares` / gross^2, exact at both thresholds."""
    hundredths, whole = 100 * squares, gross_money * gross_money
    if hundredths < MODERATE_HUNDREDTHS * whole:
        return Level.LOW
    return Level.MODERATE if hundredths < HIGH_HUNDREDTHS * whole else Level.HIGH


def as_clusters(exposures: Mapping[str, int], clusters: Sequence[Sequence[str]]) -> dict[str, int]:
    """Return exposures with the symbols of a cluster counted as one name, by their sizes.

    The name of a cluster is its symbols joined by `+`. Sizes add up whatever their sides: what
    moves together today may hedge, and tomorrow it may not.
    """
    found = {symbol: abs(money) for symbol, money in exposures.items() if money}
    for cluster in clusters:
        members = [symbol for symbol in cluster if symbol in found]
        if len(members) > 1:
            found["+".join(members)] = sum(found.pop(symbol) for symbol in members)
    return found
