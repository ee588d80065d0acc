"""How long a line, a function, a file and a list of parameters may be."""

from __future__ import annotations

import ast

from tests.laws.tree import TESTS, Source

LINE_MAX = 100
FUNCTION_LINES_MAX = 50
PARAMETERS_MAX = 5
FILE_LINES_MAX = 350
TEST_FILE_LINES_MAX = 600  # Tables of cases are long and easy to read.


def size_violations(source: Source) -> list[str]:
    """Return a sentence for each thing in a file that is too large."""
    found = [*line_violations(source.path, source.text)]
    lines_max = TEST_FILE_LINES_MAX if source.package == TESTS else FILE_LINES_MAX
    lines = len(source.text.splitlines())
    if lines > lines_max:
        found.append(
            f"{source.path}:{lines_max + 1} is past line {lines_max} (the file has {lines}): split "
            "the file where its subject changes."
        )
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found += _function_violations(source, node)
    return found


def line_violations(path: str, text: str) -> list[str]:
    """Return a sentence for each line that is too long."""
    return [
        f"{path}:{number} has {len(line)} characters: break the line before {LINE_MAX}."
        for number, line in enumerate(text.splitlines(), 1)
        if len(line) > LINE_MAX
    ]


def _function_violations(
    source: Source, function: ast.FunctionDef | ast.AsyncFunctionDef
) -> list[str]:
    found = []
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if lines > FUNCTION_LINES_MAX:
        found.append(
            f"{source.at(function)} {function.name}() has {lines} lines, more than "
            f"{FUNCTION_LINES_MAX}: keep the control flow here and move arithmetic to leaves."
        )
    positional = [x.arg for x in (*function.args.posonlyargs, *function.args.args)]
    if positional[:1] in (["self"], ["cls"]):
        positional = positional[1:]
    # A test takes its table's columns and fixtures by name.
    if len(positional) > PARAMETERS_MAX and not function.name.startswith("test_"):
        found.append(
            f"{source.at(function)} {function.name}() has {len(positional)} positional parameters, "
            f"more than {PARAMETERS_MAX}: make the rest keyword-only, or pass one struct."
        )
    return found
