"""Certificates: how many lots of a working order are sure to reduce the position.

Working orders on the closing side share the position, the oldest first; what those before it leave
of the position is certified in an order's verdict. A certificate only shrinks: when the position
does, or turns over, or an older exit grows. The gateway that sent the order is told, unless the
order's own fills say it all.
"""

from __future__ import annotations

from engine.account import Account
from engine.case import Case
from engine.facts import Certified, Facts, Stamp
from engine.orders import Order
from riskd.messages import Certificate, Side


def certified_lots(case: Case) -> int:
    """Return how many of the case's lots are sure to reduce, 0 if it is on the other side."""
    held = case.plan.position.books.lots
    if not held or (held < 0) is not case.buying or case.lots is None:
        return 0
    return min(case.lots - case.filled_lots, case.reducible_lots())


def certify(account: Account, client_order_id: str, lots: int) -> None:
    """Keep the certificate of a working order, in place of one it may have had."""
    if lots > 0:
        account.state.certified[client_order_id] = lots
    else:
        account.state.certified.pop(client_order_id, None)


def recertify(account: Account, stamp: Stamp, facts: Facts) -> None:
    """Shrink what is certified to what is sure now, and tell it. O(working orders)."""
    state = account.state
    sure: dict[str, int] = {}
    left: dict[str, int] = {}  # Of each position, for the orders that are younger.
    for order_id, order in state.orders.items():
        symbol = order.check.symbol
        held = account.position(symbol).books.lots
        if (held < 0) is not (order.check.side is Side.BUY) or not held:
            continue
        room = left.get(symbol, abs(held))
        sure[order_id] = min(room, order.leaves_lots)
        left[symbol] = max(0, room - order.leaves_lots)
    for order_id, lots in list(state.certified.items()):
        working = state.orders.get(order_id)
        if working is None:
            del state.certified[order_id]
            continue
        expected = min(lots, working.leaves_lots)
        now = min(expected, sure.get(order_id, 0))
        certify(account, order_id, now)
        if now < expected:
            facts.append(_told(account, working, now, stamp))


def _told(account: Account, order: Order, lots: int, stamp: Stamp) -> Certified:
    instrument = account.boards.instruments[order.check.symbol]
    held = instrument.quantity(account.position(order.check.symbol).books.lots)
    certificate = Certificate(
        account=account.id,
        client_order_id=order.check.client_order_id,
        quantity=instrument.quantity(lots),
        seq=stamp.seq,
        reason=f"the position is {held:g} and older exits go first",
    )
    return Certified(order.session, certificate)
