"""One socket of a test, with a deadline on everything it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import msgspec
import zmq

ANSWER_MS_MAX = 60_000
QUIET_MS = 150  # How long nothing must come for it to count as nothing; only `require_quiet` waits.


class Peer:
    """A DEALER, a REQ or any other socket that talks to a port of riskd."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        kind: int = zmq.DEALER,
        options: Mapping[int, int | bytes] | None = None,
    ) -> None:
        self.socket = context.socket(kind)
        self.kind = kind
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SNDTIMEO, ANSWER_MS_MAX)
        self.socket.setsockopt(zmq.RCVTIMEO, ANSWER_MS_MAX)
        for option, value in (options or {}).items():
            self.socket.setsockopt(option, value)
        self.socket.connect(address)

    def send(self, *frames: bytes) -> None:
        """Send the frames of one message."""
        self.socket.send_multipart(frames)

    def receive(self) -> bytes:
        """Return the payload of the next answer; fail if none comes in time.

        A delimiter before it is taken off where a DEALER got one.
        """
        try:
            frames = self.socket.recv_multipart()
        except zmq.Again:
            raise AssertionError("no answer came in time") from None
        if self.kind == zmq.DEALER and len(frames) == 2 and not frames[0]:
            frames = frames[1:]
        assert len(frames) == 1, frames
        return frames[0]

    def waits_for(self, s_max: float) -> bool:
        """Whether a message comes within this span."""
        return bool(self.socket.poll(round(s_max * 1000)))

    def ask_bytes(self, payload: bytes) -> bytes:
        """Send a payload and return the payload of its answer."""
        self.send(payload)
        return self.receive()

    def ask(self, message: dict[str, Any] | msgspec.Struct, *, packed: bool = False) -> Any:
        """Send a message, as JSON or packed as msgpack, and return its answer as a tree."""
        encode = msgspec.msgpack.encode if packed else msgspec.json.encode
        return read_answer(self.ask_bytes(encode(message)))

    def read(self) -> Any:
        """Return the next answer as a tree."""
        return read_answer(self.receive())

    def tell(self, message: dict[str, Any] | msgspec.Struct) -> None:
        """Send a message as JSON that has no answer: market data."""
        self.send(msgspec.json.encode(message))

    def require_quiet(self) -> None:
        """Fail if another answer comes although none is due."""
        if self.socket.poll(QUIET_MS, zmq.POLLIN):
            raise AssertionError(f"an answer too many: {self.socket.recv_multipart()!r}")

    def close(self) -> None:
        """Close the socket; what it has not sent is lost."""
        self.socket.close(linger=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_answer(payload: bytes) -> Any:
    """Return an answer as a tree, whichever encoding it has."""
    return msgspec.json.decode(payload) if payload[:1] == b"{" else msgspec.msgpack.decode(payload)
