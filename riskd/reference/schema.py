"""`docs/schema.json`: the JSON Schema of every message."""

from __future__ import annotations

import inspect
import json
from typing import Any

import msgspec

from riskd.reference.catalogue import SECTIONS, message_types, part_types
from riskd.reference.glossary import field_meanings

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def render_schema() -> str:
    """Return the schema document: one definition a type, one `oneOf` a section. Deterministic."""
    definitions = definitions_of_all("#/$defs/{name}")
    sections = {
        section.title: {
            "description": section.introduction,
            "oneOf": [{"$ref": f"#/$defs/{struct.__name__}"} for struct in section.structs()],
        }
        for section in SECTIONS
    }
    document = {
        "$schema": DIALECT,
        "title": "Messages of riskd",
        "description": "Made by scripts/generate from riskd/messages.py; not written by hand.",
        "oneOf": [{"$ref": f"#/$defs/{struct.__name__}"} for struct in message_types()],
        "$defs": dict(sorted((definitions | sections).items())),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def definitions_of_all(ref_template: str) -> dict[str, Any]:
    """Return the schema of every message and part by its name; they refer to one another so."""
    _, definitions = msgspec.json.schema_components(message_types(), ref_template=ref_template)
    for struct in (*message_types(), *part_types()):
        _describe_fields(definitions[struct.__name__], field_meanings(struct))
    for definition in definitions.values():
        if "description" in definition:  # Python 3.13 takes the indent from docstrings itself.
            definition["description"] = inspect.cleandoc(definition["description"])
    return definitions


def _describe_fields(definition: dict[str, Any], comments: dict[str, str]) -> None:
    """Put the source's comments where a reader of the schema finds them."""
    for name, comment in comments.items():
        if name in definition["properties"]:
            definition["properties"][name]["description"] = comment
