"""Sliding windows: never more than N in any window of a given length, exactly."""

from __future__ import annotations

from bisect import bisect_right
from itertools import islice

from msgspec import Struct

from riskd.messages import DuplicateOrders

NOTES_MAX = 10_000  # Facts counted in one window; a limit above is never passed.
CONTENTS_MAX = 10_000  # Different contents remembered per account.
FORGOTTEN_AT_ONCE = 8  # Contents that nothing reaches any more; divides the most there may be.
CONTENT_NS_MAX = 3_600_000_000_000  # The longest window that may be configured.
_SPENT_MAX = 64  # So many charges are kept anyway; of more at most half are spent, so that
# cutting those off is rare, and a limit that is never reached keeps no more than a low one.


def content_window(told: DuplicateOrders) -> str:
    """Return the name of the window of a limit on repeats, behind that of what is repeated."""
    return f" {told.window_ms}"


class Window(Struct, gc=False):
    """The instants of the charges of the last window, oldest first; before them spent ones."""

    charges: list[int] = []

    def charge(self, count_max: int, window_ns: int, now_ns: int) -> int:
        """Return 0 and charge if there is room at `now_ns`, else what `wait_ns` returns.

        Exact and sliding: of any `count_max + 1` charges the first and the last are at least
        `window_ns` apart. A refusal is not charged, or a flood would lock its sender out. Lowering
        `count_max` binds the charges already made; raising it forgets none. Amortised O(1).
        """
        charges, horizon_ns = self.charges, now_ns - window_ns
        count = len(charges)
        if count >= count_max and (not count_max or charges[-count_max] > horizon_ns):
            return charges[-count_max] - horizon_ns if count_max else window_ns
        charges.append(now_ns)
        if count > _SPENT_MAX and charges[count >> 1] <= horizon_ns:
            del charges[: bisect_right(charges, horizon_ns)]
        return 0

    def note(self, window_ns: int, now_ns: int) -> None:
        """Count what happened although there may be no room: a fact is not refused.

        Keeps what is in the window, and of that the newest `NOTES_MAX`.
        """
        charges = self.charges
        del charges[: bisect_right(charges, now_ns - window_ns)]
        charges.append(now_ns)
        if len(charges) > NOTES_MAX:
            del charges[0]

    def overrun_ns(self, count_max: int, window_ns: int, now_ns: int) -> int:
        """Return the span until at most `count_max` are in the window again, 0 if so now."""
        return _wait_ns(self.charges, count_max + 1, window_ns, now_ns)

    def count(self, window_ns: int, now_ns: int) -> int:
        """Return how many are in the window. O(log charges)."""
        return len(self.charges) - bisect_right(self.charges, now_ns - window_ns)

    def wait_ns(self, count_max: int, window_ns: int, now_ns: int) -> int:
        """Return the span until there is room, 0 if there is; changes nothing. O(1)."""
        return _wait_ns(self.charges, count_max, window_ns, now_ns)


def content_wait_ns(
    contents: dict[str, list[int]], content: str, now_ns: int, *, count_max: int, window_ns: int
) -> int:
    """Return what `charge_content` would, and change nothing."""
    return _wait_ns(contents.get(content, []), count_max, window_ns, now_ns)


def _wait_ns(charges: list[int], count_max: int, window_ns: int, now_ns: int) -> int:
    """Return the span until one more is no more than `count_max` in the window, 0 if it is now."""
    if not count_max:
        return window_ns
    if len(charges) < count_max:
        return 0
    return max(0, charges[-count_max] - now_ns + window_ns)


def charge_content(
    contents: dict[str, list[int]], content: str, now_ns: int, *, count_max: int, window_ns: int
) -> int:
    """Return 0 and charge one more of `content`, else the span until there is room.

    `contents` holds the instants of each content's charges, least recently sent first; what no
    window reaches any more is dropped, and the least recent beyond `CONTENTS_MAX`. `count_max` is
    at least 1.
    """
    charges = contents.pop(content, None)
    if charges is None:
        contents[content] = [now_ns]
        if len(contents) % FORGOTTEN_AT_ONCE == 0:
            _forget(contents, now_ns - CONTENT_NS_MAX)
        return 0
    contents[content] = charges  # Again the most recent.
    horizon_ns = now_ns - window_ns
    while charges and charges[0] <= horizon_ns:
        charges.pop(0)
    if len(charges) < count_max:
        charges.append(now_ns)
        return 0
    return charges[-count_max] - horizon_ns


def _forget(contents: dict[str, list[int]], horizon_ns: int) -> None:
    is_full = len(contents) >= CONTENTS_MAX
    for content in list(islice(contents, FORGOTTEN_AT_ONCE)):
        if not is_full and contents[content][-1] > horizon_ns:
            return
        del contents[content]  # As many as are new since the last time: no order pays for more.
