"""Everybody around a simulated house: gateways that carry out what it asks for, and operators.

Gateways say hello, say it again when a session is lost, and do what instructions tell them, late,
in part or not at all. Operators tighten and loosen limits, let single orders past them, reduce
accounts, stop what runs, and change accounts and instruments. Whatever they do is only more input.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from msgspec.structs import replace

from engine.boards import Boards
from engine.core import Input
from engine.desk import Answer
from engine.facts import Stamp
from riskd.contract.order_hash import order_hash
from riskd.messages import (
    AccountUpdate,
    BreakerAction,
    Check,
    Configure,
    Hello,
    Instruction,
    InstructionReport,
    InstrumentUpdate,
    LimitChange,
    LimitsApprove,
    LimitsPropose,
    LimitsReject,
    LimitsSet,
    Override,
    Rearm,
    Reduce,
    ResponseAction,
    ResponseEvent,
    ResponsePolicy,
    ResponseStop,
    Resynced,
    SessionLost,
    Severity,
    Verdict,
    Welcome,
)
from tests.builders import SECOND, STOCK, a_fill, a_report, an_account, an_order
from tests.engine.gateway import exit_of

GATEWAYS = ("G1", "G2")
ACCOUNTS = ("A1", "A2", "A3")
IGNORED = 0.1  # Of the instructions, by a gateway that forgets them.
DELAY_STEPS_MAX = 12
OPERATOR_SHARE = 0.03  # Of the steps.
TABLE: tuple[
    tuple[ResponseEvent, Severity, ResponseAction, float | None, BreakerAction | None], ...
] = (
    (ResponseEvent.MARGIN, Severity.HIGH, ResponseAction.REDUCE, 50.0, None),
    (ResponseEvent.MARGIN, Severity.CRITICAL, ResponseAction.FLATTEN, None, "reduce_only"),
    (ResponseEvent.DAILY_LOSS, Severity.HIGH, ResponseAction.FLATTEN, None, "halt"),
    (ResponseEvent.DRAWDOWN, Severity.HIGH, ResponseAction.SHRINK_RISK, 1.0, None),
    (ResponseEvent.CONCENTRATION, Severity.MEDIUM, ResponseAction.SHARE, 40.0, None),
    (ResponseEvent.LEVERAGE, Severity.HIGH, ResponseAction.REDUCE, 30.0, "reduce_only"),
    (ResponseEvent.ANY, Severity.HIGH, ResponseAction.CANCEL, None, None),
    (ResponseEvent.ANY, Severity.CRITICAL, ResponseAction.REDUCE, 25.0, None),
)
POLICIES = tuple(
    ResponsePolicy(
        id=f"{event}-{severity}",
        event=event,
        severity=severity,
        action=action,
        percent=percent,
        breaker=breaker,
        cooling_ms=300,
    )
    for event, severity, action, percent, breaker in TABLE
)
CHANGES = (
    ("default", "order_quantity", (5, 20, 40, 60)),
    ("account:A1", "position_quantity", (10, 40, 90)),
    ("firm", "gross_exposure", (100_000, 3_000_000)),
    ("group:desk", "net_exposure", (50_000, 2_000_000)),
    ("account:A2:X", "order_quantity", (1, 30)),
)


class Said(NamedTuple):
    """What somebody says so many steps later, in which session."""

    steps: int
    message: Input
    session: int = 0


class People:
    """Draws what they say; they see answers and what the house asks for, as over a net."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._sessions: dict[str, int] = {}
        self._carried_out: set[str] = set()
        self._exits: dict[tuple[str, str], tuple[Check, int]] = {}
        self._number = 0
        self._drawn: tuple[Callable[[Boards, Stamp], list[Said]], ...] = (
            self._change_limits,
            self._decide_proposal,
            self._override,
            self._reduce,
            self._stop_response,
            self._update,
            self._rearm,
        )

    def put_up(self, message: Input) -> Input:
        """Return a configuration with a table of responses, anything else as it is."""
        if not isinstance(message, Configure):
            return message
        return replace(message, universe=replace(message.universe, responses=POLICIES))

    def session(self) -> int:
        """Return the session that somebody's message comes in, 0 for none."""
        return self._random.choice((0, *self._sessions.values()))

    def after(self, message: Input, answer: Answer, boards: Boards, stamp: Stamp) -> list[Said]:
        """Return what is said because of an input and its answer, and out of the blue."""
        said: list[Said] = []
        if isinstance(message, Hello) and isinstance(answer, Welcome):
            self._sessions[message.gateway] = answer.session
            if answer.must_resync:
                said.append(Said(self._delay(), Resynced(seq=stamp.seq), answer.session))
        elif isinstance(message, SessionLost):
            said += self._come_back(boards)
        elif isinstance(answer, Verdict):
            said += self._at_venue(answer, boards)
        for instruction_id, entry in boards.outbox.outstanding.items():
            if entry.session and instruction_id not in self._carried_out:
                self._carried_out.add(instruction_id)
                said += self._carry_out(entry.instruction, entry.session)
        if self._random.random() < OPERATOR_SHARE:
            said += self._random.choice(self._drawn)(boards, stamp)
        return said

    def after_fall(self, boards: Boards) -> list[Said]:
        """Return what gateways say to a house that is back: some sooner, some later, some not."""
        self._sessions = {
            name: number
            for name, number in self._sessions.items()
            if boards.sessions.live(number) is not None
        }
        return self._come_back(boards)

    def _come_back(self, boards: Boards) -> list[Said]:
        said = []
        for gateway in GATEWAYS:
            number = self._sessions.get(gateway, 0)
            if boards.sessions.live(number) is None and self._random.random() < 0.9:
                hello = Hello(
                    gateway=gateway,
                    executes_responses=True,
                    cancel_on_disconnect=self._random.random() < 0.5,
                    session=number or None,
                )
                said.append(Said(self._delay(), hello))
        return said

    def _carry_out(self, told: Instruction, session: int) -> list[Said]:
        random, report = self._random, told.instruction_id
        if random.random() < IGNORED:
            return []
        said: list[Said] = []
        if random.random() < 0.3:
            accepted = InstructionReport(instruction_id=report, status="accepted")
            said.append(Said(1, accepted, session))
        if told.action == "cancel":
            assert told.client_order_id is not None
            end = a_report(told.client_order_id, "canceled", account=told.account)
            said.append(Said(self._delay(), end, session))
        elif told.symbol is not None and told.quantity is not None:
            order = exit_of(told)
            self._exits[told.account, order.client_order_id] = order, session
            said.append(Said(self._delay(), order, session))
        failed = random.random() < 0.1
        done = InstructionReport(instruction_id=report, status="failed" if failed else "done")
        said.append(Said(DELAY_STEPS_MAX + self._delay(), done, session))
        return said

    def _at_venue(self, verdict: Verdict, boards: Boards) -> list[Said]:
        """Fill an exit that passed, wholly or in part; what is left of it ends."""
        order, session = self._exits.pop((verdict.account, verdict.client_order_id), (None, 0))
        if order is None or not verdict.approved:
            return []
        self._number += 1
        filled = max(1.0, order.quantity * self._random.choice((0.5, 1, 1, 1)) // 1)
        fill = a_fill(
            f"exit-{self._number}",
            order.side,
            filled,
            _price(boards, order.symbol),
            account=order.account,
            symbol=order.symbol,
            client_order_id=order.client_order_id,
            position_id=order.position_id,
        )
        end = a_report(order.client_order_id, "canceled", account=order.account)
        return [Said(self._delay(), fill, session), Said(2 * DELAY_STEPS_MAX, end, session)]

    def _change_limits(self, boards: Boards, stamp: Stamp) -> list[Said]:
        scope, key, values = self._random.choice(CHANGES)
        until_ns = self._random.choice((None, stamp.recv_ns + SECOND))
        change = LimitChange(
            scope=scope, key=key, value=self._random.choice(values), until_ns=until_ns
        )
        kind = self._random.choice((LimitsSet, LimitsPropose, LimitsPropose))
        return [Said(0, kind(changes=(change,), by="ann", reason="drill"))]

    def _decide_proposal(self, boards: Boards, stamp: Stamp) -> list[Said]:
        proposal_id = self._random.choice((*boards.limit_book.proposals, 1))
        kind = self._random.choice((LimitsApprove, LimitsApprove, LimitsReject))
        by = self._random.choice(("bob", "bob", "bob", "ann"))
        return [Said(0, kind(proposal_id=int(proposal_id), by=by))]

    def _override(self, boards: Boards, stamp: Stamp) -> list[Said]:
        """Two people let an order past its limits, and it is sent; maybe twice."""
        self._number += 1
        account, quantity = self._random.choice(ACCOUNTS), self._random.choice((45, 70))
        order = an_order(f"big-{self._number}", "buy", quantity, account=account, price=100.0)
        approver = self._random.choice(("bob", "bob", "ann"))
        override = Override(
            order_hash=order_hash(order),
            expires_ns=stamp.recv_ns + 10 * SECOND,
            requested_by="ann",
            approved_by=approver,
        )
        again = [Said(4, order)] if self._random.random() < 0.3 else []
        return [Said(0, override), Said(2, order), *again]

    def _reduce(self, boards: Boards, stamp: Stamp) -> list[Said]:
        percent = self._random.choice((10.0, 50.0, 100.0))
        symbol = self._random.choice((None, None, "X", "EURUSD"))
        account = self._random.choice(ACCOUNTS)
        return [Said(0, Reduce(account=account, percent=percent, symbol=symbol, reason="drill"))]

    def _stop_response(self, boards: Boards, stamp: Stamp) -> list[Said]:
        running = [plan.response_id for plan in boards.responses.running.values()]
        return [Said(0, ResponseStop(response_id=self._random.choice((*running, "none"))))]

    def _update(self, boards: Boards, stamp: Stamp) -> list[Said]:
        if self._random.random() < 0.5:
            margin = self._random.choice((0.5, 1.0))
            return [Said(0, InstrumentUpdate(instrument=replace(STOCK, initial_margin=margin)))]
        balance = self._random.choice((1000.0, 100_000.0))
        return [Said(0, AccountUpdate(account=an_account("A1", balance, group="desk")))]

    def _rearm(self, boards: Boards, stamp: Stamp) -> list[Said]:
        return [Said(0, Rearm(account=self._random.choice(ACCOUNTS)))]

    def _delay(self) -> int:
        return self._random.randint(1, DELAY_STEPS_MAX)


def _price(boards: Boards, symbol: str) -> float:
    """Return the mark of a symbol, as the venue trades at it."""
    quote, instrument = boards.quotes.quotes.get(symbol), boards.instruments.get(symbol)
    if quote is None or instrument is None or quote.mark_long is None:
        return 100.0
    return instrument.price(quote.mark_long)
