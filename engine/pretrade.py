"""The verdict: may this order go to market? Judge, then reserve in one step that cannot fail."""

from __future__ import annotations

from msgspec.structs import replace

from engine.account import Account
from engine.case import Case, CheckRow, Plan, Reference
from engine.facts import Facts, Stamp, WakeAt
from engine.findings import reject
from engine.instruments import MILLI, Instrument
from engine.money import is_in_range, units_from_number
from engine.orders import Order, OrderState, first_difference
from engine.throttle import Window
from riskd.codes import RejectCode
from riskd.messages import Check, CheckResult, OrderType, Reject, Scope, Side, Verdict

SECOND_NS = 1_000_000_000
RATE_WINDOW = "orders_per_second"
_ORDER_PRICES = {  # Which prices each order type needs: (price, stop_price).
    OrderType.LIMIT: (True, False),
    OrderType.MARKET: (False, False),
    OrderType.STOP: (False, True),
    OrderType.STOP_LIMIT: (True, True),
}


def decide_order(account: Account, order: Check, stamp: Stamp, facts: Facts) -> Verdict:
    """Return the verdict of an order; an approval has reserved its leaves when this returns.

    A known id gets its first verdict again, or `ID_REUSED` if the body differs; neither costs
    anything. A dry run changes nothing. Reads the boards as they are now. O(checks), and
    O(positions) where a limit on the whole account is set and a price has changed.
    """
    if not order.dry_run:
        known = account.state.orders.get(order.client_order_id)
        if known is None:
            known = account.state.finished.get(order.client_order_id)
        if known is not None:
            return _repeated(account, known, order, stamp)
    rejects = _malformed(order)
    if rejects:
        return _deny(account, order, stamp, rejects, None)
    plan = account.plan(order.symbol, order.strategy, order.trader)
    if plan is None:
        text = f"no instrument {order.symbol}"
        found = reject(RejectCode.UNKNOWN_SYMBOL, text, Scope.SYMBOL, order.symbol)
        return _deny(account, order, stamp, (found,), None)
    case = account.case
    invalid = _prepare(case, account, plan, order, stamp)
    if invalid is not None:
        return _deny(account, order, stamp, (invalid,), None)
    reducing = case.reducing
    failed: tuple[Reject, ...] = ()
    warnings: tuple[Reject, ...] = ()
    for row in plan.checks:
        found_reject = row.check(case)
        if found_reject is None or (reducing and row.reducing_passes):
            continue
        if row.key is not None and not plan.limits[row.key].hard:
            warnings += (found_reject,)
            continue
        failed += (found_reject,)
        if not order.explain:
            break
    if failed:
        return _deny(account, order, stamp, failed, case)
    return _approve(account, case, warnings, facts)


def _approve(account: Account, case: Case, warnings: tuple[Reject, ...], facts: Facts) -> Verdict:
    order, stamp = case.order, case.stamp
    reservation_ns = account.boards.settings.reservation_ms * 1_000_000
    verdict = Verdict(
        client_order_id=order.client_order_id,
        account=order.account,
        approved=True,
        seq=stamp.seq,
        limits_version=account.boards.limits_version,
        checked_ns=stamp.recv_ns,
        duplicate=False,
        durability=0 if order.dry_run else account.boards.settings.durability,
        rejects=(),
        warnings=warnings,
        reservation_id=None if order.dry_run else str(stamp.seq),
        valid_until_ns=None if order.dry_run else stamp.recv_ns + reservation_ns,
        request_id=order.request_id,
    )
    if order.explain:
        verdict = replace(verdict, **_explained(case))
    if order.dry_run:
        return verdict
    assert case.lots is not None  # check_quantity_off_lot refused it otherwise.
    until_ns = stamp.steady_ns + reservation_ns
    record = Order(
        check=order,
        verdict=verdict,
        state=OrderState.PENDING,
        lots=case.lots,
        price_milliticks=case.price_milliticks,
        until_steady_ns=until_ns,
    )
    state = account.state
    if not state.pending:
        facts.append(WakeAt(order.account, until_ns))
    state.pending[order.client_order_id] = until_ns
    state.orders[order.client_order_id] = record
    account.set_leaves(record, case.lots)
    return verdict


def _deny(
    account: Account,
    order: Check,
    stamp: Stamp,
    rejects: tuple[Reject, ...],
    case: Case | None,
) -> Verdict:
    verdict = denied(order, stamp, rejects, account.boards.limits_version)
    if case is not None:
        verdict = replace(verdict, **_explained(case))
    if not order.dry_run:
        verdict = replace(verdict, durability=account.boards.settings.durability)
        record = Order(check=order, verdict=verdict, state=OrderState.DENIED)
        account.remember(order.client_order_id, record)
    return verdict


def denied(order: Check, stamp: Stamp, rejects: tuple[Reject, ...], limits_version: int) -> Verdict:
    """Return a denial that remembers nothing."""
    return Verdict(
        client_order_id=order.client_order_id,
        account=order.account,
        approved=False,
        seq=stamp.seq,
        limits_version=limits_version,
        checked_ns=stamp.recv_ns,
        duplicate=False,
        durability=0,
        rejects=rejects,
        warnings=(),
        request_id=order.request_id,
    )


def _repeated(account: Account, known: Order, order: Check, stamp: Stamp) -> Verdict:
    name = first_difference(known.check, order)
    if name is None:
        return replace(known.verdict, duplicate=True, request_id=order.request_id)
    text = (
        f"id used before with {name} {getattr(known.check, name)!s}, now {getattr(order, name)!s}"
    )
    found = reject(RejectCode.ID_REUSED, text, Scope.ACCOUNT, order.account)
    return denied(order, stamp, (found,), account.boards.limits_version)


def _malformed(order: Check) -> tuple[Reject, ...]:
    price, stop = _ORDER_PRICES[order.order_type]
    if (order.price is not None) is price and (order.stop_price is not None) is stop:
        return ()
    for name, needed in (("price", price), ("stop_price", stop)):
        if (getattr(order, name) is not None) is not needed:
            text = f"a {order.order_type} order {'needs' if needed else 'has no'} {name}"
            return (reject(RejectCode.MALFORMED, text, Scope.ACCOUNT, order.account),)
    return ()


def _prepare(case: Case, account: Account, plan: Plan, order: Check, stamp: Stamp) -> Reject | None:
    """Look everything up for the checks and charge the throttles; return why a number is wrong."""
    instrument, boards = plan.instrument, account.boards
    invalid = _value_invalid(order, instrument)
    if invalid is not None:
        return reject(RejectCode.VALUE_INVALID, invalid, Scope.ACCOUNT, order.account)
    case.order, case.plan, case.stamp = order, plan, stamp
    case.now_steady_ns = stamp.steady_ns
    case.board, case.breakers, case.settings = boards.quotes, boards.breakers, boards.settings
    case.frozen = account.state.frozen
    case.measure = account.measures
    case.open_count = len(account.state.orders)
    case.lots = units_from_number(
        order.quantity, instrument.lot_numerator, instrument.lot_denominator
    )
    case.price_milliticks = _milliticks(order.price, instrument)
    case.stop_milliticks = _milliticks(order.stop_price, instrument)
    buying = case.buying = order.side is Side.BUY
    position = plan.position
    if buying:
        reducible = -position.books.lots - position.open_buy_lots
    else:
        reducible = position.books.lots - position.open_sell_lots
    case.reducing = case.lots is not None and case.lots <= reducible
    case.reference = _reference(case)
    case.value_milliticks = _value_milliticks(case)
    case.account_rate = boards.quotes.rate(instrument.settlement, account.state.spec.currency)
    case.retry_after_ns = 0 if order.dry_run else _charge(account, plan, stamp)
    return None


def _charge(account: Account, plan: Plan, stamp: Stamp) -> int:
    limit = plan.limits.get(RATE_WINDOW)
    if limit is None:
        return 0
    window = account.state.windows.get(RATE_WINDOW)
    if window is None:
        window = account.state.windows[RATE_WINDOW] = Window()
    return window.charge(int(limit.value), SECOND_NS, stamp.steady_ns)


def _value_invalid(order: Check, instrument: Instrument) -> str | None:
    lot, lots = instrument.lot_numerator, instrument.lot_denominator
    quantity = order.quantity
    if not (quantity > 0 and is_in_range(quantity, lot, lots)):
        return f"quantity {quantity} must be finite, greater than zero and in range"
    tick, ticks = instrument.tick_numerator, instrument.tick_denominator
    for name in ("price", "stop_price", "stop_loss", "take_profit"):
        price: float | None = getattr(order, name)
        if price is None:
            continue
        if not is_in_range(price, tick, ticks):
            return f"{name} {price} must be finite and in range"
        if price <= 0 and not instrument.spec.allow_negative:
            return f"{name} {price} must be greater than zero"
    return None


def _milliticks(price: float | None, instrument: Instrument) -> int | None:
    if price is None:
        return None
    ticks = units_from_number(price, instrument.tick_numerator, instrument.tick_denominator)
    return None if ticks is None else ticks * MILLI


def _reference(case: Case) -> Reference | None:
    """Return what the order is judged by: touch, last, mark, previous close, settlement.

    The first that is young enough; if none is, the first there is, for the check of its age.
    """
    quote, buying = case.plan.quote, case.buying
    stale_ns = case.plan.instrument.stale_after_ns
    fallback_ns = case.settings.fallback_after_ms * 1_000_000
    touch_age_ns = case.now_steady_ns - quote.touch_steady_ns
    touch = quote.ask if buying else quote.bid
    if touch is not None and touch_age_ns <= stale_ns:
        return Reference(touch, "touch", touch_age_ns, stale_ns)
    oldest = None if touch is None else Reference(touch, "touch", touch_age_ns, stale_ns)
    if quote.last is not None:
        last_age_ns = case.now_steady_ns - quote.last_steady_ns
        last = Reference(quote.last, "last", last_age_ns, fallback_ns)
        if last_age_ns <= fallback_ns:
            return last
        oldest = oldest or last
    other = quote.bid if buying else quote.ask
    if other is not None:
        mark = Reference(other, "mark", touch_age_ns, stale_ns)
        if touch_age_ns <= stale_ns:
            return mark
        oldest = oldest or mark
    if oldest is None and quote.previous_close is not None:
        return Reference(quote.previous_close, "previous_close", 0, stale_ns)
    if oldest is None and quote.settlement is not None:
        return Reference(quote.settlement, "settlement", 0, stale_ns)
    return oldest


def _value_milliticks(case: Case) -> int | None:
    """Return what the order is valued at: its own price, or the touch plus slippage."""
    if case.order.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT):
        return case.price_milliticks
    base = case.stop_milliticks
    if base is None:
        base = case.reference.milliticks if case.reference is not None else None
    if base is None:
        return None
    slippage_bps = case.settings.slippage_bps
    slip = round(abs(base) * slippage_bps / 10_000)
    return base + slip if case.buying or case.plan.instrument.inverse else base


def _explained(case: Case) -> dict[str, object]:
    """Return what a verdict tells beside yes or no: the binding limit, what fits, every check."""
    told: dict[str, object] = {}
    lots_max: int | None = None
    for row in case.plan.checks:
        fits = row.fits_lots(case) if row.fits_lots is not None and row.key else None
        passes_anyway = row.key is not None and not case.plan.limits[row.key].hard
        if fits is not None and not passes_anyway and (lots_max is None or fits < lots_max):
            lots_max = fits
            told["binding_limit"] = row.key
    if lots_max is not None:
        told["max_quantity"] = case.plan.instrument.quantity(max(0, lots_max))
    if case.order.explain:
        told["checks"] = tuple(_result(row, case) for row in case.plan.checks)
    return told


def _result(row: CheckRow, case: Case) -> CheckResult:
    found = row.check(case)
    passed = found is None or (case.reducing and row.reducing_passes)
    numbers = row.numbers(case) if row.numbers is not None else None
    if numbers is None:
        return CheckResult(code=row.code, passed=passed)
    value, limit = numbers
    used = value / limit if limit else None
    return CheckResult(code=row.code, passed=passed, value=value, limit=limit, utilization=used)
