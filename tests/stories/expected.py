"""What stories must come to, from the recorded prices and the roles alone: no rule of riskd's.

Positions are opened a half spread dearer than the recorded price, as the venue sells them.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from pathlib import Path

from tests.stories.cast import INSTRUMENTS, Role
from tests.stories.crashes import steps_of

Prices = dict[str, Decimal]
Quantities = dict[str, Decimal]


def prices(data: Path, crash: str, when: str = "") -> Prices:
    """Return the prices of a step of a crash, by default the opening."""
    steps = {step.when: step for step in steps_of(data, crash)}
    step = steps[when or next(iter(steps))]
    return {mark.symbol: mark.price for mark in step.marks}


def profits(role: Role, opening: Prices, now: Prices) -> Prices:
    """Return what each position has earned; the roles hold long positions alone."""
    return {
        symbol: quantity * (now[symbol] - opening[symbol] - INSTRUMENTS[symbol][-1])
        for symbol, quantity in role.holds.items()
    }


def equity(role: Role, opening: Prices, now: Prices) -> Decimal:
    """Return what an account is worth that did nothing since the opening."""
    return sum(profits(role, opening, now).values(), Decimal(role.balance))


def loss(role: Role, opening: Prices, now: Prices) -> Decimal:
    """Return what an account has lost since the opening."""
    return role.balance - equity(role, opening, now)


def sizes(role: Role, now: Prices) -> Prices:
    """Return the exposure of each position, in the currency it is quoted in."""
    return {symbol: quantity * now[symbol] for symbol, quantity in role.holds.items()}


def reduced(role: Role, opening: Prices, now: Prices, part: Decimal) -> Quantities:
    """Return what is sold until `part` of the exposure is gone, the largest loss first."""
    earned, size = profits(role, opening, now), sizes(role, now)
    wanted, sold = part * sum(size.values()), {}
    for symbol in sorted(earned, key=lambda symbol: earned[symbol]):
        if wanted <= 0:
            break
        shares = (wanted / now[symbol]).to_integral_value(ROUND_CEILING)
        sold[symbol] = -min(shares, Decimal(role.holds[symbol]))
        wanted -= size[symbol]
    return sold


def shared(role: Role, opening: Prices, now: Prices, part: Decimal) -> Quantities:
    """Return what is sold until the one symbol that is too large is `part` of the gross exposure.

    With x of it and `others` of all the rest: x = part * (others + x).
    """
    size = sizes(role, now)
    assert sum(size.values()) > equity(role, opening, now)  # Shares are of exposure.
    largest = max(size, key=lambda symbol: size[symbol])
    others = sum(size.values()) - size[largest]
    most = part / (1 - part) * others
    assert all(value <= most for symbol, value in size.items() if symbol != largest)
    shares = ((size[largest] - most) / now[largest]).to_integral_value(ROUND_CEILING)
    return {largest: -shares}


def halved(role: Role, *symbols: str) -> Quantities:
    """Return what is sold when half of each of these positions goes, in whole units."""
    return {
        symbol: -(Decimal(role.holds[symbol]) / 2).to_integral_value(ROUND_CEILING)
        for symbol in symbols
    }


def left(role: Role, sold: Quantities, sign: int = 1) -> Quantities:
    """Return what a role holds after its exits."""
    held = {symbol: quantity + sold.get(symbol, 0) for symbol, quantity in role.holds.items()}
    return {symbol: sign * Decimal(quantity) for symbol, quantity in held.items() if quantity}
