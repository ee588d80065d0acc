"""The alerts port: topics out, each message numbered in its class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

import zmq
from msgspec.structs import replace

from riskd.codec import encode_json
from riskd.key_folder import AllowedKey
from riskd.messages import Published
from transport.peers import Peer, Peers
from transport.sockets import MORE, NOBLOCK, Reader

TOPIC_CLASSES = (
    "alert",
    "breaker",
    "verdict",
    "pnl",
    "position",
    "exposure",
    "margin",
    "drawdown",
    "risk_update",
    "firm",
    "limits",
    "heartbeat",
    "response",
    "certificate",
)
OPEN_TOPICS = frozenset(("heartbeat", "limits"))  # To whoever is let in.
ACCOUNT_CLASSES = frozenset(TOPIC_CLASSES) - OPEN_TOPICS - {"breaker", "firm"}
TOPICS_PEER_MAX = 1000  # Subscriptions of one connection.
TOPIC_BYTES_MAX = 200
TOPICS_MAX = 10_000  # Different subscriptions at once; one more is not admitted.
_SUBSCRIBE, _UNSUBSCRIBE = 1, 0
_KINDS = (bytes((_SUBSCRIBE,)), bytes((_UNSUBSCRIBE,)))

Standing = Callable[[str], Iterable[tuple[str, Published]]]


class AlertsPort(Reader):
    """An XPUB. Nothing is encoded for a topic that nobody subscribed to."""

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        *,
        peers: Peers,
        standing: Standing,
        accounts: Callable[[], Iterable[str]],
        on_change: Callable[[], None],
    ) -> None:
        """Publish on `socket`, the port of `peers`; `accounts` are the names of all that there are.

        `standing` gives the last value of each state topic under a prefix; `on_change` is called
        when what is subscribed to has changed.
        """
        super().__init__(socket)
        self._recv_frame = partial(socket.recv, copy=False)  # With whom it came from.
        self.peers = peers
        peers.on_gone = self._on_gone
        self._bound: list[tuple[str, Peer]] = []  # Subscriptions of who may hear its own only.
        self.counts: Counter[str] = Counter()
        self._is_shifted = False  # ZeroMQ does not know which connection the next is of.
        self._subscribed: Counter[str] = Counter()
        self._pub_seqs: dict[str, int] = {}
        self._standing = standing
        self._accounts = accounts
        self._on_change = on_change

    def wants(self, topic: str) -> bool:
        """Return whether anybody is subscribed to this topic."""
        return any(topic.startswith(prefix) for prefix in self._subscribed)

    def wants_class(self, topic_class: str) -> bool:
        """Return whether anybody is subscribed to any topic of a class."""
        return any(
            topic_class.startswith(prefix) or prefix.startswith(topic_class)
            for prefix in self._subscribed
        )

    def publish(self, topic: str, message: Published) -> None:
        """Number and send a message if anybody wants it. A slow subscriber loses its own only."""
        if not self._subscribed or not self.wants(topic):
            return
        if self._bound:
            self._part_with(message, topic)
        topic_class = topic.partition(".")[0]
        pub_seq = self._pub_seqs.get(topic_class, 0) + 1
        self._pub_seqs[topic_class] = pub_seq
        self._send(topic, replace(message, pub_seq=pub_seq))

    @property
    def subscriptions(self) -> int:
        """Return how many different subscriptions stand."""
        return len(self._subscribed)

    def _take(self, first: zmq.Frame) -> None:
        self._drop_rest()
        kind, topic = first.bytes[:1], first.bytes[1:]
        if self._is_shifted or kind not in _KINDS:
            self._part_from(first)
            return
        if not _has_origin(first):
            return  # ZeroMQ tells what a connection that is gone was subscribed to: we know.
        sender = self.peers.of_now(first)
        if sender is None or not sender.stands:
            return
        if kind == bytes((_UNSUBSCRIBE,)):
            self._drop(sender, topic)
        elif self.peers.pays(sender, len(topic)):
            self._subscribe(sender, topic)
        else:
            self.counts["subscriptions_refused"] += 1

    def _part_from(self, first: zmq.Frame) -> None:
        """Cut who sent what is no subscription, and who sent one behind it that is still unread.

        To which connection a subscription is given, ZeroMQ looks up in a queue of its own, from
        which it takes one for every frame read, yet puts none in for a frame that is neither: what
        is read until nothing waits would go to a stranger, or to nobody. Whoever is cut comes
        again by itself, and says again what it wants.
        """
        if first.bytes[:1] not in _KINDS:
            self.counts["frames_unknown"] += 1
        sender = self.peers.of_now(first) if _has_origin(first) else None
        if sender is not None and sender.stands:
            self.peers.cut(sender)
        self._is_shifted = self.readable()

    def _subscribe(self, sender: Peer, topic: bytes) -> None:
        name = _topic_name(topic)
        assert sender.holder is not None
        if name is None or not self._has_room(sender, name):
            self.counts["subscriptions_refused"] += 1
            return
        if sender.holder.is_bound and not self._is_own(sender.holder, name):
            self.counts["subscriptions_not_authorized"] += 1
            self.peers.tell_refused(sender, f"topic {name}", "not of its own accounts")
            return
        if name not in sender.topics:
            sender.topics.add(name)
            self._subscribed[name] += 1
            if sender.holder.is_bound:
                self._bound.append((name, sender))
        self.socket.setsockopt(zmq.SUBSCRIBE, topic)
        self._on_change()
        for standing_topic, message in self._standing(name):
            topic_class = standing_topic.partition(".")[0]
            last = self._pub_seqs.get(topic_class, 0)
            self._send(standing_topic, replace(message, pub_seq=last))

    def _has_room(self, sender: Peer, name: str) -> bool:
        if name in sender.topics:
            return True
        is_known = name in self._subscribed or len(self._subscribed) < TOPICS_MAX
        return is_known and len(sender.topics) < TOPICS_PEER_MAX

    def _is_own(self, holder: AllowedKey, name: str) -> bool:
        """Return whether a subscription can match nothing but what its holder may hear.

        It matches by its beginning: that of account A1 would match A10 too.
        """
        topic_class, _, rest = name.partition(".")
        if name in OPEN_TOPICS or topic_class not in ACCOUNT_CLASSES:
            return name in OPEN_TOPICS
        if topic_class == "alert":
            rest = rest.partition(".")[2]
        return any(
            rest == own or rest.startswith(f"{own}.") for own in holder.accounts
        ) and not any(
            other.startswith(rest) or rest.startswith(f"{other}.")
            for other in self._accounts()
            if not holder.covers(other)
        )

    def _part_with(self, message: Published, topic: str) -> None:
        """Cut whoever is subscribed to what it may not hear, before that is sent.

        It happens when an account comes whose name begins as that of another one.
        """
        account = getattr(message, "account", None)
        for name, peer in self._bound:
            assert peer.holder is not None
            if account is not None and topic.startswith(name) and not peer.holder.covers(account):
                self.peers.cut(peer)

    def _drop(self, sender: Peer, topic: bytes) -> None:
        name = _topic_name(topic)
        if name in sender.topics:
            sender.topics.remove(name)
            self._forget(sender, name)
            self.socket.setsockopt(zmq.UNSUBSCRIBE, topic)
            self._on_change()

    def _on_gone(self, peer: Peer) -> None:
        for name in peer.topics:
            self._forget(peer, name)
        if peer.topics:
            self._on_change()

    def _forget(self, peer: Peer, name: str) -> None:
        self._subscribed[name] -= 1
        if not self._subscribed[name]:
            del self._subscribed[name]
        if (name, peer) in self._bound:
            self._bound.remove((name, peer))

    def _send(self, topic: str, message: Published) -> None:
        payload = encode_json(message)
        try:
            self.socket.send(topic.encode(), MORE)
            self.socket.send(payload, NOBLOCK)
        except zmq.Again:
            self.counts["dropped"] += 1
        else:
            self.counts["sent"] += 1


def _topic_name(topic: bytes) -> str | None:
    """Return a subscription if it can match a topic of ours, None if it cannot."""
    if len(topic) > TOPIC_BYTES_MAX:
        return None
    try:
        name = topic.decode()
    except UnicodeDecodeError:
        return None
    known = any(
        topic_class.startswith(name) or name.startswith((topic_class + ".", topic_class))
        for topic_class in TOPIC_CLASSES
    )
    return name if known else None


def _has_origin(frame: zmq.Frame) -> bool:
    """Return whether a peer sent a frame; ZeroMQ makes one itself for who is gone."""
    try:
        frame.get(zmq.SRCFD)
    except zmq.ZMQError:
        return False
    return True
