"""The desk of sessions behind an inbox: the only writer of sessions and instructions."""

from __future__ import annotations

from actors.inputs import FactAt, Input, WakeAccounts
from actors.mail import Mail
from actors.runtime import LoopActor, RunQueue
from engine.facts import Facts
from engine.sessions import SessionDesk


class SessionActor(LoopActor):
    """Answers gateways' hellos and reports, and says to them what accounts ask for."""

    def __init__(self, desk: SessionDesk, *, mail: Mail, run_queue: RunQueue) -> None:
        super().__init__(run_queue=run_queue)
        self._desk = desk
        self._mail = mail

    def on_receive(self, message: Input | FactAt | WakeAccounts) -> None:
        """Answer a gateway, or take what an account asks for."""
        facts: Facts = []
        match message:
            case Input():
                answered = self._desk.answer(message.message, message.stamp, facts)
                if message.reply is not None:
                    message.reply(answered)  # First: the session must stand for what follows.
            case FactAt():
                self._desk.settle(message.fact, message.stamp, facts)
            case WakeAccounts():
                self._desk.elapse(message.stamp, facts)
        self._mail.post(facts, message.stamp)
