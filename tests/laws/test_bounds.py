"""Everything that can grow is on the page of bounds, with its maximum and what happens there."""

from __future__ import annotations

import ast

import pytest

from scripts.documents.bounds import shown
from scripts.documents.bounds_of_state import Bound
from scripts.documents.bounds_table import SECTIONS
from tests.laws.bound_rules import all_growing, all_tuples, growing

ROWS = [row for _, rows in SECTIONS for row in rows]


def test_bounds_name_every_attribute_that_can_grow():
    listed = {name for row in ROWS for name in row.attributes}
    missing = sorted(all_growing() - listed)
    assert not missing, f"say in scripts/documents/bounds_table.py how far these grow: {missing}"


def test_bounds_name_nothing_twice_and_nothing_that_is_gone():
    names = [name for row in ROWS for name in row.attributes]
    assert sorted(names) == sorted(set(names))
    gone = sorted(set(names) - all_growing() - all_tuples())
    assert not gone, f"scripts/documents/bounds_table.py names what is gone: {gone}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what)
def test_bounds_say_a_maximum_and_what_happens_there(row: Bound):
    assert shown(row.most)
    assert row.beyond


@pytest.mark.parametrize("most", ["engine.account.NO_SUCH_MAX", "overload.no_such"])
def test_bound_of_a_name_that_is_gone_is_found(most):
    with pytest.raises(LookupError):
        shown(most)


def test_bound_rules_see_fields_and_attributes_of_every_kind(tmp_path):
    source = """
class A(Struct):
    kept: dict[str, int] = {}
    limit: int = 3
    ways: Callable[[list[int]], None]

    def __init__(self):
        self.seen = set()
        self.names: list[str] = []
        self.count = 0
        local: list[int] = []
        self.queue = deque()
"""
    ast.parse(source)
    path = tmp_path / "a.py"
    path.write_text(source)
    assert growing(path) == {"A.kept", "A.seen", "A.names", "A.queue"}
