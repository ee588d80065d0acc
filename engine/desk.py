"""One account's desk: every message that names an account, and its one answer."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from engine.account import Account
from engine.amend import decide_amend
from engine.basket import answer_unknown_basket, decide_basket
from engine.cancels import cancel_lost
from engine.certificates import recertify
from engine.conduct import apply_rearm, note_fill
from engine.facts import Distrusted, Facts, Raised, Recount, SessionEnded, Stamp
from engine.fills import (
    apply_bust,
    apply_correct,
    apply_fill,
    apply_transfer,
    corrected_fill,
    fill_invalid,
    numbers_invalid,
)
from engine.findings import reject
from engine.lookup import is_finite
from engine.money import is_amount
from engine.orders import DUPLICATE, Flags, Order, OrderState, first_difference
from engine.pretrade import decide_order, denied
from engine.reports import apply_release, apply_report, apply_wake, report_invalid
from riskd.codes import RejectCode
from riskd.messages import (
    AccountUnfreeze,
    Ack,
    ActorFailed,
    Amend,
    Basket,
    BasketVerdict,
    Check,
    DayBegan,
    Elapse,
    Error,
    Fill,
    FillBust,
    FillCorrect,
    OrderRelease,
    OrderReport,
    Rearm,
    Result,
    Scope,
    SessionRoll,
    Severity,
    Transfer,
    Verdict,
    VerdictVoid,
    Welcome,
)

UNBOOKED_MAX = 1000  # Fills of unknown symbols kept per account until the symbol is added.

AddressedMessage = (
    Check
    | Amend
    | Basket
    | OrderReport
    | Fill
    | FillBust
    | FillCorrect
    | Transfer
    | OrderRelease
    | AccountUnfreeze
    | SessionRoll
    | Rearm
    | VerdictVoid
    | ActorFailed
)
AccountMessage = AddressedMessage | Elapse | DayBegan | Recount | SessionEnded | Distrusted
Answer = Verdict | BasketVerdict | Ack | Error | Result | Welcome | None


def answer(account: Account, message: AccountMessage, stamp: Stamp, facts: Facts) -> Answer:
    """Apply a message to its account and return its one answer; facts are appended.

    Bad numbers change nothing and get an `error`. Time triggers and internal messages have none.
    """
    if account.state.unbooked and not isinstance(message, Elapse):
        _book_waiting(account, stamp, facts)  # Not at a wake-up: a restored engine may have fewer.
    found = _answer(account, message, stamp, facts)
    if account.state.certified and type(message) is not Check:  # A younger order shrinks none.
        recertify(account, stamp, facts)
    account.tell_groups(facts)
    account.tell_book(facts)
    return found


def _answer(account: Account, message: AccountMessage, stamp: Stamp, facts: Facts) -> Answer:
    match message:
        case Check():
            return decide_order(account, message, stamp, facts)
        case Amend():
            return decide_amend(account, message, stamp, facts)
        case Basket():
            return decide_basket(account, message, stamp, facts)
        case OrderReport():
            wrong = report_invalid(account, message)
            if wrong is not None:
                return _malformed(wrong)
            return _ack(apply_report(account, message, stamp, facts), message.report_id, stamp)
        case Fill():
            return _answer_fill(account, message, stamp, facts)
        case FillBust():
            return _ack(apply_bust(account, message, facts), message.exec_id, stamp)
        case FillCorrect():
            return _answer_correct(account, message, stamp, facts)
        case Transfer():
            if not is_amount(message.amount) or not message.amount:
                return _malformed(f"amount: {message.amount} must be finite and not zero")
            return _ack(apply_transfer(account, message, facts), message.transfer_id, stamp)
        case VerdictVoid():
            _void(account, message.client_order_id, facts)
            return None
        case Elapse():
            apply_wake(account, stamp, facts)
            return None
        case DayBegan():
            account.begin_day(message.day)
            return None
        case Recount():
            account.membership.recount(list(account.state.positions))
            return None
        case SessionEnded():
            cancel_lost(account, message, facts)
            return None
        case Distrusted():
            freeze(account, message.reason, facts)
            return None
        case _:
            return _answer_operator(account, message, stamp, facts)


def _answer_operator(
    account: Account,
    message: OrderRelease | AccountUnfreeze | SessionRoll | Rearm | ActorFailed,
    stamp: Stamp,
    facts: Facts,
) -> Answer:
    match message:
        case OrderRelease():
            order_id = message.client_order_id
            if apply_release(account, order_id, OrderState.RELEASED, facts):
                return _done(message.request_id, {"seq": stamp.seq})
            return _refused(message.request_id, f"order {order_id} is not working")
        case AccountUnfreeze():
            if account.state.unbooked:
                text = f"a fill of {account.state.unbooked[0].symbol} waits for its instrument"
                return _refused(message.request_id, text)
            if not account.state.frozen:
                return _refused(message.request_id, f"account {account.id} is not frozen")
            account.state.frozen = ""
            return _done(message.request_id, {"seq": stamp.seq})
        case SessionRoll():
            missing = account.valuation.refresh()
            if missing is not None:
                return _refused(message.request_id, f"{account.id}: {missing.what}")
            account.roll_day()
            return _done(message.request_id, {"account": account.id, "seq": stamp.seq})
        case Rearm():
            forgotten = apply_rearm(account, message)
            return _done(message.request_id, {"seq": stamp.seq, "executions": forgotten})
        case ActorFailed():
            freeze(account, message.reason, facts)
            return None
        case unrouted:
            assert_never(unrouted)


def freeze(account: Account, reason: str, facts: Facts) -> None:
    """Stop an account whose books cannot be trusted; the first reason stands."""
    if account.state.frozen:
        return
    reason = reason or "no reason was given"  # Empty would mean that it may trade.
    account.state.frozen = reason
    text = f"account {account.id} is frozen: {reason}"
    facts.append(
        Raised(Severity.EXTREME, "account_frozen", f"frozen:{account.id}", text, account.id)
    )


def answer_fault(account: Account, message: AccountMessage, stamp: Stamp, facts: Facts) -> Answer:
    """Freeze an account that failed on a message and answer the message all the same."""
    freeze(account, f"fault at seq {stamp.seq}", facts)
    if not isinstance(message, Check):
        text = "riskd had a fault; the account is frozen; nothing is known of this message"
        return Error(code="internal", text=text)
    text = f"fault at seq {stamp.seq}; the account is frozen"
    found = reject(RejectCode.INTERNAL_FAULT, text, Scope.ACCOUNT, account.id)
    verdict = denied(message, stamp, (found,), account.boards.limits_version)
    order_id = message.client_order_id
    known = account.state.orders.get(order_id) or account.state.finished.get(order_id)
    if message.dry_run or not is_finite(message):
        return verdict
    if known is None:
        record = Order(check=message, verdict=verdict, state=OrderState.DENIED)
        account.remember(order_id, record)
        return verdict
    if first_difference(known.check, message) is not None:
        return verdict
    # It was judged before: what is reserved is not forgotten, and the first verdict stands.
    return replace(known.verdict, duplicate=known.verdict.seq != stamp.seq)


def account_of(message: AddressedMessage) -> str:
    """Return the account that a message is for; a basket need not say it beside its orders."""
    if isinstance(message, Basket):
        return message.account or message.orders[0].account
    return message.account or ""


def answer_unknown(message: AddressedMessage, stamp: Stamp, limits_version: int) -> Answer:
    """Answer a message of an account that does not exist (a fill goes to suspense instead)."""
    if isinstance(message, Check | Amend):
        text = f"no account {message.account}"
        found = reject(RejectCode.UNKNOWN_ACCOUNT, text, Scope.ACCOUNT, message.account)
        return denied(message, stamp, (found,), limits_version)
    if isinstance(message, Basket):
        return answer_unknown_basket(message, stamp, limits_version)
    if isinstance(message, OrderReport):
        return _ack(("unknown_account",), message.report_id, stamp)
    if isinstance(message, FillBust | FillCorrect):
        return _ack(("unknown_account",), message.exec_id, stamp)
    if isinstance(message, ActorFailed | VerdictVoid):
        return None
    request_id = None if isinstance(message, Fill | Transfer) else message.request_id
    return Error(code="not_found", text=f"no account {message.account}", request_id=request_id)


def _void(account: Account, client_order_id: str, facts: Facts) -> None:
    """Take back an approval that never left; a repeat of the order is told so too."""
    order = account.state.orders.get(client_order_id)
    if order is None or order.state is not OrderState.PENDING or order.report_ids:
        return
    apply_release(account, client_order_id, OrderState.VOID, facts)
    text = "the approval missed the order's deadline and is void"
    found = reject(RejectCode.DEADLINE, text, Scope.ACCOUNT, account.id)
    first = order.verdict
    stamp = Stamp(first.seq, first.checked_ns, 0)
    void = denied(order.check, stamp, (found,), first.limits_version)
    order.verdict = replace(void, durability=first.durability)


def _answer_fill(account: Account, fill: Fill, stamp: Stamp, facts: Facts) -> Answer:
    instrument = account.boards.instruments.get(fill.symbol)
    if instrument is None:
        wrong = numbers_invalid(fill)
        if wrong is not None:
            _unusable(account, fill.exec_id, wrong, facts)
            return _malformed(wrong)
        if len(account.state.unbooked) >= UNBOOKED_MAX:
            text = f"{UNBOOKED_MAX} fills wait for instruments; add them, then send this again"
            return Error(code="overloaded", text=text)
        return _ack(_keep_unbooked(account, fill, facts), fill.exec_id, stamp)
    wrong = fill_invalid(fill, instrument)
    if wrong is not None:
        _unusable(account, fill.exec_id, wrong, facts)
        return _malformed(wrong)
    flags = apply_fill(account, fill, stamp, facts)
    if DUPLICATE not in flags:
        note_fill(account, fill, stamp, facts)
    return _ack(flags, fill.exec_id, stamp)


def _answer_correct(account: Account, correct: FillCorrect, stamp: Stamp, facts: Facts) -> Answer:
    fill = corrected_fill(account, correct)
    if fill is not None:
        wrong = fill_invalid(fill, account.boards.instruments[fill.symbol])
        if wrong is not None:
            _unusable(account, correct.exec_id, wrong, facts)
            return _malformed(wrong)
    return _ack(apply_correct(account, correct, facts), correct.exec_id, stamp)


def _keep_unbooked(account: Account, fill: Fill, facts: Facts) -> Flags:
    waiting = account.state.unbooked
    if fill in waiting:
        return (DUPLICATE, "unknown_symbol")
    waiting.append(fill)
    text = f"fill {fill.exec_id} of unknown symbol {fill.symbol} waits for its instrument"
    facts.append(
        Raised(
            Severity.CRITICAL,
            "unknown_symbol",
            f"unknown_symbol:{account.id}:{fill.symbol}",
            text,
            account.id,
            fill.symbol,
        )
    )
    freeze(account, f"a fill of unknown symbol {fill.symbol} is not booked", facts)
    return ("unknown_symbol",)


def _book_waiting(account: Account, stamp: Stamp, facts: Facts) -> None:
    known = account.boards.instruments
    ready = [fill for fill in account.state.unbooked if fill.symbol in known]
    if not ready:
        return
    for fill in ready:
        wrong = fill_invalid(fill, known[fill.symbol])
        if wrong is not None:
            _unusable(account, fill.exec_id, wrong, facts)
        else:
            apply_fill(account, fill, stamp, facts)
        account.state.unbooked.remove(fill)  # After it is booked: a fault must not lose it.


def _unusable(account: Account, exec_id: str, wrong: str, facts: Facts) -> None:
    text = f"fill {exec_id} cannot be booked: {wrong}"
    cause = f"fill_unusable:{account.id}:{exec_id}"
    facts.append(Raised(Severity.CRITICAL, "fill_unusable", cause, text, account.id))


def _ack(flags: Flags, ref: str, stamp: Stamp) -> Ack:
    duplicate = DUPLICATE in flags
    shown = tuple(flag for flag in flags if flag != DUPLICATE)
    return Ack(seq=stamp.seq, ref=ref, duplicate=duplicate, flags=shown)


def _malformed(wrong: str) -> Error:
    field, _, text = wrong.partition(": ")
    return Error(code="malformed", text=text, field=f"$.{field}")


def _done(request_id: str | None, shown: dict[str, object]) -> Result:
    return Result(ok=True, data=shown, request_id=request_id)


def _refused(request_id: str | None, text: str) -> Error:
    return Error(code="refused", text=text, request_id=request_id)
