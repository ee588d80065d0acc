"""Which attributes of the house can grow: what the law of bounds looks at."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.laws.tree import ROOT

FOLDERS = ("engine", "actors", "transport")
GROWS = re.compile(
    r"\b(dict|Mapping|list|set|deque|Counter|SimpleQueue|Queue|defaultdict)\b(\[|\()"
)
EMPTY = re.compile(r"^(NOTHING|\{\}|\[\]|set\(\))$")


def growing(path: Path) -> set[str]:
    """Return `Class.attribute` of each attribute in a file that holds a collection."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{name}" for name in _of_class(node)}
    return found


def all_growing() -> set[str]:
    """Return the same of the whole house."""
    return set().union(*(growing(path) for path in _paths()))


def all_tuples() -> set[str]:
    """Return attributes that are tuples: one may be made anew, longer, as often as one likes."""
    found: set[str] = set()
    for path in _paths():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                found |= {f"{node.name}.{name}" for name in _tuples_of(node)}
    return found


def _paths() -> list[Path]:
    return [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]


def _tuples_of(declared: ast.ClassDef) -> set[str]:
    annotated = [node for node in ast.walk(declared) if isinstance(node, ast.AnnAssign)]
    told = ((ast.unparse(x.target), ast.unparse(x.annotation)) for x in annotated)
    return {name.removeprefix("self.") for name, kind in told if kind.startswith("tuple[")}


def _of_class(declared: ast.ClassDef) -> set[str]:
    found: set[str] = set()
    for statement in declared.body:
        if isinstance(statement, ast.AnnAssign) and _grows(statement.annotation, statement.value):
            found.add(ast.unparse(statement.target))
    for node in ast.walk(declared):
        target: ast.expr
        if isinstance(node, ast.AnnAssign):
            target, annotation, value = node.target, node.annotation, node.value
        elif isinstance(node, ast.Assign):
            target, annotation, value = node.targets[0], None, node.value
        else:
            continue
        if _is_own(target) and _grows(annotation, value):
            found.add(ast.unparse(target).removeprefix("self."))
    return found


def _is_own(target: ast.expr) -> bool:
    is_attribute = isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name)
    return is_attribute and ast.unparse(target).startswith("self.")


def _grows(annotation: ast.expr | None, value: ast.expr | None) -> bool:
    told = "" if annotation is None else ast.unparse(annotation)
    if told.startswith("Callable"):
        return False
    made = "" if value is None else ast.unparse(value)
    return bool(GROWS.search(told) or EMPTY.match(made) or GROWS.match(made))
