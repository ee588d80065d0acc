"""Reports on orders: what the venue says, what nobody says, and what an operator frees."""

from __future__ import annotations

from math import isfinite

from engine.account import Account
from engine.amend import apply_replaced, is_answered
from engine.conduct import note_cancel
from engine.facts import Facts, Raised, Stamp, WakeAt
from engine.instruments import quantity_invalid
from engine.orders import DUPLICATE, REPORT_IDS_MAX, Flags, Order, OrderState
from riskd.messages import OrderReport, OrderStatus, Severity

_ENDINGS = {
    OrderStatus.REJECTED: OrderState.REJECTED,
    OrderStatus.CANCELED: OrderState.CANCELED,
    OrderStatus.EXPIRED: OrderState.EXPIRED,
}


def report_invalid(account: Account, report: OrderReport) -> str | None:
    """Return what is wrong with a report's numbers, as `field: text`, before it is journalled."""
    leaves = report.leaves_quantity
    order = account.state.orders.get(account.root_id(report.client_order_id))
    if leaves is None:
        named = report.client_order_id in account.state.orders
        if report.status is OrderStatus.REPLACED and named and order and not order.amends:
            return "leaves_quantity: needed when an order is replaced"
        return None
    if order is None:
        text = f"leaves_quantity: {leaves} must be finite, zero or more"
        return None if isfinite(leaves) and leaves >= 0 else text
    instrument = account.boards.instruments[order.check.symbol]
    return quantity_invalid(leaves, instrument, "leaves_quantity", zero=True)


def apply_report(account: Account, report: OrderReport, stamp: Stamp, facts: Facts) -> Flags:
    """Take what the venue says of an order. A repeated report_id changes nothing.

    An end releases exactly the leaves, once. Returns flags.
    """
    state, root = account.state, account.root_id(report.client_order_id)
    order = state.orders.get(root)
    if order is None:
        return _report_of_ended(account, report, facts)
    if report.report_id in order.report_ids:
        return (DUPLICATE,)
    order.report_ids.append(report.report_id)
    if len(order.report_ids) > REPORT_IDS_MAX:
        order.report_ids.pop(0)
    if not order.is_brief():
        state.pending.pop(root, None)
    ending = _ENDINGS.get(report.status)
    if ending is not None:
        account.end(root, ending)
    elif report.status in (OrderStatus.REPLACED, OrderStatus.REPLACE_REJECTED):
        if is_answered(order, report):
            return ("already_answered",)
        apply_replaced(account, order, report, _leaves_lots(account, order, report))
    elif report.status is OrderStatus.CANCEL_PENDING:
        order.state = OrderState.CANCEL_PENDING
        note_cancel(account, order, stamp, facts)
    elif order.state in (OrderState.PENDING, OrderState.SUSPECT):
        order.state = OrderState.ACCEPTED
    return ()


def apply_wake(account: Account, stamp: Stamp, facts: Facts) -> None:
    """Expire what was good till now; mark what has no news past its deadline as suspect.

    What expired is released: a fill that comes all the same is late. What is suspect is still
    counted, and said.
    """
    state = account.state
    for client_order_id, expiry_ns in list(state.expiring.items()):
        if expiry_ns <= stamp.steady_ns:
            account.end(client_order_id, OrderState.EXPIRED)
    _suspect(account, stamp, facts)
    due_ns = account.due_ns()
    if due_ns is not None:
        facts.append(WakeAt(account.id, due_ns))


def _suspect(account: Account, stamp: Stamp, facts: Facts) -> None:
    state = account.state
    while state.pending:
        client_order_id, until_ns = next(iter(state.pending.items()))
        if until_ns > stamp.steady_ns:
            return
        del state.pending[client_order_id]
        order = state.orders[client_order_id]
        order.state = OrderState.SUSPECT
        text = f"order {client_order_id} was approved and nobody has said since how it stands"
        facts.append(
            Raised(
                Severity.HIGH,
                "reservation_suspect",
                f"suspect:{account.id}",
                text,
                account.id,
                order.check.symbol,
            )
        )


def apply_release(account: Account, client_order_id: str, state: OrderState, facts: Facts) -> bool:
    """Free a reservation that nobody will report on; False if the order is not working."""
    order = account.state.orders.get(client_order_id)
    if order is None:
        return False
    account.end(client_order_id, state)
    return True


def _report_of_ended(account: Account, report: OrderReport, facts: Facts) -> Flags:
    order = account.state.finished.get(account.root_id(report.client_order_id))
    unknown = order is None or order.state in (OrderState.DENIED, OrderState.VOID)
    if order is not None and report.report_id in order.report_ids:
        return (DUPLICATE,)
    if order is not None:
        order.report_ids = [*order.report_ids[-REPORT_IDS_MAX + 1 :], report.report_id]
    flag = "unknown_order" if unknown else "already_terminal"
    text = f"report {report.status} of order {report.client_order_id}: {flag}"
    severity = Severity.HIGH if unknown else Severity.LOW
    facts.append(Raised(severity, flag, f"report_{flag}:{account.id}", text, account.id))
    return (flag,)


def _leaves_lots(account: Account, order: Order, report: OrderReport) -> int | None:
    if report.leaves_quantity is None:
        return None
    return account.boards.instruments[order.check.symbol].lots(report.leaves_quantity)
