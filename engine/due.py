"""When time itself must be let in: the first instant for which anything waits."""

from __future__ import annotations

from engine.alerts import AlertBook
from engine.boards import Boards
from engine.timers import Timers


def due_steady_ns(boards: Boards, timers: Timers, alerts: AlertBook) -> int | None:
    """Return the steady instant at which an `elapse` is needed, None if nothing waits."""
    instants = (
        timers.next_ns(),
        boards.breakers.due_steady_ns(),
        boards.outbox.due_steady_ns(),
        boards.quotes.due_steady_ns(),
        boards.responses.due_steady_ns(),
        alerts.due_steady_ns(),
    )
    return min((ns for ns in instants if ns is not None), default=None)
