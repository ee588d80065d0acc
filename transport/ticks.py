"""The ticks port: market data in, from PULL and from publishers. Nothing is ever answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

import msgspec
import zmq

from riskd.codec import ticks_codec
from riskd.messages import TicksMessage
from transport.peers import Peer, Peers
from transport.sockets import NOBLOCK, TICKS_BYTES_MAX, Reader

Admit = Callable[[TicksMessage, bytes], None]
Refused = Callable[[str, str], None]


class TicksPort(Reader):
    """Reads one socket of market data. What cannot be read is counted and said, and dropped."""

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        *,
        peers: Peers,
        admit: Admit,
        refused: Refused,
        has_topics: bool = False,
    ) -> None:
        """Read `socket`, the port of `peers`.

        With `has_topics` (SUB) a frame before the payload is its topic.
        """
        super().__init__(socket)
        self._recv_first = partial(socket.recv, copy=False)  # With whom it came from.
        self.counts: Counter[str] = Counter()
        self.peers = peers
        self._admit = admit
        self._refused = refused
        self._has_topics = has_topics

    def _take(self, first: zmq.Frame) -> None:
        sender = self.peers.of(first)
        has_topic = self._has_topics and self._has_more()
        payload = self._recv(NOBLOCK) if has_topic else first.bytes
        if sender is None or not self.peers.pays(sender, len(payload)):
            self.counts["dropped"] += 1
            self._drop_rest()
        elif self._has_more():
            frames = 1 + self._drop_rest()
            self._refuse(sender, "malformed", f"{frames} frames; expected one payload frame")
        elif len(payload) > TICKS_BYTES_MAX:
            self._refuse(sender, "too_large", f"{len(payload):,} bytes, over {TICKS_BYTES_MAX:,}")
        else:
            self._decode(payload, sender)

    def _decode(self, payload: bytes, sender: Peer) -> None:
        try:
            message = ticks_codec.decode(payload)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            self._refuse(sender, "malformed", str(error))
            return
        text = self.peers.refuses(sender, message)
        if text:
            self.counts["errors_not_authorized"] += 1
            return
        self.counts["messages"] += 1
        self._admit(message, payload)

    def _refuse(self, sender: Peer, code: str, text: str) -> None:
        self.counts[f"errors_{code}"] += 1
        self.peers.strike(sender)
        self._refused(code, text)
