"""A segment file that is being written: made and synced ahead, then filled through memory."""

from __future__ import annotations

import errno
import mmap
import os
from pathlib import Path

from transport.data_directory import FILE_MODE, sync_directory
from transport.journal_format import (
    HEADER_BYTES,
    OPENING_AT,
    Identity,
    JournalFull,
    Opening,
    encode_identity,
    encode_opening,
)
from transport.journal_recovery import segment_path

ZEROS_BYTES = 1 << 20
MAKING_SUFFIX = ".making"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Segment:
    """One preallocated file, mapped: a record is a copy into memory, with no system call.

    The pages are the kernel's, so what was copied survives the process at once; `sync` makes it
    survive the machine. All blocks are allocated when it is made, so that a full disk cannot turn
    a copy into a SIGBUS.
    """

    def __init__(self, path: Path, descriptor: int, segment_bytes: int) -> None:
        """Map `path`, open as `descriptor`, which this object closes."""
        self.path = path
        self.segment_bytes = segment_bytes
        self.memory = mmap.mmap(descriptor, segment_bytes)
        self._descriptor = descriptor

    def open_at(self, opening: Opening) -> int:
        """Write how the segment joins the one before; return where its first record goes."""
        header = encode_opening(opening)
        self.memory[OPENING_AT : OPENING_AT + len(header)] = header
        return HEADER_BYTES

    def sync(self) -> None:
        """Wait until all that was copied is on disk. Any thread; raises OSError."""
        # Linux: fdatasync writes back what was dirtied through the mapping, exactly as msync
        # does, and unlike mmap.flush it lets the interpreter run meanwhile.
        _sync_descriptor(self._descriptor)

    def close(self) -> None:
        """Unmap and close, without syncing and without truncating."""
        self.memory.close()
        os.close(self._descriptor)


_sync_descriptor = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync.


def make_segment(directory: Path, identity: Identity) -> Segment:
    """Return a new segment, allocated and synced, its name as well.

    Raises JournalFull when there is no room, having left nothing behind; else OSError.
    """
    path = segment_path(directory, identity.number)
    making = path.with_suffix(MAKING_SUFFIX)
    descriptor = os.open(making, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    try:
        os.fchmod(descriptor, FILE_MODE)
        _allocate(descriptor, identity.segment_bytes)
        os.pwrite(descriptor, encode_identity(identity), 0)
        os.fsync(descriptor)
        os.rename(making, path)
        sync_directory(directory)
        return Segment(path, descriptor, identity.segment_bytes)
    except OSError as error:
        os.close(descriptor)
        making.unlink(missing_ok=True)
        if error.errno in _NO_ROOM:
            raise JournalFull(
                f"no room for the next journal segment of {identity.segment_bytes} bytes in "
                f"{directory} ({error.strerror}): free some, and riskd goes on by itself"
            ) from error
        raise


def _allocate(descriptor: int, byte_count: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, byte_count)
        return
    zeros = bytes(ZEROS_BYTES)  # macOS: written out, blocks are allocated as well.
    for offset in range(0, byte_count, ZEROS_BYTES):
        os.pwrite(descriptor, zeros[: byte_count - offset], offset)
