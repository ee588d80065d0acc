"""One account's desk: every message that names an account, and its one answer."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from engine.account import Account
from engine.amend import decide_amend
from engine.boards import Boards
from engine.booking import acked, answer_booking, book_waiting, freeze, malformed, unfreeze
from engine.certificates import recertify
from engine.conduct import apply_rearm, note_verdict
from engine.facts import (
    CancelAsked,
    Distrusted,
    ExitsVoided,
    Facts,
    Progressed,
    Recount,
    RiskShrunk,
    SessionEnded,
    Stamp,
    ToldMessage,
)
from engine.findings import reject
from engine.legs import Leg, Stands, TakeBack, judge_leg, say_crossed, take_back
from engine.lookup import is_finite
from engine.orders import Order, OrderState, first_difference
from engine.pretrade import decide_order, denied, wrong_in_itself
from engine.rebuilt import take_part
from engine.reports import apply_release, apply_report, apply_wake, report_invalid
from engine.swift import decide_swiftly
from engine.told import apply_told
from riskd.codes import RejectCode
from riskd.messages import (
    AccountRebuilt,
    AccountUnfreeze,
    Ack,
    ActorFailed,
    Amend,
    BasketVerdict,
    Check,
    DayBegan,
    Elapse,
    Error,
    Fill,
    FillBust,
    FillCorrect,
    Funding,
    OrderRelease,
    OrderReport,
    PositionReport,
    Rearm,
    Reject,
    Result,
    Scope,
    SessionRoll,
    TimeInForce,
    Transfer,
    Verdict,
    VerdictVoid,
    Welcome,
)

AddressedMessage = (
    Check
    | Amend
    | OrderReport
    | Fill
    | FillBust
    | FillCorrect
    | Transfer
    | Funding
    | PositionReport
    | OrderRelease
    | AccountUnfreeze
    | SessionRoll
    | Rearm
    | VerdictVoid
    | ActorFailed
    | AccountRebuilt
)
Answered = AddressedMessage | Leg | Stands | TakeBack | Elapse | DayBegan | ToldMessage
AccountMessage = Answered | Recount
Answer = Verdict | BasketVerdict | Ack | Error | Result | Welcome | None


def answer(account: Account, message: AccountMessage, stamp: Stamp, facts: Facts) -> Answer:
    """Apply a message to its account and return its one answer; facts are appended.

    Bad numbers change nothing and get an `error`. Time triggers and internal messages have none.
    """
    if type(message) is Check and not account.state.unbooked:
        verdict = decide_swiftly(account, message, stamp, facts)
        if verdict is not None:
            _tell_approved(account, verdict, stamp, facts)
            return verdict
    if isinstance(message, Recount):  # Nothing else: a start from a snapshot asks for it, too.
        account.membership.recount(list(account.state.positions))
        account.tell_groups(facts)
        return None
    if account.state.unbooked and not isinstance(message, Elapse):
        book_waiting(account, stamp, facts)  # Not at it: a restored engine may have others.
    found = _answer(account, message, stamp, facts)
    if type(message) is not Check:
        if not isinstance(message, OrderReport):  # A report frees lots, and no money.
            account.forget_credit()
        if account.state.certified:  # A younger order shrinks none.
            recertify(account, stamp, facts)
    account.tell_groups(facts)
    account.tell_book(facts)
    if account.id in account.boards.responses.running:
        facts.append(Progressed(account.id))
    return found


def _tell_approved(account: Account, verdict: Verdict, stamp: Stamp, facts: Facts) -> None:
    """Append what follows from an order that was approved swiftly: it moved no money."""
    boards = account.boards
    if boards.settings.alerts.reject_ratio_pct:
        note_verdict(account, verdict, boards.settings.alerts, stamp, facts)
    if boards.group_limits:
        account.tell_groups(facts)
    if boards.responses.running and account.id in boards.responses.running:
        facts.append(Progressed(account.id))


def _answer(account: Account, message: Answered, stamp: Stamp, facts: Facts) -> Answer:
    match message:
        case Check():
            verdict = decide_order(account, message, stamp, facts)
            alerts = account.boards.settings.alerts
            if alerts.reject_ratio_pct and not (verdict.duplicate or message.dry_run):
                note_verdict(account, verdict, alerts, stamp, facts)
            return verdict
        case Amend():
            return decide_amend(account, message, stamp, facts)
        case Leg():
            return judge_leg(account, message, stamp, facts)
        case Stands():
            say_crossed(account, facts)
            return None
        case TakeBack():
            return take_back(account, message)
        case OrderReport():
            wrong = report_invalid(account, message)
            if wrong is not None:
                return malformed(wrong)
            return acked(apply_report(account, message, stamp, facts), message.report_id, stamp)
        case Fill() | FillBust() | FillCorrect() | Transfer() | Funding() | PositionReport():
            return answer_booking(account, message, stamp, facts)
        case AccountRebuilt():
            take_part(account, message, facts)
            return None
        case VerdictVoid():
            _void(account, message.client_order_id, facts)
            return None
        case Elapse():
            apply_wake(account, stamp, facts)
            return None
        case DayBegan():
            _begin_day(account, message)
            return None
        case SessionEnded() | Distrusted() | CancelAsked() | RiskShrunk() | ExitsVoided():
            apply_told(account, message, stamp, facts)
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
            unfreeze(account, facts)
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


def answer_fault(account: Account, message: AccountMessage, stamp: Stamp, facts: Facts) -> Answer:
    """Freeze an account that failed on a message and answer the message all the same."""
    freeze(account, f"fault at seq {stamp.seq}", facts)
    if isinstance(message, Leg):
        message = message.check
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
    if first_difference(known.body(), message) is not None:
        return verdict
    # It was judged before: what is reserved is not forgotten, and the first verdict stands.
    return replace(known.verdict, duplicate=known.verdict.seq != stamp.seq)


def account_of(message: AddressedMessage) -> str:
    """Return the account that a message is for."""
    return message.account or ""


def answer_unknown(message: AddressedMessage, stamp: Stamp, boards: Boards) -> Answer:
    """Answer a message of an account that does not exist (a fill goes to suspense instead)."""
    if isinstance(message, Check | Amend):
        text = f"no account {message.account}"
        unknown = reject(RejectCode.UNKNOWN_ACCOUNT, text, Scope.ACCOUNT, message.account)
        wrong: tuple[Reject, ...] = ()
        if isinstance(message, Check):
            wrong = wrong_in_itself(message, boards.instruments.get(message.symbol), stamp)
        return denied(message, stamp, wrong or (unknown,), boards.limits_version)
    if isinstance(message, OrderReport):
        return acked(("unknown_account",), message.report_id, stamp)
    if isinstance(message, FillBust | FillCorrect):
        return acked(("unknown_account",), message.exec_id, stamp)
    if isinstance(message, ActorFailed | VerdictVoid | AccountRebuilt):
        return None
    request_id = (
        None
        if isinstance(message, Fill | Transfer | Funding | PositionReport)
        else message.request_id
    )
    return Error(code="not_found", text=f"no account {message.account}", request_id=request_id)


def _begin_day(account: Account, began: DayBegan) -> None:
    """Begin a calendar day, once: day orders expire, all others are carried.

    The first week and the first month of an account begin with the account.
    """
    state, day = account.state, began.day
    if day <= state.day:
        return
    longer = {"week": began.week, "month": began.month}
    opened = [name for name in longer if "" < getattr(state, name) < longer[name]]
    account.roll_day("week" if "week" in opened else "day", ("day", *opened))
    state.day, state.week, state.month = day, began.week, began.month
    expired = [
        order_id
        for order_id, order in state.orders.items()
        if order.check.time_in_force is TimeInForce.DAY
    ]
    for order_id in expired:
        account.end(order_id, OrderState.EXPIRED)


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


def _done(request_id: str | None, shown: dict[str, object]) -> Result:
    return Result(ok=True, data=shown, request_id=request_id)


def _refused(request_id: str | None, text: str) -> Error:
    return Error(code="refused", text=text, request_id=request_id)
