"""What a start makes of a journal that was cut, changed, mixed up or taken from another."""

import struct
from pathlib import Path
from zlib import crc32

import pytest

from transport.data_directory import DataDirectory
from transport.journal import (
    Journal,
    JournalDamaged,
    JournalError,
    JournalMismatch,
    JournalSettings,
    SyncMode,
)
from transport.journal_format import ZEROS_BYTES, JournalRecord, written_bytes
from transport.journal_recovery import Recovered, recover, replay_segments

SCHEMA = b"schema-of-the-test"
SMALL = JournalSettings(schema=SCHEMA, sync=SyncMode.NONE, segment_bytes=4096)
FIRST, SECOND = (f"{number:010d}.journal" for number in (1, 2))
HEADER_BYTES = 256  # By hand, as are the layouts below: the tests are the second opinion.
IDENTITY_ID_AT = 32
FIELDS = struct.Struct("<IIQQqqB")
Image = dict[str, bytes]


def a_record(seq: int, raw_bytes: int) -> JournalRecord:
    return JournalRecord(seq, 1_000 + seq, 2_000 + seq, 7, bytes([seq]) * raw_bytes)


def record_bytes(raw_bytes: int) -> int:
    return -(-(45 + raw_bytes) // 8) * 8


def write_image(root: Path, count: int, *, raw_bytes: int, synced: int = 0) -> Image:
    """Append `count` records, syncing after the first `synced`, and return the files."""
    with DataDirectory(root) as directory, Journal.open(directory, SMALL) as journal:
        for seq in range(1, count + 1):
            journal.append(*a_record(seq, raw_bytes))
            if seq == synced:
                journal.sync()
    return {path.name: path.read_bytes() for path in (root / "journal").glob("*.journal")}


def restore(root: Path, image: Image) -> Path:
    directory = root / "journal"
    directory.mkdir(parents=True, exist_ok=True)
    for path in directory.iterdir():
        path.unlink()
    for name, blob in image.items():
        (directory / name).write_bytes(blob)
    return directory


def replayed(found: Recovered) -> list[JournalRecord]:
    return list(replay_segments(found.segments, 1, found.end.next_seq - 1))


def seed_of(image: Image) -> int:
    return crc32(image[FIRST][IDENTITY_ID_AT : IDENTITY_ID_AT + 16])


def forge(record: JournalRecord, *, previous_crc: int, synced_seq: int, seed: int) -> bytes:
    seq, recv_ns, steady_ns, source, raw = record
    rest = FIELDS.pack(len(raw), previous_crc, seq, synced_seq, recv_ns, steady_ns, source) + raw
    return struct.pack("<I", crc32(rest, seed)) + rest


def patch(blob: bytes, offset: int, piece: bytes) -> bytes:
    return blob[:offset] + piece + blob[offset + len(piece) :]


def test_torn_tail_at_every_byte_of_the_last_record_is_cut_and_reported(tmp_path):
    whole = write_image(tmp_path / "whole", 3, raw_bytes=40)[FIRST]
    tail_at = HEADER_BYTES + 2 * record_bytes(40)
    for cut_at in range(tail_at, tail_at + 45 + 40):
        directory = restore(tmp_path / "torn", {FIRST: whole[:cut_at]})
        found = recover(directory, SCHEMA)
        assert found is not None
        assert replayed(found) == [a_record(1, 40), a_record(2, 40)]
        assert (found.report.last_seq, found.report.offset) == (2, tail_at)
        assert found.report.file == str(directory / FIRST)
        assert found.report.bytes_cut == len(whole[tail_at:cut_at].rstrip(b"\0"))


@pytest.mark.parametrize("kept_bytes", [0, 1, 44, 84])
def test_journal_goes_on_after_a_torn_tail_with_one_chain(tmp_path, kept_bytes):
    whole = write_image(tmp_path, 3, raw_bytes=40)[FIRST]
    tail_at = HEADER_BYTES + 2 * record_bytes(40)
    torn_at = tail_at + kept_bytes
    restore(tmp_path, {FIRST: whole[:torn_at] + bytes(4096 - torn_at)})
    other = JournalRecord(3, 1, 2, 3, b"another third")
    with DataDirectory(tmp_path) as directory:
        with Journal.open(directory, SMALL) as journal:
            assert journal.report is not None
            assert journal.report.bytes_cut == len(whole[tail_at:torn_at].rstrip(b"\0"))
            assert journal.last_record == a_record(2, 40)
            journal.append(*other)
        for _ in range(2):  # The tail stays where it was, and is not reported again.
            with Journal.open(directory, SMALL) as journal:
                assert list(journal.replay()) == [a_record(1, 40), a_record(2, 40), other]
                assert journal.report is not None
                assert journal.report.bytes_cut == 0


def test_flipped_bit_anywhere_never_loses_a_synced_record_silently(tmp_path):
    """15 of 20 records are known synced, in two segments: a start yields at least these, or says
    no. It yields nothing but what was written, whatever bit of whatever file is flipped."""
    image = write_image(tmp_path / "whole", 20, raw_bytes=150, synced=15)
    records = [a_record(seq, 150) for seq in range(1, 21)]
    directory = restore(tmp_path / "flipped", image)
    refused, cut = 0, 0
    for name, blob in image.items():
        for at in range(len(blob.rstrip(b"\0")) + 8):
            (directory / name).write_bytes(patch(blob, at, bytes([blob[at] ^ 1 << at % 8])))
            try:
                found = recover(directory, SCHEMA)
                assert found is not None
                seen = replayed(found)
            except JournalError:
                refused += 1
            else:
                assert seen == records[: len(seen)], (name, at)
                assert len(seen) >= 15, (name, at)
                assert len(seen) == 20 or found.report.bytes_cut > 0, (name, at)
                cut += len(seen) < 20
        (directory / name).write_bytes(blob)
    assert refused >= 15 * 195  # Each byte of each synced record at the least.
    assert cut >= 4 * 195  # And those not known synced are cut: all but what proves the sync.


def test_damage_before_what_was_synced_names_file_offset_seq_and_remedy(tmp_path):
    image = write_image(tmp_path, 6, raw_bytes=40, synced=4)
    at = HEADER_BYTES + record_bytes(40)
    directory = restore(tmp_path, {FIRST: patch(image[FIRST], at + 50, b"!")})
    with pytest.raises(JournalDamaged, match=r"seq 2.*up to seq 4.*restore.*reconcile") as raised:
        recover(directory, SCHEMA)
    assert raised.value.file == str(directory / FIRST)
    assert (raised.value.offset, raised.value.seq) == (at, 2)


def test_damage_in_an_earlier_segment_stops_the_replay_that_needs_it(tmp_path):
    image = write_image(tmp_path, 45, raw_bytes=150, synced=24)  # 19 to a segment, in three.
    directory = restore(tmp_path, image | {FIRST: patch(image[FIRST], 300, b"!")})
    with DataDirectory(tmp_path) as locked, Journal.open(locked, SMALL) as journal:
        assert [record.seq for record in journal.replay(20)] == list(range(20, 46))
        with pytest.raises(JournalDamaged, match="seq 1:") as raised:
            list(journal.replay())
    assert raised.value.file == str(directory / FIRST)


def test_stale_record_behind_the_tail_does_not_join(tmp_path):
    """The same journal in another life: its record 6 is whole and in place, its 5 was another."""
    image = write_image(tmp_path, 6, raw_bytes=40)
    blob, size = image[FIRST], record_bytes(40)
    fourth_at = HEADER_BYTES + 3 * size
    fourth_crc = struct.unpack_from("<I", blob, fourth_at)[0]
    other = JournalRecord(5, 1, 2, 3, b"x" * 40)
    piece = forge(other, previous_crc=fourth_crc, synced_seq=0, seed=seed_of(image))
    found = recover(restore(tmp_path, {FIRST: patch(blob, fourth_at + size, piece)}), SCHEMA)
    assert found is not None
    assert replayed(found) == [a_record(seq, 40) for seq in range(1, 5)] + [other]
    assert found.report.bytes_cut == 45 + 40


def test_bytes_of_a_peer_that_look_like_a_record_prove_nothing(tmp_path):
    """A torn tail holds a message with a forged record in it, which says much had been synced. It
    counts only with the journal's own seed, which no peer knows."""
    image = write_image(tmp_path, 2, raw_bytes=40)
    claim = JournalRecord(10_000, 0, 0, 0, b"")
    inside = HEADER_BYTES + record_bytes(40) + 48  # Past the torn second record's start.
    start = patch(image[FIRST], HEADER_BYTES + record_bytes(40), b"torn")
    for seed, proves in ((0, False), (seed_of(image), True)):
        piece = forge(claim, previous_crc=1, synced_seq=9_999, seed=seed)
        directory = restore(tmp_path, {FIRST: patch(start, inside, piece)})
        if proves:
            with pytest.raises(JournalDamaged):
                recover(directory, SCHEMA)
        else:
            found = recover(directory, SCHEMA)
            assert found is not None
            assert replayed(found) == [a_record(1, 40)]


def test_segment_behind_a_lost_tail_is_set_aside_unless_synced(tmp_path):
    image = write_image(tmp_path, 20, raw_bytes=150)  # 19 to a segment: one is in the second.
    last_at = HEADER_BYTES + 18 * record_bytes(150)
    lost = patch(image[FIRST], last_at, bytes(record_bytes(150)))
    restore(tmp_path, image | {FIRST: lost})
    with DataDirectory(tmp_path) as directory:
        with Journal.open(directory, SMALL) as journal:
            assert journal.report is not None
            assert journal.report.set_aside == ("0000000002.cut",)
            assert journal.last_seq == 18
            journal.append(*a_record(19, 3))
        with Journal.open(directory, SMALL) as journal:
            assert journal.last_seq == 19
            assert len(list(journal.replay())) == 19
    assert (tmp_path / "journal" / "0000000002.cut").read_bytes() == image[SECOND]

    image = write_image(tmp_path / "synced", 21, raw_bytes=150, synced=20)
    lost = patch(image[FIRST], last_at, bytes(record_bytes(150)))
    with pytest.raises(JournalDamaged, match="seq 19"):
        recover(restore(tmp_path / "synced", image | {FIRST: lost}), SCHEMA)


def test_directory_of_another_schema_format_or_kind_is_refused(tmp_path):
    image = write_image(tmp_path, 2, raw_bytes=40)
    directory = restore(tmp_path, image)
    with pytest.raises(JournalMismatch, match="schema"):
        recover(directory, b"other")
    with pytest.raises(JournalMismatch, match="format 2"):
        recover(restore(tmp_path, {FIRST: patch(image[FIRST], 8, b"\x02")}), SCHEMA)
    with pytest.raises(JournalMismatch, match="not a journal segment"):
        recover(restore(tmp_path, {FIRST: patch(image[FIRST], 0, b"X")}), SCHEMA)
    with pytest.raises(JournalMismatch, match="not a journal segment"):
        recover(restore(tmp_path, {FIRST: b""}), SCHEMA)
    with pytest.raises(JournalDamaged, match="header"):
        recover(restore(tmp_path, {FIRST: patch(image[FIRST], IDENTITY_ID_AT, b"XX")}), SCHEMA)


def test_segments_swapped_copied_missing_or_foreign_are_refused(tmp_path):
    image = write_image(tmp_path, 50, raw_bytes=150)  # Segments of 19, 19, 12, and a spare.
    other = write_image(tmp_path / "other", 50, raw_bytes=150)
    swapped = image | {FIRST: image[SECOND], SECOND: image[FIRST]}
    copied = image | {"0000000001 copy.journal": image[FIRST]}
    missing = {name: blob for name, blob in image.items() if name != SECOND}
    headless = {name: blob for name, blob in image.items() if name != FIRST}
    for wrong, expected in (
        (swapped, "segment 2 under another name: rename it back"),
        (copied, "segment 1 under another name"),
        (missing, "0000000002.journal.*this segment is missing"),
        (image | {SECOND: other[SECOND]}, "belongs to another journal"),
    ):
        with pytest.raises(JournalError, match=expected):
            recover(restore(tmp_path, wrong), SCHEMA)
    restore(tmp_path, headless)
    with DataDirectory(tmp_path) as directory, Journal.open(directory, SMALL) as journal:
        with pytest.raises(JournalDamaged, match=r"0000000002.journal.*seq 1:"):
            list(journal.replay())
        assert [record.seq for record in journal.replay(20)] == list(range(20, 51))


def test_newest_segments_that_are_gone_are_missed(tmp_path):
    """Nothing in what is left speaks of them: the note of how many were made does."""
    image = write_image(tmp_path, 50, raw_bytes=150)  # Segments of 19, 19, 12, and two spares.
    names = sorted(image)
    for kept in range(len(names)):
        held = {name: image[name] for name in names[:kept]}
        extent = (tmp_path / "journal" / "extent").read_bytes()
        directory = restore(tmp_path, held)
        (directory / "extent").write_bytes(extent)
        with pytest.raises(JournalDamaged, match=rf"{names[kept]}.*missing.*number {len(names)}"):
            recover(directory, SCHEMA)


def test_recover_of_an_empty_directory_finds_no_journal(tmp_path):
    assert recover(tmp_path, SCHEMA) is None


def test_header_that_tells_an_absurd_size_costs_no_memory(tmp_path):
    """Found by the fuzzer: the size was made room for, whatever it was."""
    image = write_image(tmp_path / "written", 3, raw_bytes=20)
    fields = struct.Struct("<8sIIQQ16s64s")
    told = list(fields.unpack_from(image[FIRST]))
    told[4] = 1 << 60
    header = fields.pack(*told)
    forged = patch(image[FIRST], 0, header + struct.pack("<I", crc32(header)))
    found = recover(restore(tmp_path, image | {FIRST: forged}), SCHEMA)
    assert found is not None
    assert replayed(found) == [a_record(seq, 20) for seq in (1, 2, 3)]


@pytest.mark.parametrize("blocks", [0, 1, 3])
@pytest.mark.parametrize("more", [-1, 0, 7])
def test_written_bytes_end_with_the_last_that_is_no_zero(blocks, more):
    size = max(0, blocks * ZEROS_BYTES + more)
    for last in {0, 1, size // 2, ZEROS_BYTES, size - 1} & set(range(size)):
        blob = bytearray(size)
        blob[0] = blob[last] = 1
        assert written_bytes(bytes(blob)) == last + 1
    assert written_bytes(bytes(size)) == 0
