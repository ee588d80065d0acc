"""What could be done: which positions free how much margin, what fits a risk. Data, never orders.

The margin that closing a position frees is its initial margin. What closing it costs is what its
value at the mark loses at the side of the book that closes it, and as much in fees as its lots have
paid so far. Its liquidation price is where the account's equity would be its maintenance margin if
nothing else moved.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.account import Account
from engine.books import Books
from engine.held import Held
from engine.instruments import Instrument, is_a_millitick
from engine.money import (
    MONEY_SCALE,
    UNITS_MAX,
    divide_half_even,
    is_in_range,
    number_from_money,
)
from engine.sizing import largest_fitting
from engine.standing import Standing, ranks_of, standing
from engine.views import Shown
from riskd.messages import MarginModel, Side, SizeRequest

HUNDRED = 100 * MONEY_SCALE


class Closing(NamedTuple):
    """What it takes to close one position, in account money; None is not known."""

    margin_money: int
    cost_money: int | None


def advice_view(account: Account) -> Shown:
    """Return every open position with the margin it frees and its cost, the cheapest first."""
    missing = account.valuation.refresh()
    shown: Shown = {
        "account": account.id,
        "currency": account.currency,
        "complete": missing is None,
        "missing": missing.what if missing else None,
        "positions": [],
    }
    if missing is not None:
        return shown
    used, equity = account.valuation.used_money(), account.valuation.equity_money
    kept = account.valuation.maintenance_money()
    lines = []
    for symbol, position in account.state.positions.items():
        held = account.valuation.held(symbol)
        for leg in position.books.legs or (None,):
            stands = standing(account, position, leg)
            if held is None or stands is None:
                continue
            closing = _closing(account, held, leg)
            price = _liquidation_price(account, held, equity - kept)
            lines.append((_order_of(closing), _line(held, leg, closing, price, stands)))
    lines.sort(key=lambda line: line[0])
    ranks = ranks_of({str(at): line["score"] for at, (_, line) in enumerate(lines)})
    shown["positions"] = [{**line, "rank": ranks[str(at)]} for at, (_, line) in enumerate(lines)]
    return shown | {
        "equity": number_from_money(equity),
        "margin_used": number_from_money(used),
        "margin_maintenance": number_from_money(kept),
        "margin_free": number_from_money(equity - used),
        "margin_level_pct": equity * 100 / used if used else None,
    }


def size_view(account: Account, asked: SizeRequest) -> Shown:
    """Return the most lots that lose at most the risk at the stop, and have their margin.

    An account without margin may take as much as its equity buys. `missing` says why there is none.
    """
    shown: Shown = {"account": account.id, "symbol": asked.symbol, "side": asked.side}
    risk_pct = asked.risk_pct or _risk_pct(account, asked.symbol)
    prices = _prices(account, asked)
    if isinstance(prices, str) or risk_pct is None:
        text = "no risk_pct is given, and no risk_per_trade_pct binds the account"
        return shown | {"quantity": None, "missing": prices if isinstance(prices, str) else text}
    instrument, (entry, stop) = account.boards.instruments[asked.symbol], prices
    equity = max(0, account.valuation.equity_money)
    risk_money = equity * round(risk_pct * MONEY_SCALE) // HUNDRED
    sizing = _Sizing(account, instrument, entry, stop)
    most = UNITS_MAX  # Of any size.
    by_risk = largest_fitting(lambda lots: sizing.loss_money(lots) <= risk_money, most)
    free = equity - account.valuation.used_money()
    lots = largest_fitting(lambda lots: not lots or sizing.tied_money(lots) <= free, by_risk)
    return shown | {
        "quantity": instrument.quantity(lots),
        "bound_by": "risk" if lots == by_risk else "buying_power",
        "currency": account.currency,
        "equity": number_from_money(equity),
        "risk_pct": risk_pct,
        "risk": number_from_money(risk_money),
        "loss_at_stop": number_from_money(sizing.loss_money(lots)),
        "entry": instrument.price(entry),
        "stop_loss": instrument.price(stop),
        "notional": number_from_money(sizing.notional_money(lots)),
        "missing": None,
    }


def _prices(account: Account, asked: SizeRequest) -> tuple[int, int] | str:
    """Return entry and stop on the board, or what is wrong or missing."""
    instrument = account.boards.instruments.get(asked.symbol)
    if instrument is None:
        return f"no instrument {asked.symbol}"
    missing = account.valuation.refresh()
    if missing is not None:
        return missing.what
    for price in (asked.stop_loss, asked.price):
        tick = instrument.tick_numerator, instrument.tick_denominator
        if price is not None and (
            not is_in_range(price, *tick) or not _is_price(price, instrument)
        ):
            return f"{price} is no price of {asked.symbol}"
    quote, buying = account.boards.quotes.quotes[asked.symbol], asked.side is Side.BUY
    entry = quote.ask if buying else quote.bid
    if asked.price is not None:
        entry = instrument.milliticks(asked.price)
    if entry is None:
        return f"{asked.symbol} has no {'ask' if buying else 'bid'}"
    if account.convert(1, instrument.settlement) is None:
        return f"no exchange rate from {instrument.settlement} to {account.currency}"
    stop = instrument.milliticks(asked.stop_loss)
    if (stop >= entry) if buying else (stop <= entry):
        return "the stop is not on the losing side of the entry"
    return entry, stop


def _is_price(price: float, instrument: Instrument) -> bool:
    return instrument.spec.allow_negative or is_a_millitick(price, instrument)


class _Sizing:
    """What so many lots lose at the stop and tie up, in account money, rounded up."""

    def __init__(self, account: Account, instrument: Instrument, entry: int, stop: int) -> None:
        self._account, self._instrument = account, instrument
        self._entry, self._stop = entry, stop
        self._terms = account.boards.margin_terms(account.state.spec, instrument)

    def loss_money(self, lots: int) -> int:
        value, instrument = self._instrument.value_money, self._instrument
        lost = abs(value(lots, self._entry) - value(lots, self._stop))
        return self._account.convert(lost, instrument.settlement) or 0

    def notional_money(self, lots: int) -> int:
        size = self._instrument.notional_money(lots, self._entry)
        return self._account.convert(size, self._instrument.settlement) or 0

    def tied_money(self, lots: int) -> int:
        if self._account.state.spec.margin_model is MarginModel.NONE:
            return self.notional_money(lots)
        rate = self._account.boards.quotes.rate(self._instrument.settlement, self._account.currency)
        assert rate is not None  # `size_view` has converted by it.
        return self._terms.initial_money(self._instrument.notional_money(lots, self._entry), rate)


def _line(
    held: Held, leg: str | None, closing: Closing, price: float | None, stands: Standing
) -> Shown:
    instrument, excursion = held.instrument, stands.excursion
    cost, freed = closing.cost_money, closing.margin_money
    books = _books_of(held, leg)
    opened = books.trades.open
    return {
        "symbol": instrument.symbol,
        "position_id": leg,
        "quantity": instrument.quantity(books.lots),
        "margin_freed": number_from_money(freed),
        "cost": None if cost is None else number_from_money(cost),
        "cost_per_margin": cost / freed if cost is not None and freed else None,
        "liquidation_price": price,
        "stop_loss": None if opened is None else opened.stop_loss,
        "take_profit": None if opened is None else opened.take_profit,
        "mfe": number_from_money(excursion.best_money),
        "mae": number_from_money(excursion.worst_money),
        "planned_reward_to_risk": stands.planned,
        "reward_to_risk": stands.live,
        "score": stands.score,
        "suggestions": [
            {
                "action": one.action,
                "why": one.why,
                "price": one.price,
                "quantity": None if one.lots is None else instrument.quantity(one.lots),
            }
            for one in stands.suggestions
        ],
    }


def _books_of(held: Held, leg: str | None) -> Books:
    books = held.position.books
    return books if leg is None else books.legs[leg]


def _sizes(held: Held, milliticks: int, without: str | None = None) -> tuple[int, int]:
    """Return the larger side and the smaller of a hedge at a price, one leg left out or none."""
    instrument, books = held.instrument, held.position.books
    if not books.legs:
        return instrument.notional_money(books.lots, milliticks), 0
    left = [leg.lots for name, leg in books.legs.items() if name != without]
    sides = (sum(lots for lots in left if lots > 0), sum(lots for lots in left if lots < 0))
    sizes = [instrument.notional_money(lots, milliticks) for lots in sides]
    return max(sizes), min(sizes)


def _closing(account: Account, held: Held, leg: str | None) -> Closing:
    instrument, quote, books = held.instrument, held.quote, _books_of(held, leg)
    lots = books.lots
    mark, touch = (quote.mark_long, quote.bid) if lots > 0 else (quote.mark_short, quote.ask)
    rate = account.boards.quotes.rate(instrument.settlement, account.currency)
    if mark is None or rate is None:
        return Closing(0, None)
    size, smaller = _sizes(held, mark)
    freed = held.terms.initial_money(size, rate, smaller)
    if leg is not None:
        size, smaller = _sizes(held, mark, without=leg)
        freed -= held.terms.initial_money(size, rate, smaller)
    if touch is None:
        return Closing(freed, None)
    cost = instrument.value_money(lots, mark) - instrument.value_money(lots, touch)
    opened = books.trades.open
    if opened is not None and opened.entry_lots:
        cost -= divide_half_even(opened.fees_money * lots, opened.entry_lots)
    return Closing(freed, account.convert(cost, instrument.settlement))


def _order_of(closing: Closing) -> tuple[int, float, int]:
    """Return what sorts the cheapest first: what frees nothing and what costs nobody knows last."""
    if closing.cost_money is None or not closing.margin_money:
        return (1, 0.0, -closing.margin_money)
    return (0, closing.cost_money / closing.margin_money, -closing.margin_money)


def _liquidation_price(account: Account, held: Held, room_money: int) -> float | None:
    """Return the last price at which equity is at least the maintenance margin; None if all are.

    `room_money` is how far it is above now.
    """
    lots, instrument, quote = held.position.books.lots, held.instrument, held.quote
    mark = quote.mark_long if lots > 0 else quote.mark_short
    rate = account.boards.quotes.rate(instrument.settlement, account.currency)
    if mark is None or rate is None or room_money < 0 or not lots:
        return None  # Legs that offset each other move with no price.
    direction = -1 if lots > 0 else 1

    def kept_money(milliticks: int) -> int:
        size, smaller = _sizes(held, milliticks)
        return held.terms.maintenance_money(size, rate, smaller)

    def is_kept(moved: int) -> bool:
        price = mark + direction * moved
        gained = instrument.value_money(lots, price) - instrument.value_money(lots, mark)
        worth = account.convert(gained, instrument.settlement) or 0
        return room_money + worth >= kept_money(price) - kept_money(mark)

    to_zero = lots > 0 and not instrument.spec.allow_negative
    most = mark - 1 if to_zero else UNITS_MAX
    moved = largest_fitting(is_kept, most)
    return None if moved >= most else instrument.price(mark + direction * moved)


def _risk_pct(account: Account, symbol: str) -> float | None:
    plan = account.plan(symbol, "", "")
    limit = None if plan is None else plan.limits.get("risk_per_trade_pct")
    return None if limit is None else limit.value
