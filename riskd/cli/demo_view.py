"""How the demo looks: a live screen on a terminal, a line a second when piped."""

from __future__ import annotations

import time

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from riskd.cli.text import ABSENT, clock, money, span
from riskd.demo.scene import Board
from riskd.feed.tally import percentiles


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


def screen_of(board: Board) -> Group:
    """Return the state as a screen."""
    columns = Table.grid(expand=True, padding=(0, 1))
    columns.add_column(ratio=2)
    columns.add_column(ratio=3)
    columns.add_row(_verdicts(board), _accounts(board))
    return Group(Text(_header(board), style="bold"), columns, _breakers(board), _alerts(board))


def _header(board: Board) -> str:
    latency = percentiles(board.flow.latencies_ns)
    return (
        f"DEMO  {board.state.upper()}  {clock(time.time_ns())}  {board.elapsed_s:,.0f} s  "
        f"{_rate(board)} verdicts/s  round trip p50 {span(latency.get('p50'))} "
        f"p99 {span(latency.get('p99'))}  ticks {board.ticks:,}  Ctrl-C ends"
    )


def _verdicts(board: Board) -> Panel:
    rows = Table.grid(padding=(0, 2))
    rows.add_column()
    rows.add_column(justify="right")
    for code, count in board.flow.verdicts.most_common():
        rows.add_row(Text(code, style="green" if code == "APPROVED" else "red"), f"{count:,}")
    for name, count in board.flow.failures.most_common():
        rows.add_row(Text(name, style="yellow"), f"{count:,}")
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


def _breakers(board: Board) -> Panel:
    lines = [
        Text(
            f"OPEN {found.scope}:{found.scope_id}  {found.action}  {found.reason}  "
            f"{clock(found.at_ns)}",
            style="red",
        )
        for found in board.breakers.values()
    ]
    return Panel(Group(*lines) if lines else Text("none", style="dim"), title="Breakers")


def _alerts(board: Board) -> Panel:
    lines = [
        Text(f"{clock(found.first_ns)}  {found.severity.upper():<8}  {found.message}")
        for found in board.alerts
    ]
    title = f"Alerts ({board.alert_count:,})"
    return Panel(Group(*lines) if lines else Text("none", style="dim"), title=title)


def _rate(board: Board) -> str:
    return f"{board.flow.verdicts.total() / max(board.elapsed_s, 0.001):,.0f}"


def _day_of(board: Board, account: str) -> str:
    update = board.pnl.get(account)
    return ABSENT if update is None else money(update.day, update.currency)
