"""Waiting for a condition instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

DEADLINE_S = 20.0
POLL_S = 0.002


def wait_until(condition: Callable[[], object]) -> None:
    """Return as soon as `condition` holds; fail after a deadline."""
    until_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < until_s, "the condition did not come true in time"
        time.sleep(POLL_S)
