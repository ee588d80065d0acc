"""Finding out what a journal directory holds; `settle` alone changes it."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from transport.data_directory import sync_directory
from transport.journal_extent import note_extent, read_extent
from transport.journal_format import (
    HEADER_BYTES,
    OPENING,
    RAW_BYTES_MAX,
    RECORD_BYTES,
    SEQ_FIRST,
    ChainEnd,
    Identity,
    JournalDamaged,
    JournalMismatch,
    JournalRecord,
    Opening,
    decode_identity,
    decode_opening,
    find_synced_seq,
    journal_seed,
    read_chain,
    written_bytes,
)

SEGMENT_SUFFIX = ".journal"
CUT_SUFFIX = ".cut"
ID_BYTES = 16
_SEGMENT_NAME = re.compile(r"(\d{10})\.journal")


class SegmentFile(NamedTuple):
    """A segment on disk; `opening` is None when it holds no record, or lost its first page."""

    path: Path
    identity: Identity
    opening: Opening | None


class RecoveryReport(NamedTuple):
    """What a start found at the journal's end.

    `bytes_cut` is 0 after an orderly stop; else the bytes of records that nobody was promised, from
    `offset` of `file` on. `set_aside` are the files renamed because they held nothing but such.
    """

    file: str
    offset: int
    last_seq: int
    bytes_cut: int
    set_aside: tuple[str, ...]


class Recovered(NamedTuple):
    """A journal whose end is known. `segments` join one another; `leftover` come after the end."""

    segments: tuple[SegmentFile, ...]
    leftover: tuple[SegmentFile, ...]
    end: ChainEnd
    last_record: JournalRecord | None
    report: RecoveryReport


def segment_path(directory: Path, number: int) -> Path:
    """Return where segment `number` is."""
    return directory / f"{number:010d}{SEGMENT_SUFFIX}"


def read_segment(path: Path, segment_bytes: int) -> bytes:
    """Return a segment's bytes; what a truncated file lost reads as zeros, as if never written.

    Zeros for one record more are enough, whatever size the header tells.
    """
    blob = path.read_bytes()
    return blob.ljust(min(segment_bytes, len(blob) + RECORD_BYTES + RAW_BYTES_MAX), b"\0")


def list_segments(directory: Path, schema: bytes) -> tuple[SegmentFile, ...]:
    """Return the segments of `directory` in order, with all that their headers can tell checked.

    Raises JournalMismatch or JournalDamaged: another magic, format, schema or journal, a name that
    is not its number, a number missing. O(segments).
    """
    segments: list[SegmentFile] = []
    for path in sorted(directory.glob(f"*{SEGMENT_SUFFIX}")):
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
        identity = decode_identity(header, str(path))
        _check_place(path, identity, segments)
        if identity.schema != schema:
            raise JournalMismatch(
                f"{path} was written with message schema {identity.schema.hex()}, this riskd has "
                f"{schema.hex()}: start the riskd that wrote it, or move the journal away"
            )
        segments.append(SegmentFile(path, identity, decode_opening(header)))
    return tuple(segments)


def _check_place(path: Path, identity: Identity, before: Sequence[SegmentFile]) -> None:
    name = _SEGMENT_NAME.fullmatch(path.name)
    if name is None or int(name[1]) != identity.number:
        raise JournalMismatch(
            f"{path} is segment {identity.number} under another name: rename it back to "
            f"{segment_path(path.parent, identity.number).name}, or remove it if it is a copy"
        )
    if not before:
        return
    previous = before[-1].identity
    if identity.journal_id != previous.journal_id:
        raise JournalMismatch(
            f"{path} belongs to another journal than {before[-1].path.name}: "
            "put back the segment that belongs there"
        )
    if identity.number != previous.number + 1:
        missing = segment_path(path.parent, previous.number + 1)
        first_seq = before[-1].opening.first_seq if before[-1].opening else 0
        raise JournalDamaged(
            f"this segment is missing between {before[-1].path.name} and {path.name}",
            file=str(missing),
            offset=0,
            seq=first_seq,
        )


def recover(directory: Path, schema: bytes) -> Recovered | None:
    """Return where the journal ends, or None when there is none yet. Changes nothing.

    Walks the chain from the segment that held the highest seq known synced when the newest segment
    was opened. Where it breaks, whatever follows is asked: if a whole record says that something at
    or beyond the break had been synced, JournalDamaged is raised; else it is a torn tail.
    """
    extent = read_extent(directory)  # First: a running journal may make one more meanwhile.
    segments = list_segments(directory, schema)
    _require_extent(directory, segments, extent)
    if not segments:
        return None
    seed = journal_seed(segments[0].identity.journal_id)
    index = _walk_from(segments)
    opening = segments[index].opening
    if opening is None:  # Made, but its first record never came, or was lost with its page.
        end = ChainEnd(HEADER_BYTES, SEQ_FIRST, seed)
        return _judge_tail(segments, -1, end, last_record=None)
    end = ChainEnd(HEADER_BYTES, opening.first_seq, opening.previous_crc)
    last_record = None
    while True:
        segment = segments[index]
        chain = read_chain(read_segment(segment.path, segment.identity.segment_bytes), end, seed)
        end, last_of_segment = _exhaust(chain)
        last_record = last_of_segment or last_record
        if index + 1 == len(segments) or not _joins(segments[index + 1], end):
            return _judge_tail(segments, index, end, last_record)
        end = end._replace(offset=HEADER_BYTES)
        index += 1


def _require_extent(directory: Path, segments: Sequence[SegmentFile], extent: int) -> None:
    newest = segments[-1].identity.number if segments else 0
    if newest < extent:
        raise JournalDamaged(
            f"this segment is missing: segments up to number {extent} had been made",
            file=str(segment_path(directory, newest + 1)),
            offset=0,
            seq=0,
        )


def _walk_from(segments: Sequence[SegmentFile]) -> int:
    """Return which segment to begin at: all before it had been synced when a later one opened."""
    openings = [segment.opening for segment in segments if segment.opening is not None]
    synced_seq = max((opening.synced_seq for opening in openings), default=0)
    start = 0
    for index, segment in enumerate(segments):
        if segment.opening is None:
            break
        if segment.opening.first_seq <= synced_seq:
            start = index
    return start


def _exhaust(
    chain: Generator[JournalRecord, None, ChainEnd],
) -> tuple[ChainEnd, JournalRecord | None]:
    last_record = None
    while True:
        try:
            last_record = next(chain)
        except StopIteration as stop:
            end: ChainEnd = stop.value
            return end, last_record


def _joins(segment: SegmentFile, end: ChainEnd) -> bool:
    opening = segment.opening
    if opening is None:
        return False
    return (opening.first_seq, opening.previous_crc) == (end.next_seq, end.previous_crc)


def _judge_tail(
    segments: Sequence[SegmentFile],
    index: int,
    end: ChainEnd,
    last_record: JournalRecord | None,
) -> Recovered:
    """Decide whether what follows the chain's end in segment `index` is torn or damage."""
    seed = journal_seed(segments[0].identity.journal_id)
    bytes_cut, synced_seq = 0, 0
    for later, segment in enumerate(segments[max(index, 0) :], max(index, 0)):
        offset = end.offset if later == index else HEADER_BYTES
        blob = read_segment(segment.path, segment.identity.segment_bytes)
        bytes_cut += max(0, written_bytes(blob) - offset)
        synced_seq = max(synced_seq, find_synced_seq(blob, offset, seed))
        if later != index and segment.opening is not None:
            synced_seq = max(synced_seq, segment.opening.synced_seq)
            bytes_cut += OPENING.size
    place = segments[max(index, 0)].path
    if synced_seq >= end.next_seq:
        raise JournalDamaged(
            f"the record does not join, yet records up to seq {synced_seq} had been synced",
            file=str(place),
            offset=end.offset,
            seq=end.next_seq,
        )
    report = RecoveryReport(str(place), end.offset, end.next_seq - 1, bytes_cut, ())
    return Recovered(
        tuple(segments[: index + 1]), tuple(segments[index + 1 :]), end, last_record, report
    )


def next_identity(recovered: Recovered | None, segment_bytes: int, schema: bytes) -> Identity:
    """Return what the first segment is that is made after what was recovered, or of a new journal.

    Raises nothing. A journal's id is drawn at random, with its first segment.
    """
    if recovered is None:
        return Identity(1, segment_bytes, os.urandom(ID_BYTES), schema)
    known = (*recovered.segments, *recovered.leftover)
    kept = recovered.segments
    number = kept[-1].identity.number + 1 if kept else known[0].identity.number
    return Identity(number, segment_bytes, known[0].identity.journal_id, schema)


def replay_segments(
    segments: Sequence[SegmentFile], from_seq: int, last_seq: int, *, after_crc: int | None = None
) -> Iterator[JournalRecord]:
    """Yield the records from `from_seq` to `last_seq`, each one's place in the chain checked.

    With `after_crc` the first has to name this crc of the record before it. Raises JournalDamaged
    where a record is missing or changed. Reads whole segments, beginning at the one that holds
    `from_seq`.
    """
    opened = [(segment, segment.opening) for segment in segments if segment.opening is not None]
    start = max(
        (i for i, (_, opening) in enumerate(opened) if opening.first_seq <= from_seq), default=0
    )
    end: ChainEnd | None = None
    place = ""
    for segment, opening in opened[start:]:
        if end is not None and not _joins(segment, end):
            break
        if end is None and opening.first_seq > from_seq:
            break
        place, seed = str(segment.path), journal_seed(segment.identity.journal_id)
        begin = ChainEnd(HEADER_BYTES, opening.first_seq, opening.previous_crc)
        blob = read_segment(segment.path, segment.identity.segment_bytes)
        if end is None:  # Up to the first record that is asked for, and no further.
            begin, _ = _exhaust(read_chain(blob, begin, seed, last_seq=from_seq - 1))
            if after_crc is not None and begin[1:] != (from_seq, after_crc):
                raise JournalDamaged(
                    "the record before this one is not the one that the snapshot was taken after",
                    file=place,
                    offset=begin.offset,
                    seq=from_seq,
                )
        end = yield from read_chain(blob, begin, seed, last_seq=last_seq)
    found_seq = from_seq - 1 if end is None else end.next_seq - 1
    if found_seq < last_seq:
        raise JournalDamaged(
            f"the chain breaks here, yet it had reached seq {last_seq}",
            file=place or str(segments[0].path),
            offset=HEADER_BYTES if end is None else end.offset,
            seq=found_seq + 1,
        )


def settle(directory: Path, recovered: Recovered) -> Recovered:
    """Make what was recovered stay as it is, and put what follows its end out of the way.

    Records keep their bytes: a file that holds only such as are cut is renamed, never removed.
    """
    for segment in recovered.segments:
        _sync_file(segment.path)
    segments, leftover = list(recovered.segments), list(recovered.leftover)
    # A segment that never got a record gives way to the fresh one, so that restarts do not add up.
    if segments and recovered.end.offset == HEADER_BYTES and not recovered.report.bytes_cut:
        leftover.insert(0, segments.pop())
    if leftover:  # Before they go, so that the note never names what is not there.
        note_extent(directory, segments[-1].identity.number if segments else 0)
    # The newest first: a start that is killed here must not leave a gap in the numbers.
    put_aside = [_put_aside(directory, file) for file in reversed(leftover)]
    set_aside = sorted(name for name in put_aside if name is not None)
    sync_directory(directory)
    report = recovered.report._replace(set_aside=tuple(set_aside))
    return recovered._replace(segments=tuple(segments), leftover=tuple(leftover), report=report)


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _put_aside(directory: Path, file: SegmentFile) -> str | None:
    """Remove a segment without records, or rename one with records to be cut; return that name."""
    if written_bytes(file.path.read_bytes()[HEADER_BYTES:]) == 0:
        file.path.unlink()
        return None
    number, copy = file.identity.number, 0
    cut = segment_path(directory, number).with_suffix(CUT_SUFFIX)
    while cut.exists():
        copy += 1
        cut = segment_path(directory, number).with_suffix(f"{CUT_SUFFIX}-{copy}")
    file.path.rename(cut)
    return cut.name
