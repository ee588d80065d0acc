"""The guard of a start: a record that brings the process down is found, shown to, and left out.

While a start replays, a file holds the seq of the record that it is at. When the next start finds
one there, that record is tried in a child first. If the child dies of it, the record is left out
for good, which is written down beside the journal, and the house starts in safe mode.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

from transport.aside import AsideError, run_aside
from transport.data_directory import FILE_MODE, sync_directory
from transport.journal_format import JournalError
from transport.journal_segment import MAKING_SUFFIX

PROGRESS_NAME = "replaying"
SKIPPED_NAME = "skipped"
PROGRESS = struct.Struct("<Q")


class ReplayGuard:
    """Knows which records of a journal are left out, and notes how far a replay has come."""

    def __init__(self, directory: Path) -> None:
        """Open the notes in a journal's `directory`, whose lock is held. Raises OSError."""
        self.skipped = read_skipped(directory)
        self.newly_skipped: list[int] = []
        self._directory = directory
        path = directory / PROGRESS_NAME
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            os.ftruncate(descriptor, PROGRESS.size)
            self._memory = mmap.mmap(descriptor, PROGRESS.size)
        finally:
            os.close(descriptor)
        (self.suspect_seq,) = PROGRESS.unpack(self._memory)

    def enter(self, seq: int) -> None:
        """Note that record `seq` is about to be applied: the note survives what it may do."""
        PROGRESS.pack_into(self._memory, 0, seq)

    def admits(self, seq: int, work: Callable[[], bytes]) -> bool:
        """Return whether a record may be applied; the suspect is, by `work`, in a child first.

        Raises OSError when it brings the child down and that cannot be written down.
        """
        if seq != self.suspect_seq:
            return seq not in self.skipped
        if seq in self.skipped:
            return False
        found = run_aside(work)
        if not isinstance(found, AsideError):
            return True  # It was something else: the process was killed while it was here.
        self._skip(seq, str(found))
        return False

    def close(self) -> None:
        """Note that the replay is through."""
        self.enter(0)
        self._memory.close()

    def _skip(self, seq: int, reason: str) -> None:
        self.skipped = {**self.skipped, seq: reason}
        self.newly_skipped.append(seq)
        path = self._directory / SKIPPED_NAME
        making = path.with_suffix(MAKING_SUFFIX)
        lines = "".join(f"{seq} {' '.join(why.split())}\n" for seq, why in self.skipped.items())
        lines = f"{crc32(lines.encode()):08x}\n{lines}"
        with making.open("w") as file:
            os.fchmod(file.fileno(), FILE_MODE)
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        making.rename(path)
        sync_directory(self._directory)


def read_skipped(directory: Path) -> dict[int, str]:
    """Return the records that are left out of every replay of a journal, with the reasons.

    Raises JournalError when the list is damaged: a replay by another list is another state.
    """
    path = directory / SKIPPED_NAME
    try:
        crc, _, lines = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return {}
    if crc != f"{crc32(lines):08x}".encode():
        raise JournalError(
            f"{path} is damaged: it lists the records that every replay leaves out. Restore it "
            "from a copy, or remove it to have them found again"
        )
    parts = (line.partition(" ") for line in lines.decode().splitlines())
    return {int(seq): why for seq, _, why in parts}
