"""Following a journal: a start, `riskd replay` and a rebuild fold its records into a core alike."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from actors.sequencer import Source, sent_in
from engine.chain import AnswerChain
from engine.core import BY_LOCAL, Core
from engine.desk import Answer
from engine.digest import state_digest
from engine.facts import Stamp
from riskd import __version__
from riskd.codec import control_codec, internal_codec, orders_codec, ticks_codec
from riskd.messages import ActorFailed, Checkpoint, StateDigest
from transport.journal import Journal
from transport.journal_format import SEQ_FIRST, JournalRecord
from transport.journal_reading import JournalReader
from transport.journal_recovery import SEGMENT_SUFFIX
from transport.journal_retention import first_seq_of
from transport.replay_guard import ReplayGuard, read_skipped
from transport.snapshot import Snapshot, SnapshotError, list_snapshots, read_snapshot

HASH_SHARE = 0.25  # Of a start's time may go into hashing states at checkpoints.
_ANSWERED = frozenset((Source.ORDERS, Source.CONTROL))
_CODECS: dict[int, Any] = {
    Source.ORDERS: orders_codec,
    Source.TICKS: ticks_codec,
    Source.CONTROL: control_codec,
    Source.INTERNAL: internal_codec,
}


# The message, its answer, the core after it, who sent it; no message: as a snapshot had it.
Witness = Callable[[Any, Answer, Core, str], None]


class Divergence(NamedTuple):
    """A place at which a replay did not come to what had been recorded."""

    seq: int
    what: str  # answers or state.
    recorded: str
    found: str

    def __str__(self) -> str:
        """Return it as a sentence."""
        return (
            f"the {self.what} up to seq {self.seq} hash to {self.found}, {self.recorded} was "
            "recorded: what was answered then is not what the journal gives now"
        )


def decode_record(record: JournalRecord) -> Any:
    """Return the message of a record, as its port decoded it."""
    sent = sent_in(record.source, record.raw)
    return _CODECS[sent.port].decode(sent.raw)


def stamp_of(record: JournalRecord) -> Stamp:
    """Return the stamp of a record, the session it came in included."""
    sent = sent_in(record.source, record.raw)
    return Stamp(record.seq, record.recv_ns, record.steady_ns, sent.session)


class Replay:
    """A core that follows a journal, and what showed on the way.

    `unsaid` are the freezes of the newest record that the journal does not hold yet.
    """

    def __init__(
        self,
        snapshot: Snapshot | None = None,
        *,
        hash_share: float = HASH_SHARE,
        skipped: Collection[int] = (),
        witness: Witness | None = None,
    ) -> None:
        """Begin empty or at a snapshot. Raises SnapshotError when its state is not what it was.

        `hash_share` is the part of the time that may go into hashing states, 1 for all of them;
        `skipped` are records that are left out; `witness` sees what each input led to.
        """
        self.skipped = skipped
        self._witness = witness
        self.core = Core()
        self.chain = AnswerChain()
        self.base_seq = 0
        self.count = 0
        self.hashes_compared = 0
        self.divergences: list[Divergence] = []
        self.unsaid: list[ActorFailed] = []
        self._hash_share = hash_share
        self._begun_s, self._hashing_s = monotonic(), 0.0
        self._hashed: tuple[int, str] = (0, "")
        self._version = __version__
        if snapshot is not None:
            self._restore(snapshot)

    def take(self, record: JournalRecord, message: Any = None) -> Answer:
        """Fold in the next record and return its answer; `message` if it is decoded already."""
        if record.seq in self.skipped:
            self.core.stamp = stamp_of(record)
            self.count += 1
            return None
        port, session, by, raw = sent_in(record.source, record.raw)
        message = _CODECS[port].decode(raw) if message is None else message
        stamp = Stamp(record.seq, record.recv_ns, record.steady_ns, session)
        answer = self.core.apply(message, stamp, by)
        if self._witness is not None:
            self._witness(message, answer, self.core, by)
        self.count += 1
        if answer is not None and port in _ANSWERED:
            self.chain.add(answer)
        elif port == Source.INTERNAL:
            self._note(message, record.seq)
        if self.core.faults:
            self.unsaid += self.core.faults
        return answer

    def _note(self, message: Any, seq: int) -> None:
        """Compare what a checkpoint recorded; forget the faults that the journal has told."""
        match message:
            case ActorFailed():
                if message in self.unsaid:
                    self.unsaid.remove(message)
            case Checkpoint():
                self._version = message.version
                self._compare(seq, "answers", message.answers_hash, self.chain.cut())
                self._hash_state(seq)
            case StateDigest() if message.at_seq == self._hashed[0]:
                self.hashes_compared += 1
                self._compare(message.at_seq, "state", message.state_hash, self._hashed[1])

    def _compare(self, seq: int, what: str, recorded: str, found: str) -> None:
        # Another riskd may have worded its answers otherwise, and rightly.
        if recorded != found and self._version == __version__:
            self.divergences.append(Divergence(seq, what, recorded, found))

    def _hash_state(self, seq: int) -> None:
        begun_s = monotonic()
        if self._hashing_s <= self._hash_share * (begun_s - self._begun_s):
            self._hashed = (seq, state_digest(self.core.state()))
            self._hashing_s += monotonic() - begun_s

    def _restore(self, snapshot: Snapshot) -> None:
        header, mark = snapshot.header, snapshot.header.mark
        self.core.restore(snapshot.state)
        self.core.stamp = Stamp(mark.seq, mark.recv_ns, mark.steady_ns)
        if not snapshot.is_upgraded:
            found = state_digest(self.core.state())
            if found != header.state_hash:
                text = f"its state becomes {found}, {header.state_hash} was written"
                raise SnapshotError(f"{header.path} does not restore: {text}")
        self.chain = AnswerChain(mark.answers_hash)
        self.base_seq = mark.seq
        if self._witness is not None:
            self._witness(None, None, self.core, BY_LOCAL)


class Recovery(NamedTuple):
    """The books of a start, and what a person should know of how they came about."""

    replay: Replay
    notes: tuple[str, ...]
    unsafe: tuple[str, ...]  # Why only what reduces risk may pass until somebody has looked.


def recover_books(journal: Journal, witness: Witness | None = None) -> Recovery:
    """Return the state after the newest record: newest usable snapshot, then the tail.

    An older snapshot is tried when one is damaged, the whole journal when none is left. Raises
    JournalDamaged or SnapshotError when that is not possible.
    """
    guard = ReplayGuard(journal.directory)
    notes: list[str] = []
    replay: Replay | None = None
    after_crc: int | None = None
    for path in list_snapshots(journal.directory):
        try:
            snapshot = read_snapshot(path)
            replay = Replay(snapshot, skipped=guard.skipped, witness=witness)
        except SnapshotError as error:
            notes.append(f"{error}; an older one is tried")
            continue
        after_crc = snapshot.header.mark.record_crc
        if snapshot.is_upgraded:
            notes.append(f"{path.name} was written by another riskd; fields it lacks are default")
        break
    if replay is None:
        _require_whole(journal.directory, notes)
        replay = Replay(skipped=guard.skipped, witness=witness)
    enter, take, suspect_seq = guard.enter, replay.take, guard.suspect_seq
    for record in journal.replay(replay.base_seq + 1, after_crc=after_crc):
        enter(record.seq)
        if record.seq == suspect_seq and not guard.admits(
            suspect_seq, partial(_try, replay, record)
        ):
            replay.skipped = guard.skipped
        take(record)
    guard.close()
    unsafe = [f"record {seq} crashed riskd and is left out" for seq in guard.newly_skipped]
    unsafe += [str(found) for found in replay.divergences[:1]]
    return Recovery(replay, tuple(notes), tuple(unsafe))


def _require_whole(directory: Path, wrong: Sequence[str]) -> None:
    """Raise unless the journal is kept from its first record; `wrong` is why no snapshot does."""
    firsts = [first_seq_of(path) for path in sorted(directory.glob(f"*{SEGMENT_SUFFIX}"))]
    first_seq = next((seq for seq in firsts if seq is not None), SEQ_FIRST)
    if first_seq > SEQ_FIRST:
        told = "; ".join(wrong) or "there is no snapshot before what is asked for"
        raise SnapshotError(
            f"{directory} holds records from seq {first_seq} on, and no snapshot to begin at: "
            f"{told}; restore the directory from a copy or a standby"
        )


def _try(replay: Replay, record: JournalRecord) -> bytes:
    """Take a record, where that may end the process."""
    replay.take(record)
    return b""


class Begun(NamedTuple):
    """A replay and the records that it has still to take."""

    replay: Replay
    records: Iterator[JournalRecord]
    snapshot: Snapshot | None


def begin(reader: JournalReader, before_seq: int | None = None) -> Begun:
    """Return a replay at the newest usable snapshot before a seq, or else as early as can be."""
    skipped = read_skipped(reader.directory)
    paths = list_snapshots(reader.directory)
    if before_seq is None:
        paths = [] if reader.first_seq <= 1 else paths[::-1]
    wrong: list[str] = []
    for path in paths:
        try:
            snapshot = read_snapshot(path)
            mark = snapshot.header.mark
            if before_seq is None or mark.seq < before_seq:
                replay = Replay(snapshot, hash_share=1.0, skipped=skipped)
                records = reader.replay(mark.seq + 1, after_crc=mark.record_crc)
                return Begun(replay, records, snapshot)
        except SnapshotError as error:
            wrong.append(str(error))  # Another may do.
    _require_whole(reader.directory, wrong)
    return Begun(Replay(hash_share=1.0, skipped=skipped), reader.replay(), None)
