"""Groups: what all accounts below a desk, a client or the firm come to together.

The group board is read in place by accounts; each group's totals are written by its own actor.
An input runs to completion before the next is read, so totals hold under any interleaving. Money
is in the firm's currency, the pivot of the exchange rates.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from engine.facts import GroupMoved, Missing
from engine.instruments import Instrument
from engine.quotes import QuoteBoard
from engine.rates import converted
from riskd.codes import RejectCode


class SymbolTotal(Struct):
    """One symbol over all accounts of a group, in lots."""

    upper_lots: int = 0  # Sum of the positions if every working buy filled and no sell did.
    lower_lots: int = 0  # Sum of the positions if every working sell filled and no buy did.
    gross_lots: int = 0  # Sum of each account's larger side.


class GroupTotal(Struct):
    """What the accounts of one group come to."""

    symbols: dict[str, SymbolTotal] = {}
    open_orders: int = 0
    turnover: dict[str, int] = {}  # Traded today and working, by settlement currency.
    touched: dict[str, None] = {}  # Symbols that changed since the group's worth was counted.

    def clear(self) -> None:
        """Begin anew."""
        self.touched.update(dict.fromkeys(self.symbols))
        self.symbols.clear()
        self.turnover.clear()
        self.open_orders = 0

    def apply(self, moved: GroupMoved) -> None:
        """Take the change of one account."""
        total = self.symbols.get(moved.symbol)
        if total is None:
            total = self.symbols[moved.symbol] = SymbolTotal()
        total.upper_lots += moved.upper_lots
        total.lower_lots += moved.lower_lots
        total.gross_lots += moved.gross_lots
        self.touched[moved.symbol] = None
        self.open_orders += moved.open_orders
        if moved.turnover_money:
            standing = self.turnover.get(moved.settlement, 0)
            self.turnover[moved.settlement] = standing + moved.turnover_money


class Seen(NamedTuple):
    """What one symbol of a group was worth at a version of its quote, in money."""

    version: int
    upper: int
    lower: int
    gross: int


UNSEEN = Seen(-1, 0, 0, 0)


class GroupWorth:
    """A group's exposures in the firm's currency, counted anew only where something changed."""

    __slots__ = ("_changes", "_rates_version", "_seen", "_total", "gross", "lower", "upper")

    def __init__(self, total: GroupTotal) -> None:
        self._total = total
        self._seen: dict[str, Seen] = {}
        self._rates_version = self._changes = -1  # Of the board, as of the last refresh.
        self.upper = 0  # All working buys and no sell filled, in money.
        self.lower = 0  # All working sells and no buy filled.
        self.gross = 0  # The larger side of every account.

    def refresh(
        self, board: QuoteBoard, instruments: dict[str, Instrument], currency: str
    ) -> Missing | None:
        """Bring the figures up to the marks and rates of now; return what is missing, if any.

        O(symbols that changed), and O(symbols of the group) after a tick.
        """
        total, seen = self._total, self._seen
        if board.rates_version != self._rates_version:
            seen.clear()
            self.upper = self.lower = self.gross = 0
            self._rates_version, self._changes = board.rates_version, -1
        if board.changes != self._changes:
            self._changes = -1  # Until nothing is missing.
            for symbol in total.symbols:
                known = seen.get(symbol)
                if known is None or known.version != board.quotes[symbol].version:
                    total.touched[symbol] = None
        for symbol in total.touched:
            now = _seen(total.symbols.get(symbol), symbol, board, instruments, currency)
            if isinstance(now, Missing):
                self._changes = -1
                return now
            before = seen.get(symbol, UNSEEN)
            self.upper += now.upper - before.upper
            self.lower += now.lower - before.lower
            self.gross += now.gross - before.gross
            seen[symbol] = now
        total.touched.clear()
        self._changes = board.changes
        return None


def _seen(
    held: SymbolTotal | None,
    symbol: str,
    board: QuoteBoard,
    instruments: dict[str, Instrument],
    currency: str,
) -> Seen | Missing:
    """Return what a symbol is worth now."""
    quote = board.quotes[symbol]
    if held is None or not (held.upper_lots or held.lower_lots or held.gross_lots):
        return UNSEEN._replace(version=quote.version)
    mark, instrument = quote.mark_long, instruments[symbol]
    rate = board.rate(instrument.settlement, currency)
    wide = board.exposure_rate(instrument.settlement, currency)
    if mark is None:
        return Missing(RejectCode.NO_REFERENCE_PRICE, f"{symbol} is held without a mark")
    if rate is None or wide is None:
        text = f"no exchange rate from {instrument.settlement} to {currency}"
        return Missing(RejectCode.FX_MISSING, text)
    above = instrument.exposure_money(held.upper_lots, mark)
    below = instrument.exposure_money(held.lower_lots, mark)
    return Seen(
        quote.version,
        converted(above, wide if above > 0 else rate),
        converted(below, wide if below < 0 else rate),
        converted(instrument.exposure_money(held.gross_lots, mark), wide),
    )


def turnover_of(total: GroupTotal, board: QuoteBoard, currency: str) -> int | Missing:
    """Return what a group traded today and has working, in the firm's currency."""
    turnover = 0
    for settlement, money in total.turnover.items():
        rate = board.rate(settlement, currency)
        if rate is None:
            text = f"no exchange rate from {settlement} to {currency}"
            return Missing(RejectCode.FX_MISSING, text)
        turnover += converted(money, rate)
    return turnover
