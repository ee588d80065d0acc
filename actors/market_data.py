"""The quote board behind an inbox: its only writer."""

from __future__ import annotations

from actors.inputs import Input, RaisedAt, Ref
from actors.runtime import LoopActor, RunQueue
from engine.facts import Facts, Raised, Watched
from engine.market import apply_market
from engine.quotes import QuoteBoard
from riskd.messages import MarketState, Tick, Ticks


class MarketDataActor(LoopActor):
    """Applies ticks and market states; counts what became of each tick."""

    def __init__(
        self,
        board: QuoteBoard,
        counts: dict[str, int],
        *,
        alerts: Ref,
        run_queue: RunQueue,
    ) -> None:
        super().__init__(run_queue=run_queue)
        self._counts = counts
        self._board = board
        self._alerts = alerts

    def on_receive(self, message: Input | Watched) -> None:
        """Apply a tick, a batch or a market state; watch the marks that positions ask for."""
        if isinstance(message, Watched):
            self._board.watch(message)
            return
        assert isinstance(message.message, Tick | Ticks | MarketState)
        facts: Facts = []
        apply_market(self._board, message.message, message.stamp, self._counts, facts)
        for fact in facts:
            if isinstance(fact, Raised):
                self._alerts.tell(RaisedAt(fact, message.stamp))
