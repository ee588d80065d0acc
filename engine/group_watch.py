"""The watch over groups and the firm: their rows follow their accounts, their guards the prices.

A guard of a group is on what all its accounts are worth together: drawdown of the day, the week and
ever, and what they lost today. Their other limits are on what orders would make of their totals.
"""

from __future__ import annotations

from math import inf

from engine.boards import Boards
from engine.crossings import Subject, fall_back, recovered, stand
from engine.facts import MS_NS, Facts, Raised, Stamp
from engine.group_row import GroupRow
from engine.guards import DAY_KEYS, WEEK_KEYS, Figures, Guard, guards_of_limits, read
from engine.limits import FIRM, GROUP_MEASURES
from engine.money import number_from_money
from engine.timers import Timers
from riskd.messages import DayBegan, Severity

BOUND_PARTS = 10**9  # Of equity: drift beyond one is an alert.
BOUND_MIN_MONEY = 1_000_000  # Units: a millionth of its currency, for a firm of almost nothing.
ARMED_PART = 0.5  # Of the slack: the rest covers what floats of a whole firm may be off.


class GroupWatch:
    """Keeps the rows of groups true, and says when a measure of one crosses a threshold."""

    def __init__(self, boards: Boards) -> None:
        self._boards = boards
        self._guards: dict[str, tuple[Guard, ...]] = {}
        self._guards_version = -1
        self._timers = Timers()  # Of recoveries.

    def due_ns(self) -> int | None:
        """Return the steady instant at which something has recovered, None if nothing may."""
        return self._timers.next_ns()

    def follow(self, groups: dict[str, None], stamp: Stamp, facts: Facts) -> None:
        """Make the rows of groups true to what changed below them, and look at them."""
        for group in sorted(groups):
            self._boards.group_row(group).settle(stamp.recv_ns)
            self._look(group, stamp, facts)
        groups.clear()

    def wake(self, rows: list[int], stamp: Stamp, facts: Facts) -> None:
        """Look at the groups among rows that prices may have carried over a threshold."""
        found = (self._boards.group_of_row(row) for row in rows)
        for group in sorted({group: None for group in found if group is not None}):
            row = self._boards.group_row(group)
            if not row.water.is_known():
                row.measure(stamp.recv_ns)
            self._look(group, stamp, facts)

    def elapse(self, stamp: Stamp, facts: Facts) -> None:
        """Let measures fall back that have recovered for long enough."""
        for group in self._timers.take_due(stamp.steady_ns):
            row = self._boards.group_row(group)
            figures = _figures(row)
            for guard in self._guards_of(group) if figures is not None else ():
                standing = row.water.state.standings.get(guard.kind.key)
                if standing is not None and standing.is_due(stamp.steady_ns):
                    assert figures is not None
                    fall_back(row.water.state.standings, _subject(group), guard, figures, facts)
            self._await(group)

    def begin_day(self, began: DayBegan, stamp: Stamp, facts: Facts) -> None:
        """Begin a calendar day of the groups that have it, each day once."""
        for group in self._boards.groups_of_calendar(began.calendar):
            row = self._boards.group_row(group)
            state = row.state
            if began.day <= state.day:
                continue
            is_week = "" < state.week < began.week
            state.day, state.week = began.day, began.week
            self._begin(group, stamp, facts, week=is_week)

    def roll(self, stamp: Stamp, facts: Facts) -> list[str]:
        """Begin a day of every group and the firm, as an operator asked for after all accounts'.

        Returns the names of those of which something is missing to begin it with.
        """
        skipped = []
        for group in sorted(self._boards.group_states):
            row = self._boards.group_row(group)
            if row.water.is_known():
                self._begin(group, stamp, facts, week=False)
            else:
                skipped.append(_subject(group).name)
        return skipped

    def sweep(self, group: str, stamp: Stamp, facts: Facts) -> int:
        """Make a row anew from all that the group has; return by how much it had drifted."""
        row, state = self._boards.group_row(group), self._boards.sweep
        told, exact = row.water.equity_money(), row.exact_money()
        drift = 0 if told is None or exact is None else abs(told - exact)
        state.drift_max_money = max(state.drift_max_money, drift)
        bound = BOUND_MIN_MONEY + abs(exact or 0) // BOUND_PARTS
        if drift > bound:
            state.drifted += 1
            value, threshold = number_from_money(drift), number_from_money(bound)
            text = f"{_subject(group).text}: the book had drifted by {value:g}; it is made anew"
            facts.append(
                Raised(
                    Severity.HIGH,
                    "book_drift",
                    f"book_drift:{_subject(group).name}",
                    text,
                    value=value,
                    threshold=threshold,
                )
            )
        row.water.note_history(stamp.recv_ns)
        row.measure(stamp.recv_ns)
        self._look(group, stamp, facts)
        return drift

    def declare(self, stamp: Stamp, facts: Facts) -> None:
        """Take up what is declared now: the limits of every group, and how positions are valued."""
        for group in self._boards.group_states:
            row, kept = self._boards.group_row(group), {x.kind.key for x in self._guards_of(group)}
            for key in [key for key in row.water.state.standings if key not in kept]:
                del row.water.state.standings[key]
                facts += recovered(_subject(group), key)
            for symbol in row.held:
                row.tell(symbol)
            row.measure(stamp.recv_ns)
            self._look(group, stamp, facts)

    def restore(self) -> None:
        """Take up the rows of a restored state."""
        for group in self._boards.group_states:
            row = self._boards.group_row(group)
            if not row.water.is_known():
                row.await_rates()
            self._await(group)

    def _begin(self, group: str, stamp: Stamp, facts: Facts, *, week: bool) -> None:
        """Begin a day; what its accounts go on losing in days of their own stands as it did."""
        row = self._boards.group_row(group)
        row.water.begin(week=week, now_ns=stamp.recv_ns)
        standings, figures = row.water.state.standings, _figures(row)
        for guard in self._guards_of(group):
            key = guard.kind.key
            is_begun = key in standings and (key in DAY_KEYS or (week and key in WEEK_KEYS))
            if is_begun and (figures is None or read(guard, figures).level == 0):
                del standings[key]
                facts += recovered(_subject(group), key)
        self._look(group, stamp, facts)

    def _look(self, group: str, stamp: Stamp, facts: Facts) -> None:
        """Find where a group's measures stand now, and how far prices may move until then."""
        row, slack = self._boards.group_row(group), inf
        guards = self._guards_of(group)
        figures = _figures(row) if guards else None
        if figures is None:
            row.water.arm(inf)  # There is nothing to look at.
            return
        row.size_pockets()
        standings, subject = row.water.state.standings, _subject(group)
        until_ns = stamp.steady_ns + self._boards.settings.dwell_ms * MS_NS
        for guard in guards:
            reading = read(guard, figures)
            slack = min(slack, reading.slack)
            if stand(
                standings, subject, guard, reading, figures=figures, until_ns=until_ns, facts=facts
            ):
                self._timers.ask(group, until_ns)
        row.water.arm(slack * ARMED_PART)

    def _await(self, group: str) -> None:
        for standing in self._boards.group_row(group).water.state.standings.values():
            if standing.until_ns is not None:
                self._timers.ask(group, standing.until_ns)

    def _guards_of(self, group: str) -> tuple[Guard, ...]:
        boards = self._boards
        if self._guards_version != boards.version:
            self._guards.clear()
            self._guards_version = boards.version
        found = self._guards.get(group)
        if found is None:
            limits = boards.group_limits.get(group, {})
            measured = {key: limits[key] for key in GROUP_MEASURES if key in limits}
            found = self._guards[group] = guards_of_limits(measured, boards.settings)
        return found


def _figures(row: GroupRow) -> Figures | None:
    """Return what guards look at, None while what the group is worth is not known."""
    loss_money = row.loss_money()
    equity_money = row.water.equity_money()
    if equity_money is None or loss_money is None:
        return None
    return Figures(
        equity_money=equity_money,
        loss_money=loss_money,
        peaks_money=row.water.peaks_money(),
        gross_money=0,
        net_money=0,
        top_money=0,
        together_money=0,
        names=("", ()),
        used_money=0,
        margin_rate=0.0,
    )


def _subject(group: str) -> Subject:
    name = FIRM if group == FIRM else f"group:{group}"
    text = "the firm" if group == FIRM else f"group {group}"
    return Subject(name, text, None, "firm" if group == FIRM else "group", group)
