"""`riskd schema`: the contract, for machines."""

from __future__ import annotations

import json as json_text
from typing import Annotated, Literal

from cyclopts import Parameter

from riskd.cli.failure import DONE, USAGE, CommandError
from riskd.cli.names import did_you_mean
from riskd.reference.asyncapi import render_asyncapi
from riskd.reference.page import render_page
from riskd.reference.schema import render_schema


def schema(
    name: str | None = None,
    /,
    *,
    format: Annotated[  # noqa: A002  It is the name of the option.
        Literal["jsonschema", "asyncapi", "markdown"],
        Parameter(help="JSON Schema; AsyncAPI, which adds ports and topics; the reference page."),
    ] = "jsonschema",
) -> int:
    """Print the JSON Schema of every message, or of NAME such as Check or order_report.

    Example: riskd schema Check
    """
    whole = {"asyncapi": render_asyncapi, "markdown": render_page}.get(format)
    if whole is not None:
        print(whole(), end="")
        return DONE
    if name is None:
        print(render_schema(), end="")
        return DONE
    definitions = json_text.loads(render_schema())["$defs"]
    names = {key.lower().replace("_", ""): key for key in definitions if " " not in key}
    wanted = names.get(name.lower().replace("_", ""))
    if wanted is None:
        near = did_you_mean(name, names.values())
        raise CommandError(
            f"{name!r} is no message.",
            exit_code=USAGE,
            expected="" if near else ", ".join(names.values()),
            next_step=near,
        )
    document = {"$ref": f"#/$defs/{wanted}", "$defs": _needed(wanted, definitions)}
    print(json_text.dumps(document, indent=2, ensure_ascii=False))
    return DONE


def _needed(name: str, definitions: dict[str, object]) -> dict[str, object]:
    """Return a definition and everything that it refers to."""
    found: dict[str, object] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in found:
            continue
        found[current] = definitions[current]
        text = json_text.dumps(definitions[current])
        waiting += [part.partition('"')[0] for part in text.split("#/$defs/")[1:]]
    return found
