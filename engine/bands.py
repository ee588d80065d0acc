"""Bands: how far the marks may have gone, so that nobody has to look at each of them.

Every symbol's mark stays within a hundredth of where its band was laid; when one leaves, its band
is laid anew and `jumps` grows. While it has not grown, no mark of any symbol differs from what it
was by more than `drift_of` says, and what was made from marks is known to be as near. Derived, so
no part of the state: it decides nothing but the way.
"""

from __future__ import annotations

_WIDTH_PARTS = 100  # Each way, of the mark.
_DRIFT_NUMERATOR, _DRIFT_DENOMINATOR = 21, 1000  # Above 1.01 / 0.99 - 1.


class Bands:
    """The band of each symbol, in milliticks."""

    __slots__ = ("_bands", "jumps")

    def __init__(self) -> None:
        self.jumps = 0
        self._bands: dict[str, tuple[int, int]] = {}

    def tell(self, symbol: str, mark_long: int | None, mark_short: int | None) -> None:
        """Take the marks of a symbol."""
        low, high = self._bands.get(symbol, (1, 0))
        if mark_long is None or mark_short is None:
            self.jumps += 1
        elif not (low <= mark_long <= high and low <= mark_short <= high):
            self.jumps += 1
            width = abs(mark_long) // _WIDTH_PARTS
            self._bands[symbol] = mark_long - width, mark_long + width


def drift_of(money: int) -> int:
    """Return the most that positions of so much gross worth may have gained or lost meanwhile."""
    return money * _DRIFT_NUMERATOR // _DRIFT_DENOMINATOR + 1
