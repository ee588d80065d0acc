"""All that an account must not forget, as one struct: what its snapshot and digest are made of."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct, field

from engine.high_water import HighWaterState
from engine.ledger import Position
from engine.money import money_from_number
from engine.nothing import NOTHING, Shared, forget, own
from engine.orders import Order, PendingAmend
from engine.throttle import Window
from riskd.messages import AccountSpec, Fill

FINISHED_MAX = 5_000  # Ended orders remembered per account with their verdicts.
EXPIRED_MAX = 50_000  # Ids remembered beyond those, only to be refused; the oldest is forgotten.
IDS_MAX = 100_000  # Execution and transfer ids remembered per account; the oldest is forgotten.
CLOSED_DAYS_MAX = 8  # Days kept per account until the audit has them.
DAY_RETURNS_MAX = 500  # Days whose returns are kept per account: about two years.


class Conduct(Struct, omit_defaults=True, gc=False):
    """What an account did, and what it may do less of until somebody or something allows it."""

    messages: int = 0  # Orders, changes and cancels of the day; repeats of an id are none.
    cancels: int = 0  # Of the day.
    fills: int = 0  # Of the day.
    executions: Mapping[str, int] = NOTHING  # By strategy: orders filled since a person looked.
    risk_shrunk_pct: float | None = (
        None  # What responses let one trade risk, in percent: the least.
    )
    risk_shrunk: Mapping[str, float] = NOTHING  # The same by the measure that has to recover first.


class PeriodOpening(Struct, frozen=True, omit_defaults=True, gc=False):
    """What a day, a week or a month is measured from: P&L since the account began, as it did."""

    life_money: int | None = 0  # None: not known; it is measured from the first known moment.
    symbol: Mapping[str, int] = NOTHING
    strategy: Mapping[str, int] = NOTHING
    timeframe: Mapping[str, int] = NOTHING


PERIODS: Mapping[str, PeriodOpening] = Shared(
    {period: PeriodOpening() for period in ("day", "week", "month")}
)  # As they begin.


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


class AccountState(Struct, omit_defaults=True, gc=False):
    """All that an account must not forget."""

    spec: AccountSpec
    cash: dict[str, int] = {}  # Money by currency: balance, transfers, realised P&L, fees.
    transfers: dict[str, int] = {}  # The part of the cash that was put in or taken out.
    positions: dict[str, Position] = {}
    orders: dict[str, Order] = {}  # Working, oldest first.
    pending: dict[str, int] = {}  # Working without news: their deadlines (steady), oldest first.
    expiring: Mapping[str, int] = NOTHING  # Working and good till a date: when that is (steady).
    certified: Mapping[str, int] = NOTHING  # Lots of working orders that are sure to reduce.
    finished: Mapping[str, Order] = NOTHING  # Ended, in the order in which they ended.
    expired: Mapping[str, None] = NOTHING  # Ids of ended orders whose verdicts are forgotten.
    aliases: Mapping[str, str] = NOTHING  # Ids of changed orders, to the first of their chain.
    amended: Mapping[str, PendingAmend] = NOTHING  # Judged changes by their id, to tell repeats.
    execution_symbols: dict[str, str] = {}  # Where an execution was booked.
    transfer_ids: Mapping[str, str] = NOTHING  # With what was transferred.
    funding_ids: Mapping[str, str] = NOTHING  # With what was received.
    windows: dict[str, Window] = {}
    unbooked: tuple[Fill, ...] = ()  # Fills of symbols that are not known yet.
    reported_ns: int = 0  # As of when the venue last said what is held.
    unreconciled: str = ""  # Why what it holds is unknown; empty if it is not.
    shortfall_money: int = 0  # By how much its balance is below the cash here.
    frozen: str = ""  # Why; empty while it may trade.
    approved_seq: int = 0  # Of the newest approval.
    day: str = ""  # The calendar day that has begun for it.
    week: str = ""  # The first day of the week and the month that day is in.
    month: str = ""
    invested_money: int = 0  # Transfers and the first balance, at the rates of their instants.
    unrated: Mapping[str, int] = NOTHING  # Transfers whose rate was not known.
    periods: Mapping[str, PeriodOpening] = PERIODS
    day_open_money: int | None = None  # Equity when it began; None until marks and rates are known.
    day_transfers_money: int = 0  # Since then.
    day_unrated: Mapping[str, int] = NOTHING  # Transfers since then whose rate was not known.
    day_returns: tuple[float, ...] = ()  # Of the days that ended, oldest first.
    closed_days: tuple[ClosedDay, ...] = ()  # The last ones, oldest first.
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
    )


decode_account = msgspec.json.Decoder(AccountState).decode  # Of what `encode_account` gave.
encode_account = msgspec.json.Encoder().encode


def close_day(state: AccountState, equity_money: int, earned_money: int | None) -> None:
    """Keep what the day that ends came to, transfers counted out; None: it is not known."""
    equity = equity_money if earned_money is not None else None
    ended = ClosedDay(state.rolls, state.day, equity, earned_money)
    state.closed_days = (*state.closed_days, ended)[-CLOSED_DAYS_MAX:]
    if earned_money is not None and equity_money > earned_money:
        earned = earned_money / (equity_money - earned_money)
        state.day_returns = (*state.day_returns, earned)[-DAY_RETURNS_MAX:]


def keep_ended(state: AccountState, client_order_id: str, order: Order) -> None:
    """Keep an ended order, and forget the oldest beyond the horizon."""
    state.pending.pop(client_order_id, None)
    forget(state.expiring, client_order_id)
    forget(state.certified, client_order_id)
    finished = own(state, "finished")
    finished[client_order_id] = order
    if len(finished) > FINISHED_MAX:
        oldest = next(iter(finished))
        del finished[oldest]
        expired = own(state, "expired")
        expired[oldest] = None
        if len(expired) > EXPIRED_MAX:
            del expired[next(iter(expired))]
    if len(state.amended) > IDS_MAX:
        forget(state.amended, next(iter(state.amended)))
    if len(state.aliases) > IDS_MAX:
        alias = next(iter(state.aliases))
        root = forget(state.aliases, alias)
        if root in state.orders:
            own(state, "aliases")[alias] = root  # Still needed: a younger one goes before it.
