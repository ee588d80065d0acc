"""Checks of size: the order alone, then the position it could make."""

from __future__ import annotations

from engine.bounds import Bounds
from engine.case import Case, Plan
from engine.findings import exceeded
from engine.instruments import Instrument
from engine.limits import ResolvedLimit
from engine.money import MONEY_SCALE
from riskd.codes import RejectCode
from riskd.messages import Reject


def check_order_quantity(case: Case) -> Reject | None:
    """The order is at most `order_quantity` units.

    Formula: quantity <= order_quantity
    """
    limit, instrument = case.plan.limits["order_quantity"], case.plan.instrument
    lots = case.lots or 0
    if lots * instrument.lot_numerator * MONEY_SCALE <= limit.money * instrument.lot_denominator:
        return None
    return exceeded(RejectCode.ORDER_QUANTITY, limit, order_quantity_numbers(case)[0], "units")


def order_quantity_fits(case: Case) -> int:
    """Return the most lots that pass `check_order_quantity`."""
    return _quantity_lots(case.plan.instrument, case.plan.limits["order_quantity"])


def order_quantity_bound(plan: Plan, bounds: Bounds) -> None:
    """Bound the lots of an order."""
    lots = _quantity_lots(plan.instrument, plan.limits["order_quantity"])
    bounds.order_lots = min(bounds.order_lots, lots)


def order_quantity_numbers(case: Case) -> tuple[float, float]:
    """Return the order's quantity and its limit."""
    quantity = (
        case.order.quantity if case.lots is None else case.plan.instrument.quantity(case.lots)
    )
    return quantity, case.plan.limits["order_quantity"].value


def check_order_notional(case: Case) -> Reject | None:
    """The order's value, in account currency, is at most `order_notional`.

    Formula: quantity * multiplier * price of the order * rate <= order_notional; without a limit
    price that of the touch, or of its stop where that is worse, and slippage
    """
    rate, notional = case.account_rate, case.notional_money
    if notional is None or case.lots is None or rate is None:
        return None  # Refused by the checks of its price, its lots or its rate.
    limit = case.plan.limits["order_notional"]
    if notional * rate.numerator <= limit.money * rate.denominator:
        return None
    return exceeded(
        RejectCode.ORDER_NOTIONAL, limit, order_notional_numbers(case)[0], case.currency
    )


def order_notional_fits(case: Case) -> int | None:
    """Return the most lots that pass `check_order_notional`."""
    limit = case.plan.limits["order_notional"]
    return None if case.value_milliticks is None else _lots_of(case, limit, case.value_milliticks)


def order_notional_bound(plan: Plan, bounds: Bounds) -> None:
    """Bound the value of an order."""
    bounds.order_money = min(bounds.order_money, plan.limits["order_notional"].money)


def order_notional_numbers(case: Case) -> tuple[float, float]:
    """Return the order's notional in account currency and its limit."""
    limit, rate = case.plan.limits["order_notional"], case.account_rate
    notional = case.notional_money
    if notional is None or rate is None:
        return 0.0, limit.value
    return notional * rate.numerator / (rate.denominator * MONEY_SCALE), limit.value


def check_position_quantity(case: Case) -> Reject | None:
    """The worst case on the order's side is at most `position_quantity` units.

    Formula: buy: held + working buys + order <= position_quantity; sell: the mirror
    """
    limit, instrument = case.plan.limits["position_quantity"], case.plan.instrument
    lots = case.longest_lots if case.buying else -case.shortest_lots
    if lots * instrument.lot_numerator * MONEY_SCALE <= limit.money * instrument.lot_denominator:
        return None
    value = instrument.quantity(lots)
    return exceeded(RejectCode.POSITION_LIMIT, limit, value, "units at worst")


def position_quantity_fits(case: Case) -> int:
    """Return the most lots that pass `check_position_quantity`."""
    limit = case.plan.limits["position_quantity"]
    return _quantity_lots(case.plan.instrument, limit) - standing_lots(case)


def position_quantity_bound(plan: Plan, bounds: Bounds) -> None:
    """Bound the worst position on the order's side."""
    lots = _quantity_lots(plan.instrument, plan.limits["position_quantity"])
    bounds.side_lots = min(bounds.side_lots, lots)


def position_quantity_numbers(case: Case) -> tuple[float, float]:
    """Return the worst position in units and its limit."""
    limit = case.plan.limits["position_quantity"].value
    return case.plan.instrument.quantity(worst_lots(case)), limit


def check_position_notional(case: Case) -> Reject | None:
    """The worst case on the order's side, at the reference, is at most `position_notional`.

    Formula: worst quantity on the order's side * multiplier * reference * rate <= position_notional
    """
    reference, rate = case.reference_milliticks, case.account_rate
    if reference is None or case.lots is None or rate is None:
        return None  # Refused by the checks of its price, its lots or its rate.
    plan, lots = case.plan, case.longest_lots if case.buying else -case.shortest_lots
    limit = plan.limits["position_notional"]
    if lots <= 0:
        return None
    if plan.milli_value:
        notional = abs(lots * reference * plan.milli_value)
    else:
        notional = plan.instrument.notional_money(lots, reference)
    if notional * rate.numerator <= limit.money * rate.denominator:
        return None
    value = position_notional_numbers(case)[0]
    return exceeded(RejectCode.POSITION_LIMIT, limit, value, f"{case.currency} at worst")


def position_notional_fits(case: Case) -> int | None:
    """Return the most lots that pass `check_position_notional`."""
    if case.reference_milliticks is None:
        return None
    limit = case.plan.limits["position_notional"]
    lots = _lots_of(case, limit, case.reference_milliticks)
    return None if lots is None else lots - standing_lots(case)


def position_notional_bound(plan: Plan, bounds: Bounds) -> None:
    """Bound the worst position on the order's side at the reference."""
    bounds.side_money = min(bounds.side_money, plan.limits["position_notional"].money)


def position_notional_numbers(case: Case) -> tuple[float, float]:
    """Return the worst position's notional in account currency and its limit."""
    limit, rate = case.plan.limits["position_notional"], case.account_rate
    if case.reference_milliticks is None or rate is None:
        return 0.0, limit.value
    lots = max(0, worst_lots(case))
    notional = case.plan.instrument.notional_money(lots, case.reference_milliticks)
    return notional * rate.numerator / (rate.denominator * MONEY_SCALE), limit.value


def check_open_orders(case: Case) -> Reject | None:
    """At most `open_orders` orders are working, this one included.

    Formula: working orders + 1 <= open_orders
    """
    limit = case.plan.limits["open_orders"]
    count = float(case.open_count + 1)
    if count <= limit.value:
        return None
    return exceeded(RejectCode.OPEN_ORDERS, limit, count, "orders")


def open_orders_bound(plan: Plan, bounds: Bounds) -> None:
    """Bound how many orders work, the order included."""
    bounds.open_orders = min(bounds.open_orders, int(plan.limits["open_orders"].value))


def open_orders_numbers(case: Case) -> tuple[float, float]:
    """Return the working orders with this one, and the limit."""
    placed = 0 if case.lots == 0 and not case.own_lots else 1  # Of no lots: what stands before it.
    return float(case.open_count + placed), case.plan.limits["open_orders"].value


def standing_lots(case: Case) -> int:
    """Return the worst position on the order's side without it; positive is further out."""
    return worst_lots(case) - (case.lots or 0)


def worst_lots(case: Case) -> int:
    """Return the worst position on the order's side with it; positive is further out."""
    return case.longest_lots if case.buying else -case.shortest_lots


def _quantity_lots(instrument: Instrument, limit: ResolvedLimit) -> int:
    return limit.money * instrument.lot_denominator // (instrument.lot_numerator * MONEY_SCALE)


def _lots_of(case: Case, limit: ResolvedLimit, milliticks: int) -> int | None:
    """Return the most lots whose notional in account currency is about `limit`."""
    rate = case.account_rate
    one = case.plan.instrument.notional_money(1, milliticks)
    if rate is None or one == 0:
        return None
    return limit.money * rate.denominator // (one * rate.numerator)
