"""The table of connections: what each may send, how many there may be, and how one is cut.

Real sockets in one process; what is due is waited for by reading what ZeroMQ has told.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pytest
import zmq

from transport.peers import COST_BYTES_MAX, Peer, PeerLimits, Peers
from transport.sockets import NOBLOCK

WIDE = PeerLimits(peers_max=1000, connections_max=4, per_second=1_000, burst=1_000, strike_cost=10)
SLOW = WIDE._replace(per_second=1)  # Nothing is earned while a test counts.
S_MAX = 20.0


class Port:
    """A ROUTER and its table."""

    def __init__(self, limits: PeerLimits) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.dealers: list[zmq.Socket[bytes]] = []  # Kept until the end of the context.
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.peers = Peers(self.socket, "tried", limits)
        self.socket.bind("tcp://127.0.0.1:*")
        bound = self.socket.getsockopt(zmq.LAST_ENDPOINT)
        assert isinstance(bound, bytes)
        self.at = bound.rstrip(b"\0").decode()

    def until(self, condition: Callable[[], Any]) -> None:
        """Read what ZeroMQ tells until a condition holds."""
        until_s = monotonic() + S_MAX
        while not condition():
            self.peers.socket.poll(10)
            self.peers.drain(1000)
            assert monotonic() < until_s, self.peers.counts

    def connected(self) -> socket.socket:
        """Return a connection that says nothing."""
        host, port = self.at.removeprefix("tcp://").split(":")
        return socket.create_connection((host, int(port)), S_MAX)

    def heard(self, dealer: zmq.Socket[bytes], payload: bytes = b"x") -> Peer | None:
        """Send a message and return who it is from."""
        dealer.send(payload)
        assert self.socket.poll(round(S_MAX * 1000))
        first: Any = self.socket.recv(NOBLOCK, False)
        found = self.peers.of(first)
        assert self.socket.recv() == payload
        return found

    def dealer(self) -> zmq.Socket[bytes]:
        made = self.context.socket(zmq.DEALER)
        made.setsockopt(zmq.LINGER, 0)
        made.connect(self.at)
        self.dealers.append(made)
        return made


@pytest.fixture
def make_port() -> Iterator[Callable[[PeerLimits], Port]]:
    made: list[Port] = []

    def make(limits: PeerLimits) -> Port:
        made.append(Port(limits))
        return made[-1]

    yield make
    for port in made:
        port.context.destroy(linger=0)


def paid_count(peers: Peers, peer: Peer, pays: Callable[[Peer, int], bool], size: int) -> int:
    """Return how many messages a peer may send at once."""
    count = 0
    while pays(peer, size) and count < 100_000:
        count += 1
    return count


@pytest.mark.parametrize(
    ("size", "cost"), [(0, 1), (511, 1), (512, 2), (64 << 10, 129), (COST_BYTES_MAX * 9, 513)]
)
def test_peer_may_send_its_burst_at_once_and_large_messages_cost_more(make_port, size, cost):
    port = make_port(SLOW)
    peer = Peer(-1, 0)
    assert paid_count(port.peers, peer, port.peers.pays, size) == 1000 // cost
    assert port.peers.counts["overloaded"] == 1


def test_connection_that_comes_with_the_descriptor_of_one_that_is_gone_is_another(make_port):
    """What ZeroMQ told of both is still unread: neither debts nor subscriptions pass on."""
    port = make_port(SLOW._replace(burst=1))
    first = port.dealer()
    before = port.heard(first)
    assert before is not None
    assert port.peers.pays(before, 0)
    first.close()
    assert port.peers.socket.poll(round(S_MAX * 1000))  # That it is gone, which nobody reads.
    second = port.dealer()
    told = port.heard(second)
    assert told is before  # It has the descriptor, and looks like the same one.
    assert port.peers.pays(told, 0)  # The debt is not its own.
    second.send(b"y")
    assert port.socket.poll(round(S_MAX * 1000))
    frame: Any = port.socket.recv(NOBLOCK, False)
    found = port.peers.of_now(frame)
    assert found is not None
    assert found.stands
    assert found is not before


def test_facts_have_a_reserve_when_nothing_else_may_be_sent(make_port):
    port = make_port(SLOW)
    peer = Peer(-1, 0)
    assert paid_count(port.peers, peer, port.peers.pays, 0) == 1000
    assert paid_count(port.peers, peer, port.peers.pays_for_fact, 0) == 250


def test_strikes_cost_what_they_are_to_and_never_more_than_a_burst_of_debt(make_port):
    port = make_port(SLOW._replace(burst=100))
    peer = Peer(-1, 0)
    for _ in range(5):
        port.peers.strike(peer)
    assert paid_count(port.peers, peer, port.peers.pays, 0) == 50
    for _ in range(1000):
        port.peers.strike(peer)
    assert peer.paid_ns <= 2 * 100 * 10**9 + monotonic() * 1e9 + 10**9


def test_a_thousand_connections_leave_nothing_behind(make_port):
    port = make_port(WIDE._replace(peers_max=50))
    with port.connected() as first:
        port.until(lambda: len(port.peers) == 1)
        for _ in range(50):
            burst = [port.connected() for _ in range(20)]
            for one in burst:
                one.close()
        port.until(lambda: port.peers.counts["came"] > 1_000)
        port.until(lambda: len(port.peers) <= 1)
        first.close()
    port.until(lambda: len(port.peers) == 0)


def test_who_speaks_stays_when_silent_connections_fill_the_port(make_port):
    port = make_port(WIDE._replace(peers_max=10))
    speaker = port.dealer()
    peer = port.heard(speaker)
    assert peer is not None
    silent = [port.connected() for _ in range(40)]
    port.until(lambda: port.peers.counts["cut"] >= 31)
    port.until(lambda: len(port.peers) <= 10)
    assert port.heard(speaker) is peer
    for one in silent:
        one.close()


def test_cut_ends_the_connection_that_was_meant_and_no_other(make_port):
    port = make_port(WIDE)
    victim, other = port.dealer(), port.dealer()
    first, second = port.heard(victim), port.heard(other)
    assert first is not None
    assert second is not None
    port.peers.cut(first)
    port.until(lambda: len(port.peers) < 2)
    assert port.heard(other) is second
    # The descriptor is another connection's by now: a late second cut finds another cookie.
    again = port.heard(victim)
    assert again is not None
    assert again is not first
    stale = Peer(again.descriptor, first.cookie)
    port.peers.cut(stale)
    assert port.heard(victim) is again


def test_departed_peers_share_one_allowance(make_port):
    port = make_port(WIDE)
    dealer = port.dealer()
    dealer.send(b"x")
    assert port.socket.poll(S_MAX * 1000)
    dealer.close(linger=0)
    port.until(lambda: port.peers.counts["came"] and not len(port.peers))
    first: Any = port.socket.recv(NOBLOCK, False)
    peer = port.peers.of(first)
    assert peer is not None
    assert not peer.stands
