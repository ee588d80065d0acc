"""The desk of sessions behind an inbox: the only writer of sessions and instructions."""

from __future__ import annotations

from collections.abc import Mapping

from actors.inputs import Input, RaisedAt, Ref, Say, SessionFactAt, WakeAccounts
from actors.runtime import LoopActor, RunQueue
from engine.facts import Facts, Posted, Raised, Said, Stamp, Told
from engine.sessions import SessionDesk


class SessionActor(LoopActor):
    """Answers gateways' hellos and reports, and says to them what accounts ask for."""

    def __init__(
        self,
        desk: SessionDesk,
        accounts: Mapping[str, Ref],
        *,
        alerts: Ref,
        say: Say,
        run_queue: RunQueue,
    ) -> None:
        super().__init__(run_queue=run_queue)
        self._desk = desk
        self._accounts = accounts
        self._alerts = alerts
        self._say = say

    def on_receive(self, message: Input | SessionFactAt | WakeAccounts) -> None:
        """Answer a gateway, or take what an account asks for."""
        facts: Facts = []
        match message:
            case Input():
                answered = self._desk.answer(message.message, message.stamp, facts)
                if message.reply is not None:
                    message.reply(answered)  # First: the session must stand for what follows.
            case SessionFactAt():
                self._desk.settle(message.fact, message.stamp, facts)
            case WakeAccounts():
                self._desk.elapse(message.stamp, facts)
        self._tell(facts, message.stamp)

    def _tell(self, facts: Facts, stamp: Stamp) -> None:
        for fact in facts:
            match fact:
                case Raised():
                    self._alerts.tell(RaisedAt(fact, stamp))
                case Posted():
                    self._alerts.tell(fact)
                case Told():
                    self._accounts[fact.account].tell(Input(fact.message, stamp))
                case Said():
                    self._say(fact.session, fact.message)
