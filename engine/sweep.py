"""The sweep: every so often each account's row is made anew from its exact ledger.

What the book had drifted by since is measured first: more than the bound is a bug, said aloud and
counted. A slice of the accounts at a time, so that no order waits for all of them.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.account import Account
from engine.boards import Boards
from engine.facts import Facts, Moved, Raised, Removed, Stamp
from engine.money import number_from_money
from engine.paces import Paces
from engine.timers import earliest
from engine.watch import Watch
from riskd.messages import Result, Severity, Sweep

SLICE_MAX = 16  # Accounts looked at before others get their turn.
BOUND_PARTS = 10**9  # Of equity or worst-case exposure, the larger: drift beyond one is an alert.
BOUND_MIN_MONEY = 1000  # Units: for an account of almost nothing.


class Drift(NamedTuple):
    """By how much a row differs from its ledger, and by how much it may."""

    money: int
    bound_money: int


class Sweeper:
    """Walks over the accounts."""

    def __init__(self, boards: Boards, accounts: dict[str, Account], watch: Watch) -> None:
        self._boards = boards
        self._accounts = accounts
        self._watch = watch
        self._paces = Paces(boards, accounts)

    def configure(self, stamp: Stamp) -> None:
        """Take up how often to sweep, and to look at paces."""
        self._paces.configure(stamp)
        state, every_ns = self._boards.sweep, self._every_ns()
        if not every_ns:
            state.next_ns = None
        elif state.next_ns is None or state.next_ns > stamp.steady_ns + every_ns:
            state.next_ns = stamp.steady_ns + every_ns

    def due_ns(self) -> int | None:
        """Return the steady instant of the next slice or recovery; None if there is none."""
        state = self._boards.sweep
        return earliest(self._watch.due_ns(), state.next_ns, state.look_ns)

    def elapse(self, stamp: Stamp, facts: Facts) -> None:
        """Let the watch look at what time has done, and sweep the next slice, if it is due."""
        self._watch.elapse(stamp, facts)
        self._paces.elapse(stamp, facts)
        state = self._boards.sweep
        if state.next_ns is None or stamp.steady_ns < state.next_ns:
            return
        names, groups = list(self._accounts), list(self._boards.group_states)
        if state.cursor < len(names):
            for name in names[state.cursor : state.cursor + SLICE_MAX]:
                self._sweep(self._accounts[name], stamp, facts)
            state.cursor = min(state.cursor + SLICE_MAX, len(names))
        else:  # Groups come last, one at a time: the firm's is a whole slice by itself.
            self._watch.groups.sweep(groups[state.cursor - len(names)], stamp, facts)
            state.cursor += 1
        if state.cursor >= len(names) + len(groups):
            state.cursor = 0
            state.rounds += 1
        slices = -(-len(names) // SLICE_MAX) + len(groups)
        state.next_ns = stamp.steady_ns + self._every_ns() // slices

    def remove(self, removed: Removed, stamp: Stamp, facts: Facts) -> None:
        """Go on without an account: who comes next is who would have."""
        state = self._boards.sweep
        state.cursor -= removed.index < state.cursor
        state.look_cursor -= removed.index < state.look_cursor
        self._watch.remove(removed.account, stamp, facts)

    def sweep_all(self, asked: Sweep, stamp: Stamp, facts: Facts) -> Result:
        """Sweep every account now, for an operator."""
        state, largest = self._boards.sweep, 0
        before = state.drifted
        for account in self._accounts.values():
            largest = max(largest, self._sweep(account, stamp, facts))
        for group in self._boards.group_states:
            largest = max(largest, self._watch.groups.sweep(group, stamp, facts))
        shown = {
            "seq": stamp.seq,
            "accounts": len(self._accounts),
            "drifted": state.drifted - before,
            "drift_max": number_from_money(largest),
        }
        return Result(ok=True, data=shown, request_id=asked.request_id)

    def _sweep(self, account: Account, stamp: Stamp, facts: Facts) -> int:
        """Replace an account's row by its ledger; return by how much it had drifted."""
        state, drift = self._boards.sweep, drift_of(account)
        if drift is not None:
            state.drift_max_money = max(state.drift_max_money, drift.money)
            if drift.money > drift.bound_money:
                state.drifted += 1
                facts.append(_drifted(account, drift))
        account.water.note_history(stamp.recv_ns)
        self._watch.follow(account, Moved(account.id), stamp, facts)
        return drift.money if drift is not None else 0

    def _every_ns(self) -> int:
        return self._boards.settings.sweep_ms * 1_000_000


def sweep_view(boards: Boards) -> dict[str, float]:
    """Return what the sweep did and found."""
    state = boards.sweep
    return {
        "rounds": state.rounds,
        "drifted": state.drifted,
        "drift_max": number_from_money(state.drift_max_money),
    }


def drift_of(account: Account) -> Drift | None:
    """Return how far an account's row is from its ledger, None while equity is not known."""
    water, valuation = account.water, account.valuation
    if valuation.refresh() is not None or not water.is_known():
        return None
    water.settle()
    equity_money = valuation.equity_money
    drift_money = abs((water.state.equity_money or 0) - equity_money)
    larger = max(abs(equity_money), valuation.gross_money)
    return Drift(drift_money, BOUND_MIN_MONEY + larger // BOUND_PARTS)


def _drifted(account: Account, drift: Drift) -> Raised:
    value, threshold = number_from_money(drift.money), number_from_money(drift.bound_money)
    text = f"account {account.id}: the book had drifted by {value:g}; it is made anew"
    cause = f"book_drift:{account.id}"
    return Raised(
        Severity.HIGH, "book_drift", cause, text, account.id, value=value, threshold=threshold
    )
