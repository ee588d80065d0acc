"""What people ask of alerts: the newest that match, or the life of one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from msgspec.structs import asdict

from engine.alerts import AlertBook
from engine.boards import Boards
from engine.breakers import message_of
from engine.responses import update_of
from riskd.messages import Alert, Alerts

CAUSES = {"fault": "frozen", "feed_silence": "feed_silent"}  # Of measures: of another name.


def alerts_view(books: Sequence[AlertBook], asked: Alerts) -> list[Alert]:
    """Return the newest alerts of all books that match, the latest last."""
    newest: list[Alert] = []
    for book in books:
        found = (book.shown(entry) for entry in reversed(book.entries.values()))
        newest += islice((alert for alert in found if _is_asked(alert, asked)), asked.limit)
    newest.sort(key=lambda alert: (alert.first_ns, alert.alert_id))
    return newest[-asked.limit :] if asked.limit else []


def alert_view(book: AlertBook, alert_id: int) -> dict[str, Any] | None:
    """Return one alert with every step of its life, None if it is not remembered."""
    entry = book.entries.get(alert_id)
    if entry is None:
        return None
    shown = {**asdict(book.shown(entry)), "cause": entry.cause, "lasting": entry.lasting}
    return {**shown, "steps": entry.steps}


def done_about(boards: Boards, cause: str, since_ns: int) -> dict[str, Any]:
    """Return what was done about the cause of an alert since then: plans, and open breakers."""
    book = boards.responses
    plans = [*book.ended.values(), *book.running.values()]
    opened = boards.breakers.book.open.values()
    return {
        "responses": [
            update_of(plan)
            for plan in plans
            if plan.told_ns >= since_ns
            and _is_about(cause, plan.measure, plan.scope, plan.scope_id or plan.account)
        ],
        "breakers": [
            message_of(state, active=True)
            for state in opened
            if _is_about(cause, state.measure, state.scope, state.scope_id)
        ],
    }


def _is_about(cause: str, measure: str, scope: str, scope_id: str) -> bool:
    """Return whether a measure of somebody is what an alert is about."""
    whose = {"firm": "firm", "group": f"group:{scope_id}"}.get(scope, scope_id)
    name = CAUSES.get(measure, measure)
    of_limit = cause.startswith(f"{name}:") and cause.endswith(f":{scope}:{scope_id}")
    return bool(measure) and (cause == f"{name}:{whose}" or of_limit)


def _is_asked(alert: Alert, asked: Alerts) -> bool:
    return (
        (asked.since is None or alert.alert_id > asked.since)
        and (asked.from_ns is None or alert.last_ns >= asked.from_ns)
        and (asked.to_ns is None or alert.first_ns <= asked.to_ns)
        and (asked.severity is None or alert.severity is asked.severity)
        and (asked.account is None or alert.account == asked.account)
        and (asked.status in (None, alert.status) or asked.status == _kept_open(alert))
    )


def _kept_open(alert: Alert) -> str:
    """Return `open` for what nobody has seen and what has not ended."""
    return "" if alert.status in ("acknowledged", "muted", "resolved") else "open"
