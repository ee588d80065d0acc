"""What a check looks at: one order under judgement, with everything already looked up."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from engine.account_state import Conduct
from engine.boards import Boards, GroupPlan
from engine.bounds import Bounds, Credit
from engine.breakers import BreakerBoard, ScopeKey
from engine.facts import Missing, Stamp
from engine.instruments import Instrument
from engine.kinds import Kind
from engine.ledger import Position
from engine.limits import CurrencyLimits, Owner, RateLimit, ResolvedLimit, RiskStep
from engine.margin import MarginTerms
from engine.move_limits import MoveLimit
from engine.orders import Order
from engine.overruns import Overrun, Slowed
from engine.permissions import Ban, Permit
from engine.rates import Rate, ends_away
from engine.reference import Reference
from engine.valuation import Valuation
from riskd.codes import RejectCode
from riskd.messages import AccountSpec, Check, DuplicateOrders, Reject, SelfMatch


class Plan:
    """What is the same for all orders of one account, symbol, strategy and trader."""

    __slots__ = (
        "bans",
        "breaker_keys",
        "cancel_rates",
        "checks",
        "correlations",
        "credits",
        "currency_limits",
        "duplicates",
        "fill_rates",
        "groups",
        "instrument",
        "is_account_currency",
        "kind",
        "limit_checks",
        "limits",
        "margin_terms",
        "milli_value",
        "moves",
        "needs_peaks",
        "needs_valuation",
        "owner",
        "permits",
        "position",
        "quote",
        "rates",
        "risk_steps",
        "self_match",
        "session_rate",
        "watches",
    )

    def __init__(
        self,
        owner: Owner,
        instrument: Instrument,
        position: Position,
        boards: Boards,
        margin_terms: MarginTerms,
    ) -> None:
        self.owner = owner
        self.instrument = instrument
        self.position = position
        self.quote = boards.quotes.quotes[instrument.symbol]
        self.correlations = boards.quotes.correlations
        self.milli_value = instrument.exact_milli_value()
        self.limits: dict[str, ResolvedLimit] = {}
        self.breaker_keys: tuple[ScopeKey, ...] = ()
        self.checks: tuple[CheckRow, ...] = ()  # In THE order.
        self.limit_checks: tuple[CheckFunction, ...] = ()  # Those of limits alone, in THE order.
        self.needs_valuation = False  # Some limit in force is on the whole account.
        self.needs_peaks = False  # Some limit in force is on drawdown.
        self.margin_terms = margin_terms
        self.kind: Kind | None = None  # None: some check of the plan has no bound.
        self.credits: tuple[CreditFunction, ...] = ()  # What tells those of them that money makes.
        self.currency_limits: CurrencyLimits = ()  # Hard ones, and soft ones that are tighter.
        self.duplicates: tuple[DuplicateOrders, ...] = ()
        self.rates: tuple[RateLimit, ...] = ()  # Of orders and changes.
        self.session_rate: ResolvedLimit | None = None  # Of each gateway.
        self.cancel_rates: tuple[RateLimit, ...] = ()
        self.fill_rates: tuple[RateLimit, ...] = ()
        self.self_match: SelfMatch | None = None
        self.moves: tuple[MoveLimit, ...] = ()
        self.watches: tuple[CheckRow, ...] = ()  # Of limits with thresholds of their own.
        self.risk_steps: tuple[RiskStep, ...] = ()  # The tightest first.
        self.bans: tuple[Ban, ...] = ()
        self.permits: tuple[Permit, ...] | None = None  # None: none is needed.
        self.groups: tuple[GroupPlan, ...] = ()  # Those with limits on totals, own group first.
        self.is_account_currency = False  # The instrument settles in it: no rate is involved.


class Case:
    """One order under judgement. Lots and ticks are None where the wire number is no multiple."""

    __slots__ = (
        "account_rate",
        "added_lots",
        "breakers",
        "buying",
        "closing",
        "conduct",
        "costs_more",
        "counts",
        "currency_missing",
        "day_pnl_money",
        "drawdown_pct",
        "equity_money",
        "fill_overrun",
        "filled_lots",
        "frozen",
        "gross_money",
        "group_past",
        "grown_lots",
        "grows",
        "is_exit",
        "is_worse",
        "longest_lots",
        "lots",
        "lower_money",
        "margin_money",
        "missing",
        "notional_money",
        "now_steady_ns",
        "offset_rate",
        "open_count",
        "order",
        "own_lots",
        "own_money",
        "peaks_money",
        "plan",
        "price_milliticks",
        "rate_refusal",
        "rate_warning",
        "reducing",
        "reference_milliticks",
        "repeat_after_ns",
        "repeated",
        "shortest_lots",
        "slowed",
        "stamp",
        "stop_milliticks",
        "symbol_margin_money",
        "symbol_money",
        "told_reference",
        "turnover_money",
        "unreconciled",
        "unsynced",
        "upper_money",
        "valuation",
        "value_milliticks",
        "working",
    )

    order: Check
    plan: Plan
    stamp: Stamp
    now_steady_ns: int
    breakers: BreakerBoard
    buying: bool
    lots: int | None
    price_milliticks: int | None
    stop_milliticks: int | None
    reference_milliticks: int | None  # What the order is judged by.
    told_reference: Reference | None  # The same with source and age; None: a fresh touch.
    value_milliticks: int | None  # What the order is valued at: its price, or the touch + slippage.
    account_rate: Rate | None  # From settlement to account currency, as exposure counts.
    offset_rate: Rate | None  # The same for what offsets exposure: without the haircut.
    peaks_money: tuple[int, int, int]  # The highest equity of the day, the week and ever.
    reducing: bool
    open_count: int
    working: dict[str, Order]  # The account's working orders, by id.
    filled_lots: int  # What is filled of it already, when it is a change of a working one.
    own_lots: int  # What the order reserves already, when it is a change of a working one.
    own_money: int  # What it counts in turnover already, in settlement money.
    is_exit: bool  # A running response asked for it; known where a breaker is open.
    is_worse: bool  # A change to a price that is worse for the account than any it may have now.
    costs_more: bool  # A change to a price at which the same lots, which close nothing, are dearer.
    rate_refusal: Overrun | None  # None: every hard rate limit had room and is charged.
    rate_warning: Overrun | None  # The same of those that only warn.
    fill_overrun: Overrun | None  # None: fills come no faster than they may.
    conduct: Conduct  # Of the account, this order counted.
    counts: dict[str, int]  # Orders in windows whose limits have thresholds, this one counted.
    slowed: Slowed | None  # None: no breaker asks for a longer spacing.
    repeat_after_ns: int  # 0: the same content was not sent too often.
    repeated: DuplicateOrders | None  # The limit that says so.
    turnover_money: int | None  # Traded today and working, without this order; None: not known.
    group_past: tuple[GroupPlan, ResolvedLimit] | None  # Set by the check of groups: what refused.
    currency_missing: Missing | None  # Set by the check of currency exposure.
    frozen: str  # Why the account is frozen; empty if it is not.
    unreconciled: str  # Why what the venue holds is unknown; empty if it is not.
    unsynced: str  # Why its gateway must say hello or resynchronise first; empty if it need not.
    valuation: Valuation  # Of the marks of now, where a limit needs it.
    missing: Missing | None  # Why the valuation is not of now.
    day_pnl_money: int
    equity_money: int  # What limits count with: the venue's balance, if that is lower.
    drawdown_pct: float | None  # From the highest equity, where a limit asks and it is known.
    notional_money: int | None  # Of the order itself, in settlement money; None without a value.
    added_lots: int  # What it would reserve beyond what it reserves already.
    longest_lots: int  # The position if every working buy filled and no sell did.
    shortest_lots: int  # The position if every working sell filled and no buy did.
    grown_lots: int  # By how much the order makes the larger of both larger; negative: smaller.
    grows: bool  # It does.
    closing: bool  # Hedging accounts: the order closes a leg.
    symbol_money: int | None  # Exposure of the symbol; None with the four below: not known.
    symbol_margin_money: int  # Initial margin of the symbol.
    upper_money: int  # Signed exposure of the account, all working buys and no sell filled.
    lower_money: int  # Signed exposure of the account, all working sells and no buy filled.
    gross_money: int
    margin_money: int

    @property
    def currency(self) -> str:
        """Return the account's currency: what limits and figures are in."""
        return self.valuation.spec.currency

    def reducible_lots(self) -> int:
        """Return how many lots on the order's side close, beyond what other orders would close."""
        position = self.plan.position
        if self.buying:
            return max(0, self.own_lots - position.books.lots - position.open_buy_lots)
        return max(0, self.own_lots + position.books.lots - position.open_sell_lots)

    def place(self, lots: int) -> None:
        """Look at the order as one of `lots`: what it reduces, and what it could come to at worst.

        Exposure is valued at the reference; conversions are rounded away from zero, never under.
        """
        self.lots, position = lots, self.plan.position
        self.notional_money = self._notional(lots)
        held = position.books.lots
        longest, shortest = held + position.open_buy_lots, held - position.open_sell_lots
        largest = max(abs(longest), abs(shortest))
        if self.own_lots:  # A change: the larger of old and new leaves takes the place of the old.
            longest -= self.own_lots if self.buying else 0
            shortest += 0 if self.buying else self.own_lots
            lots = max(lots - self.filled_lots, self.own_lots)
        self.added_lots = lots - self.own_lots
        if self.buying:
            self.reducing = lots <= -longest
            longest += lots
        else:
            self.reducing = lots <= shortest
            shortest -= lots
        self.longest_lots, self.shortest_lots = longest, shortest
        self.grown_lots = max(abs(longest), abs(shortest)) - largest
        self.grows = self.grown_lots > 0
        if self.own_lots and not self.added_lots and not self.is_worse:
            self.reducing = True  # A change that reserves no more, no worse priced, adds no risk.
        self._place_money()

    def fitting_lots(self, side_lots: int) -> int:
        """Return how many lots keep the larger side within `side_lots`."""
        sides = self.longest_lots, -self.shortest_lots
        this_side, other_side = sides if self.buying else sides[::-1]
        return 0 if other_side > side_lots else side_lots - (this_side - (self.lots or 0))

    def _place_money(self) -> None:
        """Value what `place` found; everything is None or as it was where something is missing."""
        plan = self.plan
        reference, rate = self.reference_milliticks, self.account_rate
        if not plan.needs_valuation or reference is None or rate is None or self.missing:
            self.symbol_money = None
            return
        longest, shortest = self.longest_lots, self.shortest_lots
        if plan.milli_value:
            unit = reference * plan.milli_value
            upper, lower = longest * unit, shortest * unit
        else:
            upper = plan.instrument.exposure_money(longest, reference)
            lower = plan.instrument.exposure_money(shortest, reference)
        terms, size = plan.margin_terms, max(abs(upper), abs(lower))
        if rate.numerator != rate.denominator:
            upper, lower = ends_away(upper, lower, rate, self.offset_rate)
        symbol = self.symbol_money = max(abs(upper), abs(lower))
        if terms.initial_brackets:
            margin = terms.initial_money(size, rate)
        else:
            numerator, denominator = terms.initial  # `margin_of`, written out: it is hot.
            margin = -(-symbol * numerator // denominator)
        self._add_up(upper, lower, symbol, margin)

    def _add_up(self, upper: int, lower: int, symbol: int, margin: int) -> None:
        """Put the symbol's figures with the order in the place of those without it."""
        valuation = self.valuation
        self.symbol_margin_money = margin
        before = valuation.held(self.plan.instrument.symbol)
        if before is not None:
            _, upper_before, lower_before, gross_before, margin_before = before.worth()
            upper, lower = upper - upper_before, lower - lower_before
            symbol, margin = symbol - gross_before, margin - margin_before
        self.upper_money = valuation.upper_money + upper
        self.lower_money = valuation.lower_money + lower
        self.gross_money = valuation.gross_money + symbol
        self.margin_money = valuation.margin_money + margin

    def _notional(self, lots: int) -> int | None:
        value, plan = self.value_milliticks, self.plan
        if value is None:
            return None
        if plan.milli_value:
            return abs(lots * value * plan.milli_value)
        return plan.instrument.notional_money(lots, value)


CheckFunction = Callable[[Case], Reject | None]
CreditFunction = Callable[[Case, Credit], None]


class CheckRow(NamedTuple):
    """One check: a row of the table in `engine/checks/__init__.py`, whose order is THE order."""

    code: RejectCode
    check: CheckFunction
    key: str | None = None  # The limit that asks for it; None is always checked.
    applies: Callable[[AccountSpec, Plan], bool] | None = None  # Whether it is checked at all.
    numbers: Callable[[Case], tuple[float, float] | None] | None = None  # Value and limit.
    fits_lots: Callable[[Case], int | None] | None = None  # Most lots that pass; None: any.
    edge: Callable[[Case], int | None] | None = None  # Worst price that passes, in milliticks.
    reducing_passes: bool = False
    of_price: bool = False  # Looks at the order's own price, whatever that reserves.
    valued: bool = False  # Looks at the whole account's money.
    warns: bool = False  # What it finds is a warning, not a reject.
    ordinary: bool = False  # Must be run even when nothing about order or market is unusual.
    bound: Callable[[Plan, Bounds], None] | None = None  # Tells what surely passes, for good,
    credit: CreditFunction | None = None  # and what does by the money of now. Neither: no one can.
    limit: ResolvedLimit | None = None  # In a plan's watches: whose thresholds are looked at.
    hard_beyond: bool = False  # Holds to the hard limit beyond a tighter one that only warns.

    def spares(self, case: Case) -> bool:
        """Return whether what it finds is no matter to an order that adds no risk."""
        return self.reducing_passes and case.reducing and not (self.of_price and case.costs_more)

    def refuses(self, plan: Plan) -> bool:
        """Return whether what it finds refuses the order, and is not merely a warning."""
        if self.warns or self.hard_beyond:
            return self.hard_beyond
        return self.key is None or plan.limits[self.key].hard
