"""One account behind an inbox."""

from __future__ import annotations

from actors.inputs import Input
from actors.mail import Mail
from actors.runtime import LoopActor, RunQueue
from engine.account import Account
from engine.desk import answer
from engine.facts import Facts


class AccountActor(LoopActor):
    """Routes each message to the account's desk, and what it causes to whom it concerns.

    Runs on the loop, so what the account reads of the boards is what this message saw.
    """

    def __init__(self, account: Account, *, mail: Mail, run_queue: RunQueue) -> None:
        super().__init__(run_queue=run_queue)
        self.account = account
        self._mail = mail

    def on_receive(self, message: Input) -> None:
        """Answer one message."""
        facts: Facts = []
        try:
            answered = answer(self.account, message.message, message.stamp, facts)
        finally:  # What a fault left behind it is told before the fault is.
            if facts:
                self._mail.post(facts, message.stamp)
        if message.reply is not None:
            message.reply(answered)
