"""The journal while it is written: records, segments, group commit, errors."""

import os
import stat
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transport import journal_spares
from transport.data_directory import DataDirectory
from transport.journal import (
    Journal,
    JournalFailed,
    JournalFull,
    JournalRecord,
    JournalSettings,
    SyncMode,
)
from transport.journal_spares import Spares

ROOT = Path(__file__).parents[2]
SCHEMA = b"schema-of-the-test"
SMALL = JournalSettings(schema=SCHEMA, sync=SyncMode.NONE, segment_bytes=4096)
INT64 = st.integers(-(2**63), 2**63 - 1)
HANG_S = 30.0


def a_record(seq: int, raw: bytes = b"order") -> JournalRecord:
    return JournalRecord(seq, 1_700_000_000_000_000_000 + seq, 5_000 + seq, seq % 256, raw)


def append_all(journal: Journal, records: list[JournalRecord]) -> None:
    for record in records:
        journal.append(*record)


def wait_until(condition) -> None:
    """Poll until `condition()`; the deadline only guards against a hang."""
    give_up_s = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < give_up_s, "waited in vain"
        threading.Event().wait(0.002)


def descriptor_of(path: Path) -> int:
    """The descriptor under which this process has `path` open for writing."""
    for name in os.listdir("/proc/self/fd"):
        if os.path.realpath(f"/proc/self/fd/{name}") == str(path.resolve()):
            return int(name)
    raise AssertionError(f"{path} is not open")


def make_unsyncable(path: Path) -> None:
    """Put a pipe, which refuses to be synced, in the place of the open file `path`."""
    reading, writing = os.pipe()
    os.dup2(writing, descriptor_of(path))
    os.close(reading)
    os.close(writing)


@settings(max_examples=20, deadline=None)
@given(
    inputs=st.lists(
        st.tuples(INT64, INT64, st.integers(0, 255), st.binary(max_size=600)), max_size=40
    )
)
def test_replay_after_reopen_returns_what_was_appended(tmp_path_factory, inputs):
    records = [JournalRecord(seq, *fields) for seq, fields in enumerate(inputs, 1)]
    path = tmp_path_factory.mktemp("journal")
    with DataDirectory(path) as directory:
        with Journal.open(directory, SMALL) as journal:
            append_all(journal, records)
            assert journal.last_seq == len(records)
        with Journal.open(directory, SMALL) as journal:
            assert list(journal.replay()) == records
            assert journal.last_seq == journal.synced_seq == len(records)
            assert journal.last_record == (records[-1] if records else None)
            assert journal.report is not None
            assert journal.report.bytes_cut == 0


def test_replay_from_any_seq_begins_there(tmp_path):
    records = [a_record(seq, b"x" * 300) for seq in range(1, 61)]  # 10 to a segment of 4096.
    with DataDirectory(tmp_path) as directory, Journal.open(directory, SMALL) as journal:
        append_all(journal, records)
        assert len(list((tmp_path / "journal").glob("*.journal"))) >= 6
        for from_seq in range(1, 63):
            assert list(journal.replay(from_seq)) == records[from_seq - 1 :]


def test_reopen_many_times_keeps_one_chain_and_leaves_no_empty_segments(tmp_path):
    with DataDirectory(tmp_path) as directory:
        for start in range(5):
            with Journal.open(directory, SMALL) as journal:
                append_all(journal, [a_record(start * 2 + 1), a_record(start * 2 + 2)])
            with Journal.open(directory, SMALL):
                pass  # Nothing was appended, so its segment gives way to the next.
        with Journal.open(directory, SMALL) as journal:
            assert [record.seq for record in journal.replay()] == list(range(1, 11))
            wait_until((tmp_path / "journal" / "0000000008.journal").exists)
    names = sorted(path.name for path in (tmp_path / "journal").glob("*.journal"))
    assert names == [f"{number:010d}.journal" for number in range(1, 9)]  # 5, current, 2 spare.


def test_append_of_the_largest_record_is_kept_and_one_byte_more_refused(tmp_path):
    large = JournalSettings(schema=SCHEMA, sync=SyncMode.NONE, segment_bytes=4 << 20)
    raw = os.urandom(1 << 20)
    with DataDirectory(tmp_path) as directory:
        with Journal.open(directory, large) as journal:
            journal.append(*a_record(1, raw))
            with pytest.raises(ValueError, match="1048577"):
                journal.append(*a_record(2, raw + b"x"))
            append_all(journal, [a_record(seq, raw) for seq in range(2, 9)])
        with Journal.open(directory, large) as journal:
            assert [record.raw == raw for record in journal.replay()] == [True] * 8


@pytest.mark.parametrize(
    "wrong",
    [
        (3, 0, 0, 0, b""),  # A seq left out.
        (1, 0, 0, 0, b""),  # A seq again.
        (2, 2**63, 0, 0, b""),
        (2, 0, 0, 256, b""),
        (2, 0, 0, 0, "text"),
        (2, 0, 0, 0, b"x" * 4000),  # Over a segment of 4096.
    ],
)
def test_append_of_a_wrong_record_leaves_the_journal_as_it_was(tmp_path, wrong):
    with DataDirectory(tmp_path) as directory:
        with Journal.open(directory, SMALL) as journal:
            journal.append(*a_record(1))
            with pytest.raises((AssertionError, ValueError, TypeError, struct.error)):
                journal.append(*wrong)
            assert journal.last_seq == 1
            journal.append(*a_record(2))
        with Journal.open(directory, SMALL) as journal:
            assert list(journal.replay()) == [a_record(1), a_record(2)]


def test_sync_always_tells_after_each_group_in_order_and_up_to_the_last(tmp_path):
    synced: list[int] = []
    always = JournalSettings(schema=SCHEMA, sync=SyncMode.ALWAYS, segment_bytes=4096)
    with DataDirectory(tmp_path) as directory:
        journal = Journal.open(directory, always, on_synced=synced.append)
        for seq in range(1, 201):
            journal.append(*a_record(seq, b"x" * 100))
            assert journal.synced_seq <= seq
        wait_until(lambda: journal.synced_seq == 200)
        wait_until(lambda: synced and synced[-1] == 200)
        journal.append(*a_record(201))
        wait_until(lambda: synced[-1] == 201)  # With no more appends to push it.
        journal.close()
    assert synced == sorted(set(synced))


def test_sync_interval_tells_without_being_asked(tmp_path):
    synced: list[int] = []
    interval = JournalSettings(schema=SCHEMA, interval_ms=1, segment_bytes=4096)
    with (
        DataDirectory(tmp_path) as directory,
        Journal.open(directory, interval, on_synced=synced.append) as journal,
    ):
        journal.append(*a_record(1))
        wait_until(lambda: synced == [1])
        assert journal.synced_seq == 1


def test_sync_none_waits_for_a_full_segment_or_close(tmp_path):
    synced: list[int] = []
    with DataDirectory(tmp_path) as directory:
        with Journal.open(directory, SMALL, on_synced=synced.append) as journal:
            append_all(journal, [a_record(seq, b"x" * 300) for seq in range(1, 11)])
            assert (synced, journal.synced_seq) == ([], 0)
            journal.append(*a_record(11, b"x" * 300))  # (4096 - 256) // 352 is 10: into the next.
            wait_until(lambda: synced == [10])
        assert synced == [10, 11]


def test_sync_on_request_puts_everything_on_disk(tmp_path):
    with DataDirectory(tmp_path) as directory, Journal.open(directory, SMALL) as journal:
        append_all(journal, [a_record(seq, b"x" * 300) for seq in range(1, 31)])
        journal.sync()
        assert journal.synced_seq == 30


@pytest.mark.parametrize("mode", [SyncMode.ALWAYS, SyncMode.INTERVAL])
def test_failed_sync_is_kept_told_once_and_refuses_every_append(tmp_path, mode):
    failures: list[JournalFailed] = []
    synced: list[int] = []
    keeping = JournalSettings(schema=SCHEMA, sync=mode, interval_ms=5, segment_bytes=4096)
    with DataDirectory(tmp_path) as directory:
        journal = Journal.open(
            directory, keeping, on_synced=synced.append, on_failure=failures.append
        )
        journal.append(*a_record(1))
        wait_until(lambda: journal.synced_seq == 1)
        wait_until((tmp_path / "journal" / "0000000002.journal").exists)
        make_unsyncable(tmp_path / "journal" / "0000000001.journal")
        journal.append(*a_record(2))
        wait_until(lambda: failures)
        for _ in range(2):
            with pytest.raises(JournalFailed, match="Invalid argument"):
                journal.append(*a_record(3))
        with pytest.raises(JournalFailed):
            journal.sync()
        assert failures == [journal.failure]
        assert (journal.last_seq, journal.synced_seq, synced) == (2, 1, [1])
        journal.close()


def test_full_segment_that_cannot_be_synced_is_a_failure_in_every_mode(tmp_path):
    with DataDirectory(tmp_path) as directory:
        journal = Journal.open(directory, SMALL)
        make_unsyncable(tmp_path / "journal" / "0000000001.journal")
        append_all(journal, [a_record(seq, b"x" * 300) for seq in range(1, 12)])
        wait_until(lambda: journal.failure is not None)
        assert journal.synced_seq == 0
        journal.close()


def test_append_after_close_is_refused(tmp_path):
    with DataDirectory(tmp_path) as directory:
        journal = Journal.open(directory, SMALL)
        journal.append(*a_record(1))
        journal.close()
        journal.close()
        with pytest.raises(JournalFailed, match="closed"):
            journal.append(*a_record(2))


@pytest.mark.parametrize("mask", [0, 0o777])
@pytest.mark.parametrize("exists", [True, False])
def test_directory_and_files_are_the_owners_alone_whatever_the_umask(tmp_path, mask, exists):
    if exists:
        (tmp_path / "state").mkdir(mode=0o755)
    old_mask = os.umask(mask)
    try:
        with DataDirectory(tmp_path / "state") as directory:
            with Journal.open(directory, SMALL) as journal:
                append_all(journal, [a_record(seq, b"x" * 300) for seq in range(1, 31)])
            paths = [tmp_path / "state", *(tmp_path / "state").rglob("*")]
    finally:
        os.umask(old_mask)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_dir()}
    assert modes == {0o700}
    modes = {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_file()}
    assert modes == {0o600}


FULL_DISK = """
import resource, sys, time
from pathlib import Path
from transport.data_directory import DataDirectory
from transport.journal import Journal, JournalFull, JournalSettings

path, keep = Path(sys.argv[1]), JournalSettings(schema=b"s", segment_bytes=8192, interval_ms=1)
journal = Journal.open(DataDirectory(path), keep)
reserve = path / "journal" / "0000000003.journal"
while not reserve.exists():
    time.sleep(0.001)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, hard))  # No further segment can be made.
seq = 0
try:
    while True:
        journal.append(seq + 1, 0, 0, 0, b"x" * 300)
        seq += 1
except JournalFull as full:
    assert journal.last_seq == seq and journal.failure is None, full
print(seq, flush=True)
facts = 0
try:
    while True:
        journal.uses_reserve = True  # A fill, a kill: what must not be lost.
        journal.append(seq + 1, 0, 0, 0, b"x" * 300)
        seq, facts = seq + 1, facts + 1
        journal.uses_reserve = False
        try:
            journal.append(seq + 1, 0, 0, 0, b"x")  # An order: though there is room for it.
        except JournalFull:
            continue
        raise AssertionError("the reserve is not for orders")
except JournalFull as full:
    assert journal.last_seq == seq and journal.failure is None, full
journal.uses_reserve = False
print(facts, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
while journal.last_seq == seq:
    try:
        journal.append(seq + 1, 0, 0, 0, b"after")
    except JournalFull:
        time.sleep(0.001)
journal.close()
print([record.seq for record in journal.replay()] == list(range(1, seq + 2)), flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, hard))
try:
    Journal.open(DataDirectory(path / "other"), keep)
except JournalFull as full:
    print("full at start", list((path / "other" / "journal").iterdir()))
"""


def test_full_disk_keeps_a_reserve_for_facts_and_goes_on_when_there_is_room(tmp_path):
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    assert child.stderr == ""
    # 22 records of 352 bytes fit in a segment of 8192 behind its header; the third is the reserve.
    assert child.stdout.split("\n")[:4] == ["44", "22", "True", "full at start []"]


def test_segment_that_does_not_come_in_time_is_said_to_be_a_slow_disk(monkeypatch):
    monkeypatch.setattr(journal_spares, "SPARE_WAIT_S_MAX", 0.01)
    with pytest.raises(JournalFull, match="too slow") as late:
        Spares(lambda _: pytest.fail("nobody makes one"), 2).take(with_reserve=True)
    assert late.value.state == "disk_slow"
