"""The alerts port: topics out, each message numbered in its class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import zmq
from msgspec.structs import replace

from riskd.codec import encode_json
from riskd.messages import Published
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
TOPIC_BYTES_MAX = 200
TOPICS_MAX = 10_000  # Different subscriptions at once; one more is not admitted.
_SUBSCRIBE, _UNSUBSCRIBE = 1, 0

Standing = Callable[[str], Iterable[tuple[str, Published]]]


class AlertsPort(Reader):
    """An XPUB. Nothing is encoded for a topic that nobody subscribed to."""

    def __init__(
        self, socket: zmq.Socket[bytes], *, standing: Standing, on_change: Callable[[], None]
    ) -> None:
        """Publish on `socket`.

        `standing` gives the last value of each state topic under a prefix; `on_change` is called
        when what is subscribed to has changed.
        """
        super().__init__(socket)
        self.counts: Counter[str] = Counter()
        self._subscribed: Counter[str] = Counter()
        self._pub_seqs: dict[str, int] = {}
        self._standing = standing
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
        topic_class = topic.partition(".")[0]
        pub_seq = self._pub_seqs.get(topic_class, 0) + 1
        self._pub_seqs[topic_class] = pub_seq
        self._send(topic, replace(message, pub_seq=pub_seq))

    @property
    def subscriptions(self) -> int:
        """Return how many different subscriptions stand."""
        return len(self._subscribed)

    def _take(self, first: bytes) -> None:
        self._drop_rest()
        kind, topic = first[:1], first[1:]
        name = _topic_name(topic)
        if kind == bytes((_UNSUBSCRIBE,)):
            self._drop(name, topic)
        elif kind == bytes((_SUBSCRIBE,)):
            if name is None or (
                name not in self._subscribed and len(self._subscribed) >= TOPICS_MAX
            ):
                self.counts["subscriptions_refused"] += 1
                return
            self._subscribed[name] += 1
            self.socket.setsockopt(zmq.SUBSCRIBE, topic)
            self._on_change()
            for standing_topic, message in self._standing(name):
                topic_class = standing_topic.partition(".")[0]
                last = self._pub_seqs.get(topic_class, 0)
                self._send(standing_topic, replace(message, pub_seq=last))
        else:
            self.counts["frames_unknown"] += 1

    def _drop(self, name: str | None, topic: bytes) -> None:
        if name is None or name not in self._subscribed:
            return
        self._subscribed[name] -= 1
        if not self._subscribed[name]:
            del self._subscribed[name]
        self.socket.setsockopt(zmq.UNSUBSCRIBE, topic)
        self._on_change()

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
