"""The quote board and the valuation book behind an inbox: their only writer."""

from __future__ import annotations

from actors.inputs import FactAt, Input, WakeAccounts
from actors.mail import Mail
from actors.runtime import LoopActor, RunQueue
from engine.facts import Facts, Removed, Watched
from engine.market import apply_ages, apply_market, apply_waiting
from engine.quotes import QuoteBoard
from engine.sweep import Sweeper
from engine.watch import Watch
from riskd.messages import DayBegan, Result, SessionRoll, Sweep


class MarketDataActor(LoopActor):
    """Applies ticks and market states; keeps the book true to them, and to every ledger.

    Book and board have one writer, so that each price of a batch is in the book, and whoever it
    carried over a threshold is looked at, before the next is applied.
    """

    def __init__(
        self,
        board: QuoteBoard,
        counts: dict[str, int],
        watch: Watch,
        sweeper: Sweeper,
        *,
        mail: Mail,
        run_queue: RunQueue,
    ) -> None:
        super().__init__(run_queue=run_queue)
        self._watch = watch
        self._sweeper = sweeper
        self._counts = counts
        self._board = board
        self._mail = mail

    def on_receive(self, message: Input | Watched | FactAt | WakeAccounts) -> None:
        """Apply a tick, a batch or a market state, or take what an account or the clock tells."""
        if isinstance(message, Watched):
            self._board.watch(message)
            return
        stamp = message.stamp
        facts: Facts = []
        match message:
            case FactAt(fact=Removed() as removed):
                self._sweeper.remove(removed, stamp, facts)
            case FactAt():
                if message.fact.account is None:
                    self._sweeper.configure(stamp)
                self._watch.take(message.fact, stamp, facts)
            case WakeAccounts():
                apply_ages(self._board, stamp, facts)
                self._sweeper.elapse(stamp, facts)
                apply_waiting(self._board, stamp, self._counts, facts, watch=self._watch)
            case Input(message=Sweep() as asked, reply=reply):
                answered = self._sweeper.sweep_all(asked, stamp, facts)
                if reply is not None:
                    reply(answered)
            case Input(message=DayBegan() as began):
                self._watch.groups.begin_day(began, stamp, facts)
            case Input(message=SessionRoll(), reply=reply):
                skipped = self._watch.groups.roll(stamp, facts)
                if reply is not None:
                    reply(Result(ok=not skipped, data={"skipped": skipped}))
            case Input(message=asked):
                apply_market(self._board, asked, stamp, self._counts, facts, watch=self._watch)
        self._mail.post(facts, stamp)
