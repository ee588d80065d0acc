"""What is declared behind an inbox: instruments, groups, limits, and the accounts opened for it."""

from __future__ import annotations

from collections.abc import Callable

from actors.inputs import Input, Publish
from actors.mail import Mail
from actors.runtime import LoopActor, RunQueue
from engine.account import Account
from engine.boards import Boards
from engine.facts import Facts, Moved, Stamp
from engine.overrides import apply_override
from engine.universe import account_conflict, apply_universe, instrument_conflict, limits_update
from riskd.messages import (
    AccountAdd,
    AccountSpec,
    Configure,
    Error,
    InstrumentAdd,
    Override,
    Result,
    SessionRoll,
)

Open = Callable[[Account], None]
Recounted = Callable[[Stamp], None]


class LimitsActor(LoopActor):
    """Puts configurations in force and opens accounts; the only writer of what is declared."""

    def __init__(
        self,
        boards: Boards,
        accounts: dict[str, Account],
        *,
        start_account: Open,
        recount: Recounted,
        mail: Mail,
        publish: Publish,
        run_queue: RunQueue,
    ) -> None:
        super().__init__(run_queue=run_queue)
        self._boards = boards
        self._accounts = accounts
        self._start_account = start_account
        self._recount = recount
        self._mail = mail
        self._publish = publish

    def on_receive(self, message: Input) -> None:
        """Carry out one declaration."""
        asked, stamp = message.message, message.stamp
        facts: Facts = []
        answered: Result | Error | None = None
        match asked:
            case Configure():
                if apply_universe(self._boards, asked.universe):
                    self._publish("limits", limits_update(self._boards.limits_version, stamp))
                for spec in asked.universe.accounts:
                    self._open(spec)
                self._mail.post([Moved()], stamp)
                self._recount(stamp)
            case InstrumentAdd():
                wrong = instrument_conflict(self._boards, asked.instrument)
                if wrong is None:
                    if asked.instrument.symbol in self._boards.instruments:
                        self._mail.post([Moved()], stamp)  # Its margin may be another one.
                    self._boards.put_instrument(asked.instrument)
                answered = _answer(wrong, asked.request_id, stamp.seq)
            case AccountAdd():
                standing = self._accounts.get(asked.account.id)
                held = standing.state.spec if standing is not None else None
                wrong = account_conflict(held, asked.account, self._boards.group_totals)
                if wrong is None:
                    self._open(asked.account)
                    self._mail.post([Moved(asked.account.id)], stamp)
                    self._recount(stamp)
                answered = _answer(wrong, asked.request_id, stamp.seq)
            case Override():
                answered = apply_override(self._boards.overrides, asked, stamp, facts)
                self._mail.post(facts, stamp)
            case _:
                raise AssertionError(f"misrouted: {asked!r}")
        if message.reply is not None:
            message.reply(answered)

    def _open(self, spec: AccountSpec) -> None:
        standing = self._accounts.get(spec.id)
        if standing is not None:
            standing.respecify(spec)
            return
        account = self._accounts[spec.id] = Account(spec, self._boards)
        self._start_account(account)


def _answer(wrong: str | None, request_id: str | None, seq: int) -> Result | Error:
    if wrong is not None:
        return Error(code="refused", text=wrong, request_id=request_id)
    return Result(ok=True, data={"seq": seq}, request_id=request_id)


class RollCall:
    """Gathers the answers of all accounts to one session roll into one."""

    def __init__(self, message: Input, count: int) -> None:
        self._message, self._left = message, count
        self._skipped: list[str] = []

    def input_for(self, account: str) -> Input:
        """Return the roll of one account."""
        roll = SessionRoll(account=account)

        def take(answered: object) -> None:
            if isinstance(answered, Error):
                self._skipped.append(account)
            self._left -= 1
            if self._left == 0 and self._message.reply is not None:
                self._message.reply(self._result())

        return Input(roll, self._message.stamp, take)

    def _result(self) -> Result:
        asked = self._message.message
        request_id = asked.request_id if isinstance(asked, SessionRoll) else None
        shown = {"seq": self._message.stamp.seq, "skipped": self._skipped}
        return Result(ok=not self._skipped, data=shown, request_id=request_id)
