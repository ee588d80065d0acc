"""Sizes: what does not fit on a screen is not understood."""

from __future__ import annotations

import pytest

from tests.laws.size_rules import line_violations, size_violations
from tests.laws.tree import (
    COMMAND_LINES,
    PACKAGES,
    TESTS,
    file_paths,
    require_none,
    snippet,
    sources,
    text_of,
)


@pytest.mark.parametrize("folder", [*PACKAGES, COMMAND_LINES, TESTS])
def test_sizes_of_folder_are_within_limits(folder):
    found = [x for source in sources(folder) for x in size_violations(source)]
    require_none(found)


def test_sizes_of_shell_scripts_are_within_limits():
    found = []
    for path in file_paths():
        text = text_of(path)
        if text is not None and (path.endswith(".sh") or text.startswith(("#!/bin/sh", "#!/usr"))):
            found += line_violations(path, text)
    require_none(found)


def function_text(lines: int) -> str:
    """A function of so many lines, the first one included."""
    return "def long():\n" + "    x = 1\n" * (lines - 1)


@pytest.mark.parametrize(
    ("path", "good", "bad", "where"),
    [
        ("engine/a.py", "x = 1\n" * 350, "x = 1\n" * 351, "engine/a.py:351 "),
        ("tests/test_a.py", "x = 1\n" * 600, "x = 1\n" * 601, "tests/test_a.py:601 "),
        ("engine/a.py", function_text(50), function_text(51), "engine/a.py:1 long() has 51"),
        ("engine/a.py", f"x = '{'x' * 94}'", f"x = '{'x' * 95}'", "engine/a.py:1 has 101"),
        (
            "engine/a.py",
            "def f(a, b, c, d, e, *, f): pass",
            "def f(a, b, c, d, e, f): pass",
            "engine/a.py:1 f() has 6 positional",
        ),
        (
            "engine/a.py",
            "class A:\n    def f(self, a, b, c, d, e): pass",
            "class A:\n    def f(self, a, b, c, d, e, f): pass",
            "engine/a.py:2 f() has 6 positional",
        ),
    ],
)
def test_size_at_limit_passes_and_over_limit_is_found(path, good, bad, where):
    assert size_violations(snippet(path, good)) == []
    (sentence,) = size_violations(snippet(path, bad))
    assert sentence.startswith(where)
