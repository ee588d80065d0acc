"""What types cannot say: instruments that add up, groups that exist, limits of something real."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import date
from importlib import resources
from zoneinfo import available_timezones

import msgspec

from config.entries import ID_FIELDS, LIMIT_SECTIONS, ROOT, Declared, Spec
from config.errors import Problem, did_you_mean
from engine.misfits import Misfit, account_misfits, instrument_misfits, table_misfits
from riskd.messages import (
    CalendarSpec,
    ResponseAction,
    ResponsePolicy,
    Weekday,
)

FIRM = "firm"  # The root of all groups; it is not declared.
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
            yield from _problems(spec, instrument_misfits(spec.value))
    for spec in declared.specs["account"]:
        if spec.value is not None:
            yield from _problems(spec, account_misfits(spec.value))
    for spec in declared.specs["response"]:
        if spec.value is not None:
            yield from _problems(spec, _check_response(spec.value))
    yield from _check_limits(declared)
    if complete:
        yield from _check_groups(declared)
        yield from _check_calendars(declared)
        yield from _check_scopes(declared)
        yield from _check_permissions(declared)


def _check_response(policy: ResponsePolicy) -> Iterator[Misfit]:
    needs = policy.action in _WITH_PERCENT
    if needs and policy.percent is None:
        yield Misfit(
            ("percent",), "missing", f"a percentage: action is {policy.action}", "Add percent = 50."
        )
    if not needs and policy.percent is not None:
        remedy = "Remove it, or choose another action."
        yield Misfit(("percent",), "a percentage", f"none: action is {policy.action}", remedy)


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
                    Misfit((key,), found, f"each {kind} once", "Remove or rename one.")
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
                Misfit(("parent",), found, 'a way up to "firm"', 'Use parent = "firm".')
            )


def known_calendars() -> tuple[CalendarSpec, ...]:
    """Return the calendars that need no declaration."""
    text = resources.files(__package__).joinpath("calendars.toml").read_text()
    return msgspec.convert(tomllib.loads(text)["calendar"], tuple[CalendarSpec, ...])


def _calendar_misfits(spec: CalendarSpec) -> Iterator[Misfit]:
    if set(spec.weekend) == set(Weekday):
        yield Misfit(("weekend",), "all seven days", "a day left to begin on", "Leave one out.")
    for told in spec.holidays:
        if not _is_date(told):
            expected = "a date of the calendar, such as 2026-12-25"
            yield Misfit(("holidays",), f'"{told}"', expected, "Correct the date.")


def _is_date(text: str) -> bool:
    """Return whether a text is a date as days are named: other ways to write one name none."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _check_calendars(declared: Declared) -> Iterator[Problem]:
    zones = available_timezones()
    for spec in declared.specs["calendar"]:
        if spec.value is not None and spec.value.zone not in zones:
            found = f'"{spec.value.zone}"'
            suggestion = did_you_mean(spec.value.zone, zones) or 'Try "America/New_York" or "UTC".'
            yield spec.entry.problem(Misfit(("zone",), found, "an IANA time zone", suggestion))
        if spec.value is not None:
            yield from _problems(spec, _calendar_misfits(spec.value))
    names = [*(known.id for known in known_calendars()), *declared.spec_ids("calendar")]
    told = declared.values.get(ROOT, {}).get("firm_calendar")
    if told is not None and told[1] not in names:
        yield told[0].problem(_unknown("firm_calendar", "calendar", str(told[1]), names))
    for spec in (*declared.specs["account"], *declared.specs["group"]):
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
                yield entry.problem(Misfit((key, index), "a rule of no order", expected, remedy))
            for kind, names in known.items():
                if kind in rule and rule[kind] not in names:
                    finding = _unknown(kind, kind, rule[kind], names)
                    yield entry.problem(finding._replace(path=(key, index, kind)))


def _check_limits(declared: Declared) -> Iterator[Problem]:
    for section in LIMIT_SECTIONS:
        values = declared.values.get(section, {})
        for misfit in table_misfits({key: raw for key, (_, raw) in values.items()}):
            entry, _ = values[str(misfit.path[0])]
            yield entry.problem(misfit)
    for entry in declared.limits.values():
        for misfit in table_misfits(entry.raw):
            yield entry.problem(misfit)


def _unknown(key: str, kind: str, name: str, known: list[str]) -> Misfit:
    declared = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
    return Misfit(
        (key,) if key else (),
        f'"{name}" names no {kind}',
        f"one of {declared}" if known else f"a declared {kind}",
        did_you_mean(name, known) or f"Declare the {kind}, or remove this.",
    )


def _problems(spec: Spec, findings: Iterator[Misfit]) -> Iterator[Problem]:
    for finding in findings:
        yield spec.entry.problem(finding)
