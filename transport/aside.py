"""Work on the whole state beside the loop: in a forked child, which sees one instant of it.

A fork copies page tables, not pages: the loop stands still for milliseconds, however much is held.
Beside threads it is safe because of what the child does not do. Only the forking thread exists in
it, so it touches nothing that another thread may have held: no socket, no journal object, no log,
no import. It computes, writes files of its own, tells the result through a pipe, and ends without
running anything that waits for the end of a process.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
import warnings
from collections.abc import Callable
from typing import NoReturn

from transport.cores import leave_core

CHILD_S_MAX = 300.0  # A child that takes longer is ended and has failed.
NICENESS = 5  # Where cores are few, verdicts come first.
DESCRIPTOR_MAX = 1 << 20
READ_BYTES = 1 << 20
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_DONE, _FAILED = b"\1", b"\0"

Work = Callable[[], bytes]


class AsideError(Exception):
    """The child did not do its work; the text says why."""


Done = Callable[[bytes | AsideError], None]


class Aside:
    """At most one child at a time. All methods belong to the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._child: Child | None = None
        self.pause_ns = 0  # How long the loop stood still for the newest fork.

    @property
    def is_busy(self) -> bool:
        """Return whether a child is at work."""
        return self._child is not None

    def start(self, work: Work, done: Done) -> None:
        """Begin `work` in a child; `done` gets its bytes, or why there are none, on the loop."""
        assert self._child is None, "one child at a time"
        begun_ns = time.perf_counter_ns()
        try:
            child = self._child = Child(work)
        except OSError as error:  # No memory or no process for it now: the house goes on without.
            done(AsideError(f"no child could be made: {error}"))
            return
        self.pause_ns = time.perf_counter_ns() - begun_ns

        def read() -> None:
            if child.read():
                self._loop.remove_reader(child.reading)
                self._child = None
                done(child.result())

        self._loop.add_reader(child.reading, read)

    def end_overdue(self) -> None:
        """End a child that takes too long; it is told as a failure."""
        if self._child is not None and self._child.age_s() > CHILD_S_MAX:
            self._child.kill()

    def close(self) -> None:
        """End the child; nobody is told."""
        child, self._child = self._child, None
        if child is not None:
            self._loop.remove_reader(child.reading)
            child.kill()
            child.result()


class Child:
    """One forked child and the pipe through which its result comes."""

    def __init__(self, work: Work) -> None:
        self.reading, writing = os.pipe()
        os.set_blocking(self.reading, False)
        self._told = bytearray()
        self._begun_s = time.monotonic()
        # A signal between the fork and the child's own handlers would be taken as the parent's.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        try:
            with warnings.catch_warnings():
                # Python warns of forks beside threads; why this one is safe is said above.
                warnings.simplefilter("ignore", DeprecationWarning)
                self.pid = os.fork()
            if self.pid == 0:
                _be_child(work, writing, before)
        except OSError:
            os.close(self.reading)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(writing)

    def read(self) -> bool:
        """Take what has come; return whether that is all."""
        try:
            while piece := os.read(self.reading, READ_BYTES):
                self._told += piece
        except BlockingIOError:
            return False
        return True

    def result(self) -> bytes | AsideError:
        """Return the child's result once it has ended. Call once."""
        os.close(self.reading)
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        told = bytes(self._told)
        if code == 0 and told[:1] == _DONE:
            return told[1:]
        if told[:1] == _FAILED:
            return AsideError(told[1:].decode(errors="replace"))
        return AsideError(f"the child ended with {code}")

    def age_s(self) -> float:
        """Return how long it has been at work."""
        return time.monotonic() - self._begun_s

    def kill(self) -> None:
        """End it at once."""
        os.kill(self.pid, signal.SIGKILL)


def run_aside(work: Work) -> bytes | AsideError:
    """Do `work` in a child and wait for it: for work that may bring the process down."""
    child = Child(work)
    os.set_blocking(child.reading, True)
    child.read()
    return child.result()


def _be_child(work: Work, writing: int, mask: set[signal.Signals | int]) -> NoReturn:
    """Work, tell, and end. Never returns to what called the fork."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in _STOPPING:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        # The lock of the data directory and the ports are the parent's: it may die before us.
        os.closerange(3, writing)
        os.closerange(writing + 1, DESCRIPTOR_MAX)
        leave_core()
        os.nice(NICENESS)
        try:
            told = _DONE + work()
        except Exception as error:  # noqa: BLE001 - of whatever kind, it is the parent's to say.
            told = _FAILED + f"{type(error).__name__}: {error}".encode()
        view = memoryview(told)
        while view:
            view = view[os.write(writing, view) :]
        code = 0
    finally:
        os._exit(code)
