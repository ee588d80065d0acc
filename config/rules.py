"""What types cannot say: instruments that add up, groups that exist, limits of something real."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from fractions import Fraction
from importlib import resources
from itertools import pairwise
from typing import Any
from zoneinfo import available_timezones

import msgspec

from config.entries import ID_FIELDS, LIMIT_SECTIONS, Declared, Spec
from config.errors import Problem, did_you_mean
from config.shapes import Finding
from engine.limit_tables import table_misfits
from riskd.messages import (
    AccountSpec,
    CalendarSpec,
    InstrumentKind,
    InstrumentSpec,
    MarginModel,
    ResponseAction,
    ResponsePolicy,
)

FIRM = "firm"  # The root of all groups; it is not declared.
MONEY_PER_UNIT = 10**12  # The engine counts money in integer 10^-12 of its currency.
_GRID = ("tick_size", "lot_size", "multiplier")
_WITH_PERCENT = (
    ResponseAction.REDUCE,
    ResponseAction.SHARE,
    ResponseAction.CUT_CORRELATED,
    ResponseAction.SHRINK_RISK,
)


def check_rules(declared: Declared, *, complete: bool) -> Iterator[Problem]:
    """Yield every problem between values.

    Unless `complete` (every file could be read), names are not looked up: what they name may
    stand in a file that could not be read.
    """
    yield from _check_repeats(declared)
    for spec in declared.specs["instrument"]:
        if spec.value is not None:
            yield from _problems(spec, check_instrument(spec.value))
    for spec in declared.specs["account"]:
        if spec.value is not None:
            yield from _problems(spec, _check_account(spec.value))
    for spec in declared.specs["response"]:
        if spec.value is not None:
            yield from _problems(spec, _check_response(spec.value))
    yield from _check_limits(declared)
    if complete:
        yield from _check_groups(declared)
        yield from _check_calendars(declared)
        yield from _check_scopes(declared)
        yield from _check_permissions(declared)


def check_instrument(instrument: InstrumentSpec) -> Iterator[Finding]:
    """Yield what is wrong with one instrument: its grid, and the currencies its kind needs."""
    grid = {name: Fraction(getattr(instrument, name)) for name in _GRID}
    for name, size in grid.items():
        if size <= 0:
            found = f'"{getattr(instrument, name)}" (text)'
            yield Finding((name,), found, "a decimal above zero", 'Such as "1" or "0.01".')
    for index, (lower, upper) in enumerate(pairwise(instrument.tiers), 1):
        if upper.notional <= lower.notional:
            found = f"{upper.notional} after {lower.notional}"
            expected = "tiers from the lowest notional to the highest"
            yield Finding(("tiers", index, "notional"), found, expected, "Put them in order.")
    if instrument.kind is InstrumentKind.INVERSE:
        if instrument.settlement is None:
            remedy = 'Add settlement = "BTC", or whatever it pays in.'
            yield Finding(("settlement",), "missing", "a currency: kind is inverse", remedy)
        return  # Its money comes from a division, which no grid makes exact.
    if instrument.kind is InstrumentKind.FX:
        yield from _check_pair(instrument)
    step = grid["tick_size"] * grid["lot_size"] * grid["multiplier"]
    if min(grid.values()) > 0 and (step * MONEY_PER_UNIT).denominator != 1:
        yield Finding(
            ("tick_size",),
            f"tick_size x lot_size x multiplier = {float(step):.6g}",
            "a multiple of 1e-12: one tick of one lot in the engine's unit of money",
            "Use a coarser tick_size or lot_size.",
        )


def _check_pair(instrument: InstrumentSpec) -> Iterator[Finding]:
    expected = "the currency that the pair buys: kind is fx"
    if instrument.base is None:
        yield Finding(("base",), "missing", expected, 'Add base = "EUR", or whatever it buys.')
    elif instrument.base == instrument.currency:
        found = f'"{instrument.base}", the same as currency'
        yield Finding(("base",), found, expected, "Give two different currencies.")


def _check_account(account: AccountSpec) -> Iterator[Finding]:
    if account.margin_model is MarginModel.LEVERAGE and account.leverage is None:
        expected = 'a number above zero: margin_model is "leverage"'
        yield Finding(("leverage",), "missing", expected, "Add leverage = 30, or what is agreed.")


def _check_response(policy: ResponsePolicy) -> Iterator[Finding]:
    needs = policy.action in _WITH_PERCENT
    if needs and policy.percent is None:
        yield Finding(
            ("percent",), "missing", f"a percentage: action is {policy.action}", "Add percent = 50."
        )
    if not needs and policy.percent is not None:
        remedy = "Remove it, or choose another action."
        yield Finding(("percent",), "a percentage", f"none: action is {policy.action}", remedy)


def _check_repeats(declared: Declared) -> Iterator[Problem]:
    for kind, specs in declared.specs.items():
        first: dict[str, str] = {FIRM: "riskd itself"} if kind == "group" else {}
        for spec in specs:
            if spec.id is None:
                continue
            before = first.setdefault(spec.id, spec.entry.where())
            if before != spec.entry.where():
                key = ID_FIELDS[kind]
                found = f'"{spec.id}" a second time, after {before}'
                yield spec.entry.problem(
                    Finding((key,), found, f"each {kind} once", "Remove or rename one.")
                )


def _check_groups(declared: Declared) -> Iterator[Problem]:
    groups = [FIRM, *declared.spec_ids("group")]
    for spec in declared.specs["account"]:
        if spec.value is not None and spec.value.group not in groups:
            yield spec.entry.problem(_unknown("group", "group", spec.value.group, groups))
    parents: dict[str, str] = {}
    for spec in declared.specs["group"]:
        if spec.value is not None:
            parents.setdefault(spec.value.id, spec.value.parent)
            if spec.value.parent not in groups:
                yield spec.entry.problem(_unknown("parent", "group", spec.value.parent, groups))
    for spec in declared.specs["group"]:
        if spec.value is not None and _is_own_ancestor(spec.value.id, parents):
            found = f'"{spec.value.parent}", which lies below "{spec.value.id}" itself'
            yield spec.entry.problem(
                Finding(("parent",), found, 'a way up to "firm"', 'Use parent = "firm".')
            )


def known_calendars() -> tuple[CalendarSpec, ...]:
    """Return the calendars that need no declaration."""
    text = resources.files(__package__).joinpath("calendars.toml").read_text()
    return msgspec.convert(tomllib.loads(text)["calendar"], tuple[CalendarSpec, ...])


def _check_calendars(declared: Declared) -> Iterator[Problem]:
    zones = available_timezones()
    for spec in declared.specs["calendar"]:
        if spec.value is not None and spec.value.zone not in zones:
            found = f'"{spec.value.zone}"'
            suggestion = did_you_mean(spec.value.zone, zones) or 'Try "America/New_York" or "UTC".'
            yield spec.entry.problem(Finding(("zone",), found, "an IANA time zone", suggestion))
    names = [*(known.id for known in known_calendars()), *declared.spec_ids("calendar")]
    for spec in declared.specs["account"]:
        if spec.value is not None and spec.value.calendar not in names:
            yield spec.entry.problem(_unknown("calendar", "calendar", spec.value.calendar, names))


def _is_own_ancestor(group: str, parents: dict[str, str]) -> bool:
    above = parents.get(group)
    for _ in parents:  # A way up is never longer than the number of groups.
        if above == group:
            return group != FIRM  # Declaring the root is reported as a repeat.
        above = parents.get(above) if above is not None else None
    return False


def _check_scopes(declared: Declared) -> Iterator[Problem]:
    known = {kind: declared.spec_ids(kind) for kind in declared.specs}
    known["symbol"] = known.pop("instrument")
    for (scope, scope_id, symbol), entry in declared.limits.items():
        if not symbol and scope in known and scope_id not in known[scope]:
            finding = _unknown("", scope, scope_id, known[scope])
            if (scope, scope_id) == ("group", FIRM):
                finding = finding._replace(suggestion="Write [firm].")
            yield entry.problem(finding)
        if symbol and symbol not in known["symbol"]:
            yield entry.problem(_unknown("", "symbol", symbol, known["symbol"]))


def _check_permissions(declared: Declared) -> Iterator[Problem]:
    """Yield rules that name nothing, or nothing that exists."""
    known = {
        "account": declared.spec_ids("account"),
        "group": [FIRM, *declared.spec_ids("group")],
        "symbol": declared.spec_ids("instrument"),
    }
    for key in ("restricted", "permitted"):
        if key not in declared.values.get("permissions", {}):
            continue
        entry, rules = declared.values["permissions"][key]
        for index, rule in enumerate(rules):
            if not rule.keys() - {"reason"}:
                expected = "one of account, group, trader, strategy, symbol, side, order_type"
                remedy = "Say which orders it is about."
                yield entry.problem(Finding((key, index), "a rule of no order", expected, remedy))
            for kind, names in known.items():
                if kind in rule and rule[kind] not in names:
                    finding = _unknown(kind, kind, rule[kind], names)
                    yield entry.problem(finding._replace(path=(key, index, kind)))


def _check_limits(declared: Declared) -> Iterator[Problem]:
    for section in LIMIT_SECTIONS:
        values = declared.values.get(section, {})
        for finding in check_thresholds({key: raw for key, (_, raw) in values.items()}):
            entry, _ = values[str(finding.path[0])]
            yield entry.problem(finding)
    for entry in declared.limits.values():
        for finding in check_thresholds(entry.raw):
            yield entry.problem(finding)


def check_thresholds(limits: dict[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong between the numbers of one table of limits."""
    for misfit in table_misfits(limits):
        yield Finding(*misfit)


def _unknown(key: str, kind: str, name: str, known: list[str]) -> Finding:
    declared = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
    return Finding(
        (key,) if key else (),
        f'"{name}" names no {kind}',
        f"one of {declared}" if known else f"a declared {kind}",
        did_you_mean(name, known) or f"Declare the {kind}, or remove this.",
    )


def _problems(spec: Spec, findings: Iterator[Finding]) -> Iterator[Problem]:
    for finding in findings:
        yield spec.entry.problem(finding)
