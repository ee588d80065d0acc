"""An account that was made anew from the journal, put in the place of the one that failed."""

from __future__ import annotations

from engine.account import Account
from engine.account_state import AccountState, decode_account
from engine.facts import Facts, Moved, WakeAt
from engine.ledger import Position
from riskd.messages import AccountRebuilt


def take_part(account: Account, message: AccountRebuilt, facts: Facts) -> None:
    """Take a part of the state that an account is to go on with; the last puts it in place."""
    if message.part == 0:
        account.parts = ()
    if message.part != len(account.parts):
        return  # A start was killed between two parts, and these are what is left of them.
    account.parts += (message.state,)
    if len(account.parts) == message.parts:
        adopt(account, decode_account("".join(account.parts)), facts)


def adopt(account: Account, state: AccountState, facts: Facts) -> None:
    """Let an account go on with another state of its own; what is derived is made anew."""
    for symbol in account.state.positions:  # The groups were told of it: it is flat now.
        if symbol not in state.positions:
            state.positions[symbol] = Position(symbol=symbol, hedging=account.hedging)
    membership = account.membership  # It knows what the groups were told.
    Account.__init__(account, state.spec, account.boards, state)
    account.membership = membership
    for symbol in state.positions:
        membership.touch(symbol)
    facts.append(Moved(account.id))
    facts.extend(WakeAt(account.id, until_ns) for until_ns in state.pending.values())
