"""docs/bounds.md: everything that can grow, how far, and what happens there."""

from __future__ import annotations

import re
from importlib import import_module

from config.settings import Settings
from scripts.documents.bounds_table import SECTIONS

CONSTANT = re.compile(r"(?:engine|actors|transport|riskd)(?:\.\w+)*\.[A-Z_]+")
SETTING = re.compile(r"[a-z]+\.[a-z_]+")
INTRODUCTION = """# Bounds

Made from `scripts/documents/bounds_table.py`. Memory is bounded: whatever a peer sends and however
long riskd runs, each of these ends at its maximum and does there what the table says. A law finds
every attribute of `engine`, `actors` and `transport` that holds a collection, and fails while one
of them is in no row (`tests/laws/test_bounds.py`). Files are bounded by `journal.retain_bytes`,
`snapshot.keep` and `audit.retention_days`.
"""


def render_bounds() -> str:
    """Return the page. Raises LookupError where a constant or a setting is not there."""
    parts = [INTRODUCTION]
    for title, rows in SECTIONS:
        parts += [f"\n## {title}\n", "| what | at most | and then |", "|---|---|---|"]
        parts += [f"| {row.what} | {shown(row.most)} | {row.beyond} |" for row in rows]
    return "\n".join([*parts, ""])


def shown(most: str) -> str:
    """Return a maximum for people: the number with the name of what sets it, or words."""
    if CONSTANT.fullmatch(most):
        module, _, name = most.rpartition(".")
        return f"{_number(module, name):,} (`{name}`)"
    if SETTING.fullmatch(most):
        section, _, key = most.partition(".")
        try:
            value = getattr(getattr(Settings(), section), key)
        except AttributeError as error:
            raise LookupError(f"docs/bounds.md names the setting {most}: {error}") from error
        return f"{value:,} (`{most}`)"
    return most


def _number(module: str, name: str) -> int:
    found = getattr(import_module(module), name, None)
    if not isinstance(found, int):
        raise LookupError(f"docs/bounds.md names {module}.{name}, which is no number")
    return found
