"""What a check looks at: one order under judgement, with everything already looked up."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from engine.breakers import BreakerBoard, ScopeKey
from engine.facts import Stamp
from engine.instruments import Instrument
from engine.ledger import Position
from engine.limits import Owner, ResolvedLimit
from engine.quotes import Quote, QuoteBoard, Rate
from riskd.codes import RejectCode
from riskd.messages import Check, Reject, RiskSettings


class Reference(NamedTuple):
    """The price an order is judged by, where it came from and how old it is."""

    milliticks: int
    source: str  # touch, last, mark, previous_close, settlement.
    age_ns: int
    age_max_ns: int  # Older is stale.


class Measures(NamedTuple):
    """An account's money in its own currency, 10^-12 of it; exact wherever no rate is involved."""

    equity_money: int
    day_pnl_money: int
    gross_worst_money: int  # Every position at the worse of both sides.
    gross_worst_by_symbol: dict[str, int]


class Missing(NamedTuple):
    """Why measures could not be made: a code and what is missing."""

    code: RejectCode
    what: str


class Plan:
    """What is the same for every order of one account, symbol, strategy and trader.

    Built once and dropped when limits, instruments or groups change, so that a check that no limit
    asks for costs nothing.
    """

    __slots__ = (
        "breaker_keys",
        "checks",
        "instrument",
        "limits",
        "needs_measures",
        "owner",
        "position",
        "quote",
    )

    def __init__(
        self, owner: Owner, instrument: Instrument, position: Position, quote: Quote
    ) -> None:
        self.owner = owner
        self.instrument = instrument
        self.position = position
        self.quote = quote
        self.limits: dict[str, ResolvedLimit] = {}
        self.breaker_keys: tuple[ScopeKey, ...] = ()
        self.checks: tuple[CheckRow, ...] = ()
        self.needs_measures = False  # Some limit in force is on the whole account.


class Case:
    """One order under judgement. Lots and ticks are None where the wire number is no multiple."""

    __slots__ = (
        "account_rate",
        "board",
        "breakers",
        "buying",
        "frozen",
        "lots",
        "measure",
        "now_steady_ns",
        "open_count",
        "order",
        "plan",
        "price_milliticks",
        "reducing",
        "reference",
        "retry_after_ns",
        "settings",
        "stamp",
        "stop_milliticks",
        "value_milliticks",
    )

    order: Check
    plan: Plan
    stamp: Stamp
    now_steady_ns: int
    board: QuoteBoard
    breakers: BreakerBoard
    settings: RiskSettings
    buying: bool
    lots: int | None
    price_milliticks: int | None
    stop_milliticks: int | None
    reference: Reference | None
    value_milliticks: int | None  # What the order is valued at: its price, or the touch + slippage.
    account_rate: Rate | None  # From settlement to account currency.
    reducing: bool
    open_count: int
    retry_after_ns: int  # 0: every rate limit had room and is charged.
    frozen: str  # Why the account is frozen; empty if it is not.
    measure: Callable[[], Measures | Missing]  # Made on demand, kept while nothing changed.


class CheckRow(NamedTuple):
    """One check: a row of the table in `engine/checks/__init__.py`, whose order is THE order."""

    code: RejectCode
    check: Callable[[Case], Reject | None]
    key: str | None = None  # The limit that asks for it; None is always checked.
    numbers: Callable[[Case], tuple[float, float] | None] | None = None  # Value and limit.
    fits_lots: Callable[[Case], int | None] | None = None  # Most lots that pass; None: any.
    reducing_passes: bool = False
