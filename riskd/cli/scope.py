"""Scopes as people write them: `firm`, `account:A1`, `symbol:AAPL`."""

from __future__ import annotations

from typing import Any, NamedTuple

from riskd.cli.failure import USAGE, CommandError
from riskd.cli.names import did_you_mean

KINDS = ("group", "account", "strategy", "symbol", "currency")


class ScopeArgument(NamedTuple):
    """What a kill or a breaker covers."""

    scope: Any  # One of KINDS or `firm`: the contract's literal.
    scope_id: str

    def __str__(self) -> str:
        return f"{self.scope}:{self.scope_id}" if self.scope_id else str(self.scope)

    @property
    def name(self) -> str:
        """What is typed to confirm: the id, or `firm`."""
        return self.scope_id or str(self.scope)


def parse_scope(written: str) -> ScopeArgument:
    """Return the scope that `written` names; raise CommandError if it names none."""
    kind, colon, scope_id = written.partition(":")
    if kind == "firm" and not scope_id:
        return ScopeArgument("firm", "")
    if kind in KINDS and scope_id:
        return ScopeArgument(kind, scope_id)
    missing = f"{kind} of which name?" if kind in KINDS else f"{written!r} is no scope."
    raise CommandError(
        missing,
        exit_code=USAGE,
        where="SCOPE",
        expected="firm, or one of " + ", ".join(f"{name}:NAME" for name in KINDS),
        next_step=_meant(kind, colon, scope_id),
    )


def _meant(kind: str, colon: str, scope_id: str) -> str:
    """Return what to write instead of a scope that is none."""
    if kind in KINDS:
        return f"write {kind}:NAME"
    if kind == "firm":
        return "write firm"
    near = did_you_mean(kind, (*KINDS, "firm"))
    if colon:
        return f"{near[:-1]}:{scope_id}?" if near and "firm" not in near else near
    return near if "firm" in near else f"write account:{kind}"
