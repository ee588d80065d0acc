"""`docs/protocol.md`: every message with its fields and one example, the codes, the framing."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from enum import Enum
from typing import Any, get_args

import msgspec
from msgspec import Struct, structs
from msgspec import inspect as types

from riskd import codec, messages
from riskd.codes import CODES
from riskd.contract.roles import LEAST_ROLE, Role
from riskd.examples import example_of
from riskd.reference.catalogue import SECTIONS, Section, message_types, part_types
from riskd.reference.glossary import field_meanings
from riskd.reference.prose import ERROR_MEANINGS, INTRODUCTION
from riskd.reference.words import word_type


def render_page() -> str:
    """Return the page. Deterministic; raises `LookupError` if a message has no example."""
    blocks = [INTRODUCTION, _contents()]
    blocks += [_render_section(section) for section in SECTIONS]
    blocks += [_render_parts(), _render_roles(), _render_reject_codes(), _render_error_codes()]
    return "\n\n".join(block.strip() for block in blocks) + "\n"


def _contents() -> str:
    lines = ["## Messages", ""]
    for section in SECTIONS:
        names = " · ".join(f"[{_tag(x)}](#{x.__name__})" for x in section.structs())
        lines.append(f"- {section.title}: {names}")
    return "\n".join(lines)


def _render_section(section: Section) -> str:
    blocks = [f"## {section.title}\n\n{section.introduction}"]
    blocks += [_render_message(struct) for struct in section.structs()]
    return "\n\n".join(blocks)


def _render_message(struct: type[Struct]) -> str:
    example = msgspec.json.format(codec.encode_json(example_of(struct)), indent=2).decode()
    return "\n\n".join(
        (
            f'<a id="{struct.__name__}"></a>\n### {_tag(struct)}',
            inspect.cleandoc(struct.__doc__ or ""),
            _field_table(struct),
            f"```json\n{example}\n```",
        )
    )


def _render_parts() -> str:
    blocks = ["## Parts\n\nMaps inside the messages above. They carry no `type`."]
    blocks += [
        f'<a id="{struct.__name__}"></a>\n### {struct.__name__}\n\n'
        f"{inspect.cleandoc(struct.__doc__ or '')}\n\n{_field_table(struct)}"
        for struct in part_types()
    ]
    return "\n\n".join(blocks)


def _render_roles() -> str:
    rows = []
    for role in (None, *Role):
        tags = [f"`{_tag(kind)}`" for kind, least in LEAST_ROLE.items() if least is role]
        rows.append((f"`{role}`" if role else "any", ", ".join(tags)))
    return (
        "## Roles\n\nThe least role of a key for each message. An `operator` may do what a "
        "`viewer` may, a `risk_manager` what an `operator` may, an `admin` everything; a `gateway` "
        "for its own accounts alone. What is not allowed is answered `not_authorized`; who has no "
        "key gets no answer. Over ipc, and where riskd has no keys, everybody is admin.\n\n"
        + _table(("role", "messages"), rows)
    )


def _render_reject_codes() -> str:
    rows = [
        (f"`{code}`", str(text.fix_code), text.meaning, text.remedy) for code, text in CODES.items()
    ]
    return (
        "## Reject codes\n\nIn order of precedence: the first that applies is the primary reason. "
        "FIX is OrdRejReason, tag 103.\n\n" + _table(("code", "FIX", "meaning", "remedy"), rows)
    )


def _render_error_codes() -> str:
    rows = [(f"`{code}`", *ERROR_MEANINGS[code]) for code in get_args(messages.ErrorCode)]
    return (
        "## Error codes\n\nOf `error`. Nothing was changed, and the socket goes on.\n\n"
        + _table(("code", "meaning", "remedy"), rows)
    )


def _field_table(struct: type[Struct]) -> str:
    meanings = field_meanings(struct)
    info = types.type_info(struct)
    assert isinstance(info, types.StructType)
    defaults = {field.name: field for field in structs.fields(struct)}
    rows = []
    if struct in message_types():
        rows.append(("`type`", f"`{_tag(struct)}`", "required", "", "Which message this is."))
    for field in info.fields:
        words = word_type(field.type)
        presence = "required" if field.required else _presence(defaults[field.name])
        kind = words.kind
        if presence == "optional":
            kind = kind.removesuffix(" or `null`")
        meaning = meanings.get(field.name) or words.meaning
        rows.append((f"`{field.encode_name}`", kind, presence, words.bounds, meaning))
    if not rows:
        return "It has no fields."
    return _table(("field", "type", "presence", "bounds", "meaning"), rows)


def _presence(field: structs.FieldInfo) -> str:
    """An absent field has this value; `null` and absent mean the same where it is optional."""
    value: Any = field.default
    if value is msgspec.NODEFAULT:
        value = field.default_factory() if callable(field.default_factory) else None
    if value is None:
        return "optional"
    if value is msgspec.UNSET:
        return "optional; null says something else"
    if isinstance(value, Struct) or value in ((), {}, []):
        return "default empty"
    plain = value.value if isinstance(value, Enum) else value
    return f"default `{msgspec.json.encode(plain).decode()}`"


def _tag(struct: type[Struct]) -> str:
    return str(struct.__struct_config__.tag)


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Columns that hold nothing in any row are left out."""
    kept = list(rows)
    columns = [n for n in range(len(header)) if any(row[n] for row in kept)]
    lines = [header, tuple("---" for _ in header), *kept]
    return "\n".join(
        "| " + " | ".join(line[n].replace("|", "\\|") for n in columns) + " |" for line in lines
    )
