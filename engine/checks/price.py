"""Checks of the order's numbers and of its price against the market."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from engine.bounds import Bounds
from engine.case import Case, Plan
from engine.findings import exceeded, reject_case, shown, shown_age
from engine.instruments import MILLI
from engine.limits import ResolvedLimit
from engine.money import MONEY_SCALE
from engine.reference import Reference
from riskd.codes import RejectCode
from riskd.messages import MarketPhase, Reject

_HUNDRED = 100 * MONEY_SCALE


def check_price_off_tick(case: Case) -> Reject | None:
    """Every price of the order is a multiple of the tick.

    Formula: price / tick_size is an integer
    """
    order, tick = case.order, case.plan.instrument.spec.tick_size
    if order.price is not None and case.price_milliticks is None:
        text = f"price {shown(order.price)} is not a multiple of the tick {tick}"
        return reject_case(case, RejectCode.PRICE_OFF_TICK, text)
    if order.stop_price is not None and case.stop_milliticks is None:
        text = f"stop_price {shown(order.stop_price)} is not a multiple of the tick {tick}"
        return reject_case(case, RejectCode.PRICE_OFF_TICK, text)
    return None


def check_quantity_off_lot(case: Case) -> Reject | None:
    """The quantity is a multiple of the lot.

    Formula: quantity / lot_size is an integer
    """
    if case.lots is not None:
        return None
    lot = case.plan.instrument.spec.lot_size
    text = f"quantity {shown(case.order.quantity)} is not a multiple of the lot {lot}"
    return reject_case(case, RejectCode.QUANTITY_OFF_LOT, text)


def check_no_reference_price(case: Case) -> Reject | None:
    """An order is judged by known prices, its own and those of what is held, never by none."""
    if case.reference_milliticks is None:
        symbol = case.plan.instrument.symbol
        text = f"{symbol} has no touch, last, mark, previous close or settlement"
        return reject_case(case, RejectCode.NO_REFERENCE_PRICE, text)
    missing = case.missing
    if missing is None or missing.code is not RejectCode.NO_REFERENCE_PRICE or case.reducing:
        return None
    return reject_case(case, missing.code, missing.what)


def check_stale_price(case: Case) -> Reject | None:
    """The reference is no older than its source may be.

    Formula: age of the reference <= stale_after of its source
    """
    reference = case.told_reference
    if reference is None or reference.age_ns <= reference.age_max_ns:
        return None
    price = shown(case.plan.instrument.price(reference.milliticks))
    text = (
        f"{reference.source} {price} is {shown_age(reference.age_ns)}, "
        f"limit {reference.age_max_ns / 1e9:g} s"
    )
    return reject_case(case, RejectCode.STALE_PRICE, text)


def check_price_collar(case: Case) -> Reject | None:
    """A buy is not priced too far above the reference, a sell not too far below it.

    Formula: buy: price <= reference * (1 + price_collar_pct / 100); sell: the mirror; in an auction
    each collar is auction_collar_factor times as wide
    """
    price, reference = case.price_milliticks, case.reference_milliticks
    if price is None or reference is None:
        return None
    limit = case.plan.limits["price_collar_pct"]
    away = price - reference if case.buying else reference - price
    if away * _HUNDRED <= reference * limit.money:
        return None
    return _past(case, _percent_collar(case), "%")


def collar_edge(case: Case) -> int | None:
    """Return the worst price on the tick that the collar in percent allows.

    A percentage means nothing at or below zero, so instruments that may go there have none.
    """
    return _edge(case, _percent_collar(case))


def collar_bound(plan: Plan, bounds: Bounds) -> None:
    """Bound how much worse a price is than the reference, in percent."""
    money = plan.limits["price_collar_pct"].money
    bounds.away_percent_money = min(bounds.away_percent_money, money)


def collar_numbers(case: Case) -> tuple[float, float]:
    """Return how far the price is on its bad side, in percent of the reference, and the limit."""
    limit = _in_force(case, "price_collar_pct").value
    reference = case.reference_milliticks
    return (_away(case) * 100 / reference if reference else 0.0), limit


def check_tick_collar(case: Case) -> Reject | None:
    """The same, so many ticks from the reference: through zero as anywhere.

    Formula: buy: price <= reference + price_collar_ticks * tick_size; sell: the mirror
    """
    return _past(case, _tick_collar(case), "ticks")


def tick_collar_edge(case: Case) -> int | None:
    """Return the worst price on the tick that the collar in ticks allows."""
    return _edge(case, _tick_collar(case))


def tick_collar_bound(plan: Plan, bounds: Bounds) -> None:
    """Bound how much worse a price is than the reference, in ticks."""
    away = MILLI * plan.limits["price_collar_ticks"].money // MONEY_SCALE
    bounds.away_milliticks = min(bounds.away_milliticks, away)


def tick_collar_numbers(case: Case) -> tuple[float, float]:
    """Return how far the price is on its bad side, in ticks, and the limit."""
    return _away(case) / MILLI, _in_force(case, "price_collar_ticks").value


def check_money_collar(case: Case) -> Reject | None:
    """The same, so much money a unit from the reference, in the currency of the price.

    Formula: buy: price <= reference + price_collar_money; sell: the mirror
    """
    return _past(case, _money_collar(case), case.plan.instrument.spec.currency)


def money_collar_edge(case: Case) -> int | None:
    """Return the worst price on the tick that the collar in money allows."""
    return _edge(case, _money_collar(case))


def money_collar_bound(plan: Plan, bounds: Bounds) -> None:
    """Bound how much worse a price is than the reference, in money."""
    limit, instrument = plan.limits["price_collar_money"], plan.instrument
    away = MILLI * limit.money * instrument.tick_denominator
    away //= MONEY_SCALE * instrument.tick_numerator
    bounds.away_milliticks = min(bounds.away_milliticks, away)


def money_collar_numbers(case: Case) -> tuple[float, float]:
    """Return how far the price is on its bad side, in the currency of the price, and the limit."""
    return case.plan.instrument.price(_away(case)), _in_force(case, "price_collar_money").value


def reference_of(case: Case) -> Reference:
    """Return the reference with its source and age. There is one."""
    if case.told_reference is not None:
        return case.told_reference
    assert case.reference_milliticks is not None
    age_ns = case.now_steady_ns - case.plan.quote.touch_steady_ns
    stale_ns = case.plan.instrument.stale_after_ns
    return Reference(case.reference_milliticks, "touch", age_ns, stale_ns)


class _Collar(NamedTuple):
    """How many milliticks a price may be worse than the reference, as an exact quotient."""

    limit: ResolvedLimit
    numerator: int
    denominator: int
    away: float  # How many it is, in the limit's unit.


def _percent_collar(case: Case) -> _Collar | None:
    reference = case.reference_milliticks
    if reference is None or case.plan.instrument.spec.allow_negative:
        return None
    limit = _in_force(case, "price_collar_pct")
    return _Collar(limit, reference * limit.money, _HUNDRED, collar_numbers(case)[0])


def _tick_collar(case: Case) -> _Collar:
    limit = _in_force(case, "price_collar_ticks")
    return _Collar(limit, MILLI * limit.money, MONEY_SCALE, tick_collar_numbers(case)[0])


def _money_collar(case: Case) -> _Collar:
    limit, instrument = _in_force(case, "price_collar_money"), case.plan.instrument
    numerator = MILLI * limit.money * instrument.tick_denominator
    denominator = MONEY_SCALE * instrument.tick_numerator
    return _Collar(limit, numerator, denominator, money_collar_numbers(case)[0])


def _in_force(case: Case, key: str) -> ResolvedLimit:
    """Return a collar's limit in the present state of the market."""
    limits = case.plan.limits
    limit, factor = limits[key], limits.get("auction_collar_factor")
    if factor is None or case.plan.quote.phase is not MarketPhase.AUCTION:
        return limit
    money = limit.money * factor.money // MONEY_SCALE
    return limit._replace(money=money, value=money / MONEY_SCALE)


def _away(case: Case) -> int:
    price, reference = case.price_milliticks, case.reference_milliticks
    if price is None or reference is None:
        return 0
    return price - reference if case.buying else reference - price


def _past(case: Case, collar: _Collar | None, unit: str) -> Reject | None:
    """Return why the price is past a collar, None if it is within."""
    price = case.price_milliticks
    if price is None or case.reference_milliticks is None or collar is None:
        return None  # An order without a price, or refused by the check of its reference.
    edge = _edge(case, collar)
    if edge is None or _away(case) * collar.denominator <= collar.numerator:
        return None
    instrument, judged_by = case.plan.instrument, reference_of(case)
    text = (
        f"price {shown(instrument.price(price))} is past {shown(instrument.price(edge))}: "
        f"{judged_by.source} {shown(instrument.price(judged_by.milliticks))}, "
        f"{shown_age(judged_by.age_ns)}, collar {collar.limit.value:g} {unit}"
    )
    return replace(exceeded(RejectCode.PRICE_COLLAR, collar.limit, collar.away, unit), text=text)


def _edge(case: Case, collar: _Collar | None) -> int | None:
    reference = case.reference_milliticks
    if reference is None or collar is None:
        return None
    middle, ticks = reference * collar.denominator, collar.denominator * MILLI
    if case.buying:
        return (middle + collar.numerator) // ticks * MILLI
    return -(-(middle - collar.numerator) // ticks) * MILLI
