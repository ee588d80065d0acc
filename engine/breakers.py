"""Kills and circuit breakers by scope: which one, if any, forbids an order.

Written by the circuit-breaker actor alone, read in place by accounts.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import islice

from msgspec import Struct

from engine.facts import MS_NS, Stamp, Tripped
from riskd.messages import Breaker, Kill, Scope, Trip, Unkill

BREAKERS_MAX = 100_000  # Open at once; one more kill or trip is refused.
EXPIRED_MAX = 50  # Closed by one input; what is over is in force no more anyway.
FIRM_ID = "firm"
SPACING_MS = 1000  # Of a breaker that a measure tripped, where its action is slow.
HALTS = ("halt", "halt_cancel", "halt_flatten")
REDUCE_ONLY, SLOW = "reduce_only", "slow"


class TriggerType(StrEnum):
    """What opened a breaker."""

    KILL = "kill"
    MANUAL = "manual"
    TIMED = "timed"
    MEASURE = "measure"  # Crossed a line; the breaker cools once it has recovered.


class BreakerState(Struct):
    """One kill or one open breaker."""

    breaker_id: int
    scope: str
    scope_id: str
    trigger_type: TriggerType
    action: str
    reason: str
    by: str
    at_ns: int
    until_ns: int | None = None  # Wall clock, for people.
    until_steady_ns: int | None = None  # What decides: a stepping clock lifts nothing.
    measure: str = ""  # What tripped it, of a breaker that a measure did.
    value: float | None = None
    threshold: float | None = None
    cooling_ms: int = 0  # How long it stays open after the measure has recovered.
    spacing_ms: int = 0  # Between the orders of an account, where the action is slow.

    @property
    def subject(self) -> str:
        """What it stops, for people: `firm`, `account A1`."""
        return self.scope if self.scope == self.scope_id else f"{self.scope} {self.scope_id}"


class BreakerBook(Struct):
    """Everything that is open, by number."""

    last_id: int = 0
    open: dict[int, BreakerState] = {}


ScopeKey = tuple[str, str]  # (scope, scope id).


class BreakerBoard:
    """Open kills and breakers. `quiet` is true when there are none: the common path."""

    __slots__ = ("_by_scope", "book", "quiet")

    def __init__(self, book: BreakerBook | None = None) -> None:
        self.book = book or BreakerBook()
        self.quiet = not self.book.open
        self._by_scope: dict[ScopeKey, dict[int, BreakerState]] = {}
        for state in self.book.open.values():
            self._by_scope.setdefault((state.scope, state.scope_id), {})[state.breaker_id] = state

    def apply_kill(self, kill: Kill, stamp: Stamp, by: str) -> BreakerState | None:
        """Kill a scope; a second kill of the same scope changes nothing. None when full."""
        standing = self._kill_of(kill.scope, _id_of(kill.scope, kill.scope_id))
        if standing is not None:
            return standing
        return self._open(
            BreakerState(
                breaker_id=0,
                scope=kill.scope,
                scope_id=_id_of(kill.scope, kill.scope_id),
                trigger_type=TriggerType.KILL,
                action="halt",
                reason=kill.reason,
                by=by,
                at_ns=stamp.recv_ns,
            )
        )

    def apply_unkill(self, unkill: Unkill) -> BreakerState | None:
        """Lift the kill of exactly this scope; None if there is none."""
        standing = self._kill_of(unkill.scope, _id_of(unkill.scope, unkill.scope_id))
        return self.apply_reset(standing.breaker_id) if standing is not None else None

    def apply_trip(self, trip: Trip, stamp: Stamp, by: str) -> BreakerState | None:
        """Open a breaker beside those already open. None when full."""
        timed = trip.until_ns is not None
        until_steady_ns = None
        if trip.until_ns is not None:
            until_steady_ns = stamp.steady_ns + max(0, trip.until_ns - stamp.recv_ns)
        return self._open(
            BreakerState(
                breaker_id=0,
                scope=trip.scope,
                scope_id=_id_of(trip.scope, trip.scope_id),
                trigger_type=TriggerType.TIMED if timed else TriggerType.MANUAL,
                action=trip.action,
                reason=trip.reason,
                by=by,
                at_ns=stamp.recv_ns,
                until_ns=trip.until_ns,
                until_steady_ns=until_steady_ns,
                spacing_ms=trip.spacing_ms,
            )
        )

    def apply_tripped(self, tripped: Tripped, stamp: Stamp, by: str) -> BreakerState | None:
        """Open a breaker for a measure; one that cools for it is as new. None when full."""
        standing = self._of_measure(tripped.scope, tripped.scope_id, tripped.measure)
        if standing is not None:
            standing.until_ns = standing.until_steady_ns = None
            standing.value, standing.threshold = tripped.value, tripped.threshold
            return standing
        return self._open(
            BreakerState(
                breaker_id=0,
                scope=tripped.scope,
                scope_id=tripped.scope_id,
                trigger_type=TriggerType.MEASURE,
                action=tripped.action,
                reason=tripped.reason,
                by=by,
                at_ns=stamp.recv_ns,
                measure=tripped.measure,
                value=tripped.value,
                threshold=tripped.threshold,
                cooling_ms=tripped.cooling_ms,
                spacing_ms=SPACING_MS,
            )
        )

    def cool(self, scope: str, scope_id: str, measure: str, stamp: Stamp) -> BreakerState | None:
        """Let the breaker of a measure that has recovered cool; None if none is open for it."""
        state = self._of_measure(scope, scope_id, measure)
        if state is not None:
            state.until_ns = stamp.recv_ns + state.cooling_ms * MS_NS
            state.until_steady_ns = stamp.steady_ns + state.cooling_ms * MS_NS
        return state

    def apply_reset(self, breaker_id: int) -> BreakerState | None:
        """Close one breaker; None if it is not open."""
        state = self.book.open.pop(breaker_id, None)
        self.quiet = not self.book.open
        if state is not None:
            del self._by_scope[state.scope, state.scope_id][breaker_id]
        return state

    def expire(self, steady_ns: int) -> list[BreakerState]:
        """Close the timed breakers whose time has come, so many at once, and return them."""
        over = (state for state in self.book.open.values() if not _is_in_force(state, steady_ns))
        due = list(islice(over, EXPIRED_MAX))
        for state in due:
            self.apply_reset(state.breaker_id)
        return due

    def due_steady_ns(self) -> int | None:
        """Return when the next timed breaker ends."""
        ends = [s.until_steady_ns for s in self.book.open.values() if s.until_steady_ns is not None]
        return min(ends, default=None)

    def killing(self, keys: tuple[ScopeKey, ...]) -> BreakerState | None:
        """Return the kill that forbids an order of these scopes, the first scope's first."""
        for key in keys:
            for state in self._by_scope.get(key, {}).values():
                if state.trigger_type is TriggerType.KILL:
                    return state
        return None

    def blocking(self, keys: tuple[ScopeKey, ...], steady_ns: int) -> BreakerState | None:
        """Return the breaker that halts what does not reduce, the first scope's first."""
        return next(self._acting(keys, steady_ns, HALTS), None)

    def reducing(self, keys: tuple[ScopeKey, ...], steady_ns: int) -> BreakerState | None:
        """Return the breaker that lets pass only what reduces, the first scope's first."""
        return next(self._acting(keys, steady_ns, (REDUCE_ONLY,)), None)

    def slowing(self, keys: tuple[ScopeKey, ...], steady_ns: int) -> list[BreakerState]:
        """Return every breaker that asks for a spacing between orders."""
        return list(self._acting(keys, steady_ns, (SLOW,)))

    def is_firm_killed(self) -> bool:
        """Return whether an operator stopped the whole firm."""
        return self._kill_of(Scope.FIRM, FIRM_ID) is not None

    def _acting(
        self, keys: tuple[ScopeKey, ...], steady_ns: int, actions: tuple[str, ...]
    ) -> Iterator[BreakerState]:
        for key in keys:
            for state in self._by_scope.get(key, {}).values():
                acts = state.trigger_type is not TriggerType.KILL and state.action in actions
                if acts and _is_in_force(state, steady_ns):
                    yield state

    def _open(self, state: BreakerState) -> BreakerState | None:
        book = self.book
        if len(book.open) >= BREAKERS_MAX:
            return None
        book.last_id += 1
        state.breaker_id = book.last_id
        book.open[state.breaker_id] = state
        self._by_scope.setdefault((state.scope, state.scope_id), {})[state.breaker_id] = state
        self.quiet = False
        return state

    def _of_measure(self, scope: str, scope_id: str, measure: str) -> BreakerState | None:
        for state in self._by_scope.get((scope, scope_id), {}).values():
            if state.trigger_type is TriggerType.MEASURE and state.measure == measure:
                return state
        return None

    def _kill_of(self, scope: str, scope_id: str) -> BreakerState | None:
        for state in self._by_scope.get((scope, scope_id), {}).values():
            if state.trigger_type is TriggerType.KILL:
                return state
        return None


def message_of(state: BreakerState, *, active: bool) -> Breaker:
    """Return the published form of a breaker."""
    return Breaker(
        breaker_id=state.breaker_id,
        scope=state.scope,
        scope_id=state.scope_id,
        active=active,
        trigger_type=state.trigger_type,
        action=state.action,
        value=state.value,
        threshold=state.threshold,
        reason=state.reason,
        by=state.by,
        at_ns=state.at_ns,
        until_ns=state.until_ns,
    )


def _id_of(scope: str, scope_id: str) -> str:
    return FIRM_ID if scope == Scope.FIRM else scope_id


def _is_in_force(state: BreakerState, steady_ns: int) -> bool:
    return state.until_steady_ns is None or steady_ns < state.until_steady_ns
