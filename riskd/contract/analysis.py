"""Questions of the control port on what was measured: trades, concentration, advice, sizes."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from riskd.contract.base import AccountId, ControlRequest, Count, Name, Side, Symbol

TradesBy = Literal["account", "symbol", "strategy"]


class TradesRequest(ControlRequest, tag="trades", frozen=True, kw_only=True):
    """How the closed trades of an account went: totals for ever, and the newest of them.

    A trade is a position from flat to flat; it belongs to the strategy of the fill that opened it.
    """

    account: AccountId
    by: TradesBy = "account"  # One line for all, or one for each symbol or strategy.
    limit: Count = 20  # At most so many of the newest trades.


class ConcentrationRequest(ControlRequest, tag="concentration", frozen=True, kw_only=True):
    """How much of a book hangs on few names, and on names that move together."""

    scope: Name = "firm"  # `firm`, `group:G` or `account:A1`.


class CorrelationRequest(ControlRequest, tag="correlation", frozen=True, kw_only=True):
    """The correlation of every pair of sampled symbols, and the clusters that count together."""


class AdviceRequest(ControlRequest, tag="advice", frozen=True, kw_only=True):
    """What could be done about the open positions of an account, cheapest margin first.

    Data for a person or a strategy to judge: riskd sends no order for it.
    """

    account: AccountId


class SizeRequest(ControlRequest, tag="size", frozen=True, kw_only=True):
    """What quantity fits a risk: the most that loses no more than a share of equity at the stop."""

    account: AccountId
    symbol: Symbol
    stop_loss: float  # Where the trade would be given up.
    side: Side = Side.BUY
    price: float | None = None  # Of the entry; absent: the touch.
    risk_pct: Annotated[float, Meta(gt=0, le=100)] | None = None  # Absent: risk_per_trade_pct.


class StatisticsRequest(ControlRequest, tag="statistics", frozen=True, kw_only=True):
    """Volatility, ratios and values at risk of the daily returns of an account."""

    account: AccountId
    periods: Annotated[int, Meta(ge=1, le=366)] = 252  # Days that make a year.


AnalysisQuery = (
    TradesRequest
    | ConcentrationRequest
    | CorrelationRequest
    | AdviceRequest
    | SizeRequest
    | StatisticsRequest
)
