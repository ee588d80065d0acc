"""Which segments of a journal may go: those behind the oldest snapshot, when they are too many."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from transport.data_directory import sync_directory
from transport.journal_format import HEADER_BYTES, JournalError, decode_identity, decode_opening
from transport.journal_recovery import SEGMENT_SUFFIX
from transport.snapshot import SnapshotError, list_snapshots, read_header


def trim_journal(directory: Path, retain_bytes: int) -> list[str]:
    """Remove segments that no snapshot needs, oldest first, down to `retain_bytes`; return names.

    Nothing is removed without a snapshot, nor a segment that holds a record after the oldest one.
    """
    needed_seq = oldest_snapshot_seq(directory)
    if needed_seq is None:
        return []
    paths = sorted(directory.glob(f"*{SEGMENT_SUFFIX}"))
    total_bytes = sum(path.stat().st_size for path in paths)
    removed = []
    for path, following in pairwise(paths):
        first_seq = first_seq_of(following)
        if total_bytes <= retain_bytes or first_seq is None or first_seq > needed_seq:
            break
        total_bytes -= path.stat().st_size
        path.unlink()
        removed.append(path.name)
    if removed:
        sync_directory(directory)
    return removed


def oldest_snapshot_seq(directory: Path) -> int | None:
    """Return the seq of the oldest snapshot, None when there is none.

    A damaged one counts as if it needed everything: None as well.
    """
    seqs = []
    for path in list_snapshots(directory):
        try:
            seqs.append(read_header(path).mark.seq)
        except SnapshotError:
            return None
    return min(seqs, default=None)


def first_seq_of(path: Path) -> int | None:
    """Return the seq of a segment's first record, None when it never got one."""
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
    try:
        decode_identity(header, str(path))
    except JournalError:
        return None
    opening = decode_opening(header)
    return None if opening is None else opening.first_seq
