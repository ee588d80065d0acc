"""Names and docstrings: everything public says what it is."""

from __future__ import annotations

import pytest

from tests.laws.naming_rules import docstring_violations, naming_violations
from tests.laws.tree import COMMAND_LINES, PACKAGES, TESTS, require_none, snippet, sources


@pytest.mark.parametrize("folder", [*PACKAGES, COMMAND_LINES, TESTS])
def test_names_in_folder_are_not_banned(folder):
    found = [x for source in sources(folder) for x in naming_violations(source)]
    require_none(found)


@pytest.mark.parametrize("package", PACKAGES)
def test_docstrings_of_package_are_there(package):
    found = [x for source in sources(package) for x in docstring_violations(source)]
    require_none(found)


@pytest.mark.parametrize(
    ("path", "text", "where"),
    [
        ("engine/utils.py", "", "engine/utils.py:1 has 'utils'"),
        ("engine/common/price.py", "", "engine/common/price.py:1 has 'common'"),
        ("engine/a.py", "class OrderManager: pass", "engine/a.py:1 OrderManager has 'manager'"),
        ("engine/a.py", "class HTTPHandler: pass", "engine/a.py:1 HTTPHandler has 'handler'"),
        ("engine/a.py", "\ndef load_data(): pass", "engine/a.py:2 load_data has 'data'"),
        ("engine/a.py", "async def do_check(): pass", "engine/a.py:1 do_check has 'do_'"),
    ],
)
def test_name_banned_word_is_found(path, text, where):
    (sentence,) = naming_violations(snippet(path, text))
    assert sentence.startswith(where)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("actors/market_data.py", "class MarketDataActor: pass"),
        ("transport/data_directory.py", "class DataDirectory: pass"),
        ("engine/a.py", "class Metadata: pass\ndef dominate(): pass\ndata = 1"),
        ("transport/a.py", "class P:\n    def data_received(self, chunk): pass"),
    ],
)
def test_name_that_only_contains_the_letters_passes(path, text):
    assert naming_violations(snippet(path, text)) == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("x = 1", "engine/a.py:1 has no docstring"),
        ('"""A."""\nclass A:\n    pass', "engine/a.py:2 A has"),
        ('"""A."""\ndef f():\n    pass', "engine/a.py:2 f has"),
        ('"""A."""\nclass A:\n    """A."""\n    def f(self):\n        pass', "engine/a.py:4 f has"),
    ],
)
def test_docstring_missing_is_found(text, where):
    (sentence,) = docstring_violations(snippet("engine/a.py", text))
    assert sentence.startswith(where)


@pytest.mark.parametrize(
    "text",
    [
        "",
        '"""A."""\ndef _leaf():\n    pass',
        '"""A."""\nclass _Leaf:\n    def f(self):\n        pass',
        '"""A."""\nclass A:\n    """A."""\n    def on_receive(self, message):\n        pass',
        '"""A."""\nclass A:\n    """A."""\n    @override\n    def f(self):\n        pass',
    ],
)
def test_docstring_needed_by_nobody_passes(text):
    assert docstring_violations(snippet("engine/a.py", text)) == []
