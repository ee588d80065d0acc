"""`riskd alerts` and `riskd ack`: what should be known, and that somebody knows it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from riskd.alert_types import ALERT_TYPES
from riskd.cli.connection import Connection
from riskd.cli.failure import DONE, FAILED, CommandError
from riskd.cli.look import HERE, Json, ask_of, print_rows
from riskd.cli.text import BOLD, cell, coloured, number, print_json
from riskd.messages import AlertAck, Alerts, Severity

AlertStatus = Literal[
    "open", "raised", "repeated", "escalated", "acknowledged", "muted", "resolved"
]
COLUMNS = ("alert_id", "severity", "status", "account", "symbol", "alert_type", "message", "count")


def alerts(
    *,
    severity: Annotated[Severity | None, Parameter(help="Only of this severity.")] = None,
    account: Annotated[str | None, Parameter(help="Only of this account.")] = None,
    status: Annotated[
        AlertStatus | None, Parameter(help="Only such; open: nobody has seen it, nor has it ended.")
    ] = None,
    last_s: Annotated[
        float | None, Parameter(help="Only seen in the last so many seconds.")
    ] = None,
    since: Annotated[int | None, Parameter(help="Only with a greater alert_id.")] = None,
    limit: Annotated[int, Parameter(help="At most so many.")] = 100,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """List the newest alerts, latest last.

    Example: riskd alerts --status open --severity critical
    """
    asked = Alerts(
        since=since,
        severity=severity,
        account=account,
        status=status,
        from_ns=None if last_s is None else max(0, time.time_ns() - round(last_s * 1e9)),
        limit=limit,
    )
    return print_rows(_without_lives(ask_of(account, asked, connection)), COLUMNS, json=json)


def ack(
    alert_ids: Annotated[Sequence[int], Parameter(help="As riskd alerts numbers them.")],
    /,
    *,
    note: Annotated[str, Parameter(help="What is done about it; kept with the alert.")] = "",
    by: Annotated[str, Parameter(help="Who you are.")] = "",
    mute_s: Annotated[
        float | None, Parameter(help="Be silent for so many seconds if it happens again.")
    ] = None,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Say that alerts were seen: they are neither published again nor escalated.

    Example: riskd ack 41 --by ann --note "the desk is told"
    """
    mute_ms = None if mute_s is None else round(mute_s * 1000)
    for alert_id in alert_ids:
        request = AlertAck(alert_id=alert_id, by=by, note=note, mute_ms=mute_ms)
        found: Any = connection.ask(request).data
        if json:
            print_json(found)
            continue
        done = "ACKNOWLEDGED" if found["changed"] else f"{found['status']} already:"
        muted = "" if mute_s is None else f"   silent for {mute_s:g} s"
        print(f"{done} alert {alert_id}   seq {found['seq']:,}{muted}")
    return DONE


def _without_lives(rows: Any) -> Any:
    """Return alerts without what only people who look at one of them need."""
    beside = ("last_ns", "by", "note", "seq")
    if not isinstance(rows, list):
        return rows
    return [{name: value for name, value in row.items() if name not in beside} for row in rows]


def explain_alert(alert_id: int, connection: Connection, *, json: bool) -> int:
    """Print what caused an alert, by which rule and numbers, and what became of it since."""
    found: Any = connection.ask(Alerts(alert_id=alert_id)).data
    if not found:
        raise CommandError(
            f"riskd remembers no alert {alert_id}.",
            exit_code=FAILED,
            expected="a number that riskd alerts lists",
            next_step="riskd export risk_alerts has those that are forgotten",
        )
    [alert] = found
    if json:
        print_json(alert)
        return DONE
    head = f"alert {alert_id}  {alert['severity'].upper()}  {alert['alert_type']}"
    print(coloured(f"{head}  {alert.get('account') or alert.get('symbol') or 'firm'}", BOLD))
    text = ALERT_TYPES.get(alert["alert_type"])
    first, seen = alert["steps"][0], f"{alert['count']:,} times"
    lines = {
        "said": alert["message"],
        "means": text.meaning if text is not None else "",
        "value": number(alert.get("value")) if alert.get("value") is not None else "",
        "line": number(alert.get("threshold")) if alert.get("threshold") is not None else "",
        "cause": f"{alert['cause']}, first by input seq {first['seq']:,}",
        "seen": f"{seen}, {cell('at_ns', alert['first_ns'])} to {cell('at_ns', alert['last_ns'])}",
        "ends": text.ends if text is not None else "",
        "do": text.remedy if text is not None else "",
    }
    for name, line in lines.items():
        if line:
            print(f"  {name:<6} {line}")
    for step in alert["steps"]:
        told = [cell("at_ns", step["at_ns"]), step["status"], step["severity"]]
        told += [f"by {step['by']}"] if step.get("by") else []
        told += [f'"{step["note"]}"'] if step.get("note") else []
        began = "began" if step is first else "since"
        print(f"  {began:<6} {'  '.join(told)}  seq {step['seq']:,}")
    for line in _done_about(alert):
        print(f"  done   {line}")
    return DONE


def _done_about(alert: Any) -> Iterator[str]:
    """Yield what riskd did about an alert: the plans and the breakers that it called for."""
    for plan in alert.get("responses", ()):
        by = f"of account {plan['account']}, asked for by {plan['policy']}"
        yield f"{plan['response_id']} {plan['action']}: {plan['stage']}, {by}"
    for row in alert.get("breakers", ()):
        scope = f"{row['scope']}:{row['scope_id']}"
        yield f"breaker {row['breaker_id']} of {scope}: {row['action']}"
