"""How the demo looks: a live screen on a terminal, a line a second when piped."""

from __future__ import annotations

import time
from math import ceil

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from riskd.cli.text import ABSENT, clock, money, span
from riskd.demo.scene import Board
from riskd.feed.tally import percentiles

WIDE_COLUMNS = 110  # From here on verdicts and P&L fit side by side.
PANEL_COLUMNS = 4  # Frame and padding of a panel.
BORDER_LINES = 2
HEAD_LINES = 3  # Of the P&L panel: its frame and the line of titles.
BREAKERS_MAX = 3


def line_of(board: Board) -> str:
    """Return the state as one line."""
    verdicts = board.flow.verdicts
    rejected = verdicts.total() - verdicts["APPROVED"]
    latency = percentiles(board.flow.latencies_ns)
    pnl = "  ".join(f"{name} {_day_of(board, name)}" for name in board.accounts)
    return (
        f"{board.elapsed_s:5.0f} s  {board.state}  "
        f"verdicts {verdicts.total():,} ({_rate(board)}/s, {rejected:,} rejected)  "
        f"p50 {span(latency.get('p50'))}  p99 {span(latency.get('p99'))}  "
        f"ticks {board.ticks:,}  {pnl}  alerts {board.alert_count:,}  "
        f"breakers {len(board.breakers)}"
    )


def screen_of(board: Board, *, width: int, height: int) -> Group:
    """Return the state as a screen of `width` columns and at most `height` lines."""
    header = Text(_header(board), style="bold")
    breakers = _breakers(board)
    accounts_lines = len(board.accounts) + HEAD_LINES
    used = ceil(len(header) / width) + len(breakers) + 2 * BORDER_LINES
    top: RenderableType
    if width < WIDE_COLUMNS:
        counts = Text("  ".join(f"{code} {count:,}" for code, count, _ in _counts(board)))
        verdicts_lines = ceil(len(counts) / (width - PANEL_COLUMNS)) + BORDER_LINES
        top = Group(Panel(counts, title="Verdicts"), _accounts(board))
        used += verdicts_lines + accounts_lines
    else:
        top = Table.grid(expand=True, padding=(0, 1))
        top.add_column(ratio=1)
        top.add_column(ratio=2)
        top.add_row(_verdicts(board), _accounts(board))
        used += max(len(_counts(board)) + BORDER_LINES, accounts_lines)
    alerts = _alerts(board)[-max(1, height - used) :]
    title = f"Alerts ({board.alert_count:,})"
    return Group(header, top, _list_panel("Breakers", breakers), _list_panel(title, alerts))


def _header(board: Board) -> str:
    latency = percentiles(board.flow.latencies_ns)
    return (
        f"DEMO  {board.state.upper()}  {clock(time.time_ns())}  {board.elapsed_s:,.0f} s  "
        f"{_rate(board)} verdicts/s  round trip p50 {span(latency.get('p50'))} "
        f"p99 {span(latency.get('p99'))}  ticks {board.ticks:,}  Ctrl-C ends"
    )


def _counts(board: Board) -> list[tuple[str, int, str]]:
    """Return what was answered, or failed, how often, and its colour; the most frequent first."""
    counts = [
        (code, count, "green" if code == "APPROVED" else "red")
        for code, count in board.flow.verdicts.most_common()
    ]
    return counts + [(name, count, "yellow") for name, count in board.flow.failures.most_common()]


def _verdicts(board: Board) -> Panel:
    rows = Table.grid(padding=(0, 2))
    rows.add_column()
    rows.add_column(justify="right")
    for name, count, colour in _counts(board):
        rows.add_row(Text(name, style=colour), f"{count:,}")
    return Panel(rows, title="Verdicts")


def _accounts(board: Board) -> Panel:
    rows = Table(box=None, pad_edge=False)
    for title in ("account", "day", "realized", "unrealized", "equity"):
        rows.add_column(title, justify="left" if title == "account" else "right")
    for name in board.accounts:
        update = board.pnl.get(name)
        if update is None:
            rows.add_row(name, ABSENT, ABSENT, ABSENT, ABSENT)
            continue
        day = money(update.day, update.currency)
        rows.add_row(
            name if update.complete else f"{name} (incomplete)",
            Text(day, style="red" if (update.day or 0) < 0 else "green"),
            money(update.realized, update.currency),
            money(update.unrealized, update.currency),
            money(update.equity, update.currency),
        )
    return Panel(rows, title="P&L")


def _breakers(board: Board) -> list[Text]:
    lines = [
        Text(
            f"OPEN {found.scope}:{found.scope_id}  {found.action}  {found.reason}  "
            f"{clock(found.at_ns)}",
            style="red",
        )
        for found in board.breakers.values()
    ]
    hidden = len(lines) - BREAKERS_MAX
    if hidden > 0:
        lines = [*lines[-BREAKERS_MAX:], Text(f"and {hidden:,} more: riskd breakers", style="red")]
    return lines or [Text("none", style="dim")]


def _alerts(board: Board) -> list[Text]:
    lines = [
        Text(f"{clock(found.first_ns)}  {found.severity.upper():<8}  {found.message}")
        for found in board.alerts
    ]
    return lines or [Text("none", style="dim")]


def _list_panel(title: str, lines: list[Text]) -> Panel:
    """Return lines in a frame; what is too long for one line is cut, so that the screen stays."""
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Panel(Group(*lines), title=title)


def _rate(board: Board) -> str:
    return f"{board.flow.verdicts.total() / max(board.elapsed_s, 0.001):,.0f}"


def _day_of(board: Board, account: str) -> str:
    update = board.pnl.get(account)
    return ABSENT if update is None else money(update.day, update.currency)
