"""Verdicts made by the client itself: whatever is not riskd's approval is a denial."""

from __future__ import annotations

from riskd.codes import CODES, RejectCode
from riskd.messages import Check, Error, OrdersAnswer, Reject, Verdict

NO_ANSWER = "NO_ANSWER"  # Nothing came in time. The same order, same id, may be asked again.
BAD_ANSWER = "BAD_ANSWER"  # Something came that is no verdict on this order.
FIX_OTHER = 99  # OrdRejReason, tag 103: other.


def denied(order: Check, code: str, text: str) -> Verdict:
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
        client_order_id=order.client_order_id,
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


def verdict_on(order: Check, answer: OrdersAnswer) -> Verdict:
    """Return the verdict in `answer` if it is one on `order`, and a denial otherwise."""
    if isinstance(answer, Error):
        return denied(order, answer.code.upper(), answer.text)
    if not isinstance(answer, Verdict):
        return denied(order, BAD_ANSWER, f"Expected a verdict, got {type(answer).__name__}.")
    if (answer.account, answer.client_order_id) != (order.account, order.client_order_id):
        text = f"Expected a verdict on {order.client_order_id}, got {answer.client_order_id}."
        return denied(order, BAD_ANSWER, text)
    return answer
