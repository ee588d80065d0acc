"""Scopes as people write them: `firm`, `account:A1`, `symbol:AAPL`."""

from __future__ import annotations

from typing import Any, NamedTuple

from riskd.cli.failure import USAGE, CommandError

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
        next_step=f"write account:{written}" if not colon and kind not in KINDS else "",
    )
