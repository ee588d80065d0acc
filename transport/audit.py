"""The audit as the loop sees it: every fact worth keeping becomes a row and goes to the writer.

What a journal replays is kept too, where the database does not have it yet: so an end without a
warning loses nothing, and a restart writes nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from engine.account import Account
from engine.boards import Boards
from engine.core import BY_LOCAL, Core
from engine.desk import Answer
from engine.facts import Stamp
from riskd.messages import Alert, Breaker, ControlRequest, LimitSet, LimitsUpdate, Published
from transport.audit_rows import (
    act_row,
    alert_row,
    breaker_row,
    day_row,
    limit_rows,
    metrics_row,
    response_row,
)
from transport.audit_writer import AuditWriter

ACCOUNTS_PER_PASS = 100  # Measured before the loop's sockets get their turn.
DAYS_PER_PASS = 500  # Accounts of which it is looked at once whether a day of theirs has ended.


class Audit:
    """Makes rows of what happens. Belongs to the loop's thread; the writer has its own."""

    def __init__(self, writer: AuditWriter, *, interval_s: float) -> None:
        self.writer = writer
        self._interval_s = interval_s
        self._limits = LimitSet()
        self._rolls: dict[str, int] = {}  # Up to which closed day each account was looked at.
        self._response_seq = self._response_number = 0
        self._measured_s = time.monotonic()
        self._round: Iterator[Account] | None = None
        self._days: Iterator[Account] | None = None
        self._round_ns = 0

    def replayed(self, message: object, answer: Answer, core: Core, by: str = BY_LOCAL) -> None:
        """Keep what an input of the journal led to, if the database may not have it."""
        stamp = core.stamp
        if message is None or stamp.seq <= self.writer.written_seq:  # None: of a snapshot.
            self._limits = core.boards.limits
            return
        for topic, published in core.published:
            self.take(topic, published, stamp, core.boards)
        if isinstance(message, ControlRequest):
            self.writer.put(act_row(message, answer, stamp, by))

    def take(self, topic: str, message: Published, stamp: Stamp, boards: Boards) -> None:
        """Keep what is published, if it is of a kind that is kept."""
        match message:
            case Alert():
                self.writer.put(alert_row(message, stamp))
            case Breaker():
                self.writer.put(breaker_row(message, stamp))
            case LimitsUpdate():
                before, self._limits = self._limits, boards.limits
                for row in limit_rows(before, boards.limits, message.limits_version, stamp):
                    self.writer.put(row)
            case _ if topic.startswith("response."):
                if stamp.seq != self._response_seq:
                    self._response_seq, self._response_number = stamp.seq, 0
                self._response_number += 1
                self.writer.put(response_row(topic, message, stamp, self._response_number))

    def act(
        self, request: ControlRequest, answer: Answer, stamp: Stamp, by: str = BY_LOCAL
    ) -> None:
        """Keep what an operator ordered, with its answer."""
        self.writer.put(act_row(request, answer, stamp, by))

    def days(self, accounts: dict[str, Account], stamp: Stamp) -> None:
        """Keep the days that ended of the next few accounts; at first, all that are known."""
        if self._days is None:
            self._days = iter(list(accounts.values()))
        for _ in range(DAYS_PER_PASS):
            account = next(self._days, None)
            if account is None:
                self._days = None
                return
            self._keep_days(account, stamp)

    def _keep_days(self, account: Account, stamp: Stamp) -> None:
        rolls, seen = account.state.rolls, self._rolls.get(account.id, 0)
        if rolls == seen:
            return
        self._rolls[account.id] = rolls
        for closed in account.state.closed_days:
            if closed.roll >= seen:
                self.writer.put(day_row(account, closed, stamp))

    def step(self, accounts: dict[str, Account], seq: int, now_ns: Callable[[], int]) -> bool:
        """Measure the next few accounts if that is due; return whether the round goes on."""
        if self._round is None:
            if time.monotonic() - self._measured_s < self._interval_s:
                return False
            self._measured_s = time.monotonic()
            self._round, self._round_ns = iter(list(accounts.values())), now_ns()
        for _ in range(ACCOUNTS_PER_PASS):
            account = next(self._round, None)
            if account is None:
                self._round = None
                return False
            self.writer.put(metrics_row(account, seq, now_ns(), self._round_ns))
        return True
