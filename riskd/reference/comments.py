"""What the source says of a field: the comment beside it or above it."""

from __future__ import annotations

import ast
import inspect
import io
import sys
import tokenize
from functools import cache

from msgspec import Struct


def field_comments(struct: type[Struct]) -> dict[str, str]:
    """Return the comment of each field of `struct` that has one, those of its bases included."""
    comments: dict[str, str] = {}
    for base in reversed(struct.__mro__):
        if base is not Struct and issubclass(base, Struct) and base.__module__ != Struct.__module__:
            comments |= _module_comments(base.__module__).get(base.__name__, {})
    return comments


@cache
def _module_comments(module_name: str) -> dict[str, dict[str, str]]:
    """Class name -> field name -> comment, of one module. Linear in its source, read once."""
    return comments_in(inspect.getsource(sys.modules[module_name]))


def comments_in(source: str) -> dict[str, dict[str, str]]:
    """Class name -> field name -> comment, of Python source."""
    beside: dict[int, str] = {}
    alone: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            own_line = not token.line[: token.start[1]].strip()
            (alone if own_line else beside)[token.start[0]] = token.string.lstrip("# ").rstrip()
    return {
        node.name: {
            field.target.id: comment
            for field in node.body
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            if (comment := _comment_of(field, beside, alone))
        }
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
    }


def _comment_of(field: ast.AnnAssign, beside: dict[int, str], alone: dict[int, str]) -> str:
    above: list[str] = []
    line = field.lineno - 1
    while line in alone:
        above.insert(0, alone[line])
        line -= 1
    last_line = field.end_lineno or field.lineno
    parts = [beside[number] for number in range(field.lineno, last_line + 1) if number in beside]
    return " ".join(above + parts)
