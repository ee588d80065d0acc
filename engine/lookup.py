"""What an order is judged on: every number looked up once, every throttle charged once."""

from __future__ import annotations

from math import isfinite

from engine.account import Account
from engine.case import Case, Plan
from engine.charges import charge
from engine.facts import Stamp
from engine.instruments import Instrument
from engine.rates import ONE
from engine.reference import Reference, judged_by
from riskd.messages import Check, MarketPhase, RiskSettings, Side


def prepare(case: Case, account: Account, plan: Plan, order: Check, stamp: Stamp) -> bool:
    """Look everything up for the checks and charge the throttles.

    Returns whether anything is unusual, so that checks other than the ordinary ones may fail.
    """
    instrument, boards, state = plan.instrument, account.boards, account.state
    case.order, case.plan, case.stamp, case.now_steady_ns = order, plan, stamp, stamp.steady_ns
    case.breakers, case.valuation = boards.breakers, account.valuation
    case.frozen, case.unreconciled = state.frozen, state.unreconciled
    case.unsynced = boards.sessions.refusal(stamp.session) if stamp.session else ""
    case.working, case.open_count = state.orders, len(state.orders)
    case.costs_more = case.is_worse = case.closing = False
    case.own_lots = case.own_money = case.filled_lots = 0
    lots = case.lots = instrument.lots(order.quantity)
    price, stop_price = order.price, order.stop_price
    case.price_milliticks = case.value_milliticks = (
        None if price is None else instrument.milliticks_on_tick(price)
    )
    case.stop_milliticks = None if stop_price is None else instrument.milliticks_on_tick(stop_price)
    buying = case.buying = order.side is Side.BUY
    quote = plan.quote
    fresh = stamp.steady_ns - quote.touch_steady_ns <= instrument.stale_after_ns
    if fresh and quote.is_sound:
        case.reference_milliticks = quote.ask if buying else quote.bid
        case.told_reference = None
    else:
        told = case.told_reference = _reference(case, boards.settings)
        case.reference_milliticks = told.milliticks if told is not None else None
    if price is None:
        case.value_milliticks = _market_value(case, boards.settings.slippage_bps)
    if plan.is_account_currency:
        case.account_rate = case.offset_rate = ONE
    else:
        pair = instrument.settlement, state.spec.currency
        case.account_rate = boards.quotes.exposure_rate(*pair)
        case.offset_rate = boards.quotes.rate(*pair)
    if order.close_position:
        lots = closing_lots(case, lots)
    charge(account, case)
    case.turnover_money = account.turnover_money() if "turnover" in plan.limits else 0
    case.currency_missing = case.missing = None
    if plan.needs_valuation:
        case.missing = account.valuation.refresh()
        case.day_pnl_money = account.day_pnl_money()
        case.equity_money = account.valuation.equity_money - state.shortfall_money
        if case.missing is None and plan.needs_peaks:
            case.peaks_money = account.water.peaks_money()
        case.drawdown_pct = account.drawdown_pct() if plan.risk_steps else None
    place_order(case, lots)
    return _is_unusual(case)


def closing_lots(case: Case, lots: int | None) -> int | None:
    """Return as many of an order's lots as close what is left; all, where nothing is."""
    left = case.reducible_lots()
    return min(lots, case.filled_lots + left) if lots and left else lots


def place_order(case: Case, lots: int | None) -> None:
    """Look at the order as it is; what is no multiple of the lot is not known to reduce."""
    case.place(lots or 0)
    if lots is None:
        case.lots, case.reducing = None, False


def _is_unusual(case: Case) -> bool:
    """Return whether a check other than the ordinary ones could fail."""
    order, plan = case.order, case.plan
    return (
        case.told_reference is not None
        or case.reference_milliticks is None
        or case.lots is None
        or (case.price_milliticks is None) is not (order.price is None)
        or (case.stop_milliticks is None) is not (order.stop_price is None)
        or case.rate_refusal is not None
        or case.rate_warning is not None
        or case.repeat_after_ns != 0
        or case.turnover_money is None
        or bool(plan.currency_limits)  # Their check alone finds out whether a rate is missing.
        or case.missing is not None
        or case.account_rate is None
        or not case.breakers.quiet
        or case.frozen != ""
        or case.unsynced != ""
        or case.unreconciled != ""
        or order.deadline_ns is not None
        or order.reduce_only
        or order.close_position
        or plan.quote.phase is not MarketPhase.OPEN
    )


def value_invalid(order: Check, instrument: Instrument | None) -> str | None:
    """Return which number of an order is not finite, not positive or out of range."""
    if instrument is None:
        if order.quantity > 0 and is_finite(order):
            return None
        return "quantity and prices must be finite, quantity greater than zero"
    quantity, price, low = order.quantity, order.price, instrument.price_min
    if not 0 < quantity <= instrument.quantity_max:
        return f"quantity {quantity} must be finite, greater than zero and in range"
    if price is not None and not low < price <= instrument.price_max:
        return f"price {price} {_price_must(instrument)}"
    if order.stop_price is None and order.stop_loss is None and order.take_profit is None:
        return None
    for name in ("stop_price", "stop_loss", "take_profit"):
        other: float | None = getattr(order, name)
        if other is not None and not low < other <= instrument.price_max:
            return f"{name} {other} {_price_must(instrument)}"
    return None


def is_finite(order: Check) -> bool:
    """Return whether every number of an order is one."""
    numbers = (order.quantity, order.price, order.stop_price, order.stop_loss, order.take_profit)
    return all(number is None or isfinite(number) for number in numbers)


def _price_must(instrument: Instrument) -> str:
    if instrument.spec.allow_negative:
        return "must be finite and in range"
    return "must be finite, greater than zero and in range"


def _reference(case: Case, settings: RiskSettings) -> Reference | None:
    plan, now_ns = case.plan, case.now_steady_ns
    stale_ns = plan.instrument.stale_after_ns
    return judged_by(plan.quote, settings, stale_ns, now_ns, buying=case.buying)


def _market_value(case: Case, slippage_bps: float) -> int | None:
    """Return what an order without a limit price is valued at: touch, or stop, with slippage.

    The worse of both for a stop: one that the market is past already trades at the touch. Slippage
    counts where it makes the order larger: against a buyer up, but against a seller down where the
    price is below zero, and for an inverse contract, which is larger the lower the price.
    """
    prices = (case.stop_milliticks, case.reference_milliticks)
    known = [price for price in prices if price is not None]
    if not known:
        return None
    base = max(known) if case.buying else min(known)
    slip = round(abs(base) * slippage_bps / 10_000)
    if case.plan.instrument.inverse:
        return base if case.buying else max(1, base - slip)
    if base < 0:
        return base if case.buying else base - slip
    return base + slip if case.buying else base
