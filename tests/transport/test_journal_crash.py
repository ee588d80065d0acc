"""Processes that are killed while they append, and processes that want the same directory."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from transport.data_directory import DataDirectory, DataDirectoryBusyError
from transport.journal import Journal, JournalSettings

ROOT = Path(__file__).parents[2]
HANG_S = 30.0
KEEPING = JournalSettings(schema=b"s", segment_bytes=1 << 16, interval_ms=1)

APPENDING = """
import os, sys
from pathlib import Path
from transport.data_directory import DataDirectory
from transport.journal import Journal, JournalSettings

keep = JournalSettings(schema=b"s", segment_bytes=1 << 16, interval_ms=1)
journal = Journal.open(DataDirectory(Path(sys.argv[1])), keep)
seq = journal.last_seq
while True:
    seq += 1
    journal.append(seq, seq * 3, seq * 5, seq % 200, b"%d " % seq * (seq % 40))
    os.write(1, b"%d\\n" % seq)
"""

HOLDING = """
import sys
from pathlib import Path
from transport.data_directory import DataDirectory

with DataDirectory(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def start(script: str, path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def test_kill_at_any_instant_keeps_every_record_whose_append_returned(tmp_path):
    instants = random.Random(20_190_101)
    told_seq = 0
    for _ in range(10):
        with start(APPENDING, tmp_path) as child:
            assert child.stdout is not None
            for _ in range(instants.randrange(1, 3_000)):
                line = child.stdout.readline()
                assert line, "the child ended by itself"
            child.kill()
            lines = (line + child.stdout.read()).splitlines(keepends=True)
        # The last line may be cut short by the kill.
        told_seq = max(int(line) for line in lines if line.endswith(b"\n"))
        with DataDirectory(tmp_path) as directory, Journal.open(directory, KEEPING) as journal:
            assert journal.last_seq in (told_seq, told_seq + 1)
    with DataDirectory(tmp_path) as directory, Journal.open(directory, KEEPING) as journal:
        for seq, record in enumerate(journal.replay(), 1):
            raw = b"%d " % seq * (seq % 40)
            assert record == (seq, seq * 3, seq * 5, seq % 200, raw)
        assert seq == journal.last_seq >= told_seq
    assert len(list((tmp_path / "journal").glob("*.journal"))) > 10


def test_second_opener_is_refused_by_name_of_the_holder_until_it_is_gone(tmp_path):
    with start(HOLDING, tmp_path) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(DataDirectoryBusyError, match=f"in use by process {child.pid}:"):
            DataDirectory(tmp_path)
        child.kill()
    with DataDirectory(tmp_path) as directory:
        assert directory.is_held
        with pytest.raises(DataDirectoryBusyError, match=f"process {os.getpid()}:"):
            DataDirectory(tmp_path)
    assert not directory.is_held
    with pytest.raises(AssertionError):
        Journal.open(directory, KEEPING)
