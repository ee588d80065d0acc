"""The outbox: instructions to gateways, kept until they are done.

An instruction is given to the gateway that carries out responses for its account, again to the
next session when one was lost, and is carried out once by its id. A cancel ends with its order; a
reduce or a flatten that was not begun by its deadline is void, and whoever asked must look anew.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from engine.facts import MS_NS, Facts, Instructed, Posted, Raised, Said, Stamp
from engine.gateways import SessionBook
from riskd.messages import Instruction, InstructionAction, InstructionReport, Severity

OUTSTANDING_MAX = 100_000
REMINDED_MAX = 100  # By one input; the next goes on.
ENDED_MAX = 10_000  # Remembered to tell a repeated report from one of an unknown instruction.

IsWorking = Callable[[str, str], bool]  # Whether an account has an order working.


class Outstanding(Struct):
    """An instruction that is not done yet."""

    instruction: Instruction
    gateway: str  # That sent the order it is about, if one did: it is asked first.
    until_steady_ns: int  # When its gateway is late.
    session: int = 0  # To which it was given; 0: nobody yet.
    accepted: bool = False


class Outbox(Struct):
    """Instructions by their ids, the first to be late first."""

    number: int = 0  # Of the last instruction.
    outstanding: dict[str, Outstanding] = {}
    ended: dict[str, str] = {}  # How, of the last ones.

    def is_asked_of(self, account: str) -> bool:
        """Return whether an instruction about an account is outstanding."""
        return any(one.instruction.account == account for one in self.outstanding.values())

    def due_steady_ns(self) -> int | None:
        """Return when the next instruction is late, None if none is outstanding."""
        for entry in self.outstanding.values():
            return entry.until_steady_ns
        return None

    def instruct(
        self, asked: Instructed, sessions: SessionBook, stamp: Stamp, span_ms: int, facts: Facts
    ) -> None:
        """Take what a rule asks for, and give it to whoever carries it out."""
        if len(self.outstanding) >= OUTSTANDING_MAX:
            text = f"{OUTSTANDING_MAX} instructions are outstanding; {asked.action} is not given"
            facts.append(_raised(Severity.EXTREME, "instructions_full", text, asked.account))
            return
        self.number += 1
        instruction = Instruction(
            instruction_id=f"{stamp.recv_ns}-{self.number}",  # Unlike those of another journal.
            response_id=asked.response_id,
            account=asked.account,
            action=asked.action,
            deadline_ns=stamp.recv_ns + span_ms * MS_NS,
            client_order_id=asked.client_order_id,
            symbol=asked.symbol,
            side=asked.side,
            quantity=asked.quantity,
            price=asked.price,
            position_id=asked.position_id,
        )
        entry = Outstanding(instruction, asked.gateway, 0)
        self._keep(entry, stamp, span_ms)
        if _give(entry, sessions, facts):
            return
        text = f"no gateway carries out instructions for account {asked.account}: {asked.action}"
        facts.append(Posted(f"response.{asked.account}", instruction))
        facts.append(_raised(Severity.CRITICAL, "instruction_unassigned", text, asked.account))

    def give_again(
        self,
        sessions: SessionBook,
        greeting: int,
        is_working: IsWorking,
        stamp: Stamp,
        facts: Facts,
    ) -> None:
        """Give what was given to a session that is lost, or to one that says hello again."""
        for instruction_id, entry in list(self.outstanding.items()):
            if entry.session != greeting and sessions.live(entry.session) is not None:
                continue
            if self._is_over(entry, is_working, stamp, facts):
                self.end(instruction_id, "over")
            else:
                _give(entry, sessions, facts)

    def report(
        self, report: InstructionReport, session: int, sessions: SessionBook, facts: Facts
    ) -> str | None:
        """Take what a gateway says of an instruction; return what is odd about it.

        Only the session that it was given to is believed: a false `done` would cost an attempt.
        """
        entry = self.outstanding.get(report.instruction_id)
        if entry is None:
            return "duplicate" if report.instruction_id in self.ended else "unknown_instruction"
        if not _is_instructed(entry, session, sessions):
            return "not_instructed"
        if report.status == "accepted":
            if entry.accepted:
                return "duplicate"
            entry.accepted = True
            return None
        self.end(report.instruction_id, report.status)
        if report.status == "failed":
            told = entry.instruction
            what = f"{told.action} {told.client_order_id or told.symbol or 'all'}"
            text = f"instruction {what} of account {told.account} failed: {report.detail}"
            facts.append(_raised(Severity.HIGH, "instruction_failed", text, told.account))
        return None

    def remind(
        self,
        sessions: SessionBook,
        is_working: IsWorking,
        stamp: Stamp,
        span_ms: int,
        facts: Facts,
    ) -> None:
        """End what is over; give what is late again, and say so. So many at once."""
        for _ in range(min(REMINDED_MAX, len(self.outstanding))):
            instruction_id, entry = next(iter(self.outstanding.items()))
            if entry.until_steady_ns > stamp.steady_ns:
                return
            if self._is_over(entry, is_working, stamp, facts):
                self.end(instruction_id, "over")
                continue
            del self.outstanding[instruction_id]
            self._keep(entry, stamp, span_ms)
            told = entry.instruction
            if sessions.live(entry.session) is not None:
                text = f"{told.action} {told.client_order_id} of {told.account} is not done in time"
                facts.append(_raised(Severity.HIGH, "instruction_late", text, told.account))
                if entry.accepted:
                    continue
            _give(entry, sessions, facts)

    def end(self, instruction_id: str, status: str) -> None:
        """Forget an instruction that is done, failed, over or withdrawn by whoever asked for it."""
        if self.outstanding.pop(instruction_id, None) is None:
            return
        self.ended[instruction_id] = status
        if len(self.ended) > ENDED_MAX:
            del self.ended[next(iter(self.ended))]

    def _keep(self, entry: Outstanding, stamp: Stamp, span_ms: int) -> None:
        """Put an instruction last; a shorter span of a new configuration keeps the order."""
        until_ns = stamp.steady_ns + span_ms * MS_NS
        if self.outstanding:
            last = next(reversed(self.outstanding.values()))
            until_ns = max(until_ns, last.until_steady_ns)
        entry.until_steady_ns = until_ns
        self.outstanding[entry.instruction.instruction_id] = entry

    def _is_over(
        self, entry: Outstanding, is_working: IsWorking, stamp: Stamp, facts: Facts
    ) -> bool:
        told = entry.instruction
        if told.action is InstructionAction.CANCEL:
            assert told.client_order_id is not None  # Whoever asks for a cancel names the order.
            return not is_working(told.account, told.client_order_id)
        if stamp.recv_ns <= told.deadline_ns or entry.accepted:
            return False
        text = f"{told.action} of account {told.account} was not begun by its deadline and is void"
        facts.append(_raised(Severity.HIGH, "instruction_expired", text, told.account))
        return True


def _give(entry: Outstanding, sessions: SessionBook, facts: Facts) -> bool:
    """Say an instruction to whoever carries it out; return whether there is anybody."""
    session = sessions.executor(entry.instruction.account, entry.gateway)
    if session is None:
        entry.session, entry.accepted = 0, False
        return False
    entry.session, entry.accepted = session.number, False
    facts.append(Said(session.number, entry.instruction))
    return True


def _is_instructed(entry: Outstanding, session: int, sessions: SessionBook) -> bool:
    """Return whether a session was given an instruction; of what was published, whoever covers."""
    if entry.session:
        return session == entry.session
    standing = sessions.live(session)
    return standing is None or standing.covers(entry.instruction.account)


def _raised(severity: Severity, alert_type: str, text: str, account: str) -> Raised:
    return Raised(severity, alert_type, f"{alert_type}:{account}", text, account)
