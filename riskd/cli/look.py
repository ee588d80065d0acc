"""Commands that read: status, accounts, instruments, positions, orders, P&L, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from riskd.cli.connection import Connection
from riskd.cli.failure import DONE, FAILED, CommandError
from riskd.cli.names import did_you_mean, known_names
from riskd.cli.scope import BOOKS, parse_scope
from riskd.cli.text import BOLD, cell, coloured, label, names_each, print_json, table
from riskd.messages import (
    Accounts,
    Breakers,
    ControlMessage,
    Instruments,
    Orders,
    Pnl,
    PnlBy,
    Positions,
    Responses,
    Sessions,
    Status,
)

Json = Annotated[bool, Parameter(negative="", help="JSON: one object, or one a line for a list.")]
HERE = Connection()
LINE_FIELDS_MAX = 6  # A longer map is shown a line a field.


def status(*, json: Json = False, connection: Connection = HERE) -> int:
    """Show whether riskd is healthy: state, versions, counts, ports, journal, verdict latency.

    Example: riskd status
    """
    found = connection.ask(Status()).data
    if json:
        print_json(found)
        return DONE
    if not isinstance(found, Mapping):
        print(cell("status", found))
        return DONE
    headline = [str(found[name]) for name in ("env", "state") if name in found]
    if headline:
        print(coloured("  ".join(headline).upper(), BOLD))
    rest = {name: value for name, value in found.items() if name not in ("env", "state")}
    if not rest.get("verdicts"):
        rest = {name: value for name, value in rest.items() if not name.startswith("verdict_p")}
    for line in tree(rest, depth=0):
        print(line)
    return DONE


def responses(
    account: Annotated[str | None, Parameter(help="Of one account; all if absent.")] = None,
    /,
    *,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """List responses: those that ended, the latest last, then those that run.

    Example: riskd responses A1
    """
    rows = ask_of(account, Responses(account=account), connection)
    columns = ("response_id", "account", "event", "severity", "action", "stage", "attempt")
    return print_rows(rows, (*columns, "reason"), json=json)


def accounts(*, json: Json = False, connection: Connection = HERE) -> int:
    """List every account.

    Example: riskd accounts
    """
    rows = connection.ask(Accounts()).data
    return print_rows(rows, ("account", "id", "group", "currency", "state", "equity"), json=json)


def instruments(*, json: Json = False, connection: Connection = HERE) -> int:
    """List every instrument with its prices and their age.

    Example: riskd instruments
    """
    rows = connection.ask(Instruments()).data
    names = ("symbol", "kind", "currency", "bid", "ask", "last", "mark", "age_ns", "grade")
    return print_rows(
        rows, (*names, "state", "tick_size", "lot_size", "multiplier"), json=json, rest=False
    )


def positions(
    account: str | None = None, /, *, json: Json = False, connection: Connection = HERE
) -> int:
    """List the positions of ACCOUNT, or of all.

    Example: riskd positions A1
    """
    rows = ask_of(account, Positions(account=account), connection)
    if isinstance(rows, list) and not json:
        rows.sort(key=lambda row: (row["account"], row["symbol"]))
    return print_rows(rows, ("account", "symbol", "quantity", "average_price", "mark"), json=json)


def orders(account: str, /, *, json: Json = False, connection: Connection = HERE) -> int:
    """List the working orders of ACCOUNT with what they reserve.

    Example: riskd orders A1
    """
    rows = ask_of(account, Orders(account=account), connection)
    names = ("client_order_id", "symbol", "side", "quantity", "leaves_quantity", "price")
    return print_rows(rows, names, json=json)


def sessions(*, json: Json = False, connection: Connection = HERE) -> int:
    """List the sessions of gateways that stand, and the last ones that were lost.

    Example: riskd sessions
    """
    rows = connection.ask(Sessions()).data
    names = ("session", "gateway", "alive", "accounts", "working_orders", "instructions")
    return print_rows(rows, (*names, "heard_ns", "lost_reason"), json=json)


def breakers(*, json: Json = False, connection: Connection = HERE) -> int:
    """List every breaker and kill in force.

    Example: riskd breakers --json
    """
    rows = connection.ask(Breakers()).data
    names = ("breaker_id", "scope", "scope_id", "action", "trigger_type", "reason", "by", "at_ns")
    return print_rows(rows, names, json=json)


def pnl(
    scope: str = "firm",
    /,
    *,
    by: Annotated[PnlBy, Parameter(help="What each row is of.")] = PnlBy.ACCOUNT,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Show the P&L of SCOPE since it began, today, this week and this month, row by row.

    SCOPE is firm, group:G or account:A1. The rows sum to the total; `netted` is what strategies
    closed of one another, `cash` what exchange rates made of cash.

    Example: riskd pnl account:A1 --by strategy
    """
    found = ask_scope(scope, Pnl(scope=scope, by=by), connection)
    if json:
        print_json(found)
        return DONE
    rows = [*found["rows"], {"key": "total", **found["total"]}]
    partial = "" if found["complete"] else "  INCOMPLETE (a mark or rate is missing)"
    print(f"{found['scope']} by {found['by']} in {found['currency']}{partial}")
    return print_rows(rows, ("key", "life", "day", "week", "month"), json=False)


def ask_of(account: str | None, message: ControlMessage, connection: Connection) -> Any:
    """Return what riskd answers; an unknown account is refused with the nearest one."""
    if account is None:
        return connection.ask(message).data
    return ask_scope(f"account:{account}", message, connection)


def ask_scope(scope: str, message: ControlMessage, connection: Connection) -> Any:
    """Return what riskd answers; an unknown name in SCOPE is refused with the nearest one."""
    parse_scope(scope, BOOKS)
    try:
        return connection.ask(message).data
    except CommandError as refusal:
        if refusal.exit_code == FAILED:
            kind, _, name = scope.partition(":")
            check_known(kind, name, connection)
            check_known("symbol", getattr(message, "symbol", None), connection)
        raise


def check_known(kind: str, name: str | None, connection: Connection) -> None:
    """Raise CommandError with the nearest name if riskd says that it has no such one."""
    known = known_names(kind, connection) if name else []
    if known and name not in known:
        raise CommandError(
            f"riskd knows no {kind} {name}.",
            exit_code=FAILED,
            where=f"control port, {connection.address('control')}",
            expected=f"one that riskd {kind.replace('symbol', 'instrument')}s lists",
            next_step=did_you_mean(name or "", known),
        )


def print_rows(rows: Any, columns: Sequence[str], *, json: bool, rest: bool = True) -> int:
    """Print what a list query answered: a table, or NDJSON. Without `rest` only `columns`."""
    if isinstance(rows, Mapping):
        lists = [value for value in rows.values() if isinstance(value, list)]
        rows = lists[0] if len(lists) == 1 else [rows]
    if json:
        for row in rows:
            print_json(row)
    elif not rows:
        print("none")
    else:
        if not rest:
            rows = [{name: row.get(name) for name in columns} for row in rows]
        for line in table(rows, columns):
            print(line)
    return DONE


def tree(found: Mapping[str, Any], *, depth: int, named: str = "") -> list[str]:
    """Return nested maps as indented lines, empty ones left out.

    `named` is what each value is, where the keys are names: of symbols, of limits.
    """
    lines = []
    indent = "  " * depth
    width = max((len(label(name)) for name in found), default=0)
    for name, value in found.items():
        rows = value if isinstance(value, list) else [value]
        if rows and all(isinstance(row, Mapping) for row in rows) and _is_deep(value):
            for row in rows:
                inner = name if names_each(name) else named
                lines += [f"{indent}{label(name)}", *tree(row, depth=depth + 1, named=inner)]
        elif value not in (None, {}, []):
            shown = name if named else label(name)
            lines.append(f"{indent}{shown:<{width}}  {cell(named or name, value)}")
    return lines


def _is_deep(value: Any) -> bool:
    """Whether a value is too much for one line."""
    inner = value.values() if isinstance(value, Mapping) else (value,)
    return any(isinstance(part, Mapping | list) for part in inner) or len(inner) > LINE_FIELDS_MAX
