"""`riskd explain CODE`: what a reject or error code means, without asking anybody."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from cyclopts import Parameter

from riskd.cli.failure import DONE, USAGE, CommandError
from riskd.cli.names import did_you_mean
from riskd.cli.text import BOLD, coloured, print_json
from riskd.codes import CODES
from riskd.denial import BAD_ANSWER, FIX_OTHER, NO_ANSWER
from riskd.reference.prose import ERROR_MEANINGS

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


class _Text(NamedTuple):
    """What there is to say of one code; `fix_code` is None for codes of `error`."""

    code: str
    fix_code: int | None
    meaning: str
    remedy: str


def explain(
    code: Annotated[str, Parameter(help="A code such as ORDER_NOTIONAL or too_large.")] = "",
    /,
    *,
    json: Annotated[bool, Parameter(negative="", help="JSON: one object a code.")] = False,
) -> int:
    """Say what a reject code or error code means and what to do. Without a code: list them all.

    Example: riskd explain ORDER_NOTIONAL
    """
    known = _texts()
    wanted = code.strip().replace("-", "_")
    found = next((known[name] for name in (wanted.upper(), wanted.lower()) if name in known), None)
    if wanted and found is None:
        raise CommandError(
            f"{code!r} is no reject code and no error code.",
            exit_code=USAGE,
            expected="one of the codes that riskd explain lists",
            next_step=did_you_mean(wanted, known) or "riskd explain",
        )
    if json:
        for text in known.values() if found is None else (found,):
            print_json({name: part for name, part in text._asdict().items() if part is not None})
    elif found is None:
        width = max(map(len, known))
        for text in known.values():
            print(f"{text.code:<{width}}  {text.meaning}")
    else:
        print(coloured(found.code, BOLD))
        print(f"  means  {found.meaning}")
        print(f"  do     {found.remedy}")
        if found.fix_code is not None:
            print(f"  FIX    OrdRejReason(103)={found.fix_code}")
    return DONE


def _texts() -> dict[str, _Text]:
    """Return every code: of verdicts in their order, of the clients, then of `error`."""
    texts = [
        _Text(str(code), text.fix_code, text.meaning, text.remedy) for code, text in CODES.items()
    ]
    texts += [_Text(code, FIX_OTHER, *words) for code, words in CLIENT_CODES.items()]
    texts += [_Text(code, None, *words) for code, words in ERROR_MEANINGS.items()]
    return {text.code: text for text in texts}
