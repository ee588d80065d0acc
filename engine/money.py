"""Exact numbers: money, lots and ticks are integers; floats exist only on the wire.

Money is an integer count of 10^-12 of its currency. A wire number stands for the shortest decimal
that prints it, so 0.1 means one tenth: conversions below find the integer whose quotient rounds to
that very float, and refuse when there is none.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import isfinite

MONEY_SCALE = 1_000_000_000_000
UNITS_MAX = 1_000_000_000_000_000  # Below 2**50: every count of any size has a float of its own.
AMOUNT_MAX = 1e18  # Largest amount of a transfer, a fee or a limit, in units of its currency.


def divide_half_even(numerator: int, denominator: int) -> int:
    """Return the integer nearest to the quotient; a tie goes to the even one. Any signs."""
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    quotient, remainder = divmod(numerator, denominator)
    twice = remainder * 2
    if twice > denominator or (twice == denominator and quotient & 1):
        return quotient + 1
    return quotient


def money_from_number(amount: float) -> int:
    """Return `amount` as money, rounded half-even to 10^-12. `amount` is finite."""
    if amount == 0:
        return 0
    numerator, denominator = Decimal(repr(amount)).as_integer_ratio()
    return divide_half_even(numerator * MONEY_SCALE, denominator)


def number_from_money(money: int) -> float:
    """Return money as a wire number: one correctly rounded division."""
    return money / MONEY_SCALE


def units_from_number(number: float, size_numerator: int, size_denominator: int) -> int | None:
    """Return how many sizes (a lot, a tick) make `number`, or None if it is no multiple.

    Exact: the answer times the size, correctly rounded to a float, is `number` itself.
    `number` is finite and the count at most `UNITS_MAX`, see `is_in_range`.
    """
    units = round(number * size_denominator / size_numerator)
    return units if units * size_numerator / size_denominator == number else None


def is_in_range(number: float, size_numerator: int, size_denominator: int) -> bool:
    """Return whether `number` is finite and within what units can count."""
    return isfinite(number) and abs(number) * size_denominator <= UNITS_MAX * size_numerator


def is_amount(number: float) -> bool:
    """Return whether `number` is finite and within what money may count."""
    return isfinite(number) and abs(number) <= AMOUNT_MAX


def exact_fraction(number: float) -> Fraction:
    """Return the decimal that `number` stands for, exactly."""
    return Fraction(Decimal(repr(number)))
