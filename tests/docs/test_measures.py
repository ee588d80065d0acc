"""docs/measures.md: every worked number is what riskd answers, and every measure is defined."""

from __future__ import annotations

import re

import pytest

from engine.advice import advice_view, size_view
from engine.portfolio import concentration_view, correlation_view
from engine.trade_views import statistics_view, trades_view
from riskd.messages import SizeRequest
from tests.builders import a_core, a_fill
from tests.docs.measures_player import Player, examples_in, fields_of
from tests.end_to_end.process import ROOT
from tests.engine.live import Live

PAGE = (ROOT / "docs" / "measures.md").read_text()
EXAMPLES = examples_in(PAGE)
# Of the instrument, the trade or the request: they say themselves.
PLAIN = {
    *("account", "symbol", "side", "quantity", "entry", "exit", "currency", "by", "scope", "rank"),
    *("opened_ns", "closed_ns", "strategy", "missing", "complete", "periods", "days", "notional"),
    *("stop_loss", "take_profit", "action", "why", "price", "positions", "totals", "equity"),
}


def test_page_has_an_example_of_every_section_that_measures():
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    without = [x.splitlines()[0] for x in sections if not examples_in(x)]
    assert without == []
    assert len(EXAMPLES) >= len(sections)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_example_of_the_page_is_what_riskd_answers(number):
    with Live() as live:
        player = Player(live)
        for line in EXAMPLES[number].splitlines():
            player.play(line)


def test_every_measure_of_a_table_has_a_worked_number():
    paths = re.findall(r"^  (\S+) =", PAGE, re.MULTILINE)
    worked = {part for path in paths for part in path.split(".")}
    rows = re.findall(r"^\| (`[^|]+`) \|", PAGE, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert len(named) >= 50
    assert named - worked == set()


def test_example_that_is_wrong_fails():
    with Live() as live:
        player = Player(live)
        player.play("A1 buys 10 X at 100")
        player.play("ask positions account=A1")
        with pytest.raises(AssertionError):
            player.play("  X.quantity = 11")
        with pytest.raises(AssertionError):
            player.play("X goes up")


def test_page_defines_every_field_that_the_questions_answer():
    house = a_core()
    house.send_all(
        a_fill("e-1", "buy", 10), a_fill("e-2", "sell", 10, 101.0), a_fill("e-3", "buy", 10)
    )
    account, boards = house.core.accounts["A1"], house.core.boards
    asked = SizeRequest(account="A1", symbol="X", price=100.0, stop_loss=99.0, risk_pct=1.0)
    answers = [
        trades_view(account, "account", 20),
        statistics_view(account, 252),
        advice_view(account),
        size_view(account, asked),
        concentration_view("account:A1", [account], boards),
        correlation_view(boards),
    ]
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert fields_of(answers) - PLAIN - named == set()
