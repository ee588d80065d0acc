"""What a fuzzer feeds bytes to, and what must be true whatever they are."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from zlib import crc32

import msgspec
from msgspec.structs import replace

from engine.core import Core
from engine.digest import encode_state
from riskd import codec as codec_module
from riskd import misfit
from riskd.codec import (
    Codec,
    control_codec,
    encode_json,
    encode_msgpack,
    internal_codec,
    orders_codec,
    ticks_codec,
)
from riskd.messages import LimitsPropose, LimitsSet
from riskd.misfit import error_for
from scripts.proof.streams import port_contents
from transport import journal_format, journal_reading, journal_recovery, snapshot
from transport.data_directory import DataDirectory
from transport.journal import DIRECTORY_NAME, Journal
from transport.journal_format import (
    CRC,
    HEADER_BYTES,
    IDENTITY,
    OPENING,
    OPENING_AT,
    RECORD,
    RECORD_BYTES,
    JournalError,
    aligned,
    journal_seed,
)
from transport.journal_reading import JournalReader
from transport.journal_settings import SEGMENT_BYTES_MIN, JournalSettings, SyncMode
from transport.snapshot import SnapshotMark, write_snapshot

CODECS: tuple[Codec[Any], ...] = (orders_codec, control_codec, ticks_codec, internal_codec)
MENDED_SHARE = 0.7  # Of spoilt journals have their crcs made right again, to come further.
NAME = re.compile(rb"[0-9]{1,20}\.(journal|snapshot)|extent")
TINY = JournalSettings(schema=b"fuzz", sync=SyncMode.NONE, segment_bytes=SEGMENT_BYTES_MIN)
KINDS = re.compile("`(int|str|float|bool|object|array|null)")  # That msgspec tells apart.
FILE_END = b"\n--- end of a file ---\n"  # Between the files of a journal that are one input.


class Target(NamedTuple):
    """One thing to be fuzzed."""

    seeds: Callable[[], list[bytes]]  # What a corpus begins with.
    run: Callable[[bytes], str]  # What came of it, without what differs by chance; raises if bad.
    mend: Callable[[bytes, Random], bytes]  # Makes some of what was spoilt right again.
    watched: frozenset[str]  # The files whose lines count as coverage.


def _run_codec(content: bytes) -> str:
    """Decode by the port that the first byte names; a message survives both of its encodings."""
    port = CODECS[content[0] % len(CODECS)] if content else orders_codec
    payload = content[1:]
    try:
        message = port.decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        told = error_for(error, payload, port)
        decode = codec_module.control_answers_codec.decode
        assert decode(encode_json(told)) == told, told
        assert decode(encode_msgpack(told)) == told, told
        words = re.split("[`'\"$0-9]", told.text)[0].strip()
        return f"{told.code} {words} {KINDS.findall(told.text)} {told.field is None}"
    if payload[:1] == b"{":  # There is no NaN in it, so it is the same as JSON again.
        assert port.decode(encode_json(message)) == message, message
    try:
        packed = encode_msgpack(message)
    except OverflowError:  # The value of a limit that is to be judged may be any number at all.
        assert isinstance(message, LimitsSet | LimitsPropose), message
        return f"large {type(message).__name__}"
    assert encode_msgpack(port.decode(packed)) == packed, message
    return type(message).__name__


def _seed_codec() -> list[bytes]:
    ports = ("orders", "control", "ticks")
    right = [port_contents(port)[0] for port in ports]
    return [bytes([at]) + content for at, contents in enumerate(right) for content in contents]


def _run_journal(content: bytes) -> str:
    """Read a directory of damaged files: whole up to some record, or refused by name."""
    with tempfile.TemporaryDirectory(prefix="fuzz") as name:
        directory = Path(name) / DIRECTORY_NAME
        directory.mkdir()
        for file_name, blob in _files(content):
            size = TINY.segment_bytes if file_name.endswith(".journal") else 0
            (directory / file_name).write_bytes(blob.ljust(size, b"\0"))
        try:
            reader = JournalReader(Path(name), TINY.schema)
            seqs = [record.seq for record in reader.replay(reader.first_seq or 1)]
            reader.stat()
            told = reader.verify()
        except JournalError as error:
            return type(error).__name__  # The lines that it came by tell the rest.
        assert seqs == list(range(reader.first_seq or 1, reader.last_seq + 1)), seqs
        assert told["records"] == len(seqs), told
        return f"whole {len(told['snapshots_damaged'])} {reader.recovered.report.bytes_cut > 0}"


def _files(content: bytes) -> list[tuple[str, bytes]]:
    """Return the files that an input is made of; what has no name of a journal's file is none."""
    found = []
    for part in content.split(FILE_END):
        name, _, blob = part.partition(b"\n")
        if NAME.fullmatch(name):
            found.append((name.decode(), blob))
    return found


def _joined(files: list[tuple[str, bytes]]) -> bytes:
    return FILE_END.join(name.encode() + b"\n" + blob for name, blob in files)


def _seed_journal() -> list[bytes]:
    """Return journals of one and of several segments, with and without a snapshot."""
    return [_kept(count, snapshot_seq) for count, snapshot_seq in ((9, 6), (4, 0), (90, 0))]


def _kept(count: int, snapshot_seq: int) -> bytes:
    with tempfile.TemporaryDirectory(prefix="fuzz") as name, DataDirectory(Path(name)) as at:
        with Journal.open(at, TINY) as journal:
            for seq in range(1, count + 1):
                journal.append(seq, 10 * seq, 20 * seq, seq % 5, b"{}" + bytes([seq]) * (seq % 90))
                if seq == snapshot_seq:
                    crc = journal.last_crc
                    mark = SnapshotMark(journal.id, seq, 10 * seq, 20 * seq, crc, "")
                    payload = encode_state(replace(Core().state(), seq=seq))
                    write_snapshot(journal.directory, mark, payload)
        paths = sorted((Path(name) / DIRECTORY_NAME).iterdir())
        blobs = {path.name: path.read_bytes() for path in paths}
    return _joined([(x, y.rstrip(b"\0") if "journal" in x else y) for x, y in blobs.items()])


def _mend_journal(content: bytes, random: Random) -> bytes:
    """Make the crcs of headers and records right again, so that what they guard is read."""
    if random.random() >= MENDED_SHARE:
        return content
    files = [
        (name, _mended(blob) if name.endswith(".journal") else blob)
        for name, blob in _files(content)
    ]
    return _joined(files)


def _mended(blob: bytes) -> bytes:
    if len(blob) < HEADER_BYTES:
        return blob
    mended = bytearray(blob)
    for at, size in ((0, IDENTITY.size), (OPENING_AT, OPENING.size)):
        CRC.pack_into(mended, at + size, crc32(mended[at : at + size]))
    seed = journal_seed(IDENTITY.unpack_from(mended)[5])
    _, previous, _ = OPENING.unpack_from(mended, OPENING_AT)
    offset = HEADER_BYTES
    while offset + RECORD_BYTES <= len(mended):
        _, raw_bytes, _, *fields = RECORD.unpack_from(mended, offset)
        end = offset + RECORD_BYTES + raw_bytes
        if end > len(mended):
            break
        RECORD.pack_into(mended, offset, 0, raw_bytes, previous, *fields)
        previous = crc32(mended[offset + CRC.size : end], seed)
        CRC.pack_into(mended, offset, previous)
        offset = aligned(end)
    return bytes(mended)


TARGETS = {
    "codec": Target(
        _seed_codec,
        _run_codec,
        lambda content, random: content,
        frozenset(str(module.__file__) for module in (codec_module, misfit)),
    ),
    "journal": Target(
        _seed_journal,
        _run_journal,
        _mend_journal,
        frozenset(
            str(module.__file__)
            for module in (journal_format, journal_reading, journal_recovery, snapshot)
        ),
    ),
}
