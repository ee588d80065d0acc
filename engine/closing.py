"""Closing an account for good: when that may be, and what ends with it."""

from __future__ import annotations

from engine.account import Account
from engine.crossings import cause_of, subject_of
from engine.facts import SUSPENSE, Facts, Resolved, Stamp, Watched

REMOVED_MAX = 100_000  # Ever: each id stays known, so that it is not given again.


def removal_refused(account: Account) -> str | None:
    """Return why an account cannot be closed, None if it can: it is flat, and nothing is open."""
    name, state, boards = account.id, account.state, account.boards
    if name == SUSPENSE:
        return f"{SUSPENSE} takes the fills of unknown accounts: it stays"
    held = [
        symbol
        for symbol, position in state.positions.items()
        if position.books.lots or any(leg.lots for leg in position.books.legs.values())
    ]
    if held:
        return f"account {name} holds {', '.join(held[:5])}: it is closed when it is flat"
    if state.orders:
        return f"{len(state.orders)} orders of account {name} work: cancel or release them first"
    if state.unbooked:
        return f"a fill of {state.unbooked[0].symbol} waits for its instrument"
    if state.frozen:
        return f"account {name} is frozen ({state.frozen}): look at its books and unfreeze it first"
    doubtful = any(position.doubt is not None for position in state.positions.values())
    if state.unreconciled or state.shortfall_money or doubtful:
        return f"the venue and the books do not agree on account {name}"
    if name in boards.responses.running or boards.outbox.is_asked_of(name):
        return f"a response of account {name} runs: wait for it or stop it first"
    if len(boards.removed) >= REMOVED_MAX:
        return f"{REMOVED_MAX} accounts were closed already"
    return None


def apply_removal(account: Account, stamp: Stamp, facts: Facts) -> None:
    """Remember that an account is closed, and say what is over with it."""
    name, boards, water = account.id, account.boards, account.water.state
    boards.removed[name] = stamp.seq
    subject = subject_of(account)
    facts += [Resolved(cause_of(subject, key)) for key in (*water.standings, *water.paced)]
    for symbol, position in account.state.positions.items():
        if position.since is not None:
            facts.append(Watched(symbol, position.since, None))
