"""What operators do to breakers, and what it says to the world."""

from __future__ import annotations

from engine.breakers import (
    BREAKERS_MAX,
    BreakerBoard,
    BreakerState,
    TriggerType,
    message_of,
)
from engine.facts import Facts, Halted, Raised, Resolved, Stamp
from riskd.messages import (
    Breaker,
    Error,
    Kill,
    Reset,
    ResponseEvent,
    Result,
    Severity,
    Trip,
    Unkill,
)

BreakerCommand = Kill | Unkill | Trip | Reset


def apply_command(
    board: BreakerBoard, command: BreakerCommand, stamp: Stamp, by: str, facts: Facts
) -> tuple[Result | Error, Breaker | None]:
    """Carry out a kill, unkill, trip or reset; return the answer and what to publish."""
    request_id = command.request_id
    before = len(board.book.open)
    match command:
        case Kill():
            state = board.apply_kill(command, stamp, by)
        case Trip():
            state = board.apply_trip(command, stamp, by)
        case Unkill():
            state = board.apply_unkill(command)
        case Reset():
            state = board.apply_reset(command.breaker_id)
    if state is None:
        return _nothing(command, request_id), None
    opened = isinstance(command, Kill | Trip)
    changed = not opened or len(board.book.open) > before
    shown = {
        "seq": stamp.seq,
        "breaker_id": state.breaker_id,
        "scope": state.scope,
        "scope_id": state.scope_id,
        "active": opened,
        "changed": changed,
    }
    answer = Result(ok=True, data=shown, request_id=request_id)
    if not changed:
        return answer, None
    facts.extend(_told(state, opened=opened, by=by, reason=command.reason))
    halted = _halted(command, state)
    if halted is not None:
        facts.append(halted)
    return answer, message_of(state, active=opened)


def _halted(command: BreakerCommand, state: BreakerState) -> Halted | None:
    """Return what is to go beside being stopped, None if nothing is."""
    if isinstance(command, Kill):
        event, cancels, flattens = ResponseEvent.KILL, command.cancel, command.flatten
    elif isinstance(command, Trip):
        event = ResponseEvent.BREAKER
        cancels, flattens = command.action == "halt_cancel", command.action == "halt_flatten"
    else:
        return None
    if not (cancels or flattens):
        return None
    return Halted(state.scope, state.scope_id, event, flattens, state.reason)


def apply_expiry(board: BreakerBoard, stamp: Stamp, facts: Facts) -> list[Breaker]:
    """Close the timed breakers that are due; return what to publish."""
    due = board.expire(stamp.steady_ns)
    for state in due:
        facts.extend(_told(state, opened=False, by="time", reason=""))
    return [message_of(state, active=False) for state in due]


def _told(
    state: BreakerState, *, opened: bool, by: str, reason: str
) -> tuple[Raised] | tuple[Resolved, Raised]:
    """Return what it says of a breaker: that it opened, or that this has ended and by whom."""
    verb = "stopped" if opened else "released"
    what = "kill" if state.trigger_type is TriggerType.KILL else f"{state.action} breaker"
    text = f"{what} of {state.scope} {state.scope_id} {'set' if opened else 'lifted'} by {by}"
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
