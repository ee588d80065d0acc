"""The ticks port: market data in, from PULL and from publishers. Nothing is ever answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec
import zmq

from riskd.codec import ticks_codec
from riskd.messages import TicksMessage
from transport.sockets import NOBLOCK, TICKS_BYTES_MAX, Reader

Admit = Callable[[TicksMessage, bytes], None]
Refused = Callable[[str, str], None]


class TicksPort(Reader):
    """Reads one socket of market data. What cannot be read is counted and said, and dropped."""

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        *,
        admit: Admit,
        refused: Refused,
        has_topics: bool = False,
    ) -> None:
        """Read `socket`; with `has_topics` (SUB) a frame before the payload is its topic."""
        super().__init__(socket)
        self.counts: Counter[str] = Counter()
        self._admit = admit
        self._refused = refused
        self._has_topics = has_topics

    def _take(self, first: bytes) -> None:
        payload = self._recv(NOBLOCK) if self._has_topics and self._has_more() else first
        if self._has_more():
            frames = 1 + self._drop_rest()
            self._refuse("malformed", f"{frames} frames; expected one payload frame")
        elif len(payload) > TICKS_BYTES_MAX:
            self._refuse("too_large", f"{len(payload):,} bytes, over {TICKS_BYTES_MAX:,}")
        else:
            self._decode(payload)

    def _decode(self, payload: bytes) -> None:
        try:
            message = ticks_codec.decode(payload)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            self._refuse("malformed", str(error))
            return
        self.counts["messages"] += 1
        self._admit(message, payload)

    def _refuse(self, code: str, text: str) -> None:
        self.counts[f"errors_{code}"] += 1
        self._refused(code, text)
