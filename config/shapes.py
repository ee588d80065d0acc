"""Compares parsed TOML with a msgspec type and finds every difference, not only the first."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, get_args

from msgspec import NODEFAULT, inspect

from config.errors import UNKNOWN_KEY, did_you_mean, one_of
from config.locate import KeyPath
from engine.misfits import Misfit
from riskd.messages import Decimal

INTEGER_MAX = 2**63 - 1  # What the journal and every client can hold.
FOUND_LENGTH_MAX = 60
DECIMAL_PATTERN: str = get_args(Decimal)[1].pattern

Shape = inspect.Type


@lru_cache(maxsize=64)
def shape_of(kind: type) -> inspect.StructType:
    """Return the shape of a msgspec struct."""
    shape = inspect.type_info(kind)
    assert isinstance(shape, inspect.StructType), kind
    return shape


@lru_cache(maxsize=64)
def field_shapes(kind: type) -> dict[str, Shape]:
    """Return the shape of each field of a msgspec struct, in order."""
    return {field.encode_name: _bare(field.type) for field in shape_of(kind).fields}


def check_shape(raw: object, shape: Shape, path: KeyPath = ()) -> Iterator[Misfit]:
    """Yield every difference between `raw`, as tomllib gives it, and `shape`.

    Numbers must be finite and of the right kind: no text for a number, no truth value for one, no
    fraction for an integer. What passes is taken by `msgspec.convert` without an error.
    """
    shape = _bare(shape)
    match shape:
        case inspect.StructType():
            yield from _check_struct(raw, shape, path)
        case inspect.DictType():
            yield from _check_mapping(raw, shape, path)
        case inspect.VarTupleType():
            yield from _check_list(raw, shape, path)
        case inspect.UnionType():
            yield from _check_union(raw, shape, path)
        case inspect.BoolType():
            if not isinstance(raw, bool):
                yield _wrong_type(raw, shape, path)
        case inspect.EnumType() | inspect.LiteralType():
            yield from _check_choice(raw, shape, path)
        case inspect.StrType():
            yield from _check_text(raw, shape, path)
        case inspect.IntType() | inspect.FloatType():
            yield from _check_number(raw, shape, path)
        case _:
            raise AssertionError(f"no setting has the shape {shape}")


def describe(raw: object) -> str:
    """Return a value as TOML would write it, with its type, cut to a readable length."""
    text, kind = _text_and_type(raw)
    if len(text) > FOUND_LENGTH_MAX:
        text = text[: FOUND_LENGTH_MAX - 3] + "..."
    return f"{text} ({kind})" if text else f"a {kind}"


def expectation(shape: Shape) -> str:
    """Return what a shape admits, in words."""
    shape = _bare(shape)
    match shape:
        case inspect.StructType():
            return "a table {" + ", ".join(field.encode_name for field in shape.fields) + "}"
        case inspect.DictType():
            return f"a table of names, each with {expectation(shape.value_type)}"
        case inspect.VarTupleType():
            return f"a list, each element {expectation(shape.item_type)}"
        case inspect.UnionType():
            members = [kind for kind in shape.types if not isinstance(kind, inspect.NoneType)]
            return ", or ".join(expectation(kind) for kind in members)
        case inspect.BoolType():
            return "true or false"
        case inspect.EnumType() | inspect.LiteralType():
            return one_of(f'"{choice}"' for choice in _choices(shape))
        case inspect.StrType():
            return _text_expectation(shape)
        case inspect.IntType():
            return "an integer" + _range_text(shape)
        case inspect.FloatType():
            return "a number" + _range_text(shape)
    raise AssertionError(f"no setting has the shape {shape}")


def _bare(shape: Shape) -> Shape:
    while isinstance(shape, inspect.Metadata):
        shape = shape.type
    return shape


def _check_struct(raw: object, shape: inspect.StructType, path: KeyPath) -> Iterator[Misfit]:
    if not isinstance(raw, dict):
        yield _wrong_type(raw, shape, path)
        return
    fields = {field.encode_name: field for field in shape.fields}
    for key, value in raw.items():
        if key in fields:
            yield from check_shape(value, fields[key].type, (*path, key))
        else:
            yield unknown_key(key, fields, path)
    for name, field in fields.items():
        missing = field.default is NODEFAULT and field.default_factory is NODEFAULT
        if missing and name not in raw:
            yield Misfit(
                (*path, name), "missing", expectation(field.type), f"Add a line `{name} = ...`."
            )


def unknown_key(key: str, known: dict[str, Any], path: KeyPath) -> Misfit:
    """Return the finding for a key that names nothing."""
    suggestion = did_you_mean(key, known) or "Remove it."
    return Misfit((*path, key), UNKNOWN_KEY, one_of(known), suggestion)


def _check_mapping(raw: object, shape: inspect.DictType, path: KeyPath) -> Iterator[Misfit]:
    if not isinstance(raw, dict):
        yield _wrong_type(raw, shape, path)
        return
    for key, value in raw.items():
        yield from check_shape(value, shape.value_type, (*path, key))


def _check_list(raw: object, shape: inspect.VarTupleType, path: KeyPath) -> Iterator[Misfit]:
    if not isinstance(raw, list):
        yield _wrong_type(raw, shape, path)
        return
    for index, value in enumerate(raw):
        yield from check_shape(value, shape.item_type, (*path, index))


def _check_union(raw: object, shape: inspect.UnionType, path: KeyPath) -> Iterator[Misfit]:
    """Unions here are a number, a table or a list, or nothing: what is written decides which."""
    fits: Callable[[Shape], bool]
    if isinstance(raw, dict):
        fits = _is_table
    elif isinstance(raw, (int, float)) and not isinstance(raw, bool):
        fits = _is_number
    elif isinstance(raw, list):
        fits = _is_list
    else:
        fits = _is_scalar_other
    members = [_bare(kind) for kind in shape.types]
    chosen = [kind for kind in members if fits(kind)]
    if chosen:
        yield from check_shape(raw, chosen[0], path)
    else:
        yield _wrong_type(raw, shape, path)


def _is_table(shape: Shape) -> bool:
    return isinstance(shape, (inspect.StructType, inspect.DictType))


def _is_list(shape: Shape) -> bool:
    return isinstance(shape, inspect.VarTupleType)


def _is_number(shape: Shape) -> bool:
    return isinstance(shape, (inspect.IntType, inspect.FloatType))


def _is_scalar_other(shape: Shape) -> bool:
    return isinstance(
        shape, (inspect.StrType, inspect.BoolType, inspect.EnumType, inspect.LiteralType)
    )


def _choices(shape: inspect.EnumType | inspect.LiteralType) -> list[str]:
    if isinstance(shape, inspect.EnumType):
        return [str(member.value) for member in shape.cls]
    return [str(value) for value in shape.values]


def _check_choice(
    raw: object, shape: inspect.EnumType | inspect.LiteralType, path: KeyPath
) -> Iterator[Misfit]:
    names = _choices(shape)
    if raw not in names:
        near = did_you_mean(raw, names) if isinstance(raw, str) else ""
        suggestion = near or "Write one of these, in quotes."
        yield Misfit(path, describe(raw), expectation(shape), suggestion)


def _check_text(raw: object, shape: inspect.StrType, path: KeyPath) -> Iterator[Misfit]:
    if not isinstance(raw, str):
        yield _wrong_type(raw, shape, path)
        return
    long_enough = shape.min_length is None or len(raw) >= shape.min_length
    short_enough = shape.max_length is None or len(raw) <= shape.max_length
    # A `$` in the pattern would let a line end through.
    formed = shape.pattern is None or re.fullmatch(shape.pattern, raw) is not None
    if not (long_enough and short_enough and formed and raw == raw.strip()):
        is_decimal = shape.pattern == DECIMAL_PATTERN
        suggestion = "Write digits, a point and digits." if is_decimal else "Correct the text."
        yield Misfit(path, describe(raw), expectation(shape), suggestion)


def _check_number(
    raw: object, shape: inspect.IntType | inspect.FloatType, path: KeyPath
) -> Iterator[Misfit]:
    whole = isinstance(shape, inspect.IntType)
    allowed: tuple[type, ...] = (int,) if whole else (int, float)
    if isinstance(raw, bool) or not isinstance(raw, allowed):
        yield _wrong_type(raw, shape, path)
        return
    assert isinstance(raw, (int, float))
    if isinstance(raw, float) and not math.isfinite(raw):
        suggestion = "Leave the key out where there is no value."
        yield Misfit(path, describe(raw), "a finite number" + _range_text(shape), suggestion)
    elif not _in_range(raw, shape):
        yield Misfit(path, describe(raw), expectation(shape), _range_suggestion(raw, shape))


def _in_range(raw: float, shape: inspect.IntType | inspect.FloatType) -> bool:
    return (
        (shape.gt is None or raw > shape.gt)
        and (shape.ge is None or raw >= shape.ge)
        and (shape.lt is None or raw < shape.lt)
        and (shape.le is None or raw <= shape.le)
        and abs(raw) <= INTEGER_MAX
    )


def _range_text(shape: inspect.IntType | inspect.FloatType) -> str:
    bounds = ((">", shape.gt), (">=", shape.ge), ("<", shape.lt), ("<=", shape.le))
    said = [f"{sign} {bound}" for sign, bound in bounds if bound is not None]
    return " " + " and ".join(said) if said else ""


def _range_suggestion(raw: float, shape: inspect.IntType | inspect.FloatType) -> str:
    low = shape.gt if shape.gt is not None else shape.ge
    if low is not None and raw <= low:
        return f"Use a value {'above' if shape.gt is not None else 'of at least'} {low}."
    high = INTEGER_MAX if shape.le is None else shape.le
    return f"Use a value of at most {high}."


def _wrong_type(raw: object, shape: Shape, path: KeyPath) -> Misfit:
    return Misfit(path, describe(raw), expectation(shape), _type_suggestion(raw, shape))


def _type_suggestion(raw: object, shape: Shape) -> str:
    members = shape.types if isinstance(shape, inspect.UnionType) else (shape,)
    kinds = [_bare(kind) for kind in members]
    if isinstance(raw, str) and any(_is_number(kind) for kind in kinds):
        return "Write the number without quotes."
    if isinstance(raw, str) and any(isinstance(kind, inspect.VarTupleType) for kind in kinds):
        return f'Write ["{raw}"].'
    if isinstance(raw, (int, float)) and any(isinstance(kind, inspect.StrType) for kind in kinds):
        return f'Write it in quotes: "{raw}".'
    if isinstance(raw, float) and any(isinstance(kind, inspect.IntType) for kind in kinds):
        return "Write a whole number without a point."
    return f"Write {expectation(shape)}."


def _text_expectation(shape: inspect.StrType) -> str:
    if shape.pattern == DECIMAL_PATTERN:
        return 'an exact decimal in quotes, such as "0.01"'
    text = "text in quotes"
    if shape.max_length is not None:
        text += f" of {shape.min_length or 0} to {shape.max_length} characters"
    elif shape.min_length:
        text += ", not empty"
    return text


def _text_and_type(raw: object) -> tuple[str, str]:
    match raw:
        case bool():
            return str(raw).lower(), "boolean"
        case int():
            return str(raw) if abs(raw) <= 10**FOUND_LENGTH_MAX else "", "integer"
        case float():
            return str(raw), "number"
        case str():
            return f'"{raw}"', "text"
        case dict():
            return "", "table"
        case list():
            return "", "list"
    return str(raw), "date or time"
