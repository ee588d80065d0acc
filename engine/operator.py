"""What operators do to breakers, and what it says to the world."""

from __future__ import annotations

from collections.abc import Container

from engine.boards import Boards
from engine.breakers import (
    BREAKERS_MAX,
    FIRM_ID,
    BreakerBoard,
    BreakerState,
    TriggerType,
    message_of,
)
from engine.facts import (
    BreakerFact,
    Closed,
    Facts,
    Halted,
    Raised,
    Recovered,
    Resolved,
    Stamp,
)
from engine.instruments import currencies_of
from riskd.messages import (
    Breaker,
    Error,
    Kill,
    Reset,
    ResponseEvent,
    Result,
    Scope,
    Severity,
    Trip,
    Unkill,
)

BY_MEASURE = "a measure"
BreakerCommand = Kill | Unkill | Trip | Reset


def apply_command(
    boards: Boards,
    command: BreakerCommand,
    stamp: Stamp,
    by: str,
    facts: Facts,
    *,
    accounts: Container[str],
) -> tuple[Result | Error, Breaker | None]:
    """Carry out a kill, unkill, trip or reset; return the answer and what to publish.

    Stopping comes first: what names nothing that is declared is done all the same. The answer says
    in `warning` what it does not do.
    """
    board, request_id = boards.breakers, command.request_id
    if not isinstance(command, Reset) and command.scope != FIRM_ID and not command.scope_id:
        text = f"which {command.scope}? It would stop nobody"
        return Error(code="malformed", text=text, field="scope_id", request_id=request_id), None
    before = len(board.book.open)
    state = _carry_out(board, command, stamp, by)
    if state is None:
        return _nothing(command, request_id), None
    opened = isinstance(command, Kill | Trip)
    is_new = not opened or len(board.book.open) > before
    shown = {
        "seq": stamp.seq,
        "breaker_id": state.breaker_id,
        "scope": state.scope,
        "scope_id": state.scope_id,
        "active": opened,
        "changed": is_new,
    }
    if isinstance(command, Kill) and (command.cancel or command.flatten):
        shown["asked"] = "flatten" if command.flatten else "cancel"
    if opened:
        shown |= _warnings(boards, command, state, accounts)
    answer = Result(ok=True, data=shown, request_id=request_id)
    if is_new:
        facts.extend(_told(state, opened=opened, by=by, reason=command.reason))
    if isinstance(command, Kill):
        _clear(state, command, facts)
    elif opened:
        _halt(state, facts)
    if isinstance(command, Reset) and state.trigger_type is TriggerType.MEASURE:
        facts.append(Closed(state.scope, state.scope_id, state.measure))
    return answer, message_of(state, active=opened) if is_new else None


def _clear(state: BreakerState, kill: Kill, facts: Facts) -> None:
    """Ask that what a kill covers goes, if that is asked: later too, and again if it failed."""
    if kill.cancel or kill.flatten:
        reason, event = kill.reason or state.reason, ResponseEvent.KILL
        facts.append(Halted(state.scope, state.scope_id, event, kill.flatten, reason))


def apply_measured(
    board: BreakerBoard, fact: BreakerFact, stamp: Stamp, facts: Facts
) -> Breaker | None:
    """Open the breaker of a measure, or let it cool; return what to publish."""
    if isinstance(fact, Recovered):
        state = board.cool(fact.scope, fact.scope_id, fact.measure, stamp)
        return None if state is None else message_of(state, active=True)
    before = len(board.book.open)
    state = board.apply_tripped(fact, stamp, BY_MEASURE)
    if state is None:
        text = f"{BREAKERS_MAX} breakers are open; {fact.measure} of {fact.scope_id} trips none"
        cause = f"breakers_full:{fact.scope_id}"
        facts.append(Raised(Severity.EXTREME, "breakers_full", cause, text, fact.scope_id))
        return None
    if len(board.book.open) > before:
        facts.extend(_told(state, opened=True, by=BY_MEASURE, reason=fact.reason))
        _halt(state, facts)
    return message_of(state, active=True)


def _halt(state: BreakerState, facts: Facts) -> None:
    """Say what is to go beside being stopped, if anything is."""
    if state.action in ("halt_cancel", "halt_flatten"):
        flattens = state.action == "halt_flatten"
        event = ResponseEvent.BREAKER
        facts.append(Halted(state.scope, state.scope_id, event, flattens, state.reason))


def apply_expiry(board: BreakerBoard, stamp: Stamp, facts: Facts) -> list[Breaker]:
    """Close the timed breakers that are due; return what to publish."""
    due = board.expire(stamp.steady_ns)
    for state in due:
        facts.extend(_told(state, opened=False, by="time", reason=""))
    return [message_of(state, active=False) for state in due]


def _carry_out(
    board: BreakerBoard, command: BreakerCommand, stamp: Stamp, by: str
) -> BreakerState | None:
    match command:
        case Kill():
            return board.apply_kill(command, stamp, by)
        case Trip():
            return board.apply_trip(command, stamp, by)
        case Unkill():
            return board.apply_unkill(command)
        case Reset():
            return board.apply_reset(command.breaker_id)


def _warnings(
    boards: Boards, command: BreakerCommand, state: BreakerState, accounts: Container[str]
) -> dict[str, str]:
    """Return what a person may believe and is not so."""
    if not _is_known(boards, state, accounts):
        return {"warning": f"riskd knows no {state.subject}; this stops nothing that trades now"}
    flattens = isinstance(command, Kill) and command.flatten
    if state.scope == Scope.STRATEGY and (flattens or state.action == "halt_flatten"):
        return {"warning": "positions are no strategy's own; its orders alone are cancelled"}
    return {}


def _is_known(boards: Boards, state: BreakerState, accounts: Container[str]) -> bool:
    """Return whether a scope is anybody's. Strategies are not declared: each may be."""
    match state.scope:
        case Scope.ACCOUNT:
            return state.scope_id in accounts
        case Scope.GROUP:
            return state.scope_id in boards.groups
        case Scope.SYMBOL:
            return state.scope_id in boards.instruments
        case Scope.CURRENCY:
            found = boards.instruments.values()
            return any(state.scope_id in currencies_of(instrument) for instrument in found)
    return True


def _told(
    state: BreakerState, *, opened: bool, by: str, reason: str
) -> tuple[Raised] | tuple[Resolved, Raised]:
    """Return what it says of a breaker: that it opened, or that this has ended and by whom."""
    verb = "stopped" if opened else "released"
    what = "kill" if state.trigger_type is TriggerType.KILL else f"{state.action} breaker"
    text = f"{what} of {state.subject} {'set' if opened else 'lifted'} by {by}"
    if reason:
        text += f": {reason}"
    account = state.scope_id if state.scope == "account" else None
    severity = Severity.CRITICAL if opened else Severity.MEDIUM
    cause = f"breaker:{state.breaker_id}:{verb}"
    raised = Raised(severity, f"breaker_{verb}", cause, text, account, lasting=opened)
    return (raised,) if opened else (Resolved(f"breaker:{state.breaker_id}:stopped"), raised)


def _nothing(command: BreakerCommand, request_id: str | None) -> Error:
    match command:
        case Kill() | Trip():
            text = f"{BREAKERS_MAX} breakers are open already"
            return Error(code="overloaded", text=text, request_id=request_id)
        case Unkill():
            text = f"{command.scope} {command.scope_id} is not killed"
        case Reset():
            text = f"breaker {command.breaker_id} is not open"
    return Error(code="not_found", text=text, request_id=request_id)
