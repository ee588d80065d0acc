"""How many segments a journal has: a note beside them, so that the newest cannot go missing unseen.

The note never names a segment that does not exist: it is written after one is made, and before one
that was never used is removed. What it names and is not there, somebody took away.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from zlib import crc32

from transport.data_directory import FILE_MODE

EXTENT_NAME = "extent"
EXTENT = struct.Struct("<QI")  # Number of the newest segment, crc of that.


def note_extent(directory: Path, number: int) -> None:
    """Note, surviving a loss of power, that segments are made up to `number`. Raises OSError."""
    path = directory / EXTENT_NAME
    blob = EXTENT.pack(number, crc32(number.to_bytes(8, "little")))
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        os.fchmod(descriptor, FILE_MODE)
        os.pwrite(descriptor, blob, 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_extent(directory: Path) -> int:
    """Return up to which number segments are known to have been made, 0 when nothing is known."""
    try:
        blob = (directory / EXTENT_NAME).read_bytes()
    except FileNotFoundError:
        return 0
    if len(blob) != EXTENT.size:
        return 0
    number, crc = EXTENT.unpack(blob)
    return number if crc == crc32(number.to_bytes(8, "little")) else 0
