"""Tables, JSON, and the change against an earlier run."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import msgspec
from msgspec import Struct

from scripts.benchmarks.bench import Budget, Row
from scripts.benchmarks.machine import PACKAGES

UNITS = ("_ns", "_s", "_bytes")
DIGITS = 3


class Run(Struct):
    """Everything one call of scripts/bench measured."""

    size: str  # smoke or full.
    machine: dict[str, str]
    parameters: dict[str, dict[str, int]]
    rows: list[Row]
    budgets: list[Budget]


def save(run: Run, path: Path) -> None:
    """Write a run as JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=2) + b"\n")


def load_run(path: Path) -> Run:
    """Return an earlier run; raise OSError or msgspec.DecodeError if there is none."""
    return msgspec.json.decode(path.read_bytes(), type=Run)


def machine_lines(machine: dict[str, str], size: str) -> Iterator[str]:
    """Yield what machine this was."""
    cpu, cores, system = (machine[name] for name in ("cpu", "cores", "system"))
    yield f"{cpu}, {cores} cores, {system}, load {machine['load']}, {size} size"
    names = ("python", "libzmq", *PACKAGES)
    yield ", ".join(f"{name} {machine[name]}" for name in names)
    yield f"two readings of the clock: {machine['timer_ns']} ns, part of every span"


def load_line(machine: dict[str, str]) -> str:
    """Return how busy the machine was, and whether its tails can be believed."""
    after, cores = float(machine["load_after"]), int(machine["cores"])
    text = f"load {machine['load']} before, {machine['load_after']} after, {cores} cores"
    return f"{text}: BUSY, p99 and p99.9 are of others too" if after > cores else text


def table_lines(rows: list[Row]) -> Iterator[str]:
    """Yield a table for each set of columns: a case a line, its figures, its digest."""
    for (bench, names), grouped in groupby(rows, key=lambda row: (row.bench, tuple(row.figures))):
        found = list(grouped)
        cells = [
            [row.case, *(_text(name, row.figures[name]) for name in names), row.digest]
            for row in found
        ]
        yield ""
        yield from aligned([[bench, *map(_heading, names), "digest"], *cells])
        yield from dict.fromkeys(f"  {row.note}" for row in found if row.note)


def budget_lines(budgets: list[Budget]) -> Iterator[str]:
    """Yield every budget with what was measured, and whether it is met."""
    if not budgets:
        return
    cells = [["budget", "measured", "", "allowed", ""]]
    for budget in budgets:
        sign = "<=" if budget.at_most else ">="
        state = "ok" if budget.is_met else "over" if budget.at_most else "under"
        measured, limit = _number(budget.value), _number(budget.limit)
        cells.append([f"{budget.bench}: {budget.what}", measured, sign, limit, state])
    yield ""
    yield from aligned(cells)


def change_lines(before: Run, after: Run) -> Iterator[str]:
    """Yield each figure of both runs with its change, and each result that is not the same."""
    old = {(row.bench, row.case): row for row in before.rows}
    cells = [["change", "figure", "before", "after", ""]]
    for row in after.rows:
        earlier = old.get((row.bench, row.case))
        if earlier is None:
            cells.append([f"{row.bench}: {row.case}", "new", "", "", ""])
            continue
        for name, value in row.figures.items():
            was = earlier.figures.get(name)
            if was:
                texts = [_text(name, was), _text(name, value), f"{value / was - 1:+.1%}"]
                cells.append([f"{row.bench}: {row.case}", _heading(name), *texts])
        if row.digest != earlier.digest and before.size == after.size:
            meaning = [earlier.digest, row.digest, "OTHER RESULTS"]
            cells.append([f"{row.bench}: {row.case}", "digest", *meaning])
    yield ""
    if before.size != after.size:
        yield f"the earlier run was of {before.size} size, this one of {after.size}"
    yield from aligned(cells)


def aligned(cells: list[list[str]]) -> Iterator[str]:
    """Yield lines whose columns line up, the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    for row in cells:
        first, *others = zip(row, widths, strict=True)
        texts = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]
        yield "  ".join(texts).rstrip()


def _heading(name: str) -> str:
    for suffix in UNITS:
        if name.endswith(suffix) and not name.endswith("_per_s"):
            return f"{name.removesuffix(suffix)} {suffix[1:]}".replace("_", " ")
    return name.removesuffix("_per_s").replace("_", " ") + ("/s" if name.endswith("_per_s") else "")


def _text(name: str, value: float) -> str:
    return f"{value:.2f}" if name.startswith("of_") or "_of_" in name else _number(value)


def _number(value: float) -> str:
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.{DIGITS}g}"
