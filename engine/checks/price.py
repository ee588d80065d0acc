"""Checks of the order's numbers and of its price against the market."""

from __future__ import annotations

from engine.case import Case, Missing
from engine.findings import exceeded, reject_case, shown, shown_age
from engine.instruments import MILLI
from engine.money import MONEY_SCALE
from riskd.codes import CODES, RejectCode
from riskd.messages import OrderType, Reject

MARKET_TYPES = (OrderType.MARKET, OrderType.STOP)


def check_price_off_tick(case: Case) -> Reject | None:
    """Every price of the order is a multiple of the tick."""
    order, tick = case.order, case.plan.instrument.spec.tick_size
    if order.price is not None and case.price_milliticks is None:
        text = f"price {shown(order.price)} is not a multiple of the tick {tick}"
        return reject_case(case, RejectCode.PRICE_OFF_TICK, text)
    if order.stop_price is not None and case.stop_milliticks is None:
        text = f"stop_price {shown(order.stop_price)} is not a multiple of the tick {tick}"
        return reject_case(case, RejectCode.PRICE_OFF_TICK, text)
    return None


def check_quantity_off_lot(case: Case) -> Reject | None:
    """The quantity is a multiple of the lot."""
    if case.lots is not None:
        return None
    lot = case.plan.instrument.spec.lot_size
    text = f"quantity {shown(case.order.quantity)} is not a multiple of the lot {lot}"
    return reject_case(case, RejectCode.QUANTITY_OFF_LOT, text)


def check_no_reference_price(case: Case) -> Reject | None:
    """An order is judged by known prices, its own and those of what is held, never by none."""
    if case.reference is not None:
        asked = case.plan.needs_measures and not case.reducing
        missing = case.measure() if asked else None
        if isinstance(missing, Missing) and missing.code is RejectCode.NO_REFERENCE_PRICE:
            return reject_case(case, missing.code, missing.what)
        return None
    text = f"{case.plan.instrument.symbol} has no touch, last, mark, previous close or settlement"
    return reject_case(case, RejectCode.NO_REFERENCE_PRICE, text)


def check_stale_price(case: Case) -> Reject | None:
    """The reference is no older than its source may be."""
    reference = case.reference
    if reference is None or reference.age_ns <= reference.age_max_ns:
        return None
    price = shown(case.plan.instrument.price(reference.milliticks))
    text = (
        f"{reference.source} {price} is {shown_age(reference.age_ns)}, "
        f"limit {reference.age_max_ns / 1e9:g} s"
    )
    return reject_case(case, RejectCode.STALE_PRICE, text)


def check_price_collar(case: Case) -> Reject | None:
    """A buy is not priced too far above the reference, a sell not too far below it."""
    edge = collar_edge_milliticks(case)
    price = case.price_milliticks
    if edge is None or price is None or case.reference is None:
        return None
    if price <= edge if case.buying else price >= edge:
        return None
    limit = case.plan.limits["price_collar_pct"]
    instrument, reference = case.plan.instrument, case.reference
    found = exceeded(RejectCode.PRICE_COLLAR, limit, collar_numbers(case)[0], "%")
    text = (
        f"price {shown(instrument.price(price))} is past {shown(instrument.price(edge))}: "
        f"{reference.source} {shown(instrument.price(reference.milliticks))}, "
        f"{shown_age(reference.age_ns)}, collar {limit.value:g} %"
    )
    return Reject(
        code=found.code,
        fix_code=CODES[RejectCode.PRICE_COLLAR].fix_code,
        scope=found.scope,
        scope_id=found.scope_id,
        limit_type=found.limit_type,
        value=found.value,
        limit=found.limit,
        text=text,
    )


def collar_edge_milliticks(case: Case) -> int | None:
    """Return the worst price on the tick that the collar allows; None where it does not apply.

    A percentage means nothing at or below zero, so instruments that may go there have no collar
    in percent.
    """
    if case.reference is None or case.plan.instrument.spec.allow_negative:
        return None
    if case.order.order_type in MARKET_TYPES:
        return None
    percent_money = case.plan.limits["price_collar_pct"].money
    hundred = 100 * MONEY_SCALE
    ticks_scaled = case.reference.milliticks
    if case.buying:
        return ticks_scaled * (hundred + percent_money) // (hundred * MILLI) * MILLI
    return -(-ticks_scaled * (hundred - percent_money) // (hundred * MILLI)) * MILLI


def collar_numbers(case: Case) -> tuple[float, float]:
    """Return how far the price is on its bad side, in percent of the reference, and the limit."""
    limit = case.plan.limits["price_collar_pct"].value
    if case.reference is None or case.price_milliticks is None or not case.reference.milliticks:
        return 0.0, limit
    away = case.price_milliticks - case.reference.milliticks
    worse = away if case.buying else -away
    return worse * 100 / case.reference.milliticks, limit
