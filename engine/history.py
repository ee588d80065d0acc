"""An account's equity over time for a chart: bounded, and no extreme of it is ever lost.

Stretches of time with the highest, the lowest and the last equity of each. When there are too many,
neighbours become one: the chart grows coarser, and its highest and lowest points stay.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

STRETCHES_MAX = 96
FIELDS = 4


class Stretch(NamedTuple):
    """A stretch of time, in money as people see it."""

    from_ns: int
    high: float
    low: float
    last: float


class History:
    """Stretches, oldest first; `note` is amortised O(1)."""

    __slots__ = ("_numbers", "_per_stretch", "_taken")

    def __init__(self) -> None:
        self._numbers = array("d")  # Four of each stretch, one after the other.
        self._per_stretch = 1  # How many notes make a stretch.
        self._taken = 0  # Of them, by the last one.

    def note(self, from_ns: int, high: float, low: float, last: float) -> None:
        """Take what equity did since `from_ns`, when the note before was taken."""
        numbers = self._numbers
        if not numbers or self._taken >= self._per_stretch:
            if len(numbers) >= STRETCHES_MAX * FIELDS:
                self._join()
            numbers = self._numbers
            if self._taken >= self._per_stretch or not numbers:
                numbers.extend((float(from_ns), high, low, last))
                self._taken = 1
                return
        at = len(numbers) - FIELDS
        numbers[at + 1] = max(numbers[at + 1], high)
        numbers[at + 2] = min(numbers[at + 2], low)
        numbers[at + 3] = last
        self._taken += 1

    def stretches(self) -> list[Stretch]:
        """Return every stretch, oldest first."""
        numbers = self._numbers
        return [
            Stretch(int(numbers[at]), *numbers[at + 1 : at + FIELDS])
            for at in range(0, len(numbers), FIELDS)
        ]

    def _join(self) -> None:
        """Make one of every two neighbours."""
        joined = array("d")
        found = self.stretches()
        for one, other in zip(found[::2], found[1::2], strict=True):
            high, low = max(one.high, other.high), min(one.low, other.low)
            joined.extend((float(one.from_ns), high, low, other.last))
        self._numbers = joined
        self._per_stretch *= 2
        self._taken = self._per_stretch  # The last one is full: both of its halves were.
