"""All that an account must not forget, as one struct: what its snapshot and digest are made of."""

from __future__ import annotations

import msgspec
from msgspec import Struct, field

from engine.high_water import HighWaterState
from engine.ledger import Position
from engine.money import money_from_number
from engine.orders import Order, PendingAmend
from engine.throttle import Window
from riskd.messages import AccountSpec, Fill

CLOSED_DAYS_MAX = 8  # Days kept per account until the audit has them.
DAY_RETURNS_MAX = 500  # Days whose returns are kept per account: about two years.


class Conduct(Struct, gc=False):
    """What an account did, and what it may do less of until somebody or something allows it."""

    messages: int = 0  # Orders, changes and cancels of the day; repeats of an id are none.
    cancels: int = 0  # Of the day.
    fills: int = 0  # Of the day.
    executions: dict[str, int] = {}  # By strategy: orders filled since a person looked.
    risk_shrunk_pct: float | None = (
        None  # What responses let one trade risk, in percent: the least.
    )
    risk_shrunk: dict[str, float] = {}  # The same by the measure that has to recover first.


class PeriodOpening(Struct, gc=False):
    """What a day, a week or a month is measured from: P&L since the account began, as it did."""

    life_money: int | None = 0  # None: not known; it is measured from the first known moment.
    symbol: dict[str, int] = {}
    strategy: dict[str, int] = {}
    timeframe: dict[str, int] = {}


class Judged(Struct, gc=False):
    """How many orders of an account were judged in a window, and how many refused."""

    begun_steady_ns: int = 0
    orders: int = 0
    rejects: int = 0


class ClosedDay(Struct, gc=False):
    """What a day came to when the next one began."""

    roll: int  # How many days had begun for the account before the one that ended it.
    day: str  # As a date of its calendar; empty where an operator began it first.
    equity_money: int | None  # When it ended; None: not known.
    pnl_money: int | None


class AccountState(Struct, gc=False):
    """All that an account must not forget."""

    spec: AccountSpec
    cash: dict[str, int] = {}  # Money by currency: balance, transfers, realised P&L, fees.
    transfers: dict[str, int] = {}  # The part of the cash that was put in or taken out.
    positions: dict[str, Position] = {}
    orders: dict[str, Order] = {}  # Working, oldest first.
    pending: dict[str, int] = {}  # Working without news: their deadlines (steady), oldest first.
    expiring: dict[str, int] = {}  # Working and good till a date: when that is (steady).
    certified: dict[str, int] = {}  # Lots of working orders that are sure to reduce.
    finished: dict[str, Order] = {}  # Ended, in the order in which they ended.
    expired: dict[str, None] = {}  # Ids of ended orders whose verdicts are forgotten.
    aliases: dict[str, str] = {}  # Ids of changed orders, to the id of the first of the chain.
    amended: dict[str, PendingAmend] = {}  # Judged changes by their id, to tell repeats.
    execution_symbols: dict[str, str] = {}  # Where an execution was booked.
    transfer_ids: dict[str, str] = {}  # With what was transferred.
    funding_ids: dict[str, str] = {}  # With what was received.
    windows: dict[str, Window] = {}
    unbooked: list[Fill] = []  # Fills of symbols that are not known yet.
    reported_ns: int = 0  # As of when the venue last said what is held.
    unreconciled: str = ""  # Why what it holds is unknown; empty if it is not.
    shortfall_money: int = 0  # By how much its balance is below the cash here.
    frozen: str = ""  # Why; empty while it may trade.
    approved_seq: int = 0  # Of the newest approval.
    day: str = ""  # The calendar day that has begun for it.
    week: str = ""  # The first day of the week and the month that day is in.
    month: str = ""
    invested_money: int = 0  # Transfers and the first balance, at the rates of their instants.
    unrated: dict[str, int] = {}  # Transfers whose rate was not known.
    periods: dict[str, PeriodOpening] = {}
    day_open_money: int | None = None  # Equity when it began; None until marks and rates are known.
    day_transfers_money: int = 0  # Since then.
    day_unrated: dict[str, int] = {}  # Transfers since then whose rate was not known.
    day_returns: list[float] = []  # Of the days that ended, oldest first.
    closed_days: list[ClosedDay] = []  # The last ones, oldest first.
    rolls: int = 0  # Days that began for it, so that a bust knows which day it changes.
    day_turnover: dict[str, int] = {}  # Notional filled since then, by settlement currency.
    working_turnover: dict[str, int] = {}  # Notional of the leaves of working orders.
    conduct: Conduct = field(default_factory=Conduct)
    judged: Judged = field(default_factory=Judged)
    contents: dict[str, list[int]] = {}  # When orders of the same content were sent.
    water: HighWaterState = field(default_factory=HighWaterState)  # Of the market-data actor.


def opened_state(spec: AccountSpec) -> AccountState:
    """Return the state of an account that is seen for the first time."""
    balance = money_from_number(spec.balance)
    return AccountState(
        spec=spec,
        cash={spec.currency: balance},
        transfers={spec.currency: balance},
        day_open_money=balance,
        invested_money=balance,
        periods=dict.fromkeys(("day", "week", "month"), PeriodOpening()),  # Never changed in place.
    )


decode_account = msgspec.json.Decoder(AccountState).decode  # Of what `encode_account` gave.
encode_account = msgspec.json.Encoder().encode


def close_day(state: AccountState, equity_money: int, earned_money: int | None) -> None:
    """Keep what the day that ends came to, transfers counted out; None: it is not known."""
    equity = equity_money if earned_money is not None else None
    state.closed_days.append(ClosedDay(state.rolls, state.day, equity, earned_money))
    del state.closed_days[:-CLOSED_DAYS_MAX]
    if earned_money is not None and equity_money > earned_money:
        state.day_returns.append(earned_money / (equity_money - earned_money))
        del state.day_returns[:-DAY_RETURNS_MAX]
