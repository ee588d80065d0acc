"""Checks of the order's numbers and of its price against the market."""

from __future__ import annotations

from msgspec.structs import replace

from engine.case import Case, Reference
from engine.findings import exceeded, reject_case, shown, shown_age
from engine.instruments import MILLI
from engine.money import MONEY_SCALE
from riskd.codes import RejectCode
from riskd.messages import Reject

_HUNDRED = 100 * MONEY_SCALE
_HUNDRED_TICKS = _HUNDRED * MILLI


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

    Formula: buy: price <= reference * (1 + price_collar_pct / 100); sell: the mirror
    """
    price, reference = case.price_milliticks, case.reference_milliticks
    if price is None or reference is None:
        return None
    limit = case.plan.limits["price_collar_pct"]
    if case.buying:
        if price * _HUNDRED <= reference * (_HUNDRED + limit.money):
            return None
    elif price * _HUNDRED >= reference * (_HUNDRED - limit.money):
        return None
    edge = collar_edge_milliticks(case)
    if edge is None:
        return None
    instrument, judged_by = case.plan.instrument, reference_of(case)
    found = exceeded(RejectCode.PRICE_COLLAR, limit, collar_numbers(case)[0], "%")
    text = (
        f"price {shown(instrument.price(price))} is past {shown(instrument.price(edge))}: "
        f"{judged_by.source} {shown(instrument.price(judged_by.milliticks))}, "
        f"{shown_age(judged_by.age_ns)}, collar {limit.value:g} %"
    )
    return replace(found, text=text)


def collar_edge_milliticks(case: Case) -> int | None:
    """Return the worst price on the tick that the collar allows; None where it does not apply.

    A percentage means nothing at or below zero, so instruments that may go there have no collar
    in percent.
    """
    reference = case.reference_milliticks
    if reference is None or case.price_milliticks is None:
        return None
    if case.plan.instrument.spec.allow_negative:
        return None
    percent_money = case.plan.limits["price_collar_pct"].money
    if case.buying:
        return reference * (_HUNDRED + percent_money) // _HUNDRED_TICKS * MILLI
    return -(-reference * (_HUNDRED - percent_money) // _HUNDRED_TICKS) * MILLI


def collar_numbers(case: Case) -> tuple[float, float]:
    """Return how far the price is on its bad side, in percent of the reference, and the limit."""
    limit, reference = case.plan.limits["price_collar_pct"].value, case.reference_milliticks
    if not reference or case.price_milliticks is None:
        return 0.0, limit
    away = case.price_milliticks - reference
    return (away if case.buying else -away) * 100 / reference, limit


def reference_of(case: Case) -> Reference:
    """Return the reference with its source and age. There is one."""
    if case.told_reference is not None:
        return case.told_reference
    assert case.reference_milliticks is not None
    age_ns = case.now_steady_ns - case.plan.quote.touch_steady_ns
    stale_ns = case.plan.instrument.stale_after_ns
    return Reference(case.reference_milliticks, "touch", age_ns, stale_ns)
