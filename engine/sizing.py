"""Sizes that follow from a risk: how much to take, what share to bet."""

from __future__ import annotations

from collections.abc import Callable


def largest_fitting(fits: Callable[[int], bool], most: int) -> int:
    """Return the largest number from 0 to `most` that fits; 0 does, and `fits` is monotone."""
    below, above = 0, most + 1
    while above - below > 1:
        middle = (below + above) // 2
        if fits(middle):
            below = middle
        else:
            above = middle
    return below


def kelly(win_rate: float, payoff: float) -> float | None:
    """Return the share of capital that grows fastest: win rate - loss rate / payoff.

    `payoff` is the average gain over the average loss. Negative means: do not bet.
    """
    return win_rate - (1 - win_rate) / payoff if payoff > 0 else None
