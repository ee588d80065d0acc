"""What people see of a book as a whole: its concentration, and what moves together in it."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

from engine.account import Account
from engine.boards import Boards
from engine.concentration import as_clusters, concentration
from engine.instruments import Instrument
from engine.limits import FIRM
from engine.money import divide_half_even, number_from_money
from engine.quote import Quote
from engine.views import Shown


def accounts_in(scope: str, accounts: dict[str, Account], boards: Boards) -> list[Account] | None:
    """Return the accounts of `firm`, `group:G` or `account:A1`; None if there is no such scope."""
    kind, _, name = scope.partition(":")
    if kind == "account" and name in accounts:
        return [accounts[name]]
    if kind == "group" and name in boards.groups:
        return [x for x in accounts.values() if name in boards.ancestry(x.state.spec.group)]
    return list(accounts.values()) if scope == FIRM else None


def concentration_view(scope: str, accounts: Sequence[Account], boards: Boards) -> Shown:
    """Return how concentrated the net exposure of accounts is, in the firm's or their currency.

    A symbol's exposure is what all of them hold together at the mark; working orders do not count.
    `complete` is false when a mark or a rate was missing: the figures are then of the rest.
    """
    own = accounts[0].currency if scope.startswith("account:") else boards.settings.fx_pivot
    exposures, complete = _exposures(accounts, boards, own)
    equity = 0
    for account in accounts:
        missing = account.valuation.refresh()
        worth = _at_rate(boards, account.valuation.equity_money, account.currency, own)
        complete = complete and missing is None and worth is not None
        equity += worth or 0
    found = concentration(exposures, equity)
    held = [symbol for symbol, money in exposures.items() if money]
    clusters = [x for x in boards.quotes.correlations.clusters(held) if len(x) > 1]
    clustered = concentration(as_clusters(exposures, clusters), equity)
    return {
        "scope": scope,
        "currency": own,
        "equity": number_from_money(equity),
        "gross": number_from_money(sum(abs(money) for money in exposures.values())),
        "complete": complete,
        "positions": len(held),
        "largest_symbol": found.largest_symbol,
        "largest_weight": found.largest_weight,
        "hhi": found.hhi,
        "level": found.level,
        "effective_number": found.effective_number,
        "diversification": found.diversification,
        "weights": found.weights,
        "clusters": [list(cluster) for cluster in clusters],
        "clustered_hhi": clustered.hhi,
        "clustered_level": clustered.level,
        "clustered_diversification": clustered.diversification,
    }


def correlation_view(boards: Boards) -> Shown:
    """Return the correlation of every sampled pair, null where it is not known yet."""
    correlations = boards.quotes.correlations
    symbols = correlations.symbols()
    rows = correlations.matrix().tolist()
    return {
        "symbols": list(symbols),
        "matrix": [[None if isnan(value) else value for value in row] for row in rows],
        "threshold": boards.settings.correlation.threshold,
        "clusters": [list(x) for x in correlations.clusters(symbols) if len(x) > 1],
    }


def exposure_money(instrument: Instrument, quote: Quote, lots: int) -> int | None:
    """Return the signed exposure of lots in settlement money; None without a mark."""
    mark = quote.mark_long if lots >= 0 else quote.mark_short
    return None if mark is None else instrument.exposure_money(lots, mark)


def _exposures(
    accounts: Sequence[Account], boards: Boards, own: str
) -> tuple[dict[str, int], bool]:
    """Return net exposure by symbol, and whether every one was known."""
    found: dict[str, int] = {}
    complete = True
    for account in accounts:
        for symbol, position in account.state.positions.items():
            lots = position.books.lots
            if not lots:
                continue
            instrument = boards.instruments[symbol]
            money = exposure_money(instrument, boards.quotes.quotes[symbol], lots)
            worth = None
            if money is not None:
                worth = _at_rate(boards, money, instrument.settlement, own)
            complete = complete and worth is not None
            found[symbol] = found.get(symbol, 0) + (worth or 0)
    return found, complete


def _at_rate(boards: Boards, money: int, source: str, target: str) -> int | None:
    rate = boards.quotes.rate(source, target)
    if rate is None:
        return None
    return divide_half_even(money * rate.numerator, rate.denominator)
