"""A journal of random inputs as a house keeps it, beside the core that took them."""

from __future__ import annotations

from typing import Any

from actors.sequencer import SESSION_BYTES, Source
from engine.chain import AnswerChain
from engine.core import Core, Input
from engine.desk import Answer
from engine.digest import encode_state, state_digest
from engine.facts import Stamp
from riskd import __version__
from riskd.codec import (
    Codec,
    control_codec,
    encode_msgpack,
    internal_codec,
    orders_codec,
    ticks_codec,
)
from riskd.messages import Checkpoint, StateDigest
from tests.engine.random_inputs import Inputs
from transport.data_directory import DataDirectory
from transport.journal import Journal
from transport.journal_settings import SCHEMA, JournalSettings, SyncMode
from transport.snapshot import SnapshotMark, write_snapshot

SMALL = JournalSettings(schema=SCHEMA, sync=SyncMode.NONE, segment_bytes=16384)
COUNT = 600
CODECS: dict[Source, Codec[Any]] = {
    Source.ORDERS: orders_codec,
    Source.TICKS: ticks_codec,
    Source.CONTROL: control_codec,
    Source.INTERNAL: internal_codec,
}


def source_of(message: Input) -> Source:
    """The port that takes a message."""
    return next(source for source, codec in CODECS.items() if isinstance(message, codec.union))


def sent_as(message: Input, stamp: Stamp) -> tuple[Source, bytes]:
    """The port and the bytes by which the journal keeps a message; only a gateway has a session."""
    source, raw = source_of(message), encode_msgpack(message)
    if source is Source.ORDERS and stamp.session:
        return Source.SESSION, stamp.session.to_bytes(SESSION_BYTES) + raw
    return source, raw


class Kept:
    """A journal of random inputs, with snapshots where they are asked for."""

    def __init__(
        self,
        directory: DataDirectory,
        *,
        seed: int,
        snapshots: tuple[int, ...] = (),
        checkpoints: tuple[int, ...] = (),
        count: int = COUNT,
    ) -> None:
        self.journal = Journal.open(directory, SMALL)
        self.core, self.chain = Core(), AnswerChain()
        self.written: list[int] = []  # The seqs of the snapshots.
        self.answers: dict[int, Answer] = {}
        self.messages: dict[int, tuple[Input, Stamp]] = {}
        for message, stamp in Inputs(seed).draw(count):
            self.put(message, stamp)
            if stamp.seq in snapshots:
                self.checkpoint(writes=True)
            if stamp.seq in checkpoints:
                self.checkpoint()

    def put(self, message: Input, stamp: Stamp) -> Answer:
        """Journal one input as the next record, and take it."""
        stamp = stamp._replace(seq=self.journal.last_seq + 1)
        source, raw = sent_as(message, stamp)
        if source is not Source.SESSION:
            stamp = stamp._replace(session=0)
        self.journal.append(*stamp[:3], source, raw)
        answer = self.answers[stamp.seq] = self.core.apply(message, stamp)
        self.messages[stamp.seq] = (message, stamp)
        if answer is not None:
            self.chain.add(answer)
        return answer

    def checkpoint(self, *, writes: bool = False, answers: str = "", state: str = "") -> None:
        """Journal the hashes of answers and state, or wrong ones in their place; maybe a file."""
        at = self.core.stamp
        self.put(Checkpoint(answers_hash=answers or self.chain.value(), version=__version__), at)
        mark = self.mark()
        if writes:
            self.journal.sync()
            write_snapshot(self.journal.directory, mark, encode_state(self.core.state()))
            self.written.append(mark.seq)
        self.put(StateDigest(at_seq=mark.seq, state_hash=state or self.digest()), at)

    def mark(self) -> SnapshotMark:
        """Where the journal is now; the chain of answers is cut there."""
        return SnapshotMark(
            self.journal.id,
            *self.core.stamp[:3],
            record_crc=self.journal.last_crc,
            answers_hash=self.chain.cut(),
        )

    def digest(self) -> str:
        """The hash of the state."""
        return state_digest(self.core.state())
