"""The door as the ports see it: what comes in is journalled or refused, never half taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from actors.inputs import BY_LOCAL, Message
from actors.sequencer import Sequencer, Source
from actors.system import System
from engine.conflation import Conflation
from engine.desk import AddressedMessage, Answer, account_of
from riskd import __version__
from riskd.codec import encode_msgpack, internal_codec
from riskd.messages import (
    AccountAdd,
    AccountSpec,
    AccountUpdate,
    ActorFailed,
    Amend,
    Basket,
    Check,
    Checkpoint,
    Configure,
    ControlCommand,
    DayBegan,
    Elapse,
    Error,
    InternalMessage,
    MarketState,
    OrdersInput,
    SessionLost,
    StateDigest,
    Tick,
    Ticks,
    TicksMessage,
    Trip,
    Universe,
    Verdict,
    VerdictVoid,
    WorkingOrders,
)
from transport.clock import Clock
from transport.days import Days
from transport.journal import Journal
from transport.journal_format import JournalFailed, JournalFull
from transport.process_replay import Replay
from transport.snapshot import SnapshotMark

Reply = Callable[[Answer], None]
# What can be asked, told or made again: never journalled in the reserve.
DISPENSABLE = (
    Check | Amend | Basket | Tick | Ticks | MarketState | Elapse | Checkpoint | StateDigest
)
PART_MARGIN = 64  # Bytes of what is around the parts of a universe.
TO_ALL = Configure | DayBegan | SessionLost  # Told to accounts that it does not name.


class Taken(NamedTuple):
    """An input as it was taken, to be told again."""

    message: Message
    raw: bytes
    source: Source
    session: int
    by: str


class Door:
    """Admits inputs of every port through the one sequencer.

    When the journal cannot take a record, `refusal` says why and `hindrance` is the state that this
    is. While there is no next segment, its reserve takes what must not be lost (facts, commands),
    and the rest is refused; when it cannot be written at all, everything is.
    """

    def __init__(self, system: System, journal: Journal, clock: Clock, replay: Replay) -> None:
        self.refusal = ""
        self.hindrance = ""  # disk_full, disk_read_only, disk_slow, journal_failed.
        self.state = "starting"  # starting, active, draining, stopped.
        self.refused = 0
        self.on_behind: Callable[[], None] = lambda: None  # Accounts wait: see `catch_up`.
        self._system = system
        self.journal = journal
        self._clock = clock
        self._failures: list[ActorFailed] = replay.unsaid
        self._noted: list[Taken] | None = None  # What one account is told, while it is made anew.
        self._noted_of = ""
        self._days = Days(())
        self._sequencer = Sequencer(system, journal, clock, journal.last_seq, replay.chain)

    @property
    def last_seq(self) -> int:
        """Return the seq of the newest input."""
        return self._sequencer.seq

    def now_ns(self) -> int:
        """Return the wall clock."""
        return self._clock.wall_ns()

    def admit(self, message: OrdersInput, raw: bytes, reply: Reply, session: int = 0) -> int:
        """Take an input of the orders port; return its seq, 0 if it could not be journalled."""
        return self._admit(message, raw, Source.ORDERS, reply, session)

    def conflation(self) -> Conflation:
        """Return what finds out which of the ticks that wait together are to be taken."""
        return Conflation(self._system.boards.quotes)

    def admit_ticks(self, message: TicksMessage, raw: bytes) -> None:
        """Take market data."""
        self._admit(message, raw, Source.TICKS, None)

    def command(
        self, message: ControlCommand, raw: bytes, reply: Reply, by: str = BY_LOCAL
    ) -> None:
        """Take an operator's command; `by` is the name of the key that it came with."""
        if isinstance(message, AccountAdd | AccountUpdate):
            calendar = message.account.calendar
            if calendar not in self._days.names:  # Its day would never begin.
                text = f"account {message.account.id}: there is no calendar {calendar}"
                reply(Error(code="refused", text=text, request_id=message.request_id))
                return
        if not self._admit(message, raw, Source.CONTROL, reply, by=by):
            text = f"not taken: {self.refusal}"
            reply(Error(code="internal", text=text, request_id=message.request_id))

    def look(self, message: Check, reply: Reply, session: int = 0) -> None:
        """Answer a dry run."""
        self._sequencer.look(message, reply, session)

    def working_orders(self, session: int, request_id: str | None) -> WorkingOrders | Error:
        """Return what works of a session's accounts."""
        return self._system.sessions.working_orders(session, self.last_seq, request_id)

    def stands(self, session: int) -> bool:
        """Return whether a session stands."""
        return self._system.boards.sessions.live(session) is not None

    def lose(self, session: int, reason: str) -> None:
        """Journal that a session is lost, and do what follows from it."""
        self.inject(SessionLost(session=session, reason=reason))

    def instructed(self, instruction_id: str) -> str | None:
        """Return the account of an instruction, None if there is no such."""
        entry = self._system.boards.outbox.outstanding.get(instruction_id)
        return entry.instruction.account if entry is not None else None

    def void(self, verdict: Verdict) -> None:
        """Take back an approval that would leave after its deadline."""
        order_id = verdict.client_order_id
        self.inject(VerdictVoid(account=verdict.account, client_order_id=order_id))

    def put_in_force(self, universe: Universe) -> None:
        """Journal and apply a configuration, and begin the days it asks for."""
        for part in parts_of(universe, self.journal.raw_bytes_max):
            self.inject(Configure(universe=part))
        self._days = Days(universe.calendars)
        self.begin_days()

    def inject(self, message: InternalMessage) -> int:
        """Take an input that riskd itself makes; return its seq, 0 if it was not journalled."""
        raw = encode_msgpack(message)
        # Taken as a replay will read it: an int where a float is declared would hash otherwise.
        return self._admit(internal_codec.decode(raw), raw, Source.INTERNAL, None)

    def reduce_only(self, reason: str) -> None:
        """Let pass only what reduces risk, in the whole firm, until an operator lifts it."""
        if any(state.reason == reason for state in self._system.boards.breakers.book.open.values()):
            return  # Nobody has looked since it was said.
        trip = Trip(scope="firm", action="reduce_only", reason=reason)
        self._admit(trip, encode_msgpack(trip), Source.CONTROL, lambda _: None)

    def checkpoint(self) -> SnapshotMark | None:
        """Journal the hash of all answers so far; return that place, None if it could not be."""
        chain = self._sequencer.chain
        if not self.inject(Checkpoint(answers_hash=chain.value(), version=__version__)):
            return None
        last, journal = self._system.last, self.journal
        return SnapshotMark(
            journal_id=journal.id,
            seq=last.seq,
            recv_ns=last.recv_ns,
            steady_ns=last.steady_ns,
            record_crc=journal.last_crc,
            answers_hash=chain.cut(),
        )

    def begin_days(self) -> None:
        """Begin the day of every calendar whose local time has come to it."""
        now_ns = self._clock.wall_ns()
        for began in self._days.begun(now_ns):
            while self.catch_up():
                pass  # What waits happened before this day.
            self.inject(began)

    def elapse_if_due(self) -> bool:
        """Let time pass for the rules if something waits for it; return whether it was let in."""
        due_ns = self._system.due_ns()
        if due_ns is None or due_ns > self._clock.steady_ns():
            return False
        return bool(self.inject(Elapse()))

    def catch_up(self) -> bool:
        """Give the next of those who wait their turn; return whether more wait."""
        return self._system.is_behind() and bool(self.inject(Elapse())) and self._system.is_behind()

    def account_failed(self, account: str, reason: str) -> None:
        """Note a freeze to be journalled once the input that caused it is complete."""
        self._failures.append(ActorFailed(account=account, reason=reason))

    def _admit(
        self,
        message: Message,
        raw: bytes,
        source: Source,
        reply: Reply | None,
        session: int = 0,
        *,
        by: str = BY_LOCAL,
    ) -> int:
        try:
            seq = self._sequencer.admit(message, raw, source, reply, session=session, by=by)
        except JournalFull as error:
            self._hinder(error)
            seq = 0
            if not isinstance(message, DISPENSABLE):
                seq = self._reserve(Taken(message, raw, source, session, by), reply)
            self.refused += not seq
        except JournalFailed as error:
            self._hinder(error)
            self.refused += 1
            return 0
        else:
            self.refusal = self.hindrance = ""
        if self._noted is not None:
            self._note(Taken(message, raw, source, session, by))
        if self._failures:
            self._journal_failures()
        if self._system.is_behind():
            self.on_behind()
        return seq

    def note_taken(self, account: str) -> None:
        """Keep from now on what an account is told, until `taken_since`."""
        self._noted, self._noted_of = [], account

    def taken_since(self) -> list[Taken]:
        """Return what was taken since `note_taken`, and keep no more of it."""
        noted, self._noted = self._noted or [], None
        return noted

    def tell_again(self, taken: Taken) -> None:
        """Take an input once more, as if it had been sent again; nobody is answered."""
        message, raw, source, session, by = taken
        self._admit(message, raw, source, lambda _: None, session, by=by)

    def _note(self, taken: Taken) -> None:
        message = taken.message
        is_addressed = isinstance(message, AddressedMessage)
        named = account_of(message) if isinstance(message, AddressedMessage) else ""
        if named == self._noted_of or (not named and (is_addressed or isinstance(message, TO_ALL))):
            assert self._noted is not None
            self._noted.append(taken)

    def _reserve(self, taken: Taken, reply: Reply | None) -> int:
        """Take what must not be lost all the same; return 0 if the reserve is used up."""
        self.journal.uses_reserve = True
        try:
            message, raw, source, session, by = taken
            return self._sequencer.admit(message, raw, source, reply, session=session, by=by)
        except (JournalFull, JournalFailed) as error:
            self._hinder(error)
            return 0
        finally:
            self.journal.uses_reserve = False

    def _hinder(self, error: JournalFull | JournalFailed) -> None:
        self.refusal, self.hindrance = str(error), error.state

    def _journal_failures(self) -> None:
        failures = self._failures
        while failures:
            failed = failures.pop(0)
            if not self.inject(failed):
                failures.insert(0, failed)
                return


def parts_of(universe: Universe, raw_bytes_max: int) -> Iterator[Universe]:
    """Yield a universe in parts that each fit in a record: all of it, with some of its accounts.

    Whoever applies all parts in order has put the whole in force.
    """
    accounts: list[AccountSpec] = []
    room = left = raw_bytes_max - len(encode_msgpack(replace(universe, accounts=()))) - PART_MARGIN
    for spec in universe.accounts:
        byte_count = len(encode_msgpack(spec))
        if byte_count > left and accounts:
            yield replace(universe, accounts=tuple(accounts))
            accounts, left = [], room
        accounts.append(spec)
        left -= byte_count
    yield replace(universe, accounts=tuple(accounts))
