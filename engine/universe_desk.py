"""What is declared, and changed while riskd runs: configurations, instruments, accounts, limits."""

from __future__ import annotations

from collections.abc import Callable

from engine.account import Account
from engine.boards import Boards
from engine.closing import apply_removal, removal_refused
from engine.facts import Facts, Moved, Posted, Removed, Stamp
from engine.limit_desk import LimitDesk
from engine.overrides import apply_override
from engine.universe import account_conflict, apply_universe, instrument_conflict, limits_update
from riskd.messages import (
    AccountAdd,
    AccountRemove,
    AccountSpec,
    AccountUpdate,
    Configure,
    Error,
    InstrumentAdd,
    InstrumentUpdate,
    LimitsCommand,
    Override,
    Result,
)

Put = InstrumentAdd | InstrumentUpdate | AccountAdd | AccountUpdate
Declaration = Configure | Put | AccountRemove | Override | LimitsCommand
Opened = Callable[[Account], None]


class UniverseDesk:
    """Puts declarations in force and opens accounts; the only writer of what is declared."""

    def __init__(
        self,
        boards: Boards,
        accounts: dict[str, Account],
        *,
        opened: Opened = lambda _: None,
        closed: Opened = lambda _: None,
    ) -> None:
        self._boards = boards
        self._accounts = accounts
        self._opened, self._closed = opened, closed
        self._limits = LimitDesk(boards, accounts)

    def answer(
        self, asked: Declaration, stamp: Stamp, by: str, facts: Facts
    ) -> tuple[Result | Error | None, Moved | Removed | None]:
        """Carry out one declaration; return its answer, and whose books must be looked at anew."""
        match asked:
            case Configure():
                self._configure(asked, stamp, facts)
                return None, Moved()
            case InstrumentAdd() | InstrumentUpdate():
                return self._put_instrument(asked, stamp)
            case AccountAdd() | AccountUpdate():
                return self._put_account(asked, stamp)
            case AccountRemove():
                return self._remove(asked, stamp, facts)
            case Override():
                return apply_override(self._boards.overrides, asked, stamp, by, facts), None
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

    def _put_instrument(
        self, asked: InstrumentAdd | InstrumentUpdate, stamp: Stamp
    ) -> tuple[Result | Error, Moved | None]:
        spec = asked.instrument
        standing = self._boards.instruments.get(spec.symbol)
        held = None if standing is None else standing.spec
        wrong = instrument_conflict(self._boards, spec)
        wrong = wrong or _misplaced(asked, spec.symbol, held, spec)
        if wrong is None:
            self._boards.put_instrument(spec)
        moved = None if wrong or held is None else Moved()  # Margins of all who hold it.
        return _answer(wrong, asked.request_id, stamp.seq), moved

    def _put_account(
        self, asked: AccountAdd | AccountUpdate, stamp: Stamp
    ) -> tuple[Result | Error, Moved | None]:
        spec = asked.account
        standing = self._accounts.get(spec.id)
        held = None if standing is None else standing.state.spec
        wrong = account_conflict(held, spec, self._boards.group_totals)
        wrong = wrong or _misplaced(asked, spec.id, held, spec)
        if wrong is None and spec.id in self._boards.removed:
            wrong = f"account {spec.id} is closed for good: its order ids may still be asked again"
        if wrong is None:
            self.open(spec)
        return _answer(wrong, asked.request_id, stamp.seq), None if wrong else Moved(spec.id)

    def _remove(
        self, asked: AccountRemove, stamp: Stamp, facts: Facts
    ) -> tuple[Result | Error, Removed | None]:
        account = self._accounts.get(asked.account)
        if account is None:
            text = f"no account {asked.account}"
            return Error(code="not_found", text=text, request_id=asked.request_id), None
        wrong = removal_refused(account)
        if wrong is not None:
            return _answer(wrong, asked.request_id, stamp.seq), None
        removed = Removed(account.id, list(self._accounts).index(account.id))
        apply_removal(account, stamp, facts)
        del self._accounts[account.id]
        self._closed(account)
        return _answer(None, asked.request_id, stamp.seq), removed

    def _configure(self, asked: Configure, stamp: Stamp, facts: Facts) -> None:
        version = self._boards.limits_version
        apply_universe(self._boards, asked.universe)
        self._follow(version, stamp, facts)
        for spec in asked.universe.accounts:
            if spec.id not in self._boards.removed:
                self.open(spec)

    def _follow(self, version: int, stamp: Stamp, facts: Facts) -> Moved | None:
        """Say which limits are in force, if others are than of this version."""
        if self._boards.limits_version == version:
            return None
        facts.append(Posted("limits", limits_update(self._boards.limits_version, stamp)))
        return Moved()


def _misplaced(asked: Put, name: str, held: object, spec: object) -> str | None:
    """Return why nothing of this name can be added, or changed."""
    kind = "account" if isinstance(asked, AccountAdd | AccountUpdate) else "instrument"
    if isinstance(asked, AccountUpdate | InstrumentUpdate):
        return f"there is no {kind} {name}: {kind}_add adds one" if held is None else None
    if held is None or held == spec:
        return None
    return f"{kind} {name} is there with other terms: {kind}_update changes them"


def _answer(wrong: str | None, request_id: str | None, seq: int) -> Result | Error:
    if wrong is not None:
        return Error(code="refused", text=wrong, request_id=request_id)
    return Result(ok=True, data={"seq": seq}, request_id=request_id)
