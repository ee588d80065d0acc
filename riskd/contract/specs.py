"""What configuration and operators declare: instruments, groups, accounts, limits."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from riskd.contract.base import (
    AccountId,
    Count,
    Currency,
    Name,
    OrderType,
    Part,
    Side,
    Symbol,
    Text,
    UniqueId,
)
from riskd.contract.responses import ResponsePolicy
from riskd.contract.settings import RiskSettings

Decimal = Annotated[
    str,
    Meta(pattern=r"^-?[0-9]{1,24}(\.[0-9]{1,24})?(e-?[0-9]{1,2})?$", description="Exact decimal."),
]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Percent = Annotated[float, Meta(gt=0)]


class InstrumentKind(StrEnum):
    """How value follows from price: lots x price, or contract / price for `inverse`."""

    LINEAR = "linear"
    INVERSE = "inverse"
    FX = "fx"


class MarginTier(Part, frozen=True, kw_only=True):
    """One bracket of the notional with its margin rates, like a bracket of a tax."""

    notional: Positive  # Where the bracket ends, in settlement currency.
    initial_margin: NotNegative  # Fraction of the notional inside the bracket.
    maintenance_margin: NotNegative


class InstrumentSpec(Part, frozen=True, kw_only=True):
    """One instrument. Decimals are strings, so that they are exact."""

    symbol: Symbol
    currency: Currency  # Quote currency; settlement too, unless `settlement` is given.
    kind: InstrumentKind = InstrumentKind.LINEAR
    tick_size: Decimal = "0.01"
    lot_size: Decimal = "1"
    multiplier: Decimal = "1"  # Of an inverse contract: its size in the quote currency.
    base: Currency | None = None  # What an fx pair buys.
    settlement: Currency | None = None  # What an inverse contract pays in.
    initial_margin: NotNegative = 1.0  # Fraction of the notional.
    maintenance_margin: NotNegative = 1.0
    tiers: tuple[MarginTier, ...] = ()  # For the tiers model, rising; beyond the last in full.
    hedged_margin: NotNegative = 0.0  # Fraction of a hedge's smaller leg; the larger pays in full.
    calendar: Name = ""
    allow_negative: bool = False  # Spreads and power may trade at or below zero.
    stale_after_ms: Annotated[int, Meta(gt=0, le=2**63 - 1)] | None = (
        None  # Default: [prices] stale_after_ms.
    )


class Weekday(StrEnum):
    """A day of the week, by the local date on which it begins."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


class CalendarSpec(Part, frozen=True, kw_only=True):
    """When a day begins: at a local time, on days of daylight saving too.

    None begins on a weekday of `weekend` or a date of `holidays`: the day before goes on until the
    next one does.
    """

    id: UniqueId
    zone: UniqueId = "UTC"  # IANA name, such as America/New_York.
    roll: Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "00:00"  # Local time.
    week_begins: Weekday = Weekday.MONDAY  # The week begins with the day of this weekday.
    month_begins: Annotated[int, Meta(ge=1, le=28)] = 1  # The month with the day of this date.
    weekend: tuple[Weekday, ...] = ()  # Such as saturday and sunday; never all seven.
    holidays: tuple[str, ...] = ()  # Local dates, such as 2026-12-25.


class GroupSpec(Part, frozen=True, kw_only=True):
    """A desk, a client, a tenant: limits on it bind all its accounts together."""

    id: UniqueId
    parent: UniqueId = "firm"
    calendar: UniqueId = "UTC"  # When its day begins, of which its drawdown is told.


class PositionMode(StrEnum):
    """Whether long and short of one symbol net into one position."""

    NETTING = "netting"
    HEDGING = "hedging"


class CostMethod(StrEnum):
    """Which cost a closing fill releases."""

    AVERAGE = "average"
    FIFO = "fifo"


class MarginModel(StrEnum):
    """Where an account's margin rates come from."""

    RATE = "rate"
    LEVERAGE = "leverage"
    TIERS = "tiers"
    NONE = "none"


class ResponseMode(StrEnum):
    """Whether responses only advise or act."""

    ADVISE = "advise"
    AUTOMATIC = "automatic"


class AccountSpec(Part, frozen=True, kw_only=True):
    """One account."""

    id: AccountId
    group: UniqueId = "firm"
    currency: Currency = "USD"
    balance: float = 0.0  # In the account currency, when the account is first seen.
    position_mode: PositionMode = PositionMode.NETTING
    cost_method: CostMethod = CostMethod.AVERAGE
    margin_model: MarginModel = MarginModel.RATE
    leverage: Positive | None = None  # For the leverage model.
    response_mode: ResponseMode = ResponseMode.ADVISE
    calendar: UniqueId = "UTC"  # When its day begins.


class LimitValue(Part, frozen=True, kw_only=True):
    """A limit with its thresholds, in percent of the value."""

    value: NotNegative
    warning: Percent = 80.0
    critical: Percent = 90.0
    hard: bool = True  # A soft limit accepts with a warning.


class DuplicateOrders(Part, frozen=True, kw_only=True):
    """At most `count` orders of the same content in any window of `window_ms`."""

    count: Annotated[int, Meta(gt=0, le=2**63 - 1)]
    window_ms: Annotated[int, Meta(gt=0, le=3_600_000)]
    warning: Percent | None = None  # Thresholds in percent of the count; absent: 80 and 90,
    critical: Percent | None = None  # and without either an order looks at none.


class DrawdownStep(Part, frozen=True, kw_only=True):
    """What one trade may risk from some drawdown on."""

    drawdown_pct: Percent  # Of equity below its highest ever, in percent: from here on.
    risk_pct: NotNegative  # Loss from entry to stop_loss, in percent of equity.


class PriceMove(Part, frozen=True, kw_only=True):
    """How far the mark of a symbol may move within any window before only exits pass."""

    window_ms: Annotated[int, Meta(gt=0, le=86_400_000)]
    pct: Positive | None = None  # From the lowest to the highest, in percent of the lowest.
    ticks: Positive | None = None  # The same in ticks: for what may be negative, too.
    warning: Percent = 80.0  # Thresholds in percent of it.
    critical: Percent = 90.0


Limit = Annotated[float, Meta(ge=0)] | LimitValue
CountLimit = Count | LimitValue


class SelfMatch(StrEnum):
    """What happens to an order that would trade with the same account's own resting order.

    It is refused in every case, for the venue might match the two before a cancel arrives.
    """

    REJECT = "reject"  # The resting order stays.
    CANCEL_RESTING = "cancel_resting"  # It is cancelled: then the new one passes under another id.
    CANCEL_BOTH = "cancel_both"  # The same; of a change the order that was to be changed goes too.


class LimitsSpec(Part, frozen=True, kw_only=True):
    """The limits of one scope, money in account currency; an absent limit is not checked."""

    order_quantity: Limit | None = None
    order_notional: Limit | None = None
    basket_notional: Limit | None = None
    position_notional: Limit | None = None
    position_quantity: Limit | None = None
    gross_exposure: Limit | None = None
    net_exposure: Limit | None = None
    currency_exposure: dict[str, Limit] | None = None
    daily_loss: Limit | None = None
    drawdown_day_pct: Limit | None = None
    drawdown_week_pct: Limit | None = None
    drawdown_max_pct: Limit | None = None
    concentration_pct: Limit | None = None
    concentration_floor: NotNegative | None = None
    correlated_exposure_pct: Limit | None = None
    correlated_exposure: Limit | None = None
    leverage: Limit | None = None
    margin_warning_pct: NotNegative | None = None
    margin_critical_pct: NotNegative | None = None
    margin_stopout_pct: NotNegative | None = None
    risk_per_trade_pct: Limit | None = None
    risk_per_trade_drawdown: tuple[DrawdownStep, ...] | None = None
    open_orders: CountLimit | None = None
    turnover: Limit | None = None
    price_collar_pct: Limit | None = None
    price_collar_ticks: Limit | None = None
    price_collar_money: Limit | None = None
    auction_collar_factor: Annotated[float, Meta(ge=1)] | None = None
    price_move: PriceMove | None = None
    orders_per_second: CountLimit | None = None
    cancels_per_second: CountLimit | None = None
    order_to_trade: Limit | None = None
    cancel_ratio_pct: Limit | None = None
    ratio_floor: Count | None = None
    fills_per_second: CountLimit | None = None
    repeated_executions: CountLimit | None = None
    duplicate_orders: DuplicateOrders | None = None
    self_match: SelfMatch | None = None  # Absent: an account may trade with itself.


class LimitSet(Part, frozen=True, kw_only=True):
    """Every limit in force. All scopes that apply to an order are checked, the tightest decides."""

    default: LimitsSpec = LimitsSpec()
    firm: LimitsSpec = LimitsSpec()
    session: LimitsSpec = LimitsSpec()  # Of each gateway that said hello; rates alone.
    group: dict[str, LimitsSpec] = {}
    account: dict[str, LimitsSpec] = {}
    strategy: dict[str, LimitsSpec] = {}
    trader: dict[str, LimitsSpec] = {}
    symbol: dict[str, LimitsSpec] = {}
    account_symbol: dict[str, dict[str, LimitsSpec]] = {}  # account -> symbol -> limits


class OrderRule(Part, frozen=True, kw_only=True):
    """Which orders a rule is about: those that match every field it gives."""

    account: AccountId | None = None
    group: UniqueId | None = None  # Of the account, or above its group.
    trader: Name | None = None
    strategy: Name | None = None
    symbol: Symbol | None = None
    side: Side | None = None
    order_type: OrderType | None = None
    reason: Text = ""


class PermissionDefault(StrEnum):
    """What becomes of an order that no permitted rule is about."""

    ALLOW = "allow"
    DENY = "deny"


class Permissions(Part, frozen=True, kw_only=True):
    """Who may trade what. A restriction always wins, for reducing orders too; see NOT_PERMITTED.

    An account that `permitted` names, by itself or by a group, trades only what such rules match.
    """

    default: PermissionDefault = PermissionDefault.ALLOW
    traders: tuple[Name, ...] | None = None  # All that are known; absent: any name may trade.
    strategies: tuple[Name, ...] | None = None  # The same.
    restricted: tuple[OrderRule, ...] = ()  # What is forbidden, whatever permits it.
    permitted: tuple[OrderRule, ...] = ()  # What may trade where permission is needed.


class Universe(Part, frozen=True, kw_only=True):
    """Everything declared: what a start of riskd, or a changed configuration, puts in force."""

    settings: RiskSettings = RiskSettings()
    instruments: tuple[InstrumentSpec, ...] = ()
    groups: tuple[GroupSpec, ...] = ()
    accounts: tuple[AccountSpec, ...] = ()
    limits: LimitSet = LimitSet()
    calendars: tuple[CalendarSpec, ...] = ()
    permissions: Permissions = Permissions()
    responses: tuple[ResponsePolicy, ...] = ()  # The policy table.
