"""Verdicts made by the client itself: whatever is not riskd's approval is a denial."""

from __future__ import annotations

from collections.abc import Awaitable

from riskd.codes import CODES, RejectCode
from riskd.errors import BadAnswer, NoAnswer
from riskd.messages import (
    Amend,
    Basket,
    BasketVerdict,
    Check,
    Error,
    OrdersAnswer,
    Reject,
    Verdict,
)

NO_ANSWER = "NO_ANSWER"  # Nothing came in time. The same order, same id, may be asked again.
BAD_ANSWER = "BAD_ANSWER"  # Something came that is no verdict on this order.
FIX_OTHER = 99  # OrdRejReason, tag 103: other.

Heard = OrdersAnswer | NoAnswer | BadAnswer  # What came of a question, silence too.


async def heard(answer: Awaitable[OrdersAnswer]) -> Heard:
    """Return the answer when it is there, or why there is none."""
    try:
        return await answer
    except (NoAnswer, BadAnswer) as nothing:
        return nothing


def denied(order: Check | Amend, code: str, text: str) -> Verdict:
    """Return a denial of `order` that riskd did not give: its `seq` is 0 and its scope `client`."""
    known = code in RejectCode.__members__
    reject = Reject(
        code=code,
        fix_code=CODES[RejectCode(code)].fix_code if known else FIX_OTHER,
        scope="client",
        scope_id="",
        text=text,
    )
    return Verdict(
        client_order_id=_id_of(order),
        account=order.account,
        approved=False,
        seq=0,
        limits_version=0,
        checked_ns=0,
        duplicate=False,
        durability=0,
        rejects=(reject,),
        warnings=(),
        request_id=order.request_id,
    )


def verdict_on(order: Check | Amend, told: Heard) -> Verdict:
    """Return the verdict in `told` if it is one on `order`, and a denial otherwise."""
    if not isinstance(told, Verdict):
        return denied(order, *_why_not(told, "a verdict"))
    if (told.account, told.client_order_id) != (order.account, _id_of(order)):
        text = f"Expected a verdict on {_id_of(order)}, got {told.client_order_id}."
        return denied(order, BAD_ANSWER, text)
    return told


def basket_verdict_on(basket: Basket, told: Heard) -> BasketVerdict:
    """Return the verdict in `told` if it is one on `basket`; otherwise each order's denial."""
    if isinstance(told, BasketVerdict):
        named = [(one.account, one.client_order_id) for one in told.verdicts]
        if named == [(one.account, one.client_order_id) for one in basket.orders]:
            return told
        why = BAD_ANSWER, f"Expected the verdicts of basket {basket.basket_id}, got others."
    else:
        why = _why_not(told, "a verdict on a basket")
    return BasketVerdict(
        basket_id=basket.basket_id,
        account=basket.account or "",
        approved=False,
        seq=0,
        verdicts=tuple(denied(order, *why) for order in basket.orders),
        request_id=basket.request_id,
    )


def _why_not(told: Heard, expected: str) -> tuple[str, str]:
    """Return the code and the text of a denial for what is no such verdict."""
    if isinstance(told, NoAnswer):
        return NO_ANSWER, f"{told} No answer is a denial."
    if isinstance(told, BadAnswer):
        return BAD_ANSWER, str(told)
    if isinstance(told, Error):
        return told.code.upper(), told.text
    return BAD_ANSWER, f"Expected {expected}, got {type(told).__name__}."


def _id_of(order: Check | Amend) -> str:
    """Return the id that a verdict on it has: of a change the new one, if it gets one."""
    changed = order.new_client_order_id if isinstance(order, Amend) else None
    return changed or order.client_order_id
