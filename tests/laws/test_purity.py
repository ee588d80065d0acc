"""engine/ is pure: no clock, chance, file, thread or socket, and no order by chance."""

from __future__ import annotations

import pytest

from tests.laws.purity_rules import purity_violations
from tests.laws.tree import require_none, snippet, sources


def test_engine_is_pure():
    found = [x for source in sources("engine") for x in purity_violations(source)]
    require_none(found)


@pytest.mark.parametrize(
    "module",
    ["time", "random", "os", "uuid", "logging", "threading", "asyncio", "pykka", "zmq", "socket"],
)
def test_purity_impure_module_is_found(module):
    for text in (f"import {module}", f"from {module} import anything"):
        (sentence,) = purity_violations(snippet("engine/money.py", text))
        assert sentence.startswith(f"engine/money.py:1 imports {module}")


@pytest.mark.parametrize(
    "line",
    [
        "open('x')",
        "hash(1)",
        "sorted([], key=id)",
        "print(1)",
        "input()",
        "datetime.datetime.now()",
        "date.today()",
        "np.random.default_rng()",
        "numpy.load('x')",
    ],
)
def test_purity_impure_name_is_found(line):
    (sentence,) = purity_violations(snippet("engine/money.py", f"\n{line}\n"))
    assert sentence.startswith("engine/money.py:2 ")


@pytest.mark.parametrize(
    "text",
    [
        "for x in {1, 2}: pass",
        "[x for x in set(y)]",
        "list(frozenset(y))",
        "[*{1, 2}]",
        "','.join({'a', 'b'})",
        "for x in {1} | y: pass",
        "seen = set()\nfor x in seen: pass",
        "def f():\n    seen = {1}\n    return [x for x in seen]",
        "def f(seen: set[int]):\n    return tuple(seen)",
        "class A:\n    def f(self): self.x: set[int] = g()\n    def h(self): return list(self.x)",
    ],
)
def test_purity_iterated_set_is_found(text):
    (sentence,) = purity_violations(snippet("engine/money.py", text))
    assert "iterates a set" in sentence


@pytest.mark.parametrize(
    "text",
    [
        "from riskd.messages import Check\nimport msgspec, numpy\nfrom collections import deque",
        "ratio = float(3) * 0.5",
        "for x in sorted({1, 2}): pass",
        "found = 1 in {1, 2}",
        "def f():\n    seen = set()\n    return len(seen)\ndef g(seen):\n    return list(seen)",
        "class Account:\n    id: str",
        "for x in {1: 2}: pass",
    ],
)
def test_purity_pure_text_passes(text):
    assert purity_violations(snippet("engine/money.py", text)) == []
