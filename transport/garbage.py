"""Garbage: when its collector looks for cycles, for it is off while verdicts are made.

To look at half a million objects stops everything for 0.1 to 0.2 s. What verdicts, ticks and fills
make is no cycle (measured: none was found in half a million objects of them), so where there is
much, nobody looks: it is frozen, in O(1). Cycles come of errors and of answers to people, a few.
"""

from __future__ import annotations

import gc

YOUNG_MAX = 20_000  # Objects since the last look; more of them are not looked at.


def look_for_garbage(*, is_idle: bool) -> None:
    """Collect cycles if that is quickly done and nobody waits."""
    if gc.get_count()[0] > YOUNG_MAX:
        gc.freeze()
    elif is_idle:
        gc.collect(1)
