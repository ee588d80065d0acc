"""Checks of standing: whether anybody may trade this now."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from engine.breakers import BreakerState
from engine.case import Case, Plan
from engine.findings import reject_case, shown
from engine.move_limits import MoveLimit
from engine.swings import Moved, moved_of
from riskd.codes import CODES, RejectCode
from riskd.messages import AccountSpec, MarketPhase, Reject


def check_killed(case: Case) -> Reject | None:
    """A kill of any scope of the order refuses it, reducing or not; the kill's own exits pass."""
    if case.breakers.quiet:
        return None
    state = case.breakers.killing(case.plan.breaker_keys)
    if state is None or (case.is_exit and case.reducing):
        return None
    return _stopped(RejectCode.KILLED, state)


def check_breaker_open(case: Case) -> Reject | None:
    """A breaker of any scope that halts refuses what does not reduce."""
    if case.breakers.quiet:
        return None
    state = case.breakers.blocking(case.plan.breaker_keys, case.now_steady_ns)
    return None if state is None else _stopped(RejectCode.BREAKER_OPEN, state)


def has_price_move(spec: AccountSpec, plan: Plan) -> bool:
    """Return whether it matters how far the price moves."""
    return bool(plan.moves)


def check_price_move(case: Case) -> Reject | None:
    """While the mark moved too far within a window, only what reduces passes.

    Formula: (highest - lowest) / lowest <= price_move.pct / 100, highest - lowest <=
    price_move.ticks; of the marks that stood in the last window_ms
    """
    symbol = case.plan.instrument.symbol
    for limit, moved in _moves(case):
        if moved.is_past:
            text = f"{symbol} was at {shown(moved.low)} and at {shown(moved.high)} within "
            text += f"{moved.window_ms / 1000:g} s, price_move {moved.limit:g} {moved.unit}"
            return Reject(
                code=RejectCode.BREAKER_OPEN,
                fix_code=CODES[RejectCode.BREAKER_OPEN].fix_code,
                scope=limit.scope,
                scope_id=limit.scope_id,
                limit_type="price_move",
                value=moved.value,
                limit=moved.limit,
                text=text,
            )
    return None


def price_move_numbers(case: Case) -> tuple[float, float] | None:
    """Return how far the mark moved and how far it may, of the limit with the least room."""
    known = [moved for _, moved in _moves(case)]
    if not known:
        return None
    least = max(known, key=lambda moved: moved.value / moved.limit)
    return least.value, least.limit


def _moves(case: Case) -> Iterator[tuple[MoveLimit, Moved]]:
    quote, instrument = case.plan.quote, case.plan.instrument
    for limit in case.plan.moves:
        moved = moved_of(quote, instrument, limit.move, case.now_steady_ns)
        if moved is not None:
            yield limit, moved


def check_account_frozen(case: Case) -> Reject | None:
    """A frozen account's books cannot be trusted: not even reducing can be proved."""
    if not case.frozen:
        return None
    return reject_case(case, RejectCode.ACCOUNT_FROZEN, f"account frozen: {case.frozen}")


def check_market_closed(case: Case) -> Reject | None:
    """A closed or halted market takes no order."""
    phase = case.plan.quote.phase
    if phase is MarketPhase.OPEN or phase is MarketPhase.AUCTION:
        return None
    return reject_case(case, RejectCode.MARKET_CLOSED, f"{case.plan.instrument.symbol} is {phase}")


def check_reduce_only(case: Case) -> Reject | None:
    """An order that says so, or that a breaker asks it of, must provably reduce."""
    if case.reducing:
        return None
    quantity = case.plan.instrument.quantity(case.reducible_lots())
    text = f"at most {quantity:g} would reduce on this side"
    if case.order.reduce_only or case.order.close_position:
        return reject_case(case, RejectCode.REDUCE_ONLY, f"reduce_only: {text}")
    if case.breakers.quiet:
        return None
    state = case.breakers.reducing(case.plan.breaker_keys, case.now_steady_ns)
    if state is None:
        return None
    found = _stopped(RejectCode.REDUCE_ONLY, state)
    return replace(found, text=f"{found.text}; {text}")


def check_slowed(case: Case) -> Reject | None:
    """A breaker that slows keeps the orders of an account its spacing apart.

    Formula: steady instant of the order - that of the last one charged >= spacing_ms
    """
    slowed = case.slowed
    if slowed is None:
        return None
    found = _stopped(RejectCode.SLOWED, slowed.state)
    text = f"{found.text}; retry after {slowed.retry_after_ns / 1e6:.3f} ms"
    return replace(found, text=text, retry_after_ns=slowed.retry_after_ns)


def check_unsynced(case: Case) -> Reject | None:
    """A gateway that lost its session, or may not know what works, must compare first.

    Formula: its session stands, and since `hello` it sent `resynced` or `must_resync` was false
    """
    if not case.unsynced:
        return None
    return reject_case(case, RejectCode.UNRECONCILED, case.unsynced)


def check_unreconciled(case: Case) -> Reject | None:
    """What the venue holds is known: nothing may increase risk while it could not be asked.

    Formula: the newest position_report of the account has not failed
    """
    if not case.unreconciled:
        return None
    return reject_case(case, RejectCode.UNRECONCILED, case.unreconciled)


def check_deadline(case: Case) -> Reject | None:
    """A verdict later than the order's deadline is a denial.

    Formula: instant of the verdict <= deadline_ns
    """
    deadline_ns = case.order.deadline_ns
    if deadline_ns is None or case.stamp.recv_ns <= deadline_ns:
        return None
    late_ns = case.stamp.recv_ns - deadline_ns
    return reject_case(case, RejectCode.DEADLINE, f"judged {late_ns} ns after the deadline")


def _stopped(code: RejectCode, state: BreakerState) -> Reject:
    until = "" if state.until_ns is None else f" until_ns {state.until_ns}"
    reason = f": {state.reason}" if state.reason else ""
    return Reject(
        code=code,
        fix_code=CODES[code].fix_code,
        scope=state.scope,
        scope_id=state.scope_id,
        text=f"{state.trigger_type} of {state.subject} by {state.by}{until}{reason}",
    )
