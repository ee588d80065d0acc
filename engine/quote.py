"""A quote: the newest prices of one instrument, as the market-data actor last wrote them."""

from __future__ import annotations

from msgspec import Struct

from engine.excursion import Ladder, Seen
from engine.moves import Moves
from riskd.messages import MarketPhase


class Quote(Struct):
    """The newest prices of one instrument, in milliticks; None is absent, never zero."""

    symbol: str
    bid: int | None = None
    ask: int | None = None
    last: int | None = None
    mark_long: int | None = None  # What a long position is valued at.
    mark_short: int | None = None
    is_sided: bool = False  # Both marks were different ones at some time.
    touch_steady_ns: int = 0  # When bid or ask last came; a refused tick does not renew it.
    last_steady_ns: int = 0
    bid_is_empty: bool = False  # Told with a size of zero: nobody is there.
    ask_is_empty: bool = False
    is_sound: bool = False  # Bid below ask, and somebody at both: a book to judge orders by.
    sound_mark: int | None = None  # The middle of the last sound book.
    sound_steady_ns: int = 0
    recv_ns: int = 0
    venue_ns: int | None = None
    feed_seqs: dict[str, int] = {}
    gaps: int = 0  # Feed sequence numbers that never came.
    previous_close: int | None = None
    close_steady_ns: int = 0  # When it was told.
    settlement: int | None = None
    settlement_steady_ns: int = 0
    phase: MarketPhase = MarketPhase.OPEN
    rate_is_old: bool = False  # Of a pair: no price came for longer than a rate stands.
    version: int = 0  # Changes with every mark.
    moves: Moves | None = None  # Of the mark, where a limit asks how far it moved.
    ladder: Ladder | None = None  # Once somebody was filled in it.

    def seen(self, since: int) -> Seen | None:
        """Return the extremes of the marks since a watched version; None if there was none."""
        if self.ladder is not None and since in self.ladder.starts:
            return self.ladder.seen(since)
        if self.mark_long is None or self.mark_short is None:
            return None  # Nor is it watched before this input is complete: one mark stood.
        return Seen(self.mark_long, self.mark_long, self.mark_short, self.mark_short)
