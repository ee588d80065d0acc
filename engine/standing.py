"""How an open position stands: its excursion, its reward to its risk, a score, what to do with it.

Suggestions are data for a person or a strategy to judge; riskd sends no order for them.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.account import Account
from engine.books import trade_base_money
from engine.instruments import Instrument
from engine.ledger import Position
from engine.quote import Quote
from engine.trades import OpenTrade, profits_seen, reward_to_risk

GIVEN_BACK_PART = 2  # A trim is suggested when more than half of the best was given back.
NEAR_TARGET_PART = 10  # A target is near when a tenth of the way from the entry is left.
SCORE_MAX = 100.0


class Excursion(NamedTuple):
    """The extremes of an open trade's profit and where it stands, in settlement money."""

    best_money: int
    worst_money: int
    profit_money: int | None  # None without a mark.


class Suggestion(NamedTuple):
    """Something to consider: `move_target` to a price, or `trim` by a number of lots."""

    action: str
    why: str
    price: float | None = None
    lots: int | None = None


class Standing(NamedTuple):
    """An open position measured; what cannot be said is None."""

    excursion: Excursion
    planned: float | None  # Reward to risk at the entry.
    live: float | None  # At the mark.
    score: float
    suggestions: tuple[Suggestion, ...]


def excursion(
    position: Position, quote: Quote, instrument: Instrument, leg: str | None = None
) -> Excursion | None:
    """Return the extremes of the open trade up to now, exactly; None when flat. One look-up.

    In a hedging account every leg is a trade of its own.
    """
    books = position.books if leg is None else position.books.legs[leg]
    opened = books.trades.open
    if opened is None or position.since is None:
        return None
    best, worst, base = opened.best_money, opened.worst_money, trade_base_money(books)
    seen = quote.seen(position.since)
    if seen is not None:
        stood = profits_seen(seen, books.lots, base, instrument)
        best, worst = max(best, *stood), min(worst, *stood)
    mark = quote.mark_long if books.lots > 0 else quote.mark_short
    profit = None if mark is None else base + instrument.value_money(books.lots, mark)
    return Excursion(best, worst, profit)


def standing(account: Account, position: Position, leg: str | None = None) -> Standing | None:
    """Return how a position, or one leg of it, stands now; None when it is flat."""
    instrument = account.boards.instruments[position.symbol]
    quote = account.boards.quotes.quotes[position.symbol]
    books = position.books if leg is None else position.books.legs[leg]
    found, opened = excursion(position, quote, instrument, leg), books.trades.open
    if found is None or opened is None:
        return None
    entry = instrument.average_price(books.lots, books.cost_money)
    mark_milliticks = quote.mark_long if books.lots > 0 else quote.mark_short
    mark = None if mark_milliticks is None else instrument.price(mark_milliticks)
    stop, target = opened.stop_loss, opened.take_profit
    live = None
    if _is_between(stop, mark, target):
        live = reward_to_risk(mark, stop, target)
    return Standing(
        excursion=found,
        planned=reward_to_risk(entry, stop, target),
        live=live,
        score=score_of(found, live),
        suggestions=_suggestions(opened, found, entry, mark, books.lots),
    )


def score_of(found: Excursion, live: float | None) -> float:
    """Return from 0 to 100 how well a position stands, 100 being best.

    Half of it is where its profit lies between its worst and its best; the other half is what it
    may still win of all it may still win or lose, reward / (reward + risk). Without a stop and a
    target, or past one, the first half is all of it. A position that has not moved is in the
    middle.
    """
    span = found.best_money - found.worst_money
    place = 0.5
    if span and found.profit_money is not None:
        place = (found.profit_money - found.worst_money) / span
    if live is None:
        return SCORE_MAX * place
    return SCORE_MAX * (place + live / (1 + live)) / 2


def ranks_of(scores: dict[str, float]) -> dict[str, int]:
    """Return the rank of each key, 1 for the highest score; equal scores share the better rank."""
    first: dict[float, int] = {}
    for rank, score in enumerate(sorted(scores.values(), reverse=True), 1):
        first.setdefault(score, rank)
    return {key: first[score] for key, score in scores.items()}


def _is_between(stop: float | None, mark: float | None, target: float | None) -> bool:
    if stop is None or mark is None or target is None:
        return False
    return min(stop, target) < mark < max(stop, target)


def _suggestions(
    opened: OpenTrade, found: Excursion, entry: float | None, mark: float | None, lots: int
) -> tuple[Suggestion, ...]:
    suggested = []
    stop, target = opened.stop_loss, opened.take_profit
    if entry is not None and mark is not None and stop is not None and target is not None:
        way, left = target - entry, target - mark
        if abs(left) * NEAR_TARGET_PART <= abs(way) or left * way < 0:
            why = "the target is reached or a tenth of the way off: move it on by the planned risk"
            suggested.append(Suggestion("move_target", why, price=target + (entry - stop)))
    profit = found.profit_money
    if profit is not None and found.best_money > 0 and abs(lots) > 1:
        given_back = found.best_money - profit
        if given_back * GIVEN_BACK_PART > found.best_money:
            why = "more than half of its best profit was given back: take half off"
            suggested.append(Suggestion("trim", why, lots=abs(lots) // 2))
    return tuple(suggested)
