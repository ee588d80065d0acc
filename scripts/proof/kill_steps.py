"""Kills at a step: the n-th system call of a kind that rolls a segment or keeps a snapshot.

A riskd of this kind looks at each such call whether it is the one that a file names. A snapshot is
written by a child: at its calls the parent dies first, as all of a machine does at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from tests.end_to_end.process import ROOT

# How often each comes: in riskd itself, which makes a segment and notes it, and in the child that
# puts the journal on the disk, writes a snapshot and removes an old one.
CALLS = {
    "riskd": {
        "open": 3,
        "fchmod": 2,
        "posix_fallocate": 1,
        "pwrite": 2,
        "fsync": 3,
        "fdatasync": 2,
        "rename": 1,
    },
    "child": {"open": 3, "fchmod": 1, "write": 2, "fsync": 3, "rename": 1, "unlink": 1},
}
KILLED = """
import os
import signal
from collections import Counter

main, counts = os.getpid(), Counter()

def counted(name, whole):
    def call(*arguments, **named):
        try:
            with open(os.environ["KILL_STEP"]) as file:
                where, wanted, number = file.read().split()
        except FileNotFoundError:
            return whole(*arguments, **named)
        is_there = (os.getpid() == main) is (where == "riskd")
        counts[name] += is_there and wanted == name
        if is_there and counts[name] >= int(number):
            for pid in dict.fromkeys((main, os.getpid())):
                os.kill(pid, signal.SIGKILL)
        return whole(*arguments, **named)

    return call

for name in %r:
    setattr(os, name, counted(name, getattr(os, name)))
"""


class Step(NamedTuple):
    """A call before which everything ends: the `number`-th of those once the load has begun."""

    where: str  # riskd or child.
    call: str
    number: int


STEPS = tuple(
    Step(where, call, at)
    for where, calls in CALLS.items()
    for call, count in calls.items()
    for at in range(1, count + 1)
)


class Trap:
    """Lets a riskd die at a step; until it is set riskd lives."""

    def __init__(self, folder: Path) -> None:
        site = folder / "site"
        site.mkdir(parents=True, exist_ok=True)
        (site / "sitecustomize.py").write_text(KILLED % (list(CALLS["riskd"] | CALLS["child"]),))
        self._file = folder / "step"
        self.settings = {
            "PYTHONPATH": f"{site}{os.pathsep}{ROOT}",
            "KILL_STEP": str(self._file),
        }

    def set(self, step: Step) -> None:
        """Let riskd die at `step`, counted from now on."""
        making = self._file.with_suffix(".making")
        making.write_text(" ".join(map(str, step)))
        making.rename(self._file)

    def unset(self) -> None:
        """Let riskd live again."""
        self._file.unlink(missing_ok=True)
