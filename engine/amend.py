"""Changes of working orders: judged as what would result, reserved for whatever the venue does.

Ids of a chain of changes all name the order kept under the first of them. Until the venue has
answered every change, the most that any of them could leave working is reserved.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from engine.account import Account
from engine.cancels import cancel_crossed
from engine.case import Case
from engine.certificates import certified_lots, certify
from engine.charges import charge_slow
from engine.facts import Facts, Stamp
from engine.findings import reject
from engine.lookup import closing_lots, is_finite, place_order, prepare
from engine.nothing import own
from engine.orders import AMENDS_MAX, Order, OrderState, PendingAmend
from engine.pretrade import denied, explained, judge, wrong_in_itself
from engine.thresholds import judge_thresholds
from riskd.codes import RejectCode
from riskd.messages import Amend, Check, OrderReport, OrderStatus, Reject, Scope, Verdict


def decide_amend(account: Account, amend: Amend, stamp: Stamp, facts: Facts) -> Verdict:
    """Return the verdict of a change; an approval has reserved the larger of old and new leaves.

    A repeat (same ids and content) gets its first verdict again. A refusal changes nothing.
    """
    root = account.root_id(amend.client_order_id)
    order = account.state.orders.get(root)
    known = account.state.amended.get(_identity(amend))
    if known is not None and not _is_over(known, order):
        return _repeated(account, known, amend, stamp)
    if order is None:
        ended = account.state.finished.get(root)
        text = f"no working order {amend.client_order_id}"
        text += f": it is {ended.state}" if ended is not None else ""
        return _refuse(account, amend, stamp, (_rejected(RejectCode.UNKNOWN_ORDER, text, amend),))
    check = _merged(order, amend)
    wrong = _conflict(account, order, amend)
    plan = account.plan(check.symbol, check.strategy, check.trader)
    assert plan is not None  # The order that is changed was judged by it.
    rejects = wrong_in_itself(check, plan.instrument, stamp) if wrong is None else (wrong,)
    if rejects:  # What is no number enters no state.
        return _refuse(account, amend, stamp, rejects, check if is_finite(check) else None)
    case = account.case
    prepare(case, account, plan, check, stamp)
    lots = _put_in_place(account, case, order)
    if lots is not None and lots <= order.filled_lots:
        text = f"{order.filled_lots} lots are filled already; cancel the order instead"
        rejects = (_rejected(RejectCode.VALUE_INVALID, text, amend),)
        return _refuse(account, amend, stamp, rejects, check)
    charge_slow(account, case)
    failed, warnings = judge(case)
    if failed:
        cancel_crossed(account, case, failed, order, facts)
        return _refuse(account, amend, stamp, failed, check, **explained(case))
    if plan.watches:
        warnings += judge_thresholds(case, facts)
    return _accept(account, amend, order, case, warnings)


def apply_replaced(account: Account, order: Order, report: OrderReport, lots: int | None) -> None:
    """Take the venue's answer to a change: what it took is the order, what it refused is forgotten.

    `lots` are the leaves it names, if it does. Changes sent before one that was taken are void.
    """
    index = _answered(order, report)
    if report.status is OrderStatus.REPLACE_REJECTED:
        if index is not None:
            del order.amends[index]
    elif index is not None:
        taken = order.amends[index]
        del order.amends[: index + 1]
        order.change(taken.check, taken.lots)
        order.value_milliticks = taken.value_milliticks
    if report.status is OrderStatus.REPLACED and lots is not None:
        lots += order.filled_lots  # What is filled beyond this is too much.
        if lots != order.lots:
            quantity = account.boards.instruments[order.check.symbol].quantity(lots)
            order.change(replace(order.check, quantity=quantity), lots)
    account.set_leaves(order, order.reachable_lots())
    order.state = OrderState.ACCEPTED
    if not order.leaves_lots:
        ended = OrderState.FILLED if order.filled_lots else OrderState.CANCELED
        account.end(order.check.client_order_id, ended)


def is_answered(order: Order, report: OrderReport) -> bool:
    """Return whether a report is about a change that is not in flight any more, and no news."""
    is_named = report.client_order_id != order.check.client_order_id
    return is_named and report.leaves_quantity is None and _answered(order, report) is None


def _answered(order: Order, report: OrderReport) -> int | None:
    """Return which change in flight a report answers: by its new id, else the oldest.

    Under the id of a change that was answered before, only one without an id of its own.
    """
    ids = [pending.amend.new_client_order_id for pending in order.amends]
    if report.client_order_id in ids:
        return ids.index(report.client_order_id)
    if report.client_order_id == order.check.client_order_id:
        return 0 if ids else None
    return ids.index(None) if None in ids else None


def _merged(order: Order, amend: Amend) -> Check:
    """Return the order as the newest change in flight would leave it, changed by `amend`."""
    base = order.amends[-1].check if order.amends else order.check
    changed: dict[str, Any] = {
        name: value
        for name, value in (
            ("quantity", amend.quantity),
            ("price", amend.price),
            ("stop_price", amend.stop_price),
        )
        if value is not None
    }
    told = {"request_id": amend.request_id, "explain": False, "deadline_ns": None}
    return replace(base, **changed, **told)


def _conflict(account: Account, order: Order, amend: Amend) -> Reject | None:
    new_id, state = amend.new_client_order_id, account.state
    if amend.quantity is None and amend.price is None and amend.stop_price is None:
        return _rejected(RejectCode.MALFORMED, "the change changes nothing", amend)
    if len(order.amends) >= AMENDS_MAX:
        text = f"{AMENDS_MAX} changes of this order wait for the venue"
        return _rejected(RejectCode.OVERLOADED, text, amend)
    if new_id is None:
        return None
    if new_id in state.orders or new_id in state.finished or new_id in state.aliases:
        return _rejected(RejectCode.ID_REUSED, f"id {new_id} was used before", amend)
    if new_id in state.expired:
        text = f"id {new_id} was used so long ago that its verdict is forgotten"
        return _rejected(RejectCode.ID_EXPIRED, text, amend)
    return None


def _is_over(known: PendingAmend, order: Order | None) -> bool:
    """Return whether the same words now ask for another change.

    A change without an id of its own is a repeat only while it is the newest in flight: once the
    venue answered it, or another was sent after it, its sender has the first verdict.
    """
    if known.amend.new_client_order_id is not None or not known.verdict.approved or order is None:
        return False
    return not order.amends or order.amends[-1].verdict.seq != known.verdict.seq


def _identity(amend: Amend) -> str:
    """Return the same text for repeats alone, whatever characters are in the ids."""
    told = f"{len(amend.client_order_id)}:{amend.client_order_id}"
    if amend.new_client_order_id is not None:
        return f"{told}+{amend.new_client_order_id}"
    return f"{told}={amend.quantity} {amend.price} {amend.stop_price}"


def _repeated(account: Account, known: PendingAmend, amend: Amend, stamp: Stamp) -> Verdict:
    if replace(known.amend, request_id=None) == replace(amend, request_id=None):
        return replace(known.verdict, duplicate=True, request_id=amend.request_id)
    names = ("quantity", "price", "stop_price")
    name = next(n for n in names if getattr(known.amend, n) != getattr(amend, n))
    text = f"id used before with {name} {getattr(known.amend, name)}, now {getattr(amend, name)}"
    found = _rejected(RejectCode.ID_REUSED, text, amend)
    return denied(amend, stamp, (found,), account.boards.limits_version)


def _put_in_place(account: Account, case: Case, order: Order) -> int | None:
    """Look at the case as a change of `order`: what that reserves already is not added.

    Returns the lots of the order as it would be, None if they are no multiple of the lot.
    """
    check, instrument, value = case.order, case.plan.instrument, case.value_milliticks
    case.own_lots, case.filled_lots = order.leaves_lots, order.filled_lots
    case.own_money = order.working_money
    case.closing = order.closes
    lots = instrument.lots(check.quantity)
    if check.close_position:
        lots = closing_lots(case, lots)
    same_lots = instrument.notional_money(order.leaves_lots, value) if value else 0
    case.costs_more = same_lots > order.working_money and not _closes(case, order)
    case.is_worse = value is not None and _is_worse(value, order, buying=case.buying)
    case.open_count -= 1
    case.turnover_money = _without(account, order, case.turnover_money)
    place_order(case, lots)
    return lots


def _closes(case: Case, order: Order) -> bool:
    """Return whether all that works of an order closes what is held, whatever it costs."""
    return case.reducible_lots() >= order.leaves_lots


def _is_worse(value_milliticks: int, order: Order, *, buying: bool) -> bool:
    """Return whether a price is worse for the account than any that the venue may have taken."""
    values = list(order.reachable_values())
    if not values:
        return True
    return value_milliticks > max(values) if buying else value_milliticks < min(values)


def _without(account: Account, order: Order, turnover_money: int | None) -> int | None:
    """Return the day's turnover without what the changed order has working."""
    if turnover_money is None:
        return None
    instrument = account.boards.instruments[order.check.symbol]
    converted = account.convert(order.working_money, instrument.settlement)
    return None if converted is None else turnover_money - converted


def _accept(
    account: Account, amend: Amend, order: Order, case: Case, warnings: tuple[Reject, ...]
) -> Verdict:
    """Reserve whatever of old and new is larger, and certify it; return the approval."""
    state, stamp, lots = account.state, case.stamp, case.lots
    assert lots is not None  # check_quantity_off_lot refused it otherwise.
    certified = certified_lots(case)
    quantity = case.plan.instrument.quantity(certified) if certified else None
    verdict = replace(_approved(account, amend, stamp, warnings), certified_quantity=quantity)
    pending = PendingAmend(amend, case.order, verdict, lots, case.value_milliticks)
    own(state, "amended")[_identity(amend)] = pending
    root = order.check.client_order_id
    if amend.new_client_order_id is not None:
        own(state, "aliases")[amend.new_client_order_id] = root
    state.approved_seq = stamp.seq
    order.amends.append(pending)
    leaves_lots = order.reachable_lots()
    certify(account, root, min(leaves_lots, case.reducible_lots()) if certified else 0)
    account.set_leaves(order, leaves_lots)
    return verdict


def _approved(
    account: Account, amend: Amend, stamp: Stamp, warnings: tuple[Reject, ...]
) -> Verdict:
    settings = account.boards.settings
    verdict = denied(amend, stamp, (), account.boards.limits_version)
    return replace(
        verdict,
        approved=True,
        warnings=warnings,
        durability=settings.durability,
        reservation_id=str(stamp.seq),
        valid_until_ns=stamp.recv_ns + settings.reservation_ms * 1_000_000,
    )


def _refuse(
    account: Account,
    amend: Amend,
    stamp: Stamp,
    rejects: tuple[Reject, ...],
    check: Check | None = None,
    **told: object,
) -> Verdict:
    verdict = denied(amend, stamp, rejects, account.boards.limits_version)
    verdict = replace(verdict, **told)
    if check is not None and amend.new_client_order_id is None:
        # Words without an id of their own may be said again later, and mean a new attempt.
        return replace(verdict, durability=account.boards.settings.durability)
    if check is not None:
        verdict = replace(verdict, durability=account.boards.settings.durability)
        pending = PendingAmend(amend, check, verdict, 0, None)
        own(account.state, "amended")[_identity(amend)] = pending
    return verdict


def _rejected(code: RejectCode, text: str, amend: Amend) -> Reject:
    return reject(code, text, Scope.ACCOUNT, amend.account)
