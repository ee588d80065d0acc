"""What an account is told by what watches over it: sessions, responses, faults."""

from __future__ import annotations

from engine.account import Account
from engine.booking import freeze
from engine.cancels import cancel_asked, cancel_lost
from engine.facts import (
    CancelAsked,
    Distrusted,
    ExitsVoided,
    Facts,
    RiskShrunk,
    SessionEnded,
    Stamp,
    ToldMessage,
)
from engine.findings import reject
from engine.nothing import forget, own
from engine.pretrade import deny
from riskd.codes import RejectCode
from riskd.messages import Check, Exit, OrderType, Scope


def apply_told(account: Account, message: ToldMessage, stamp: Stamp, facts: Facts) -> None:
    """Take notice of something."""
    match message:
        case SessionEnded():
            cancel_lost(account, message, facts)
        case Distrusted():
            freeze(account, message.reason, facts)
        case CancelAsked():
            cancel_asked(account, message, facts)
        case RiskShrunk():
            conduct = account.state.conduct
            if message.percent is None:
                forget(conduct.risk_shrunk, message.measure)
            else:
                own(conduct, "risk_shrunk")[message.measure] = message.percent
            conduct.risk_shrunk_pct = min(conduct.risk_shrunk.values(), default=None)
        case ExitsVoided():
            for order in message.exits:
                _void(account, order, stamp)


def _void(account: Account, order: Exit, stamp: Stamp) -> None:
    """Judge an exit that was not begun in time, so that it gets this verdict if it comes yet.

    What it was to close is asked for again under another id: both would close too much.
    """
    text = f"exit {order.client_order_id} was not begun in time, or is not wanted any more"
    found = reject(RejectCode.DEADLINE, text, Scope.ACCOUNT, account.id)
    deny(account, exit_check(account.id, order), stamp, (found,), None)


def exit_check(account: str, order: Exit) -> Check:
    """Return an exit as its gateway is to send it."""
    return Check(
        account=account,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        order_type=OrderType.MARKET,
        reduce_only=True,
        position_id=order.position_id,
    )
