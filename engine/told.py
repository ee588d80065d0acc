"""What an account is told by what watches over it: sessions, responses, faults."""

from __future__ import annotations

from engine.account import Account
from engine.booking import freeze
from engine.cancels import cancel_asked, cancel_lost
from engine.facts import (
    CancelAsked,
    Distrusted,
    Facts,
    RiskShrunk,
    SessionEnded,
    ToldMessage,
)


def apply_told(account: Account, message: ToldMessage, facts: Facts) -> None:
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
            conduct.risk_shrunk_pct = message.percent
            conduct.risk_shrunk_by = "" if message.percent is None else message.measure
