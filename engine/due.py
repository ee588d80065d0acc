"""When time itself must be let in: the first instant for which anything waits."""

from __future__ import annotations

from engine.alerts import AlertBook
from engine.boards import Boards
from engine.sweep import Sweeper
from engine.timers import Timers, earliest


def due_steady_ns(
    boards: Boards, timers: Timers, alerts: AlertBook, sweeper: Sweeper
) -> int | None:
    """Return the steady instant at which an `elapse` is needed, None if nothing waits."""
    return earliest(
        0 if boards.is_behind() else None,
        timers.next_ns(),
        boards.limit_book.due_steady_ns(),
        boards.breakers.due_steady_ns(),
        boards.outbox.due_steady_ns(),
        boards.quotes.due_steady_ns(),
        boards.quotes.silence.due_steady_ns(),
        boards.quotes.swings.due_steady_ns(),
        boards.responses.due_steady_ns(),
        alerts.due_steady_ns(),
        sweeper.due_ns(),
    )
