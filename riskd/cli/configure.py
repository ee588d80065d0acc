"""`riskd config`: what a start would run on, without starting anything."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from riskd.cli.failure import DONE, USAGE, CommandError
from riskd.cli.look import Json
from riskd.cli.text import print_json, table

HELP = """Check or show a configuration, the shipped one where none is named.

Example: riskd config check riskd.toml
"""
Config = Annotated[Path | None, Parameter(help="riskd.toml; without it shipped defaults.")]
app = App(name="config", help=HELP)


@app.command
def check(config: Config = None, /, *, json: Json = False) -> int:
    """Read CONFIG as `riskd serve` would; exit 2 and say what is wrong with every line that is.

    Example: riskd config check riskd.toml
    """
    loaded = _load(config)
    universe, limits = loaded.universe, loaded.universe.limits
    unenforced = importlib.import_module("engine.limits").unenforced(limits)
    warnings = [*loaded.warnings, *(f"{name} is set, and not enforced" for name in unenforced)]
    shown = {
        "file": str(config) if config is not None else None,
        "env": loaded.settings.env,
        "accounts": len(universe.accounts),
        "groups": len(universe.groups),
        "instruments": len(universe.instruments),
        "calendars": len(universe.calendars),
        "limits": sum(1 for name in loaded.sources if name.partition(".")[0] in _scopes(limits)),
        "responses": len(universe.responses),
        "warnings": warnings,
    }
    if json:
        print_json(shown)
        return DONE
    counts = ("accounts", "groups", "instruments", "limits", "responses")
    told = " · ".join(f"{shown[name]} {name}" for name in counts)
    print(f"ok   {config or 'shipped defaults'} · env {shown['env']} · {told}")
    for warning in warnings:
        sys.stderr.write(f"warning: {warning}\n")
    return DONE


@app.command
def show(config: Config = None, /, *, json: Json = False) -> int:
    """Show every setting of CONFIG with its value and where that comes from.

    That is a line of a file, a variable of the environment, or the default. Lists of accounts,
    instruments and limits are told by `riskd accounts`, `instruments` and `limits`.

    Example: riskd config show riskd.toml
    """
    loaded = _load(config)
    settings = msgspec.to_builtins(loaded.settings)
    rows = [
        {"key": key, "value": _at(settings, key), "source": str(source)}
        for key, source in loaded.sources.items()
        if _is_setting(settings, key)
    ]
    if json:
        for row in rows:
            print_json(row)
        return DONE
    for line in table(rows, ("key", "value", "source")):
        print(line)
    return DONE


def _load(config: Path | None) -> Any:
    """Return a loaded configuration; raise CommandError with all that is wrong with it."""
    load = importlib.import_module("config.load").load
    wrong = importlib.import_module("config.errors").ConfigError
    try:
        return load(config, os.environ)
    except wrong as error:
        raise CommandError(str(error), exit_code=USAGE) from error


def _scopes(limits: Any) -> frozenset[str]:
    return frozenset(limits.__struct_fields__)


def _is_setting(settings: Any, key: str) -> bool:
    section, _, name = key.partition(".")
    return section in settings and (not name or name in settings[section])


def _at(settings: Any, key: str) -> Any:
    section, _, name = key.partition(".")
    return settings[section][name] if name else settings[section]
