"""A ROUTER's frames: requests in, each answered exactly once, whatever the peer sends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from functools import partial
from typing import TypeVar

import msgspec
import zmq

from riskd.codec import Codec, encode_json, encode_msgpack, type_of
from riskd.messages import Error, Message
from riskd.misfit import error_for
from transport.peers import Peer, Peers
from transport.rights import InstructedAccount
from transport.sockets import FRAMES_MAX, MORE, NOBLOCK, Reader

T = TypeVar("T")
CORRELATION_BYTES_MAX = 8  # libzmq's REQ_CORRELATE writes 4.
Envelope = tuple[bytes, ...]  # The frames between peer and payload; they go back as they came.
DEALER: Envelope = ()
REQ: Envelope = (b"",)


OVERLOADED = Error(
    code="overloaded", text="more messages than one connection may send: wait, then send it again"
)
OVERLOADED_JSON, OVERLOADED_MSGPACK = encode_json(OVERLOADED), encode_msgpack(OVERLOADED)
STRIKES = frozenset(("malformed", "unknown_type", "too_large"))


class Request:
    """Where an answer goes and how it is encoded."""

    __slots__ = ("as_json", "envelope", "holder", "payload", "peer", "sender")

    def __init__(self, peer: bytes, envelope: Envelope, payload: bytes, sender: Peer) -> None:
        assert sender.holder is not None  # `Peers.of` tells only who may speak.
        self.peer = peer  # The routing id: where the answer goes, never who it is.
        self.sender = sender
        self.holder = sender.holder
        self.envelope = envelope
        self.payload = payload
        self.as_json = payload[:1] == b"{"


class Router(Reader):
    """Reads requests of one port and writes their answers."""

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        *,
        payload_bytes_max: int,
        peers: Peers,
        on_request: Callable[[Request], None],
        facts: Collection[str] = (),
        on_gone: Callable[[Request], None] | None = None,
        on_excess: Callable[[Request], None] | None = None,
    ) -> None:
        """Read `socket`, the port of `peers`.

        What a peer sends beyond its share is answered without being read, unless its type is among
        `facts`, for which there is a reserve; `on_excess` is told of it. `on_gone` is told of an
        answer whose connection was found to be no more.
        """
        super().__init__(socket)
        self._recv_frame = partial(socket.recv, copy=False)  # With whom it came from.
        self.peers = peers
        self._facts = facts
        self._on_gone, self._on_excess = on_gone, on_excess
        self.counts: Counter[str] = Counter()
        self._payload_bytes_max = payload_bytes_max
        self._on_request = on_request
        # That of the base class: what pyzmq puts around it is for sockets of other kinds.
        self._send: Callable[..., object] = super(zmq.Socket, socket).send
        self._answers: list[tuple[Request, bytes]] = []
        self._answered: Peer | None = None  # Whose answers were put by.

    def answer(self, request: Request, message: Message) -> None:
        """Put the one answer of a request by; `flush` sends it, at the end of a drain.

        Sending wakes ZeroMQ's own thread, which costs more than all the rest when it sleeps: the
        answers of a burst leave together.
        """
        payload = encode_json(message) if request.as_json else encode_msgpack(message)
        self._answers.append((request, payload))

    def flush(self) -> None:
        """Send what was put by; a peer that is gone or never reads loses its own."""
        answers = self._answers
        send = self._send
        for request, payload in answers:
            try:
                send(request.peer, MORE)
                for frame in request.envelope:
                    send(frame, MORE)
                send(payload, NOBLOCK)
            except zmq.ZMQError as error:
                gone = error.errno == zmq.EHOSTUNREACH
                self.counts["answers_unroutable" if gone else "answers_dropped"] += 1
                if gone and self._on_gone is not None:
                    self._on_gone(request)
        answers.clear()

    def _flush(self) -> bool:
        if not self._answers:
            return False
        self.flush()
        return True

    def refuse(self, request: Request, error: Error) -> None:
        """Send a typed error and count it; what no client of ours would send is a strike."""
        self.counts[f"errors_{error.code}"] += 1
        if error.code in STRIKES:
            self.peers.strike(request.sender)
        self.answer(request, error)

    def _take(self, first: zmq.Frame) -> None:
        sender = self.peers.of(first)
        if sender is None:
            self._drop_rest()
            return
        if sender is not self._answered and self._answers:
            self.flush()  # What one peer sends in a burst does not hold up another's answer.
        self._answered = sender
        frame, envelope = self._recv_frame(NOBLOCK), DEALER
        payload, more = frame.bytes, frame.more  # Cheaper than to ask the socket for more.
        if more and not payload:
            frame, envelope = self._recv_frame(NOBLOCK), REQ
            payload, more = frame.bytes, frame.more
        elif more and len(payload) <= CORRELATION_BYTES_MAX:  # A REQ with REQ_CORRELATE.
            frame = self._recv_frame(NOBLOCK)
            envelope = (payload, frame.bytes)
            if frame.more and not frame.bytes:
                frame = self._recv_frame(NOBLOCK)
                payload, more = frame.bytes, frame.more
            else:
                envelope, more = DEALER, True
        request = Request(first.bytes, envelope, payload, sender)
        if not self._is_paid(request):
            self._drop_rest()
            self._refuse_excess(request)
        elif more:
            self._refuse_frames(request)
        elif len(payload) > self._payload_bytes_max:
            self._refuse_size(request)
        else:
            self._on_request(request)

    def _is_paid(self, request: Request) -> bool:
        """Return whether the sender may still send this, or it is a fact and the reserve has room.

        Of what is over the limit no more is looked at than its type.
        """
        peers, size = self.peers, len(request.payload)
        if peers.pays(request.sender, size):
            return True
        if not self._facts or size > self._payload_bytes_max:
            return False
        return type_of(request.payload) in self._facts and peers.pays_for_fact(request.sender, size)

    def _refuse_excess(self, request: Request) -> None:
        self.counts["errors_overloaded"] += 1
        payload = OVERLOADED_JSON if request.as_json else OVERLOADED_MSGPACK
        self._answers.append((request, payload))
        if self._on_excess is not None:
            self._on_excess(request)

    def _refuse_frames(self, request: Request) -> None:
        dropped = self._drop_rest()
        text = "the message has frames beside its payload; expected one payload frame"
        if dropped > FRAMES_MAX:
            self.counts["frame_floods"] += 1
            self.peers.strike(request.sender)
        self.refuse(request, Error(code="malformed", text=text))

    def _refuse_size(self, request: Request) -> None:
        text = f"{len(request.payload):,} bytes; at most {self._payload_bytes_max:,} are taken"
        self.refuse(request, Error(code="too_large", text=text))


def is_allowed(
    router: Router,
    request: Request,
    message: Message,
    instructed: InstructedAccount = lambda _: None,
) -> bool:
    """Return whether its sender may ask this; answer that it may not, if so."""
    text = router.peers.refuses(request.sender, message, instructed)
    if text:
        request_id = getattr(message, "request_id", None)
        error = Error(code="not_authorized", text=text, request_id=request_id)
        router.refuse(request, error)
    return not text


def decode_request(codec: Codec[T], router: Router, request: Request) -> T | None:
    """Return the message of a request, or answer what is wrong with it and return None."""
    try:
        return codec.decode(request.payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        router.refuse(request, error_for(error, request.payload, codec))
        return None
