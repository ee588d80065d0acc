"""Settings of the rules: journalled with what is declared, so that a replay needs no file."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from riskd.contract.base import Part

Share = Annotated[float, Meta(ge=0)]


class CorrelationSettings(Part, frozen=True, kw_only=True):
    """How the correlation of two symbols is measured, and from where on they count together."""

    sample_ms: Annotated[int, Meta(gt=0, le=86_400_000)] = 60_000  # From one sample to the next.
    half_life_samples: Annotated[float, Meta(ge=1, le=1_000_000)] = 60.0  # So old, it counts half.
    threshold: Annotated[float, Meta(gt=0, le=1)] = 0.7  # Correlated so much, they count together.
    samples_min: Annotated[int, Meta(ge=2, le=1_000_000)] = 30  # With fewer it is not known.


EscalationMs = Annotated[int, Meta(ge=0, le=604_800_000)]


class AlertSettings(Part, frozen=True, kw_only=True):
    """What is alerted of beside limits, and how long until nobody's alert gets worse."""

    escalate_low_ms: EscalationMs = 0  # 0: never.
    escalate_medium_ms: EscalationMs = 0
    escalate_high_ms: EscalationMs = 900_000
    escalate_critical_ms: EscalationMs = 300_000
    feed_silence: bool = False  # Of what is held, past stale_after_ms in an open market.
    reject_ratio_pct: Annotated[float, Meta(ge=0, le=100)] = 0.0  # Of an account's orders.
    reject_orders_min: Annotated[int, Meta(ge=1, le=2**63 - 1)] = (
        20  # In the window, for a ratio to count.
    )
    reject_window_ms: Annotated[int, Meta(gt=0, le=86_400_000)] = 60_000  # Then both begin anew.
    look_ms: Annotated[int, Meta(ge=1000, le=3_600_000)] = 10_000  # Between looks at what follows.
    burn_horizon_ms: Annotated[int, Meta(ge=0, le=86_400_000)] = 600_000  # Loss limit reached by
    burn_short_ms: Annotated[int, Meta(ge=1000, le=3_600_000)] = 60_000  # then, at the pace of
    burn_long_ms: Annotated[int, Meta(ge=1000, le=3_600_000)] = 300_000  # both windows; 0: never.
    pnl_move_pct: Share = 0.0  # Of an account's equity, within the window; 0: never.
    position_move_pct: Share = 0.0  # Of one position, of the account's equity; 0: never.
    move_window_ms: Annotated[int, Meta(ge=1000, le=3_600_000)] = 60_000  # Of both moves.
    reward_to_risk_min: Share = 0.0  # Of a position with a stop and a target; 0: never.
    rebalance_hhi: Annotated[float, Meta(ge=0, lt=1)] = 0.0  # Index of concentration; 0: never.


class RiskSettings(Part, frozen=True, kw_only=True):
    """What the rules need to know of the settings, so that a replay needs no file."""

    mark: str = "mid"  # mid, closing, last.
    stale_after_ms: int = 5000  # Oldest bid or ask that an order is judged by.
    last_after_ms: int = 60_000  # Oldest last trade that stands in for a missing touch.
    mark_after_ms: int = 60_000  # Oldest middle of a sound book that does.
    close_after_ms: int = 432_000_000  # Oldest previous close that does: a long weekend's.
    settlement_after_ms: int = 432_000_000  # Oldest settlement price that does.
    slippage_bps: float = 10.0  # Added to the touch when a market order is valued.
    reservation_ms: int = 30_000  # Without news for this long a reservation is suspect.
    fx_pivot: str = "USD"  # Crosses go through this currency.
    firm_calendar: str = "UTC"  # When the firm's day begins, of which its drawdown is told.
    fx_stale_after_ms: int = 60_000  # An exchange rate without news for longer is old.
    fx_haircut_pct: float = 5.0  # So much more counts exposure converted by an old rate.
    heartbeat_ms: int = 1000  # A gateway with a session sends something at least this often.
    instruction_ms: int = 5000  # A gateway that has not done an instruction by then is late.
    durability: int = 1  # What a verdict says it rests on: 1 written, 2 synced.
    recover_pct: float = 5.0  # How far a measure comes back to recover: of its limit, or points.
    dwell_ms: int = 10_000  # For how long it stays there until it has recovered.
    sweep_ms: int = 0  # Between two recomputations of every account from its ledger; 0: none.
    basket_rate: str = "each"  # What a basket that does not fit a rate is charged: each, whole.
    correlation: CorrelationSettings = CorrelationSettings()
    alerts: AlertSettings = AlertSettings()
