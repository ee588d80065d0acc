"""The door as the ports see it: what comes in is journalled or refused, never half taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.inputs import Input, Message
from actors.sequencer import Sequencer, Source, sent_in
from actors.system import System
from engine.desk import Answer
from engine.facts import Stamp
from riskd.codec import (
    control_codec,
    encode_msgpack,
    internal_codec,
    orders_codec,
    ticks_codec,
)
from riskd.messages import (
    ActorFailed,
    Check,
    Configure,
    ControlCommand,
    DayBegan,
    Elapse,
    Error,
    InternalMessage,
    OrdersInput,
    SessionLost,
    TicksMessage,
    Universe,
    Verdict,
    VerdictVoid,
    WorkingOrders,
)
from transport.clock import Clock
from transport.days import Days
from transport.journal import Journal
from transport.journal_format import JournalFailed, JournalFull

Reply = Callable[[Answer], None]
_CODECS: dict[int, Any] = {
    Source.ORDERS: orders_codec,
    Source.TICKS: ticks_codec,
    Source.CONTROL: control_codec,
    Source.INTERNAL: internal_codec,
}


class Door:
    """Admits inputs of every port through the one sequencer.

    When the journal cannot take a record, `refusal` says why, and everything that would have to be
    journalled is refused until it can.
    """

    def __init__(self, system: System, journal: Journal, clock: Clock) -> None:
        self.refusal = ""
        self.state = "starting"  # starting, active, draining, stopped.
        self.refused = 0
        self._system = system
        self._journal = journal
        self._clock = clock
        self._failures: list[ActorFailed] = []
        self._days = Days(())
        self._sequencer = Sequencer(system, journal, clock, journal.last_seq)

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

    def admit_ticks(self, message: TicksMessage, raw: bytes) -> None:
        """Take market data."""
        self._admit(message, raw, Source.TICKS, None)

    def command(self, message: ControlCommand, raw: bytes, reply: Reply) -> None:
        """Take an operator's command."""
        if not self._admit(message, raw, Source.CONTROL, reply):
            text = f"not taken: {self.refusal}"
            reply(Error(code="internal", text=text, request_id=message.request_id))

    def look(self, message: Check, reply: Reply, session: int = 0) -> None:
        """Answer a dry run."""
        self._sequencer.look(message, reply, session)

    def working_orders(self, session: int, request_id: str | None) -> WorkingOrders | Error:
        """Return what works of a session's accounts."""
        return self._system.sessions.working_orders(session, self.last_seq, request_id)

    def lose(self, session: int, reason: str) -> None:
        """Journal that a session is lost, and do what follows from it."""
        self.inject(SessionLost(session=session, reason=reason))

    def void(self, verdict: Verdict) -> None:
        """Take back an approval that would leave after its deadline."""
        order_id = verdict.client_order_id
        self.inject(VerdictVoid(account=verdict.account, client_order_id=order_id))

    def put_in_force(self, universe: Universe) -> None:
        """Journal and apply a configuration, and begin the days it asks for."""
        self.inject(Configure(universe=universe))
        self._days = Days(universe.calendars)
        self.begin_days()

    def inject(self, message: InternalMessage) -> None:
        """Take an input that riskd itself makes."""
        raw = encode_msgpack(message)
        # Taken as a replay will read it: an int where a float is declared would hash otherwise.
        self._admit(internal_codec.decode(raw), raw, Source.INTERNAL, None)

    def begin_days(self) -> None:
        """Begin the day of every calendar whose local time has come to it."""
        now_ns = self._clock.wall_ns()
        for calendar, day in self._days.begun(now_ns):
            self.inject(DayBegan(calendar=calendar, day=day))

    def elapse_if_due(self) -> None:
        """Let time pass for the rules if something waits for it."""
        due_ns = self._system.due_ns()
        if due_ns is not None and due_ns <= self._clock.steady_ns():
            self.inject(Elapse())

    def account_failed(self, account: str, reason: str) -> None:
        """Note a freeze to be journalled once the input that caused it is complete."""
        self._failures.append(ActorFailed(account=account, reason=reason))

    def replay(self) -> int:
        """Fold the journal into the system; return how many records there were."""
        count = 0
        for seq, recv_ns, steady_ns, source, raw in self._journal.replay():
            port, session, sent = sent_in(source, raw)
            message = _CODECS[port].decode(sent)
            if isinstance(message, ActorFailed) and message in self._failures:
                self._failures.remove(message)  # The fault came again, and so did its freeze.
            stamp = Stamp(seq, recv_ns, steady_ns, session)
            self._system.dispatch(Input(message, stamp))
            count += 1
        self._journal_failures()
        return count

    def _admit(
        self,
        message: Message,
        raw: bytes,
        source: Source,
        reply: Reply | None,
        session: int = 0,
    ) -> int:
        try:
            seq = self._sequencer.admit(message, raw, source, reply, session)
        except (JournalFull, JournalFailed) as error:
            self.refusal = str(error)
            self.refused += 1
            return 0
        self.refusal = ""
        self._journal_failures()
        return seq

    def _journal_failures(self) -> None:
        while self._failures:
            self.inject(self._failures.pop(0))
