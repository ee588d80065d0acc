"""The supervisor: what failed is frozen, answered and said; everything else goes on."""

from __future__ import annotations

from collections.abc import Callable

from actors.inputs import Input
from actors.mail import Mail
from actors.runtime import ActorFault, LoopActor, RunQueue
from engine.account import Account
from engine.desk import answer_fault
from engine.facts import Facts
from riskd.messages import Error

Restart = Callable[[Account], None]
Failed = Callable[[str, str, BaseException], None]  # Account, reason, and the bug behind it.


class Supervisor(LoopActor):
    """Takes the faults of all loop actors.

    An account's fault freezes the account, answers its message, puts a fresh actor in its place
    and journals the freeze. A fault of another actor has no such refuge: `fatal` ends the process.
    """

    def __init__(
        self,
        owners: dict[str, Account],
        *,
        mail: Mail,
        restart: Restart,
        failed: Failed,
        fatal: Callable[[ActorFault], None],
        run_queue: RunQueue,
    ) -> None:
        super().__init__(run_queue=run_queue)
        self._mail = mail
        self._owners = owners
        self._restart = restart
        self._failed = failed
        self._fatal = fatal

    def on_receive(self, message: ActorFault) -> None:
        """Handle one fault."""
        account = self._owners.pop(message.actor_ref.actor_urn, None)
        if account is None or not isinstance(message.message, Input):
            self._answer_lost(message.message)
            self._fatal(message)
            return
        failed = message.message
        asked, stamp, reply = failed.message, failed.stamp, failed.reply
        facts: Facts = []
        answered = answer_fault(account, asked, stamp, facts)
        self._restart(account)
        self._mail.post(facts, stamp)
        if reply is not None:
            reply(answered)
        self._failed(account.id, f"fault at seq {stamp.seq}", message.exception)

    def _answer_lost(self, message: object) -> None:
        if isinstance(message, Input) and message.reply is not None:
            text = "riskd had a fault and stops; nothing is known of this message"
            message.reply(Error(code="internal", text=text))
