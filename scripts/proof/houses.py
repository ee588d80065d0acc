"""Three houses of a simulated world: the engine alone, the live actors, and one with a disk.

Each takes inputs one by one, remembers itself in a snapshot, and falls. It comes back as a start of
riskd does: from the newest snapshot and what was journalled after it, or from the journal alone.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from random import Random

from engine.account import Account
from engine.boards import Boards
from engine.chain import AnswerChain
from engine.core import Core, Input
from engine.core_state import CoreState
from engine.desk import Answer
from engine.digest import decode_state, encode_state
from engine.facts import Stamp
from riskd.messages import OrdersPush, Published
from scripts.proof.damage import REMEDIES, places
from tests.engine.live import Live
from tests.transport.kept import SMALL, sent_as
from transport.data_directory import DataDirectory
from transport.journal import Journal
from transport.journal_format import RECORD, JournalError
from transport.journal_retention import trim_journal
from transport.process_replay import recover_books
from transport.snapshot import (
    SnapshotMark,
    list_snapshots,
    prune_snapshots,
    read_header,
    write_snapshot,
)

SYNC_SHARE = 0.1  # Of the inputs: what came before them is on the disk.
SNAPSHOTS_KEPT = 2
Inputs = list[tuple[Input, Stamp]]
Told = tuple[list[tuple[str, Published]], list[tuple[int, OrdersPush]]]


class House:
    """The engine alone, with the inputs themselves for a journal."""

    def __init__(self, inputs: Inputs) -> None:
        self.core = Core()
        self.refused = 0  # Starts, on a journal that was damaged.
        self._inputs = inputs
        self._snapshot: tuple[int, bytes] | None = None

    @property
    def accounts(self) -> Mapping[str, Account]:
        """Return every account as it is now."""
        return self.core.accounts

    @property
    def boards(self) -> Boards:
        """Return what all accounts share."""
        return self.core.boards

    def state(self) -> CoreState:
        """Return everything that must not be forgotten."""
        return self.core.state()

    def take(self, message: Input, stamp: Stamp) -> Answer:
        """Take the input that was journalled last; return its answer."""
        return self.core.apply(message, stamp)

    def told(self) -> Told:
        """Return what the last input published, and what it said to gateways."""
        return told_by(self.core)

    def remember(self) -> None:
        """Write a snapshot."""
        self._snapshot = len(self._inputs), encode_state(self.state())

    def fall(self, random: Random) -> int:
        """Fall and come back; return the seq of the newest record that is left."""
        self.core = self._recovered(random)
        return len(self._inputs)

    def close(self) -> None:
        """Let go of everything."""

    def _recovered(self, random: Random) -> Core:
        core, taken = Core(), 0
        if self._snapshot is not None and random.random() < 0.7:
            taken, payload = self._snapshot
            core.restore(decode_state(payload))
        for message, stamp in self._inputs[taken:]:
            core.apply(message, stamp)
        return core


class LiveHouse(House):
    """The actors, run queue and all, over what a core holds."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs)
        self._live = Live()

    @property
    def accounts(self) -> Mapping[str, Account]:
        """Return every account as it is now."""
        return self._live.system.accounts

    @property
    def boards(self) -> Boards:
        """Return what all accounts share."""
        return self._live.system.boards

    def state(self) -> CoreState:
        """Return everything that must not be forgotten."""
        return self._live.system.state()

    def take(self, message: Input, stamp: Stamp) -> Answer:
        """Take the input that was journalled last; return its answer."""
        answer: Answer = self._live.send(message, stamp)
        assert not self._live.failed, self._live.failed
        assert not self._live.fatal, self._live.fatal
        return answer

    def told(self) -> Told:
        """Return what the last input published, and what it said to gateways."""
        return by_class(self._live.published), [*self._live.said]

    def fall(self, random: Random) -> int:
        """Fall and come back; return the seq of the newest record that is left."""
        self._live.close()
        self._live = Live(self._recovered(random))
        return len(self._inputs)

    def close(self) -> None:
        """Stop every actor."""
        self._live.close()


class DiskHouse(House):
    """The engine with a journal and snapshots in files, which are torn and flipped when it falls.

    Only what was never known to be synced may be lost. Damage before that refuses the start, says
    where and what to do, and the copy that an operator puts back is as good as new. A changed
    record is known to have been synced if one after it says so, or a snapshot does: at the very end
    none may, and then it looks as a torn one.
    """

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs)
        self._root = Path(tempfile.mkdtemp(prefix="house"))
        self._directory = DataDirectory(self._root)
        self._journal = Journal.open(self._directory, SMALL)
        self._random = Random(0)
        self._synced_seq = 0

    def take(self, message: Input, stamp: Stamp) -> Answer:
        """Journal an input, then take it."""
        source, raw = sent_as(message, stamp)
        self._journal.append(*stamp[:3], source, raw)
        answer = self.core.apply(message, stamp)
        if self._random.random() < SYNC_SHARE:
            self._sync()
        return answer

    def remember(self) -> None:
        """Write a snapshot file; old ones and segments that none needs go."""
        self._sync()
        mark = SnapshotMark(
            self._journal.id,
            *self.core.stamp[:3],
            record_crc=self._journal.last_crc,
            answers_hash=AnswerChain().value(),
        )
        write_snapshot(self._journal.directory, mark, encode_state(self.state()))
        prune_snapshots(self._journal.directory, SNAPSHOTS_KEPT)
        trim_journal(self._journal.directory, 0)

    def fall(self, random: Random) -> int:
        """Fall by a kill, by a loss of power that tears the tail, or on a disk that flips bits."""
        self._journal.close()
        self._directory.close()
        if random.random() < 0.3:
            self._tear(random)
        copy = Path(shutil.copytree(self._root, self._root.with_suffix(".copy")))
        promised_seq = self._synced_seq
        if random.random() < 0.5:
            promised_seq = vouched_seq(self._root / "journal")
            self._flip(random)
        try:
            last_seq = self._start()
        except JournalError as error:
            told = str(error)
            assert str(self._root) in told, told
            assert any(remedy in told for remedy in REMEDIES), told
            self.refused += 1
            shutil.rmtree(self._root)
            shutil.copytree(copy, self._root)
            last_seq, promised_seq = self._start(), self._synced_seq
        shutil.rmtree(copy)
        assert last_seq >= promised_seq, f"it knows {last_seq} records, {promised_seq} were synced"
        self._synced_seq = last_seq  # A start syncs what it found.
        return last_seq

    def close(self) -> None:
        """Remove the files."""
        self._journal.close()
        self._directory.close()
        shutil.rmtree(self._root)

    def _sync(self) -> None:
        self._journal.sync()
        self._synced_seq = self._journal.last_seq

    def _start(self) -> int:
        self._directory = DataDirectory(self._root)
        with ExitStack() as stack:
            stack.callback(self._directory.close)
            self._journal = stack.enter_context(Journal.open(self._directory, SMALL))
            self.core = recover_books(self._journal).replay.core
            stack.pop_all()  # It starts: both stay open.
        return self._journal.last_seq

    def _tear(self, random: Random) -> None:
        """Cut the newest record somewhere, if nobody was told that it is on the disk."""
        path, offset, byte_count = places(self._root / "journal")[-1]
        if self._journal.last_seq > self._synced_seq:
            blob = path.read_bytes()
            kept = offset + random.randrange(byte_count)
            path.write_bytes(blob[:kept].ljust(len(blob), b"\0"))

    def _flip(self, random: Random) -> None:
        path = random.choice(sorted((self._root / "journal").glob("*.journal")))
        blob = bytearray(path.read_bytes())
        used = len(bytes(blob).rstrip(b"\0"))
        if used:
            blob[random.randrange(used)] ^= 1 << random.randrange(8)
            path.write_bytes(blob)


def vouched_seq(journal: Path) -> int:
    """Return up to which seq some record, or a snapshot, says that all had been synced."""
    told: list[int] = [
        RECORD.unpack_from(path.read_bytes(), at)[4] for path, at, _ in places(journal)
    ]
    return max([0, *told, *(read_header(path).mark.seq for path in list_snapshots(journal))])


def told_by(core: Core) -> Told:
    """Return what the last input of a core published, and what it said to gateways."""
    published = [(topical.topic, topical.message) for topical in core.published]
    return by_class(published), [(said.session, said.message) for said in core.said]


def by_class(published: list[tuple[str, Published]]) -> list[tuple[str, Published]]:
    """Return what was published in the order that is promised: that of each class of topics."""
    return sorted(published, key=lambda told: told[0].partition(".")[0])


HOUSES = (House, LiveHouse, House, DiskHouse)  # By the seed.
