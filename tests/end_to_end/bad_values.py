"""Messages that are wrong, made from what msgspec knows of each message type.

`undecodable` payloads cannot be taken for a message at all: riskd must refuse them before its
door. Those of `odd_numbers` and `odd_names` can be, and say something impossible or unlikely.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct, inspect

from riskd.examples import example_of

Tree = dict[str, Any]
DEEP = 10_000
_SENSELESS = "no such value"
_ALL_KINDS: tuple[Any, ...] = (None, True, -1, 1.5, "x", [], {}, [1], {"x": 1}, 2**63)
_TAKES: dict[type, tuple[type, ...]] = {
    inspect.StrType: (str,),
    inspect.FloatType: (int, float),
    inspect.IntType: (int,),
    inspect.BoolType: (bool,),
    inspect.NoneType: (type(None),),
    inspect.EnumType: (),
    inspect.LiteralType: (),
    inspect.StructType: (),
    inspect.ListType: (list,),
    inspect.VarTupleType: (list,),
    inspect.DictType: (dict,),
}
IMPOSSIBLE_NUMBERS = (math.nan, math.inf, -math.inf, 1e308, -1e308)
UNLIKELY_NUMBERS = (5e-324, -0.0, -1.0, float(2**63), 2**63)
ODD_IDS = (
    "a\nb",
    "a\x00b",
    "\U0001f4a5" * 64,
    "x" * 64,
    "../../etc",
    "firm",
    "SUSPENSE",
    " ",
    "🏦",
)


class Payload(NamedTuple):
    """One payload and what is wrong with it."""

    why: str
    content: bytes


def structs_of(union: Any) -> dict[str, type[Struct]]:
    """Every message type of a port by its `type`."""
    described = inspect.type_info(union)
    assert isinstance(described, inspect.UnionType)
    found: dict[str, type[Struct]] = {}
    for struct in described.types:
        assert isinstance(struct, inspect.StructType)
        found[str(struct.tag)] = struct.cls
    return found


def fields_of(struct: type[Struct]) -> tuple[inspect.Field, ...]:
    """Every field of a message but its `type`."""
    described = inspect.type_info(struct)
    assert isinstance(described, inspect.StructType)
    return described.fields


def example_tree(struct: type[Struct]) -> Tree:
    """A right message of this type as a tree."""
    tree: Tree = msgspec.json.decode(msgspec.json.encode(example_of(struct)))
    return tree


def encodings(why: str, tree: Any) -> Iterator[Payload]:
    """Both encodings of one wrong message."""
    yield Payload(f"json: {why}", msgspec.json.encode(tree))
    yield Payload(f"msgpack: {why}", msgspec.msgpack.encode(tree))


def undecodable(struct: type[Struct]) -> Iterator[Payload]:
    """Every way in which a message of this type is not one."""
    tree = example_tree(struct)
    for why, wrong in _wrong_trees(struct, tree):
        yield from encodings(why, wrong)
    for name, content in (
        ("json", msgspec.json.encode(tree)),
        ("msgpack", msgspec.msgpack.encode(tree)),
    ):
        for cut in sorted({1, 2, 5, len(content) // 3, len(content) // 2, len(content) - 1}):
            yield Payload(f"{name}: cut at {cut}", content[:cut])
        yield Payload(f"{name}: one byte too many", content + b"\x01")
        yield Payload(f"{name}: twice", content * 2)
        spoilt = content.replace(b"type", b"t\xff\xfee", 1)
        yield Payload(f"{name}: a key that is no text", spoilt)
        spoilt = content.replace(tree["type"].encode(), b"\xc3" * len(tree["type"]), 1)
        yield Payload(f"{name}: a value that is no text", spoilt)
    text = msgspec.json.encode(tree)
    for number in (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"1.", b"01", b"0x1"):
        yield Payload(f"json: the number {number!r}", text[:-1] + b',"request_id":' + number + b"}")
    yield from _deep(tree)


def shapeless() -> Iterator[Payload]:
    """Payloads that are no map of any type."""
    for content in (
        *(b"", b"\x00", b"\xc0", b"\xc1", b"\xff" * 100, b"{", b"{}", b"{]", b"[]", b"null"),
        *(b" {}", b"\xef\xbb\xbf{}", b"GET / HTTP/1.1\r\n\r\n", b"\x80", b"\x90", b"\x81\xa4type"),
        *(
            b"\xdf\xff\xff\xff\xff",
            b"\xdd\xff\xff\xff\xff",
            b"\xdb\xff\xff\xff\xff",
            b"\xc7\x00\x01",
        ),
        *(b'{"type":5}', b'{"type":null}', b'{"type":""}', b'{"type":"verdict"}', b'{"type":[]}'),
        *(b'{"type":"\xff"}', b'{"type":"\\ud800"}', b'{"\\ud800":1}', b'{"type":"check\\u0000"}'),
        *(b'{"type":"configure"}', b'{"type":"elapse"}', b'{"type":"actor_failed"}'),
        b"[" * DEEP,
        b"\x91" * DEEP,
        b"\x81\xa1a" * DEEP,
        b'{"a":' * DEEP,
    ):
        yield Payload(f"shapeless: {content[:24]!r}", content)


def odd_numbers(struct: type[Struct], numbers: Iterable[float]) -> Iterator[tuple[str, Tree]]:
    """Right messages with one of `numbers` in each field in turn, with what it is."""
    tree = example_tree(struct)
    for field in fields_of(struct):
        if any(isinstance(kind, inspect.FloatType) for kind in _alternatives(field.type)):
            yield from (
                (f"{field.encode_name} is {number}", {**tree, field.encode_name: number})
                for number in numbers
            )


def odd_names(struct: type[Struct]) -> Iterator[tuple[str, Tree]]:
    """Right messages with one strange name each, with what it is."""
    tree = example_tree(struct)
    for field in fields_of(struct):
        for kind in _alternatives(field.type):
            if isinstance(kind, inspect.StrType):
                yield from (
                    (f"{field.encode_name} is {name!r}", {**tree, field.encode_name: name})
                    for name in ODD_IDS
                    if kind.max_length is None or len(name) <= kind.max_length
                )


def _wrong_trees(struct: type[Struct], tree: Tree) -> Iterator[tuple[str, Any]]:
    yield "in a list", [tree]
    yield "as text", msgspec.json.encode(tree).decode()
    yield "an unknown field", {**tree, "no_such_field": 1}
    yield "an unknown type", {**tree, "type": "no_such_type"}
    yield "no type", {key: value for key, value in tree.items() if key != "type"}
    yield "the type is a number", {**tree, "type": 7}
    yield from _wrong_fields(struct, tree)


def _wrong_fields(struct: type[Struct], tree: Tree) -> Iterator[tuple[str, Tree]]:
    for field in fields_of(struct):
        name = field.encode_name
        if field.required:
            yield f"no {name}", {key: value for key, value in tree.items() if key != name}
        for wrong in _wrong_values(field.type):
            yield f"{name} is {str(wrong)[:40]!r}", {**tree, name: wrong}
        if isinstance(field.type, inspect.StructType):
            part = tree.get(name, {})  # Absent: as it is by default.
            yield f"{name}: an unknown field", {**tree, name: {**part, "no_such_field": 1}}
            for why, wrong in _wrong_fields(field.type.cls, part):
                yield f"{name}: {why}", {**tree, name: wrong}


def _wrong_values(described: inspect.Type) -> Iterator[Any]:
    kinds = _alternatives(described)
    taken = {kind for each in kinds for kind in _TAKES[type(each)]}
    if any(isinstance(x, inspect.StructType) and not _has_required(x) for x in kinds):
        taken.add(dict)  # An empty one is right: all is as it is by default.
    for value in _ALL_KINDS:
        if type(value) not in taken:
            yield value
    for each in kinds:
        match each:
            case inspect.EnumType() | inspect.LiteralType():
                yield from ("", _SENSELESS, "BUY")
            case inspect.StrType():
                if each.max_length is not None:
                    yield "y" * (each.max_length + 1)
                if each.min_length:
                    yield ""
            case inspect.IntType():
                if each.ge is not None:
                    yield from (each.ge - 1, 2**63, 2**64 - 1)
            case inspect.ListType():
                yield from ([5], [None], [[]])


def _has_required(described: inspect.StructType) -> bool:
    return any(field.required for field in described.fields)


def _alternatives(described: inspect.Type) -> list[inspect.Type]:
    if isinstance(described, inspect.Metadata):
        described = described.type
    if isinstance(described, inspect.UnionType):
        return [kind for each in described.types for kind in _alternatives(each)]
    return [described]


def _deep(tree: Tree) -> Iterator[Payload]:
    """The message with a field that nests deeper than any stack."""
    text = msgspec.json.encode(tree)[:-1]
    name = next(key for key in (*tree, "request_id") if key != "type")
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        nested = opening * DEEP + b"1" + closing * DEEP
        yield Payload(f"json: {name} nested", text + b',"%s":%s}' % (name.encode(), nested))
    packed = msgspec.msgpack.encode(tree)
    assert 0x80 < packed[0] < 0x8F  # A map of few fields, with room for one more.
    key = msgspec.msgpack.encode(name)
    for nested in (b"\x91" * DEEP + b"\x01", b"\x81\xa1a" * DEEP + b"\x01"):
        yield Payload(f"msgpack: {name} nested", bytes([packed[0] + 1]) + packed[1:] + key + nested)
