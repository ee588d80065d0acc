"""Prices of the model: quotes, marks, exchange rates, and what an order is judged by."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from riskd.messages import InstrumentSpec, RiskSettings, Tick

MS = 1_000_000


def exact(number: float | str) -> Fraction:
    """The decimal that a wire number stands for."""
    return Fraction(Decimal(str(number)))


@dataclass
class Quoted:
    """The newest prices of one instrument and when they came."""

    bid: Fraction
    ask: Fraction
    touched_ns: int
    last: Fraction | None = None
    last_ns: int = 0
    bid_is_empty: bool = False  # Nobody is there.
    ask_is_empty: bool = False
    sound: tuple[Fraction, int] | None = None  # The middle of the last sound book, and when.
    phase: str = "open"

    def mark(self) -> Fraction:
        return (self.bid + self.ask) / 2

    def is_empty(self) -> bool:
        return self.bid_is_empty or self.ask_is_empty

    def is_sound(self) -> bool:
        """Two prices apart and somebody at both."""
        return self.bid < self.ask and not self.is_empty()


@dataclass
class Market:
    """Every instrument, quoted on both sides. Nothing here trades at or below zero."""

    settings: RiskSettings
    instruments: dict[str, InstrumentSpec]
    quotes: dict[str, Quoted] = field(default_factory=dict)

    def take(self, tick: Tick, now_ns: int) -> None:
        """What is absent stands; a book that would be crossed is refused whole."""
        old = self.quotes.get(tick.symbol)
        bid = exact(tick.bid) if tick.bid is not None else old.bid if old else None
        ask = exact(tick.ask) if tick.ask is not None else old.ask if old else None
        assert bid is not None
        assert ask is not None
        if bid > ask:
            return
        if old is None:
            old = self.quotes[tick.symbol] = Quoted(bid, ask, now_ns)
        if tick.bid is not None or tick.ask is not None:
            old.bid, old.ask, old.touched_ns = bid, ask, now_ns
        if tick.bid is not None:
            old.bid_is_empty = tick.bid_size == 0
        if tick.ask is not None:
            old.ask_is_empty = tick.ask_size == 0
        if tick.last is None and old.is_sound():
            old.sound = old.mark(), now_ns
        if tick.last is not None:
            old.last, old.last_ns = exact(tick.last), now_ns

    def settlement(self, symbol: str) -> str:
        spec = self.instruments[symbol]
        return spec.settlement or spec.currency

    def worth(self, symbol: str, quantity: Fraction, price: Fraction) -> Fraction:
        """Signed, in the settlement currency."""
        return quantity * price * exact(self.instruments[symbol].multiplier)

    def rate(self, source: str, target: str) -> Fraction:
        """The pair, else the inverse of the other one, else both legs through the pivot."""
        pivot = self.settings.fx_pivot
        if source == target:
            return Fraction(1)
        direct = self._direct(source, target)
        if direct is None:
            first, second = self._direct(source, pivot), self._direct(pivot, target)
            assert first is not None
            assert second is not None
            direct = first * second
        return direct

    def _direct(self, source: str, target: str) -> Fraction | None:
        for symbol, spec in self.instruments.items():
            if (spec.base, spec.currency) == (source, target):
                return self.quotes[symbol].mark()
            if (spec.base, spec.currency) == (target, source):
                return 1 / self.quotes[symbol].mark()
        return None

    def reference(self, symbol: str, side: str, now_ns: int) -> tuple[Fraction, str, bool]:
        """What an order is judged by, what that is, and whether it is too old.

        The touch of a sound book, the last trade, the middle of the last sound book, a locked book:
        the first that is young enough, else the first there is.
        """
        quote, told = self.quotes[symbol], self.settings
        known: list[tuple[Fraction, str, int, int]] = []
        touch = quote.ask if side == "buy" else quote.bid
        if quote.is_sound():
            known.append((touch, "touch", quote.touched_ns, told.stale_after_ms))
        if quote.last is not None:
            known.append((quote.last, "last", quote.last_ns, told.last_after_ms))
        if quote.sound is not None:
            known.append((quote.sound[0], "mark", quote.sound[1], told.mark_after_ms))
        if quote.bid == quote.ask and not quote.is_empty():
            known.append((quote.bid, "locked", quote.touched_ns, told.stale_after_ms))
        young = [x for x in known if now_ns - x[2] <= x[3] * MS]
        price, source, _, _ = (young or known)[0]
        return price, source, not young

    def is_on_tick(self, symbol: str, price: Fraction) -> bool:
        return (price / exact(self.instruments[symbol].tick_size)).denominator == 1

    def lot(self, symbol: str) -> Fraction:
        return exact(self.instruments[symbol].lot_size)

    def market_value(self, side: str, touch: Fraction, stop: Fraction | None) -> Fraction:
        """An order without a price of its own: slippage counts against a buyer.

        Once its stop is passed it trades at the touch, which may be past the stop already.
        """
        base = touch
        if stop is not None:
            base = max(stop, touch) if side == "buy" else min(stop, touch)
        slip = base * exact(self.settings.slippage_bps) / 10_000
        return base + slip if side == "buy" else base
