"""Those who wait for their turn: passes between orders, while ticks wait behind them.

A price that carries thousands of accounts over a line would stop orders for as long as all of them
take. So an input looks at a bounded number (`engine/backlog.py`), and the rest follows in inputs of
its own, each after whatever orders have come. No further tick is taken until all are through: what
is published is never behind by a tick.
"""

from __future__ import annotations

import asyncio

from actors.system import System
from transport.poller import Poller
from transport.process_door import Door
from transport.ticks import TicksPort

AGAIN_S = 0.02  # After a pass that the journal refused.


class Waiting:
    """Keeps passes going as long as anybody waits."""

    def __init__(
        self, system: System, door: Door, *, loop: asyncio.AbstractEventLoop, poller: Poller
    ) -> None:
        self.since_ns: int | None = None  # Steady: when the input came that the first waits for.
        self._system, self._door = system, door
        self._loop, self._poller = loop, poller
        self._ticks: list[TicksPort] = []
        self._is_scheduled = False

    def open(self, ticks: list[TicksPort]) -> None:
        """Begin to hold these ports back while anybody waits."""
        self._ticks = ticks
        self._door.on_behind = self._begin
        if self._system.is_behind():
            self._begin()

    def finish(self) -> None:
        """Let all have their turns, as far as the journal takes it, and the ports go on."""
        while self._door.catch_up():
            pass
        self._hold(False)

    def _begin(self) -> None:
        if self.since_ns is None:
            self.since_ns = self._system.last.steady_ns
            self._hold(True)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._is_scheduled = False
        if self._door.catch_up():
            return  # The door has said so, which called this again.
        if self._system.is_behind():
            self._is_scheduled = True
            self._loop.call_later(AGAIN_S, self._go_on)
            return
        self.since_ns = None
        self._hold(False)

    def _hold(self, is_held: bool) -> None:
        for port in self._ticks:
            port.is_held = is_held
            if not is_held:
                self._poller.poke(port)
