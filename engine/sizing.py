"""Sizes and prices that follow from a risk: how much to take, what to bet, where it ends."""

from __future__ import annotations

from collections.abc import Callable


def largest_lots(fits: Callable[[int], bool], most_lots: int) -> int:
    """Return the most lots, up to `most_lots`, that fit; `fits` is monotone. O(log most)."""
    below, above = 0, most_lots + 1
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


def expectancy(win_rate: float, average_gain: float, average_loss: float) -> float:
    """Return what a trade earns on average; `average_loss` is negative."""
    return win_rate * average_gain + (1 - win_rate) * average_loss


def liquidation_price(
    quantity: float,
    entry: float,
    wallet: float,
    *,
    maintenance_rate: float,
    maintenance_amount: float = 0.0,
) -> float | None:
    """Return the price at which a linear position's own equity is its maintenance margin.

    `quantity` is signed. The wallet is what backs this position alone; the maintenance margin is
    |quantity| x price x rate - amount, the amount being what a bracket takes off. None if there is
    no positive one: the wallet outlasts any price.
    """
    slope = abs(quantity) * maintenance_rate - quantity
    if slope == 0:
        return None
    price = (wallet + maintenance_amount - quantity * entry) / slope
    return price if price > 0 else None
