"""`riskd explain`: what a code means, without asking anybody; one alert, one order."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from cyclopts import Parameter

from riskd.alert_types import ALERT_TYPES
from riskd.cli.alerts import explain_alert
from riskd.cli.connection import Connection
from riskd.cli.failure import DONE, USAGE, CommandError
from riskd.cli.keep import print_why
from riskd.cli.look import HERE
from riskd.cli.names import did_you_mean
from riskd.cli.text import BOLD, coloured, print_json
from riskd.codes import CODES
from riskd.denial import BAD_ANSWER, FIX_OTHER, NO_ANSWER
from riskd.messages import VerdictRequest
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
    ends: str | None = None  # Of a type of alert.


def explain(
    code: Annotated[
        str, Parameter(help="Such as ORDER_NOTIONAL, daily_loss; an alert's number; an order's id.")
    ] = "",
    /,
    *,
    json: Annotated[bool, Parameter(negative="", help="JSON: one object a code.")] = False,
    connection: Connection = HERE,
) -> int:
    """Say what a reject code, an error code or a type of alert means and what to do.

    Of an alert's number: what caused it and what became of it. Of an order's id: how it was judged,
    with the numbers of every check. Without anything: list all codes.

    Example: riskd explain ORDER_NOTIONAL

    Example: riskd explain gw-2
    """
    if code.strip().isdecimal():
        return explain_alert(int(code), connection, json=json)
    known = _texts()
    wanted = code.strip().replace("-", "_")
    names = dict.fromkeys((wanted.upper(), wanted.lower()))
    found = [known[name] for name in names if name in known]  # A code and an alert may share one.
    if wanted and not found:
        near = did_you_mean(wanted, known)
        if not near:
            return _explain_order(code, connection, json=json)
        raise CommandError(
            f"{code!r} is no reject code, no error code and no type of alert.",
            exit_code=USAGE,
            expected="one of the codes that riskd explain lists",
            next_step=near,
        )
    if json:
        for text in found or known.values():
            print_json({name: part for name, part in text._asdict().items() if part is not None})
    elif not found:
        width = max(map(len, known))
        for text in known.values():
            print(f"{text.code:<{width}}  {text.meaning}")
    for text in () if json else found:
        _print(text)
    return DONE


def _explain_order(order_id: str, connection: Connection, *, json: bool) -> int:
    """Say how riskd answered an order, with the numbers of every check."""
    try:
        verdict = connection.ask(VerdictRequest(client_order_id=order_id)).data["verdict"]
    except CommandError as error:
        raise CommandError(
            f"{order_id!r} is no code, no type of alert, no order that is known: {error}",
            exit_code=error.exit_code,
            where=error.where,
            expected="one of the codes that riskd explain lists, or the id of an order",
            next_step=error.next_step or "riskd explain",
        ) from error
    asked = VerdictRequest(
        seq=verdict["seq"],
        client_order_id=verdict["client_order_id"],
        account=verdict["account"],
    )
    found = connection.patient().ask(asked).data
    told = {"seq": asked.seq, "recv_ns": verdict["checked_ns"], "request": found["check"]}
    return print_why([told | {"answer": found["verdict"], "checks": found["checks"]}], json=json)


def _print(text: _Text) -> None:
    print(coloured(text.code, BOLD))
    print(f"  means  {text.meaning}")
    if text.ends is not None:
        print(f"  ends   {text.ends}")
    print(f"  do     {text.remedy}")
    if text.fix_code is not None:
        print(f"  FIX    OrdRejReason(103)={text.fix_code}")


def _texts() -> dict[str, _Text]:
    """Return every code: of verdicts in their order, of the clients, then of `error`."""
    texts = [
        _Text(str(code), text.fix_code, text.meaning, text.remedy) for code, text in CODES.items()
    ]
    texts += [_Text(code, FIX_OTHER, *words) for code, words in CLIENT_CODES.items()]
    texts += [_Text(code, None, *words) for code, words in ERROR_MEANINGS.items()]
    texts += [
        _Text(name, None, f"{text.meaning} Severity: {text.severity}.", text.remedy, text.ends)
        for name, text in ALERT_TYPES.items()
    ]
    return {text.code: text for text in texts}
