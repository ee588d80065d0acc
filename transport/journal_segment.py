"""A segment file that is being written: made and synced ahead, then filled through memory."""

from __future__ import annotations

import errno
import mmap
import os
from contextlib import suppress
from pathlib import Path

from transport.data_directory import FILE_MODE, sync_directory
from transport.journal_extent import note_extent
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
FULL, READ_ONLY = "disk_full", "disk_read_only"  # States.
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


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
    """Return a new segment, allocated and synced, its name and the note of it as well.

    Raises JournalFull when there is no room, or nothing can be made in the directory; else OSError.
    Then nothing that counts is left behind: what is unfinished a start removes.
    """
    path = segment_path(directory, identity.number)
    making, byte_count = path.with_suffix(MAKING_SUFFIX), identity.segment_bytes
    try:
        descriptor = os.open(making, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        try:
            os.fchmod(descriptor, FILE_MODE)
            _allocate(descriptor, byte_count)
            os.pwrite(descriptor, encode_identity(identity), 0)
            os.fsync(descriptor)
            os.rename(making, path)
            sync_directory(directory)
            note_extent(directory, identity.number)
            return Segment(path, descriptor, byte_count)
        except OSError:
            os.close(descriptor)
            with suppress(OSError):
                making.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _told(error, directory, byte_count) from error


def _told(error: OSError, directory: Path, byte_count: int) -> Exception:
    """Return what a failure to make a segment means: a state that may pass, or the error itself."""
    what = f"the next journal segment of {byte_count} bytes in {directory} ({error.strerror})"
    if error.errno in _NO_ROOM:
        return JournalFull(f"no room for {what}: free some, and riskd goes on by itself", FULL)
    if error.errno in _READ_ONLY:
        remedy = "make it writable, and riskd goes on by itself"
        return JournalFull(f"no way to make {what}: {remedy}", READ_ONLY)
    return error


def _allocate(descriptor: int, byte_count: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, byte_count)
        return
    zeros = bytes(ZEROS_BYTES)  # macOS: written out, blocks are allocated as well.
    for offset in range(0, byte_count, ZEROS_BYTES):
        os.pwrite(descriptor, zeros[: byte_count - offset], offset)
