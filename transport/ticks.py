"""The ticks port: market data in, from PULL and from publishers. Nothing is ever answered.

Ticks are taken one by one as they come. When more come than can be taken so, for longer than
`conflate_after_ms` without a break, the port rests for `conflate_ms` at a time, reads all that
waits, and takes of each symbol what `engine/conflation.py` lets stay: prices are so much late,
and orders find the loop free.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from time import monotonic_ns
from typing import NamedTuple

import msgspec
import zmq

from engine.conflation import Conflation
from riskd.codec import encode_msgpack, ticks_codec
from riskd.contract.ticks import TICKS_BATCH_MAX
from riskd.messages import MarketState, Tick, Ticks, TicksMessage
from transport.peers import Peer, Peers
from transport.sockets import NOBLOCK, TICKS_BYTES_MAX, Reader

READ_MAX = 8  # Ticks read into a bundle before orders are looked at again,
SETTLED_MAX = 16  # and symbols of which is found out what stays.
BUNDLE_MAX = 20_000  # Ticks of a bundle.
BUSY_PER_S = 5000  # Ticks a second below which they are taken one by one again.
MS = 1_000_000
Admit = Callable[[TicksMessage, bytes], None]
Later = Callable[[float, Callable[[], None]], None]
Refused = Callable[[str, str], None]


class Pace(NamedTuple):
    """When ticks are conflated, and how."""

    after_ms: int  # Of ticks that waited without a break; 0: never.
    span_ms: int  # So much of them at a time.
    bundle: Conflation
    now_ns: Callable[[], int] = monotonic_ns


class Phase(Enum):
    """What a port does with the ticks that come."""

    TAKING = auto()  # As they come.
    RESTING = auto()
    READING = auto()  # All that waits, into a bundle.
    SETTLING = auto()  # What stays of the bundle, a few symbols at a time.
    ADMITTING = auto()  # What stayed of the bundle, a few at a time.


class TicksPort(Reader):
    """Reads one socket of market data. What cannot be read is counted and said, and dropped."""

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        *,
        peers: Peers,
        admit: Admit,
        refused: Refused,
        pace: Pace,
        has_topics: bool = False,
    ) -> None:
        """Read `socket`, the port of `peers`.

        With `has_topics` (SUB) a frame before the payload is its topic.
        """
        super().__init__(socket)
        self._recv_frame = partial(socket.recv, copy=False)  # With whom it came from.
        self.counts: Counter[str] = Counter()
        self.peers = peers
        self._admit = admit
        self._refused = refused
        self._has_topics = has_topics
        self._pace = pace
        self.later: Later | None = None  # Lets the port be looked at again; without, no rests.
        self._phase = Phase.TAKING
        self._behind_ns: int | None = None  # Since when more waited than was taken.
        self._stays: deque[Tick] = deque()
        self._after: tuple[TicksMessage, bytes] | None = None  # A market's state, after a bundle.
        self._is_busy = False

    def drain(self, budget: int) -> int:
        """Take ticks up to a budget, or go on with a bundle; see `Reader.drain`."""
        match self._phase:
            case Phase.TAKING:
                done = super().drain(budget)
                if done < budget or self.is_held:
                    self._behind_ns = None
                elif self._is_long_behind():
                    self._phase = Phase.READING
                return done
            case Phase.RESTING:
                self._get(zmq.EVENTS)  # Takes the edge back: nothing is looked at until then.
                return 0
            case Phase.READING:
                self._read()
                return budget
            case Phase.SETTLING:
                self._settle()
                return budget
            case Phase.ADMITTING:
                return self._admit_some(budget)

    def readable(self) -> bool:
        """Return whether a message waits to be taken now."""
        return self._phase is not Phase.RESTING and super().readable()

    def finish(self) -> None:
        """Take what was read, and from now on all as it comes: the port will be closed."""
        self.later = None
        self._behind_ns = None
        if self._phase is not Phase.TAKING:
            self._stays += self._pace.bundle.take()
            while (self._stays or self._after) and self._admit_some(BUNDLE_MAX):
                pass
            self._phase = Phase.TAKING

    def _is_long_behind(self) -> bool:
        if self.later is None or not self._pace.after_ms:
            return False
        now_ns = self._pace.now_ns()
        if self._behind_ns is None:
            self._behind_ns = now_ns
        return now_ns - self._behind_ns >= self._pace.after_ms * MS

    def _read(self) -> None:
        """Read some of what waits; when that was all, or enough, go on to what stays of it."""
        done = super().drain(READ_MAX)
        if done < READ_MAX or self._after is not None or self._pace.bundle.count >= BUNDLE_MAX:
            self._phase = Phase.SETTLING

    def _settle(self) -> None:
        bundle = self._pace.bundle
        if not bundle.settle(SETTLED_MAX):
            return
        self._is_busy = bundle.count * 1000 > BUSY_PER_S * self._pace.span_ms
        self.counts["conflated"] += bundle.count
        self._stays.extend(bundle.take())
        self.counts["conflated"] -= len(self._stays)
        self._phase = Phase.ADMITTING

    def _admit_some(self, budget: int) -> int:
        if self.is_held:
            return 0
        some = [
            self._stays.popleft() for _ in range(min(budget, len(self._stays), TICKS_BATCH_MAX))
        ]
        if some:
            ticks = Ticks(ticks=some)
            self._admit(ticks, encode_msgpack(ticks))
            return budget
        if self._after is not None:
            after, self._after = self._after, None
            self._admit(*after)
            self._phase = Phase.READING
            return budget
        self._behind_ns = None
        self._phase = Phase.TAKING
        if not self._is_busy or self.later is None:
            return budget
        self._phase = Phase.RESTING
        self.later(self._pace.span_ms / 1000, self._wake)
        return 0

    def _wake(self) -> None:
        if self._phase is Phase.RESTING:
            self._phase = Phase.READING

    def _take(self, first: zmq.Frame) -> None:
        self._work = 1
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
        if self._phase is Phase.TAKING:
            self._work = len(message.ticks) if isinstance(message, Ticks) else 1
            self._admit(message, payload)
        elif isinstance(message, MarketState):
            self._after, self._work = (message, payload), READ_MAX  # Nothing behind it is read.
        else:
            ticks = message.ticks if isinstance(message, Ticks) else (message,)
            self._work = max(1, len(ticks))
            for tick in ticks:
                self._pace.bundle.add(tick)

    def _refuse(self, sender: Peer, code: str, text: str) -> None:
        self.counts[f"errors_{code}"] += 1
        self.peers.strike(sender)
        self._refused(code, text)
