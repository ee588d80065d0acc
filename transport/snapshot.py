"""Snapshots: the whole state at one seq in a file, believed only when every check of it holds.

They lie beside the segments of the journal they belong to. A file is a header, then the canonical
bytes of the state, whose hash the header holds. It is written under another name, synced, renamed,
and its directory synced, so that a name that ends in `.snapshot` is always whole.
"""

from __future__ import annotations

import errno
import os
import struct
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgspec

from engine.core_state import CoreState
from engine.digest import DIGEST_BYTES, decode_state
from transport.data_directory import FILE_MODE, sync_directory
from transport.journal_format import CRC, JournalDamaged, JournalError
from transport.journal_recovery import Recovered
from transport.journal_segment import MAKING_SUFFIX

MAGIC = b"RISKDSNP"
FORMAT = 1
SUFFIX = ".snapshot"
WRITE_BYTES = 4 << 20
# Magic, format, crc of the record at seq; journal id; seq, recv_ns, steady_ns, payload bytes; the
# hashes of the answers so far, of the state, and of the shape that the state's structs had.
HEADER = struct.Struct("<8sII16sQqqQ16s16s16s")
HEADER_BYTES = HEADER.size + CRC.size


class SnapshotError(JournalError):
    """A snapshot that cannot be used; the text names the file and what is wrong with it."""


class SnapshotMark(NamedTuple):
    """Which instant of which journal a snapshot is of; `record_crc` is that of the record `seq`."""

    journal_id: bytes
    seq: int
    recv_ns: int
    steady_ns: int
    record_crc: int
    answers_hash: str  # Of every answer up to `seq`, chained; see `engine.chain`.


class SnapshotHeader(NamedTuple):
    """What the first bytes of a snapshot say."""

    path: Path
    mark: SnapshotMark
    payload_bytes: int
    state_hash: str
    shape: bytes


class Snapshot(NamedTuple):
    """A state that was read back, all of it checked; `is_upgraded` if its shape was older."""

    header: SnapshotHeader
    state: CoreState
    is_upgraded: bool


@cache
def state_shape() -> bytes:
    """Return the fingerprint of the structs that a state is made of."""
    schema = msgspec.json.encode(msgspec.json.schema(CoreState), order="sorted")
    return blake2b(schema, digest_size=DIGEST_BYTES).digest()


def snapshot_path(directory: Path, seq: int) -> Path:
    """Return where the snapshot at `seq` is."""
    return directory / f"{seq:020d}{SUFFIX}"


def write_snapshot(directory: Path, mark: SnapshotMark, payload: bytes) -> Path:
    """Keep a state's canonical bytes; when this returns they survive a loss of power.

    The records up to `mark.seq` must be on disk already: a snapshot proves that they had been.
    Raises OSError, having left nothing behind.
    """
    path = snapshot_path(directory, mark.seq)
    making = path.with_suffix(SUFFIX + MAKING_SUFFIX)
    try:
        descriptor = os.open(
            making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE
        )
        try:
            os.fchmod(descriptor, FILE_MODE)
            _write_all(descriptor, encode_header(mark, payload))
            _write_all(descriptor, payload)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        making.rename(path)
    except OSError:
        making.unlink(missing_ok=True)
        raise
    sync_directory(directory)
    return path


def encode_header(mark: SnapshotMark, payload: bytes) -> bytes:
    """Return the first bytes of the snapshot of `payload`."""
    fields = HEADER.pack(
        MAGIC,
        FORMAT,
        mark.record_crc,
        mark.journal_id,
        mark.seq,
        mark.recv_ns,
        mark.steady_ns,
        len(payload),
        bytes.fromhex(mark.answers_hash),
        blake2b(payload, digest_size=DIGEST_BYTES).digest(),
        state_shape(),
    )
    return fields + CRC.pack(crc32(fields))


def read_header(path: Path) -> SnapshotHeader:
    """Return what a snapshot says of itself. Raises SnapshotError."""
    with path.open("rb") as file:
        return _decode_header(path, file.read(HEADER_BYTES))


def read_snapshot(path: Path) -> Snapshot:
    """Return the state of a snapshot, every byte of the file checked. Raises SnapshotError.

    A state of an older shape is read too: fields that it did not have get their defaults.
    """
    try:
        blob = path.read_bytes()
    except OSError as error:
        raise SnapshotError(f"{path} cannot be read: {error.strerror}") from error
    header = _decode_header(path, blob[:HEADER_BYTES])
    payload = memoryview(blob)[HEADER_BYTES:]
    if len(payload) != header.payload_bytes:
        text = f"{path} holds {len(payload):,} bytes of state, {header.payload_bytes:,} expected"
        raise SnapshotError(text)
    if blake2b(payload, digest_size=DIGEST_BYTES).hexdigest() != header.state_hash:
        raise SnapshotError(f"{path} is damaged: its state does not hash to {header.state_hash}")
    try:
        state = decode_state(payload)
    except (msgspec.DecodeError, ValueError) as error:
        raise SnapshotError(f"{path} is of another riskd: {error}") from error
    if state.seq != header.mark.seq:
        raise SnapshotError(f"{path} says seq {header.mark.seq}, its state is of seq {state.seq}")
    return Snapshot(header, state, header.shape != state_shape())


def list_snapshots(directory: Path) -> list[Path]:
    """Return every snapshot, the newest first."""
    return sorted(directory.glob(f"*{SUFFIX}"), reverse=True)


def prune_snapshots(directory: Path, keep: int) -> list[str]:
    """Remove all but the newest `keep` snapshots; return the names of those removed."""
    assert keep > 0, "the newest snapshot is kept"
    removed = list_snapshots(directory)[keep:]
    for path in removed:
        path.unlink(missing_ok=True)
    return [path.name for path in removed]


def require_claims(directory: Path, recovered: Recovered | None) -> None:
    """Raise when a snapshot proves that records had been synced which the journal has not.

    `recovered` is None when there is no segment at all. Raises JournalDamaged or SnapshotError.
    """
    journal_id, last_seq = None, 0
    if recovered is not None:
        known = (*recovered.segments, *recovered.leftover)
        journal_id, last_seq = known[0].identity.journal_id, recovered.report.last_seq
    for path in list_snapshots(directory):
        try:
            mark = read_header(path).mark
        except (SnapshotError, OSError):
            continue  # What is damaged proves nothing; it is said when it is to be used.
        if journal_id is not None and mark.journal_id != journal_id:
            raise SnapshotError(
                f"{path} belongs to another journal: move it out of the directory, or put back "
                "the segments that it belongs to"
            )
        if mark.seq > last_seq:
            raise JournalDamaged(
                f"the journal ends here, yet {path.name} proves that records up to seq "
                f"{mark.seq} had been synced",
                file=str(directory),
                offset=0,
                seq=last_seq + 1,
            )


def _decode_header(path: Path, blob: bytes) -> SnapshotHeader:
    if len(blob) < HEADER_BYTES or blob[: len(MAGIC)] != MAGIC:
        raise SnapshotError(f"{path} is not a snapshot, or its header is damaged")
    fields = blob[: HEADER.size]
    if blob[HEADER.size : HEADER_BYTES] != CRC.pack(crc32(fields)):
        raise SnapshotError(f"{path} is damaged: the crc of its header is wrong")
    _, version, record_crc, journal_id, seq, recv_ns, steady_ns, *rest = HEADER.unpack(fields)
    if version != FORMAT:
        raise SnapshotError(f"{path} has snapshot format {version}, this riskd reads {FORMAT}")
    payload_bytes, answers_hash, state_hash, shape = rest
    mark = SnapshotMark(journal_id, seq, recv_ns, steady_ns, record_crc, answers_hash.hex())
    return SnapshotHeader(path, mark, payload_bytes, state_hash.hex(), shape)


def _write_all(descriptor: int, blob: bytes) -> None:
    view = memoryview(blob)
    while view:
        written = os.write(descriptor, view[:WRITE_BYTES])
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        view = view[written:]
