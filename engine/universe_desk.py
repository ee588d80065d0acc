"""What is declared, and changed while riskd runs: configurations, instruments, accounts, limits."""

from __future__ import annotations

from collections.abc import Callable

from engine.account import Account
from engine.boards import Boards
from engine.facts import Facts, Moved, Posted, Stamp
from engine.limit_desk import LimitDesk
from engine.overrides import apply_override
from engine.universe import account_conflict, apply_universe, instrument_conflict, limits_update
from riskd.messages import (
    AccountAdd,
    AccountSpec,
    Configure,
    Error,
    InstrumentAdd,
    LimitsCommand,
    Override,
    Result,
)

Declaration = Configure | InstrumentAdd | AccountAdd | Override | LimitsCommand


class UniverseDesk:
    """Puts declarations in force and opens accounts; the only writer of what is declared."""

    def __init__(
        self, boards: Boards, accounts: dict[str, Account], opened: Callable[[Account], None]
    ) -> None:
        self._boards = boards
        self._accounts = accounts
        self._opened = opened
        self._limits = LimitDesk(boards, accounts)

    def answer(
        self, asked: Declaration, stamp: Stamp, by: str, facts: Facts
    ) -> tuple[Result | Error | None, Moved | None]:
        """Carry out one declaration; return its answer, and whose books must be looked at anew."""
        match asked:
            case Configure():
                self._configure(asked, stamp, facts)
                return None, Moved()
            case InstrumentAdd():
                wrong = instrument_conflict(self._boards, asked.instrument)
                if wrong is None:
                    self._boards.put_instrument(asked.instrument)
                return _answer(wrong, asked.request_id, stamp.seq), None
            case AccountAdd():
                spec = asked.account
                standing = self._accounts.get(spec.id)
                held = None if standing is None else standing.state.spec
                wrong = account_conflict(held, spec, self._boards.group_totals)
                if wrong is None:
                    self.open(spec)
                moved = Moved(spec.id) if wrong is None else None
                return _answer(wrong, asked.request_id, stamp.seq), moved
            case Override():
                return apply_override(self._boards.overrides, asked, stamp, facts), None
            case _:
                version = self._boards.limits_version
                answered = self._limits.answer(asked, stamp, by, facts)
                return answered, self._follow(version, stamp, facts)

    def elapse(self, stamp: Stamp, facts: Facts) -> Moved | None:
        """End what was changed for a time; return whose books must be looked at anew."""
        version = self._boards.limits_version
        self._limits.elapse(stamp, facts)
        return self._follow(version, stamp, facts)

    def open(self, spec: AccountSpec) -> None:
        """Open an account, or take other terms of one."""
        standing = self._accounts.get(spec.id)
        if standing is not None:
            standing.respecify(spec)
            return
        account = self._accounts[spec.id] = Account(spec, self._boards)
        self._opened(account)

    def _configure(self, asked: Configure, stamp: Stamp, facts: Facts) -> None:
        version = self._boards.limits_version
        apply_universe(self._boards, asked.universe)
        self._follow(version, stamp, facts)
        for spec in asked.universe.accounts:
            self.open(spec)

    def _follow(self, version: int, stamp: Stamp, facts: Facts) -> Moved | None:
        """Say which limits are in force, if others are than of this version."""
        if self._boards.limits_version == version:
            return None
        facts.append(Posted("limits", limits_update(self._boards.limits_version, stamp)))
        return Moved()


def _answer(wrong: str | None, request_id: str | None, seq: int) -> Result | Error:
    if wrong is not None:
        return Error(code="refused", text=wrong, request_id=request_id)
    return Result(ok=True, data={"seq": seq}, request_id=request_id)
