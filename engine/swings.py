"""Swings: symbols whose price moved too far within a window, said once until they calm down.

A limit on moves (`price_move`) of everybody in a symbol has thresholds as any other limit. It is
looked at with each price of its symbol, and while it stands as time passes: a window that has gone
on may have left the move behind. A standing is entered at once; it is left when the move has come
back by a step (`[guards] recover_pct`) and stays there for a dwell (`dwell_ms`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct

from engine.facts import MS_NS, Facts, Raised, Resolved, Stamp, Stood
from engine.instruments import MILLI, Instrument
from engine.money import MONEY_SCALE, money_from_number
from engine.quote import Quote
from riskd.messages import PriceMove, ResponseEvent, RiskSettings, Severity

LOOK_NS = 1_000_000_000  # From one look to the next, at least, where no price comes.
LEVELS = ("calm", "warning", "critical", "breached")
SEVERITIES = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
MEASURE = "price_move"
HUNDRED = 100 * MONEY_SCALE


class Moved(NamedTuple):
    """How far a price moved within a window, of what it may."""

    moved: int  # Of the same unit as `most`, whole.
    most: int
    value: float  # In percent or ticks, for people.
    limit: float
    unit: str
    low: float
    high: float
    window_ms: int

    @property
    def is_past(self) -> bool:
        """Return whether it is past the limit; exactly at it is not."""
        return self.moved > self.most


class Swing(Struct):
    """How far along a symbol is: 1 warning, 2 critical, 3 past its limit."""

    level: int
    until_ns: int | None = None  # It has come back, and falls back at this steady instant.


def moved_of(quote: Quote, instrument: Instrument, move: PriceMove, steady_ns: int) -> Moved | None:
    """Return the move that comes nearest to its limit, None where nothing moved or may be told."""
    if quote.moves is None:
        return None
    extremes = quote.moves.extremes(move.window_ms * MS_NS, steady_ns)
    if extremes is None:
        return None
    low, high = extremes
    prices = (instrument.price(low), instrument.price(high), move.window_ms)
    moved, found = high - low, list[Moved]()
    if move.pct is not None and low > 0 and not instrument.spec.allow_negative:
        most, value = low * money_from_number(move.pct), moved * 100 / low
        found.append(Moved(moved * HUNDRED, most, value, move.pct, "%", *prices))
    if move.ticks is not None:
        most = money_from_number(move.ticks) * MILLI
        ticks = moved / MILLI
        found.append(Moved(moved * MONEY_SCALE, most, ticks, move.ticks, "ticks", *prices))
    return max(found, key=lambda one: (one.is_past, one.value / one.limit), default=None)


class Swings:
    """Which symbols stand beyond a threshold of a limit on moves."""

    __slots__ = ("_due_ns", "_dwell_ns", "_eased", "limits", "standing")

    def __init__(self) -> None:
        self.standing: dict[str, Swing] = {}
        self.limits: dict[str, tuple[PriceMove, ...]] = {}  # Of everybody in a symbol.
        self._due_ns: int | None = None
        self._dwell_ns = 0
        self._eased = HUNDRED

    def configure(self, settings: RiskSettings) -> None:
        """Take up by how much and for how long a move must have come back."""
        self._dwell_ns = settings.dwell_ms * MS_NS
        self._eased = HUNDRED - money_from_number(settings.recover_pct)

    def limit(self, symbol: str, moves: tuple[PriceMove, ...]) -> None:
        """Put the limits of a symbol in force; who stands is looked at soon."""
        if moves:
            self.limits[symbol] = moves
        else:
            self.limits.pop(symbol, None)
        self.expect()

    def expect(self) -> None:
        """Look soon."""
        self._due_ns = 0

    def due_steady_ns(self) -> int | None:
        """Return when to look again, None if nobody stands."""
        return self._due_ns if self.standing else None

    def elapse(
        self,
        quotes: Mapping[str, Quote],
        instruments: Mapping[str, Instrument],
        stamp: Stamp,
        facts: Facts,
    ) -> None:
        """Look at those who stand: their windows have gone on."""
        for symbol in list(self.standing):
            self.look(quotes[symbol], instruments[symbol], stamp, facts)
        ends = (swing.until_ns for swing in self.standing.values() if swing.until_ns is not None)
        self._due_ns = min((*ends, stamp.steady_ns + LOOK_NS))

    def look(self, quote: Quote, instrument: Instrument, stamp: Stamp, facts: Facts) -> None:
        """Find where a symbol stands now, and say so if that is elsewhere than before."""
        symbol, level, kept, worst = quote.symbol, 0, 0, None
        for move in self.limits.get(symbol, ()):
            moved = moved_of(quote, instrument, move, stamp.steady_ns)
            if moved is None:
                continue
            if worst is None or moved.value * worst.limit > worst.value * moved.limit:
                worst = moved
            for number, enter in _steps(move, moved):
                if moved.moved > enter:
                    level = max(level, number)
                if moved.moved * HUNDRED > enter * self._eased:
                    kept = max(kept, number)
        swing = self.standing.get(symbol)
        before = 0 if swing is None else swing.level
        if level > before and worst is not None:
            self.standing[symbol] = Swing(level)
            self._due_ns = stamp.steady_ns + LOOK_NS
            worse = _swung(symbol, worst, level)
            facts += [worse, _stood(symbol, worse.severity, worse)]
        elif swing is not None and kept >= before:
            swing.until_ns = None
        elif swing is not None and swing.until_ns is None:
            swing.until_ns = stamp.steady_ns + self._dwell_ns
        elif swing is not None and swing.until_ns is not None and swing.until_ns <= stamp.steady_ns:
            self._fall_back(symbol, worst, kept, facts)

    def _fall_back(self, symbol: str, worst: Moved | None, level: int, facts: Facts) -> None:
        if level and worst is not None:
            self.standing[symbol] = Swing(level)
            facts.append(_swung(symbol, worst, level))
        else:
            del self.standing[symbol]
            facts += [Resolved(_cause(symbol)), _stood(symbol, None, None)]


def _steps(move: PriceMove, moved: Moved) -> Iterator[tuple[int, int]]:
    """Yield each level with what a move must be past to enter it: thresholds are reached at."""
    yield 1, -(-moved.most * money_from_number(move.warning) // HUNDRED) - 1
    yield 2, -(-moved.most * money_from_number(move.critical) // HUNDRED) - 1
    yield 3, moved.most


def _swung(symbol: str, moved: Moved, level: int) -> Raised:
    text = f"{symbol} {LEVELS[level]}: at {moved.low:,.10g} and at {moved.high:,.10g} within "
    text += f"{moved.window_ms / 1000:g} s, {moved.value:.4g} of {moved.limit:g} {moved.unit}"
    return Raised(
        SEVERITIES[level],
        "price_move",
        _cause(symbol),
        text,
        symbol=symbol,
        value=moved.value,
        threshold=moved.limit,
        lasting=True,
    )


def _stood(symbol: str, severity: Severity | None, raised: Raised | None) -> Stood:
    """Return what responses are told: a policy may stop the symbol until it has calmed down."""
    return Stood(
        account=symbol,
        measure=MEASURE,
        event=ResponseEvent.PRICE_MOVE,
        severity=severity,
        reason="its price is calm" if raised is None else raised.message,
        value=None if raised is None else raised.value,
        threshold=None if raised is None else raised.threshold,
        scope="symbol",
    )


def _cause(symbol: str) -> str:
    return f"{MEASURE}:{symbol}"
