"""The check of permission: whether anybody said that this may be traded, or that it may not."""

from __future__ import annotations

from engine.case import Case, Plan
from engine.findings import reject, reject_case
from riskd.codes import RejectCode
from riskd.messages import AccountSpec, Reject


def has_rules(spec: AccountSpec, plan: Plan) -> bool:
    """Return whether anything restricts orders of this kind, or has to permit them."""
    return bool(plan.bans) or plan.permits is not None


def check_not_permitted(case: Case) -> Reject | None:
    """No restriction forbids the order; where permission is needed, a rule gives it.

    Formula: no rule of restricted matches, and (none is needed or one of permitted matches)
    """
    order, plan = case.order, case.plan
    for ban in plan.bans:
        if ban.side in (None, order.side) and ban.order_type in (None, order.order_type):
            return reject(RejectCode.NOT_PERMITTED, ban.text, ban.scope, ban.scope_id)
    if plan.permits is None:
        return None
    for permit in plan.permits:
        if permit.side in (None, order.side) and permit.order_type in (None, order.order_type):
            return None
    text = f"no rule permits {order.side} {order.order_type} orders in {plan.owner.symbol}"
    return reject_case(case, RejectCode.NOT_PERMITTED, text)
