"""Which cores riskd runs on: the loop may have one that no other thread of riskd runs on.

ZeroMQ's own thread brings every message to the loop. On the loop's core it waits until the loop
sleeps or the scheduler looks again: while ticks keep the loop busy that was up to 4 ms, every time.
"""

from __future__ import annotations

import os

ALLOWED = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()
THREADS = "/proc/self/task"


def core_problem(core: int) -> str:
    """Return why the loop cannot have this core for itself, empty if it can or is to have none."""
    if core < 0 or (core in ALLOWED and len(ALLOWED) > 1):
        return ""
    if not ALLOWED:
        return "this system does not let a thread choose its core"
    return f"riskd may run on cores {sorted(ALLOWED)}: name one of several"


def keep_core(core: int) -> None:
    """Run the calling thread on this core, and every other that there is on the others."""
    if core < 0:
        return
    own, others = os.getpid(), ALLOWED - {core}
    for name in os.listdir(THREADS):
        try:
            os.sched_setaffinity(int(name), {core} if int(name) == own else others)
        except ProcessLookupError:
            continue  # It has ended meanwhile.


def leave_core() -> None:
    """Let a child of the loop's thread run where the loop does not."""
    if ALLOWED:
        os.sched_setaffinity(0, (ALLOWED - os.sched_getaffinity(0)) or ALLOWED)
