"""When days begin: once each, at the local time, on the days of daylight saving too."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from config.rules import known_calendars
from riskd.messages import CalendarSpec, Weekday
from transport.days import Days

NEW_YORK = CalendarSpec(id="XNYS", zone="America/New_York", roll="16:00")
HOUR_NS = 3600 * 10**9


def instant_ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("before", "at", "day"),
    [
        ("2026-07-01T19:59:59", "2026-07-01T20:00:00", "2026-07-01"),  # Summer: UTC-4.
        ("2026-12-01T20:59:59", "2026-12-01T21:00:00", "2026-12-01"),  # Winter: UTC-5.
        ("2026-03-08T19:59:59", "2026-03-08T20:00:00", "2026-03-08"),  # Clocks went forward at 2.
        ("2026-11-01T20:59:59", "2026-11-01T21:00:00", "2026-11-01"),  # Clocks went back at 2.
    ],
)
def test_e49_day_begins_when_local_clocks_show_the_roll_time(before: str, at: str, day: str):
    days = Days((NEW_YORK,))
    assert [told.calendar for told in days.begun(instant_ns(before))] == ["XNYS"]  # The day before.
    assert list(days.begun(instant_ns(before))) == []
    assert [(x.calendar, x.day) for x in days.begun(instant_ns(at))] == [("XNYS", day)]
    assert list(days.begun(instant_ns(at))) == []


@pytest.mark.parametrize("roll", ["00:00", "01:30", "02:30", "16:00", "23:59"])
@pytest.mark.parametrize(
    "zone", ["America/New_York", "Europe/London", "Australia/Lord_Howe", "UTC"]
)
def test_e49_day_is_told_once_each_in_order_over_a_year_of_hours(zone: str, roll: str):
    days = Days((CalendarSpec(id="C", zone=zone, roll=roll),))
    begun_ns = instant_ns("2026-01-01T12:00:00")
    hours = (begun_ns + hour * HOUR_NS for hour in range(365 * 24))
    told = [began.day for at_ns in hours for began in days.begun(at_ns)]
    assert told == sorted(set(told))
    assert len(told) in (365, 366)


def test_e52_day_is_not_told_again_when_the_wall_clock_steps_back():
    days = Days((NEW_YORK,))
    list(days.begun(instant_ns("2026-07-01T20:30:00")))
    assert list(days.begun(instant_ns("2026-07-01T19:30:00"))) == []
    assert list(days.begun(instant_ns("2026-07-01T20:30:00"))) == []


@pytest.mark.parametrize(
    ("week_begins", "month_begins", "day", "week", "month"),
    [
        ("monday", 1, "2026-11-20", "2026-11-16", "2026-11-01"),
        ("monday", 1, "2026-11-16", "2026-11-16", "2026-11-01"),
        ("monday", 1, "2026-11-15", "2026-11-09", "2026-11-01"),
        ("sunday", 1, "2026-11-15", "2026-11-15", "2026-11-01"),
        ("sunday", 1, "2026-11-14", "2026-11-08", "2026-11-01"),
        ("monday", 1, "2026-12-01", "2026-11-30", "2026-12-01"),
        ("monday", 15, "2026-11-15", "2026-11-09", "2026-11-15"),
        ("monday", 15, "2026-11-14", "2026-11-09", "2026-10-15"),
        ("monday", 28, "2026-03-01", "2026-02-23", "2026-02-28"),
        ("monday", 15, "2026-01-01", "2025-12-29", "2025-12-15"),
    ],
)
def test_day_tells_the_week_and_the_month_it_is_in(week_begins, month_begins, day, week, month):
    begins = Weekday(week_begins)
    spec = CalendarSpec(id="C", week_begins=begins, month_begins=month_begins)
    (began,) = Days((spec,)).begun(instant_ns(f"{day}T00:00:00"))
    assert (began.day, began.week, began.month) == (day, week, month)


TRADING = CalendarSpec(
    id="XNYS",
    zone="America/New_York",
    roll="16:00",
    weekend=(Weekday.SATURDAY, Weekday.SUNDAY),
    holidays=("2026-11-26", "2026-11-27", "2026-12-25"),
)


def test_no_day_begins_at_a_weekend_or_on_a_holiday_and_the_one_before_goes_on():
    """Thanksgiving, the Friday after it, and the weekend: Wednesday's day ends on Monday."""
    days = Days((TRADING,))
    hours = (instant_ns("2026-11-23T12:00:00") + hour * HOUR_NS for hour in range(9 * 24))
    told = [(began.day, began.week) for at_ns in hours for began in days.begun(at_ns)]
    assert told == [
        ("2026-11-20", "2026-11-16"),  # Monday noon is still Friday's.
        ("2026-11-23", "2026-11-23"),
        ("2026-11-24", "2026-11-23"),
        ("2026-11-25", "2026-11-23"),
        ("2026-11-30", "2026-11-30"),
        ("2026-12-01", "2026-11-30"),
    ]


def test_start_on_a_holiday_is_in_the_day_that_began_before_it():
    (began,) = Days((TRADING,)).begun(instant_ns("2026-12-26T23:00:00"))
    assert (began.day, began.week, began.month) == ("2026-12-24", "2026-12-21", "2026-12-01")


def test_shipped_calendar_of_new_york_has_its_holidays_and_252_days_or_so():
    (spec,) = (known for known in known_calendars() if known.id == "XNYS")
    days = Days((spec,))
    for year, begun in (("2026", 251), ("2027", 251)):
        hours = (instant_ns(f"{year}-01-01T12:00:00") + hour * HOUR_NS for hour in range(365 * 24))
        told = {began.day for at_ns in hours for began in days.begun(at_ns)}
        assert sum(day.startswith(year) for day in told) == begun
