"""Samples of a figure over time: what it was a window ago, and how far it went since.

Measured on the steady timeline, at looks that are a fixed time apart, so that no tick costs
anything. Kept as the machine's own float64 and int64: a few hundred bytes for each account.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right

from msgspec import Struct

SAMPLES_MAX = 60


class Samples(Struct):
    """A figure at instants that rise."""

    at_ns: bytes = b""
    values: bytes = b""

    def note(self, value: float, now_ns: int, *, spacing_ns: int, keep_ns: int) -> None:
        """Keep a sample, unless the last is younger than that; forget what is older than `keep`.

        The newest of those that are older stays: it is what the figure was when the span began.
        """
        instants, values = array("q", self.at_ns), array("d", self.values)
        if instants and now_ns - instants[-1] < max(spacing_ns, keep_ns // SAMPLES_MAX):
            return
        gone = max(0, bisect_right(instants, now_ns - keep_ns) - 1)
        instants, values = instants[gone:], values[gone:]
        instants.append(now_ns)
        values.append(value)
        self.at_ns, self.values = instants.tobytes(), values.tobytes()

    def shift(self, by: float) -> None:
        """Take a step of the figure that is no move as if it had always been there."""
        self.values = array("d", [value + by for value in array("d", self.values)]).tobytes()

    def before(self, window_ns: int, now_ns: int) -> tuple[float, int] | None:
        """Return the figure when a window that ends now began, and for how long that is.

        None if that is not known: nothing was sampled yet, or not for long before.
        """
        instants = array("q", self.at_ns)
        at = bisect_right(instants, now_ns - window_ns) - 1
        if at < 0 or now_ns - instants[at] > 2 * window_ns:
            return None
        return array("d", self.values)[at], now_ns - instants[at]

    def farthest(self, value: float, window_ns: int, now_ns: int) -> float | None:
        """Return from what the figure came farthest within a window; None without a sample."""
        first = bisect_right(array("q", self.at_ns), now_ns - window_ns - 1)
        return max(
            array("d", self.values)[first:], key=lambda then: abs(value - then), default=None
        )
