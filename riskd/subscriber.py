"""The client of the alerts port: listens, notices gaps, and notices silence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import NamedTuple, Self

import msgspec
import zmq

from riskd.codec import published_codec
from riskd.gaps import Gap, GapDetector
from riskd.keys import Key, apply_key, client_key
from riskd.messages import Heartbeat, Published

ALERTS_ADDRESS = "tcp://127.0.0.1:5703"
HALTED_AFTER_MS = 3000
RECEIVE_HWM = 100_000  # Messages that may wait here before riskd drops some for us.
HEARTBEAT_TOPIC = "heartbeat"

__all__ = ["Gap", "Publication", "Subscriber"]


class Publication(NamedTuple):
    """One message with the topic that it was published on."""

    topic: str
    message: Published


class Subscriber:
    """Iterates over what riskd publishes on the topics that start with one of `topics`.

    Confined to one thread; usable as a context manager. `on_gap` is called with each `Gap`
    before the message that revealed it, `missed` sums the gaps per topic class, `unreadable`
    counts messages that could not be decoded. Gaps are seen in classes that are subscribed to
    as a whole (`verdict`, not `verdict.A1`).

    `alive` says whether a heartbeat came within `halted_after_ms`; a gateway for which it is
    false behaves as halted. Heartbeats have a socket of their own, so `alive` is right however
    far behind the iteration is.
    """

    def __init__(
        self,
        address: str = ALERTS_ADDRESS,
        topics: Sequence[str] = ("",),
        *,
        on_gap: Callable[[Gap], None] | None = None,
        halted_after_ms: int = HALTED_AFTER_MS,
        key: Key = None,
    ) -> None:
        self.address = address
        self.topics = tuple(topics)
        self.missed: dict[str, int] = {}
        self.restarts = 0  # Times that riskd was found to have started anew.
        self.unreadable = 0
        self.heartbeat: Heartbeat | None = None
        self._on_gap = on_gap
        self._halted_after_ns = halted_after_ms * 1_000_000
        self._heard_ns: int | None = None
        self._looked_ns = time.monotonic_ns()
        self._gaps = GapDetector(self.topics)
        found = client_key(key)
        self._socket = _subscribed(address, self.topics, found)
        self._pulse = _subscribed(address, (HEARTBEAT_TOPIC,), found)

    def __iter__(self) -> Iterator[Publication]:
        """Yield messages for ever."""
        while True:
            publication = self.receive(timeout_ms=None)
            if publication is not None:
                yield publication

    def receive(self, *, timeout_ms: int | None) -> Publication | None:
        """Return the next message, or None if none came in time (None waits for ever)."""
        until_ns = None if timeout_ms is None else time.monotonic_ns() + timeout_ms * 1_000_000
        while True:
            left_ms = None
            if until_ns is not None:
                left_ms = max(0, (until_ns - time.monotonic_ns()) // 1_000_000)
            if not self._socket.poll(left_ms):
                return None
            publication = self._taken(self._socket)
            if publication is None:
                self.unreadable += 1
                continue
            gap = self._gaps.see(publication.topic, publication.message.pub_seq)
            if gap is not None:
                self._note(gap)
            return publication

    @property
    def alive(self) -> bool:
        """Whether a heartbeat came within the configured time. Never waits."""
        now_ns = time.monotonic_ns()
        was_watching = now_ns - self._looked_ns <= self._halted_after_ns
        self._looked_ns = now_ns
        while self._pulse.poll(0):
            publication = self._taken(self._pulse)
            if publication is None or not isinstance(publication.message, Heartbeat):
                continue
            self.heartbeat = publication.message
            # Nobody looked for long: it may have waited here since before riskd died, so its
            # age is taken from its own instant rather than from now.
            age_ns = 0 if was_watching else max(0, time.time_ns() - self.heartbeat.server_ns)
            self._heard_ns = now_ns - age_ns
        return self._heard_ns is not None and now_ns - self._heard_ns <= self._halted_after_ns

    def close(self) -> None:
        """Stop listening."""
        self._socket.close(linger=0)
        self._pulse.close(linger=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _note(self, gap: Gap) -> None:
        if gap.missed is None:
            self.restarts += 1
        else:
            self.missed[gap.topic_class] = self.missed.get(gap.topic_class, 0) + gap.missed
        if self._on_gap is not None:
            self._on_gap(gap)

    @staticmethod
    def _taken(socket: zmq.Socket[bytes]) -> Publication | None:
        frames = socket.recv_multipart()
        if len(frames) != 2:
            return None
        try:
            return Publication(frames[0].decode(), published_codec.decode(frames[1]))
        except (msgspec.DecodeError, ValueError):
            return None


def _subscribed(address: str, topics: tuple[str, ...], key: Key) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVHWM, RECEIVE_HWM)
    for topic in topics:
        socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
    apply_key(key, socket)
    try:
        socket.connect(address)
    except zmq.ZMQError as error:
        socket.close(linger=0)
        raise ValueError(f"{address!r} is no address to connect to: {error}") from error
    return socket
