"""docs/sessions.md, played line by line through the engine: every field that it shows is true."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from engine.core import Core, Input
from engine.facts import Stamp
from riskd.codec import orders_codec
from riskd.messages import (
    Configure,
    InstrumentSpec,
    Message,
    Resync,
    SessionLost,
    Tick,
    Welcome,
)
from tests.builders import STEADY_NS, WALL_NS, a_universe
from tests.laws.tree import ROOT

PAGE = (ROOT / "docs" / "sessions.md").read_text()
BLOCKS = re.findall(r"```transcript\n(.*?)```", PAGE, re.DOTALL)
LINES = [line for block in BLOCKS for line in block.splitlines()]
AAPL = InstrumentSpec(symbol="AAPL", currency="USD")


class Story:
    """Plays the lines; what riskd says waits, by gateway, until a line shows it."""

    def __init__(self) -> None:
        self.core = Core()
        self.seq = 0
        self.sessions: dict[str, int] = {}
        self.waiting: list[tuple[str, Any]] = []
        self.send(Configure(universe=a_universe(instruments=(AAPL,))))
        self.send(Tick(symbol="AAPL", bid=100.0, ask=100.0))

    def send(self, message: Input, gateway: str = "") -> None:
        self.seq += 1
        at_ns = 1000 * self.seq
        session = self.sessions.get(gateway, 0)
        stamp = Stamp(self.seq, WALL_NS + at_ns, STEADY_NS + at_ns, session)
        answer = self.core.apply(message, stamp)
        if isinstance(answer, Welcome):
            self.sessions[gateway] = answer.session
        if answer is not None and gateway:
            self.waiting.append((gateway, answer))
        names = {number: name for name, number in self.sessions.items()}
        self.waiting += [(names[said.session], said.message) for said in self.core.said]

    def play(self, line: str) -> None:
        who, way, text = line.split(" ", 2)
        if who == "*":
            lost = SessionLost(session=self.sessions.pop(way), reason="its connection is gone")
            self.send(lost)
        elif way == "<":
            gateway, said = self.waiting.pop(0)
            assert gateway == who, line
            require_shown(msgspec.json.decode(text), tree_of(said), line)
        else:
            message = orders_codec.decode(text.encode())
            if isinstance(message, Resync):
                listed = self.core.sessions.working_orders(self.sessions[who], self.seq, None)
                self.waiting.append((who, listed))
            else:
                assert not self.waiting, "the page leaves out what riskd says"
                self.send(message, who)  # type: ignore[arg-type]  # A ping is on no page.


def tree_of(message: Message) -> Any:
    return msgspec.json.decode(msgspec.json.encode(message))


def require_shown(shown: Any, said: Any, line: str) -> None:
    """Fail unless all that a line shows is what riskd said."""
    if isinstance(shown, dict):
        for name, value in shown.items():
            require_shown(value, said.get(name), line)
    elif isinstance(shown, list):
        assert len(shown) == len(said), line
        for one, other in zip(shown, said, strict=True):
            require_shown(one, other, line)
    else:
        assert shown == said, line


def test_sessions_page_shows_what_riskd_says():
    story = Story()
    for line in LINES:
        story.play(line)
    assert story.waiting == []
    assert len(BLOCKS) == 4
