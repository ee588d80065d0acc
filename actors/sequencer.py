"""The one door: every input that can change state is stamped, journalled, then dispatched."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple, Protocol

from actors.inputs import BY_LOCAL, Input, Message, Reply
from actors.system import System
from engine.chain import AnswerChain
from engine.desk import Answer
from engine.facts import Stamp

SESSION_BYTES = 8
NAME_BYTES_MAX = 255


class Source(IntEnum):
    """Which port an input came through: it tells a replay how to decode the bytes."""

    ORDERS = 0
    TICKS = 1
    CONTROL = 2
    INTERNAL = 3
    SESSION = 4  # The orders port, from a gateway with a session: its number comes first.
    NAMED = 5  # The control port, by the holder of a key: length and name come first.


class Sent(NamedTuple):
    """What came in: through which port, from whom, and the bytes as received."""

    port: int
    session: int
    by: str
    raw: bytes


class Journal(Protocol):
    """What the door needs of a journal: an append that keeps the whole record or raises."""

    def append(self, seq: int, recv_ns: int, steady_ns: int, source: int, raw: bytes) -> object:
        """Keep one input."""


class SteadyClock(Protocol):
    """Wall time for people, steady time for spans."""

    def wall_ns(self) -> int:
        """Return nanoseconds UTC."""

    def steady_ns(self) -> int:
        """Return nanoseconds that never go backwards, over restarts too."""


class Sequencer:
    """Gives inputs their numbers. Owns `seq`; nothing is dispatched that is not journalled.

    Every answer to what was journalled is folded into `chain` before it goes out.
    """

    def __init__(
        self, system: System, journal: Journal, clock: SteadyClock, seq: int, chain: AnswerChain
    ) -> None:
        self._system = system
        self._journal = journal
        self._clock = clock
        self.seq = seq
        self.chain = chain
        self._reply: Reply = lambda _: None  # Of the input that is being dispatched.

    def admit(
        self,
        message: Message,
        raw: bytes,
        source: Source,
        reply: Reply | None = None,
        *,
        session: int = 0,
        by: str = BY_LOCAL,
    ) -> int:
        """Take one input and everything it causes; return its seq.

        `session` is that of a gateway, `by` the name of an operator's key.

        Raises what the journal raises; then nothing has happened.
        """
        if session:
            source, raw = Source.SESSION, session.to_bytes(SESSION_BYTES) + raw
        elif by != BY_LOCAL:
            name = by.encode()
            assert source is Source.CONTROL  # Of other ports the session tells who it is.
            assert len(name) <= NAME_BYTES_MAX
            source, raw = Source.NAMED, bytes((len(name),)) + name + raw
        seq = self.seq + 1
        recv_ns, steady_ns = self._clock.wall_ns(), self._clock.steady_ns()
        self._journal.append(seq, recv_ns, steady_ns, source, raw)
        self.seq = seq
        stamp = Stamp(seq, recv_ns, steady_ns, session)
        if reply is None:
            self._system.dispatch(Input(message, stamp, None, by))
        else:
            self._reply = reply
            self._system.dispatch(Input(message, stamp, self._answer, by))
        return seq

    def _answer(self, answer: Answer) -> None:
        if self.chain.add(answer):
            self._system.run_queue.call_soon(self.chain.fold)
        self._reply(answer)

    def look(self, message: Message, reply: Reply, session: int = 0) -> None:
        """Answer what changes nothing (a dry run): stamped with the last seq, not journalled."""
        stamp = Stamp(self.seq, self._clock.wall_ns(), self._clock.steady_ns(), session)
        last = self._system.last
        self._system.dispatch(Input(message, stamp, reply))
        self._system.last = last


def sent_in(source: int, raw: bytes) -> Sent:
    """Return what came in, of a journal record's source and bytes."""
    if source == Source.SESSION:
        number = int.from_bytes(raw[:SESSION_BYTES])
        return Sent(Source.ORDERS, number, BY_LOCAL, raw[SESSION_BYTES:])
    if source == Source.NAMED:
        end = 1 + raw[0]
        return Sent(Source.CONTROL, 0, raw[1:end].decode(), raw[end:])
    return Sent(source, 0, BY_LOCAL, raw)
