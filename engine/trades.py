"""Trades: what a position earned from flat to flat, how well and how badly it stood meanwhile.

The profit of an open trade is what it has realised since it was opened and what its open lots would
realise at a price, without fees. Its excursion is the best and the worst of that over every mark
that stood while it was open and over its own fills; it begins at zero, so the worst is at most zero
and the best at least. A fill through zero ends one trade and begins another. A trade belongs to the
strategy of the fill that opened it; the fee of a fill through zero belongs to the one it ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from engine.excursion import Moment, Seen
from engine.instruments import Instrument
from engine.money import divide_half_even
from engine.nothing import NOTHING, own

CLOSED_MAX = 100  # Closed trades kept per position; the totals count every one for ever.


class OpenTrade(Struct, omit_defaults=True, gc=False):
    """A position since it was last flat. Money in settlement currency."""

    opened_ns: int
    strategy: str
    realized_before_money: int  # By the position, before it was opened.
    entry_lots: int = 0  # Signed, all that were taken.
    entry_value_money: int = 0
    best_money: int = 0
    worst_money: int = 0
    fees_money: int = 0
    foreign_fees: dict[str, int] | None = None  # Once there is one.
    stop_loss: float | None = None  # The newest that an opening order carried.
    take_profit: float | None = None


class ClosedTrade(Struct, frozen=True, gc=False):
    """A trade that has ended."""

    strategy: str
    opened_ns: int
    closed_ns: int
    lots: int  # Signed, all that were taken.
    entry_value_money: int
    realized_money: int
    fees_money: int
    foreign_fees: dict[str, int] | None
    best_money: int
    worst_money: int
    planned: float | None  # Reward to risk; None without a stop and a target.


class TradeTotals(Struct, omit_defaults=True, gc=False):
    """Every closed trade of a kind, for ever, in money of one currency."""

    count: int = 0
    wins: int = 0
    losses: int = 0
    gains_money: int = 0
    losses_money: int = 0  # Negative.
    fees_money: int = 0
    best_money: int = 0  # The sum of the favourable excursions.
    worst_money: int = 0  # Of the adverse ones.
    most_gain_money: int = 0  # Of one trade.
    most_loss_money: int = 0
    most_best_money: int = 0
    most_worst_money: int = 0
    most_given_back_money: int = 0  # Best less what was realised.
    squares: int = 0  # Of what was realised, for its deviation.
    held_ns: int = 0
    planned_count: int = 0
    planned_sum: float = 0.0

    def add(self, trade: ClosedTrade) -> None:
        """Count a trade."""
        profit = trade.realized_money
        self.count += 1
        self.wins += profit > 0
        self.losses += profit < 0
        self.gains_money += max(profit, 0)
        self.losses_money += min(profit, 0)
        self.fees_money += trade.fees_money
        self.best_money += trade.best_money
        self.worst_money += trade.worst_money
        self.most_gain_money = max(self.most_gain_money, profit)
        self.most_loss_money = min(self.most_loss_money, profit)
        self.most_best_money = max(self.most_best_money, trade.best_money)
        self.most_worst_money = min(self.most_worst_money, trade.worst_money)
        given_back = trade.best_money - profit
        self.most_given_back_money = max(self.most_given_back_money, given_back)
        self.squares += profit * profit
        self.held_ns += max(0, trade.closed_ns - trade.opened_ns)
        if trade.planned is not None:
            self.planned_count += 1
            self.planned_sum += trade.planned


class Trades(Struct, omit_defaults=True, gc=False):
    """The trades of one position."""

    open: OpenTrade | None = None
    closed: tuple[ClosedTrade, ...] = ()  # The newest, oldest first.
    totals: Mapping[str, TradeTotals] = NOTHING  # By strategy.


def copy_of_trades(trades: Trades) -> Trades:
    """Return trades that share nothing that changes with `trades`."""
    opened = trades.open
    if opened is not None:
        fees = opened.foreign_fees
        opened = replace(opened, foreign_fees=None if fees is None else dict(fees))
    totals = {strategy: replace(total) for strategy, total in trades.totals.items()}
    return Trades(open=opened, closed=trades.closed, totals=totals or NOTHING)


def see(trade: OpenTrade, profits: Iterable[int]) -> None:
    """Count profits that a trade stood at."""
    for money in profits:
        trade.best_money = max(trade.best_money, money)
        trade.worst_money = min(trade.worst_money, money)


def profits_seen(seen: Seen, lots: int, base_money: int, instrument: Instrument) -> tuple[int, int]:
    """Return what a position was worth at both extremes of its marks, beside `base_money`.

    The base is what the trade has realised less the cost of its open lots.
    """
    marks = (seen.high_long, seen.low_long) if lots > 0 else (seen.high_short, seen.low_short)
    high, low = (base_money + instrument.value_money(lots, mark) for mark in marks)
    return high, low


def profit_at_fill(lots: int, base_money: int, filled_lots: int, value_money: int) -> int:
    """Return what a position was worth at the price of a fill, in proportion to its value."""
    return base_money + divide_half_even(value_money * lots, filled_lots)


def enter(trades: Trades, lots: int, value_money: int, moment: Moment, realized_money: int) -> None:
    """Take lots into the open trade; open one if there is none."""
    trade = trades.open
    if trade is None:
        trade = trades.open = OpenTrade(
            moment.at_ns, moment.strategy, realized_money, lots, value_money
        )
    else:
        trade.entry_lots += lots
        trade.entry_value_money += value_money
    if moment.stop_loss is not None:
        trade.stop_loss = moment.stop_loss
    if moment.take_profit is not None:
        trade.take_profit = moment.take_profit


def pay(trade: OpenTrade, fee_money: int, currency: str, settlement: str) -> None:
    """Count a fee, negative if paid."""
    if currency == settlement:
        trade.fees_money += fee_money
    else:
        fees = trade.foreign_fees = trade.foreign_fees or {}
        fees[currency] = fees.get(currency, 0) + fee_money


def leave(trades: Trades, realized_money: int, at_ns: int, instrument: Instrument) -> None:
    """End the open trade of a position that is flat."""
    trade = trades.open
    if trade is None:
        return
    entry = instrument.average_price(trade.entry_lots, trade.entry_value_money)
    closed = ClosedTrade(
        strategy=trade.strategy,
        opened_ns=trade.opened_ns,
        closed_ns=at_ns,
        lots=trade.entry_lots,
        entry_value_money=trade.entry_value_money,
        realized_money=realized_money - trade.realized_before_money,
        fees_money=trade.fees_money,
        foreign_fees=trade.foreign_fees,
        best_money=trade.best_money,
        worst_money=trade.worst_money,
        planned=reward_to_risk(entry, trade.stop_loss, trade.take_profit),
    )
    trades.open = None
    keep(trades, closed)


def keep(trades: Trades, closed: ClosedTrade) -> None:
    """Keep a closed trade and count it for ever."""
    trades.closed = (*trades.closed[-CLOSED_MAX + 1 :], closed)
    totals = trades.totals.get(closed.strategy)
    if totals is None:
        totals = own(trades, "totals")[closed.strategy] = TradeTotals()
    totals.add(closed)


def reward_to_risk(
    price: float | None, stop_loss: float | None, take_profit: float | None
) -> float | None:
    """Return |target - price| / |price - stop|; None without a price, a stop or a target."""
    if price is None or stop_loss is None or take_profit is None or price == stop_loss:
        return None
    return abs(take_profit - price) / abs(price - stop_loss)
