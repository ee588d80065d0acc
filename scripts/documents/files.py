"""The documents as files: write them, or say how they differ from what would be written."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

from riskd.reference.asyncapi import render_asyncapi
from riskd.reference.page import render_page
from riskd.reference.schema import render_schema
from scripts.documents.alerts import render_alerts
from scripts.documents.bounds import render_bounds
from scripts.documents.checks import render_checks

DOCUMENTS: dict[str, Callable[[], str]] = {
    "protocol.md": render_page,
    "schema.json": render_schema,
    "asyncapi.json": render_asyncapi,
    "checks.md": render_checks,
    "alerts.md": render_alerts,
    "bounds.md": render_bounds,
}
DIFFERENCE_LINES_MAX = 20


def write_documents(folder: Path) -> list[Path]:
    """Write every document into `folder`, made if need be, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, render in DOCUMENTS.items():
        path = folder / name
        path.write_text(render(), encoding="utf-8")
        paths.append(path)
    return paths


def compare_documents(folder: Path) -> list[str]:
    """Return a sentence and the first differing lines for each document that is not current."""
    differences = []
    for name, render in DOCUMENTS.items():
        path = folder / name
        if not path.is_file():
            differences.append(f"{path} is missing. Run scripts/generate.")
            continue
        found, wanted = path.read_text(encoding="utf-8"), render()
        if found != wanted:
            differences.append(_describe_difference(path, found, wanted))
    return differences


def _describe_difference(path: Path, found: str, wanted: str) -> str:
    lines = difflib.unified_diff(
        found.splitlines(), wanted.splitlines(), "the file", "the types", lineterm="", n=0
    )
    changed = [line for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---")]
    removed = sum(line[0] == "-" for line in changed)
    summary = (
        f"{path} is not current: {removed} lines to go, {len(changed) - removed} to come. "
        "Run scripts/generate and read the difference."
    )
    return "\n".join([summary, *(f"  {line}" for line in changed[:DIFFERENCE_LINES_MAX])])
