"""The verdict: may this order go to market? Judge, then reserve in one step that cannot fail."""

from __future__ import annotations

from msgspec.structs import replace

from engine.account import Account
from engine.cancels import cancel_crossed
from engine.case import Case, CheckRow
from engine.certificates import certified_lots
from engine.charges import charge_slow
from engine.checks.price import reference_of
from engine.facts import MS_NS, Facts, Stamp, WakeAt
from engine.findings import reject, tellable
from engine.headroom import largest_passing
from engine.instruments import Instrument
from engine.lookup import is_finite, prepare, value_invalid
from engine.nothing import own
from engine.orders import Order, OrderState, first_difference
from engine.overrides import use_override
from engine.reference import Reference
from engine.thresholds import judge_thresholds
from riskd.codes import RejectCode
from riskd.messages import (
    Amend,
    Check,
    CheckResult,
    OrderType,
    ReferencePrice,
    Reject,
    Scope,
    TimeInForce,
    Verdict,
)

_ORDER_PRICES = {  # Which prices each order type needs: (price, stop_price).
    OrderType.LIMIT: (True, False),
    OrderType.MARKET: (False, False),
    OrderType.STOP: (False, True),
    OrderType.STOP_LIMIT: (True, True),
}


def decide_order(
    account: Account, order: Check, stamp: Stamp, facts: Facts, crossed: Facts | None = None
) -> Verdict:
    """Return the verdict of an order; an approval has reserved its leaves when this returns.

    Alerts of the thresholds it crosses are appended to `crossed`, by default to the facts.

    A known id gets its first verdict again, or `ID_REUSED` if the body differs; neither costs
    anything. A dry run changes nothing. O(checks + positions).
    """
    if not order.dry_run:
        known = account.state.orders.get(order.client_order_id)
        if known is None:
            known = account.state.finished.get(order.client_order_id)
        if known is not None:
            return _repeated(account, known, order, stamp)
        spent = _id_spent(account, order)
        if spent is not None:
            return denied(order, stamp, (spent,), account.boards.limits_version)
    plan = account.plan(order.symbol, order.strategy, order.trader)
    rejects = wrong_in_itself(order, None if plan is None else plan.instrument, stamp)
    if rejects:
        return deny(account, order, stamp, rejects, None)
    if plan is None:
        text = f"no instrument {order.symbol}"
        found = reject(RejectCode.UNKNOWN_SYMBOL, text, Scope.SYMBOL, order.symbol)
        return deny(account, order, stamp, (found,), None)
    case = account.case
    if not prepare(case, account, plan, order, stamp) and not order.explain:
        for check in plan.limit_checks:
            if check(case) is not None:
                break
        else:
            warnings = _thresholds(case, facts, crossed)
            return _approve(account, case, warnings, facts)
    charge_slow(account, case)
    failed, warnings = judge(case)
    if failed and account.boards.overrides and not order.dry_run:
        every, told = judge(case, every=True)
        codes = [found.code for found in every]
        if use_override(account.boards.overrides, order, codes, stamp, facts):
            failed, warnings = (), (*told, *every)
    if failed:
        cancel_crossed(account, case, failed, None, facts)
        return deny(account, order, stamp, failed, case)
    return _approve(account, case, warnings + _thresholds(case, facts, crossed), facts)


def judge(case: Case, *, every: bool = False) -> tuple[tuple[Reject, ...], tuple[Reject, ...]]:
    """Run the checks in order; return what fails and what warns.

    Of what fails the first alone, unless the order asks to be explained or `every` is asked for.
    """
    every = every or case.order.explain
    failed: tuple[Reject, ...] = ()
    warnings: tuple[Reject, ...] = ()
    for row in case.plan.checks:
        found = row.check(case)
        if found is None or row.spares(case):
            continue
        if not row.refuses(case.plan):
            warnings += (found,)
            continue
        failed += (found,)
        if not every:
            break
    return failed, warnings


def _thresholds(case: Case, facts: Facts, crossed: Facts | None) -> tuple[Reject, ...]:
    if not case.plan.watches:
        return ()
    return judge_thresholds(case, facts if crossed is None else crossed)


def _approve(account: Account, case: Case, warnings: tuple[Reject, ...], facts: Facts) -> Verdict:
    order, stamp, plan = case.order, case.stamp, case.plan
    certified = certified_lots(case)
    verdict = approval(account, order, stamp, plan.instrument.quantity(certified))
    if warnings or order.explain:
        told = explained(case) if order.explain else {}
        verdict = replace(verdict, warnings=warnings, **told)
    if order.dry_run:
        return verdict
    assert case.lots is not None  # check_quantity_off_lot refused it otherwise.
    record = Order(
        check=order,
        verdict=verdict,
        state=OrderState.PENDING,
        lots=case.lots,
        value_milliticks=case.value_milliticks,
        working_money=case.notional_money or 0,
        closes=case.closing,
        session=stamp.session,
    )
    keep_approved(account, record, certified, stamp, facts)
    account.reserve(record)
    return verdict


def approval(
    account: Account, order: Check, stamp: Stamp, certified_quantity: float = 0.0
) -> Verdict:
    """Return the approval of an order that was judged; nothing is reserved yet."""
    settings, dry_run = account.boards.settings, order.dry_run
    return Verdict(
        client_order_id=order.client_order_id,
        account=order.account,
        approved=True,
        seq=stamp.seq,
        limits_version=account.boards.limits_version,
        checked_ns=stamp.recv_ns,
        duplicate=False,
        durability=0 if dry_run else settings.durability,
        rejects=(),
        warnings=(),
        reservation_id=None if dry_run else str(stamp.seq),
        valid_until_ns=None if dry_run else stamp.recv_ns + settings.reservation_ms * MS_NS,
        request_id=order.request_id,
        certified_quantity=certified_quantity or None,
    )


def keep_approved(
    account: Account, order: Order, certified_lots: int, stamp: Stamp, facts: Facts
) -> None:
    """Remember an approved order, and note by when news of it must come; reserve it then."""
    state, order_id = account.state, order.check.client_order_id
    state.approved_seq = stamp.seq
    if certified_lots:
        own(state, "certified")[order_id] = certified_lots
    order.until_steady_ns = stamp.steady_ns + account.boards.settings.reservation_ms * MS_NS
    _await_news(account, order, stamp, facts)
    state.orders[order_id] = order


def _await_news(account: Account, record: Order, stamp: Stamp, facts: Facts) -> None:
    """Note by when an order must be reported on, and until when it is good."""
    order, state, until_ns = record.check, account.state, record.until_steady_ns
    if not state.pending:
        facts.append(WakeAt(order.account, until_ns))
    else:  # Deadlines stay in order, also after a configuration that shortened them.
        until_ns = max(until_ns, next(reversed(state.pending.values())))
    state.pending[order.client_order_id] = until_ns
    if order.expire_ns is not None:
        expiry_ns = stamp.steady_ns + order.expire_ns - stamp.recv_ns
        own(state, "expiring")[order.client_order_id] = expiry_ns
        facts.append(WakeAt(order.account, expiry_ns))


def _past(order: Check, stamp: Stamp) -> str | None:
    if order.expire_ns is None or order.expire_ns > stamp.recv_ns:
        return None
    return f"expire_ns {order.expire_ns} is past"


def deny(
    account: Account,
    order: Check,
    stamp: Stamp,
    rejects: tuple[Reject, ...],
    case: Case | None,
) -> Verdict:
    """Return the denial of an order, explained by its case if there is one, and remember it."""
    verdict = denied(order, stamp, rejects, account.boards.limits_version)
    if case is not None:
        verdict = replace(verdict, **explained(case))
    if not order.dry_run and is_finite(order):  # What is no number enters no state.
        verdict = replace(verdict, durability=account.boards.settings.durability)
        record = Order(check=order, verdict=verdict, state=OrderState.DENIED)
        account.remember(order.client_order_id, record)
    return verdict


def denied(
    order: Check | Amend, stamp: Stamp, rejects: tuple[Reject, ...], limits_version: int
) -> Verdict:
    """Return a denial that remembers nothing and so rests on nothing."""
    new_id = order.new_client_order_id if isinstance(order, Amend) else None
    return Verdict(
        client_order_id=new_id or order.client_order_id,
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


def _id_spent(account: Account, order: Check) -> Reject | None:
    """Return why an id cannot be that of a new order, None if it can."""
    if order.client_order_id in account.state.expired:
        text = "the id was used so long ago that its verdict is forgotten"
        return reject(RejectCode.ID_EXPIRED, text, Scope.ACCOUNT, order.account)
    changed = account.state.aliases.get(order.client_order_id)
    if changed is not None:
        text = f"the id is that of a change of order {changed}"
        return reject(RejectCode.ID_REUSED, text, Scope.ACCOUNT, order.account)
    return None


def _repeated(account: Account, known: Order, order: Check, stamp: Stamp) -> Verdict:
    first = known.body()
    name = first_difference(first, order)
    if name is None:
        return replace(known.verdict, duplicate=True, request_id=order.request_id)
    text = f"id used before with {name} {getattr(first, name)!s}, now {getattr(order, name)!s}"
    found = reject(RejectCode.ID_REUSED, text, Scope.ACCOUNT, order.account)
    return denied(order, stamp, (found,), account.boards.limits_version)


def wrong_in_itself(
    order: Check, instrument: Instrument | None, stamp: Stamp
) -> tuple[Reject, ...]:
    """Return why an order is none, whoever sends it: it contradicts itself, or a number is none.

    Its type and its life ask for some fields and have no others. Of an unknown instrument no range
    is known.
    """
    contradiction = _contradiction(order)
    if contradiction is not None:
        return (reject(RejectCode.MALFORMED, contradiction, Scope.ACCOUNT, order.account),)
    invalid = value_invalid(order, instrument) or _past(order, stamp)
    if invalid is None:
        return ()
    return (reject(RejectCode.VALUE_INVALID, invalid, Scope.ACCOUNT, order.account),)


def _contradiction(order: Check) -> str | None:
    price, stop = _ORDER_PRICES[order.order_type]
    dated = order.time_in_force is TimeInForce.GTD
    if (order.expire_ns is not None) is not dated:
        return f"a {order.time_in_force} order {'needs' if dated else 'has no'} expire_ns"
    if (order.price is not None) is price and (order.stop_price is not None) is stop:
        return None
    for name, needed in (("price", price), ("stop_price", stop)):
        if (getattr(order, name) is not None) is not needed:
            return f"a {order.order_type} order {'needs' if needed else 'has no'} {name}"
    return None


def explained(case: Case) -> dict[str, object]:
    """Return what a verdict tells beside yes or no: the binding limit, what fits, every check."""
    told: dict[str, object] = {}
    if reducible := case.reducible_lots():
        told["reducing_quantity"] = case.plan.instrument.quantity(reducible)
    if case.order.explain:
        told["checks"] = tuple(_result(row, case) for row in case.plan.checks)
    if case.lots is None or case.reference_milliticks is None:
        return told
    told["reference"] = _told(reference_of(case), case.plan.instrument)
    nearest = _nearest_milliticks(case)
    if nearest is not None:
        told["nearest_price"] = case.plan.instrument.price(nearest)
    lots = case.lots
    fitting, binding = largest_passing(case)
    told["max_quantity"] = case.plan.instrument.quantity(fitting)
    if binding is not None:
        told["binding_limit"] = binding.key or binding.code.lower()
        case.place(0)  # The room there is before this order.
        numbers = binding.numbers(case) if binding.numbers is not None else None
        if numbers is not None:
            told["headroom"] = tellable(numbers[1] - numbers[0])
    case.place(lots)
    return told


def _nearest_milliticks(case: Case) -> int | None:
    """Return the price nearest to the order's that passes every collar, None if its own does."""
    edges = [
        edge
        for row in case.plan.checks
        if row.edge is not None and row.refuses(case.plan)
        for edge in (row.edge(case),)
        if edge is not None
    ]
    price = case.price_milliticks
    if price is None or not edges:
        return None
    tightest = min(edges) if case.buying else max(edges)
    passes = price <= tightest if case.buying else price >= tightest
    return None if passes else tightest


def _told(reference: Reference, instrument: Instrument) -> ReferencePrice:
    return ReferencePrice(
        source=reference.source,
        price=instrument.price(reference.milliticks),
        age_ns=reference.age_ns,
    )


def _result(row: CheckRow, case: Case) -> CheckResult:
    found = row.check(case)
    passed = found is None or row.spares(case)
    numbers = row.numbers(case) if row.numbers is not None else None
    told = CheckResult(code=row.code, passed=passed, limit_type=row.key)
    if numbers is None:
        return told
    value, limit = tellable(numbers[0]), numbers[1]
    used = value / limit if limit and value is not None else None
    return replace(told, value=value, limit=limit, utilization=used)
