"""Names that say nothing, and public things that say nothing of themselves."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.laws.tree import Source

BANNED = {
    *("util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"),
    *("service", "services", "handler", "handlers", "data", "info"),
}
# "Market data" is the trade's own word for prices, and the name of an actor in the plan;
# `data_dir` is a configuration key that the protocol fixes.
TRADE_WORDS = (("market", "data"), ("data", "directory"), ("data", "dir"))
# pykka and asyncio call these; their own documentation says when.
HOOKS = {
    *("on_start", "on_stop", "on_failure", "on_receive"),
    *("connection_made", "connection_lost", "data_received", "eof_received"),
}
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def naming_violations(source: Source) -> list[str]:
    """Return a sentence for each banned word in the name of a file, a class or a function."""
    parts = source.path.removesuffix(".py").split("/")
    found = [
        f"{source.path}:1 has '{word}' in its name, which fits anything: name what it holds."
        for part in parts
        for word in banned_words(part)
    ]
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ClassDef | FunctionNode) or node.name in HOOKS:
            continue
        found += [
            f"{source.at(node)} {node.name} has '{word}' in its name, which fits anything: say "
            "what it is or does."
            for word in banned_words(node.name)
        ]
    return found


def banned_words(name: str) -> list[str]:
    """Return the banned words of a name in snake_case or CamelCase, and `do_` at its beginning."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)
    lower = [word.lower() for word in words]
    for trade in TRADE_WORDS:
        for at in range(len(lower) - len(trade), -1, -1):
            if tuple(lower[at : at + len(trade)]) == trade:
                del lower[at : at + len(trade)]
    found = [word for word in lower if word in BANNED]
    return [*found, "do_"] if name.startswith("do_") else found


def docstring_violations(source: Source) -> list[str]:
    """Return a sentence for each public thing without a docstring. Private leaves need none."""
    found = []
    if source.tree.body and not ast.get_docstring(source.tree):
        found.append(f"{source.path}:1 has no docstring: say in a sentence what the file holds.")
    found += [
        f"{source.at(node)} {node.name} has no docstring: say in a sentence what it is or returns, "
        "with units and errors."
        for node in _public(source.tree)
        if not ast.get_docstring(node)
    ]
    return found


def _public(parent: ast.Module | ast.ClassDef) -> Iterator[ast.ClassDef | FunctionNode]:
    for node in parent.body:
        if isinstance(node, ast.ClassDef | FunctionNode) and not _is_exempt(node):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)


def _is_exempt(node: ast.ClassDef | FunctionNode) -> bool:
    """Private, a hook, an override, or an overload or setter of something that has a docstring."""
    if node.name.startswith("_") or node.name in HOOKS:
        return True
    marks = [getattr(x, "attr", getattr(x, "id", "")) for x in node.decorator_list]
    return any(mark in ("override", "overload", "setter") for mark in marks)
