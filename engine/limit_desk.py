"""What people do to limits: tighten at once, loosen with a second person, let a change end."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from engine.boards import Boards
from engine.facts import Facts, Raised, Resolved, Stamp
from engine.limit_book import LimitBook, LimitEdit, Proposal, edit_key, with_limit
from engine.limit_tables import (
    NAMED,
    WHOLE,
    checked_scope,
    is_finite,
    loosens,
    parse_table_scope,
    scopes_in,
    table_of,
)
from engine.limits import is_enforced
from engine.misfits import table_misfits
from riskd.messages import (
    Error,
    LimitChange,
    LimitsApprove,
    LimitsCommand,
    LimitSet,
    LimitsPropose,
    LimitsReject,
    LimitsSet,
    LimitsSpec,
    Result,
    Severity,
)

EDITS_MAX = 10_000  # Standing at once, over all scopes.
PROPOSALS_MAX = 100  # Waiting at once.
PROPOSAL_NS = 86_400_000_000_000  # A proposal that nobody has answered by then lapses.
KEYS = LimitsSpec.__struct_fields__


class Difference(Struct, frozen=True, gc=False):
    """What a change does to one limit; None is no limit."""

    scope: str
    key: str
    before: Any
    after: Any
    loosens: bool
    until_ns: int | None = None

    def __str__(self) -> str:
        before, after = _written(self.before), _written(self.after)
        return f"{self.scope} {self.key} from {before} to {after}"


class Trial(NamedTuple):
    """What changes would lead to, before any of it is in force."""

    book: LimitBook
    limits: LimitSet
    differences: tuple[Difference, ...]


def differences(before: LimitSet, after: LimitSet) -> Iterator[Difference]:
    """Yield every limit that is another one in `after`, by scope and key."""
    for scope in dict.fromkeys((*scopes_in(before), *scopes_in(after))):
        old, new = table_of(before, scope), table_of(after, scope)
        for key in KEYS if old != new else ():
            if getattr(old, key) != getattr(new, key):
                yield _difference(before, after, str(scope), key)


class LimitDesk:
    """Takes what people ask of limits; the boards' version says when others are in force."""

    def __init__(self, boards: Boards, accounts: Collection[str]) -> None:
        self._boards = boards
        self._accounts = accounts  # The names of all there are.

    def answer(self, asked: LimitsCommand, stamp: Stamp, by: str, facts: Facts) -> Result | Error:
        """Carry out a command, all of it or nothing; `by` is who asks if it does not say."""
        who = asked.by or by
        match asked:
            case LimitsSet():
                answer = self._set(asked, stamp, who, facts)
            case LimitsPropose():
                answer = self._propose(asked, stamp, who, facts)
            case LimitsApprove():
                answer = self._approve(asked, stamp, who, facts)
            case LimitsReject():
                answer = self._reject(asked, stamp, facts)
        return replace(answer, request_id=asked.request_id)

    def elapse(self, stamp: Stamp, facts: Facts) -> None:
        """End the changes and proposals whose time is over."""
        book, before = self._boards.limit_book, self._boards.limits
        ended, lapsed = book.expire(stamp.steady_ns)
        facts.extend(Resolved(_cause(proposal.proposal_id)) for proposal in lapsed)
        if not ended:
            return
        limits = book.in_force()
        told = [_difference(before, limits, each.scope, each.key) for each in ended]
        self._put(Trial(book, limits, tuple(told)), "their time is over", stamp, facts)

    def _set(self, asked: LimitsSet, stamp: Stamp, who: str, facts: Facts) -> Result | Error:
        trial = self._try(asked.changes, stamp, (who, "", asked.reason))
        if isinstance(trial, Error):
            return trial
        for each in trial.differences:
            if each.loosens:
                text = f"{each} is looser: propose it, and let somebody else approve"
                return Error(code="refused", text=text)
        return self._put(trial, f"by {who}{_because(asked.reason)}", stamp, facts)

    def _propose(
        self, asked: LimitsPropose, stamp: Stamp, who: str, facts: Facts
    ) -> Result | Error:
        book = self._boards.limit_book
        trial = self._try(asked.changes, stamp, (who, "", asked.reason))
        if isinstance(trial, Error):
            return trial
        if len(book.proposals) >= PROPOSALS_MAX:
            return Error(code="overloaded", text=f"{PROPOSALS_MAX} proposals wait already")
        book.proposed += 1
        number, lapses_ns = book.proposed, stamp.steady_ns + PROPOSAL_NS
        book.proposals[number] = Proposal(
            number, asked.changes, who, asked.reason, stamp.recv_ns, lapses_ns
        )
        told = "; ".join(map(str, trial.differences))
        text = f"{who} proposes {told}{_because(asked.reason)}: riskd limits approve {number}"
        found = Raised(Severity.MEDIUM, "limits_proposed", _cause(number), text, lasting=True)
        facts.append(found)
        shown = {"seq": stamp.seq, "proposal_id": number, "changes": trial.differences}
        return Result(ok=True, data=shown)

    def _approve(
        self, asked: LimitsApprove, stamp: Stamp, who: str, facts: Facts
    ) -> Result | Error:
        proposals = self._boards.limit_book.proposals
        proposal = proposals.get(asked.proposal_id)
        if proposal is None:
            return _unknown(asked)
        if proposal.by == who:
            text = f"{who} made proposal {asked.proposal_id}: somebody else approves it"
            return Error(code="refused", text=text)
        trial = self._try(proposal.changes, stamp, (proposal.by, who, proposal.reason))
        if isinstance(trial, Error):
            return trial
        del trial.book.proposals[asked.proposal_id]
        facts.append(Resolved(_cause(asked.proposal_id)))
        why = f"by {proposal.by}, approved by {who}{_because(asked.reason or proposal.reason)}"
        return self._put(trial, why, stamp, facts)

    def _reject(self, asked: LimitsReject, stamp: Stamp, facts: Facts) -> Result | Error:
        if self._boards.limit_book.proposals.pop(asked.proposal_id, None) is None:
            return _unknown(asked)
        facts.append(Resolved(_cause(asked.proposal_id)))
        return Result(ok=True, data={"seq": stamp.seq})

    def _put(self, trial: Trial, why: str, stamp: Stamp, facts: Facts) -> Result:
        """Put what was tried in force, and say so."""
        boards = self._boards
        boards.limit_book = trial.book
        if boards.put_limits(trial.limits):
            text = f"{'; '.join(map(str, trial.differences))} {why}"
            facts.append(
                Raised(Severity.MEDIUM, "limits_changed", f"limits:{stamp.seq}", text[:1000])
            )
        shown = {
            "seq": stamp.seq,
            "limits_version": boards.limits_version,
            "changes": trial.differences,
        }
        return Result(ok=True, data=shown)

    def _try(
        self, changes: tuple[LimitChange, ...], stamp: Stamp, people: tuple[str, str, str]
    ) -> Trial | Error:
        """Return what changes would lead to, or what is wrong with the first that is wrong.

        `people` are who asks, who approved, and the reason.
        """
        wrong = self._wrong(changes, stamp)
        if wrong is not None:
            return wrong
        standing = self._boards.limit_book
        book = replace(
            standing,
            lasting=dict(standing.lasting),
            temporary=dict(standing.temporary),
            proposals=dict(standing.proposals),
        )
        for change in changes:
            edit = None if change.value is UNSET else _edit(change, stamp, people)
            book.put(edit_key(change.scope, change.key), edit)
        if len(book.lasting) + len(book.temporary) > EDITS_MAX:
            return Error(code="overloaded", text=f"{EDITS_MAX:,} changes stand already")
        before, limits = self._boards.limits, book.in_force()
        told = []
        for change in changes:
            table = table_of(limits, checked_scope(change.scope))
            for misfit in table_misfits(msgspec.to_builtins(table)):
                return Error(code="refused", text=f"{change.scope} {misfit}", field="changes")
            difference = _difference(before, limits, change.scope, change.key)
            told.append(replace(difference, until_ns=change.until_ns))
        return Trial(book, limits, tuple(told))

    def _wrong(self, changes: tuple[LimitChange, ...], stamp: Stamp) -> Error | None:
        seen = set()
        for number, change in enumerate(changes):
            found = self._misfit(change, stamp)
            if found is None and (change.scope, change.key) in seen:
                found = "key", f"{change.scope} {change.key} a second time"
            if found is not None:
                where, text = found
                return Error(code="malformed", text=text, field=f"changes[{number}].{where}")
            seen.add((change.scope, change.key))
        return None

    def _misfit(self, change: LimitChange, stamp: Stamp) -> tuple[str, str] | None:
        """Return which field of a change is wrong and why, None if it could be put in force."""
        scope, key, value = parse_table_scope(change.scope), change.key, change.value
        if scope is None:
            shapes = ", ".join((*WHOLE, *(f"{kind}:NAME" for kind in NAMED)))
            return "scope", f"{change.scope!r} is no scope; expected one of {shapes}"
        known = {"group": self._boards.groups, "account": self._accounts}.get(scope.kind)
        symbol = scope.name if scope.kind == "symbol" else scope.symbol
        if known is not None and scope.name not in known:
            return "scope", f"there is no {scope.kind} {scope.name}{_meant(scope.name, known)}"
        if symbol and symbol not in self._boards.instruments:
            return "scope", f"there is no symbol {symbol}{_meant(symbol, self._boards.instruments)}"
        if key not in KEYS:
            return "key", f"{key!r} is no limit{_meant(key, KEYS)}"
        section = scope.kind if scope.kind in WHOLE else f"{scope.kind}.{scope.name}"
        if value is not UNSET and value is not None and not is_enforced(section, key):
            return "key", f"{key} binds nothing in scope {change.scope}"
        if change.until_ns is not None and (value is UNSET or change.until_ns <= stamp.recv_ns):
            return "until_ns", "a change that ends has a value, and an end to come"
        if value is UNSET:
            return None
        if not is_finite(value):
            return "value", f"{key} must be finite and in range"
        try:
            with_limit(LimitSet(), scope, key, value)
        except msgspec.ValidationError as error:
            return "value", str(error)
        return None


def _edit(change: LimitChange, stamp: Stamp, people: tuple[str, str, str]) -> LimitEdit:
    until_ns = change.until_ns
    by, approved_by, reason = people
    return LimitEdit(
        scope=change.scope,
        key=change.key,
        value=change.value,
        seq=stamp.seq,
        at_ns=stamp.recv_ns,
        by=by,
        approved_by=approved_by,
        reason=reason,
        until_steady_ns=None if until_ns is None else stamp.steady_ns + until_ns - stamp.recv_ns,
        until_ns=until_ns,
    )


def _difference(before: LimitSet, after: LimitSet, written: str, key: str) -> Difference:
    scope = checked_scope(written)
    old, new = (getattr(table_of(limits, scope), key) for limits in (before, after))
    return Difference(written, key, old, new, loosens(key, old, new))


def _unknown(asked: LimitsApprove | LimitsReject) -> Error:
    return Error(code="not_found", text=f"no proposal {asked.proposal_id} waits")


def _cause(number: int) -> str:
    return f"limits_proposal:{number}"


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _meant(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _written(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, int | float):
        return f"{value:,.12g}"
    return msgspec.json.encode(value).decode().strip('"')
