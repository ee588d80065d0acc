"""A record that brings the process down is shown to, left out for good, and said."""

import os

import pytest

from engine.core import Core
from engine.digest import state_digest
from riskd.messages import Tick
from tests.transport.kept import SMALL, Kept
from transport.data_directory import DataDirectory
from transport.journal import Journal
from transport.process_inquiry import compare
from transport.process_replay import recover_books
from transport.replay_guard import PROGRESS, PROGRESS_NAME, read_skipped


def poison(monkeypatch, seq: int, harm) -> None:
    """Let the engine come to harm at one record."""
    apply = Core.apply

    def poisoned(core, message, stamp, *rest):
        if stamp.seq == seq:
            harm()
        return apply(core, message, stamp, *rest)

    monkeypatch.setattr(Core, "apply", poisoned)


def fail() -> None:
    raise RuntimeError("a bug")


def recovered(directory):
    with Journal.open(directory, SMALL) as journal:
        return recover_books(journal)


def without(kept: Kept, seq: int) -> str:
    """The hash of the state that the kept records lead to without one."""
    core = Core()
    for message, stamp in kept.messages.values():
        if stamp.seq != seq:
            core.apply(message, stamp)
    return state_digest(core.state())


@pytest.mark.parametrize("harm", [fail, os.abort], ids=["exception", "abort"])
def test_record_that_crashes_twice_is_left_out_of_this_and_every_later_start(
    tmp_path, monkeypatch, harm
):
    with DataDirectory(tmp_path) as directory:
        kept = Kept(directory, seed=2, count=300)
        kept.journal.close()
        seq = next(s for s, (m, _) in kept.messages.items() if s > 100 and isinstance(m, Tick))
        if harm is fail:
            with monkeypatch.context() as patched:
                poison(patched, seq, harm)
                with pytest.raises(RuntimeError):
                    recovered(directory)
        else:  # The process is gone: what it leaves is its note.
            (kept.journal.directory / PROGRESS_NAME).write_bytes(PROGRESS.pack(seq))
        with monkeypatch.context() as patched:
            poison(patched, seq, harm)
            found = recovered(directory)
        assert len(found.unsafe) == 1
        assert f"record {seq} " in found.unsafe[0]
        assert state_digest(found.replay.core.state()) == without(kept, seq)
        assert list(read_skipped(kept.journal.directory)) == [seq]
        again = recovered(directory)
        assert again.unsafe == ()
        assert state_digest(again.replay.core.state()) == without(kept, seq)
    assert compare(tmp_path)["state_hash"] == without(kept, seq)


def test_record_at_which_a_start_was_killed_is_applied_if_it_does_no_harm(tmp_path):
    with DataDirectory(tmp_path) as directory:
        kept = Kept(directory, seed=2, count=300)
        kept.journal.close()
        (kept.journal.directory / PROGRESS_NAME).write_bytes(PROGRESS.pack(150))
        found = recovered(directory)
        assert found.unsafe == ()
        assert state_digest(found.replay.core.state()) == kept.digest()
        assert read_skipped(kept.journal.directory) == {}
        assert (kept.journal.directory / PROGRESS_NAME).read_bytes() == PROGRESS.pack(0)
