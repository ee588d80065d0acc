"""docs/sessions.md, played line by line through the engine: every field that it shows is true."""

from __future__ import annotations

from riskd.messages import InstrumentSpec, Tick
from tests.builders import a_universe
from tests.docs.story import Story, blocks_of

AAPL = InstrumentSpec(symbol="AAPL", currency="USD")


def test_sessions_page_shows_what_riskd_says():
    blocks = blocks_of("sessions.md")
    story = Story(a_universe(instruments=(AAPL,)))
    story.send(Tick(symbol="AAPL", bid=100.0, ask=100.0))
    for line in [line for block in blocks for line in block.splitlines()]:
        story.play(line)
    assert story.waiting == []
    assert len(blocks) == 4
