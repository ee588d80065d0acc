"""Facts that are booked, and the one answer of each: what is wrong with it, or an ack."""

from __future__ import annotations

from typing import assert_never

from engine.account import Account
from engine.conduct import note_fill
from engine.facts import Facts, Raised, Resolved, Stamp, Stood
from engine.fills import (
    apply_bust,
    apply_correct,
    apply_fill,
    apply_funding,
    apply_transfer,
    corrected_fill,
    fill_invalid,
    numbers_invalid,
)
from engine.money import is_amount
from engine.orders import DUPLICATE, Flags
from engine.reconcile import apply_position_report, position_report_invalid
from riskd.messages import (
    Ack,
    Error,
    Fill,
    FillBust,
    FillCorrect,
    Funding,
    PositionReport,
    ResponseEvent,
    Severity,
    Transfer,
)

CURRENCIES_MAX = 1000  # In which an account has cash; a fact in one more is answered by an error.
UNBOOKED_MAX = 1000  # Fills of unknown symbols kept per account until the symbol is added.

Booking = Fill | FillBust | FillCorrect | Transfer | Funding | PositionReport


def answer_booking(account: Account, message: Booking, stamp: Stamp, facts: Facts) -> Ack | Error:
    """Book a fact and return its ack; one whose numbers are wrong changes nothing."""
    if (full := _currencies_full(account, message)) is not None:
        return full
    match message:
        case Fill():
            return _answer_fill(account, message, stamp, facts)
        case FillBust():
            return acked(apply_bust(account, message, facts), message.exec_id, stamp)
        case FillCorrect():
            return _answer_correct(account, message, stamp, facts)
        case Transfer():
            if not is_amount(message.amount) or not message.amount:
                return malformed(f"amount: {message.amount} must be finite and not zero")
            return acked(apply_transfer(account, message, facts), message.transfer_id, stamp)
        case Funding():
            return _answer_funding(account, message, stamp)
        case PositionReport():
            wrong = position_report_invalid(account, message)
            if wrong is not None:
                return malformed(wrong)
            return acked(
                apply_position_report(account, message, facts), str(message.as_of_ns), stamp
            )
        case unrouted:
            assert_never(unrouted)


def _currencies_full(account: Account, message: Booking) -> Error | None:
    """Return the refusal of a fact in one currency too many, None if there is room."""
    match message:
        case Fill(fee_currency=str(currency)) | Transfer(currency=str(currency)):
            pass
        case Funding(currency=str(currency)):
            pass
        case _:
            return None
    cash = account.state.cash
    if currency in cash or len(cash) < CURRENCIES_MAX:
        return None
    text = f"{account.id} has cash in {CURRENCIES_MAX} currencies, {currency} would be one more"
    return Error(code="overloaded", text=text)


def freeze(account: Account, reason: str, facts: Facts) -> None:
    """Stop an account whose books cannot be trusted; the first reason stands."""
    if account.state.frozen:
        return
    reason = reason or "no reason was given"  # Empty would mean that it may trade.
    account.state.frozen = reason
    text = f"account {account.id} is frozen: {reason}"
    facts.append(
        Raised(
            Severity.EXTREME,
            "account_frozen",
            f"frozen:{account.id}",
            text,
            account.id,
            lasting=True,
        )
    )
    event, severity = ResponseEvent.FAULT, Severity.EXTREME
    facts.append(Stood(account.id, "fault", event, severity, text))


def unfreeze(account: Account, facts: Facts) -> None:
    """Let an account trade again: a person has looked at its books."""
    account.state.frozen = ""
    facts.append(Resolved(f"frozen:{account.id}"))
    facts.append(Stood(account.id, "fault", ResponseEvent.FAULT, None, "a person has looked at it"))


def _answer_fill(account: Account, fill: Fill, stamp: Stamp, facts: Facts) -> Ack | Error:
    instrument = account.boards.instruments.get(fill.symbol)
    if instrument is None:
        wrong = numbers_invalid(fill)
        if wrong is not None:
            _unusable(account, fill.exec_id, wrong, facts)
            return malformed(wrong)
        if len(account.state.unbooked) >= UNBOOKED_MAX:
            text = f"{UNBOOKED_MAX} fills wait for instruments; add them, then send this again"
            return Error(code="overloaded", text=text)
        return acked(_keep_unbooked(account, fill, facts), fill.exec_id, stamp)
    wrong = fill_invalid(fill, instrument)
    if wrong is not None:
        _unusable(account, fill.exec_id, wrong, facts)
        return malformed(wrong)
    flags = apply_fill(account, fill, stamp, facts)
    if DUPLICATE not in flags:
        note_fill(account, fill, stamp, facts)
    return acked(flags, fill.exec_id, stamp)


def _answer_correct(
    account: Account, correct: FillCorrect, stamp: Stamp, facts: Facts
) -> Ack | Error:
    fill = corrected_fill(account, correct)
    if fill is not None:
        wrong = fill_invalid(fill, account.boards.instruments[fill.symbol])
        if wrong is not None:
            _unusable(account, correct.exec_id, wrong, facts)
            return malformed(wrong)
    return acked(apply_correct(account, correct, facts), correct.exec_id, stamp)


def _answer_funding(account: Account, funding: Funding, stamp: Stamp) -> Ack | Error:
    if not is_amount(funding.amount) or not funding.amount:
        return malformed(f"amount: {funding.amount} must be finite and not zero")
    if funding.symbol not in account.boards.instruments:
        text = f"no instrument {funding.symbol}: add it, then send this again"
        return Error(code="not_found", text=text, field="$.symbol")
    return acked(apply_funding(account, funding), funding.funding_id, stamp)


def _keep_unbooked(account: Account, fill: Fill, facts: Facts) -> Flags:
    state = account.state
    if fill in state.unbooked:
        return (DUPLICATE, "unknown_symbol")
    state.unbooked = (*state.unbooked, fill)
    text = f"fill {fill.exec_id} of unknown symbol {fill.symbol} waits for its instrument"
    facts.append(
        Raised(
            Severity.CRITICAL,
            "unknown_symbol",
            f"unknown_symbol:{account.id}:{fill.symbol}",
            text,
            account.id,
            fill.symbol,
            lasting=True,
        )
    )
    freeze(account, f"a fill of unknown symbol {fill.symbol} is not booked", facts)
    return ("unknown_symbol",)


def book_waiting(account: Account, stamp: Stamp, facts: Facts) -> None:
    """Book the fills whose instrument has come."""
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
        waiting = account.state.unbooked  # Until it is booked: a fault must not lose it.
        account.state.unbooked = tuple(one for one in waiting if one is not fill)
        facts.append(Resolved(f"unknown_symbol:{account.id}:{fill.symbol}"))


def _unusable(account: Account, exec_id: str, wrong: str, facts: Facts) -> None:
    text = f"fill {exec_id} cannot be booked: {wrong}"
    cause = f"fill_unusable:{account.id}:{exec_id}"
    facts.append(Raised(Severity.CRITICAL, "fill_unusable", cause, text, account.id))


def acked(flags: Flags, ref: str, stamp: Stamp) -> Ack:
    """Return the ack of a fact; a flag that says it is known already is told on its own."""
    duplicate = DUPLICATE in flags
    shown = tuple(flag for flag in flags if flag != DUPLICATE)
    return Ack(seq=stamp.seq, ref=ref, duplicate=duplicate, flags=shown)


def malformed(wrong: str) -> Error:
    """Return the answer to a wrong number, told as `field: text`."""
    field, _, text = wrong.partition(": ")
    return Error(code="malformed", text=text, field=f"$.{field}")
