"""What is declared behind an inbox: instruments, groups, limits, and the accounts opened for it."""

from __future__ import annotations

from collections.abc import Callable

from actors.inputs import Input, WakeAccounts
from actors.mail import Mail
from actors.runtime import LoopActor, RunQueue
from engine.facts import Facts, Moved, Removed, Stamp
from engine.universe_desk import UniverseDesk
from riskd.messages import Error, Result, SessionRoll

Recounted = Callable[[Stamp], None]


class LimitsActor(LoopActor):
    """Puts configurations in force and opens accounts; the only writer of what is declared."""

    def __init__(
        self, desk: UniverseDesk, *, recount: Recounted, mail: Mail, run_queue: RunQueue
    ) -> None:
        super().__init__(run_queue=run_queue)
        self._desk = desk
        self._recount = recount
        self._mail = mail

    def on_receive(self, message: Input | WakeAccounts) -> None:
        """Carry out one declaration, or let end what was changed for a time."""
        facts: Facts = []
        if isinstance(message, WakeAccounts):
            self._post(self._desk.elapse(message.stamp, facts), facts, message.stamp)
            return
        answered, moved = self._desk.answer(message.message, message.stamp, message.by, facts)
        self._post(moved, facts, message.stamp)
        if message.reply is not None:
            message.reply(answered)

    def _post(self, moved: Moved | Removed | None, facts: Facts, stamp: Stamp) -> None:
        if moved is None:
            self._mail.post(facts, stamp)
            return
        self._mail.post([*facts, moved], stamp)
        self._recount(stamp)


class RollCall:
    """Gathers the answers of all accounts, and then of the groups, to one session roll into one."""

    def __init__(self, message: Input) -> None:
        self._message = message
        self._skipped: list[str] = []

    def input_for(self, account: str) -> Input:
        """Return the roll of one account."""
        roll = SessionRoll(account=account)

        def take(answered: object) -> None:
            if isinstance(answered, Error):
                self._skipped.append(account)

        return Input(roll, self._message.stamp, take)

    def input_for_groups(self) -> Input:
        """Return the roll of the groups, which is answered after all accounts are."""

        def take(answered: object) -> None:
            if isinstance(answered, Result):
                self._skipped += answered.data["skipped"]
            if self._message.reply is not None:
                self._message.reply(self._result())

        return Input(self._message.message, self._message.stamp, take)

    def _result(self) -> Result:
        asked = self._message.message
        request_id = asked.request_id if isinstance(asked, SessionRoll) else None
        shown = {"seq": self._message.stamp.seq, "skipped": self._skipped}
        return Result(ok=not self._skipped, data=shown, request_id=request_id)
