"""Conflation: of many ticks of a symbol that wait together, those that anything can depend on.

The last stays, for it says what stands now, and so does whichever took the bid, the ask, their
middle or the last price highest or lowest: peaks of what is held in one symbol, excursions and
moves are as if every tick had been taken. What is left out is counted in the tick that follows it,
so that no sequence number is missed.

Ticks are left out only among neighbours of one symbol and feed that say the same things, each newer
than the one before, and that the board takes whatever stands. What is odd in any way, is the first
of its feed, or says one side alone, stays: what it makes depends on the tick before it.
"""

from __future__ import annotations

from itertools import islice
from math import inf

from msgspec.structs import replace

from engine.quotes import QuoteBoard
from riskd.messages import Tick

Shape = tuple[object, ...]
Placed = tuple[int, int, Tick]  # As which of its stretch and of all it came.
PRICES = 4  # Bid, ask, their middle, last.


class Conflation:
    """Ticks that wait, in the order in which they came; `add` is O(1)."""

    def __init__(self, board: QuoteBoard) -> None:
        self.count = 0  # Of the ticks that were added since the last were taken.
        self._board = board
        self._stretches: dict[str, _Stretch] = {}
        self._stay: list[tuple[int, Tick]] = []
        self._seqs: dict[tuple[str, str], int] = {}  # The highest that wait, by symbol and feed.

    def add(self, tick: Tick) -> None:
        """Let a tick wait."""
        place, symbol = self.count, tick.symbol
        self.count += 1
        stretch = self._stretches.get(symbol)
        shape = _shape(tick) if self._board.takes_by_itself(tick) else None
        if tick.seq is not None and not self._follows(tick, tick.seq):
            shape = None
        if stretch is not None and (shape is None or shape != stretch.shape):
            self._stay += stretch.kept()
            stretch = None
        if stretch is None:
            stretch = self._stretches[symbol] = _Stretch(shape)
        stretch.add(place, tick)

    def _follows(self, tick: Tick, seq: int) -> bool:
        """Return whether a sequence number is higher than those its feed gave for the symbol.

        The first of all follows none: from it on gaps are counted, so it has to stay.
        """
        key, quote = (tick.symbol, tick.feed), self._board.quotes.get(tick.symbol)
        known = self._seqs.get(key)
        if known is None and quote is not None:
            known = quote.feed_seqs.get(tick.feed)
        self._seqs[key] = seq if known is None else max(seq, known)
        return known is not None and seq > known

    def settle(self, symbols_max: int) -> bool:
        """Find out what stays of so many more symbols; return whether that is known of all."""
        stretches = self._stretches
        for symbol in list(islice(stretches, symbols_max)):
            self._stay += stretches.pop(symbol).kept()
        return not stretches

    def take(self) -> list[Tick]:
        """Return the ticks that stay, and begin anew. O(those that stay)."""
        self.settle(len(self._stretches))
        stay, self._stay = self._stay, []
        self._seqs.clear()
        self.count = 0
        stay.sort(key=lambda placed: placed[0])
        return [tick for _, tick in stay]


class _Stretch:
    """Like ticks of one symbol, one after the other."""

    __slots__ = ("_count", "_high", "_highest", "_last", "_low", "_lowest", "shape")

    def __init__(self, shape: Shape | None) -> None:
        self.shape = shape
        self._count = 0
        self._last: Placed | None = None
        self._high, self._low = [-inf] * PRICES, [inf] * PRICES
        self._highest: list[Placed | None] = [None] * PRICES
        self._lowest: list[Placed | None] = [None] * PRICES

    def add(self, place: int, tick: Tick) -> None:
        """Take a tick in."""
        placed = self._last = (self._count, place, tick)
        self._count += 1
        bid, ask = tick.bid, tick.ask
        middle = None if bid is None or ask is None else bid + ask
        for number, price in enumerate((bid, ask, middle, tick.last)):
            if price is None:
                continue
            if price > self._high[number]:
                self._high[number], self._highest[number] = price, placed
            if price < self._low[number]:
                self._low[number], self._lowest[number] = price, placed

    def kept(self) -> list[tuple[int, Tick]]:
        """Return what stays, each with how many were left out before it."""
        extremes = (*self._highest, *self._lowest, self._last)
        found, before = [], -1
        for index, place, tick in sorted(
            {placed[0]: placed for placed in extremes if placed is not None}.values()
        ):
            skipped, before = index - before - 1, index
            kept = replace(tick, conflated=tick.conflated + skipped) if skipped else tick
            found.append((place, kept))
        return found


def _shape(tick: Tick) -> Shape:
    """Return what a tick says things of: only ticks alike in it can stand for each other."""
    bid_size, ask_size = tick.bid_size, tick.ask_size
    return (
        tick.feed,
        tick.bid is None,
        tick.last is None,
        tick.seq is None,
        tick.bid == tick.ask,
        (bid_size is None, bid_size == 0),
        (ask_size is None, ask_size == 0),
    )
