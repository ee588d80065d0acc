"""The four ports of a running riskd: sockets made, bound and handed to the poller."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import NamedTuple

import zmq

from config.settings import JournalSync, Settings
from engine.desk import Answer
from riskd.messages import (
    Check,
    ControlCommand,
    ControlQuery,
    ControlWork,
    Error,
    Published,
    Result,
    Stop,
    Verdict,
    VerdictRequest,
)
from transport.alerts import AlertsPort
from transport.control import ControlPort
from transport.orders import OrdersPort
from transport.poller import ORDERS_BUDGET, OTHERS_BUDGET, TICKS_BUDGET, Poller
from transport.process_door import Door, Reply
from transport.sockets import (
    CONTROL_QUEUE_MAX,
    QUEUE_MAX,
    make_pull,
    make_router,
    make_sub,
    make_xpub,
)
from transport.ticks import TicksPort

DRAIN_QUIET_S = 0.05  # Nothing came for so long: nothing is on its way.
DRAIN_S_MAX = 0.5


class Callbacks(NamedTuple):
    """What the ports ask the house for."""

    query: Callable[[ControlQuery], Result | Error]
    command: Callable[[ControlCommand, bytes, Reply], None]
    stop: Callable[[Stop], None]
    work: Callable[[ControlWork | VerdictRequest, Callable[[Answer], None]], None]
    verdict: Callable[[Check, Verdict], None]
    tick_refused: Callable[[str, str], None]
    standing: Callable[[str], Iterable[tuple[str, Published]]]
    subscribed: Callable[[], None]


class Ports:
    """Every socket of the process. Raises zmq.ZMQError where an address cannot be bound."""

    def __init__(self, settings: Settings, door: Door, callbacks: Callbacks) -> None:
        self.bound: dict[str, tuple[str, ...]] = {}
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._open(settings, door, callbacks)
        except zmq.ZMQError:
            self._context.destroy(linger=0)
            raise

    def watch(self, poller: Poller) -> None:
        """Give every socket to the poller, the most urgent first."""
        poller.add(self.orders.router, self.orders.router.socket, ORDERS_BUDGET)
        poller.add(self.control.router, self.control.router.socket, OTHERS_BUDGET)
        poller.add(self.alerts, self.alerts.socket, OTHERS_BUDGET)
        for ticks in self.ticks:
            poller.add(ticks, ticks.socket, TICKS_BUDGET)

    def drain(self) -> None:
        """Take every message that has arrived or is on its way: until none comes for a while.

        What was written to a connection reaches a socket of ZeroMQ a little later. Somebody who
        never stops sending holds nobody up: it ends after `DRAIN_S_MAX`.
        """
        readers = (*self.ticks, self.orders.router, self.control.router)
        sockets, until_s = [reader.socket for reader in readers], monotonic() + DRAIN_S_MAX
        while zmq.select(sockets, [], [], DRAIN_QUIET_S)[0] and monotonic() < until_s:
            for reader in readers:
                reader.drain(ORDERS_BUDGET)

    def close(self) -> None:
        """Let what was answered leave, then close every socket."""
        self._context.destroy(linger=200)

    def _open(self, settings: Settings, door: Door, callbacks: Callbacks) -> None:
        ports = settings.ports
        self.alerts = AlertsPort(
            self._bound("alerts", make_xpub(self._context), ports.alerts),
            standing=callbacks.standing,
            on_change=callbacks.subscribed,
        )
        pull = self._bound("ticks", make_pull(self._context), ports.ticks)
        self.ticks = [TicksPort(pull, admit=door.admit_ticks, refused=callbacks.tick_refused)]
        if ports.ticks_connect:
            sub = make_sub(self._context, ports.ticks_connect)
            self.ticks.append(
                TicksPort(
                    sub, admit=door.admit_ticks, refused=callbacks.tick_refused, has_topics=True
                )
            )
        self.control = ControlPort(
            self._bound("control", make_router(self._context, CONTROL_QUEUE_MAX), ports.control),
            command=callbacks.command,
            query=callbacks.query,
            stop=callbacks.stop,
            work=callbacks.work,
        )
        self.orders = OrdersPort(
            self._bound("orders", make_router(self._context, QUEUE_MAX), ports.orders),
            door,
            holds_for_sync=settings.journal.sync is JournalSync.ALWAYS,
            held_max=settings.overload.peer_backlog_max,
            on_verdict=callbacks.verdict,
        )

    def _bound(
        self, name: str, socket: zmq.Socket[bytes], addresses: tuple[str, ...]
    ) -> zmq.Socket[bytes]:
        for address in addresses:
            try:
                socket.bind(address)
            except zmq.ZMQError as error:
                raise zmq.ZMQError(error.errno, f"{name} port {address}: {error}") from error
            bound = socket.getsockopt(zmq.LAST_ENDPOINT)
            assert isinstance(bound, bytes)
            self.bound[name] = (*self.bound.get(name, ()), bound.rstrip(b"\0").decode())
        return socket
