"""Settings by environment variable: `RISKD_PORTS__ORDERS='["ipc://orders.sock"]'`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

from msgspec import inspect

from config.documents import Document
from config.entries import ROOT, SECTIONS, Declared, Entry
from config.errors import ENVIRONMENT, did_you_mean
from config.locate import Lines
from config.shapes import Shape
from engine.misfits import Misfit

PREFIX = "RISKD_"
SEPARATOR = "__"
RESERVED = ("RISKD_CONFIG", "RISKD_CONTEXT", "RISKD_KEY")  # Read by the command line.
INCLUDE = "RISKD_INCLUDE"


def variable_name(section: str, key: str) -> str:
    """Return the variable that sets a key."""
    middle = f"{section}{SEPARATOR}" if section else ""
    return f"{PREFIX}{middle}{key}".upper()


VARIABLES = {
    variable_name(section, key): (section, key)
    for section, shapes in SECTIONS.items()
    for key in shapes
}


def add_environment(declared: Declared, environ: Mapping[str, str]) -> None:
    """Put every `RISKD_` variable over what the files say; one that names nothing is a problem."""
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable in RESERVED:
            continue
        section, key = VARIABLES.get(variable, (ROOT, ""))
        document = Document(ENVIRONMENT, {}, Lines({}), is_environment=True)
        if key:
            raw = parse_value(environ[variable], SECTIONS[section][key])
            entry = Entry(document, (), section, variable, raw)
            declared.add_value(entry, key, raw, replace=True)
        else:
            entry = Entry(document, (), variable, variable, None)
            declared.problems.append(entry.problem(_unknown(variable)))


def include_override(environ: Mapping[str, str]) -> list[str] | None:
    """Return the includes that the environment sets, if it does so rightly."""
    if INCLUDE not in environ:
        return None
    raw = parse_value(environ[INCLUDE], SECTIONS[ROOT]["include"])
    is_list = isinstance(raw, list) and all(isinstance(name, str) for name in raw)
    return raw if isinstance(raw, list) and is_list else None


def parse_value(text: str, shape: Shape) -> object:
    """Return a variable's value: a TOML value, or the text itself where it is none.

    Where text is wanted, `2024` or `true` is text too.
    """
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    if parsed.keys() != {"value"}:
        return text  # A line end in it made it more than one value.
    value: object = parsed["value"]
    wants_text = isinstance(shape, (inspect.StrType, inspect.EnumType))
    return text if wants_text and not isinstance(value, str) else value


def _unknown(variable: str) -> Misfit:
    return Misfit(
        (),
        "names no setting",
        f"{PREFIX}<SECTION>{SEPARATOR}<KEY> or {PREFIX}<KEY>",
        did_you_mean(variable, VARIABLES) or "Unset it.",
    )
