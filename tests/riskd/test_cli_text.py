from __future__ import annotations

import pytest

from riskd.cli.text import cell, instant, money, number, span


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0, "0"),
        (1234567, "1,234,567"),
        (1234567.0, "1,234,567"),
        (-1234.5, "-1,234.5"),
        (-0.25, "-0.25"),
        (0.00000001, "0.00000001"),
        (61800.123, "61,800.123"),
    ],
)
def test_number_has_separators_and_a_minus_sign(value, shown):
    assert number(value) == shown


def test_money_has_two_places_and_its_currency():
    assert money(-12430.5, "USD") == "-12,430.50 USD"
    assert money(None, "USD") == "-"


@pytest.mark.parametrize(
    ("value_ns", "shown"),
    [
        (0, "0 s"),
        (999, "999 ns"),
        (64_000, "64 µs"),
        (1_900_000, "1.9 ms"),
        (19_000_000, "19 ms"),
        (2_500_000_000, "2.5 s"),
        (150_000_000_000, "2 min"),
        (3_720_000_000_000, "1 h 02 min"),
    ],
)
def test_span_is_in_the_unit_that_fits(value_ns, shown):
    assert span(value_ns) == shown


def test_instant_is_utc_with_milliseconds_and_zone():
    assert instant(1_767_623_400_123_456_789) == "2026-01-05 14:30:00.123Z"
    assert instant(None) == "-"


def test_cell_shows_a_field_as_its_name_says():
    assert cell("at_ns", 1_767_623_400_123_456_789) == "2026-01-05 14:30:00.123Z"
    assert cell("mark_age_ns", 64_000) == "64 µs"
    assert cell("breaker_id", 1234) == "1234"
    assert cell("pid", 16876) == "16876"
    assert cell("long", 0.0) == "0.00"
    assert cell("by_symbol", {"AAPL": 374.95999}) == "AAPL=374.96"
    assert cell("largest_pct", 0.3730957896) == "0.3731"
    assert cell("bid", 61793.12) == "61,793.12"
    assert cell("equity", 99_980.0630135955) == "99,980.06"
    assert cell("unrealized", -0.0000019959) == "-0.0000019959"
    assert cell("realized", 0.0) == "0.00"
    assert cell("seq", 1234) == "1,234"
    assert cell("frozen", True) == "yes"
    assert cell("ports", ["a", "b"]) == "a, b"
    assert cell("counts", {"applied": 1234}) == "applied=1,234"
