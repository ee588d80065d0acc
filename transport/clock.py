"""Wall time, and one steady timeline that goes on over restarts."""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """Reads the time for the door; nothing behind the door reads a clock.

    `wall_ns` is the time of day and may step either way. `steady_ns` never goes backwards: within a
    process it advances with the monotonic clock, and over a restart it continues from the last
    steady instant in the journal plus the wall time that passed, or plus nothing when the wall
    clock was set back meanwhile.
    """

    __slots__ = ("_drift_ns", "_monotonic_ns", "_offset_ns", "wall_ns")

    wall_ns: Callable[[], int]
    """Return the nanoseconds since 1970 (UTC) by the machine's clock."""

    def __init__(
        self,
        resume_steady_ns: int = 0,
        resume_wall_ns: int | None = None,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Start at `resume_steady_ns` plus the wall time since `resume_wall_ns`, in nanoseconds.

        Both come from the last record of the journal; without one, steady time starts at 0.
        `wall_ns` and `monotonic_ns` are read instead of the machine's clocks, for simulation.
        """
        wall_now_ns = wall_ns()
        since_wall_ns = wall_now_ns if resume_wall_ns is None else resume_wall_ns
        away_ns = max(0, wall_now_ns - since_wall_ns)
        self._monotonic_ns = monotonic_ns
        monotonic_now_ns = monotonic_ns()
        self._offset_ns = resume_steady_ns + away_ns - monotonic_now_ns
        self._drift_ns = wall_now_ns - monotonic_now_ns
        self.wall_ns = wall_ns  # The clock's own function, so a reading costs one call.

    def take_step_ns(self) -> int:
        """Return how far the wall clock went from the steady one since this was last asked."""
        before_ns, self._drift_ns = self._drift_ns, self.wall_ns() - self._monotonic_ns()
        return self._drift_ns - before_ns

    def steady_ns(self) -> int:
        """Return the nanoseconds of the steady timeline, never less than any returned before."""
        return self._monotonic_ns() + self._offset_ns
