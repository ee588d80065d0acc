"""Who moves together: rows with a coefficient each, that come and go in amortised O(1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOOP_MAX = 40  # Up to so many a plain loop beats numpy: they cross at 41, `scripts/bench tick`.
_FIRST_ROOM = 8


class Holders:
    """A set of rows with a coefficient each. Its order is that of coming, and of swaps on going."""

    __slots__ = ("_at", "_coefficients", "_few", "_rows", "count")

    def __init__(self) -> None:
        self.count = 0
        self._rows: NDArray[np.int64] = np.zeros(_FIRST_ROOM, dtype=np.int64)
        self._coefficients: NDArray[np.float64] = np.zeros(_FIRST_ROOM)
        self._at: dict[int, int] = {}  # Where each row is.
        self._few: list[tuple[int, float]] | None = None  # What a plain loop goes over.

    def put(self, row: int, coefficient: float) -> None:
        """Let a row hold from now on, with this coefficient."""
        place = self._at.get(row)
        if place is None:
            place = self._at[row] = self.count
            self.count += 1
            if place == len(self._rows):
                self._rows = np.concatenate((self._rows, np.zeros_like(self._rows)))
                more = np.zeros_like(self._coefficients)
                self._coefficients = np.concatenate((self._coefficients, more))
            self._rows[place] = row
        self._coefficients[place] = coefficient
        self._few = None

    def drop(self, row: int) -> None:
        """Let a row hold no more; the last takes its place."""
        place = self._at.pop(row, None)
        if place is None:
            return
        self.count -= 1
        if place != self.count:
            last = int(self._rows[self.count])
            self._rows[place] = last
            self._coefficients[place] = self._coefficients[self.count]
            self._at[last] = place
        self._few = None

    def few(self) -> list[tuple[int, float]]:
        """Return rows and coefficients for a plain loop."""
        if self._few is None:
            rows, coefficients = self._rows[: self.count], self._coefficients[: self.count]
            self._few = list(zip(rows.tolist(), coefficients.tolist(), strict=True))
        return self._few

    def rows(self) -> NDArray[np.int64]:
        """Return the rows for numpy."""
        return self._rows[: self.count]

    def coefficients(self) -> NDArray[np.float64]:
        """Return the coefficients, in the order of `rows`."""
        return self._coefficients[: self.count]
