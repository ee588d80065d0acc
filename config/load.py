"""Loads a configuration: files, defaults and environment into what riskd runs on."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import msgspec

from config.addresses import check_ports
from config.documents import read_documents
from config.entries import LIMIT_SECTIONS, ROOT, SECTIONS, Declared, Entry
from config.environment import add_environment, include_override
from config.errors import ConfigError
from config.locate import KeyPath
from config.rules import check_rules, known_calendars
from config.settings import Settings, risk_settings
from riskd.messages import CalendarSpec, LimitSet, ResponsePolicy, Universe

NO_DEFAULT = (
    "No [default] limits: an account without limits of its own is not limited. "
    "Add a [default] table, such as the one of the shipped limits.toml."
)


class Source(msgspec.Struct, frozen=True):
    """Where a value came from; `str()` is what `riskd info` shows."""

    kind: Literal["default", "file", "environment"]
    where: str = ""  # `limits.toml:14`, or the variable's name.

    def __str__(self) -> str:
        """Return `default`, file:line, or the variable."""
        return self.where or self.kind


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What a start of riskd runs on."""

    settings: Settings
    universe: Universe
    sources: dict[str, Source]  # By key: `ports.orders`, `default.order_notional`, `account.A1`.
    warnings: tuple[str, ...]


def load(path: Path | None, environ: Mapping[str, str]) -> Configuration:
    """Return the configuration of `path`, or the shipped one, with the environment put over it.

    Raises `ConfigError` with every problem of every file; nothing of a wrong one is used. What a
    file does not set has its default; without a file the shipped instruments, accounts and limits
    are in force. Relative includes start at the file that names them; `data_dir` and ipc paths
    start where riskd is started.
    """
    reading = read_documents(path, include_override(environ))
    declared = Declared()
    for document in reading.documents:
        declared.add_document(document)
    add_environment(declared, environ)
    problems = [
        *reading.problems,
        *declared.problems,
        *check_ports(declared),
        *check_rules(declared, complete=not reading.problems),
    ]
    if problems:
        raise ConfigError(problems)
    settings = msgspec.convert(_settings_tree(declared), Settings)
    return Configuration(
        settings=settings,
        universe=_universe(declared, settings),
        sources=_sources(declared),
        warnings=() if "default" in declared.values else (NO_DEFAULT,),
    )


def _values(declared: Declared, section: str) -> dict[str, Any]:
    return {key: raw for key, (_, raw) in declared.values.get(section, {}).items()}


def _settings_tree(declared: Declared) -> dict[str, Any]:
    names = [name for name in SECTIONS if name not in (ROOT, *LIMIT_SECTIONS)]
    return _values(declared, ROOT) | {name: _values(declared, name) for name in names}


def _universe(declared: Declared, settings: Settings) -> Universe:
    return Universe(
        settings=risk_settings(settings),
        instruments=tuple(spec.value for spec in declared.specs["instrument"]),
        groups=tuple(spec.value for spec in declared.specs["group"]),
        accounts=tuple(spec.value for spec in declared.specs["account"]),
        limits=_limit_set(declared),
        calendars=_calendars(declared),
        permissions=settings.permissions,
        responses=_responses(declared),
    )


def _responses(declared: Declared) -> tuple[ResponsePolicy, ...]:
    """Return the policy table: the declared rows, or the shipped ones if there are none."""
    if declared.specs["response"]:
        return tuple(spec.value for spec in declared.specs["response"])
    text = resources.files(__package__).joinpath("responses.toml").read_text()
    return msgspec.convert(tomllib.loads(text)["response"], tuple[ResponsePolicy, ...])


def _calendars(declared: Declared) -> tuple[CalendarSpec, ...]:
    """Return the calendars that riskd knows by itself, with the declared ones put over them."""
    known = {spec.id: spec for spec in known_calendars()}
    known |= {spec.value.id: spec.value for spec in declared.specs["calendar"]}
    return tuple(known.values())


def _limit_set(declared: Declared) -> LimitSet:
    tree: dict[str, Any] = {name: _values(declared, name) for name in LIMIT_SECTIONS}
    for (scope, scope_id, symbol), entry in declared.limits.items():
        if not entry.raw:
            continue  # `[account.A1.symbol.AAPL]` alone leaves `[account.A1]` empty.
        if symbol:
            tree.setdefault("account_symbol", {}).setdefault(scope_id, {})[symbol] = entry.raw
        else:
            tree.setdefault(scope, {})[scope_id] = entry.raw
    return msgspec.convert(tree, LimitSet)


def _sources(declared: Declared) -> dict[str, Source]:
    sources: dict[str, Source] = {}
    for section, shapes in SECTIONS.items():
        values = declared.values.get(section, {})
        for key in shapes:
            name = f"{section}.{key}" if section else key
            if key in values:
                sources[name] = _source(values[key][0], (key,))
            elif section not in LIMIT_SECTIONS:
                sources[name] = Source("default")
    for kind, specs in declared.specs.items():
        sources |= {f"{kind}.{spec.id}": _source(spec.entry, ()) for spec in specs}
    for entry in declared.limits.values():
        sources |= {f"{entry.name}.{key}": _source(entry, (key,)) for key in entry.raw}
    return sources


def _source(entry: Entry, path: KeyPath) -> Source:
    if entry.document.is_environment:
        return Source("environment", entry.header)
    if entry.document.is_shipped:
        return Source("default")
    return Source("file", entry.where(path))
