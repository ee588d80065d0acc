"""Silence: instruments that somebody trades, whose market is open and whose feed says nothing."""

from __future__ import annotations

from collections.abc import Mapping

from engine.facts import Facts, Raised, Resolved, Stamp, Stood
from engine.instruments import Instrument
from engine.quote import Quote
from riskd.messages import MarketPhase, ResponseEvent, Severity

LOOK_NS = 1_000_000_000  # From one look to the next, at least.


class Silence:
    """Which feeds are silent: said once, resolved when they speak.

    What a look finds depends on the quotes alone; `due_ns` only says when one is worth while.
    """

    __slots__ = ("_due_ns", "is_asked", "silent")

    def __init__(self) -> None:
        self.silent: dict[str, None] = {}
        self.is_asked = False
        self._due_ns: int | None = None

    def due_steady_ns(self) -> int | None:
        """Return when to look again, None if nothing can fall silent."""
        return self._due_ns if self.is_asked or self.silent else None

    def expect(self) -> None:
        """Look soon: another instrument is traded, or other rules are in force."""
        self._due_ns = 0

    def heard(self, symbol: str, facts: Facts) -> None:
        """Take note that a feed spoke."""
        if symbol in self.silent:
            del self.silent[symbol]
            facts += [Resolved(_cause(symbol)), _stood(symbol, None, "its feed speaks")]
            self.expect()

    def look(
        self,
        quotes: Mapping[str, Quote],
        instruments: Mapping[str, Instrument],
        stamp: Stamp,
        facts: Facts,
    ) -> None:
        """Say which feeds are silent for longer than their instrument's prices are fresh."""
        self._due_ns = None
        if not self.is_asked:
            for symbol in list(self.silent):
                self.heard(symbol, facts)
            return
        for symbol, quote in quotes.items():
            if symbol in self.silent or not _is_watched(quote):
                continue
            span_ns = instruments[symbol].stale_after_ns
            late_ns = max(quote.touch_steady_ns, quote.last_steady_ns) + span_ns + 1
            if late_ns <= stamp.steady_ns:
                self.silent[symbol] = None
                text = f"nothing was heard of {symbol} for {span_ns / 1e9:g} s, and it is traded"
                told = (Severity.HIGH, "feed_silent", _cause(symbol), text, None, symbol)
                facts += [Raised(*told, lasting=True), _stood(symbol, Severity.HIGH, text)]
            else:
                due_ns = max(late_ns, stamp.steady_ns + LOOK_NS)
                self._due_ns = due_ns if self._due_ns is None else min(self._due_ns, due_ns)


def _stood(symbol: str, severity: Severity | None, reason: str) -> Stood:
    """Return what responses are told: a policy may stop the symbol until its feed speaks."""
    event = ResponseEvent.FEED_SILENCE
    return Stood(symbol, "feed_silence", event, severity, reason, scope="symbol")


def _cause(symbol: str) -> str:
    return f"feed_silent:{symbol}"


def _is_watched(quote: Quote) -> bool:
    """Return whether somebody holds it, its market is open and its feed has ever spoken."""
    is_held = quote.ladder is not None and bool(quote.ladder.starts)
    has_spoken = quote.touch_steady_ns or quote.last_steady_ns
    return is_held and bool(has_spoken) and quote.phase is MarketPhase.OPEN
