"""Excursion: the extremes of a symbol's marks since any instant at which a position changed.

A ladder keeps the maxima of the marks since each past instant, and the minima, as two stacks: a
mark that a later one reached again is gone, so a stack falls (or rises) from its bottom to its top,
and the extreme since an instant is the first rung that is not older, found by bisection. A tick
costs O(1) amortised, whoever holds how much; a position's extremes since it changed cost one
look-up. There are ladders only of symbols that somebody was filled in.
"""

from __future__ import annotations

from bisect import bisect_left

from msgspec import Struct, field

SPARE_RUNGS = 64  # Beyond two for each instant that somebody asks of.


class Seen(Struct, frozen=True, gc=False):
    """The highest and the lowest mark of a stretch, as long and as short positions are valued."""

    high_long: int
    low_long: int
    high_short: int
    low_short: int


class Moment(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What was known when an execution was booked, so that a bust can tell its position anew."""

    at_ns: int = 0
    seen: Seen | None = None  # Since the execution before it.
    strategy: str = ""  # Of the fill, or else of its order.
    timeframe: str = ""  # The same.
    stop_loss: float | None = None  # Of its order.
    take_profit: float | None = None


class Rungs(Struct):
    """The two stacks of one side: marks and the versions at which they came, oldest first."""

    high_at: list[int] = []
    high: list[int] = []
    low_at: list[int] = []
    low: list[int] = []

    def take(self, at: int, mark: int) -> int:
        """Take the mark of a version; return how many rungs the longer stack has."""
        high, low = self.high, self.low
        if high and mark == high[-1]:
            return 0  # What stands goes on standing.
        while high and high[-1] <= mark:
            high.pop()
            self.high_at.pop()
        while low and low[-1] >= mark:
            low.pop()
            self.low_at.pop()
        high.append(mark)
        self.high_at.append(at)
        low.append(mark)
        self.low_at.append(at)
        return max(len(high), len(low))

    def stand(self, at: int) -> None:
        """Make the mark that stands one of this version too: the last rung of both stacks."""
        if self.high_at:
            self.high_at[-1] = self.low_at[-1] = at

    def extremes(self, since: int) -> tuple[int, int] | None:
        """Return the highest and the lowest since a version at which `stand` was called."""
        if not self.high:
            return None
        highest = self.high[bisect_left(self.high_at, since)]
        return highest, self.low[bisect_left(self.low_at, since)]

    def thin(self, starts: list[int]) -> None:
        """Keep only the rungs that answer for one of these instants, and what stands."""
        for at, marks in ((self.high_at, self.high), (self.low_at, self.low)):
            kept = dict.fromkeys(bisect_left(at, start) for start in starts)
            kept[len(at) - 1] = None
            at[:] = [at[index] for index in kept]
            marks[:] = [marks[index] for index in kept]


class Ladder(Struct):
    """The marks of a symbol since each instant at which one of its positions changed.

    At most two rungs a stack for each such instant and `SPARE_RUNGS`: beyond that, the rungs that
    answer for none are left out, which loses nothing.
    """

    long: Rungs = field(default_factory=Rungs)
    short: Rungs | None = None  # While both sides were always valued alike there is none.
    starts: dict[int, int] = {}  # Versions that positions ask of, with how many do.

    def take(self, at: int, mark_long: int, mark_short: int) -> None:
        """Take the marks of a version."""
        if self.short is None and mark_long != mark_short:
            long = self.long
            self.short = Rungs(
                list(long.high_at), list(long.high), list(long.low_at), list(long.low)
            )
        rungs_max = 2 * len(self.starts) + SPARE_RUNGS
        if self.long.take(at, mark_long) > rungs_max:
            self.long.thin(sorted(self.starts))
        if self.short is not None and self.short.take(at, mark_short) > rungs_max:
            self.short.thin(sorted(self.starts))

    def leave(self, before: int) -> None:
        """Watch one position less since a version."""
        self.starts[before] -= 1
        if not self.starts[before]:
            del self.starts[before]

    def move(self, before: int | None, after: int) -> None:
        """Watch a position since a version, and no longer since the one before."""
        if before is not None:
            self.leave(before)
        self.starts[after] = self.starts.get(after, 0) + 1
        self.long.stand(after)
        if self.short is not None:
            self.short.stand(after)

    def seen(self, since: int) -> Seen | None:
        """Return the extremes since a watched version, what stood then included. O(log rungs)."""
        long = self.long.extremes(since)
        short = long if self.short is None else self.short.extremes(since)
        return None if long is None or short is None else Seen(*long, *short)
