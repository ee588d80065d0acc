"""How figures look: separators, units, ages, instants with their zone, aligned columns."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

GREEN, RED, YELLOW, BOLD, DIM = "32", "31", "33", "1", "2"
ABSENT = "-"
UNSHOWN = frozenset(("type", "pub_seq"))  # Of the wire, not of the subject.
MONEY = frozenset(
    (
        *("equity", "realized", "unrealized", "fees", "day", "balance", "gross", "mfe", "mae"),
        *("expectancy", "average_gain", "average_loss", "largest_gain", "largest_loss"),
        *("average_mfe", "average_mae", "largest_mfe", "largest_mae", "most_given_back"),
        *("deviation", "cost", "margin_freed", "margin_used", "margin_maintenance", "margin_free"),
        *("risk", "loss_at_stop", "notional", "funding", "revaluation", "life", "week", "month"),
        *("used", "initial", "maintenance", "free", "drawdown", "peak", "trough", "deepest"),
        *("long", "short", "net", "worst_gross", "worst_long", "worst_short", "turnover"),
        *("by_symbol", "lowest_equity", "highest_equity", "lowest_day", "highest_gross", "pnl"),
    )
)
SHARES = frozenset(
    (
        *("win_rate", "profit_factor", "reward_to_risk", "planned_reward_to_risk", "kelly"),
        *("score", "sharpe", "sortino", "calmar", "hhi", "clustered_hhi", "effective_number"),
        *("diversification", "clustered_diversification", "largest_weight", "weight", "weights"),
        *("cost_per_margin", "margin_level_pct", "volatility", "annual_return", "downside_risk"),
        *("max_drawdown", "value_at_risk_95", "value_at_risk_99", "expected_shortfall_95"),
        *("normal_value_at_risk_95", "correlation", "level_pct", "drawdown_pct", "recovered_pct"),
        *("recovery_factor", "leverage", "largest_pct", "drawdown_day_pct", "utilization"),
    )
)  # Ratios that are read to four places.
SPAN_UNITS = ((1, 1000, "ns"), (1000, 10**6, "µs"), (10**6, 10**9, "ms"))


def has_colour(stream: TextIO) -> bool:
    """Whether colour may be written: a terminal, and nobody asked for none."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def coloured(text: str, colour: str) -> str:
    """Return `text` in a colour where standard output has colours. Never the only signal."""
    return f"\x1b[{colour}m{text}\x1b[0m" if has_colour(sys.stdout) else text


def number(value: float | None, unit: str = "", *, places: int | None = None) -> str:
    """Return a figure with thousands separators and its unit: `-12,430.50 USD`."""
    if value is None:
        return ABSENT
    if places is not None:
        text = f"{value:,.{places}f}"
    elif isinstance(value, int) or float(value).is_integer():
        text = f"{int(value):,}"
    else:
        whole, _, rest = f"{value:.10f}".rstrip("0").partition(".")
        sign = "-" if whole.startswith("-") else ""
        text = f"{sign}{int(whole.lstrip('-')):,}.{rest}"
    return f"{text} {unit}".strip()


def money(value: float | None, currency: str = "") -> str:
    """Return an amount with two decimals and its currency."""
    return number(value, currency, places=2)


def amount(value: float | None) -> str:
    """Return an amount with two decimals; of what is smaller, such as bitcoin, every one it has."""
    return number(value) if value and abs(value) < 0.005 else number(value, places=2)


def span(value_ns: float | None) -> str:
    """Return a span in the unit that fits: `64 µs`, `1.9 ms`, `2.5 s`."""
    if value_ns is None:
        return ABSENT
    if value_ns == 0:
        return "0 s"
    for unit_ns, limit_ns, name in SPAN_UNITS:
        if value_ns < limit_ns:
            units = value_ns / unit_ns
            return f"{units:.1f} {name}" if unit_ns > 1000 and units < 10 else f"{units:.0f} {name}"
    seconds = value_ns / 1e9
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    return f"{minutes} min" if hours < 1 else f"{hours:,} h {minutes % 60:02} min"


def instant(at_ns: int | None) -> str:
    """Return an instant in UTC with milliseconds and its zone."""
    if not at_ns:
        return ABSENT
    moment = datetime.fromtimestamp(at_ns // 10**9, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{at_ns // 10**6 % 1000:03}Z"


def clock(at_ns: int | None) -> str:
    """Return the time of day of an instant, for lists."""
    return instant(at_ns)[11:] if at_ns else ABSENT


def cell(name: str, value: Any) -> str:
    """Return a value as its field's name says it should look."""
    if value is None or value == "":
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        if name in ("id", "pid") or name.endswith(("_id", "version")):
            return str(value)  # It names something; it is no amount.
        if name.endswith("age_ns") or name in ("uptime_ns", "retry_after_ns", "latency_ns"):
            return span(value)
        if name.endswith("_ns"):
            return instant(int(value)) if value > 10**17 else span(value)
        if name in SHARES:
            return number(value, places=4)
        return amount(value) if name in MONEY else number(value)
    if isinstance(value, Mapping):
        named = names_each(name)
        return (
            " ".join(f"{key}={cell(name if named else key, inner)}" for key, inner in value.items())
            or ABSENT
        )
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(cell(name, inner) for inner in value) or ABSENT
    return str(value)


def names_each(name: str) -> bool:
    """Return whether the name of a map is that of each of its values: weights, ages by symbol."""
    return name in SHARES or name in MONEY or name.endswith("_ns")


def label(name: str) -> str:
    """Return a field's name for people; its value is shown with its unit."""
    return name.removesuffix("_ns").replace("_", " ")


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """Return rows as aligned lines: figures right, words left. Further fields follow `columns`."""
    present = {key: None for row in rows for key in row if key not in UNSHOWN}
    names = [name for name in columns if name in present]
    names += [name for name in present if name not in names]
    cells = [[cell(name, row.get(name)) for name in names] for row in rows]
    is_figure = [all(_is_figure(row.get(name)) for row in rows) for name in names]
    heads = [label(name) for name in names]
    widths = [
        max(len(heads[index]), *(len(line[index]) for line in cells)) for index in range(len(names))
    ]

    def aligned(line: Sequence[str]) -> str:
        parts = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, is_figure, strict=True)
        ]
        return "  ".join(parts).rstrip()

    return [coloured(aligned(heads), BOLD), *(aligned(line) for line in cells)]


def _is_figure(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def print_json(value: Any) -> None:
    """Print one JSON object on one line."""
    print(msgspec.json.encode(value).decode())
