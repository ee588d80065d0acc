"""Plays the transcripts of a page through the engine: every field that it shows must be true."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from engine.core import Core, Input
from engine.facts import Stamp
from riskd.codec import orders_codec, ticks_codec
from riskd.messages import (
    Breaker,
    Configure,
    Elapse,
    Message,
    ResponseUpdate,
    Resync,
    SessionLost,
    Universe,
    Welcome,
)
from tests.builders import STEADY_NS, WALL_NS
from tests.laws.tree import ROOT

SECOND_NS = 1_000_000_000


def blocks_of(page: str) -> list[str]:
    """Return the transcripts of a page of docs/."""
    text = (ROOT / "docs" / page).read_text()
    return re.findall(r"```transcript\n(.*?)```", text, re.DOTALL)


class Story:
    """Plays the lines; what riskd says waits, by who hears it, until a line shows it.

    `feed > ` is market data, `topic < ` what is published of responses and breakers, `* 5 s pass`
    is time, `* G1 is gone` a lost connection; every other name is that of a gateway.
    """

    def __init__(self, universe: Universe) -> None:
        self.core = Core()
        self.seq = 0
        self.passed_ns = 0
        self.sessions: dict[str, int] = {}
        self.waiting: list[tuple[str, Any]] = []
        self.send(Configure(universe=universe))

    def send(self, message: Input, gateway: str = "") -> None:
        """Apply one input, and put by what riskd says."""
        self.seq += 1
        at_ns = 1000 * self.seq + self.passed_ns
        session = self.sessions.get(gateway, 0)
        stamp = Stamp(self.seq, WALL_NS + at_ns, STEADY_NS + at_ns, session)
        answer = self.core.apply(message, stamp)
        if isinstance(answer, Welcome):
            self.sessions[gateway] = answer.session
        if answer is not None and gateway:
            self.waiting.append((gateway, answer))
        names = {number: name for name, number in self.sessions.items()}
        self.waiting += [
            ("topic", told.message)
            for told in self.core.published
            if isinstance(told.message, ResponseUpdate | Breaker)
        ]
        self.waiting += [(names[said.session], said.message) for said in self.core.said]

    def play(self, line: str) -> None:
        """Play one line, or compare it with what riskd said."""
        who, way, text = line.split(" ", 2)
        if who == "*" and text.endswith("pass"):
            self.passed_ns += int(way) * SECOND_NS
            self.send(Elapse())
        elif who == "*":
            lost = SessionLost(session=self.sessions.pop(way), reason="its connection is gone")
            self.send(lost)
        elif way == "<":
            heard, said = self.waiting.pop(0)
            assert heard == who, line
            require_shown(msgspec.json.decode(text), tree_of(said), line)
        elif who == "feed":
            self.send(ticks_codec.decode(text.encode()))
        else:
            self._ask(who, text)

    def _ask(self, who: str, text: str) -> None:
        message = orders_codec.decode(text.encode())
        if isinstance(message, Resync):
            listed = self.core.sessions.working_orders(self.sessions[who], self.seq, None)
            self.waiting.append((who, listed))
        else:
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
