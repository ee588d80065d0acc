"""When a calendar's day begins: the only place that knows time zones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from riskd.messages import CalendarSpec, DayBegan, Weekday

NS = 1_000_000_000
WEEKDAYS = tuple(Weekday)  # Monday first, as `date.weekday` counts.


def day_of(spec: CalendarSpec, wall_ns: int) -> date:
    """Return the day that has begun in a calendar: the local date at which it did.

    A day begins when local clocks show the roll time. On the day they are put back they may show it
    twice, and an instant between may name the day before again: whoever rolls goes only forward.
    Where none begins, at a weekend or on a holiday, the last one that did goes on.
    """
    local = datetime.fromtimestamp(wall_ns // NS, UTC).astimezone(ZoneInfo(spec.zone))
    hours, minutes = spec.roll.split(":")
    since_roll = local.replace(tzinfo=None) - timedelta(hours=int(hours), minutes=int(minutes))
    day = since_roll.date()
    while WEEKDAYS[day.weekday()] in spec.weekend or day.isoformat() in spec.holidays:
        day -= timedelta(days=1)
    return day


def week_of(spec: CalendarSpec, day: date) -> date:
    """Return the first day of the week that a day is in."""
    return day - timedelta(days=(day.weekday() - WEEKDAYS.index(spec.week_begins)) % 7)


def month_of(spec: CalendarSpec, day: date) -> date:
    """Return the first day of the month that a day is in; it may be one of the month before."""
    if day.day < spec.month_begins:
        day = day.replace(day=1) - timedelta(days=1)
    return day.replace(day=spec.month_begins)


class Days:
    """Remembers which day of each calendar was told last, and tells each day once."""

    def __init__(self, calendars: tuple[CalendarSpec, ...]) -> None:
        self._calendars = calendars
        self.names = frozenset(spec.id for spec in calendars)
        self._told: dict[str, date] = {}

    def begun(self, wall_ns: int) -> Iterator[DayBegan]:
        """Yield the day of every calendar whose day has begun since it was last asked."""
        for spec in self._calendars:
            day = day_of(spec, wall_ns)
            told = self._told.get(spec.id)
            if told is None or day > told:
                self._told[spec.id] = day
                week, month = week_of(spec, day), month_of(spec, day)
                yield DayBegan(
                    calendar=spec.id,
                    day=day.isoformat(),
                    week=week.isoformat(),
                    month=month.isoformat(),
                )
