"""Killed at every system call that rolls, snapshots, renames, trims or recovers."""

import os
import shutil
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from engine.digest import state_digest
from tests.transport.kept import SMALL, Kept
from transport.data_directory import DataDirectory
from transport.journal import Journal
from transport.journal_retention import trim_journal
from transport.process_replay import recover_books
from transport.snapshot import prune_snapshots

CALLS = (
    "open",
    "pwrite",
    "write",
    "fsync",
    "fdatasync",
    "rename",
    "unlink",
    "ftruncate",
    "fchmod",
    "posix_fallocate",
)
SNAPSHOTS = (40, 80, 120, 150)
INPUTS = 170
POINTS_MIN = 40  # Fewer would mean that the calls are no longer seen.
_write = os.write


class Told(Kept):
    """Keeps, and says through a pipe which record is kept. Trims after each snapshot."""

    def __init__(self, directory, tell) -> None:
        self.tell = tell
        self.digests: dict[int, str] = {}
        super().__init__(directory, seed=4, snapshots=SNAPSHOTS, count=INPUTS)

    def put(self, message, stamp):
        answer = super().put(message, stamp)
        self.tell(self.core.stamp.seq)
        return answer

    def checkpoint(self, **wanted) -> None:
        super().checkpoint(**wanted)
        prune_snapshots(self.journal.directory, 2)
        trim_journal(self.journal.directory, 0)


class Stepped(Told):
    """Knows the hash of the state after every record."""

    def put(self, message, stamp):
        answer = super().put(message, stamp)
        self.digests[self.core.stamp.seq] = self.digest()
        return answer


def killed_at(point: int, work: Callable[[Callable[[int], object]], object]) -> tuple[bool, int]:
    """Do `work` in a child that is killed at a call; return whether it was, and what it told."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _arm(point)
            work(lambda seq: _write(writing, b"%d\n" % seq))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        lines = told.read().split()
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status), int(lines[-1]) if lines else 0


def _arm(point: int) -> None:
    """Count the calls of this process, of all its threads; at the `point`-th it is killed."""
    numbers = count(1)

    def counted(whole):
        def call(*arguments, **named):
            if next(numbers) == point:
                os.kill(os.getpid(), signal.SIGKILL)
            return whole(*arguments, **named)

        return call

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    import transport.journal_segment as segment

    segment._sync_descriptor = os.fdatasync


def recovered(root: Path) -> tuple[int, str]:
    with DataDirectory(root) as directory, Journal.open(directory, SMALL) as journal:
        replay = recover_books(journal).replay
        assert replay.divergences == []
        return journal.last_seq, state_digest(replay.core.state())


@pytest.fixture(scope="module")
def digests(tmp_path_factory):
    with DataDirectory(tmp_path_factory.mktemp("whole")) as directory:
        kept = Stepped(directory, lambda _: None)
        kept.journal.close()
    return kept.digests


def test_killed_at_each_call_while_keeping_nothing_told_is_forgotten(tmp_path, digests):
    for point in count(1):
        root = tmp_path / str(point)

        def keep(tell, root=root) -> None:
            with DataDirectory(root) as directory:
                Told(directory, tell).journal.close()

        died, told_seq = killed_at(point, keep)
        last_seq, digest = recovered(root)
        # A record may be in the journal whose append had not returned when the kill came.
        assert told_seq <= last_seq <= told_seq + 1, point
        assert last_seq == 0 or digest == digests[last_seq], point
        shutil.rmtree(root)
        if not died:
            assert last_seq == max(digests)
            break
    assert point > POINTS_MIN, point


def test_killed_at_each_call_while_recovering_the_next_start_is_the_same(tmp_path, digests):
    with DataDirectory(tmp_path / "torn") as directory:
        Told(directory, lambda _: None).journal.close()
    newest = [
        path
        for path in sorted((tmp_path / "torn" / "journal").glob("*.journal"))
        if path.read_bytes()[256:].strip(b"\0")
    ][-1]
    blob = newest.read_bytes()
    newest.write_bytes(blob.rstrip(b"\0")[:-3].ljust(len(blob), b"\0"))  # The last one is torn.
    for point in count(1):
        root = tmp_path / str(point)
        shutil.copytree(tmp_path / "torn", root)

        def recover(tell, root=root) -> None:
            tell(recovered(root)[0])

        died, _ = killed_at(point, recover)
        assert recovered(root) == (max(digests) - 1, digests[max(digests) - 1]), point
        shutil.rmtree(root)
        if not died:
            break
    assert point > POINTS_MIN / 4, point
