"""Certificates: how many lots of a working order are sure to reduce the position.

Working orders on the closing side share the position, the oldest first; what those before it leave
of the position is certified in an order's verdict. A certificate only shrinks: when the position
does, or turns over, or an older exit grows. The gateway that sent the order is told, unless the
order's own fills say it all.
"""

from __future__ import annotations

from engine.account import Account
from engine.books import side_lots
from engine.case import Case
from engine.facts import Certified, Facts, Stamp
from engine.ledger import Position
from engine.nothing import forget, own
from engine.orders import Order
from riskd.messages import Certificate, Side


def certified_lots(case: Case) -> int:
    """Return how many of the case's lots are sure to reduce, 0 if it closes nothing."""
    position = case.plan.position
    if case.lots is None or (not position.hedging and not position.books.lots):
        return 0
    if position.hedging and not case.closing:
        return 0
    return min(case.lots - case.filled_lots, case.reducible_lots())


def certify(account: Account, client_order_id: str, lots: int) -> None:
    """Keep the certificate of a working order, in place of one it may have had."""
    if lots > 0:
        own(account.state, "certified")[client_order_id] = lots
    else:
        forget(account.state.certified, client_order_id)


def recertify(account: Account, stamp: Stamp, facts: Facts) -> None:
    """Shrink what is certified to what is sure now, and tell it.

    O(certified orders), and O(working orders) where some of them no longer fit the position.
    """
    state = account.state
    fits = True
    for order_id, lots in state.certified.items():
        order = state.orders[order_id]
        if order.leaves_lots < lots:  # Its own fills: whoever reported them knows.
            own(state, "certified")[order_id] = order.leaves_lots
        fits = fits and _fits(account.position(order.check.symbol), order)
    if fits:
        return
    sure = _sure_lots(account)
    for order_id, lots in list(state.certified.items()):
        now = min(lots, sure.get(order_id, 0))
        if now < lots:
            certify(account, order_id, now)
            facts.append(_told(account, state.orders[order_id], now, stamp))


def _fits(position: Position, order: Order) -> bool:
    """Return whether everything that works on an order's side surely reduces; legs need a look."""
    if position.hedging:
        return False
    held = position.books.lots
    if order.check.side is Side.BUY:
        return -held >= position.open_buy_lots
    return held >= position.open_sell_lots


def _sure_lots(account: Account) -> dict[str, int]:
    """Return of every working order that closes how much of it is sure to, by its id."""
    sure: dict[str, int] = {}
    left: dict[tuple[str, str], int] = {}  # Of what orders share, for those that are younger.
    for order_id, order in account.state.orders.items():
        shared = _shared(account.position(order.check.symbol), order)
        if not shared:
            continue
        rooms = [left.setdefault(key, lots) for key, lots in shared.items()]
        sure[order_id] = min(order.leaves_lots, *rooms)
        for key in shared:
            left[key] = max(0, left[key] - order.leaves_lots)
    return sure


def _shared(position: Position, order: Order) -> dict[tuple[str, str], int]:
    """Return the lots that an order would close, with a name for each that others share.

    Of a netting account the position; of a hedging one the legs of the other side together, and
    by itself the leg that the order names. What the venue says is not held is not there.
    """
    symbol, buying, doubt = position.symbol, order.check.side is Side.BUY, position.doubt
    if not position.hedging:
        held = -position.books.lots if buying else position.books.lots
        if doubt is not None:
            held -= doubt.buy_lots if buying else doubt.sell_lots
        return {(symbol, ""): held} if held > 0 else {}
    if not order.closes:
        return {}
    longs, shorts = side_lots(position.books)
    held = shorts if buying else longs
    if doubt is not None:
        held -= doubt.closing_buy_lots if buying else doubt.closing_sell_lots
    shared = {(symbol, order.check.side.value): max(0, held)}
    name = order.check.position_id or ""
    leg = position.books.legs.get(name)
    if leg is not None and (leg.lots < 0) is buying:
        shared[symbol, f"{order.check.side} {name}"] = abs(leg.lots)
    return shared


def _told(account: Account, order: Order, lots: int, stamp: Stamp) -> Certified:
    instrument = account.boards.instruments[order.check.symbol]
    position = account.position(order.check.symbol)
    reason = f"the position is {instrument.quantity(position.books.lots):g}"
    if position.doubt is not None:
        reason += f", of which the venue says {instrument.quantity(position.doubt.venue_lots):g}"
    certificate = Certificate(
        account=account.id,
        client_order_id=order.check.client_order_id,
        quantity=instrument.quantity(lots),
        seq=stamp.seq,
        reason=f"{reason}; older exits go first",
    )
    return Certified(order.session, certificate)
