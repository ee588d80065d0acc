"""docs/responses.md, played line by line through the engine: every field that it shows is true."""

from __future__ import annotations

import re
from typing import Any

from msgspec.structs import replace

from config.load import load
from riskd.messages import (
    InstrumentSpec,
    LimitSet,
    LimitsSpec,
    MarginModel,
    ResponseMode,
    RiskSettings,
    Tick,
)
from tests.builders import a_universe, an_account
from tests.docs.story import Story, blocks_of
from tests.laws.tree import ROOT

AAPL = InstrumentSpec(symbol="AAPL", currency="USD")
LEVELS = LimitsSpec(margin_warning_pct=150, margin_critical_pct=120, margin_stopout_pct=100)
LEVERED: dict[str, Any] = {
    "margin_model": MarginModel.LEVERAGE,
    "leverage": 10.0,
    "balance": 2000.0,
}
ACTS, ADVISES = ResponseMode.AUTOMATIC, ResponseMode.ADVISE


PAGE = ROOT / "docs" / "responses.md"
GOLDEN = ROOT / "tests" / "stories" / "golden"
SHOWN = re.compile(r"<!-- story: ([a-z-]+) -->\n(?:\n?```text\n.*?```\n)?", re.DOTALL)


def test_responses_page_shows_the_golden_story_of_every_policy(request):
    """`pytest --rewrite` puts the stories into the page, as they were written last."""

    def shown(found: re.Match[str]) -> str:
        story = (GOLDEN / f"{found[1]}.txt").read_text()
        return f"<!-- story: {found[1]} -->\n\n```text\n{story}```\n"

    page = PAGE.read_text()
    wanted = SHOWN.sub(shown, page)
    if request.config.getoption("--rewrite"):
        PAGE.write_text(wanted)
    assert PAGE.read_text() == wanted, "see pytest --rewrite"
    assert sorted(SHOWN.findall(page)) == sorted(path.stem for path in GOLDEN.glob("*.txt"))
    assert {row.id for row in load(None, {}).universe.responses} <= set(SHOWN.findall(page))


def test_responses_page_shows_what_riskd_does():
    blocks = blocks_of("responses.md")
    modes = {"A1": ACTS, "A2": ACTS, "A3": ACTS, "A4": ADVISES}
    limits = LimitSet(
        account={
            "A1": LEVELS,
            "A2": LimitsSpec(drawdown_day_pct=5, risk_per_trade_pct=2),
            "A3": LimitsSpec(concentration_pct=25),
            "A4": LEVELS,
        }
    )
    universe = a_universe(
        limits,
        accounts=tuple(
            an_account(name, response_mode=mode, **LEVERED) for name, mode in modes.items()
        ),
        instruments=(AAPL,),
        settings=RiskSettings(dwell_ms=1000),
    )
    story = Story(replace(universe, responses=load(None, {}).universe.responses))
    story.send(Tick(symbol="AAPL", bid=100.0, ask=100.0))
    for line in [line for block in blocks for line in block.splitlines()]:
        story.play(line)
    assert story.waiting == []
    assert len(blocks) == 5
