"""What an account is exposed to and what that ties up, made exactly from its ledger when asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from engine.account import Account
from engine.held import Held, unrealized_of
from engine.instruments import Instrument
from engine.money import number_from_money


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


class Stake(NamedTuple):
    """A symbol as its currencies are counted by. Lots are signed, legs of a hedge added up."""

    instrument: Instrument
    lots: int
    cost_money: int
    profit_money: int | None  # Unrealised; None without a mark.


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


def net_by_currency(cash: dict[str, int], held: Iterable[Stake]) -> dict[str, float]:
    """Return what there is of each currency, in itself: zero is left out, and what has no mark.

    Of a pair both legs are counted, bought is had and paid is owed; of all else the profit.
    """
    found = dict(cash)
    for stake in held:
        instrument, money = stake.instrument, stake.profit_money
        base, settlement = instrument.base, instrument.settlement
        if instrument.is_pair and base is not None:
            found[base] = found.get(base, 0) + instrument.base_money(stake.lots)
            money = -stake.cost_money
        if money is not None:
            found[settlement] = found.get(settlement, 0) + money
    return {key: number_from_money(money) for key, money in sorted(found.items()) if money}


def stakes_of(account: Account) -> Iterator[Stake]:
    """Yield what an account holds, as its currencies are counted by."""
    boards = account.boards
    for symbol, position in account.state.positions.items():
        books, instrument = position.books, boards.instruments[symbol]
        profit_money = unrealized_of(books, instrument, boards.quotes.quotes[symbol])
        yield Stake(instrument, books.lots, books.cost_money, profit_money)


def mark_ages_ns(account: Account, now_ns: int) -> dict[str, int]:
    """Return the age of the price of everything that is held and has one."""
    quotes, found = account.boards.quotes.quotes, {}
    for symbol, position in account.state.positions.items():
        quote = quotes[symbol]
        if (position.books.lots or position.books.legs) and quote.mark_long is not None:
            found[symbol] = max(0, now_ns - quote.recv_ns)
    return found


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
