"""Snapshots: written whole or not at all, believed only when whole, tried newest first."""

import json

import pytest

from engine.chain import AnswerChain
from engine.core import Core
from engine.digest import encode_state, state_digest
from riskd.messages import Verdict
from tests.engine.random_inputs import Inputs
from tests.transport.kept import COUNT, SMALL, Kept
from transport.data_directory import DataDirectory
from transport.journal import Journal, JournalDamaged
from transport.journal_extent import EXTENT_NAME
from transport.journal_retention import trim_journal
from transport.process_replay import Replay, recover_books
from transport.snapshot import (
    HEADER_BYTES,
    SnapshotError,
    SnapshotMark,
    list_snapshots,
    prune_snapshots,
    read_header,
    read_snapshot,
    snapshot_path,
    write_snapshot,
)


def recovered(directory):
    with Journal.open(directory, SMALL) as journal:
        found = recover_books(journal)
    return found, state_digest(found.replay.core.state())


@pytest.mark.parametrize("seed", range(4))
def test_recovery_from_snapshot_and_tail_equals_a_replay_of_everything(tmp_path, seed):
    with DataDirectory(tmp_path) as directory:
        kept = Kept(directory, seed=seed, snapshots=(200, 400, COUNT), checkpoints=(300, 500))
        kept.journal.close()
        last_seq = kept.journal.last_seq
        for taken, base_seq in zip((0, 1, 1, 1), (*reversed(kept.written), 0), strict=True):
            for path in list_snapshots(kept.journal.directory)[:taken]:
                path.unlink()
            found, digest = recovered(directory)
            assert (found.replay.base_seq, found.replay.count) == (base_seq, last_seq - base_seq)
            assert digest == kept.digest()
            assert found.replay.chain.value() == kept.chain.value()
            assert found.notes == ()
            assert found.replay.divergences == []


@pytest.mark.parametrize("at", ["header", "state", "tail"])
def test_recovery_from_a_damaged_snapshot_tries_the_older_one_and_says_so(tmp_path, at):
    with DataDirectory(tmp_path) as directory:
        kept = Kept(directory, seed=1, snapshots=(200, 400))
        kept.journal.close()
        newest = list_snapshots(kept.journal.directory)[0]
        blob = bytearray(newest.read_bytes())
        if at == "tail":
            del blob[-1:]
        else:
            blob[40 if at == "header" else HEADER_BYTES + len(blob) // 2] ^= 1
        newest.write_bytes(blob)
        found, digest = recovered(directory)
        assert found.replay.base_seq == kept.written[0]
        assert digest == kept.digest()
        assert len(found.notes) == 1
        assert newest.name in found.notes[0]


def test_snapshot_with_any_byte_changed_or_cut_is_refused(tmp_path):
    core = Core()
    mark = SnapshotMark(b"j" * 16, 0, 0, 0, record_crc=7, answers_hash=AnswerChain().cut())
    path = write_snapshot(tmp_path, mark, encode_state(core.state()))
    whole = path.read_bytes()
    assert read_snapshot(path).header.mark == mark
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x20]) + whole[at + 1 :])
        with pytest.raises(SnapshotError, match=path.name):
            read_snapshot(path)
    for cut_at in range(len(whole)):
        path.write_bytes(whole[:cut_at])
        with pytest.raises(SnapshotError, match=path.name):
            read_snapshot(path)
    path.write_bytes(whole + b" ")
    with pytest.raises(SnapshotError, match=path.name):
        read_snapshot(path)


def test_snapshot_of_an_older_shape_is_read_with_defaults_and_said(tmp_path, monkeypatch):
    """An older riskd's state has no `windows`: it is read, and what is missing is empty."""
    import transport.snapshot as module

    with DataDirectory(tmp_path) as directory:
        kept = Kept(directory, seed=3)
        tree = json.loads(encode_state(kept.core.state()))
        del tree["windows"]
        older = json.dumps(tree, separators=(",", ":")).encode()
        mark = kept.mark()
        kept.journal.sync()
        with monkeypatch.context() as patched:
            patched.setattr(module, "state_shape", lambda: b"an older shape!!")
            write_snapshot(kept.journal.directory, mark, older)
        kept.journal.close()
        found, _ = recovered(directory)
    assert found.replay.base_seq == COUNT
    assert found.replay.core.boards.windows == {}
    assert "another riskd" in found.notes[0]


def test_snapshot_that_cannot_be_written_leaves_nothing(tmp_path):
    mark = SnapshotMark(b"j" * 16, 9, 0, 0, record_crc=7, answers_hash=AnswerChain().cut())
    snapshot_path(tmp_path, 9).mkdir()  # The rename has nowhere to go.
    with pytest.raises(OSError, match="directory"):
        write_snapshot(tmp_path, mark, b"{}")
    assert [path.name for path in tmp_path.iterdir()] == [snapshot_path(tmp_path, 9).name]


def test_unfinished_snapshot_of_a_killed_process_is_removed_at_start(tmp_path):
    with DataDirectory(tmp_path) as directory:
        kept = Kept(directory, seed=1, snapshots=(100,))
        kept.journal.close()
        path = list_snapshots(kept.journal.directory)[0]
        unfinished = path.with_name(f"{path.name}.making")
        unfinished.write_bytes(path.read_bytes()[:50])
        recovered(directory)
        assert not unfinished.exists()


def test_journal_that_ends_before_a_snapshot_is_refused(tmp_path):
    """The snapshot proves that the records had been synced: they went missing since."""
    with DataDirectory(tmp_path) as directory:
        kept = Kept(directory, seed=1, snapshots=(COUNT,))
        kept.journal.close()
        segments = sorted(kept.journal.directory.glob("*.journal"))
        written = [path for path in segments if path.read_bytes()[256:].strip(b"\0")]
        for gone in ([written[-1]], written[1:], segments):
            image = {path: path.read_bytes() for path in gone}
            for path in image:
                path.unlink()
            unused = [path for path in segments if path not in written and path.exists()]
            held = {path: path.read_bytes() for path in unused}
            for path in unused:
                path.unlink()  # Never written to: they would only show that a file is missing.
            (kept.journal.directory / EXTENT_NAME).unlink(missing_ok=True)
            with pytest.raises(JournalDamaged, match=f"seq {kept.written[0]} had been synced"):
                Journal.open(directory, SMALL)
            for path, blob in (image | held).items():
                path.write_bytes(blob)
        _, digest = recovered(directory)
        assert digest == kept.digest()


def test_snapshot_of_another_journal_is_refused(tmp_path):
    with DataDirectory(tmp_path / "a") as one, DataDirectory(tmp_path / "b") as other:
        Kept(one, seed=1, snapshots=(50,)).journal.close()
        kept = Kept(other, seed=1, snapshots=(60,))
        kept.journal.close()
        path = list_snapshots(kept.journal.directory)[0]
        (tmp_path / "a" / "journal" / path.name).write_bytes(path.read_bytes())
        with pytest.raises(SnapshotError, match="another journal"):
            Journal.open(one, SMALL)


def test_tail_that_does_not_follow_the_snapshot_is_refused(tmp_path):
    with DataDirectory(tmp_path) as directory:
        kept = Kept(directory, seed=1)
        mark = kept.mark()
        mark = mark._replace(record_crc=mark.record_crc ^ 1)
        kept.journal.sync()
        write_snapshot(kept.journal.directory, mark, encode_state(kept.core.state()))
        kept.journal.close()
        with pytest.raises(JournalDamaged, match="not the one that the snapshot was taken after"):
            recovered(directory)


def test_trim_keeps_what_the_oldest_snapshot_needs_and_the_newest_are_kept(tmp_path):
    with DataDirectory(tmp_path) as directory:
        kept = Kept(directory, seed=2, snapshots=(100, 200, 300, 400))
        kept.journal.close()
        folder = kept.journal.directory
        assert trim_journal(folder, 1 << 40) == []
        removed = prune_snapshots(folder, 3)
        assert removed == [snapshot_path(folder, kept.written[0]).name]
        before = sorted(folder.glob("*.journal"))
        trimmed = trim_journal(folder, 0)
        assert trimmed == [path.name for path in before[: len(trimmed)]]
        assert 0 < len(trimmed) < len(before)
        for base_seq in reversed(kept.written[1:]):
            found, digest = recovered(directory)
            assert (found.replay.base_seq, digest) == (base_seq, kept.digest())
            snapshot_path(folder, base_seq).unlink()
        with pytest.raises(SnapshotError, match=r"records from seq \d+ on, and no snapshot"):
            recovered(directory)
        assert trim_journal(folder, 0) == []  # Without a snapshot nothing goes.


def test_answers_chain_shows_one_that_was_changed_left_out_or_moved(tmp_path):
    answers = []
    core = Core()
    for message, stamp in Inputs(1).draw(200):
        answer = core.apply(message, stamp)
        if isinstance(answer, Verdict):
            answers.append(answer)
    assert len(answers) > 20

    def chained(told):
        chain = AnswerChain()
        for number, answer in enumerate(told):
            chain.add(answer)
            if number == 9:
                chain.cut()
        return chain.value()

    whole = chained(answers)
    assert chained(answers) == whole
    assert chained(answers[:5] + answers[6:]) != whole
    assert chained([*answers[:5], answers[6], answers[5], *answers[7:]]) != whole
    begun = AnswerChain()
    for answer in answers[:10]:
        begun.add(answer)
    resumed = AnswerChain(begun.cut())
    for answer in answers[10:]:
        resumed.add(answer)
    assert resumed.value() == whole


def test_snapshot_files_are_the_owners_alone(tmp_path):
    with DataDirectory(tmp_path) as directory:
        kept = Kept(directory, seed=1, snapshots=(50,))
        kept.journal.close()
        path = list_snapshots(kept.journal.directory)[0]
        assert path.stat().st_mode & 0o777 == 0o600
        assert read_header(path).mark.seq == kept.written[0]


def test_replay_begun_at_a_snapshot_whose_state_is_not_restored_is_refused(tmp_path):
    """Its hash is right for its bytes, yet they are not what the state becomes again."""
    with DataDirectory(tmp_path) as directory:
        kept = Kept(directory, seed=1)
        mark = kept.mark()
        state = encode_state(kept.core.state())
        path = write_snapshot(kept.journal.directory, mark, state.replace(b":{", b": {", 1))
        with pytest.raises(SnapshotError, match="does not restore"):
            Replay(read_snapshot(path))
        kept.journal.close()
