"""The supervisor: what failed is frozen, answered and said; everything else goes on."""

from __future__ import annotations

from collections.abc import Callable

from actors.account import AccountActor
from actors.inputs import Input
from actors.mail import Mail
from actors.runtime import ActorFault, LoopActor, LoopRef, RunQueue
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
        *,
        mail: Mail,
        restart: Restart,
        failed: Failed,
        fatal: Callable[[ActorFault], None],
        run_queue: RunQueue,
    ) -> None:
        super().__init__(run_queue=run_queue)
        self._mail = mail
        self._restart = restart
        self._failed = failed
        self._fatal = fatal

    def on_receive(self, message: ActorFault) -> None:
        """Handle one fault."""
        ref, failed = message.actor_ref, message.message
        actor = ref.actor if isinstance(ref, LoopRef) else None
        if not isinstance(actor, AccountActor) or not isinstance(failed, Input):
            self._answer_lost(failed)
            self._fatal(message)
            return
        account = actor.account
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
