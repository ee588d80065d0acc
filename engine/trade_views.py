"""What people see of trades: totals by account, symbol or strategy, and the newest of them."""

from __future__ import annotations

from math import sqrt

from msgspec.structs import replace

from engine.account import Account
from engine.instruments import Instrument
from engine.money import divide_half_even, number_from_money
from engine.rates import Rate
from engine.sizing import kelly
from engine.statistics import (
    Series,
    annual_return,
    calmar,
    downside_risk,
    expected_shortfall,
    fall_of,
    growth_of,
    normal_value_at_risk,
    sharpe,
    sortino,
    value_at_risk,
    volatility,
)
from engine.trades import ClosedTrade, TradeTotals
from engine.views import Shown
from riskd.messages import TradesBy

ADDED = tuple(
    name for name in TradeTotals.__struct_fields__ if not name.startswith("most_")
)  # The rest are the extremes of one trade.


def trades_view(account: Account, by: TradesBy, limit: int) -> Shown:
    """Return the totals of closed trades in account currency, and the newest trades.

    `complete` is false when a symbol's totals could not be converted: they are then left out.
    """
    complete = True
    lines: dict[str, TradeTotals] = {}
    newest: list[tuple[ClosedTrade, Instrument]] = []
    for symbol, position in account.state.positions.items():
        instrument = account.boards.instruments[symbol]
        rate = account.boards.quotes.rate(instrument.settlement, account.currency)
        trades = position.books.trades
        newest += [(trade, instrument) for trade in trades.closed]
        for strategy, totals in trades.totals.items():
            if rate is None:
                complete = False
                continue
            key = {"account": account.id, "symbol": symbol, "strategy": strategy}[by]
            line = lines.setdefault(key, TradeTotals())
            lines[key] = added(line, converted(totals, rate))
    newest.sort(key=lambda each: each[0].closed_ns)
    shown = newest[-limit:] if limit else []
    return {
        "account": account.id,
        "currency": account.currency,
        "by": by,
        "complete": complete,
        "totals": [{by: key, **totals_shown(line)} for key, line in lines.items()],
        "trades": [_trade_shown(*each) for each in shown],
    }


def converted(totals: TradeTotals, rate: Rate) -> TradeTotals:
    """Return totals with every amount at a rate, half-even."""
    if rate.numerator == rate.denominator:
        return totals
    found = {
        name: divide_half_even(getattr(totals, name) * rate.numerator, rate.denominator)
        for name in TradeTotals.__struct_fields__
        if name.endswith("_money")
    }
    squares = totals.squares * rate.numerator**2
    return replace(totals, **found, squares=divide_half_even(squares, rate.denominator**2))


def added(one: TradeTotals, other: TradeTotals) -> TradeTotals:
    """Return the totals of both."""
    found = {name: getattr(one, name) + getattr(other, name) for name in ADDED}
    return TradeTotals(
        **found,
        most_gain_money=max(one.most_gain_money, other.most_gain_money),
        most_loss_money=min(one.most_loss_money, other.most_loss_money),
        most_best_money=max(one.most_best_money, other.most_best_money),
        most_worst_money=min(one.most_worst_money, other.most_worst_money),
        most_given_back_money=max(one.most_given_back_money, other.most_given_back_money),
    )


def totals_shown(totals: TradeTotals) -> Shown:
    """Return what trades were worth on the whole; None is what so few cannot say.

    Wins and losses are by what was realised, before fees, which are beside it.
    """
    count, wins, losses = totals.count, totals.wins, totals.losses
    profit = totals.gains_money + totals.losses_money
    gain = _mean(totals.gains_money, wins)
    loss = _mean(totals.losses_money, losses)
    payoff = None if gain is None or loss is None else gain / -loss
    win_rate = wins / count if count else None
    deviation = _deviation(totals.squares, profit, count)
    mean = _mean(profit, count)
    return {
        "trades": count,
        "wins": wins,
        "losses": losses,
        "win_rate": win_rate,
        "realized": number_from_money(profit),
        "fees": number_from_money(totals.fees_money),
        "profit_factor": totals.gains_money / -totals.losses_money if losses else None,
        "expectancy": mean,
        "average_gain": gain,
        "average_loss": loss,
        "reward_to_risk": payoff,
        "planned_reward_to_risk": (
            totals.planned_sum / totals.planned_count if totals.planned_count else None
        ),
        "kelly": None if win_rate is None or payoff is None else kelly(win_rate, payoff),
        "largest_gain": number_from_money(totals.most_gain_money),
        "largest_loss": number_from_money(totals.most_loss_money),
        "average_mfe": _mean(totals.best_money, count),
        "average_mae": _mean(totals.worst_money, count),
        "largest_mfe": number_from_money(totals.most_best_money),
        "largest_mae": number_from_money(totals.most_worst_money),
        "most_given_back": number_from_money(totals.most_given_back_money),
        "deviation": deviation,
        "sharpe": mean / deviation if mean is not None and deviation else None,
        "average_held_ns": totals.held_ns // count if count else None,
    }


def statistics_view(account: Account, periods: int) -> Shown:
    """Return what the daily returns of an account say of its risk; shares, 0.01 is a percent."""
    returns: Series = account.state.day_returns
    fall = fall_of([1.0, *growth_of(returns)])
    return {
        "account": account.id,
        "days": len(returns),
        "periods": periods,
        "annual_return": annual_return(returns, periods),
        "volatility": volatility(returns, periods),
        "downside_risk": downside_risk(returns, periods),
        "sharpe": sharpe(returns, periods),
        "sortino": sortino(returns, periods),
        "calmar": calmar(returns, periods),
        "max_drawdown": fall.share,
        "longest_under_water_days": fall.longest_under_water,
        "longest_recovered_days": fall.longest_recovered,
        "value_at_risk_95": value_at_risk(returns, 0.95),
        "value_at_risk_99": value_at_risk(returns, 0.99),
        "expected_shortfall_95": expected_shortfall(returns, 0.95),
        "normal_value_at_risk_95": normal_value_at_risk(returns, 0.95),
    }


def _trade_shown(trade: ClosedTrade, instrument: Instrument) -> Shown:
    foreign = trade.foreign_fees or {}
    left_money = trade.entry_value_money + trade.realized_money
    return {
        "symbol": instrument.symbol,
        "strategy": trade.strategy,
        "side": "long" if trade.lots > 0 else "short",
        "quantity": instrument.quantity(abs(trade.lots)),
        "entry": instrument.average_price(trade.lots, trade.entry_value_money),
        "exit": instrument.average_price(trade.lots, left_money),
        "opened_ns": trade.opened_ns,
        "closed_ns": trade.closed_ns,
        "realized": number_from_money(trade.realized_money),
        "fees": number_from_money(trade.fees_money),
        "foreign_fees": {key: number_from_money(fee) for key, fee in foreign.items()},
        "mfe": number_from_money(trade.best_money),
        "mae": number_from_money(trade.worst_money),
        "planned_reward_to_risk": trade.planned,
        "currency": instrument.settlement,
    }


def _mean(money: int, count: int) -> float | None:
    return number_from_money(money) / count if count else None


def _deviation(squares: int, total: int, count: int) -> float | None:
    """Return the sample standard deviation, of exact sums until the root is taken."""
    if count < 2:
        return None
    variance = (squares * count - total * total) / (count * (count - 1))
    return number_from_money(1) * sqrt(variance)
