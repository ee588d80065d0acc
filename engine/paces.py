"""Looks at every account, a fixed time apart: how fast it loses, how far it moved, how it stands.

An alert stands until its measure has come back by a step and stayed back for the dwell, as that of
a guard does.
"""

from __future__ import annotations

from engine.account import Account
from engine.boards import Boards
from engine.facts import MS_NS, Facts, Raised, Resolved, Stamp, Stood
from engine.high_water import Standing
from engine.nothing import forget, own
from engine.pace_rules import Found, find, is_asked, note
from riskd.messages import AlertSettings, ResponseEvent

SLICE_MAX = 10  # Accounts looked at before others get their turn.
EVENTS = {
    "burn_rate": ResponseEvent.BURN_RATE,
    "pnl_move": ResponseEvent.PNL_MOVE,
    "position_move": ResponseEvent.PNL_MOVE,
    "reward_to_risk": ResponseEvent.REWARD_TO_RISK,
    "rebalancing": ResponseEvent.REBALANCING,
    "currency_limit": ResponseEvent.EXPOSURE,
}


class Paces:
    """Walks over the accounts, a slice at a time."""

    def __init__(self, boards: Boards, accounts: dict[str, Account]) -> None:
        self._boards = boards
        self._accounts = accounts

    def configure(self, stamp: Stamp) -> None:
        """Take up how often to look, if anything is asked for."""
        state, every_ns = self._boards.sweep, self._settings().look_ms * MS_NS
        if not is_asked(self._settings(), self._boards.limits):
            state.look_ns = None
        elif state.look_ns is None or state.look_ns > stamp.steady_ns + every_ns:
            state.look_ns = stamp.steady_ns + every_ns

    def elapse(self, stamp: Stamp, facts: Facts) -> None:
        """Look at the next slice, if it is due."""
        state = self._boards.sweep
        if state.look_ns is None or stamp.steady_ns < state.look_ns:
            return
        names = list(self._accounts)
        for name in names[state.look_cursor : state.look_cursor + SLICE_MAX]:
            self._look(self._accounts[name], stamp, facts)
        state.look_cursor += SLICE_MAX
        if state.look_cursor >= len(names):
            state.look_cursor = 0
        slices = -(-len(names) // SLICE_MAX)
        state.look_ns = stamp.steady_ns + self._settings().look_ms * MS_NS // slices

    def _settings(self) -> AlertSettings:
        return self._boards.settings.alerts

    def _look(self, account: Account, stamp: Stamp, facts: Facts) -> None:
        """Find what is over its threshold now, keep a sample, and say what changed."""
        water, told = account.water, self._settings()
        if not water.is_known() or account.valuation.refresh() is not None:
            return
        eased, paced = 1 - self._boards.settings.recover_pct / 100, water.state.paced

        def ease(key: str) -> float:
            return eased if key in paced else 1.0

        found = {one.key: one for one in find(account, told, stamp.steady_ns, ease)}
        note(account, told, stamp.steady_ns)
        for key, one in found.items():
            if key in paced:
                paced[key].until_ns = None
            else:
                own(water.state, "paced")[key] = Standing(level=1)
                facts += _risen(account, one)
        until_ns = stamp.steady_ns + self._boards.settings.dwell_ms * MS_NS
        for key in [key for key in paced if key not in found]:
            standing = paced[key]
            if standing.until_ns is None:
                standing.until_ns = until_ns
            elif standing.until_ns <= stamp.steady_ns:
                forget(paced, key)
                safe = Stood(account.id, key, EVENTS[key.partition(":")[0]], None, "recovered")
                facts += [Resolved(f"{key}:{account.id}"), safe]


def _risen(account: Account, found: Found) -> Facts:
    """Return what is said of a measure that went over its threshold."""
    raised = Raised(
        found.severity,
        found.key.partition(":")[0],
        f"{found.key}:{account.id}",
        found.text,
        account.id,
        found.symbol,
        value=found.value,
        threshold=found.threshold,
        lasting=True,
    )
    stood = Stood(
        account=account.id,
        measure=found.key,
        event=found.event,
        severity=found.severity,
        reason=found.text,
        value=found.value,
        threshold=found.threshold,
    )
    return [raised, stood]
