"""The desk of responses behind an inbox: the only writer of running plans."""

from __future__ import annotations

from actors.inputs import FactAt, Input, WakeAccounts
from actors.mail import Mail
from actors.runtime import LoopActor, RunQueue
from engine.facts import Facts
from engine.response_desk import ResponseDesk


class ResponseActor(LoopActor):
    """Starts plans, takes them on, and carries out what operators ask of them."""

    def __init__(self, desk: ResponseDesk, *, mail: Mail, run_queue: RunQueue) -> None:
        super().__init__(run_queue=run_queue)
        self._desk = desk
        self._mail = mail

    def on_receive(self, message: Input | FactAt | WakeAccounts) -> None:
        """Take one fact or command, or the time."""
        facts: Facts = []
        match message:
            case Input():
                answered = self._desk.command(message.message, message.stamp, facts)
                if message.reply is not None:
                    message.reply(answered)
            case FactAt():
                self._desk.take(message.fact, message.stamp, facts)
            case WakeAccounts():
                self._desk.elapse(message.stamp, facts)
        self._mail.post(facts, message.stamp)
