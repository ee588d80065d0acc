"""Commands that read: status, accounts, positions, orders, alerts, breakers, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from riskd.cli.connection import Connection
from riskd.cli.failure import DONE
from riskd.cli.text import BOLD, cell, coloured, label, print_json, table
from riskd.messages import Accounts, Alerts, Breakers, Limits, Orders, Positions, Severity, Status

Json = Annotated[bool, Parameter(negative="", help="JSON: one object, or one a line for a list.")]
HERE = Connection()
LINE_FIELDS_MAX = 6  # A longer map is shown a line a field.


def status(*, json: Json = False, connection: Connection = HERE) -> int:
    """Show whether riskd is healthy: state, versions, counts, ports, journal, verdict latency."""
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
    for line in _tree(rest, depth=0):
        print(line)
    return DONE


def accounts(*, json: Json = False, connection: Connection = HERE) -> int:
    """List every account."""
    rows = connection.ask(Accounts()).data
    return _print_rows(rows, ("account", "id", "group", "currency", "state", "equity"), json=json)


def positions(
    account: str | None = None, /, *, json: Json = False, connection: Connection = HERE
) -> int:
    """List the positions of ACCOUNT, or of all."""
    rows = connection.ask(Positions(account=account)).data
    return _print_rows(rows, ("account", "symbol", "quantity", "average_price", "mark"), json=json)


def orders(account: str, /, *, json: Json = False, connection: Connection = HERE) -> int:
    """List the working orders of ACCOUNT with what they reserve."""
    rows = connection.ask(Orders(account=account)).data
    names = ("client_order_id", "symbol", "side", "quantity", "leaves_quantity", "price")
    return _print_rows(rows, names, json=json)


def alerts(
    *,
    severity: Annotated[Severity | None, Parameter(help="Only of this severity.")] = None,
    since: Annotated[int | None, Parameter(help="Only with a greater alert_id.")] = None,
    limit: Annotated[int, Parameter(help="At most so many.")] = 100,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """List the newest alerts, latest last."""
    rows = connection.ask(Alerts(since=since, severity=severity, limit=limit)).data
    names = ("alert_id", "severity", "account", "symbol", "alert_type", "message", "count")
    return _print_rows(rows, names, json=json)


def breakers(*, json: Json = False, connection: Connection = HERE) -> int:
    """List every breaker and kill in force."""
    rows = connection.ask(Breakers()).data
    names = ("breaker_id", "scope", "scope_id", "action", "trigger_type", "reason", "by", "at_ns")
    return _print_rows(rows, names, json=json)


def limits(
    scope: str | None = None, /, *, json: Json = False, connection: Connection = HERE
) -> int:
    """Show the limits in force: all, or of SCOPE such as `account:A1`."""
    found = connection.ask(Limits(scope=scope)).data
    if json:
        print_json(found)
        return DONE
    for line in _tree(found, depth=0) if isinstance(found, Mapping) else [cell("", found)]:
        print(line)
    return DONE


def _print_rows(rows: Any, columns: Sequence[str], *, json: bool) -> int:
    """Print what a list query answered: a table, or NDJSON."""
    if isinstance(rows, Mapping):
        lists = [value for value in rows.values() if isinstance(value, list)]
        rows = lists[0] if len(lists) == 1 else [rows]
    if json:
        for row in rows:
            print_json(row)
    elif not rows:
        print("none")
    else:
        for line in table(rows, columns):
            print(line)
    return DONE


def _tree(found: Mapping[str, Any], *, depth: int) -> list[str]:
    """Return nested maps as indented lines, empty ones left out."""
    lines = []
    indent = "  " * depth
    width = max((len(label(name)) for name in found), default=0)
    for name, value in found.items():
        rows = value if isinstance(value, list) else [value]
        if rows and all(isinstance(row, Mapping) for row in rows) and _is_deep(value):
            for row in rows:
                lines += [f"{indent}{label(name)}", *_tree(row, depth=depth + 1)]
        elif value not in (None, {}, []):
            lines.append(f"{indent}{label(name):<{width}}  {cell(name, value)}")
    return lines


def _is_deep(value: Any) -> bool:
    """Whether a value is too much for one line."""
    inner = value.values() if isinstance(value, Mapping) else (value,)
    return any(isinstance(part, Mapping | list) for part in inner) or len(inner) > LINE_FIELDS_MAX
