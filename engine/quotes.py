"""The quote board: the newest prices of every instrument, and exchange rates made from them.

Written by the market-data actor alone, read in place by everybody on the loop.
"""

from __future__ import annotations

from enum import StrEnum
from math import isfinite

from engine.bands import Bands
from engine.correlation import Correlations, Mark
from engine.excursion import Ladder
from engine.facts import Facts, Stamp, Watched
from engine.instruments import Instrument, is_a_millitick
from engine.money import is_in_range
from engine.moves import Moves
from engine.quote import Quote
from engine.rates import ExchangeRates
from engine.silence import Silence
from engine.swings import Swings
from riskd.messages import MarketState, RiskSettings, Tick

FEEDS_MAX = 64  # Feeds whose sequence is kept per symbol; a tick of one more feed is refused.


class TickOutcome(StrEnum):
    """What became of a tick."""

    APPLIED = "applied"
    UNKNOWN_SYMBOL = "unknown_symbol"
    EMPTY = "empty"
    VALUE_INVALID = "value_invalid"
    CROSSED = "crossed"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out_of_order"
    TOO_MANY_FEEDS = "too_many_feeds"


class QuoteBoard(ExchangeRates):
    """Quotes by symbol; `rates_version` changes with each price of a pair, `changes` with any."""

    __slots__ = (
        "_mark",
        "bands",
        "changes",
        "correlations",
        "silence",
        "swings",
    )

    def __init__(self, settings: RiskSettings) -> None:
        super().__init__(settings)
        self.changes = 0  # Of marks, of any symbol.
        self.bands = Bands()
        self._mark = settings.mark
        self.correlations = Correlations(settings.correlation)
        self.silence = Silence()
        self.swings = Swings()

    @property
    def closes(self) -> bool:
        """Return whether positions are valued at the side that would close them."""
        return self._mark == "closing"

    def tells_sides(self, quote: Quote) -> bool:
        """Return whether the book moves longs and shorts of a symbol apart.

        Once it had two marks, for good: a start from a snapshot must move by the same steps, for
        floats add up otherwise.
        """
        return self.closes or quote.is_sided

    def configure(self, settings: RiskSettings) -> None:
        """Put other settings in force; marks follow with the next tick of each symbol."""
        self._mark = settings.mark
        self.correlations.configure(settings.correlation)
        self.silence.is_asked = settings.alerts.feed_silence
        self.silence.expect()
        self.swings.configure(settings)
        self._put_settings(settings)

    def add(self, instrument: Instrument) -> Quote:
        """Begin to keep quotes of an instrument; keep those it already has."""
        self._instruments[instrument.symbol] = instrument
        spec = instrument.spec
        quote = self.quotes.setdefault(instrument.symbol, Quote(symbol=instrument.symbol))
        if instrument.is_pair and spec.base is not None:
            self._add_pair(spec.base, spec.currency, spec.symbol)
        return quote

    def takes_by_itself(self, tick: Tick) -> bool:
        """Return whether a tick is taken whatever stood before, but for its sequence."""
        instrument = self._instruments.get(tick.symbol)
        bid, ask, last = tick.bid, tick.ask, tick.last
        if instrument is None:
            return False
        if bid is None or ask is None:
            if bid is not ask or last is None:
                return False  # What one side alone makes depends on the other one that stands.
        elif not (_is_price(bid, instrument) and _is_price(ask, instrument) and bid <= ask):
            return False
        if last is not None and not _is_price(last, instrument):
            return False
        return _is_size(tick.bid_size) and _is_size(tick.ask_size) and _is_size(tick.last_size)

    def apply_tick(self, tick: Tick, stamp: Stamp) -> TickOutcome:
        """Take a tick whole or refuse it whole; a refused tick changes no price and no age."""
        instrument = self._instruments.get(tick.symbol)
        if instrument is None:
            return TickOutcome.UNKNOWN_SYMBOL
        quote = self.quotes[tick.symbol]
        outcome = _sequence_outcome(quote, tick)
        if outcome is not None:
            return outcome
        if tick.seq is not None:  # Seen, even if what it says is refused.
            expected = quote.feed_seqs.get(tick.feed, tick.seq - 1) + 1
            quote.gaps += max(0, tick.seq - expected - tick.conflated)
            quote.feed_seqs[tick.feed] = tick.seq
        bid, ask, last = tick.bid, tick.ask, tick.last
        touches = bid is not None or ask is not None or _is_told(tick.bid_size, tick.ask_size)
        if not touches and last is None:
            return TickOutcome.EMPTY
        for price in (bid, ask, last):
            if price is not None and not _is_price(price, instrument):
                return TickOutcome.VALUE_INVALID
        if not (_is_size(tick.bid_size) and _is_size(tick.ask_size) and _is_size(tick.last_size)):
            return TickOutcome.VALUE_INVALID
        new_bid = quote.bid if bid is None else instrument.milliticks(bid)
        new_ask = quote.ask if ask is None else instrument.milliticks(ask)
        if new_bid is not None and new_ask is not None and new_bid > new_ask:
            return TickOutcome.CROSSED
        if touches:
            quote.bid, quote.ask, quote.touch_steady_ns = new_bid, new_ask, stamp.steady_ns
            _judge_book(quote, tick)
        if last is not None:
            quote.last, quote.last_steady_ns = instrument.milliticks(last), stamp.steady_ns
        quote.recv_ns, quote.venue_ns = stamp.recv_ns, tick.venue_ns
        self._set_mark(quote, stamp.steady_ns)
        if instrument.is_pair:
            self._refresh_rate(quote, stamp.steady_ns)
        return TickOutcome.APPLIED

    def apply_state(self, message: MarketState, stamp: Stamp) -> TickOutcome:
        """Take the trading state of an instrument and the prices that its session starts from."""
        instrument = self._instruments.get(message.symbol)
        if instrument is None:
            return TickOutcome.UNKNOWN_SYMBOL
        for price in (message.previous_close, message.settlement):
            if price is not None and not _is_price(price, instrument):
                return TickOutcome.VALUE_INVALID
        quote = self.quotes[message.symbol]
        quote.phase = message.state
        if message.previous_close is not None:
            quote.previous_close = instrument.milliticks(message.previous_close)
            quote.close_steady_ns = stamp.steady_ns
        if message.settlement is not None:
            quote.settlement = instrument.milliticks(message.settlement)
            quote.settlement_steady_ns = stamp.steady_ns
        self._set_mark(quote, stamp.steady_ns)
        return TickOutcome.APPLIED

    def sample(self, steady_ns: int) -> bool:
        """Take the sample of every mark that is due, before anything of this instant is applied.

        Returns whether other symbols move together than before.
        """
        marks = [
            Mark(symbol, mark, quote.version, self._instruments[symbol].spec.allow_negative)
            for symbol, quote in self.quotes.items()
            for mark in (quote.mark_long,)
            if mark is not None
        ]
        return self.correlations.sample(marks, steady_ns)

    def watch(self, watched: Watched) -> None:
        """Keep the extremes of a symbol's marks since a version that a position asks for."""
        quote = self.quotes[watched.symbol]
        ladder = quote.ladder
        if watched.after is None:
            if ladder is not None and watched.before is not None:
                ladder.leave(watched.before)
            return
        if ladder is None:
            ladder = quote.ladder = Ladder()
            self._climb(quote)
        if not ladder.starts:
            self.silence.expect()
        ladder.move(watched.before, watched.after)

    def look_for_swing(self, symbol: str, stamp: Stamp, facts: Facts) -> None:
        """Say whether a symbol has moved too far; none of nearly all symbols is limited."""
        if symbol in self.swings.limits:
            self.swings.look(self.quotes[symbol], self._instruments[symbol], stamp, facts)

    def look_for_calm(self, stamp: Stamp, facts: Facts) -> None:
        """Say which symbols that had moved too far have calmed down."""
        if self.swings.standing:
            self.swings.elapse(self.quotes, self._instruments, stamp, facts)

    def look_for_silence(self, stamp: Stamp, facts: Facts) -> None:
        """Say which feeds of what somebody holds are silent."""
        self.silence.look(self.quotes, self._instruments, stamp, facts)

    def watch_moves(self, symbol: str, window_ns: int) -> None:
        """Keep how far a symbol's mark moves within a window, from now on; of zero, not at all."""
        quote = self.quotes[symbol]
        if not window_ns:
            quote.moves = None
        elif quote.moves is not None:
            quote.moves.window_ns = window_ns
        else:
            quote.moves = Moves(window_ns)
            if quote.mark_long is not None:
                quote.moves.tell(quote.mark_long, quote.touch_steady_ns)

    def _set_mark(self, quote: Quote, steady_ns: int) -> None:
        quote.version += 1
        self.changes += 1
        bid, ask, last = quote.bid, quote.ask, quote.last
        if self._mark == "last" and last is not None:
            quote.mark_long = quote.mark_short = last
        elif self._mark == "closing" and bid is not None and ask is not None:
            quote.mark_long, quote.mark_short = bid, ask
        elif bid is not None and ask is not None:
            quote.mark_long = quote.mark_short = (bid + ask) // 2
        else:
            closes = (last, bid, ask, quote.settlement, quote.previous_close)
            mark = next((price for price in closes if price is not None), None)
            quote.mark_long = quote.mark_short = mark
        if quote.mark_long != quote.mark_short:
            quote.is_sided = True
        self.bands.tell(quote.symbol, quote.mark_long, quote.mark_short)
        if quote.ladder is not None:
            self._climb(quote)
        if quote.moves is not None and quote.mark_long is not None:
            quote.moves.tell(quote.mark_long, steady_ns)

    def _climb(self, quote: Quote) -> None:
        ladder, mark_long, mark_short = quote.ladder, quote.mark_long, quote.mark_short
        if ladder is not None and mark_long is not None and mark_short is not None:
            ladder.take(quote.version, mark_long, mark_short)


def _is_told(*sizes: float | None) -> bool:
    return any(size is not None for size in sizes)


def _judge_book(quote: Quote, tick: Tick) -> None:
    """Note whether orders may be judged by the touch: two prices apart, and somebody at both.

    A price that comes without a size has somebody behind it; a size that comes alone is that of
    the price that stands.
    """
    bid, ask = quote.bid, quote.ask
    if tick.bid is not None or tick.bid_size is not None:
        quote.bid_is_empty = tick.bid_size == 0
    if tick.ask is not None or tick.ask_size is not None:
        quote.ask_is_empty = tick.ask_size == 0
    quote.is_sound = (
        bid is not None
        and ask is not None
        and bid < ask
        and not (quote.bid_is_empty or quote.ask_is_empty)
    )
    if quote.is_sound and bid is not None and ask is not None:
        quote.sound_mark, quote.sound_steady_ns = (bid + ask) // 2, quote.touch_steady_ns


def _is_price(price: float, instrument: Instrument) -> bool:
    """Return whether the board can count a price; one that counts as zero would divide by it."""
    if not is_in_range(price, instrument.tick_numerator, instrument.tick_denominator):
        return False
    return instrument.spec.allow_negative or is_a_millitick(price, instrument)


def _is_size(size: float | None) -> bool:
    return size is None or (isfinite(size) and size >= 0)


def _sequence_outcome(quote: Quote, tick: Tick) -> TickOutcome | None:
    if tick.seq is None:
        return None
    seen = quote.feed_seqs.get(tick.feed)
    if seen is None:
        return TickOutcome.TOO_MANY_FEEDS if len(quote.feed_seqs) >= FEEDS_MAX else None
    if tick.seq == seen:
        return TickOutcome.DUPLICATE
    return TickOutcome.OUT_OF_ORDER if tick.seq < seen else None
