"""Gateways with sessions as the house has them: what they are told, and which are gone."""

from __future__ import annotations

import asyncio

from engine.gateways import SessionBook
from riskd.messages import Message
from transport.orders import OrdersPort
from transport.poller import Poller
from transport.process_door import Door


class Gateways:
    """Says things to gateways unasked, and counts their heartbeats; silent until `open`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, poller: Poller) -> None:
        self._loop = loop
        self._poller = poller
        self._port: OrdersPort | None = None

    def open(self, port: OrdersPort, door: Door, book: SessionBook) -> None:
        """Begin to speak through the orders port."""
        self._port, self._door, self._book = port, door, book

    def close(self) -> None:
        """Say nothing any more."""
        self._port = None

    def say(self, session: int, message: Message) -> None:
        """Write to a gateway; it leaves with the answers, or at the next turn of the loop."""
        if self._port is not None:
            self._port.say(session, message)
            self._loop.call_soon(self._flush)

    def beat(self) -> None:
        """Send every gateway its heartbeat, and journal which sessions are lost."""
        assert self._port is not None  # Its timer runs while the ports are open.
        standing = [session.number for session in self._book.standing()]
        for number, reason in self._port.beat(standing):
            self._door.lose(number, reason)
        self._poller.poke(self._port.router)

    def heard_ns(self, session: int) -> int | None:
        """Return the last heartbeat before which something was heard of a session."""
        return self._port.links.heard_ns(session) if self._port is not None else None

    def _flush(self) -> None:
        if self._port is not None:
            self._port.router.flush()
            self._poller.poke(self._port.router)
