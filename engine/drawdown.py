"""Drawdown: how far equity is below its highest, and everything that is told about that.

A span is a day, a week or an account's life. Peaks rise and troughs sink on every tick, for the
running day in the book; weeks and lives take the day in when they are looked at. Transfers move
every figure of every span: they are no profit and no loss.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct


class Span(Struct, gc=False):
    """The highest equity of a span and what came after it."""

    opened_money: int  # Equity when it began.
    opened_ns: int
    peak_money: int
    peak_ns: int  # When equity was last at the peak.
    trough_money: int  # The lowest since the peak.
    fall_money: int = 0  # The deepest from any earlier peak of the span.

    def shift(self, money: int) -> None:
        """Take a transfer: everything moves by it."""
        self.opened_money += money
        self.peak_money += money
        self.trough_money += money

    def note(self, equity_money: int, now_ns: int) -> None:
        """Take an equity of now in."""
        if equity_money >= self.peak_money:
            self.fall_money = max(self.fall_money, self.peak_money - self.trough_money)
            self.peak_money = self.trough_money = equity_money
            self.peak_ns = now_ns
        elif equity_money < self.trough_money:
            self.trough_money = equity_money


class Drawdown(NamedTuple):
    """A span as people see it, in money; what is undefined is None."""

    peak_money: int
    trough_money: int
    money: int  # Below the peak now.
    pct: float | None  # Of the peak; None where that is not positive.
    since_ns: int | None  # Under water since then; None at the peak.
    under_water_ns: int
    recovered_money: int  # Up from the trough.
    recovered_pct: float | None  # Of the way from trough to peak.
    deepest_money: int  # The deepest fall of the span, this one included.
    recovery_factor: float | None  # Profit of the span as a multiple of its deepest fall.


def span_at(equity_money: int, now_ns: int) -> Span:
    """Return a span that begins at an equity."""
    return Span(
        opened_money=equity_money,
        opened_ns=now_ns,
        peak_money=equity_money,
        peak_ns=now_ns,
        trough_money=equity_money,
    )


def with_day(span: Span, day: Span, low_money: int) -> Span:
    """Return a longer span with its last day taken in; `low_money` is the lowest of the day.

    Exact without having looked at every tick twice: if the day rose to the span's peak, what came
    after is the day's; if not, all of the day came after the span's peak.
    """
    if day.peak_money < span.peak_money:
        return Span(
            opened_money=span.opened_money,
            opened_ns=span.opened_ns,
            peak_money=span.peak_money,
            peak_ns=span.peak_ns,
            trough_money=min(span.trough_money, low_money),
            fall_money=span.fall_money,
        )
    # Before it rose, the day may have been far below; after it rose, the day's own fall is deeper.
    before = max(span.peak_money - min(span.trough_money, low_money), span.fall_money)
    return Span(
        opened_money=span.opened_money,
        opened_ns=span.opened_ns,
        peak_money=day.peak_money,
        peak_ns=day.peak_ns,
        trough_money=day.trough_money,
        fall_money=max(before, day.fall_money),
    )


def drawdown_of(span: Span, equity_money: int, now_ns: int) -> Drawdown:
    """Return everything about a span that equity, at or below its peak, is in now."""
    peak, trough = span.peak_money, span.trough_money
    below = max(0, peak - equity_money)
    depth = peak - trough
    deepest = max(depth, span.fall_money)
    earned = equity_money - span.opened_money
    return Drawdown(
        peak_money=peak,
        trough_money=trough,
        money=below,
        pct=below * 100 / peak if peak > 0 else None,
        since_ns=span.peak_ns if below else None,
        under_water_ns=max(0, now_ns - span.peak_ns) if below else 0,
        recovered_money=equity_money - trough,
        recovered_pct=(equity_money - trough) * 100 / depth if depth else None,
        deepest_money=deepest,
        recovery_factor=earned / deepest if deepest else None,
    )
