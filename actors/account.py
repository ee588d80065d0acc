"""One account behind an inbox."""

from __future__ import annotations

from collections.abc import Mapping

from actors.inputs import Input, MovedAt, RaisedAt, Ref, SessionFactAt
from actors.runtime import LoopActor, RunQueue
from engine.account import Account
from engine.desk import answer
from engine.facts import (
    Certified,
    Facts,
    GroupMoved,
    Instructed,
    Moved,
    Raised,
    Stamp,
    WakeAt,
    Watched,
)


class AccountActor(LoopActor):
    """Routes each message to the account's desk, and what it causes to whom it concerns.

    Runs on the loop, so what the account reads of the boards is what this message saw.
    """

    def __init__(
        self,
        account: Account,
        *,
        alerts: Ref,
        clock: Ref,
        sessions: Ref,
        groups: Mapping[str, Ref],
        market: Ref,
        run_queue: RunQueue,
    ) -> None:
        super().__init__(run_queue=run_queue)
        self.account = account
        self._alerts = alerts
        self._clock = clock
        self._sessions = sessions
        self._groups = groups
        self._market = market

    def on_receive(self, message: Input) -> None:
        """Answer one message."""
        facts: Facts = []
        try:
            answered = answer(self.account, message.message, message.stamp, facts)
        finally:  # What a fault left behind it is told before the fault is.
            if facts:
                self._tell(facts, message.stamp)
        if message.reply is not None:
            message.reply(answered)

    def _tell(self, facts: Facts, stamp: Stamp) -> None:
        for fact in facts:
            match fact:
                case Raised():
                    self._alerts.tell(RaisedAt(fact, stamp))
                case WakeAt():
                    self._clock.tell(fact)
                case GroupMoved():
                    self._groups[fact.group].tell(fact)
                case Watched():
                    self._market.tell(fact)
                case Instructed() | Certified():
                    self._sessions.tell(SessionFactAt(fact, stamp))
                case Moved():
                    self._market.tell(MovedAt(fact, stamp))
