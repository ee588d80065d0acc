"""Instruments: how lots and ticks make value, exactly.

Board prices are milliticks, a thousandth of the tick, so that mid prices and prints between ticks
are exact too. Values are signed: profit is `value(now) - value(then)` for every kind. An inverse
contract's value is minus its size over the price, in the settlement currency.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from engine.money import (
    MONEY_SCALE,
    UNITS_MAX,
    divide_half_even,
    exact_fraction,
    is_in_range,
    units_from_number,
)
from riskd.messages import InstrumentKind, InstrumentSpec

MILLI = 1000
SIZE_MIN, SIZE_MAX = Fraction(1, 10**18), Fraction(10**12)  # Of a tick, a lot, a multiplier.


class InstrumentError(ValueError):
    """An instrument whose numbers cannot be exact."""


class Instrument:
    """An instrument, prepared for integer arithmetic."""

    __slots__ = (
        "base",
        "inverse",
        "inverse_denominator",
        "inverse_numerator",
        "is_pair",
        "lines",
        "lot_denominator",
        "lot_numerator",
        "milli_value_money",
        "milli_value_remainder",
        "price_max",
        "price_min",
        "quantity_max",
        "settlement",
        "spec",
        "stale_after_ns",
        "symbol",
        "tick_denominator",
        "tick_numerator",
        "tick_value_money",
    )

    def __init__(self, spec: InstrumentSpec, stale_after_ms: int) -> None:
        """Prepare `spec`; raise InstrumentError if its sizes are unusable."""
        tick, lot, contract = (
            _positive(spec, name) for name in ("tick_size", "lot_size", "multiplier")
        )
        self.spec = spec
        self.symbol = spec.symbol
        self.inverse = spec.kind is InstrumentKind.INVERSE
        self.settlement = spec.settlement or spec.currency
        self.base = spec.base
        self.is_pair = spec.kind is InstrumentKind.FX and spec.base is not None
        self.tick_numerator, self.tick_denominator = tick.as_integer_ratio()
        self.lot_numerator, self.lot_denominator = lot.as_integer_ratio()
        self.lines: dict[tuple[str, bool], Any] = {}  # Of the book that its holders are on.
        self.quantity_max = float(UNITS_MAX * lot)
        self.price_max = float(UNITS_MAX * tick)
        # Exclusive; at half a millitick a price would count as zero, and divide by it.
        self.price_min = -self.price_max if spec.allow_negative else float(tick / (2 * MILLI))
        self.stale_after_ns = (spec.stale_after_ms or stale_after_ms) * 1_000_000
        if spec.kind is not InstrumentKind.LINEAR and spec.allow_negative:
            text = (
                f"{spec.symbol}: allow_negative is for linear instruments, this one is {spec.kind}"
            )
            raise InstrumentError(text)
        tick_value = tick * lot * contract * MONEY_SCALE
        if not self.inverse and tick_value.denominator != 1:
            raise InstrumentError(
                f"{spec.symbol}: tick_size x lot_size x multiplier must be a multiple of 1e-12"
            )
        self.tick_value_money = 0 if self.inverse else int(tick_value)
        self.milli_value_money, self.milli_value_remainder = divmod(self.tick_value_money, MILLI)
        per_lot = lot * contract * MONEY_SCALE / (tick / MILLI)
        self.inverse_numerator, self.inverse_denominator = per_lot.as_integer_ratio()

    def exact_milli_value(self) -> int:
        """Return what a lot gains by a thousandth of a tick, 0 where that is no whole unit.

        Where it is not 0, `value_money` is lots x price x this, which hot loops write out.
        """
        return 0 if self.inverse or self.milli_value_remainder else self.milli_value_money

    def value_money(self, lots: int, milliticks: int) -> int:
        """Return the signed value of `lots` at a price, in settlement money.

        Exact wherever a thousandth of a tick is a whole unit of money, else rounded half-even.
        """
        if self.inverse:
            return -divide_half_even(
                self.inverse_numerator * lots, self.inverse_denominator * milliticks
            )
        if self.milli_value_remainder:
            return divide_half_even(lots * milliticks * self.tick_value_money, MILLI)
        return lots * milliticks * self.milli_value_money

    def exposure_money(self, lots: int, milliticks: int) -> int:
        """Return the size of `lots` at a price with the side's sign, in settlement money."""
        value = self.value_money(lots, milliticks)
        return -value if self.inverse else value

    def notional_money(self, lots: int, milliticks: int) -> int:
        """Return the size of `lots` at a price, never negative, in settlement money."""
        return abs(self.value_money(lots, milliticks))

    def fill_value_money(self, lots: int, price: float) -> int:
        """Return the signed value of filled `lots` at any finite price, half-even to the unit."""
        on_tick = None if self.inverse else self.milliticks_on_tick(price)
        if on_tick is not None:  # As nearly every fill is: whole ticks need no fractions.
            return lots * (on_tick // MILLI) * self.tick_value_money
        exact = exact_fraction(price)
        ticks = exact / Fraction(self.tick_numerator, self.tick_denominator)
        if self.inverse:
            per_tick = Fraction(self.inverse_numerator, self.inverse_denominator * MILLI)
            value = -lots * per_tick / ticks
        else:
            value = lots * ticks * self.tick_value_money
        return divide_half_even(value.numerator, value.denominator)

    def lots(self, quantity: float) -> int | None:
        """Return a wire quantity in lots, None if it is no multiple. It is within range."""
        if self.lot_denominator == self.lot_numerator:  # Lots of one unit.
            lots = int(quantity)
            return lots if lots == quantity else None
        return units_from_number(quantity, self.lot_numerator, self.lot_denominator)

    def milliticks_on_tick(self, price: float) -> int | None:
        """Return an order's price as a board price, None off the tick. It is within range."""
        ticks = round(price * self.tick_denominator / self.tick_numerator)
        if ticks * self.tick_numerator / self.tick_denominator != price:
            return None
        return ticks * MILLI

    def base_money(self, lots: int) -> int:
        """Return lots of a pair as money of its base currency."""
        return lots * self.lot_numerator * MONEY_SCALE // self.lot_denominator

    def quantity(self, lots: int) -> float:
        """Return lots as a wire quantity."""
        return lots * self.lot_numerator / self.lot_denominator

    def price(self, milliticks: int) -> float:
        """Return a board price as a wire price."""
        return milliticks * self.tick_numerator / (self.tick_denominator * MILLI)

    def milliticks(self, price: float) -> int:
        """Return the board price nearest to a finite wire price, half-even."""
        ticks = round(price * self.tick_denominator / self.tick_numerator)
        if ticks * self.tick_numerator / self.tick_denominator == price:
            return ticks * MILLI
        exact = exact_fraction(price)
        return divide_half_even(
            exact.numerator * self.tick_denominator * MILLI,
            exact.denominator * self.tick_numerator,
        )

    def average_price(self, lots: int, cost_money: int) -> float | None:
        """Return the average price of a position with this cost, None when flat."""
        if lots == 0 or cost_money == 0:
            return None
        if self.inverse:
            numerator = -self.inverse_numerator * lots * self.tick_numerator
            return numerator / (
                self.inverse_denominator * cost_money * MILLI * self.tick_denominator
            )
        ticks_denominator = lots * self.tick_value_money * self.tick_denominator
        return cost_money * self.tick_numerator / ticks_denominator


def is_a_millitick(price: float, instrument: Instrument) -> bool:
    """Return whether a finite price is at least the smallest that the board counts."""
    return price * instrument.tick_denominator * MILLI >= instrument.tick_numerator


def quantity_invalid(
    quantity: float, instrument: Instrument, name: str, *, zero: bool
) -> str | None:
    """Return what is wrong with a quantity, as `name: text`."""
    lot, lots = instrument.lot_numerator, instrument.lot_denominator
    if not is_in_range(quantity, lot, lots) or quantity < 0 or (quantity == 0 and not zero):
        return f"{name}: {quantity} must be finite, positive and in range"
    if units_from_number(quantity, lot, lots) is None:
        return f"{name}: {quantity} is not a multiple of the lot {instrument.spec.lot_size}"
    return None


def _positive(spec: InstrumentSpec, name: str) -> Fraction:
    text: str = getattr(spec, name)
    try:
        size = Fraction(text)
    except ValueError:
        raise InstrumentError(f"{spec.symbol}: {name} {text!r} is not a decimal number") from None
    if size <= 0:
        raise InstrumentError(f"{spec.symbol}: {name} must be greater than zero, found {text}")
    if not SIZE_MIN <= size <= SIZE_MAX:
        raise InstrumentError(f"{spec.symbol}: {name} must be from 1e-18 to 1e12, found {text}")
    return size


def currencies_of(instrument: Instrument) -> tuple[str, ...]:
    """Return every currency of an instrument once, in a stated order."""
    named = (instrument.spec.currency, instrument.settlement, instrument.base)
    return tuple(dict.fromkeys(currency for currency in named if currency is not None))
