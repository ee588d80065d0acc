"""Types in words: what a reader of the page is told that a field may hold."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from msgspec import inspect as types


class Wording(NamedTuple):
    """A type as text, the bounds on its values, and what its declaration says of it."""

    kind: str
    bounds: str = ""
    meaning: str = ""


def word_type(node: types.Type) -> Wording:
    """Return the words for `node`. Complexity: linear in the type's depth."""
    match node:
        case types.Metadata():
            inner = word_type(node.type)
            described = (node.extra_json_schema or {}).get("description", "")
            return inner._replace(meaning=str(described) or inner.meaning)
        case types.UnionType():
            return _word_union(node)
        case types.EnumType():
            return Wording(
                _word_values([member.value for member in node.cls]), "", _first(node.cls)
            )
        case types.LiteralType():
            return Wording(_word_values(list(node.values)))
        case types.StructType():
            return Wording(f"[{node.cls.__name__}](#{node.cls.__name__})")
        case types.ListType() | types.VarTupleType() | types.SetType() | types.FrozenSetType():
            return Wording(f"list of {word_type(node.item_type).kind}", _word_length(node, "items"))
        case types.DictType():
            key, value = word_type(node.key_type), word_type(node.value_type)
            return Wording(f"map of {key.kind} to {value.kind}", value.bounds)
        case types.TupleType():
            return Wording(
                f"list of exactly {', '.join(word_type(x).kind for x in node.item_types)}"
            )
        case _:
            return _word_leaf(node)


def _word_leaf(node: types.Type) -> Wording:
    match node:
        case types.StrType():
            length = _word_length(node, "characters")
            pattern = f"matches `{node.pattern}`" if node.pattern else ""
            return Wording("text", "; ".join(filter(None, (length, pattern))))
        case types.IntType():
            return Wording("integer", _word_range(node))
        case types.FloatType():
            return Wording("number", _word_range(node))
        case types.BoolType():
            return Wording("`true` or `false`")
        case types.NoneType():
            return Wording("`null`")
        case types.AnyType() | types.RawType():
            return Wording("anything")
        case _:
            raise TypeError(f"No words for {node!r}; add a case to riskd/reference/words.py.")


def _word_union(node: types.UnionType) -> Wording:
    words = [word_type(member) for member in node.types if not isinstance(member, types.NoneType)]
    if node.includes_none:
        words.append(Wording("`null`"))
    meaning = next((word.meaning for word in words if word.meaning), "")
    bounds = dict.fromkeys(word.bounds for word in words if word.bounds)
    return Wording(" or ".join(word.kind for word in words), "; ".join(bounds), meaning)


def _word_values(values: list[object]) -> str:
    quoted = [f"`{value}`" for value in values]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _word_range(node: types.IntType | types.FloatType) -> str:
    low = next(
        (f"{sign} {n}" for sign, n in ((">=", node.ge), (">", node.gt)) if n is not None), ""
    )
    high = next(
        (f"{s} {_power(n)}" for s, n in (("<=", node.le), ("<", node.lt)) if n is not None), ""
    )
    return ", ".join(filter(None, (low, high)))


def _power(number: float) -> str:
    """2**63 - 1 is read more easily than its 19 digits."""
    return "2^63 - 1" if number == 2**63 - 1 else str(number)


def _word_length(
    node: types.StrType | types.ListType | types.VarTupleType | types.SetType | types.FrozenSetType,
    noun: str,
) -> str:
    low, high = node.min_length, node.max_length
    if low is not None and high is not None:
        return f"{low} to {high} {noun}"
    if high is not None:
        return f"at most {high} {noun}"
    return "" if low is None else f"at least {low} {noun}"


def _first(enumeration: type[Enum]) -> str:
    return (enumeration.__doc__ or "").strip().split("\n", 1)[0]
