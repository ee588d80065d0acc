"""Limits as people changed them while riskd ran: on top of what the configuration says."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from engine.limit_tables import TableScope, checked_scope, table_of, with_table
from riskd.messages import LimitChange, LimitSet, LimitsSpec


class LimitEdit(Struct, frozen=True):
    """One limit that somebody changed, and until when it is so."""

    scope: str
    key: str
    value: Any  # As in limits.toml; None is no limit.
    seq: int
    at_ns: int
    by: str
    approved_by: str  # Empty: it only tightened.
    reason: str
    until_steady_ns: int | None = None
    until_ns: int | None = None  # The same for people.


class Proposal(Struct, frozen=True):
    """Changes that somebody asked for and nobody has approved yet."""

    proposal_id: int
    changes: tuple[LimitChange, ...]
    by: str
    reason: str
    at_ns: int
    until_steady_ns: int  # When it lapses.


class LimitBook(Struct):
    """What the configuration says, what was changed since, and what waits for a second person."""

    configured: LimitSet = LimitSet()
    lasting: dict[str, LimitEdit] = field(default_factory=dict)  # By scope and key.
    temporary: dict[str, LimitEdit] = field(default_factory=dict)  # The same; on top of all.
    proposals: dict[int, Proposal] = field(default_factory=dict)
    proposed: int = 0

    def in_force(self) -> LimitSet:
        """Return the limits that apply: the configuration, and the changes on top of it."""
        limits = self.configured
        for edits in (self.lasting, self.temporary):
            for edit in edits.values():
                limits = with_limit(limits, checked_scope(edit.scope), edit.key, edit.value)
        return limits

    def put(self, key: str, edit: LimitEdit | None) -> None:
        """Let a change stand, or what the configuration says; what was in its place is gone."""
        self.temporary.pop(key, None)
        if edit is None:
            self.lasting.pop(key, None)
        elif edit.until_steady_ns is None:
            self.lasting[key] = edit
        else:
            self.temporary[key] = edit

    def expire(self, steady_ns: int) -> tuple[list[LimitEdit], list[Proposal]]:
        """Forget and return the changes and proposals whose time is over."""
        edits = [edit for edit in self.temporary.values() if _is_over(edit, steady_ns)]
        for edit in edits:
            del self.temporary[edit_key(edit.scope, edit.key)]
        lapsed = [one for one in self.proposals.values() if one.until_steady_ns <= steady_ns]
        for one in lapsed:
            del self.proposals[one.proposal_id]
        return edits, lapsed

    def due_steady_ns(self) -> int | None:
        """Return when the next change or proposal ends, None if none does."""
        ends = [edit.until_steady_ns for edit in self.temporary.values()]
        ends += [proposal.until_steady_ns for proposal in self.proposals.values()]
        return min((ns for ns in ends if ns is not None), default=None)


def edit_key(scope: str, key: str) -> str:
    """Return what a change is kept under: one for each limit of each scope."""
    return f"{scope} {key}"


def with_limit(limits: LimitSet, scope: TableScope, key: str, value: object) -> LimitSet:
    """Return limits with another value of one key. Raises msgspec.ValidationError."""
    told = msgspec.convert({key: value}, LimitsSpec)
    table = replace(table_of(limits, scope), **{key: getattr(told, key)})
    return with_table(limits, scope, table)


def _is_over(edit: LimitEdit, steady_ns: int) -> bool:
    return edit.until_steady_ns is not None and edit.until_steady_ns <= steady_ns
