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
from engine.money import divide_half_even
from engine.quotes import QuoteBoard
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

    def clear(self) -> None:
        """Begin anew."""
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
        self.open_orders += moved.open_orders
        if moved.turnover_money:
            standing = self.turnover.get(moved.settlement, 0)
            self.turnover[moved.settlement] = standing + moved.turnover_money


class GroupWorth(NamedTuple):
    """A group's exposures in the firm's currency."""

    upper_money: int
    lower_money: int
    gross_money: int


def worth_of(
    total: GroupTotal, board: QuoteBoard, instruments: dict[str, Instrument], currency: str
) -> GroupWorth | Missing:
    """Return a group's exposures at the marks and rates of now. O(symbols)."""
    upper = lower = gross = 0
    for symbol, held in total.symbols.items():
        if not (held.upper_lots or held.lower_lots or held.gross_lots):
            continue
        mark = board.quotes[symbol].mark_long
        instrument = instruments[symbol]
        rate = board.rate(instrument.settlement, currency)
        wide = board.exposure_rate(instrument.settlement, currency)
        if mark is None:
            return Missing(RejectCode.NO_REFERENCE_PRICE, f"{symbol} is held without a mark")
        if rate is None or wide is None:
            text = f"no exchange rate from {instrument.settlement} to {currency}"
            return Missing(RejectCode.FX_MISSING, text)
        above = instrument.exposure_money(held.upper_lots, mark)
        below = instrument.exposure_money(held.lower_lots, mark)
        upper += _worth(above, wide if above > 0 else rate)
        lower += _worth(below, wide if below < 0 else rate)
        gross += _worth(instrument.exposure_money(held.gross_lots, mark), wide)
    return GroupWorth(upper, lower, gross)


def turnover_of(total: GroupTotal, board: QuoteBoard, currency: str) -> int | Missing:
    """Return what a group traded today and has working, in the firm's currency."""
    turnover = 0
    for settlement, money in total.turnover.items():
        rate = board.rate(settlement, currency)
        if rate is None:
            text = f"no exchange rate from {settlement} to {currency}"
            return Missing(RejectCode.FX_MISSING, text)
        turnover += _worth(money, rate)
    return turnover


def _worth(money: int, rate: tuple[int, int]) -> int:
    numerator, denominator = rate
    return money if numerator == denominator else divide_half_even(money * numerator, denominator)
