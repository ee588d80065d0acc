"""What is told of exposure, margin and drawdown, made exactly from the ledgers when asked."""

from __future__ import annotations

from typing import Any

from engine.account import Account
from engine.drawdown import Span, drawdown_of
from engine.exposure import exposure_of, mark_ages_ns, net_by_currency, stakes_of
from engine.guards import GUARD_TYPES, LEVELS, MARGIN
from engine.high_water import HighWater, Standing
from engine.history import Stretch
from engine.money import number_from_money
from engine.sweep import drift_of
from riskd.messages import (
    DrawdownSpan,
    DrawdownUpdate,
    EquityStretch,
    ExposureUpdate,
    MarginState,
    MarginUpdate,
    RiskUpdate,
    ThresholdStatus,
    UpdateType,
)

STATUSES = (
    ThresholdStatus.SAFE,
    ThresholdStatus.WARNING,
    ThresholdStatus.CRITICAL,
    ThresholdStatus.CRITICAL,
)
MARGIN_STATES = tuple(MarginState)


def exposure_update(account: Account, now_ns: int) -> ExposureUpdate:
    """Return what an account is exposed to."""
    valuation, missing = account.valuation, account.valuation.refresh()
    told: dict[str, Any] = dict.fromkeys(EXPOSURES)
    by_symbol: dict[str, float] = {}
    if missing is None:
        found, equity = exposure_of(account), valuation.equity_money
        whole = max(found.gross_money, equity)
        told = {
            "long": number_from_money(found.long_money),
            "short": number_from_money(found.short_money),
            "gross": number_from_money(found.gross_money),
            "net": number_from_money(found.net_money),
            "leverage": found.gross_money / equity if equity > 0 else None,
            "largest_symbol": found.top_symbol or None,
            "largest_pct": found.top_money * 100 / whole if whole > 0 else None,
            "worst_gross": number_from_money(valuation.gross_money),
            "worst_long": number_from_money(valuation.upper_money),
            "worst_short": number_from_money(valuation.lower_money),
        }
        by_symbol = {key: number_from_money(money) for key, money in found.by_symbol.items()}
    turnover = account.turnover_money()
    return ExposureUpdate(
        **_measured(account, now_ns, complete=missing is None),
        **told,
        by_symbol=by_symbol,
        open_orders=len(account.state.orders),
        turnover=None if turnover is None else number_from_money(turnover),
        status=status_of(account, UpdateType.EXPOSURE),
        by_currency=net_by_currency(account.state.cash, stakes_of(account)),
    )


def margin_update(account: Account, now_ns: int) -> MarginUpdate:
    """Return what an account's positions tie up."""
    valuation, missing = account.valuation, account.valuation.refresh()
    equity = used = initial = maintenance = None
    if missing is None:
        equity, initial = valuation.equity_money, valuation.margin_money
        used, maintenance = valuation.used_money(), valuation.maintenance_money()
    standing = account.water.state.standings.get(MARGIN)
    return MarginUpdate(
        **_measured(account, now_ns, complete=missing is None),
        equity=_number(equity),
        used=_number(used),
        initial=_number(initial),
        maintenance=_number(maintenance),
        free=None if equity is None or used is None else number_from_money(equity - used),
        level_pct=equity * 100 / used if equity is not None and used else None,
        state=MARGIN_STATES[standing.level if standing is not None else 0],
    )


def drawdown_update(account: Account, now_ns: int, *, history: bool = False) -> DrawdownUpdate:
    """Return how far an account's equity is below its highest, with its `history` for a chart."""
    missing, water = account.valuation.refresh(), account.water
    equity = account.valuation.equity_money if missing is None and water.is_known() else None
    day = week = life = from_open = from_open_pct = None
    if equity is not None:
        spans = water.day(), water.week(), water.life()
        day, week, life = (span_told(span, equity, now_ns) for span in spans)
        opened = equity - account.day_pnl_money()
        fallen = max(0, opened - equity)
        from_open = number_from_money(fallen)
        from_open_pct = fallen * 100 / opened if opened > 0 else None
    return DrawdownUpdate(
        **_measured(account, now_ns, complete=equity is not None),
        equity=_number(equity),
        day=day,
        week=week,
        max=life,
        from_open=from_open,
        from_open_pct=from_open_pct,
        history=history_told(account.water) if history else (),
        status=status_of(account, UpdateType.DRAWDOWN),
    )


def history_of(account: Account) -> list[Stretch]:
    """Return the equity of an account over time, oldest first; empty before its first sweep."""
    history = account.water.history
    return history.stretches() if history is not None else []


def history_told(water: HighWater) -> tuple[EquityStretch, ...]:
    """Return the equity of a row over time, oldest first; empty before its first sweep."""
    stretches = water.history.stretches() if water.history is not None else []
    return tuple(
        EquityStretch(from_ns=x.from_ns, high=x.high, low=x.low, last=x.last) for x in stretches
    )


def risk_update(account: Account, update_type: UpdateType, now_ns: int) -> RiskUpdate:
    """Return the one number of a measure, with how far along it is."""
    value = None
    if account.valuation.refresh() is None:
        value = _value_of(account, update_type)
    return RiskUpdate(
        account=account.id,
        update_type=update_type,
        current_value=value,
        threshold_status=status_of(account, update_type),
        ts_ns=now_ns,
    )


def _value_of(account: Account, update_type: UpdateType) -> float | None:
    match update_type:
        case UpdateType.PNL:
            return number_from_money(account.day_pnl_money())
        case UpdateType.DRAWDOWN:
            return account.drawdown_pct()
        case UpdateType.MARGIN:
            used = account.valuation.used_money()
            return account.valuation.equity_money * 100 / used if used else None
        case UpdateType.EXPOSURE:
            return number_from_money(exposure_of(account).gross_money)


def check_view(account: Account) -> dict[str, Any]:
    """Return where every measure of an account stands, and the book's drift from its ledger."""
    drift, missing = drift_of(account), account.valuation.refresh()
    return {
        "account": account.id,
        "complete": missing is None,
        "missing": missing.what if missing is not None else None,
        "drift": None if drift is None else number_from_money(drift.money),
        "drift_bound": None if drift is None else number_from_money(drift.bound_money),
        "standings": {
            key: MARGIN_STATES[one.level].value if key == MARGIN else LEVELS[one.level]
            for key, one in account.water.state.standings.items()
        },
    }


def status_of(account: Account, update_type: UpdateType) -> ThresholdStatus:
    """Return how far along the worst measure of a kind is."""
    return worst_status(account.water.state.standings, update_type)


def worst_status(standings: dict[str, Standing], update_type: UpdateType) -> ThresholdStatus:
    """Return how far along the worst of some standings is, of one kind."""
    levels = [one.level for key, one in standings.items() if GUARD_TYPES[key] == update_type]
    return STATUSES[max(levels, default=0)]


def _measured(account: Account, now_ns: int, *, complete: bool) -> dict[str, Any]:
    return {
        "account": account.id,
        "currency": account.currency,
        "complete": complete,
        "mark_ages_ns": mark_ages_ns(account, now_ns),
        "ts_ns": now_ns,
    }


def span_told(span: Span | None, equity_money: int, now_ns: int) -> DrawdownSpan | None:
    """Return a span as it is told, of an equity in it; None of none."""
    if span is None:
        return None
    found = drawdown_of(span, equity_money, now_ns)
    return DrawdownSpan(
        peak=number_from_money(found.peak_money),
        trough=number_from_money(found.trough_money),
        drawdown=number_from_money(found.money),
        drawdown_pct=found.pct,
        since_ns=found.since_ns,
        under_water_ns=found.under_water_ns,
        recovered=number_from_money(found.recovered_money),
        recovered_pct=found.recovered_pct,
        deepest=number_from_money(found.deepest_money),
        recovery_factor=found.recovery_factor,
    )


def _number(money: int | None) -> float | None:
    return None if money is None else number_from_money(money)


EXPOSURES = (
    *("long", "short", "gross", "net", "leverage", "largest_symbol", "largest_pct"),
    *("worst_gross", "worst_long", "worst_short"),
)
