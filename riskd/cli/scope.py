"""Scopes as people write them: `firm`, `account:A1`, `symbol:AAPL`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from riskd.cli.failure import USAGE, CommandError
from riskd.cli.names import did_you_mean

KINDS = ("group", "account", "strategy", "symbol", "currency")  # What can be stopped.
BOOKS = ("group", "account")  # What has books, beside the firm.


class ScopeArgument(NamedTuple):
    """What a kill or a breaker covers."""

    scope: Any  # One of KINDS or `firm`: the contract's literal.
    scope_id: str

    def __str__(self) -> str:
        return str(self.scope) if self.scope_id in ("", "firm") else f"{self.scope}:{self.scope_id}"

    @property
    def name(self) -> str:
        """What is typed to confirm: the id, or `firm`."""
        return self.scope_id or str(self.scope)


def parse_scope(written: str, kinds: Sequence[str] = KINDS) -> ScopeArgument:
    """Return the scope of one of `kinds` that `written` names; raise CommandError if it is none."""
    kind, colon, scope_id = written.partition(":")
    if kind == "firm" and not scope_id:
        return ScopeArgument("firm", "")
    if kind in kinds and scope_id:
        return ScopeArgument(kind, scope_id)
    missing = f"{kind} of which name?" if kind in kinds else f"{written!r} is no scope."
    raise CommandError(
        missing,
        exit_code=USAGE,
        where="SCOPE",
        expected=f"firm, {', '.join(f'{name}:NAME' for name in kinds[:-1])} or {kinds[-1]}:NAME",
        next_step=_meant(kind, colon, scope_id, kinds),
    )


def _meant(kind: str, colon: str, scope_id: str, kinds: Sequence[str]) -> str:
    """Return what to write instead of a scope that is none."""
    if kind in kinds:
        return f"write {kind}:NAME"
    if kind == "firm":
        return "write firm"
    near = did_you_mean(kind, (*kinds, "firm"))
    if colon:
        return f"{near[:-1]}:{scope_id}?" if near and "firm" not in near else near
    return near if "firm" in near else f"write account:{kind}"
