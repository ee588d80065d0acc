"""A deliberately slow ledger in fractions: what the books must be, written from the definitions.

Nothing here is rounded but the value of each execution, so what the engine rounds when it closes
a part of a position may differ by a unit of money each time, and never adds up to more.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from riskd.messages import CostMethod, InstrumentKind, InstrumentSpec

UNIT = Fraction(1, 10**12)


class SlowBooks(NamedTuple):
    """Position in units of the instrument; cost and profit in units of 10^-12 of its currency."""

    quantity: Fraction
    cost: Fraction
    realized: Fraction


def exact(number: float | str) -> Fraction:
    """The decimal that a wire number stands for."""
    return Fraction(Decimal(str(number)))


def value_of(spec: InstrumentSpec, quantity: Fraction, price: Fraction) -> Fraction:
    """What `quantity` (signed) is worth at a price, in units of money, rounded half-even."""
    if spec.kind is InstrumentKind.INVERSE:
        value = -quantity * exact(spec.multiplier) / price
    else:
        value = quantity * price * exact(spec.multiplier)
    return Fraction(round(value / UNIT))


def slow_books(
    spec: InstrumentSpec, fills: list[tuple[Fraction, Fraction]], method: CostMethod
) -> SlowBooks:
    """Return the books after fills of (signed quantity, price). Every open unit is its own lot."""
    lots: list[tuple[Fraction, Fraction]] = []  # (signed quantity, value of it), oldest first.
    realized = Fraction(0)
    for quantity, price in fills:
        value = value_of(spec, quantity, price)
        left, left_value = quantity, value
        while left and lots and lots[0][0] * left < 0:
            if method is CostMethod.AVERAGE:
                held, cost = sum(x for x, _ in lots), sum(x for _, x in lots)
                lots = [(Fraction(held), Fraction(cost))]
            held, cost = lots.pop(0)
            closed = min(abs(left), abs(held))
            part, share = closed / abs(held), closed / abs(left)
            realized -= cost * part + left_value * share
            if closed < abs(held):
                lots.insert(0, (held * (1 - part), cost * (1 - part)))
            left, left_value = left * (1 - share), left_value * (1 - share)
        if left:
            lots.append((left, left_value))
    return SlowBooks(Fraction(sum(x for x, _ in lots)), Fraction(sum(x for _, x in lots)), realized)
