"""One account's high water: its row of the book, and the exact figures that the row counts from.

Written by the market-data actor alone, read in place by the account: what a check reads of it is
true as of the last tick. The state is whole money throughout, so that a run from a snapshot goes on
with the very figures of the run that wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, nan

from msgspec import Struct, field

from engine.book import Book
from engine.drawdown import Span, span_at, with_day
from engine.history import History
from engine.money import MONEY_SCALE
from engine.nothing import NOTHING, own
from engine.pace import Samples


class Standing(Struct, gc=False):
    """How far along a measure is: 0 safe, 1 warning, 2 critical, 3 at its limit."""

    level: int = 0
    until_ns: int | None = None  # It has recovered, and falls back at this steady instant.

    def is_due(self, steady_ns: int) -> bool:
        """Return whether it falls back by now."""
        return self.until_ns is not None and self.until_ns <= steady_ns


class HighWaterState(Struct, omit_defaults=True, gc=False):
    """What a tick changes of an account."""

    equity_money: int | None = None  # As the book counts it; None until marks and rates are known.
    base_money: int = 0  # What the row's floats count from.
    day: Span | None = None
    week: Span | None = None  # Without the running day.
    life: Span | None = None  # Without the running day.
    low_money: int = 0  # The lowest since the day began.
    slack_money: float | None = None  # How far prices may move until it is looked at; None: ever.
    pockets: Mapping[str, int] = NOTHING  # Cash and profit by foreign currency, as in the book.
    sizes: Mapping[str, float] = NOTHING  # Of the same, what a rate of one more could move at most.
    unrated: Mapping[str, int] = NOTHING  # Transfers that no span knows of, for want of a rate.
    awaited: str = ""  # The day or week that begins as soon as equity is known.
    standings: dict[str, Standing] = {}  # Of measures that are not safe, by limit key.
    samples: Samples = field(default_factory=Samples)  # Of equity.
    position_samples: Mapping[str, Samples] = NOTHING  # Of what each open position earned.
    paced: Mapping[str, Standing] = NOTHING  # Of what a look found over it, see pace_rules.


class SweepState(Struct):
    """Where the sweep stands and what it found."""

    next_ns: int | None = None  # Steady; None while there is none.
    cursor: int = 0  # Of the next account, in the order in which they were opened.
    rounds: int = 0  # Completed.
    drifted: int = 0  # Accounts found beyond the bound, ever.
    drift_max_money: int = 0  # The largest drift ever, within the bound or not.
    look_ns: int | None = None  # The next look at paces; None while nobody asks.
    look_cursor: int = 0


class HighWater:
    """Reads and writes one row of the book in exact money."""

    __slots__ = (
        "_book",
        "_noted",
        "_peak",
        "_peaks_money",
        "history",
        "own",
        "row",
        "state",
    )

    def __init__(self, book: Book, own: str, state: HighWaterState) -> None:
        self._book = book
        self.own = own  # The account's currency.
        self.state = state
        self.history: History | None = None  # For charts; begun anew by a start from a snapshot.
        self._noted: tuple[int, int, int, int] | None = None  # As of the last note.
        self._peak = nan  # The row's peak that the exact ones were made from.
        self._peaks_money = (0, 0, 0)
        self.row = book.open_row()
        if state.equity_money is not None:
            slack = state.slack_money
            self._put(state.equity_money)
            self.arm(inf if slack is None else slack)
            for currency, money in state.pockets.items():
                self.set_pocket(currency, money, size_money=state.sizes[currency])

    def is_known(self) -> bool:
        """Return whether equity is known."""
        return self.state.equity_money is not None

    def equity_money(self) -> int | None:
        """Return equity up to the last tick, None while it is not known."""
        known = self.state.equity_money
        return None if known is None else self._exact(known, self._book.equity.one[self.row])

    def pocket_money(self, currency: str) -> int:
        """Return what there is of a foreign currency, up to the last tick."""
        if currency not in self.state.pockets:
            return 0
        return int(self._book.pocket_worth(self.row, currency))

    def peaks_money(self) -> tuple[int, int, int]:
        """Return the highest equity of the day, of the week and ever, up to the last tick.

        Equity was known at least once. Costs a look where nothing rose since the last time.
        """
        peak = self._book.peak.one[self.row]
        if peak != self._peak:
            day, week, life = self.day(), self.state.week, self.state.life
            assert day is not None
            assert week is not None
            assert life is not None
            top = day.peak_money
            self._peaks_money = (top, max(top, week.peak_money), max(top, life.peak_money))
            self._peak = peak
        return self._peaks_money

    def day(self) -> Span | None:
        """Return the running day, up to the last tick."""
        self.settle()
        return self.state.day

    def week(self) -> Span | None:
        """Return the running week, the running day included."""
        day, week = self.day(), self.state.week
        return None if day is None or week is None else with_day(week, day, self.state.low_money)

    def life(self) -> Span | None:
        """Return the account's life, the running day included."""
        day, life = self.day(), self.state.life
        return None if day is None or life is None else with_day(life, day, self.state.low_money)

    def settle(self) -> None:
        """Bring the exact figures up to the row's. They are the same; the row is not changed."""
        state, book, row = self.state, self._book, self.row
        day = state.day
        if state.equity_money is None or day is None:
            return
        state.equity_money = self._exact(state.equity_money, book.equity.one[row])
        peak_money = self._exact(day.peak_money, book.peak.one[row])
        day.peak_money = max(day.peak_money, peak_money)  # A float of a far peak may be below it.
        day.peak_ns = book.peak_ns.one[row]
        day.trough_money = self._exact(day.trough_money, book.trough.one[row])
        state.low_money = self._exact(state.low_money, book.low.one[row])
        fall = book.fall.one[row]
        if fall != float(day.fall_money):
            day.fall_money = int(fall)
        for currency in state.pockets:
            own(state, "pockets")[currency] = int(book.pocket_worth(row, currency))
            own(state, "sizes")[currency] = book.pocket_size(row, currency)
        slack = book.slack.one[row]
        state.slack_money = None if slack == inf else slack

    def note_history(self, now_ns: int) -> None:
        """Take what equity did since the last note: also a peak or a low that came and went."""
        state, day = self.state, self.day()
        if state.equity_money is None or day is None:
            return
        seen = (day.peak_money, day.trough_money, state.low_money)
        from_ns, moved = day.opened_ns, list(seen)
        if self._noted is not None:
            from_ns, *before = self._noted
            moved = [now for now, then in zip(seen, before, strict=True) if now != then]
        self._noted = (now_ns, *seen)
        high, low = (best([state.equity_money, *moved]) / MONEY_SCALE for best in (max, min))
        if self.history is None:
            self.history = History()
        self.history.note(from_ns, high, low, state.equity_money / MONEY_SCALE)

    def anchor(self, equity_money: int, now_ns: int, transferred_money: int = 0) -> None:
        """Take the exact equity of now, of which so much was put in since the last time."""
        state = self.state
        self.settle()
        state.base_money = state.equity_money = equity_money
        if state.day is None or state.week is None or state.life is None:
            state.day, state.week, state.life = (span_at(equity_money, now_ns) for _ in range(3))
            state.low_money, transferred_money = equity_money, 0  # It begins with all there is.
        if transferred_money:
            state.low_money += transferred_money
            state.samples.shift(transferred_money)
            for span in (state.day, state.week, state.life):
                span.shift(transferred_money)
            if self._noted is not None:
                at_ns, *noted = self._noted
                peak, trough, low = (money + transferred_money for money in noted)
                self._noted = (at_ns, peak, trough, low)
        state.day.note(equity_money, now_ns)
        state.low_money = min(state.low_money, equity_money)
        if state.awaited:
            self._begin(state.awaited == "week", equity_money, now_ns)
        self._put(equity_money)

    def begin(self, *, week: bool, now_ns: int) -> None:
        """Begin a day, and a week with it or not; at the first known equity, if it is not known."""
        state = self.state
        if state.equity_money is None:
            state.awaited = "week" if week or state.awaited == "week" else "day"
            return
        self.settle()
        self._begin(week, state.equity_money, now_ns)
        self._put(state.equity_money)

    def lose(self) -> None:
        """Take the row out of everything: equity is not known any more."""
        self.settle()
        self.state.equity_money = None
        self._book.set_unknown(self.row)

    def set_pocket(self, currency: str, worth_money: int, *, size_money: float) -> None:
        """Put what the account has in a foreign currency, and how much of it a rate could move."""
        worth, size = float(worth_money), float(size_money)
        own(self.state, "pockets")[currency] = int(worth)  # As the book counts it at any look.
        own(self.state, "sizes")[currency] = size
        self._book.set_pocket(self.row, currency, self.own, worth, size=size)

    def arm(self, slack_money: float) -> None:
        """Put how far prices may move before a guard must be looked at."""
        self._book.slack.one[self.row] = slack_money

    def _begin(self, week: bool, equity_money: int, now_ns: int) -> None:
        state = self.state
        assert state.day is not None  # Equity was known.
        assert state.week is not None
        assert state.life is not None
        state.week = with_day(state.week, state.day, state.low_money)
        state.life = with_day(state.life, state.day, state.low_money)
        if week:
            state.week = span_at(equity_money, now_ns)
        state.day, state.low_money = span_at(equity_money, now_ns), equity_money
        state.awaited = ""

    def _put(self, equity_money: int) -> None:
        """Write the row anew from the exact figures; its guards are to be looked at."""
        state, book, row = self.state, self._book, self.row
        day, base = state.day, state.base_money
        self._peak = nan
        assert day is not None  # Anchored.
        book.equity.one[row] = float(equity_money - base)
        book.peak.one[row] = float(day.peak_money - base)
        book.peak_ns.one[row] = day.peak_ns
        book.trough.one[row] = float(day.trough_money - base)
        book.low.one[row] = float(state.low_money - base)
        book.fall.one[row] = float(day.fall_money)
        book.slack.one[row] = 0.0

    def _exact(self, known_money: int, now: float) -> int:
        """Return the exact figure of a float of the row; what was known, if it did not change."""
        base = self.state.base_money
        return known_money if now == float(known_money - base) else base + int(now)
