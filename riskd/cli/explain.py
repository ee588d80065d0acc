"""`riskd explain CODE`: what a reject code means, without asking anybody."""

from __future__ import annotations

import difflib
from typing import Annotated

from cyclopts import Parameter

from riskd.cli.failure import DONE, USAGE, CommandError
from riskd.cli.text import BOLD, coloured, print_json
from riskd.codes import CODES, RejectCode
from riskd.denial import BAD_ANSWER, FIX_OTHER, NO_ANSWER

# Made by the clients, not by riskd.
CLIENT_CODES = {
    NO_ANSWER: (
        "No answer came in time. Whether riskd saw the order is unknown; it was not approved.",
        "Check the same order with the same id again, or give it up and report it canceled.",
    ),
    BAD_ANSWER: (
        "An answer came that is no verdict on this order.",
        "See that client and riskd are of the same version.",
    ),
}


def explain(
    code: Annotated[str, Parameter(help="A reject code such as ORDER_NOTIONAL.")] = "",
    /,
    *,
    json: Annotated[bool, Parameter(negative="", help="One JSON object.")] = False,
) -> int:
    """Say what a reject code means and what to do about it. Without a code: list them all.

    Example: riskd explain ORDER_NOTIONAL
    """
    if not code:
        _print_all(json=json)
        return DONE
    wanted = code.upper().replace("-", "_")
    fix_code, meaning, remedy = _text_of(wanted)
    if json:
        print_json({"code": wanted, "fix_code": fix_code, "meaning": meaning, "remedy": remedy})
        return DONE
    print(coloured(wanted, BOLD))
    print(f"  means  {meaning}")
    print(f"  do     {remedy}")
    print(f"  FIX    OrdRejReason(103)={fix_code}")
    return DONE


def _text_of(code: str) -> tuple[int, str, str]:
    if code in RejectCode.__members__:
        found = CODES[RejectCode(code)]
        return found.fix_code, found.meaning, found.remedy
    if code in CLIENT_CODES:
        return (FIX_OTHER, *CLIENT_CODES[code])
    known = [*RejectCode.__members__, *CLIENT_CODES]
    near = difflib.get_close_matches(code, known, n=1)
    raise CommandError(
        f"{code!r} is no reject code.",
        exit_code=USAGE,
        expected="one of the codes that riskd explain lists",
        next_step=f"did you mean {near[0]}?" if near else "riskd explain",
    )


def _print_all(*, json: bool) -> None:
    names = [*RejectCode.__members__, *CLIENT_CODES]
    width = max(map(len, names))
    for name in names:
        fix_code, meaning, remedy = _text_of(name)
        if json:
            print_json({"code": name, "fix_code": fix_code, "meaning": meaning, "remedy": remedy})
        else:
            print(f"{name:<{width}}  {meaning}")
