"""Sliding windows: never more than N in any window of a given length, exactly."""

from __future__ import annotations

from msgspec import Struct

_HEAD_MAX = 64  # Expired charges kept before the list is cut, so that cutting is rare.


class Window(Struct):
    """The instants of the charges of the last window, oldest first, from `head` on."""

    charges: list[int] = []
    head: int = 0

    def charge(self, count_max: int, window_ns: int, now_ns: int) -> int:
        """Return 0 and charge if there is room at `now_ns`, else the span until there is.

        Exact and sliding: of any `count_max + 1` charges the first and the last are at least
        `window_ns` apart. A refusal is not charged, or a flood would lock its sender out. Lowering
        `count_max` binds the charges already made; raising it forgets none. Amortised O(1).
        """
        charges, head = self.charges, self.head
        horizon_ns = now_ns - window_ns
        while head < len(charges) and charges[head] <= horizon_ns:
            head += 1
        if head > _HEAD_MAX and head * 2 > len(charges):
            del charges[:head]
            head = 0
        self.head = head
        if len(charges) - head < count_max:
            charges.append(now_ns)
            return 0
        return charges[-count_max] - horizon_ns if count_max else window_ns
