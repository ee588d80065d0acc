"""A REQ socket that is never stuck: one request, one answer, or silence after a deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import msgspec
import zmq

from riskd.codec import Codec, encode_json, encode_msgpack
from riskd.errors import BadAnswer, NoAnswer, WrongThread
from riskd.keys import Key, apply_key, client_key
from riskd.messages import Message

Encoding = Literal["msgpack", "json"]
ENCODERS: dict[str, Callable[[Any], bytes]] = {"msgpack": encode_msgpack, "json": encode_json}
MESSAGE_BYTES_MAX = 16 * 1024 * 1024  # Of an answer: a list of many thousand accounts is large.

Answer = TypeVar("Answer")


def encoder_of(encoding: str) -> Callable[[Any], bytes]:
    """Return what encodes messages; raise ValueError for an encoding that riskd does not speak."""
    if encoding not in ENCODERS:
        raise ValueError(f"encoding must be one of {', '.join(ENCODERS)}, not {encoding!r}")
    return ENCODERS[encoding]


class RequestSocket:
    """One peer, one request at a time, confined to the thread that made it.

    `REQ_RELAXED` lets the same socket ask again after silence, `REQ_CORRELATE` drops the late
    answer to an earlier attempt, and after the last attempt the socket is made anew, so that a
    request whose caller gave up never leaves later.
    """

    def __init__(self, address: str, *, timeout_ms: int, encoding: str, key: Key = None) -> None:
        if timeout_ms <= 0:
            raise ValueError(f"timeout_ms must be positive, not {timeout_ms}")
        self.address = address
        self.timeout_ms = timeout_ms
        self._key = client_key(key)
        self._encode = encoder_of(encoding)
        self._thread_id = threading.get_ident()
        self._socket: zmq.Socket[bytes] | None = None

    def ask(self, message: Message, codec: Codec[Answer], *, attempts: int) -> Answer:
        """Send `message` up to `attempts` times and return the first answer.

        Raises NoAnswer after `attempts` silences of `timeout_ms` each, BadAnswer if the answer
        cannot be read.
        """
        if threading.get_ident() != self._thread_id:
            raise WrongThread(
                "This client belongs to the thread that made it; make one per thread."
            )
        payload = self._encode(message)
        for _ in range(attempts):
            answer = self._exchange(payload)
            if answer is not None:
                return _decoded(answer, codec)
        self.close()
        waited_ms = attempts * self.timeout_ms
        hint = " Who holds no key on riskd's list gets none." if self._key is not None else ""
        raise NoAnswer(f"No answer from {self.address} within {waited_ms} ms.{hint}")

    def close(self) -> None:
        """Close the socket and drop what has not left yet. The next request opens it again."""
        if self._socket is not None:
            self._socket.close(linger=0)
            self._socket = None

    def _exchange(self, payload: bytes) -> bytes | None:
        socket = self._socket or self._open()
        try:
            socket.send(payload)
            return b"".join(socket.recv_multipart())
        except zmq.Again:
            return None

    def _open(self) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.REQ)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.REQ_RELAXED, 1)
        socket.setsockopt(zmq.REQ_CORRELATE, 1)
        socket.setsockopt(zmq.SNDTIMEO, self.timeout_ms)
        socket.setsockopt(zmq.RCVTIMEO, self.timeout_ms)
        socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES_MAX)
        apply_key(self._key, socket)
        try:
            socket.connect(self.address)
        except zmq.ZMQError as error:
            socket.close(linger=0)
            raise ValueError(f"{self.address!r} is no address to connect to: {error}") from error
        self._socket = socket
        return socket


def _decoded(payload: bytes, codec: Codec[Answer]) -> Answer:
    try:
        return codec.decode(payload)
    except (msgspec.DecodeError, ValueError) as error:
        raise BadAnswer(f"The answer cannot be read: {error}") from error
