"""Bytes to messages and back: msgpack or JSON, told apart by the first byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from riskd.messages import (
    ControlMessage,
    Error,
    InternalMessage,
    Message,
    OrdersAnswer,
    OrdersPush,
    OrdersRequest,
    Published,
    Result,
    TicksMessage,
)

T = TypeVar("T")
JSON_FIRST_BYTE = 0x7B  # `{`

encode_json: Callable[[Any], bytes] = msgspec.json.Encoder().encode
encode_msgpack: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode


class Codec(Generic[T]):
    """Decodes the messages of one port. Bound methods are cached: this is the verdict path."""

    __slots__ = ("_json", "_msgpack", "union")

    def __init__(self, union: Any) -> None:
        self.union = union  # Of the message types that it takes.
        self._json: Callable[[bytes], T] = msgspec.json.Decoder(union).decode
        self._msgpack: Callable[[bytes], T] = msgspec.msgpack.Decoder(union).decode

    def decode(self, payload: bytes) -> T:
        """Return the message in `payload`; raise `msgspec.DecodeError` or `ValueError` if none."""
        if payload[:1] == b"{":
            return self._json(payload)
        return self._msgpack(payload)


orders_codec: Codec[OrdersRequest] = Codec(OrdersRequest)
answers_codec: Codec[OrdersAnswer] = Codec(OrdersAnswer)
session_codec: Codec[OrdersAnswer | OrdersPush] = Codec(OrdersAnswer | OrdersPush)
ticks_codec: Codec[TicksMessage] = Codec(TicksMessage)
control_codec: Codec[ControlMessage] = Codec(ControlMessage)
control_answers_codec: Codec[Result | Error] = Codec(Result | Error)
internal_codec: Codec[InternalMessage] = Codec(InternalMessage)
published_codec: Codec[Published] = Codec(Published)


class _Typed(msgspec.Struct):
    """A message of which nothing is read but its type."""

    type: str


_type_in_json = msgspec.json.Decoder(_Typed).decode
_type_in_msgpack = msgspec.msgpack.Decoder(_Typed).decode


def type_of(payload: bytes) -> str:
    """Return the type of a message, reading no more than that; empty if it has none."""
    try:
        decode = _type_in_json if payload[:1] == b"{" else _type_in_msgpack
        return decode(payload).type
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ""


def encode_like(payload: bytes, message: Message) -> bytes:
    """Encode `message` as `payload` was: a reply uses the encoding of its request."""
    return encode_json(message) if payload[:1] == b"{" else encode_msgpack(message)
