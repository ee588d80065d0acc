"""Import directions: a wrong import fails with a sentence that says what to do instead."""

from __future__ import annotations

import pytest

from tests.laws.import_rules import (
    cycles,
    direction_violations,
    hidden_import_violations,
    is_of_the_command,
    order_violations,
    reading_order,
)
from tests.laws.tree import PACKAGES, require_none, snippet, sources


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_of_package_go_only_where_allowed(package):
    found = [x for source in sources(package) for x in direction_violations(source)]
    require_none(found)


def test_imports_of_packages_stand_at_the_top_of_files():
    found = [
        violation
        for source in sources(*PACKAGES)
        if not is_of_the_command(source)
        for violation in hidden_import_violations(source)
    ]
    require_none(found)


def test_imports_of_packages_have_no_cycle():
    found = cycles(sources(*PACKAGES))
    require_none(found)


def test_imports_of_engine_follow_its_reading_order():
    modules = sources("engine")
    (order,) = (reading_order(x.text) for x in modules if x.path == "engine/__init__.py")
    require_none([x for source in modules for x in order_violations(source, order)])


@pytest.mark.parametrize(
    ("path", "text", "wrong"),
    [
        ("engine/money.py", "import transport.clock", "transport.clock"),
        ("engine/money.py", "from riskd import codec", "riskd.codec"),
        ("engine/money.py", "from riskd.codec import Codec", "riskd.codec.Codec"),
        ("engine/checks/price.py", "from ... import actors", "actors"),
        ("riskd/client.py", "from engine.money import Money", "engine.money.Money"),
        ("config/load.py", "from actors import runtime", "actors.runtime"),
        ("actors/account.py", "from transport.poller import Poller", "transport.poller.Poller"),
        ("actors/account.py", "from riskd.client import RiskClient", "riskd.client.RiskClient"),
        ("transport/orders.py", "from actors.account import AccountActor", "actors.account."),
        ("transport/process.py", "from riskd.cli import main", "riskd.cli.main"),
        ("riskd/client.py", "from riskd.cli.tail import tail", "riskd.cli.tail.tail"),
        ("transport/process.py", "import tests.builders", "tests.builders"),
    ],
)
def test_direction_wrong_import_is_named_with_its_line(path, text, wrong):
    (sentence,) = direction_violations(snippet(path, f"import math\n{text}\n"))
    assert sentence.startswith(f"{path}:2 imports {wrong}")
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("engine/money.py", "from riskd.messages import Check\nfrom riskd import codes"),
        ("engine/checks/price.py", "from engine.money import Money\nfrom . import collar"),
        ("actors/account.py", "from engine.ledger import Ledger\nimport pykka"),
        ("transport/process.py", "from actors.account import AccountActor"),
        ("transport/process_wiring.py", "from actors.account import AccountActor"),
        ("transport/orders.py", "from riskd.codec import orders_codec"),
        ("riskd/cli/tail.py", "from riskd.cli.screen import Screen"),
    ],
)
def test_direction_right_import_passes(path, text):
    assert direction_violations(snippet(path, text)) == []


def test_reading_order_is_what_the_docstring_lists():
    text = '"""Pure.\n\nIn this reading order:\n\nmoney, ledger,\nchecks\n"""\n'
    assert reading_order(text) == ["money", "ledger", "checks"]


@pytest.mark.parametrize(
    ("path", "text", "where"),
    [
        ("engine/money.py", "\nfrom engine.ledger import L", "engine/money.py:2 imports ledger"),
        ("engine/ledger.py", "from engine import checks", "engine/ledger.py:1 imports checks"),
        ("engine/ledger.py", "import engine.strange", "engine/ledger.py:1 imports strange"),
        ("engine/strange.py", "", "engine/strange.py:1 has no place"),
    ],
)
def test_reading_order_import_from_below_is_found(path, text, where):
    (sentence,) = order_violations(snippet(path, text), ["money", "ledger", "checks"])
    assert sentence.startswith(where)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("engine/ledger.py", "from engine.money import Money\nfrom riskd.messages import Side"),
        ("engine/checks/size.py", "from engine.checks.shape import S\nimport engine.ledger"),
        ("engine/__init__.py", ""),
    ],
)
def test_reading_order_import_from_above_passes(path, text):
    assert order_violations(snippet(path, text), ["money", "ledger", "checks"]) == []


def test_hidden_import_inside_function_is_found():
    text = "def start():\n    import zmq\n    return zmq\n"
    (sentence,) = hidden_import_violations(snippet("transport/orders.py", text))
    assert sentence.startswith("transport/orders.py:2 imports inside start()")


def test_hidden_import_under_type_checking_is_found():
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import zmq\n"
    found = hidden_import_violations(snippet("actors/account.py", text))
    assert [x.partition(" ")[0] for x in found] == ["actors/account.py:1", "actors/account.py:2"]


def test_cycle_of_three_modules_is_found():
    found = cycles(
        [
            snippet("engine/one.py", "from engine.two import TWO"),
            snippet("engine/two.py", "from engine import three"),
            snippet("engine/three.py", "import engine.one"),
        ]
    )
    assert len(found) == 1
    assert "engine.one -> engine.two -> engine.three -> engine.one" in found[0]


def test_cycle_absent_in_a_line_of_modules():
    found = cycles(
        [
            snippet("engine/one.py", "from engine.two import TWO\nfrom engine.three import THREE"),
            snippet("engine/two.py", "from engine import three"),
            snippet("engine/three.py", ""),
        ]
    )
    assert found == []
