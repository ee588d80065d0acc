"""The bytes of the journal: segment headers, records, and the walk along their chain.

A segment is a preallocated file: a header of `HEADER_BYTES`, then records, then zeros. A record
begins at a multiple of 8 and is, little-endian: crc u32 of all that follows it, raw length u32,
crc of the record before u32, seq u64, the highest seq known synced when it was written u64, recv_ns
i64, steady_ns i64, source u8, raw bytes. Crcs start from the journal's random seed. A stale, moved
or foreign record cannot join, for it would have to name the crc of the one before it.
"""

from __future__ import annotations

import struct
from collections.abc import Generator
from typing import NamedTuple
from zlib import crc32

MAGIC = b"RISKDJNL"
FORMAT = 1
SEQ_FIRST = 1
SEQ_MAX = (1 << 64) - 1
HEADER_BYTES = 256
ALIGN_BYTES = 8
SCHEMA_BYTES_MAX = 64
ZEROS_BYTES = 1 << 16  # Of a segment, looked at together.
_ZEROS = bytes(ZEROS_BYTES)
RAW_BYTES_MAX = 1 << 20  # Orders are far smaller; a batch of ticks or a configuration may be this.

# Written when the file is made: magic, format, schema length, number, segment bytes, id, schema.
IDENTITY = struct.Struct("<8sIIQQ16s64s")
# Written when the first record comes: first seq, crc of the record before it, highest seq synced.
OPENING = struct.Struct("<QIQ")
OPENING_AT = 128
CRC = struct.Struct("<I")
FIELDS = struct.Struct("<IIQQqqB")
RECORD = struct.Struct("<IIIQQqqB")
RECORD_BYTES = RECORD.size


class JournalError(Exception):
    """Something about the journal that the operator has to know; the text says what to do."""


class JournalFull(JournalError):
    """There is no next segment now. Nothing changed; a later append may succeed.

    `state` says in a word what is wrong: disk_full, disk_read_only or disk_slow.
    """

    def __init__(self, text: str, state: str) -> None:
        super().__init__(text)
        self.state = state


class JournalFailed(JournalError):
    """Writing or syncing failed: nothing more can be acknowledged, for good."""

    state = "journal_failed"


class JournalMismatch(JournalError):
    """A file is not of this journal: other magic, format, schema, journal or place."""


class JournalDamaged(JournalError):
    """Records that had been written are missing or changed, and not merely a torn tail.

    `file`, `offset` in bytes and `seq` say where the first one that cannot be read should be.
    """

    def __init__(self, what: str, *, file: str, offset: int, seq: int) -> None:
        super().__init__(
            f"{file}, offset {offset}, seq {seq}: {what}. riskd does not start on half a journal: "
            "restore the journal directory from a copy or a standby, or move it away whole to "
            "start empty, and reconcile every account first"
        )
        self.file, self.offset, self.seq = file, offset, seq


class JournalRecord(NamedTuple):
    """One input as it was taken: `raw` are the bytes of the message as received."""

    seq: int
    recv_ns: int
    steady_ns: int
    source: int
    raw: bytes


class Identity(NamedTuple):
    """What a segment file is; fixed when it is made."""

    number: int
    segment_bytes: int
    journal_id: bytes
    schema: bytes


class Opening(NamedTuple):
    """How a segment joins the one before it; written when it gets its first record."""

    first_seq: int
    previous_crc: int
    synced_seq: int


def aligned(byte_count: int) -> int:
    """Return `byte_count` rounded up to where the next record may begin."""
    return -(-byte_count // ALIGN_BYTES) * ALIGN_BYTES


def journal_seed(journal_id: bytes) -> int:
    """Return where the crc of each record starts, and what the first names as the one before it.

    Drawn at random with the journal's id, so that no peer can send bytes that pass for a record.
    """
    return crc32(journal_id)


def encode_identity(identity: Identity) -> bytes:
    """Return the first part of a segment's header."""
    assert len(identity.schema) <= SCHEMA_BYTES_MAX, "a schema fingerprint has at most 64 bytes"
    fields = IDENTITY.pack(
        MAGIC,
        FORMAT,
        len(identity.schema),
        identity.number,
        identity.segment_bytes,
        identity.journal_id,
        identity.schema,
    )
    return fields + CRC.pack(crc32(fields))


def decode_identity(blob: bytes, file: str) -> Identity:
    """Return what the segment is. Raises JournalMismatch when it is none of this format."""
    if len(blob) < HEADER_BYTES or blob[: len(MAGIC)] != MAGIC:
        raise JournalMismatch(f"{file} is not a journal segment: move it out of the directory")
    _, version, schema_bytes, number, size, journal_id, schema = IDENTITY.unpack_from(blob)
    if version != FORMAT:
        raise JournalMismatch(
            f"{file} has journal format {version}, this riskd reads {FORMAT}: "
            "start the riskd that wrote it, or move the journal away to start empty"
        )
    fields = blob[: IDENTITY.size]
    if blob[IDENTITY.size : IDENTITY.size + CRC.size] != CRC.pack(crc32(fields)):
        raise JournalDamaged("the segment's header is damaged", file=file, offset=0, seq=0)
    return Identity(number, size, journal_id, schema[:schema_bytes])


def encode_opening(opening: Opening) -> bytes:
    """Return the part of a segment's header that goes to `OPENING_AT`."""
    fields = OPENING.pack(*opening)
    return fields + CRC.pack(crc32(fields))


def decode_opening(blob: bytes) -> Opening | None:
    """Return how the segment joins, or None when it was not opened, or not whole."""
    fields = blob[OPENING_AT : OPENING_AT + OPENING.size]
    crc_at = OPENING_AT + OPENING.size
    if blob[crc_at : crc_at + CRC.size] != CRC.pack(crc32(fields)):
        return None
    return Opening(*OPENING.unpack(fields))


class ChainEnd(NamedTuple):
    """A place in the chain: where the next record should be, its seq, the crc it has to name."""

    offset: int
    next_seq: int
    previous_crc: int


def read_chain(
    blob: bytes, start: ChainEnd, seed: int, *, from_seq: int = 0, last_seq: int = SEQ_MAX
) -> Generator[JournalRecord, None, ChainEnd]:
    """Follow the records of `blob` that join `start`, at most to `last_seq`; return where they end.

    Those from `from_seq` on are yielded. `seed` is the journal's, from `journal_seed`. O(bytes).
    """
    view = memoryview(blob)
    offset, next_seq, previous_crc = start
    unpack, end = RECORD.unpack_from, len(blob) - RECORD_BYTES
    while offset <= end and next_seq <= last_seq:
        crc, raw_bytes, previous, seq, _, recv_ns, steady_ns, source = unpack(blob, offset)
        raw_at = offset + RECORD_BYTES
        raw_end = raw_at + raw_bytes
        if previous != previous_crc or seq != next_seq or raw_bytes > RAW_BYTES_MAX:
            break
        if raw_end > len(blob) or crc32(view[offset + CRC.size : raw_end], seed) != crc:
            break
        if seq >= from_seq:
            yield JournalRecord(seq, recv_ns, steady_ns, source, blob[raw_at:raw_end])
        previous_crc, next_seq = crc, seq + 1
        offset = (raw_end + ALIGN_BYTES - 1) // ALIGN_BYTES * ALIGN_BYTES
    return ChainEnd(offset, next_seq, previous_crc)


def written_bytes(blob: bytes) -> int:
    """Return how many bytes of a segment are before the zeros that nothing was written over.

    By blocks, for most of a segment is zeros as a rule and a start looks at several.
    """
    end = len(blob)
    while end >= ZEROS_BYTES and blob.endswith(_ZEROS, end - ZEROS_BYTES, end):
        end -= ZEROS_BYTES
    begin = max(0, end - ZEROS_BYTES)
    return begin + len(blob[begin:end].rstrip(b"\0"))


def find_synced_seq(blob: bytes, offset: int, seed: int) -> int:
    """Return the highest seq that self-valid records of `blob` from `offset` on call synced, or 0.

    Self-valid is a record whose own crc is right, whether it joins a chain or not. O(bytes left).
    """
    used_bytes, view = written_bytes(blob), memoryview(blob)
    synced_seq_max = 0
    for at in range(aligned(offset), min(used_bytes, len(blob) - RECORD_BYTES + 1), ALIGN_BYTES):
        crc, raw_bytes, _, seq, synced_seq, _, _, _ = RECORD.unpack_from(blob, at)
        raw_end = at + RECORD_BYTES + raw_bytes
        if raw_bytes > RAW_BYTES_MAX or raw_end > len(blob) or not synced_seq < seq:
            continue
        if synced_seq > synced_seq_max and crc32(view[at + CRC.size : raw_end], seed) == crc:
            synced_seq_max = synced_seq
    return synced_seq_max
