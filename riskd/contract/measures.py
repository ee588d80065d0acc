"""What riskd publishes and answers of exposure, margin and drawdown, of accounts and the firm."""

from __future__ import annotations

from enum import StrEnum

from riskd.contract.base import AccountId, Answer, ControlRequest, Name, Part


class ThresholdStatus(StrEnum):
    """How far along a measure is towards its limit; at the limit is critical too."""

    SAFE = "safe"
    WARNING = "warning"
    CRITICAL = "critical"


class MarginState(StrEnum):
    """Where a margin level stands; left for a better one only after it has recovered."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    STOPOUT = "stopout"


class UpdateType(StrEnum):
    """Which measure a `risk_update` is about."""

    PNL = "pnl"
    DRAWDOWN = "drawdown"
    MARGIN = "margin"
    EXPOSURE = "exposure"


class Measured(Answer, frozen=True, kw_only=True):
    """Base of what is measured. Figures are in `currency`; those not known are null."""

    currency: str
    complete: bool  # False: a mark or an exchange rate is missing, and so are figures.
    mark_ages_ns: dict[str, int]  # By symbol that is held: the age of the price it is valued at.
    ts_ns: int
    pub_seq: int = 0


class ExposureUpdate(Measured, frozen=True, kw_only=True, tag="exposure_update"):
    """What an account is exposed to, at the marks of now. State topic `exposure.<account>`."""

    account: str
    long: float | None  # Of the positions, without working orders.
    short: float | None  # Never negative.
    gross: float | None  # Long plus short.
    net: float | None  # Long less short.
    leverage: float | None  # Gross as a multiple of equity; null where equity is not positive.
    largest_symbol: str | None  # The largest position; null if there is none.
    largest_pct: float | None  # Of gross exposure or equity, the larger.
    worst_gross: float | None  # If on each symbol the side filled that makes it larger.
    worst_long: float | None  # Net, if every working buy filled and no sell did.
    worst_short: float | None  # Net, if every working sell filled and no buy did.
    by_symbol: dict[str, float]  # Long less short.
    open_orders: int
    turnover: float | None  # Filled today and working.
    status: ThresholdStatus
    by_currency: dict[str, float] = {}  # Each in itself: cash, profit, both legs of its pairs.


class MarginUpdate(Measured, frozen=True, kw_only=True, tag="margin_update"):
    """What an account's positions tie up. State topic `margin.<account>`."""

    account: str
    equity: float | None
    used: float | None  # Initial margin of what is held.
    initial: float | None  # The same with every working order at its worst.
    maintenance: float | None  # Of what is held.
    free: float | None  # Equity less used.
    level_pct: float | None  # Equity in percent of used; null, not zero, where nothing is used.
    state: MarginState


class DrawdownSpan(Part, frozen=True, kw_only=True):
    """How far equity is below its highest since a day, a week or the account began."""

    peak: float  # The highest equity of the span.
    trough: float  # The lowest since the peak.
    drawdown: float  # Below the peak now.
    drawdown_pct: float | None  # Of the peak; null where that is not positive.
    since_ns: int | None  # Under water since then; null at the peak.
    under_water_ns: int  # For how long it has been below the peak.
    recovered: float  # Up from the trough.
    recovered_pct: float | None  # Of the way from trough to peak; null where they are one.
    deepest: float  # The deepest fall of the span, this one included.
    recovery_factor: float | None  # Profit of the span as a multiple of its deepest fall.


class EquityStretch(Part, frozen=True, kw_only=True):
    """What equity did in a stretch of time, for a chart."""

    from_ns: int  # When it began; it ends where the next begins.
    high: float  # The highest equity in it.
    low: float  # The lowest.
    last: float  # At its end.


class DrawdownUpdate(Measured, frozen=True, kw_only=True, tag="drawdown_update"):
    """How far an account's equity is below its highest. State topic `drawdown.<account>`."""

    account: str
    equity: float | None
    day: DrawdownSpan | None  # Since the day began.
    week: DrawdownSpan | None  # Since the week began.
    max: DrawdownSpan | None  # Since the account began.
    from_open: float | None  # Below the equity that the day began with, transfers moved; else 0.
    from_open_pct: float | None  # The same in percent of it; null where it is not positive.
    status: ThresholdStatus
    history: tuple[EquityStretch, ...] = ()  # Where it was asked for: bounded, no extreme is lost.


class FirmExposure(Measured, frozen=True, kw_only=True, tag="firm_exposure"):
    """What all accounts, or those of a group, are exposed to.

    State topics `firm.exposure` and `firm.exposure.<group>`.
    Long and short of different accounts do not offset each other in gross.
    """

    scope: str  # `firm` or `group:G`.
    long: float  # Of the positions, without working orders.
    short: float  # Never negative.
    gross: float  # Long plus short.
    net: float  # Long less short.
    by_symbol: dict[str, float]  # Long less short.
    by_currency: dict[str, float] = {}  # Each in itself: cash, profit, both legs of its pairs.


class FirmPnl(Measured, frozen=True, kw_only=True, tag="firm_pnl"):
    """What all accounts, or those of a group, are worth and earned today, each in its own day.

    State topics `firm.pnl` and `firm.pnl.<group>`.
    """

    scope: str  # `firm` or `group:G`.
    equity: float
    day: float
    accounts: int
    unknown: int  # Accounts that are left out, for a mark or a rate of theirs is missing.


class FirmDrawdown(Measured, frozen=True, kw_only=True, tag="firm_drawdown"):
    """How far what all accounts, or those of a group, are worth together is below its highest.

    State topics `firm.drawdown` and `firm.drawdown.<group>`. It is worth what one account would be
    that holds everything they do; money and accounts that come or go move its peaks.
    """

    scope: str  # `firm` or `group:G`.
    equity: float | None  # Null while a mark or a rate is missing.
    day: DrawdownSpan | None  # Since the day of its calendar began.
    week: DrawdownSpan | None  # Since the week began.
    max: DrawdownSpan | None  # Ever.
    status: ThresholdStatus  # Of its own limits on drawdown.
    history: tuple[EquityStretch, ...] = ()  # Where it was asked for: bounded, no extreme is lost.


class RiskUpdate(Answer, frozen=True, kw_only=True, tag="risk_update"):
    """One measure of an account changed. State topic `risk_update.<account>.<update_type>`.

    pnl: the day's; drawdown: percent below the highest equity ever; margin: level in percent;
    exposure: gross.
    """

    account: str
    update_type: UpdateType  # Which measure.
    current_value: float | None  # Null: it is not known, or there is none.
    threshold_status: ThresholdStatus  # How far along it is towards its limit.
    ts_ns: int
    previous_value: float | None = None  # As published last; absent the first time.
    pub_seq: int = 0


MeasuredUpdate = (
    ExposureUpdate
    | MarginUpdate
    | DrawdownUpdate
    | FirmExposure
    | FirmPnl
    | FirmDrawdown
    | RiskUpdate
)


class ExposureRequest(ControlRequest, tag="exposure", frozen=True, kw_only=True):
    """What a book is exposed to: long, short, gross, net, by symbol."""

    scope: Name = "firm"  # `firm`, `group:G` or `account:A1`.


class MarginRequest(ControlRequest, tag="margin", frozen=True, kw_only=True):
    """Margin of one account, or of all: used, maintenance, free, level, state."""

    account: AccountId | None = None


class DrawdownRequest(ControlRequest, tag="drawdown", frozen=True, kw_only=True):
    """Drawdown of one account, or of all: of the day, of the week, and the maximum."""

    account: AccountId | None = None
    scope: Name | None = None  # Instead: `firm` or `group:G`, what its accounts are worth together.
    history: bool = False  # With the equity over time, for a chart.


class CheckState(ControlRequest, tag="check", frozen=True, kw_only=True):
    """Look at one account, or at all, exactly and now: where every measure stands.

    What the valuation book says is compared with the ledger, and nothing is changed.
    """

    account: AccountId | None = None  # All, if absent or `all`.


MeasuresQuery = ExposureRequest | MarginRequest | DrawdownRequest | CheckState
