"""Bytes to messages and back: msgpack or JSON, told apart by the first byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from riskd.messages import (
    ControlMessage,
    Error,
    ErrorCode,
    InternalMessage,
    Message,
    OrdersAnswer,
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

    __slots__ = ("_json", "_msgpack")

    def __init__(self, union: Any) -> None:
        self._json: Callable[[bytes], T] = msgspec.json.Decoder(union).decode
        self._msgpack: Callable[[bytes], T] = msgspec.msgpack.Decoder(union).decode

    def decode(self, payload: bytes) -> T:
        """Return the message in `payload`; raise `msgspec.DecodeError` or `ValueError` if none."""
        if payload[:1] == b"{":
            return self._json(payload)
        return self._msgpack(payload)


orders_codec: Codec[OrdersRequest] = Codec(OrdersRequest)
answers_codec: Codec[OrdersAnswer] = Codec(OrdersAnswer)
ticks_codec: Codec[TicksMessage] = Codec(TicksMessage)
control_codec: Codec[ControlMessage] = Codec(ControlMessage)
control_answers_codec: Codec[Result | Error] = Codec(Result | Error)
internal_codec: Codec[InternalMessage] = Codec(InternalMessage)
published_codec: Codec[Published] = Codec(Published)


def encode_like(payload: bytes, message: Message) -> bytes:
    """Encode `message` as `payload` was: a reply uses the encoding of its request."""
    return encode_json(message) if payload[:1] == b"{" else encode_msgpack(message)


def error_for(exception: Exception, payload: bytes) -> Error:
    """Say what is wrong with a payload that could not be decoded, and where if it is known."""
    text = str(exception)
    field = None
    if " - at `" in text:
        text, _, rest = text.partition(" - at `")
        field = rest.rstrip("`")
    unknown = text.startswith("Invalid value '") and field in ("$.type", None)
    code: ErrorCode = (
        "unknown_type" if unknown or "missing required field `type`" in text else "malformed"
    )
    if not payload:
        text = "The message is empty; expected a JSON object or a msgpack map."
    return Error(code=code, text=text, field=field, request_id=_request_id(payload))


def _request_id(payload: bytes) -> str | None:
    """Find the request id of a message that is wrong elsewhere, so that its sender can match it."""
    try:
        loose = (
            msgspec.json.decode(payload) if payload[:1] == b"{" else msgspec.msgpack.decode(payload)
        )
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    found = loose.get("request_id") if isinstance(loose, dict) else None
    return found if isinstance(found, str) and len(found) <= 64 else None
