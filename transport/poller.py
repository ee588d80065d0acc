"""The poller: which socket is read when. Orders go first; ticks are bounded between two looks.

ZeroMQ's descriptors are edge-triggered: one says once that something changed, and reading or
sending may take the edge back. So each wake-up drains until a look finds nothing, answers being
sent before that look, and a port that something else was sent on is poked to look again.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from time import monotonic_ns
from typing import Protocol

import zmq

ORDERS_BUDGET = 64  # Requests answered before ticks get their turn.
TICKS_BUDGET = 4  # Ticks taken before orders are looked at again; a batch may be more.
OTHERS_BUDGET = 16
PASSES_MAX = 16  # Rounds before the loop's timers and other descriptors get their turn.
BELT_S = 0.05  # How often a lost edge is looked for.


class Port(Protocol):
    """One socket to be drained."""

    def drain(self, budget: int) -> int:
        """Take messages up to a `budget` of work; return how much was done. Less: none is left."""

    def readable(self) -> bool:
        """Return whether a message waits."""


class Poller:
    """Drains ports on an event loop, in order of urgency."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, spin_us: int = 0) -> None:
        self.rescues = 0  # Messages that waited with no edge; stays 0.
        self._loop = loop
        self._spin_ns = spin_us * 1000
        self._ports: list[tuple[Port, int]] = []
        self._sockets: list[zmq.Socket[bytes]] = []
        self._ready: set[int] = set()
        self._drained: set[int] = set()  # Since the last look for lost edges.
        self._scheduled = False
        self._spin_until_ns = 0
        self._belt: asyncio.TimerHandle | None = None

    def add(self, port: Port, socket: zmq.Socket[bytes], budget: int) -> None:
        """Begin to watch a port; those added first go first."""
        index = len(self._ports)
        self._ports.append((port, budget))
        self._sockets.append(socket)
        self._loop.add_reader(_descriptor(socket), self._wake, index)
        self._ready.add(index)
        self._schedule()

    def start(self) -> None:
        """Begin to look for lost edges."""
        self._belt = self._loop.call_later(BELT_S, self._look)

    def stop(self) -> None:
        """Stop watching."""
        if self._belt is not None:
            self._belt.cancel()
        for socket in self._sockets:
            self._loop.remove_reader(_descriptor(socket))
        self._ports.clear()
        self._sockets.clear()
        self._ready.clear()

    def poke(self, port: Port) -> None:
        """Look at a port soon: something was sent on it, which may have taken its edge."""
        for index, (watched, _) in enumerate(self._ports):
            if watched is port and index not in self._ready:
                self._ready.add(index)
                self._schedule()

    def later(self, port: Port, span_s: float, wake: Callable[[], None]) -> None:
        """Look at a port that rests until then, and was woken."""

        def look() -> None:
            wake()
            self.poke(port)

        self._loop.call_later(span_s, look)

    def _wake(self, index: int) -> None:
        self._ready.add(index)
        self._run()

    def _run(self) -> None:
        """Drain what is ready: the first port between any two turns of the others."""
        self._scheduled = False
        ready, ports = self._ready, self._ports
        for _ in range(PASSES_MAX):
            if not ready:
                break
            self._drained |= ready
            for index in sorted(ready):
                if index and ports and ports[0][0].drain(ports[0][1]):
                    ready.add(0)
                port, budget = ports[index]
                if port.drain(budget) < budget:
                    ready.discard(index)
        if ready:
            self._schedule()
        elif self._spin_ns:
            self._spin_until_ns = monotonic_ns() + self._spin_ns
            self._loop.call_soon(self._spin)

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._run)

    def _spin(self) -> None:
        if self._scheduled or not self._ports:
            return
        if self._ports[0][0].readable():
            self._ready.add(0)
            self._run()
        elif monotonic_ns() < self._spin_until_ns:
            self._loop.call_soon(self._spin)

    def _has_edge(self, index: int) -> bool:
        watch = select.poll()  # Not select.select: it knows descriptors below 1024 only.
        watch.register(_descriptor(self._sockets[index]), select.POLLIN)
        return bool(watch.poll(0))

    def _look(self) -> None:
        self._belt = self._loop.call_later(BELT_S, self._look)
        if self._scheduled:
            return
        for index, (port, _) in enumerate(self._ports):
            # One that is drained lives, and one that is readable has its edge: the loop sees it.
            if index in self._drained or self._has_edge(index):
                continue
            if port.readable():
                self.rescues += 1
                self._ready.add(index)
        self._drained.clear()
        if self._ready:
            self._schedule()


def _descriptor(socket: zmq.Socket[bytes]) -> int:
    descriptor = socket.getsockopt(zmq.FD)
    assert isinstance(descriptor, int)
    return descriptor
