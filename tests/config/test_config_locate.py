"""Lines of keys: against positions counted by hand, and against what tomllib reads."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest

from config.locate import KeyPath, locate_keys

TRICKY = '''\
# [comment]
top = 1 # = [x]
"quoted key" = 'a # b = ["'
a.b."c.d" = """
[not.a.table]
x = 1 \\""" still inside """"
after = {one = 1, two = {three = [1, 2]}}

[[rows]]
id = "x"  # [[rows]]
[rows.inner]
deep = [
  "first", # , "comment"
  [ "]", '[' ],
  { k = "}" },
]
[[rows]]
id = \'\'\'
[[rows]]
\'\'\'
[rows."odd \\"name\\"".x]
date = 1979-05-27T07:32:00Z
[ spaced . "out" ]
end = true'''

TRICKY_LINES = {
    ("top",): 2,
    ("quoted key",): 3,
    ("a", "b", "c.d"): 4,
    ("after",): 7,
    ("after", "two", "three", 1): 7,
    ("rows", 0): 9,
    ("rows", 0, "id"): 10,
    ("rows", 0, "inner"): 11,
    ("rows", 0, "inner", "deep"): 12,
    ("rows", 0, "inner", "deep", 0): 13,
    ("rows", 0, "inner", "deep", 1): 14,
    ("rows", 0, "inner", "deep", 1, 1): 14,
    ("rows", 0, "inner", "deep", 2, "k"): 15,
    ("rows", 1): 17,
    ("rows", 1, "id"): 18,
    ("rows", 1, 'odd "name"', "x", "date"): 22,
    ("spaced", "out"): 23,
    ("spaced", "out", "end"): 24,
}


def paths_of(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the path of everything in a parsed document."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths_of(inner, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths_of(inner, (*path, index))


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_locate_keys_tricky_document_gives_lines_counted_by_hand(line_end: str) -> None:
    lines = locate_keys(TRICKY.replace("\n", line_end))

    assert {path: lines.by_path[path] for path in TRICKY_LINES} == TRICKY_LINES


def test_locate_keys_tricky_document_finds_all_that_tomllib_reads_and_nothing_else() -> None:
    assert set(locate_keys(TRICKY).by_path) == set(paths_of(tomllib.loads(TRICKY)))


@pytest.mark.parametrize("name", ["riskd.toml", "instruments.toml", "accounts.toml", "limits.toml"])
def test_locate_keys_shipped_file_finds_all_that_tomllib_reads(name: str) -> None:
    text = resources.files("config").joinpath(name).read_text()
    written = text.splitlines()

    lines = locate_keys(text)

    assert set(lines.by_path) == set(paths_of(tomllib.loads(text)))
    for path, line in lines.by_path.items():
        last_key = next(part for part in reversed(path) if isinstance(part, str))
        assert last_key in written[line - 1]


def test_line_of_a_missing_key_is_that_of_its_table() -> None:
    lines = locate_keys("\n[a.b]\nc = 1\n")

    assert lines.line(("a", "b", "absent", 3)) == 2
    assert lines.line(("absent",)) == 0
