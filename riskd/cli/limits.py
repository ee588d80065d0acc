"""`riskd limits`: which are in force, and changing them: one tightens, two people loosen."""

from __future__ import annotations

import getpass
import importlib
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from msgspec import UNSET

from riskd.cli.act import Reason
from riskd.cli.connection import Connection
from riskd.cli.failure import DONE, USAGE, CommandError
from riskd.cli.keep import print_under_limits
from riskd.cli.look import HERE, Json, check_known, print_rows, tree
from riskd.cli.names import did_you_mean
from riskd.cli.text import BOLD, coloured, print_json
from riskd.messages import (
    LimitChange,
    Limits,
    LimitsApprove,
    LimitsCommand,
    LimitsPropose,
    LimitsReject,
    LimitsSet,
    Shadow,
)

app = App(name="limits")

LIMIT_SCOPES = ("firm", "default", "session", "group", "account", "strategy", "trader", "symbol")
LIMIT = "limit"  # What each figure is; its key is written as the configuration has it.
WHOLE_COUNT = 3  # So many of them have no name.
CONFIGURED = "configured"  # Instead of a value: what the configuration says.
NO_LIMIT = "none"
NAMED = tuple(f"{kind}:NAME" for kind in LIMIT_SCOPES[WHOLE_COUNT:])
CHANGE_COLUMNS = ("scope", "key", "before", "after", "loosens", "until_ns")

Who = Annotated[
    str | None, Parameter(name="--as", help="Who you are, if not your login; keys decide.")
]
Scope = Annotated[str, Parameter(help="firm, default, group:G, account:A1, account:A1:AAPL ...")]
Key = Annotated[str, Parameter(help="Such as order_notional.")]
Value = Annotated[
    str, Parameter(help="As in limits.toml; none, or configured: what the files say.")
]
ForS = Annotated[float | None, Parameter(help="Only for so many seconds.")]


@app.default
def show(scope: str | None = None, /, *, json: Json = False, connection: Connection = HERE) -> int:
    """Show the limits in force: all, or what binds SCOPE.

    SCOPE is firm, default, session, group:G, account:A1, account:A1:AAPL, strategy:S, trader:T
    or symbol:AAPL. What was changed while riskd runs, and what waits for approval, comes last.

    Example: riskd limits account:A1
    """
    if scope is not None:
        _check_scope(scope, connection)
    found = connection.ask(Limits(scope=scope)).data
    if json:
        print_json(found)
        return DONE
    for line in _limit_lines(found, scope):
        print(line)
    _print_people(found)
    return DONE


@app.command(name="set")
def set_limit(
    scope: Scope,
    key: Key,
    value: Value,
    /,
    *,
    reason: Reason,
    for_s: ForS = None,
    who: Who = None,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Tighten one limit at once. A looser one is refused: propose that.

    Example: riskd limits set account:A1 order_notional 500 --reason "new strategy starts small"
    """
    change = _change(scope, key, value, for_s)
    asked = LimitsSet(changes=(change,), reason=reason, by=_name(who))
    return _send(asked, "SET", connection, json=json)


@app.command
def propose(
    scope: Scope,
    key: Key,
    value: Value,
    /,
    *,
    reason: Reason,
    for_s: ForS = None,
    who: Who = None,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Ask for another limit, a looser one too; somebody else approves it within a day.

    Example: riskd limits propose account:A1 order_notional 400000 --for-s 3600 --reason "a block"
    """
    change = _change(scope, key, value, for_s)
    asked = LimitsPropose(changes=(change,), reason=reason, by=_name(who))
    return _send(asked, "PROPOSED", connection, json=json)


@app.command
def approve(
    proposal_id: int,
    /,
    *,
    reason: str = "",
    who: Who = None,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Put proposal PROPOSAL_ID of somebody else in force.

    Example: riskd limits approve 1
    """
    asked = LimitsApprove(proposal_id=proposal_id, reason=reason, by=_name(who))
    return _send(asked, "APPROVED", connection, json=json)


@app.command
def reject(
    proposal_id: int,
    /,
    *,
    reason: str = "",
    who: Who = None,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """End proposal PROPOSAL_ID; nothing changes.

    Example: riskd limits reject 1 --reason "not before the announcement"
    """
    asked = LimitsReject(proposal_id=proposal_id, reason=reason, by=_name(who))
    return _send(asked, "REJECTED", connection, json=json)


@app.command
def shadow(
    config: Annotated[Path, Parameter(help="A configuration, such as tighter/riskd.toml.")],
    /,
    *,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Say which verdicts that riskd's journal keeps would differ under the limits of CONFIG.

    Nothing changes. It reads the journal beside trading: give a long one --timeout-ms.

    Example: riskd limits shadow tighter/riskd.toml
    """
    loading = importlib.import_module("config.load")
    try:
        limits = loading.load(config, {}).universe.limits
    except importlib.import_module("config.errors").ConfigError as error:
        raise CommandError(str(error), exit_code=USAGE, where=str(config)) from error
    return print_under_limits(connection.patient().ask(Shadow(limits=limits)).data, json=json)


def _send(asked: LimitsCommand, done: str, connection: Connection, *, json: bool) -> int:
    found: Any = connection.ask(asked).data
    if json:
        print_json(found)
        return DONE
    number = found.get("proposal_id")
    version = found.get("limits_version")
    rest = [f"limits v{version}"] if version is not None else []
    rest += [f"seq {found.get('seq')}"]
    print("   ".join([f"{done} {number}" if number else done, *rest]))
    if found.get("changes"):
        print_rows(found["changes"], CHANGE_COLUMNS, json=False)
    if number:
        print(f"next: somebody else says riskd limits approve {number}")
    return DONE


def _change(scope: str, key: str, value: str, for_s: float | None) -> LimitChange:
    told: Any = None if value == NO_LIMIT else UNSET
    if value not in (NO_LIMIT, CONFIGURED):
        try:
            told = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            told = value  # A word, such as cancel_both.
    until_ns = None if for_s is None else time.time_ns() + round(for_s * 1e9)
    return LimitChange(scope=scope, key=key, value=told, until_ns=until_ns)


def _name(who: str | None) -> str:
    return getpass.getuser() if who is None else who


def _print_people(found: Mapping[str, Any]) -> None:
    """Print what people changed while riskd runs, and what waits for a second one."""
    if found.get("changes"):
        print(coloured("changed while riskd runs", BOLD))
        columns = ("scope", "key", "value", "by", "approved_by", "reason", "until_ns")
        print_rows(found["changes"], columns, json=False, rest=False)
    for one in found.get("proposals") or ():
        title = f"proposal {one['proposal_id']} of {one['by']}, to be approved: {one['reason']}"
        print(coloured(title, BOLD))
        print_rows(one["changes"], ("scope", "key", "value", "until_ns"), json=False)


def _check_scope(scope: str, connection: Connection) -> None:
    kind, _, name = scope.partition(":")
    if kind not in LIMIT_SCOPES or (not name and kind not in LIMIT_SCOPES[:WHOLE_COUNT]):
        raise CommandError(
            f"{scope!r} is no scope of limits.",
            exit_code=USAGE,
            where="SCOPE",
            expected=", ".join((*LIMIT_SCOPES[:WHOLE_COUNT], *NAMED)),
            next_step=did_you_mean(kind, LIMIT_SCOPES) if kind not in LIMIT_SCOPES else "",
        )
    check_known(kind, name.partition(":")[0], connection)


def _limit_lines(found: Mapping[str, Any], scope: str | None) -> list[str]:
    """Return the limits of a scope, or of all that bind it, each under the scope that sets them."""
    tables = found.get("limits")
    if scope is None:
        shown = {name: found.get(name) for name in ("version", "limits")}
        return tree(shown, depth=0, named=LIMIT)
    if not isinstance(tables, list):
        kind, _, name = scope.partition(":")
        tables = [{"scope": kind, "scope_id": name, "limits": tables}]
    lines = [f"version  {found.get('version')}"]
    for owner in tables:
        kind, name = str(owner.get("scope", "")), str(owner.get("scope_id", ""))
        lines.append(coloured(kind if name in ("", kind) else f"{kind}:{name}", BOLD))
        lines += tree(owner.get("limits") or {}, depth=1, named=LIMIT) or ["  none of its own"]
    return lines
