"""Every type of alert that the code raises has a text for people, and no other has one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.guards import KINDS, MARGIN_KIND
from engine.paces import EVENTS
from engine.quotes import TickOutcome
from riskd.alert_types import ALERT_TYPES
from riskd.cli.app import run

ROOT = Path(__file__).resolve().parents[2]
MAKERS = ("Raised", "_raised")  # `_raised` are leaves that make one of a type they are told.
SILENT = (TickOutcome.APPLIED, TickOutcome.DUPLICATE)
COMPUTED = {  # What expressions in the place of a type can come to.
    "f'tick_{outcome}'": {f"tick_{outcome}" for outcome in TickOutcome if outcome not in SILENT},
    "f'tick_{code}'": {"tick_malformed", "tick_too_large"},
    "f'breaker_{verb}'": {"breaker_stopped", "breaker_released"},
    "f'limit_{level.name.lower()}'": {"limit_warning", "limit_critical", "limit_breached"},
    "flags[0]": {"late_fill", "over_fill"},
    "flag": {"unknown_order", "already_terminal"},
    "alert_type": set(),  # A leaf's parameter: its callers are looked at.
    "kind.alert_type": {kind.alert_type for kind in (*KINDS, MARGIN_KIND)},
    "found.key.partition(':')[0]": set(EVENTS),
    "*told": {"journal_failed", "feed_silent", "reject_ratio"},
}


def types_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id not in MAKERS:
            continue
        is_leaf = node.func.id == "_raised" and not isinstance(node.args[0], ast.Attribute)
        place = 0 if is_leaf or isinstance(node.args[0], ast.Starred) else 1
        said = node.args[place]
        if isinstance(said, ast.Constant):
            yield str(said.value)
        else:
            assert ast.unparse(said) in COMPUTED, f"{path}:{node.lineno}: {ast.unparse(said)}"
            yield from COMPUTED[ast.unparse(said)]


def raised_types() -> set[str]:
    paths = [path for name in ("engine", "transport") for path in (ROOT / name).rglob("*.py")]
    return {name for path in paths for name in types_in(path)}


def test_every_type_that_is_raised_has_a_text():
    assert raised_types() - ALERT_TYPES.keys() == set()


def test_texts_are_whole_sentences_and_say_when_it_ends():
    for name, text in ALERT_TYPES.items():
        for sentence in (text.meaning, text.ends, text.remedy):
            assert sentence[0].isupper(), name
            assert sentence.endswith("."), name


@pytest.mark.parametrize("name", sorted(ALERT_TYPES))
def test_explain_knows_every_type_offline(name, capsys):
    assert run(["explain", name]) == 0
    shown = capsys.readouterr().out
    assert ALERT_TYPES[name].meaning in shown
    assert ALERT_TYPES[name].remedy in shown
