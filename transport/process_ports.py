"""The four ports of a running riskd: sockets made, bound and handed to the poller."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from time import monotonic
from typing import NamedTuple

import zmq

from config.settings import JournalSync, Settings
from engine.desk import Answer
from riskd.errors import KeysError
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
from transport.binding import BindError, bind
from transport.control import ControlPort
from transport.keyring import Keyring
from transport.orders import OrdersPort
from transport.peers import PeerLimits, Peers
from transport.poller import ORDERS_BUDGET, OTHERS_BUDGET, TICKS_BUDGET, Poller
from transport.process_access import Access
from transport.process_door import Door, Reply
from transport.sockets import (
    CONTROL_QUEUE_MAX,
    QUEUE_MAX,
    make_pull,
    make_router,
    make_sub,
    make_xpub,
)
from transport.ticks import Pace, TicksPort
from transport.zap import ZapPort

DRAIN_QUIET_S = 0.05  # Nothing came for so long: nothing is on its way.
DRAIN_S_MAX = 0.5


class Callbacks(NamedTuple):
    """What the ports ask the house for."""

    query: Callable[[ControlQuery], Result | Error]
    command: Callable[[ControlCommand, bytes, Reply, str], None]
    stop: Callable[[Stop, str], None]
    work: Callable[[ControlWork | VerdictRequest, Callable[[Answer], None], str], None]
    verdict: Callable[[Check, Verdict], None]
    tick_refused: Callable[[str, str], None]
    standing: Callable[[str], Iterable[tuple[str, Published]]]
    accounts: Callable[[], Iterable[str]]
    subscribed: Callable[[], None]


class Ports:
    """Every socket of the process. Raises BindError or KeysError."""

    def __init__(
        self, settings: Settings, door: Door, callbacks: Callbacks, access: Access
    ) -> None:
        self.bound: dict[str, tuple[str, ...]] = {}
        self.peers: dict[str, Peers] = {}
        self.zap: ZapPort | None = None
        self._security, self._access = settings.security, access
        self._keyring = access.keyring
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._open(settings, door, callbacks)
        except (BindError, KeysError):
            self._context.destroy(linger=0)
            raise

    def watch(self, poller: Poller) -> None:
        """Give every socket to the poller, the most urgent first."""
        poller.add(self.orders.router, self.orders.router.socket, ORDERS_BUDGET)
        poller.add(self.control.router, self.control.router.socket, OTHERS_BUDGET)
        poller.add(self.alerts, self.alerts.socket, OTHERS_BUDGET)
        for ticks in self.ticks:
            poller.add(ticks, ticks.socket, TICKS_BUDGET)
            ticks.later = partial(poller.later, ticks)
        for reader in (*self.peers.values(), *([self.zap] if self.zap is not None else [])):
            poller.add(reader, reader.socket, OTHERS_BUDGET)

    def figures(self) -> dict[str, dict[str, int]]:
        """Return how many connections each port has, and what became of others."""
        return {name: {"standing": len(x), **x.counts} for name, x in self.peers.items()}

    def drain(self) -> None:
        """Take every message that has arrived or is on its way: until none comes for a while.

        What was written to a connection reaches a socket of ZeroMQ a little later. Somebody who
        never stops sending holds nobody up: it ends after `DRAIN_S_MAX`.
        """
        for ticks in self.ticks:
            ticks.finish()
        readers = (*self.ticks, self.orders.router, self.control.router)
        sockets, until_s = [reader.socket for reader in readers], monotonic() + DRAIN_S_MAX
        while zmq.select(sockets, [], [], DRAIN_QUIET_S)[0] and monotonic() < until_s:
            for reader in readers:
                reader.drain(ORDERS_BUDGET)

    def close(self) -> None:
        """Let what was answered leave, then close every socket."""
        self._context.destroy(linger=200)

    def _open(self, settings: Settings, door: Door, callbacks: Callbacks) -> None:
        ports, frame_bytes_max = settings.ports, settings.security.frame_bytes_max
        if self._keyring is not None:
            self.zap = ZapPort(self._context, self._keyring, on_refused=self._access.refusals.take)
            self.zap.ports = self.peers
            self._keyring.on_revoked = self._cut_revoked
        self.alerts = AlertsPort(
            self._bound("alerts", make_xpub(self._context), ports.alerts),
            peers=self.peers["alerts"],
            standing=callbacks.standing,
            accounts=callbacks.accounts,
            on_change=callbacks.subscribed,
        )
        pull = self._bound("ticks", make_pull(self._context, frame_bytes_max), ports.ticks)
        load = settings.overload
        pace = partial(Pace, load.conflate_after_ms, load.conflate_ms)
        open_ticks = partial(
            TicksPort,
            admit=door.admit_ticks,
            refused=callbacks.tick_refused,
        )
        self.ticks = [open_ticks(pull, peers=self.peers["ticks"], pace=pace(door.conflation()))]
        if ports.ticks_connect:
            sub = self._subscribed(ports.ticks_connect)
            sub_ticks = partial(open_ticks, sub, peers=self.peers["publishers"], has_topics=True)
            self.ticks.append(sub_ticks(pace=pace(door.conflation())))
        control = make_router(self._context, CONTROL_QUEUE_MAX, frame_bytes_max)
        self.control = ControlPort(
            self._bound("control", control, ports.control),
            peers=self.peers["control"],
            command=callbacks.command,
            query=callbacks.query,
            stop=callbacks.stop,
            work=callbacks.work,
        )
        orders = make_router(self._context, QUEUE_MAX, frame_bytes_max)
        self.orders = OrdersPort(
            self._bound("orders", orders, ports.orders),
            door,
            peers=self.peers["orders"],
            holds_for_sync=settings.journal.sync is JournalSync.ALWAYS,
            held_max=settings.overload.peer_backlog_max,
            on_verdict=callbacks.verdict,
        )

    def _cut_revoked(self) -> None:
        for peers in self.peers.values():
            peers.cut_strangers()

    def _watched(
        self, name: str, socket: zmq.Socket[bytes], keyring: Keyring | None
    ) -> zmq.Socket[bytes]:
        """Begin to count the connections of a socket that is not bound or connected yet."""
        told = self._security
        is_market = socket.type in (zmq.PULL, zmq.SUB)
        limits = PeerLimits(
            peers_max=told.peers_max,
            connections_max=told.connections_max,
            per_second=told.ticks_per_second if is_market else told.messages_per_second,
            burst=told.ticks_per_second if is_market else told.messages_burst,
            strike_cost=told.strike_cost,
        )
        self.peers[name] = peers = Peers(socket, name, limits, keyring=keyring)
        peers.on_refused = self._access.refusals.take
        return socket

    def _bound(
        self, name: str, socket: zmq.Socket[bytes], addresses: tuple[str, ...]
    ) -> zmq.Socket[bytes]:
        self._watched(name, socket, self._keyring)
        server = self._keyring.server if self._keyring is not None else None
        self.bound[name] = tuple(bind(socket, name, address, server) for address in addresses)
        return socket

    def _subscribed(self, publishers: tuple[str, ...]) -> zmq.Socket[bytes]:
        """Connect to publishers; they are trusted, as riskd chose them."""
        key = self._security.publisher_key or None
        socket = make_sub(self._context, self._security.frame_bytes_max, key)
        self._watched("publishers", socket, None)
        for address in publishers:
            socket.connect(address)
        return socket
