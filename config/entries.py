"""Sorts what the files say into settings, declarations and limits, and checks each by its type."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from config.documents import Document
from config.errors import Problem
from config.locate import KeyPath
from config.settings import Settings
from config.shapes import (
    Shape,
    check_shape,
    describe,
    field_shapes,
    shape_of,
    unknown_key,
)
from engine.misfits import Misfit
from riskd.messages import (
    AccountSpec,
    CalendarSpec,
    GroupSpec,
    InstrumentSpec,
    LimitsSpec,
    ResponsePolicy,
)

ROOT = ""  # The section of the keys that stand before any table.
LIMIT_SECTIONS = (
    "default",
    "firm",
    "session",
)  # Limits without an id: tables like those of the settings.
LIMIT_SCOPES = ("group", "account", "strategy", "trader", "symbol")
SPECS: dict[str, type[msgspec.Struct]] = {
    "instrument": InstrumentSpec,
    "group": GroupSpec,
    "account": AccountSpec,
    "calendar": CalendarSpec,
    "response": ResponsePolicy,
}
ID_FIELDS = dict.fromkeys(SPECS, "id") | {"instrument": "symbol"}
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")

LimitKey = tuple[str, str, str]  # Scope, id, and the symbol of an account's own limit on it.


def _sections() -> dict[str, dict[str, Shape]]:
    sections: dict[str, dict[str, Shape]] = {ROOT: {}}
    for name, shape in field_shapes(Settings).items():
        if isinstance(shape, msgspec.inspect.StructType):
            sections[name] = field_shapes(shape.cls)
        else:
            sections[ROOT][name] = shape
    return sections | {name: field_shapes(LimitsSpec) for name in LIMIT_SECTIONS}


SECTIONS = _sections()
TOP_LEVEL = {
    name: None
    for name in (*SECTIONS[ROOT], *SECTIONS, *SPECS, *LIMIT_SCOPES)
    if name  # The root has no name of its own.
}


class Entry(NamedTuple):
    """One table, and where it stands."""

    document: Document
    base: KeyPath
    name: str  # `ports`, `instrument[3]`, `account.A2`.
    header: str  # `[ports]`, `[[instrument]] AAPL`, `[account.A2]`.
    raw: Any

    def problem(self, finding: Misfit) -> Problem:
        """Return a finding about this table as a problem with file and line."""
        key = dotted(finding.path)
        if self.document.is_environment:
            place = self.header
        else:
            place = " ".join(part for part in (self.header, key) if part)
        return Problem(
            file=self.document.file,
            line=self.document.lines.line((*self.base, *finding.path)),
            key=".".join(part for part in (self.name, key) if part),
            place=place,
            found=finding.found,
            expected=finding.expected,
            suggestion=finding.suggestion,
        )

    def where(self, path: KeyPath = ()) -> str:
        """Return file:line of a key of this table."""
        return f"{self.document.file}:{self.document.lines.line((*self.base, *path))}"


class Spec(NamedTuple):
    """One `[[instrument]]`, `[[group]]` or `[[account]]`; no value when its shape is wrong."""

    entry: Entry
    id: str | None
    value: Any


class Declared:
    """Everything that was written, sorted, with the problems found on the way."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.values: dict[str, dict[str, tuple[Entry, Any]]] = {}  # Section, then key.
        self.specs: dict[str, list[Spec]] = {kind: [] for kind in SPECS}
        self.limits: dict[LimitKey, Entry] = {}

    def add_document(self, document: Document) -> None:
        """Sort one file in."""
        for key, raw in document.tree.items():
            if key in SECTIONS[ROOT]:
                self.add_value(Entry(document, (), ROOT, "", raw), key, raw)
            elif key in SECTIONS and key:
                self._add_section(Entry(document, (key,), key, f"[{key}]", raw))
            elif key in SPECS and (isinstance(raw, list) or key not in LIMIT_SCOPES):
                self._add_specs(document, key, raw)
            elif key in LIMIT_SCOPES:
                self._add_scope(document, key, (key,), raw)
            else:
                entry = Entry(document, (), "", "", raw)
                self.problems.append(entry.problem(unknown_key(key, TOP_LEVEL, ())))

    def add_value(self, entry: Entry, key: str, raw: object, *, replace: bool = False) -> None:
        """Check one key of a section and keep it; without `replace` a second one is a problem."""
        findings = list(check_shape(raw, SECTIONS[entry.name][key], (key,)))
        values = self.values.setdefault(entry.name, {})
        if entry.name == ROOT and key == "include":
            replace = replace or key not in values
            if not replace:
                self._report(entry, findings)
                return  # Every file has its own includes; the root's are the setting.
        if key in values and not replace:
            findings.append(_repeated((key,), values[key][0].where((key,)), "Remove one."))
        self._report(entry, findings)
        if not findings:
            values[key] = (entry, raw)

    def spec_ids(self, kind: str) -> list[str]:
        """Return the ids of every instrument, group or account, right or wrong."""
        return [spec.id for spec in self.specs[kind] if spec.id is not None]

    def _add_section(self, entry: Entry) -> None:
        self.values.setdefault(entry.name, {})  # An empty [default] is a default too.
        if not isinstance(entry.raw, dict):
            self._report(entry, [_not_a_table(entry)])
            return
        for key, raw in entry.raw.items():
            if key in SECTIONS[entry.name]:
                self.add_value(entry, key, raw)
            else:
                self._report(entry, [unknown_key(key, SECTIONS[entry.name], ())])

    def _add_specs(self, document: Document, kind: str, raw: object) -> None:
        tables = raw if isinstance(raw, list) else [raw]
        for index, table in enumerate(tables):
            base: KeyPath = (kind, index) if isinstance(raw, list) else (kind,)
            entry = Entry(document, base, f"{kind}[{index}]", f"[[{kind}]]", table)
            if not isinstance(raw, list) or not isinstance(table, dict):
                self._report(entry, [_not_an_array(kind, table)])
                continue
            self._add_spec(kind, entry)

    def _add_spec(self, kind: str, entry: Entry) -> None:
        """Keep one spec. In one file, TOML puts `[account.A1]` into the `[[account]]` before it."""
        shape = shape_of(SPECS[kind])
        fields = field_shapes(SPECS[kind])
        limits = {
            key: raw
            for key, raw in entry.raw.items()
            if kind in LIMIT_SCOPES and key not in fields and isinstance(raw, dict)
        }
        table = {key: raw for key, raw in entry.raw.items() if key not in limits}
        id_raw = table.get(ID_FIELDS[kind])
        spec_id = id_raw if isinstance(id_raw, str) else None
        header = f"[[{kind}]] {spec_id}" if spec_id else f"[[{kind}]]"
        entry = entry._replace(header=header, raw=table)
        findings = list(check_shape(table, shape))
        self._report(entry, findings)
        value = None if findings else msgspec.convert(table, SPECS[kind])
        self.specs[kind].append(Spec(entry, spec_id, value))
        self._add_scope(entry.document, kind, entry.base, limits)

    def _add_scope(self, document: Document, scope: str, base: KeyPath, raw: object) -> None:
        if not isinstance(raw, dict):
            entry = Entry(document, base, scope, f"[{scope}]", raw)
            self._report(entry, [_not_a_table(entry)])
            return
        for scope_id, table in raw.items():
            name = f"{scope}.{_quoted(scope_id)}"
            entry = Entry(document, (*base, scope_id), name, f"[{name}]", table)
            if not isinstance(table, dict):
                self._report(entry, [_not_a_table(entry)])
                continue
            symbols = table.get("symbol", {}) if scope == "account" else {}
            own = {key: raw for key, raw in table.items() if scope != "account" or key != "symbol"}
            self._add_limits((scope, scope_id, ""), entry._replace(raw=own))
            self._add_symbols(scope_id, entry, symbols)

    def _add_symbols(self, account: str, entry: Entry, symbols: object) -> None:
        base = (*entry.base, "symbol")
        if not isinstance(symbols, dict):
            self._report(entry, [_not_a_table(entry._replace(raw=symbols), ("symbol",))])
            return
        for symbol, table in symbols.items():
            name = f"{entry.name}.symbol.{_quoted(symbol)}"
            inner = Entry(entry.document, (*base, symbol), name, f"[{name}]", table)
            if isinstance(table, dict):
                self._add_limits(("account", account, symbol), inner)
            else:
                self._report(inner, [_not_a_table(inner)])

    def _add_limits(self, key: LimitKey, entry: Entry) -> None:
        findings = list(check_shape(entry.raw, shape_of(LimitsSpec)))
        before = self.limits.get(key)
        if before is not None and before.raw and entry.raw:
            findings.append(_repeated((), before.where(), "Put all of its limits in one table."))
        self._report(entry, findings)
        if before is None or not before.raw:
            self.limits[key] = entry

    def _report(self, entry: Entry, findings: Iterable[Misfit]) -> None:
        self.problems.extend(entry.problem(finding) for finding in findings)


def dotted(path: KeyPath) -> str:
    """Return a path as `ports.orders[1]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{_quoted(part)}" if text else _quoted(part)
    return text


def _quoted(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _not_a_table(entry: Entry, path: KeyPath = ()) -> Misfit:
    return Misfit(path, describe(entry.raw), "a table", f"Write it as a table {entry.header}.")


def _not_an_array(kind: str, raw: object) -> Misfit:
    written = f"[{kind}]" if isinstance(raw, dict) else describe(raw)
    return Misfit((), written, f"an array of tables [[{kind}]]", f"Write [[{kind}]].")


def _repeated(path: KeyPath, before: str, remedy: str) -> Misfit:
    return Misfit(path, f"a second time, after {before}", "once", remedy)
