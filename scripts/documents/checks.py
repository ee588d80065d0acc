"""`docs/checks.md`: every check with its formula, key, codes and a refused order."""

from __future__ import annotations

import inspect

import msgspec

from engine.case import CheckRow
from engine.checks import CHECKS
from riskd import codec
from riskd.codes import CODES, RejectCode
from riskd.messages import Reject, Verdict
from scripts.documents.check_examples import EXAMPLES, an_order, finding_of

INTRODUCTION = """\
<!-- Made by scripts/generate from engine/checks and riskd/codes.py; do not edit. -->

# The pre-trade checks

In THE order: the first that refuses is the primary reason, and `explain` lists all. FIX is
OrdRejReason, tag 103. A check with a key is made only where some scope sets that limit, and the
tightest scope decides; a value exactly at the limit passes, but for `DAILY_LOSS` and `DRAWDOWN`.
Where a limit is soft (`{ value = ..., hard = false }`) what is found is a warning. How to add one:
[adding-a-check.md](adding-a-check.md).

Words of the formulas: *longest* and *shortest* are the position if every working buy, or every
working sell, were filled, this order included; *worst* is the larger of both, or that on the
order's side; *rate* turns the instrument's settlement currency into the account's; *reference* is
the price that the verdict names, *mark* what a position is valued at. A change of a working order
counts as reducing if it reserves no more and its price is no worse for the account than any that
the venue may have; one that is worth more all the same is held to turnover.

In the examples X is quoted 100 / 100, account A1 has 1,000 USD and any leverage, and the order is a
buy of one X at 100 but for what is shown. They are played through the engine when this page is
made."""
FORMULA = "Formula: "  # Begins the second paragraph of a check's docstring.
ELSEWHERE = """\
## Not in the table

Decided before an order reaches the checks, or when something failed; the same precedence."""
ELSEWHERE_ROWS = "| code | FIX | meaning | remedy |\n| --- | --- | --- | --- |"


def render_checks() -> str:
    """Return the page. Deterministic; raises `LookupError` where an example is missing or wrong."""
    blocks = [INTRODUCTION, _contents(), *map(_render, CHECKS), ELSEWHERE, _elsewhere()]
    return "\n\n".join(blocks) + "\n"


def _contents() -> str:
    lines = ["| # | check | FIX | key | a reducing order |", "| --- | --- | --- | --- | --- |"]
    for number, row in enumerate(CHECKS, 1):
        passes = "passes" if row.reducing_passes else "is checked too"
        link = f"[`{row.code}`](#{row.check.__name__})"
        fix = CODES[row.code].fix_code
        lines.append(f"| {number} | {link} | {fix} | {_key(row)} | {passes} |")
    return "\n".join(lines)


def _key(row: CheckRow) -> str:
    key = row.key or finding_of(row.check.__name__, row.code)[1].limit_type
    return f"`{key}`" if key else ""


def _render(row: CheckRow) -> str:
    name, text = row.check.__name__, CODES[row.code]
    definition, _, rest = inspect.cleandoc(row.check.__doc__ or "").partition("\n\n")
    blocks = [f'<a id="{name}"></a>\n### {row.code}' + (f", {_key(row)}" if _key(row) else "")]
    blocks.append(definition)
    if rest.startswith(FORMULA):
        blocks.append("```text\n" + " ".join(rest.removeprefix(FORMULA).split()) + "\n```")
    elif rest:
        blocks.append(rest)
    blocks += [f"{text.meaning} {text.remedy}", _example(row)]
    return "\n\n".join(blocks)


def _example(row: CheckRow) -> str:
    name = row.check.__name__
    verdict, found = finding_of(name, row.code)
    example = EXAMPLES[name]
    given = {
        "account": example.account,
        "limits": example.limits,
        "group_limits": example.group_limits,
        "permissions": msgspec.to_builtins(example.permissions),
        "before": [msgspec.to_builtins(message) for message in example.before],
        "order": example.order,
    }
    plain = an_order("o-0")
    lines = [f"{key}: {_json(value)}" for key, value in given.items() if value and value != [plain]]
    return "```text\n" + "\n".join([*lines, _answer(verdict, found)]) + "\n```"


def _answer(verdict: Verdict, found: Reject) -> str:
    said = "approved, warning" if verdict.approved else "refused"
    numbers = {"value": found.value, "limit": found.limit, "max_quantity": verdict.max_quantity}
    told = "".join(f", {key} {value:g}" for key, value in numbers.items() if value is not None)
    return f'{said}: {found.code} "{found.text}"{told}'


def _json(value: object) -> str:
    return codec.encode_json(value).decode()


def _elsewhere() -> str:
    listed = {row.code for row in CHECKS}
    lines = [
        f"| `{code}` | {CODES[code].fix_code} | {CODES[code].meaning} | {CODES[code].remedy} |"
        for code in RejectCode
        if code not in listed
    ]
    return "\n".join([ELSEWHERE_ROWS, *lines])
