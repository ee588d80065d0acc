"""How far a price moved within a sliding window: exact extremes, kept by two monotone queues.

A price stands until the next one takes its place, so the window begins with the price that stood
when it began. Of two prices the one that was less extreme and ended earlier can never be an extreme
again and is dropped: what is left of the highs falls from the oldest to the newest.
"""

from __future__ import annotations

from bisect import bisect_right

from msgspec import Struct

STRETCHES_MAX = 4096  # Kept on each side; beyond, the oldest two become one that moved no less.
STANDS = 2**63 - 1  # When the price of now ends: not yet.


class Stretch(Struct):
    """A price, and when the next one took its place."""

    milliticks: int
    until_steady_ns: int


class Moves(Struct):
    """The highest and lowest prices of a symbol since each instant of a window."""

    window_ns: int
    highs: list[Stretch] = []
    lows: list[Stretch] = []

    def tell(self, milliticks: int, steady_ns: int) -> None:
        """Take a new price. Amortised O(1)."""
        if self.highs and self.highs[-1].milliticks == milliticks:
            return
        _put(self.highs, milliticks, steady_ns, steady_ns - self.window_ns, 1)
        _put(self.lows, milliticks, steady_ns, steady_ns - self.window_ns, -1)

    def extremes(self, window_ns: int, steady_ns: int) -> tuple[int, int] | None:
        """Return the lowest and the highest price of a window that ends now; None without a price.

        `window_ns` is at most the one that is kept. O(log of what is kept).
        """
        if not self.highs:
            return None
        begin_ns = steady_ns - window_ns
        return _since(self.lows, begin_ns), _since(self.highs, begin_ns)


def _put(
    stretches: list[Stretch], milliticks: int, steady_ns: int, horizon_ns: int, sign: int
) -> None:
    """End the newest stretch and append one that stands; drop what can be no extreme any more."""
    if stretches:
        stretches[-1].until_steady_ns = steady_ns
    while stretches and sign * stretches[-1].milliticks <= sign * milliticks:
        stretches.pop()
    stretches.append(Stretch(milliticks, STANDS))
    while stretches[0].until_steady_ns <= horizon_ns:
        del stretches[0]
    if len(stretches) > STRETCHES_MAX:
        stretches[0].until_steady_ns = stretches[1].until_steady_ns
        del stretches[1]


def _since(stretches: list[Stretch], begin_ns: int) -> int:
    first = bisect_right(stretches, begin_ns, key=lambda stretch: stretch.until_steady_ns)
    return stretches[first].milliticks
