"""Market data in: ticks and states applied to the quote board, refusals counted and said."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from msgspec.structs import astuple

from engine.backlog import TICKS_MAX
from engine.facts import Facts, Raised, Resolved, Stamp
from engine.quotes import QuoteBoard, TickOutcome
from engine.watch import Watch
from riskd.messages import MarketState, Severity, Tick, Ticks, TicksMessage

CONFLATED = "conflated"  # Ticks that were left out before one, see `engine/conflation.py`.
_SILENT = (TickOutcome.APPLIED, TickOutcome.DUPLICATE)


def apply_market(
    board: QuoteBoard,
    message: TicksMessage,
    stamp: Stamp,
    counts: dict[str, int],
    facts: Facts,
    *,
    watch: Watch,
) -> None:
    """Apply a tick, a batch or a market state. `counts` gains one per tick and outcome.

    Each price is taken into the book, and whom it carried over a threshold is looked at, before the
    next is applied. Where those are more than an input has turns for, the rest of them waits, and
    the rest of the ticks behind them: `apply_waiting` goes on.
    """
    ticks = message.ticks if isinstance(message, Ticks) else (message,)
    waiting = watch.backlog.ticks
    if watch.backlog.is_behind():
        _let_wait(waiting, ticks, counts, facts)
        apply_waiting(board, stamp, counts, facts, watch=watch)
        return
    _sample(board, watch, stamp, facts)
    for number, tick in enumerate(ticks):
        if watch.backlog.is_behind():
            _let_wait(waiting, ticks[number:], counts, facts)
            return
        _apply(board, tick, stamp, counts, facts, watch=watch)


def _let_wait(
    waiting: list[Tick | MarketState],
    ticks: Sequence[Tick | MarketState],
    counts: dict[str, int],
    facts: Facts,
) -> None:
    """Let ticks wait; what says something that is no number is refused now: it enters no state."""
    for tick in ticks:
        if all(isfinite(number) for number in astuple(tick) if isinstance(number, float)):
            waiting.append(tick)
        else:
            _count(tick, TickOutcome.VALUE_INVALID, counts, facts)


def apply_waiting(
    board: QuoteBoard, stamp: Stamp, counts: dict[str, int], facts: Facts, *, watch: Watch
) -> None:
    """Go on with what waits, as far as the input has turns; beyond `TICKS_MAX` with all of it."""
    backlog = watch.backlog
    wholly = len(backlog.ticks) > TICKS_MAX
    watch.catch_up(stamp, facts, wholly=wholly)
    while backlog.ticks and not (backlog.looks or backlog.recoveries):
        _sample(board, watch, stamp, facts)
        _apply(board, backlog.ticks.pop(0), stamp, counts, facts, watch=watch)
        if wholly:
            watch.catch_up(stamp, facts, wholly=True)


def _sample(board: QuoteBoard, watch: Watch, stamp: Stamp, facts: Facts) -> None:
    """Take the sample of correlations that is due before anything of this instant is applied."""
    if board.correlations.is_due(stamp.steady_ns) and board.sample(stamp.steady_ns):
        watch.correlated(stamp, facts)


def _apply(
    board: QuoteBoard,
    tick: Tick | MarketState,
    stamp: Stamp,
    counts: dict[str, int],
    facts: Facts,
    *,
    watch: Watch,
) -> None:
    if isinstance(tick, Tick):
        outcome = board.apply_tick(tick, stamp)
    else:
        outcome = board.apply_state(tick, stamp)
        board.silence.expect()  # A market that opens may be silent.
    _count(tick, outcome, counts, facts)
    if outcome is TickOutcome.APPLIED:
        _take(board, tick.symbol, watch, stamp, facts)


def apply_ages(board: QuoteBoard, stamp: Stamp, facts: Facts) -> None:
    """Let rates grow old that nobody renewed, feeds be silent and prices calm; and say so."""
    board.look_for_silence(stamp, facts)
    board.look_for_calm(stamp, facts)
    due_ns = board.due_steady_ns()
    if due_ns is None or due_ns > stamp.steady_ns:
        return
    for symbol in board.grow_old(stamp.steady_ns):
        text = f"no price of {symbol} for too long: what it converts is incomplete, exposure wider"
        cause = f"rate_old:{symbol}"
        facts.append(Raised(Severity.MEDIUM, "rate_old", cause, text, None, symbol, lasting=True))


def _take(board: QuoteBoard, symbol: str, watch: Watch, stamp: Stamp, facts: Facts) -> None:
    watch.price(symbol, stamp, facts)
    if board.swings.limits:
        board.look_for_swing(symbol, stamp, facts)
    if board.silence.silent:
        board.silence.heard(symbol, facts)
    while board.renewed:
        facts.append(Resolved(f"rate_old:{board.renewed.pop()}"))


def _count(
    tick: Tick | MarketState, outcome: TickOutcome, counts: dict[str, int], facts: Facts
) -> None:
    counts[outcome] = counts.get(outcome, 0) + 1
    if isinstance(tick, Tick) and tick.conflated:
        counts[CONFLATED] = counts.get(CONFLATED, 0) + tick.conflated
    if outcome in _SILENT:
        return
    feed = getattr(tick, "feed", "")
    text = f"tick of {tick.symbol} refused: {outcome.replace('_', ' ')}"
    cause = f"tick:{outcome}:{feed}:{tick.symbol}"
    severity = Severity.LOW if outcome in _ORDINARY else Severity.MEDIUM
    facts.append(Raised(severity, f"tick_{outcome}", cause, text, None, tick.symbol))


_ORDINARY = (TickOutcome.CROSSED, TickOutcome.OUT_OF_ORDER)
