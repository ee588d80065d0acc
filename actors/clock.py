"""The timers behind an inbox."""

from __future__ import annotations

from collections.abc import Mapping

from actors.inputs import Input, Ref, WakeAccounts
from actors.runtime import LoopActor, RunQueue
from engine.facts import Removed, WakeAt
from engine.timers import Timers
from riskd.messages import Elapse

ELAPSE = Elapse()


class ClockActor(LoopActor):
    """Wakes the accounts that asked for it, in the order of their instants."""

    def __init__(self, timers: Timers, accounts: Mapping[str, Ref], *, run_queue: RunQueue) -> None:
        super().__init__(run_queue=run_queue)
        self._timers = timers
        self._accounts = accounts

    def on_receive(self, message: WakeAt | Removed | WakeAccounts) -> None:
        """Note a wish, or wake whoever is due."""
        if isinstance(message, WakeAt):
            self._timers.ask(message.account, message.steady_ns)
            return
        if isinstance(message, Removed):
            self._timers.drop(message.account)
            return
        for account in self._timers.take_due(message.stamp.steady_ns):
            self._accounts[account].tell(Input(ELAPSE, message.stamp))
