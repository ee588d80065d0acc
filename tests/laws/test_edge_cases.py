"""Every edge case of risk.md is a test by name: `test_e37_...`, or `E37` in a test's docstring."""

from __future__ import annotations

import ast
import re
from collections import defaultdict

from tests.laws.tree import TESTS, Source, require_none, snippet, sources

CASES = range(1, 85)  # Of risk.md.
IN_A_NAME = re.compile(r"(?<![a-z0-9])e(\d+)(?=_)")
IN_WORDS = re.compile(r"\bE(\d+)\b")


def cases_of(source: Source) -> dict[int, list[str]]:
    """Return where each edge case is a test, by its number."""
    found: dict[int, list[str]] = defaultdict(list)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            named = IN_A_NAME.findall(node.name) + IN_WORDS.findall(ast.get_docstring(node) or "")
            for number in named:
                found[int(number)].append(f"{source.at(node)} {node.name}")
    return found


def all_cases() -> dict[int, list[str]]:
    """Return where each edge case is a test in this tree."""
    found: dict[int, list[str]] = defaultdict(list)
    for source in sources(TESTS):
        for number, places in cases_of(source).items():
            found[number] += places
    return found


def test_edge_cases_are_each_a_test_by_name():
    tested = all_cases()
    require_none(
        [
            f"E{number:02} of risk.md has no test: name one test_e{number:02}_..."
            for number in CASES
            if number not in tested
        ]
    )


def test_edge_case_is_found_in_names_and_docstrings_of_tests_alone():
    source = snippet(
        "tests/test_a.py",
        '"""E9."""\n'
        "def test_e06_e08_of_names(): pass\n"
        'def test_words():\n    """E12, E7: both."""\n'
        'def e10_is_no_test():\n    """E11."""\n'
        "def test_the13_is_no_case(): pass\n",
    )
    assert sorted(cases_of(source)) == [6, 7, 8, 12]
