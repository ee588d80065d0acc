"""Excursion: what a tick and a look-up cost, by how many positions must know their extremes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from itertools import accumulate
from random import Random

from engine.excursion import Ladder, Seen
from scripts.benchmarks.bench import Bench, collector_off, digest, median_of, span_ns

HOLDERS = (1, 10, 100, 1000, 10_000)
SEED = 7


class _Loop:
    """What one update per position and tick would be: its highest and its lowest."""

    def __init__(self, starts: list[int]) -> None:
        self.starts = starts
        self.extremes = [[-(10**9), 10**9] for _ in starts]

    def take(self, at: int, mark: int) -> None:
        for found in self.extremes[: bisect_left(self.starts, at + 1)]:
            if mark > found[0]:
                found[0] = mark
            if mark < found[1]:
                found[1] = mark


def bench_excursion(bench: Bench) -> None:
    """A ladder's tick is as cheap for many positions as for one; a loop over them is not."""
    count = bench.parameter("ticks", smoke=500, full=20_000)
    rounds = bench.parameter("rounds", smoke=2, full=5)
    random = Random(SEED)
    marks = list(accumulate(random.choice((-2, -1, 0, 1, 2)) for _ in range(count)))
    for holders in HOLDERS if not bench.smoke else HOLDERS[:-2]:
        starts = sorted(random.randrange(count) for _ in range(holders))
        with collector_off():
            measured = [_round(marks, starts) for _ in range(rounds)]
        figures = median_of([found for found, _ in measured])
        bench.report(f"{holders:,} positions", figures, digest=measured[0][1])


def _round(marks: list[int], starts: list[int]) -> tuple[dict[str, float], str]:
    """Measure once; return the figures and a digest of what every position has seen."""
    ladder, loop = Ladder(), _Loop(starts)
    looped = marks[: max(1, len(marks) // len(starts))]  # Else it takes minutes.
    asked: list[Seen | None] = []
    figures = {
        "loop_tick_ns": span_ns(lambda: _feed_loop(loop, looped)) / len(looped),
        "tick_ns": span_ns(lambda: _feed(ladder, marks, starts)) / len(marks),
        "look_up_ns": span_ns(lambda: asked.extend(map(ladder.seen, starts))) / len(starts),
        "rungs": float(max(len(ladder.long.high), len(ladder.long.low))),
    }
    return figures, digest(repr(seen).encode() for seen in asked)


def _feed(ladder: Ladder, marks: list[int], starts: list[int]) -> None:
    """Take every mark; a position begins to be watched at each start."""
    take: Callable[[int, int, int], None] = ladder.take
    waiting = iter([*starts, len(marks)])
    next_start = next(waiting)
    for at, mark in enumerate(marks):
        take(at, mark, mark)
        while next_start == at:
            ladder.move(None, at)
            next_start = next(waiting)


def _feed_loop(loop: _Loop, marks: list[int]) -> None:
    """Take marks as if every position were open at each."""
    last = loop.starts[-1]
    for at, mark in enumerate(marks):
        loop.take(last + at, mark)
