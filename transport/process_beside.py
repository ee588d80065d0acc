"""What is done beside the loop: checkpoints, accounts made anew, questions, files read again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from actors.system import System
from config.load import Configuration
from config.settings import Settings
from engine.desk import Answer
from engine.facts import AlertFact
from riskd.messages import AccountRebuild, ControlWork, Reload, Snapshot, VerdictRequest
from transport.aside import Aside
from transport.process_access import Access
from transport.process_checkpoint import Checkpoints
from transport.process_door import Door
from transport.process_inquiries import Inquiries
from transport.process_rebuild import Rebuilds
from transport.process_reload import Reloads


class Beside:
    """Takes the requests that are answered when they are done, and what is due without any."""

    def __init__(
        self,
        settings: Settings,
        system: System,
        door: Door,
        access: Access,
        *,
        read: Callable[[], Configuration],
        loop: asyncio.AbstractEventLoop,
        say: Callable[[AlertFact], None],
    ) -> None:
        house = (settings, system, door, access)
        self.reloads = Reloads(*house, read=read, loop=loop, say=say)
        self._asides = (Aside(loop), Aside(loop), Aside(loop))
        checkpoint, rebuild, inquiry = self._asides
        self._checkpoints = Checkpoints(settings, system, door, aside=checkpoint, say=say)
        self._rebuilds = Rebuilds(system, door, rebuild)
        self._inquiries = Inquiries(door, inquiry)

    @property
    def last_snapshot(self) -> dict[str, Any] | None:
        """Return what the newest checkpoint was, None when there was none yet."""
        return self._checkpoints.last or None

    def ask(self, request: ControlWork | VerdictRequest, reply: Callable[[Answer], None]) -> None:
        """Do what is asked for; `reply` is called once, now or later."""
        if isinstance(request, Snapshot):
            self._checkpoints.ask(request, reply)
        elif isinstance(request, AccountRebuild):
            self._rebuilds.ask(request, reply)
        elif isinstance(request, Reload):
            self.reloads.ask(request, reply)
        else:
            self._inquiries.ask(request, reply)

    def step(self) -> None:
        """Do what is due. Called often."""
        for aside in self._asides:
            aside.end_overdue()
        self._checkpoints.step()

    def close(self) -> None:
        """End what is under way; nobody is told."""
        for aside in self._asides:
            aside.close()
