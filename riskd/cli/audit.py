"""`riskd export`, `riskd acts`, `riskd report`: read the audit database, with riskd up or down."""

from __future__ import annotations

import csv
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from riskd.cli.connection import Connection
from riskd.cli.failure import DONE, FAILED, USAGE, CommandError
from riskd.cli.look import HERE, Json, print_rows
from riskd.cli.text import BOLD, coloured, print_json, table
from riskd.messages import Status

Table = Literal[
    "risk_metrics_snapshot",
    "risk_alerts",
    "risk_responses",
    "circuit_breaker_events",
    "daily_pnl",
    "operator_acts",
    "limit_changes",
]
Database = Annotated[
    Path | None, Parameter(help="The file; absent: riskd at the control port is asked for it.")
]
LastS = Annotated[float | None, Parameter(help="Only of the last so many seconds.")]
DAY_NS = 86_400 * 10**9


def export(
    table: Annotated[Table, Parameter(help="Which table.")],
    /,
    *,
    written: Annotated[
        Literal["csv", "ndjson"], Parameter(name="--format", help="How it is written.")
    ] = "csv",
    account: Annotated[str | None, Parameter(help="Only of this account.")] = None,
    last_s: LastS = None,
    database: Database = None,
    connection: Connection = HERE,
) -> int:
    """Write a table of the audit database to standard output, the oldest row first.

    Example: riskd export risk_alerts --format csv > alerts.csv
    """
    since_ns = 0 if last_s is None else time.time_ns() - round(last_s * 1e9)
    where, values = "at_ns >= ?", [since_ns]
    names, rows = _read(
        f"SELECT * FROM {table} WHERE {where} ORDER BY at_ns", values, database, connection
    )
    if account is not None and "account" not in names:
        raise CommandError(
            f"{table} is not about accounts.", exit_code=USAGE, next_step="leave --account out"
        )
    if account is not None:
        at = names.index("account")
        rows = (row for row in rows if row[at] == account)
    if written == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
    else:
        for row in rows:
            print_json(dict(zip(names, row, strict=True)))
    return DONE


def acts(
    *,
    last_s: LastS = None,
    limit: Annotated[int, Parameter(help="At most so many.")] = 100,
    json: Json = False,
    database: Database = None,
    connection: Connection = HERE,
) -> int:
    """List what operators did: who, when, what, why and with which result, latest last.

    Example: riskd acts --last-s 3600
    """
    since_ns = 0 if last_s is None else time.time_ns() - round(last_s * 1e9)
    sql = "SELECT * FROM operator_acts WHERE at_ns >= ? ORDER BY audit_id DESC LIMIT ?"
    names, found = _read(sql, [since_ns, limit], database, connection)
    rows = [dict(zip(names, row, strict=True)) for row in found][::-1]
    columns = ("audit_id", "at_ns", "by", "act", "reason", "ok", "seq")
    if not json:
        rows = [row | {"ok": bool(row["ok"])} for row in rows]
    return print_rows(rows, columns, json=json, rest=json)


def report(
    day: Annotated[str, Parameter(help="A date, UTC, such as 2026-11-20; absent: today.")] = "",
    /,
    *,
    json: Json = False,
    database: Database = None,
    connection: Connection = HERE,
) -> int:
    """Say what a day came to: P&L and lowest equity by account, alerts, breakers, acts, limits.

    Example: riskd report 2026-11-20
    """
    from_ns = _begin_ns(day)
    shown = {name: _day_of(sql, from_ns, database, connection) for name, sql in _REPORT.items()}
    if json:
        print_json({"day": _date(from_ns), **shown})
        return DONE
    print(coloured(f"{_date(from_ns)} UTC", BOLD))
    for name, rows in shown.items():
        print(coloured(name.replace("_", " "), BOLD))
        for line in table(rows, ()) if rows else ["none"]:
            print(f"  {line}")
    return DONE


_REPORT = {
    "accounts": """
        SELECT account, currency, min(equity) AS lowest_equity, max(equity) AS highest_equity,
               min(day) AS lowest_day, max(drawdown_day_pct) AS drawdown_day_pct,
               max(gross) AS highest_gross
        FROM risk_metrics_snapshot WHERE at_ns >= :from_ns AND at_ns < :to_ns
        GROUP BY account, currency ORDER BY account""",
    "days_ended": """
        SELECT account, day, currency, pnl, equity FROM daily_pnl
        WHERE at_ns >= :from_ns AND at_ns < :to_ns ORDER BY at_ns, account""",
    "alerts": """
        SELECT severity, alert_type, account, count(DISTINCT alert_id) AS alerts
        FROM risk_alerts WHERE at_ns >= :from_ns AND at_ns < :to_ns AND status = 'raised'
        GROUP BY severity, alert_type, account ORDER BY 4 DESC, 2, 3""",
    "breakers": """
        SELECT breaker_id, scope, scope_id, action, reason, by, sum(active) AS opened,
               sum(1 - active) AS closed
        FROM circuit_breaker_events WHERE at_ns >= :from_ns AND at_ns < :to_ns
        GROUP BY breaker_id ORDER BY breaker_id""",
    "operator_acts": """
        SELECT by, act, reason, count(*) AS times FROM operator_acts
        WHERE at_ns >= :from_ns AND at_ns < :to_ns GROUP BY by, act, reason ORDER BY 4 DESC, 2""",
    "limit_changes": """
        SELECT limits_version, scope, key, before, after FROM limit_changes
        WHERE at_ns >= :from_ns AND at_ns < :to_ns ORDER BY seq, number""",
}


def _day_of(
    sql: str, from_ns: int, database: Path | None, connection: Connection
) -> list[dict[str, Any]]:
    values = {"from_ns": from_ns, "to_ns": from_ns + DAY_NS}
    names, rows = _read(sql, values, database, connection)
    return [dict(zip(names, row, strict=True)) for row in rows]


def _begin_ns(day: str) -> int:
    try:
        found = datetime.fromisoformat(day) if day else datetime.now(UTC)
    except ValueError as error:
        raise CommandError(
            f"{day!r} is no date.", exit_code=USAGE, expected="such as 2026-11-20"
        ) from error
    midnight = found.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)
    return round(midnight.timestamp()) * 10**9


def _date(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9, UTC).date().isoformat()


def _read(
    sql: str, values: list[Any] | dict[str, Any], database: Path | None, connection: Connection
) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    """Return the columns and the rows of a query; the file is only read."""
    path = database or _path_of(connection)
    try:
        opened = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        with closing(opened):
            found = opened.execute(sql, values)
            return [name for name, *_ in found.description], iter(found.fetchall())
    except sqlite3.Error as error:
        raise CommandError(
            f"the audit database cannot be read: {error}",
            exit_code=FAILED,
            where=str(path),
            expected="the file that [audit] path names, in data_dir",
            next_step="name it: --database PATH",
        ) from error


def _path_of(connection: Connection) -> Path:
    shown = connection.ask(Status()).data
    audit = shown.get("audit") if isinstance(shown, Mapping) else None
    if not isinstance(audit, Mapping):
        raise CommandError(
            "this riskd keeps no audit database.",
            exit_code=FAILED,
            expected="[audit] enabled = true",
        )
    return Path(str(audit["path"]))
