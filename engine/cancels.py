"""Cancels that riskd itself asks for: what they end stays counted until the venue has said so."""

from __future__ import annotations

from engine.account import Account
from engine.case import Case
from engine.checks.conduct import crossed_orders
from engine.facts import CancelAsked, Facts, Instructed, SessionEnded
from engine.orders import Order, OrderState
from riskd.codes import RejectCode
from riskd.messages import InstructionAction, Reject, SelfMatch, TimeInForce

KEPT = (TimeInForce.GTC, TimeInForce.GTD)  # Outlive a session, unless the order says otherwise.


def request_cancel(account: Account, order: Order, response_id: str, facts: Facts) -> None:
    """Have a working order cancelled; one that is being cancelled already is left alone."""
    if order.state is OrderState.CANCEL_PENDING:
        return
    order.state = OrderState.CANCEL_PENDING
    facts.append(
        Instructed(
            account.id,
            InstructionAction.CANCEL,
            response_id,
            gateway=account.boards.sessions.gateway_of(order.session),
            client_order_id=order.check.client_order_id,
            symbol=order.check.symbol,
            side=order.check.side,
        )
    )


def cancel_lost(account: Account, ended: SessionEnded, facts: Facts) -> None:
    """Have those orders of a lost session cancelled whose policy says so."""
    for order in account.state.orders.values():
        if order.session == ended.session and _is_cancelled(order, ended):
            request_cancel(account, order, f"session_lost-{ended.session}", facts)


def cancel_asked(account: Account, asked: CancelAsked, facts: Facts) -> None:
    """Have the orders cancelled that a response is about; its own exits are none of them."""
    exits = account.boards.responses.exits
    for order_id, order in account.state.orders.items():
        check = order.check
        about = asked.symbols is None or check.symbol in asked.symbols
        if about and asked.strategy in (None, check.strategy) and order_id not in exits:
            request_cancel(account, order, asked.response_id, facts)


def cancel_crossed(
    account: Account, case: Case, rejects: tuple[Reject, ...], own: Order | None, facts: Facts
) -> None:
    """Have what an order was refused for cancelled, where the rule on self-match says so.

    `own` is the order that was to be changed, if it was a change. What was approved by the same
    input, in a basket, has not left and is no resting order.
    """
    rule = case.plan.self_match
    if rule is None or rule is SelfMatch.REJECT or case.order.dry_run:
        return
    if rejects[0].code != RejectCode.SELF_MATCH:
        return  # It could not have gone anyhow.
    crossed = [order for order in crossed_orders(case) if order.verdict.seq != case.stamp.seq]
    if own is not None and rule is SelfMatch.CANCEL_BOTH:
        crossed.append(own)
    for order in crossed:
        request_cancel(account, order, f"self_match-{case.stamp.seq}", facts)


def _is_cancelled(order: Order, ended: SessionEnded) -> bool:
    told = order.check.cancel_on_disconnect
    if told is not None:
        return told
    return ended.cancels and order.check.time_in_force not in KEPT
