"""Segments made ahead of need: one to go on with, and one in reserve for when the disk is full."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from transport.journal_format import JournalFull
from transport.journal_segment import Segment

SPARES = 2
SPARE_RETRY_S = 0.5  # Between attempts to make a segment while the disk is full.
SPARE_WAIT_S_MAX = 5.0  # What an append waits for a segment that is being made.


class Spares:
    """Filled by the sync thread, taken by the appending one.

    The last spare is the reserve: it goes only to what must not be lost, so that fills, cancels and
    kills are journalled when the disk has no room for another segment.
    """

    def __init__(self, make: Callable[[int], Segment], number: int) -> None:
        """Make segments with `make`, which raises JournalFull, from `number` on."""
        self._make, self._number = make, number
        self._ready: deque[Segment] = deque()
        self._full: JournalFull | None = None
        self._given_up = False
        self._changed = threading.Condition()

    @property
    def is_complete(self) -> bool:
        """Return whether no segment is to be made."""
        return len(self._ready) >= SPARES

    @property
    def count(self) -> int:
        """Return how many segments are ready."""
        return len(self._ready)

    def fill(self) -> None:
        """Make what is missing, as far as the disk has room. Raises OSError."""
        while not self.is_complete and not self._given_up:
            try:
                segment = self._make(self._number)
            except JournalFull as error:
                self._full = error
                with self._changed:
                    self._changed.notify_all()
                return
            self._number += 1
            self._full = None
            with self._changed:
                self._ready.append(segment)
                self._changed.notify_all()

    def take(self, *, with_reserve: bool) -> Segment:
        """Return the next segment, the reserve only if asked. Raises JournalFull."""
        needed = 1 if with_reserve else SPARES

        def is_decided() -> bool:
            return len(self._ready) >= needed or self._full is not None or self._given_up

        with self._changed:
            self._changed.wait_for(is_decided, SPARE_WAIT_S_MAX)
            if len(self._ready) < needed:
                raise self.refusal()
            return self._ready.popleft()

    def refusal(self) -> JournalFull:
        """Return why there is no segment."""
        if self._full is not None:
            return JournalFull(str(self._full), self._full.state)
        return JournalFull("the disk is too slow for a new segment", "disk_slow")

    def give_up(self) -> None:
        """Make no more, and let nobody wait."""
        with self._changed:
            self._given_up = True
            self._changed.notify_all()

    def close(self) -> None:
        """Let go of what was never used; the files stay, empty, and a start removes them."""
        for segment in self._ready:
            segment.close()
