"""Commands that change what may trade: kill, halt, trip, their ends, unfreeze, rearm."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from riskd.cli.connection import Connection
from riskd.cli.failure import DONE, FAILED, NOT_ALLOWED, CommandError
from riskd.cli.look import HERE, Json, ask_of
from riskd.cli.names import did_you_mean, known_names
from riskd.cli.scope import ScopeArgument, parse_scope
from riskd.cli.text import cell, print_json
from riskd.messages import (
    AccountUnfreeze,
    BreakerAction,
    Breakers,
    ControlMessage,
    Kill,
    Rearm,
    Reduce,
    Reset,
    ResponsePriority,
    ResponseStop,
    Status,
    Trip,
    Unkill,
)


def _said(_: type, reason: str) -> None:
    if not reason.strip():
        raise ValueError("it says nothing; a word or two for whoever asks later")


Reason = Annotated[str, Parameter(help="Why; kept in the journal.", validator=_said)]
Yes = Annotated[bool, Parameter(negative="", help="Do not ask; for scripts.")]
SAID_ALREADY = frozenset(("scope", "scope_id", "active", "changed", "warning"))
SCOPE_HELP = "firm, account:A1, group:desk-1, strategy:S, symbol:AAPL or currency:EUR."


def kill(
    scope: Annotated[str, Parameter(help=SCOPE_HELP)],
    /,
    *,
    reason: Reason,
    cancel: Annotated[bool, Parameter(negative="", help="Cancel its working orders too.")] = False,
    flatten: Annotated[bool, Parameter(negative="", help="Close its positions too.")] = False,
    yes: Yes = False,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Refuse every order of SCOPE from the next one on. Working orders stay unless you --cancel.

    Example: riskd kill account:A3 --cancel --reason "feed looks wrong"
    """
    found = parse_scope(scope)
    _confirm(found, "kill", connection, yes=yes)
    request = Kill(
        scope=found.scope, scope_id=found.scope_id, reason=reason, cancel=cancel, flatten=flatten
    )
    undo = f"riskd unkill {found}"
    return _act(request, f"KILLED {found}", connection, json=json, undo=undo)


def unkill(
    scope: Annotated[str, Parameter(help=SCOPE_HELP)],
    /,
    *,
    reason: Reason,
    yes: Yes = False,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Lift the kill of exactly SCOPE; kills of other scopes stay.

    Example: riskd unkill account:A3 --reason "feed repaired"
    """
    found = parse_scope(scope)
    _confirm(found, "unkill", connection, yes=yes)
    request = Unkill(scope=found.scope, scope_id=found.scope_id, reason=reason)
    return _act(request, f"UNKILLED {found}", connection, json=json)


def trip(
    scope: Annotated[str, Parameter(help=SCOPE_HELP)],
    /,
    *,
    reason: Reason,
    action: Annotated[BreakerAction, Parameter(help="What an open breaker does.")] = "halt",
    for_s: Annotated[float | None, Parameter(help="Close by itself after so many seconds.")] = None,
    spacing_ms: Annotated[
        int, Parameter(help="Of --action slow: between an account's orders.")
    ] = 1000,
    yes: Yes = False,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Open a breaker on SCOPE by hand. Without --for-s it never closes by itself.

    Example: riskd trip symbol:AAPL --action reduce_only --for-s 300 --reason "odd prints"
    """
    found = parse_scope(scope)
    _confirm(found, "trip", connection, yes=yes)
    until_ns = None if for_s is None else time.time_ns() + round(for_s * 1e9)
    request = Trip(
        scope=found.scope,
        scope_id=found.scope_id,
        action=action,
        reason=reason,
        until_ns=until_ns,
        spacing_ms=spacing_ms,
    )
    done = f"TRIPPED {found} ({action})"
    return _act(request, done, connection, json=json, undo="riskd reset ID")


def reset(
    breaker_id: int,
    /,
    *,
    reason: Reason,
    yes: Yes = False,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Close the breaker BREAKER_ID, as `riskd breakers` numbers it.

    Example: riskd reset 7 --reason "prints were cancelled"
    """
    _confirm(ScopeArgument("breaker", str(breaker_id)), "reset", connection, yes=yes)
    request = Reset(breaker_id=breaker_id, reason=reason)
    return _act(request, f"RESET breaker {breaker_id}", connection, json=json)


def halt(
    scope: Annotated[str, Parameter(help=SCOPE_HELP)],
    /,
    *,
    reason: Reason,
    cancel: Annotated[bool, Parameter(negative="", help="Cancel its working orders too.")] = False,
    flatten: Annotated[bool, Parameter(negative="", help="Close its positions too.")] = False,
    yes: Yes = False,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Let only exits of SCOPE pass, until riskd resume: a breaker, where a kill lets nothing pass.

    Example: riskd halt strategy:opening --reason "odd fills"
    """
    action: BreakerAction = "halt_flatten" if flatten else "halt_cancel" if cancel else "halt"
    found = parse_scope(scope)
    _confirm(found, "halt", connection, yes=yes)
    request = Trip(scope=found.scope, scope_id=found.scope_id, action=action, reason=reason)
    undo = f"riskd resume {found}"
    return _act(request, f"HALTED {found}", connection, json=json, undo=undo)


def resume(
    scope: Annotated[str, Parameter(help=SCOPE_HELP)],
    /,
    *,
    reason: Reason,
    yes: Yes = False,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Close every breaker of exactly SCOPE. A kill stays until riskd unkill lifts it.

    Example: riskd resume strategy:opening --reason "looked at: all is well"
    """
    found = parse_scope(scope)
    _confirm(found, "resume", connection, yes=yes)
    rows: Any = connection.ask(Breakers()).data
    mine = [row for row in rows if str(ScopeArgument(row["scope"], row["scope_id"])) == str(found)]
    opened = [row["breaker_id"] for row in mine if row["trigger_type"] != "kill"]
    if not opened:
        killed = f"riskd unkill {found} lifts the kill" if mine else "riskd breakers lists all"
        raise CommandError(f"no breaker of {found} is open.", exit_code=FAILED, next_step=killed)
    for breaker_id in opened:
        request = Reset(breaker_id=breaker_id, reason=reason)
        _act(request, f"RESUMED {found}", connection, json=json)
    if len(opened) < len(mine):
        sys.stderr.write(f"riskd: warning: {found} is killed still: riskd unkill {found}\n")
    return DONE


def unfreeze(
    account: str,
    /,
    *,
    reason: Reason,
    yes: Yes = False,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Let ACCOUNT trade again after a fault, once its books have been looked at.

    Example: riskd unfreeze A1 --reason "compared with the broker's books"
    """
    _confirm(ScopeArgument("account", account), "unfreeze", connection, yes=yes)
    request = AccountUnfreeze(account=account, reason=reason)
    return _act(request, f"UNFROZEN account:{account}", connection, json=json)


def reduce(
    account: str,
    /,
    *,
    reason: Reason,
    percent: Annotated[float, Parameter(help="Of the exposure; 100 closes everything.")] = 100.0,
    symbol: Annotated[str | None, Parameter(help="In this instrument only.")] = None,
    priority: Annotated[ResponsePriority, Parameter(help="What goes first.")] = (
        ResponsePriority.LARGEST_LOSS
    ),
    yes: Yes = False,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Close positions of ACCOUNT: working orders are cancelled, then exits go to its gateway.

    Example: riskd reduce A1 --percent 50 --reason "too much before the announcement"
    """
    _confirm(ScopeArgument("account", account), "reduce", connection, yes=yes)
    request = Reduce(
        account=account, percent=percent, symbol=symbol, priority=priority, reason=reason
    )
    return _act(request, f"REDUCING account:{account} by {percent:g} %", connection, json=json)


def stop_response(
    response_id: str, /, *, reason: Reason, json: Json = False, connection: Connection = HERE
) -> int:
    """End the running response RESPONSE_ID; what its gateway has begun goes on.

    Example: riskd stop-response response-4 --reason "closed by hand"
    """
    request = ResponseStop(response_id=response_id, reason=reason)
    return _act(request, f"STOPPED {response_id}", connection, json=json)


def rearm(
    account: str,
    /,
    *,
    reason: Reason,
    strategy: Annotated[str | None, Parameter(help="One strategy; all if absent.")] = None,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Let strategies of ACCOUNT that executed too often go on: a person has looked.

    Example: riskd rearm A1 --strategy opening --reason "fills are as they should be"
    """
    request = Rearm(account=account, strategy=strategy, reason=reason)
    return _act(request, f"REARMED account:{account}", connection, json=json)


def _confirm(scope: ScopeArgument, verb: str, connection: Connection, *, yes: bool) -> None:
    """Ask on a terminal to type the scope's name; without a terminal demand --yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(
            f"{verb} {scope} was not confirmed.",
            exit_code=NOT_ALLOWED,
            expected="a terminal to confirm on, or --yes",
            next_step="add --yes if you mean it",
        )
    in_force = connection.ask(Breakers()).data
    rows = in_force if isinstance(in_force, list) else []
    named = [str(ScopeArgument(row["scope"], row["scope_id"])) for row in rows]
    status = connection.ask(Status()).data
    env = status.get("env") if isinstance(status, Mapping) else None
    where = f" in {env}" if env else ""
    sys.stderr.write(f"{verb} {scope}{where}. In force now: {', '.join(named) or 'nothing'}.\n")
    sys.stderr.write(f"Type {scope.name} to {verb}: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != scope.name:
        raise CommandError("Not confirmed; nothing was done.", exit_code=NOT_ALLOWED)


def _warn(found: Mapping[str, Any], undo: str, connection: Connection) -> None:
    """Pass on what riskd warns of: what was stopped is nothing that it knows."""
    near = did_you_mean(found["scope_id"], known_names(found["scope"], connection))
    sys.stderr.write(
        f"riskd: warning: {found['warning']}.\n"
        f"  next      {f'{near} ' if near else ''}{undo} takes it back\n"
    )


def _act(
    request: ControlMessage, done: str, connection: Connection, *, json: bool, undo: str = ""
) -> int:
    found = ask_of(getattr(request, "account", None), request, connection)
    if isinstance(found, Mapping) and "warning" in found:
        _warn(found, undo, connection)
    if json:
        print_json(found)
        return DONE
    details = found.items() if isinstance(found, Mapping) else ()
    if isinstance(found, Mapping) and found.get("changed") is False:
        done += " already"
    rest = [
        f"{name} {cell(name, value)}"
        for name, value in details
        if value not in (None, "") and name not in SAID_ALREADY
    ]
    print("   ".join([done, *rest]))
    return DONE
