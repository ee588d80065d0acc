"""Targets: to what a response wants positions brought, and the orders that are missing for it.

Pure: looked at is an account of now, changed is nothing. A target is what may be left of a
position; what is held beyond it is closed, never more, so a plan that is resumed does no more than
one that was never interrupted.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import NamedTuple

from engine.account import Account
from engine.books import Books
from engine.held import unrealized_of
from engine.instruments import Instrument
from engine.margin import MarginTerms
from engine.money import exact_fraction
from engine.standing import standing
from engine.targets import Target
from riskd.messages import ResponseAction, ResponsePriority, Side

ROUNDS_MAX = 50  # Of bringing shares under a share of what is left.


class Missing(NamedTuple):
    """What is held beyond a target."""

    target: Target
    side: Side
    lots: int


class Held(NamedTuple):
    """One open position, or one leg of it, with what plans look at."""

    symbol: str
    leg: str | None
    lots: int
    instrument: Instrument
    exposure_money: int  # In account money, never negative.
    profit_money: int
    margin_money: int
    score: float


def held_of(account: Account, symbols: tuple[str, ...] | None = None) -> list[Held]:
    """Return every open position of an account whose value is known; legs apart."""
    found = []
    for symbol, position in account.state.positions.items():
        if symbols is not None and symbol not in symbols:
            continue
        for leg in position.books.legs or (None,):
            books = position.books if leg is None else position.books.legs[leg]
            if books.lots:
                found.append(_held(account, symbol, leg, books))
    return found


def targets_of(
    account: Account,
    action: ResponseAction,
    percent: float | None,
    priority: ResponsePriority,
    *,
    symbols: tuple[str, ...] | None = None,
) -> list[Target]:
    """Return what an action leaves of positions; those it leaves alone have no target."""
    held = held_of(account, symbols)
    match action:
        case ResponseAction.FLATTEN:
            return [Target(one.symbol, one.leg, 0) for one in held]
        case ResponseAction.REDUCE:
            return _reduced(held, percent or 100.0, priority)
        case ResponseAction.SHARE:
            return _shared(account, held, percent or 100.0)
        case ResponseAction.CUT_CORRELATED:
            return _uncorrelated(account, held, percent or 100.0)
        case _:
            return []


def missing_of(account: Account, targets: list[Target]) -> list[Missing]:
    """Return what is still held beyond the targets; a position that turned over is all beyond."""
    found = []
    for target in targets:
        lots = lots_of(account, target)
        kept = target.lots if target.lots * lots > 0 else 0
        beyond = abs(lots) - abs(kept)
        if beyond > 0:
            found.append(Missing(target, Side.SELL if lots > 0 else Side.BUY, beyond))
    return found


def lots_of(account: Account, target: Target) -> int:
    """Return what is held now of what a target is about, signed."""
    books = account.position(target.symbol).books
    if target.leg is None:
        return books.lots
    leg = books.legs.get(target.leg)
    return leg.lots if leg is not None else 0


def _held(account: Account, symbol: str, leg: str | None, books: Books) -> Held:
    boards = account.boards
    instrument, quote = boards.instruments[symbol], boards.quotes.quotes[symbol]
    mark = quote.mark_long if books.lots > 0 else quote.mark_short
    size = instrument.notional_money(books.lots, mark) if mark is not None else 0
    exposure = account.convert(size, instrument.settlement) or 0
    profit = unrealized_of(books, instrument, quote) or 0
    rate = boards.quotes.rate(instrument.settlement, account.currency)
    terms = MarginTerms(account.state.spec, instrument)
    stands = standing(account, account.position(symbol), leg)
    return Held(
        symbol=symbol,
        leg=leg,
        lots=books.lots,
        instrument=instrument,
        exposure_money=exposure,
        profit_money=account.convert(profit, instrument.settlement) or 0,
        margin_money=0 if rate is None else terms.initial_money(size, rate),
        score=stands.score if stands is not None else 0.0,
    )


def _reduced(held: list[Held], percent: float, priority: ResponsePriority) -> list[Target]:
    """Close positions in the order of the priority until `percent` of the exposure is gone.

    Exposure that is not known counts for nothing and goes last.
    """
    match priority:
        case ResponsePriority.LARGEST_LOSS:
            ordered = sorted(held, key=lambda one: one.profit_money)
        case ResponsePriority.LARGEST_MARGIN:
            ordered = sorted(held, key=lambda one: -one.margin_money)
        case ResponsePriority.WORST_SCORE:
            ordered = sorted(held, key=lambda one: one.score)
    left = sum(one.exposure_money for one in held) * _share(percent)
    targets = []
    for one in ordered:
        if left <= 0:
            break
        targets.append(_cut(one, min(Fraction(1), left / max(1, one.exposure_money))))
        left -= one.exposure_money
    return targets


def _shared(account: Account, held: list[Held], percent: float) -> list[Target]:
    """Bring every symbol under `percent` of what is left of exposure, or of equity if larger."""
    account.valuation.refresh()
    equity = account.valuation.equity_money
    sizes: dict[str, int] = {}
    for one in held:
        sizes[one.symbol] = sizes.get(one.symbol, 0) + one.exposure_money
    cut = dict(sizes)
    for _ in range(ROUNDS_MAX):
        cap = int(max(sum(cut.values()), equity) * _share(percent))
        lower = {symbol: min(size, cap) for symbol, size in cut.items()}
        if lower == cut:
            break
        cut = lower
    return [
        _cut(one, 1 - Fraction(cut[one.symbol], sizes[one.symbol]))
        for one in held
        if cut[one.symbol] < sizes[one.symbol]
    ]


def _uncorrelated(account: Account, held: list[Held], percent: float) -> list[Target]:
    symbols = list(dict.fromkeys(one.symbol for one in held))
    clusters = account.boards.quotes.correlations.clusters(symbols)
    together = {symbol for cluster in clusters if len(cluster) > 1 for symbol in cluster}
    return [_cut(one, _share(percent)) for one in held if one.symbol in together]


def _share(percent: float) -> Fraction:
    return exact_fraction(percent) / 100


def _cut(one: Held, part: Fraction) -> Target:
    """Return what is left when at least `part` of a position goes, in whole lots."""
    gone = ceil(abs(one.lots) * part)
    kept = abs(one.lots) - gone
    return Target(one.symbol, one.leg, kept if one.lots > 0 else -kept)
