"""Commands on the valuation book: exposure, margin, drawdown, check, sweep."""

from __future__ import annotations

from typing import Any

from riskd.cli.connection import Connection
from riskd.cli.failure import DONE
from riskd.cli.look import HERE, Json, ask_of, ask_scope, print_rows, tree
from riskd.cli.measure import print_map, warn_incomplete
from riskd.cli.text import print_json
from riskd.messages import (
    CheckState,
    DrawdownRequest,
    ExposureRequest,
    MarginRequest,
    Sweep,
)

MARGIN = (
    *("account", "state", "level_pct", "equity", "used", "initial", "maintenance", "free"),
    *("currency", "complete"),
)
SPANS = ("day", "week", "max")
DRAWDOWN = (
    *("account", "span", "drawdown", "drawdown_pct", "peak", "trough", "under_water_ns"),
    *("recovered_pct", "deepest", "recovery_factor", "currency"),
)
CHECKED = ("account", "standings", "drift", "drift_bound", "complete")


def exposure(scope: str = "firm", /, *, json: Json = False, connection: Connection = HERE) -> int:
    """Show what a book is exposed to. SCOPE is firm, group:G or account:A1.

    Example: riskd exposure account:A1
    """
    found = ask_scope(scope, ExposureRequest(scope=scope), connection)
    if json:
        print_json(found)
        return DONE
    warn_incomplete(found)
    print_map({key: value for key, value in found.items() if value not in ({}, None)})
    return DONE


def margin(
    account: str | None = None, /, *, json: Json = False, connection: Connection = HERE
) -> int:
    """Show the margin of ACCOUNT, or of all: level and state, used, free, maintenance.

    Example: riskd margin A1
    """
    rows = ask_of(account, MarginRequest(account=account), connection)
    return print_rows(rows, MARGIN, json=json, rest=False)


def drawdown(of: str | None = None, /, *, json: Json = False, connection: Connection = HERE) -> int:
    """Show how far an account, or each, is below its highest of the day, of the week and ever.

    OF is an account, `firm` or `group:G`: what all its accounts are worth together.

    Example: riskd drawdown group:desk-1
    """
    account = None if of is None else of.removeprefix("account:")
    is_scope = of is not None and (of == "firm" or of.startswith("group:"))
    asked = DrawdownRequest(scope=of) if is_scope else DrawdownRequest(account=account)
    scope = of if of is None or is_scope else f"account:{account}"
    rows = ask_scope(scope, asked, connection) if scope else connection.ask(asked).data
    if not json:
        warn_incomplete({"complete": all(row["complete"] for row in rows)})
        rows = [
            {
                "account": row.get("account", row.get("scope")),
                "span": span,
                "currency": row["currency"],
                **row[span],
            }
            for row in rows
            for span in SPANS
            if row[span] is not None
        ]
    return print_rows(rows, DRAWDOWN, json=json, rest=False)


def check(
    account: str | None = None, /, *, json: Json = False, connection: Connection = HERE
) -> int:
    """Look at ACCOUNT, or at all, exactly and now: what is past a threshold, and the book's drift.

    Example: riskd check A1
    """
    rows: list[dict[str, Any]] = ask_of(account, CheckState(account=account), connection)
    if not json:
        for row in rows:
            told = [f"{key} {level}" for key, level in row["standings"].items()]
            row["standings"] = ", ".join(told) or "safe"
    return print_rows(rows, CHECKED, json=json, rest=False)


def sweep(*, json: Json = False, connection: Connection = HERE) -> int:
    """Make the valuation book of every account anew from its ledger; show what had drifted.

    Example: riskd sweep
    """
    found = connection.ask(Sweep()).data
    if json:
        print_json(found)
        return DONE
    for line in tree(found, depth=0):
        print(line)
    return DONE
