"""The connections of one port: whose they are, how much they may send, and how one is cut.

ZeroMQ's monitor tells of every connection that comes and goes, by its descriptor; every frame tells
the descriptor it came through, and by which key the connection was authenticated. The table has an
entry for each connection that stands, so it is as large as they are many.
"""

from __future__ import annotations

import os
import socket
import struct
from collections import Counter, deque
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, NamedTuple

import zmq

from riskd.key_folder import AllowedKey
from riskd.messages import Message
from transport.keyring import LOCAL, Keyring
from transport.refusals import NotAllowed
from transport.rights import InstructedAccount, refusal_of
from transport.sockets import Reader

SILENT_NS = 10_000_000_000  # After so long a log-in that has said nothing is not counted any more.
FACTS_SHARE = 4  # Facts have a reserve of their own: this part of what a peer may send.
COST_BYTES_SHIFT = 9  # Every 512 bytes count as another message,
COST_BYTES_MAX = 256 << 10  # up to what any port takes at once.
EVENTS_BUDGET = 64
_COME, _GONE = zmq.EVENT_ACCEPTED | zmq.EVENT_CONNECTED, int(zmq.EVENT_DISCONNECTED)
_FAILED = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
_EVENT = struct.Struct("=Hi")  # Which event, and a descriptor.
_SRCFD = int(zmq.SRCFD)
_SO_COOKIE = 57  # Linux: what no two sockets of a machine have in common.
USER_ID = "User-Id"


class PeerLimits(NamedTuple):
    """How much a port takes."""

    peers_max: int
    connections_max: int  # Of one key.
    per_second: int  # Messages of one connection.
    burst: int
    strike_cost: int


class Peer:
    """One connection. What it may send is kept as the instant up to which it has paid."""

    __slots__ = ("cookie", "descriptor", "facts_ns", "holder", "paid_ns", "topics", "user_id")

    def __init__(self, descriptor: int, cookie: int) -> None:
        self.descriptor, self.cookie = descriptor, cookie
        self.user_id = ""  # Of the key that it came in with, once it has said something.
        self.holder: AllowedKey | None = None
        self.paid_ns = 0
        self.facts_ns = 0
        self.topics: set[str] = set()  # That it is subscribed to.

    @property
    def stands(self) -> bool:
        """Return whether it is a connection, and not what one left behind that is gone."""
        return self.descriptor >= 0


class Peers(Reader):
    """Keeps the table of a port. Without a keyring everybody is the local operator."""

    def __init__(
        self,
        port: zmq.Socket[bytes],
        name: str,
        limits: PeerLimits,
        *,
        keyring: Keyring | None = None,
    ) -> None:
        """Watch `port`, which is not bound yet."""
        context = port.context
        port.monitor(f"inproc://peers-{name}", _COME | _GONE | _FAILED)
        monitor: zmq.Socket[bytes] = context.socket(zmq.PAIR)
        monitor.setsockopt(zmq.RCVHWM, 0)  # Else ZeroMQ's own thread waits for us when it is full.
        monitor.setsockopt(zmq.LINGER, 0)
        monitor.connect(f"inproc://peers-{name}")
        super().__init__(monitor)
        self.name = name
        self.counts: Counter[str] = Counter()
        self.on_gone: Callable[[Peer], None] = lambda _: None
        self.on_refused: Callable[[NotAllowed], None] = lambda _: None
        self._limits = limits
        self._keyring = keyring
        self._interval_ns = max(1, 1_000_000_000 // limits.per_second)
        self._burst_ns = limits.burst * self._interval_ns
        self._standing: dict[int, Peer] = {}  # By descriptor.
        self._silent: dict[int, Peer] = {}  # Of those, the ones that have said nothing yet.
        self._speaking: Counter[str] = Counter()  # Connections by key.
        self._departed: dict[str, Peer] = {}  # By key.
        self._granted: dict[str, deque[int]] = {}  # By key: log-ins of which nothing was heard yet.

    def __len__(self) -> int:
        """Return how many connections stand, those that are not authenticated yet included."""
        return len(self._standing)

    def of(self, frame: zmq.Frame) -> Peer | None:
        """Return who sent a frame; None if it may not speak, and then it is cut.

        Who it is comes with every frame, never from where it came before. O(1).
        """
        descriptor, user_id = _origin(frame, is_keyed=self._keyring is not None)
        peer = self._standing.get(descriptor) or self._arrived(descriptor)
        if self._keyring is None:
            if peer is None:
                return self._departed_of("", LOCAL)
            if peer.holder is None:
                self._speaks(peer, "", LOCAL)
            return peer
        holder = self._keyring.holder(user_id)
        if holder is None or (peer is not None and peer.user_id == user_id != ""):
            if peer is not None and peer.holder is holder:
                return peer  # The common case: the same key as before, still in force.
            self._revoked(peer, user_id)
            return None
        if peer is None or peer.user_id:  # Older than what has its descriptor now.
            return self._departed_of(user_id, holder)
        self._speaks(peer, user_id, holder)
        return peer

    def of_now(self, frame: zmq.Frame) -> Peer | None:
        """Do as `of`, once all who came and went are known: descriptors are used again.

        For what stands as long as the connection does, such as a subscription.
        """
        self._arrived(-1)
        return self.of(frame)

    def pays(self, peer: Peer, byte_count: int) -> bool:
        """Return whether a peer may send a message of this size now, and charge it for that."""
        paid_ns = self._paid_ns(peer.paid_ns, _cost_of(byte_count) * self._interval_ns)
        if not paid_ns:
            if peer.stands and (newer := self._arrived(peer.descriptor)) is not peer:
                # The debt was of one that is gone; who came has its descriptor.
                return newer is None or self.pays(newer, byte_count)
            self.counts["overloaded"] += 1
            return False
        peer.paid_ns = paid_ns
        return True

    def pays_for_fact(self, peer: Peer, byte_count: int) -> bool:
        """Return whether the reserve for facts takes one from a peer that may send nothing else."""
        cost_ns = _cost_of(byte_count) * FACTS_SHARE * self._interval_ns
        paid_ns = self._paid_ns(peer.facts_ns, cost_ns)
        peer.facts_ns = paid_ns or peer.facts_ns
        return bool(paid_ns)

    def _paid_ns(self, paid_ns: int, cost_ns: int) -> int:
        """Return until when is paid after one more message; 0 if that is more than a burst away.

        Who owes nothing may send anything, whatever it costs.
        """
        now_ns = perf_counter_ns()
        if paid_ns <= now_ns:
            return now_ns + cost_ns
        paid_ns += cost_ns
        return paid_ns if paid_ns - now_ns <= self._burst_ns else 0

    def strike(self, peer: Peer) -> None:
        """Charge a peer for what it should not have sent."""
        self.counts["strikes"] += 1
        self.charge(peer, self._limits.strike_cost * self._interval_ns)

    def charge_messages(self, peer: Peer, count: int) -> None:
        """Charge a peer for what one message of it held."""
        self.charge(peer, count * self._interval_ns)

    def charge(self, peer: Peer, span_ns: int) -> None:
        """Let a peer have less room for so long. It never owes more than twice its burst."""
        now_ns = perf_counter_ns()
        paid_ns = max(peer.paid_ns, now_ns) + span_ns
        peer.paid_ns = min(paid_ns, max(peer.paid_ns, now_ns + 2 * self._burst_ns))

    def grants(self, user_id: str) -> bool:
        """Return whether a key may have another connection, and count it if so."""
        waiting = self._granted.setdefault(user_id, deque())
        now_ns = perf_counter_ns()
        while waiting and now_ns - waiting[0] > SILENT_NS:
            waiting.popleft()
        if len(waiting) + self._speaking[user_id] >= self._limits.connections_max:
            self.counts["log_ins_over_limit"] += 1
            return False
        waiting.append(now_ns)
        return True

    def refuses(
        self, peer: Peer, message: Message, instructed: InstructedAccount = lambda _: None
    ) -> str:
        """Return why a peer may not ask this, empty if it may; what it may not is a strike."""
        holder = peer.holder
        if holder is LOCAL:
            return ""
        assert holder is not None  # `of` returns nobody who may not speak.
        text = refusal_of(holder, message, instructed)
        if text:
            self.tell_refused(peer, str(message.__struct_config__.tag), text)
        return text

    def tell_refused(self, peer: Peer, what: str, reason: str) -> None:
        """Strike a peer for asking what is not its to ask, and tell of it."""
        assert peer.holder is not None
        self.strike(peer)
        self.on_refused(NotAllowed(self.name, peer.holder.name, what, reason))

    def cut_strangers(self) -> None:
        """Cut every connection of a key that is not in force as it was when it came in."""
        if self._keyring is None:  # Of publishers that riskd chose itself.
            return
        for peer in list(self._standing.values()):
            if peer.holder is None or self._keyring.holder(peer.user_id) is not peer.holder:
                self.cut(peer)
        for table in (self._granted, self._departed):
            for user_id in [x for x in table if self._keyring.holder(x) is None]:
                del table[user_id]

    def cut(self, peer: Peer) -> None:
        """End a connection: nothing that is sent to it from now on arrives. Never raises."""
        self.counts["cut"] += 1
        if self._standing.get(peer.descriptor) is peer:
            self._gone(peer.descriptor)
        try:
            same = socket.socket(fileno=os.dup(peer.descriptor))
        except OSError:
            return  # It is gone already.
        with same:
            if _cookie_of(same) == peer.cookie:  # And not another that has its descriptor now.
                _shut(same)

    def _take(self, first: bytes) -> None:
        self._drop_rest()
        event, descriptor = _EVENT.unpack(first)
        if event & _COME:
            self._came(descriptor)
        elif event == _GONE:
            self._gone(descriptor)
        else:
            self.counts["handshakes_failed"] += 1

    def _came(self, descriptor: int) -> None:
        self.counts["came"] += 1
        self._gone(descriptor)
        try:
            with socket.socket(fileno=os.dup(descriptor)) as same:
                peer = Peer(descriptor, _cookie_of(same))
        except OSError:
            return  # It was gone before it was looked at; that is told next.
        self._standing[descriptor] = self._silent[descriptor] = peer
        if len(self._standing) > self._limits.peers_max:
            self.counts["over_peers_max"] += 1
            self.cut(next(iter(self._silent.values())))  # The oldest: it had time to speak.

    def _gone(self, descriptor: int) -> None:
        peer = self._standing.pop(descriptor, None)
        if peer is None:
            return
        self._silent.pop(descriptor, None)
        if peer.user_id:
            self._speaking[peer.user_id] -= 1
            if not self._speaking[peer.user_id]:
                del self._speaking[peer.user_id]
        self.on_gone(peer)

    def _speaks(self, peer: Peer, user_id: str, holder: AllowedKey) -> None:
        """Note whose a connection is, at its first frame."""
        peer.user_id, peer.holder = user_id, holder
        if self._silent.pop(peer.descriptor, None) is peer and user_id:
            self._speaking[user_id] += 1
            waiting = self._granted.get(user_id)
            if waiting:
                waiting.popleft()

    def _arrived(self, descriptor: int) -> Peer | None:
        """Return a connection that has come since the last look; None if it has gone already."""
        while self.drain(EVENTS_BUDGET) == EVENTS_BUDGET:
            pass
        return self._standing.get(descriptor)

    def _departed_of(self, user_id: str, holder: AllowedKey) -> Peer:
        """Return who sent what a connection left behind that is no more: one for each key."""
        peer = self._departed.setdefault(user_id, Peer(-1, 0))
        peer.user_id, peer.holder = user_id, holder
        return peer

    def _revoked(self, peer: Peer | None, user_id: str) -> None:
        """Drop what comes with a key that is not in force any more, and its connection."""
        self.counts["revoked"] += 1
        if peer is not None and peer.user_id in ("", user_id):
            self.cut(peer)


def _cost_of(byte_count: int) -> int:
    return 1 + (min(byte_count, COST_BYTES_MAX) >> COST_BYTES_SHIFT)


def _origin(frame: zmq.Frame, *, is_keyed: bool) -> tuple[int, str]:
    """Return the descriptor that a frame came through, and the key; -1 and empty if none."""
    descriptor: Any = -1
    user_id: Any = ""
    try:
        descriptor = frame.get(_SRCFD)
        if is_keyed:
            user_id = frame.get(USER_ID)
    except zmq.ZMQError:
        pass  # It came from within the process, or from ZeroMQ itself.
    return descriptor, user_id


def _cookie_of(connection: socket.socket) -> int:
    return int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8), "little")


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # The other side was faster.
