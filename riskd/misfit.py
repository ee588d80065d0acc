"""What is wrong with a payload that is no message: what, where, and what was expected."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect as types

from riskd.codec import Codec
from riskd.messages import Error, ErrorCode

CHOICES_MAX = 40  # More are not told one by one.
SHOWN_MAX = 300  # Characters of msgspec's text: it repeats what it was sent.
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_UNKNOWN_FIELD = re.compile(r"^Object contains unknown field `(.*)`$", re.DOTALL)


def error_for(exception: Exception, payload: bytes, codec: Codec[Any]) -> Error:
    """Return the answer to a payload that `codec` could not decode. Linear in the payload."""
    text, _, rest = str(exception).partition(" - at `")
    field = rest.rstrip("`") or None
    loose = _decode_loosely(payload)
    at_type = field is not None and field.endswith(".type")
    unknown = (at_type and text.startswith("Invalid value ")) or text.endswith("field `type`")
    code: ErrorCode = "unknown_type" if unknown else "malformed"
    if not payload:
        text = "The message is empty; expected a JSON object or a msgpack map."
    elif field is None and text.startswith("Expected `object`"):
        text = "The message is neither a JSON object nor a msgpack map."
    else:
        text = text[:SHOWN_MAX] + _expected(text, field, loose, codec)
    found = loose.get("request_id") if isinstance(loose, dict) else None
    request_id = found if isinstance(found, str) and len(found) <= 64 else None
    return Error(code=code, text=text, field=field, request_id=request_id)


def _decode_loosely(payload: bytes) -> object:
    """Return what the bytes say if they say anything, whether riskd knows it or not."""
    decode = msgspec.json.decode if payload[:1] == b"{" else msgspec.msgpack.decode
    try:
        return decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def _expected(text: str, field: str | None, loose: object, codec: Codec[Any]) -> str:
    """Return what would have been right, to be read after the text; empty if nobody can say."""
    unknown_field = _UNKNOWN_FIELD.match(text)
    path = field or "$"
    if unknown_field is not None:
        struct = _struct_of(_members(_node_at(codec, path, loose)), _value_at(loose, path))
        names = [] if struct is None else [x.encode_name for x in struct.fields]
        close = get_close_matches(unknown_field[1][:64], names, n=1)
        return f"; did you mean `{close[0]}`?" if close else _one_of(names)
    if path.endswith(".type") or text.endswith("field `type`"):
        members = _members(_node_at(codec, path.removesuffix(".type"), loose))
        return _one_of([str(x.tag) for x in members if isinstance(x, types.StructType)])
    if text.startswith("Invalid enum value "):
        for member in _members(_node_at(codec, path, loose)):
            if isinstance(member, types.EnumType):
                return _one_of([str(x.value) for x in member.cls])
            if isinstance(member, types.LiteralType):
                return _one_of([str(x) for x in member.values])
    return ""


def _one_of(choices: list[str]) -> str:
    return f"; expected one of {', '.join(choices[:CHOICES_MAX])}" if choices else ""


@cache
def _root(codec: Codec[Any]) -> types.Type:
    return types.type_info(codec.union)


def _node_at(codec: Codec[Any], path: str, loose: object) -> types.Type | None:
    """Return the type that a path of msgspec (`$.orders[0].side`) leads to, None if unclear."""
    node: types.Type | None = _root(codec)
    value = loose
    for name, number in _STEP.findall(path):
        members = _members(node)
        if name:
            struct = _struct_of(members, value)
            fields = () if struct is None else struct.fields
            node = next((x.type for x in fields if x.encode_name == name), None)
        else:
            lists = (types.ListType, types.VarTupleType)
            node = next((x.item_type for x in members if isinstance(x, lists)), None)
        value = _step(value, name, number)
    return node


def _value_at(loose: object, path: str) -> object:
    for name, number in _STEP.findall(path):
        loose = _step(loose, name, number)
    return loose


def _step(value: object, name: str, number: str) -> object:
    if name:
        return value.get(name) if isinstance(value, dict) else None
    return value[int(number)] if isinstance(value, list) and int(number) < len(value) else None


def _members(node: types.Type | None) -> tuple[types.Type, ...]:
    """Return the alternatives of a type; a plain one is its own."""
    if isinstance(node, types.Metadata):
        return _members(node.type)
    if isinstance(node, types.UnionType):
        return tuple(member for inner in node.types for member in _members(inner))
    return () if node is None else (node,)


def _struct_of(members: tuple[types.Type, ...], value: object) -> types.StructType | None:
    """Return the struct that a map means: by its `type`, or the only one there is."""
    structs = [x for x in members if isinstance(x, types.StructType)]
    tag = value.get("type") if isinstance(value, dict) else None
    return next((x for x in structs if x.tag == tag or len(structs) == 1), None)
