"""What an account is exposed to and what that ties up, made exactly from its ledger when asked."""

from __future__ import annotations

from typing import NamedTuple

from engine.account import Account
from engine.held import Held


class Exposure(NamedTuple):
    """An account's positions at the marks of now, in account money; working orders apart."""

    by_symbol: dict[str, int]  # Long less short, of what is held.
    sizes: dict[str, int]  # Of the same, long plus short.
    long_money: int
    short_money: int  # Never negative.
    top_symbol: str  # The largest position, its legs each counted; empty if there is none.
    top_money: int

    @property
    def gross_money(self) -> int:
        """Return long plus short."""
        return self.long_money + self.short_money

    @property
    def net_money(self) -> int:
        """Return long less short."""
        return self.long_money - self.short_money


def exposure_of(account: Account) -> Exposure:
    """Return an account's exposure. Its valuation was refreshed and nothing was missing."""
    found: dict[str, int] = {}
    sizes: dict[str, int] = {}
    long_money = short_money = top_money = 0
    top_symbol, own = "", account.currency
    quotes, instruments = account.boards.quotes.quotes, account.boards.instruments
    for symbol, position in account.state.positions.items():
        books, net, gross = position.books, 0, 0
        for leg in books.legs.values() if books.legs else (books,):
            lots = leg.lots
            if not lots:
                continue
            instrument, quote = instruments[symbol], quotes[symbol]
            mark = quote.mark_long if lots > 0 else quote.mark_short
            assert mark is not None  # The refresh found it.
            money = instrument.exposure_money(lots, mark)
            if instrument.settlement != own:
                converted = account.convert(money, instrument.settlement)
                assert converted is not None
                money = converted
            if money > 0:
                long_money, gross = long_money + money, gross + money
            else:
                short_money, gross = short_money - money, gross - money
            net += money
        if gross:
            found[symbol], sizes[symbol] = net, gross
        if gross > top_money:
            top_symbol, top_money = symbol, gross
    return Exposure(found, sizes, long_money, short_money, top_symbol, top_money)


def margin_rate_max(account: Account) -> float:
    """Return the most that margin can change by one of exposure, of all that is held."""
    rates = [0.0]
    for symbol, position in account.state.positions.items():
        held = account.valuation.held(symbol)
        if (position.books.lots or position.books.legs) and held is not None:
            rates.append(_steepest(held))
    return max(rates)


def _steepest(held: Held) -> float:
    terms = held.terms
    numerator, denominator = terms.initial
    hedged = terms.hedged[0] / terms.hedged[1]
    tiers = [bracket.numerator / bracket.denominator for bracket in terms.initial_brackets]
    return max([numerator / denominator, *tiers]) + hedged
