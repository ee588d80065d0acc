"""Numbers of the wire become exact integers, and come back as the very same numbers."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.instruments import Instrument
from engine.money import (
    AMOUNT_MAX,
    UNITS_MAX,
    divide_half_even,
    is_amount,
    is_in_range,
    money_from_number,
    number_from_money,
    units_from_number,
)
from tests.builders import EURUSD, INSTRUMENTS, MONEY, PERPETUAL, STOCK, TOKEN

PROPERTY = settings(max_examples=300, deadline=None, database=None)
SIZES = st.sampled_from(["0.1", "0.05", "1e-8", "0.25", "1", "5", "100", "0.00001", "0.3", "1e-18"])
FINITE = st.floats(-AMOUNT_MAX, AMOUNT_MAX)
COUNTS = st.one_of(
    st.integers(-1000, 1000),
    st.integers(-UNITS_MAX, UNITS_MAX),
    st.integers(UNITS_MAX - 10**6, UNITS_MAX),  # Where floats are coarsest.
)


@PROPERTY
@given(amount=FINITE)
def test_money_from_number_is_the_printed_decimal_rounded_half_even(amount):
    with localcontext() as context:
        context.prec = 60
        rounded = Decimal(repr(amount)).quantize(Decimal("1e-12"), ROUND_HALF_EVEN)
        assert money_from_number(amount) == int(rounded * MONEY)


@pytest.mark.parametrize(
    ("amount", "money"),
    [
        (0.1, MONEY // 10),
        (5e-13, 0),
        (1.5e-12, 2),
        (2.5e-12, 2),
        (-1.5e-12, -2),
        (-0.0, 0),
        (1e18, 10**30),
    ],
)
def test_money_from_number_of_known_amounts(amount, money):
    assert money_from_number(amount) == money


@PROPERTY
@given(money=st.integers(-(10**24), 10**24))
def test_number_from_money_is_the_nearest_float(money):
    assert number_from_money(money) == float(Fraction(money, MONEY))


@PROPERTY
@given(count=COUNTS, size=SIZES)
def test_units_of_every_multiple_are_found_exactly(count, size):
    """The wire has the float nearest to count x size; it means that count and no other."""
    exact = Fraction(size)
    number = float(count * exact)
    numerator, denominator = exact.as_integer_ratio()
    assert is_in_range(number, numerator, denominator)
    assert units_from_number(number, numerator, denominator) == count


@PROPERTY
@given(number=st.floats(-1e6, 1e6), size=SIZES)
def test_units_are_refused_exactly_when_no_multiple_prints_so(number, size):
    exact = Fraction(size)
    numerator, denominator = exact.as_integer_ratio()
    if not is_in_range(number, numerator, denominator):
        return
    nearest = round(Fraction(Decimal(repr(number))) / exact)
    expected = nearest if float(nearest * exact) == number else None
    assert units_from_number(number, numerator, denominator) == expected


@PROPERTY
@given(numerator=st.integers(), denominator=st.integers().filter(bool))
def test_divide_half_even_agrees_with_fractions(numerator, denominator):
    assert divide_half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@pytest.mark.parametrize(
    ("numerator", "denominator", "nearest"),
    [(1, 2, 0), (3, 2, 2), (5, 2, 2), (-1, 2, 0), (-3, 2, -2), (1, -2, 0), (7, -2, -4), (7, 3, 2)],
)
def test_divide_half_even_of_ties_goes_to_the_even_one(numerator, denominator, nearest):
    assert divide_half_even(numerator, denominator) == nearest


@pytest.mark.parametrize("size", ["0.01", "1", "5", "1e-8"])
def test_range_ends_exactly_at_its_greatest_count(size):
    numerator, denominator = Fraction(size).as_integer_ratio()
    greatest = UNITS_MAX * numerator / denominator
    assert is_in_range(greatest, numerator, denominator)
    assert not is_in_range(greatest * 1.01, numerator, denominator)
    assert not any(is_in_range(x, numerator, denominator) for x in (nan, inf, -inf))


def test_amount_ends_exactly_at_its_greatest():
    assert is_amount(AMOUNT_MAX)
    assert is_amount(-AMOUNT_MAX)
    assert not any(is_amount(x) for x in (AMOUNT_MAX * 1.01, nan, inf, -inf))


SPECS = st.sampled_from(INSTRUMENTS)


@PROPERTY
@given(spec=SPECS, lots=st.integers(-10_000, 10_000), milliticks=st.integers(1, 10**9))
def test_value_money_is_the_exact_value_rounded_half_even(spec, lots, milliticks):
    instrument = Instrument(spec, 5000)
    price = Fraction(milliticks, 1000) * Fraction(spec.tick_size)
    size = lots * Fraction(spec.lot_size) * Fraction(spec.multiplier)
    exact = -size / price if instrument.inverse else size * price
    assert instrument.value_money(lots, milliticks) == round(exact * MONEY)
    assert instrument.notional_money(lots, milliticks) == abs(round(exact * MONEY))


@PROPERTY
@given(spec=SPECS, lots=st.integers(-10_000, 10_000), price=st.floats(0.5, 1e6))
def test_fill_value_money_is_exact_at_any_price_of_the_wire(spec, lots, price):
    instrument = Instrument(spec, 5000)
    told = Fraction(Decimal(repr(price)))
    size = lots * Fraction(spec.lot_size) * Fraction(spec.multiplier)
    exact = -size / told if instrument.inverse else size * told
    assert instrument.fill_value_money(lots, price) == round(exact * MONEY)


@PROPERTY
@given(spec=SPECS, lots=st.integers(-10_000, 10_000), ticks=st.integers(1, 10**13))
def test_fill_value_money_is_exact_on_the_tick(spec, lots, ticks):
    instrument = Instrument(spec, 5000)
    price = float(ticks * Fraction(spec.tick_size))
    size = lots * Fraction(spec.lot_size) * Fraction(spec.multiplier)
    told = Fraction(Decimal(repr(price)))
    exact = -size / told if instrument.inverse else size * told
    assert instrument.fill_value_money(lots, price) == round(exact * MONEY)


@PROPERTY
@given(spec=SPECS, price=st.floats(0.01, 1e6))
def test_milliticks_are_the_nearest_thousandth_of_a_tick(spec, price):
    instrument = Instrument(spec, 5000)
    ticks = Fraction(Decimal(repr(price))) / Fraction(spec.tick_size)
    assert instrument.milliticks(price) == round(ticks * 1000)


@PROPERTY
@given(spec=SPECS, ticks=st.integers(1, 10**6), lots=st.integers(1, 10**6))
def test_wire_price_and_quantity_come_back_as_they_went(spec, ticks, lots):
    instrument = Instrument(spec, 5000)
    price, quantity = instrument.price(ticks * 1000), instrument.quantity(lots)
    assert price == float(ticks * Fraction(spec.tick_size))
    assert instrument.milliticks_on_tick(price) == ticks * 1000
    assert instrument.lots(quantity) == lots


@PROPERTY
@given(spec=st.sampled_from([STOCK, EURUSD, PERPETUAL, TOKEN]), price=st.floats(0.01, 1e5))
def test_average_price_of_one_fill_is_its_price(spec, price):
    instrument = Instrument(spec, 5000)
    cost = instrument.fill_value_money(7_000_000, price)
    assert instrument.average_price(7_000_000, cost) == pytest.approx(price, rel=1e-5)
    assert instrument.average_price(0, 0) is None


def test_size_of_three_tenths_and_a_multiplier_stay_exact():
    spec = replace(STOCK, tick_size="0.3", lot_size="0.7", multiplier="50")
    instrument = Instrument(spec, 5000)
    assert instrument.value_money(3, 7000) == 3 * 7 * 105 * MONEY // 10
