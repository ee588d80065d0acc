"""What a story shows: who said what, line by line, without what differs from run to run.

Instants, seqs and ids of alerts are left out; responses are numbered as they come.
"""

from __future__ import annotations

import re
from pathlib import Path

from riskd.messages import (
    Alert,
    Breaker,
    Check,
    Fill,
    Instruction,
    InstructionAction,
    OrderReport,
    ResponseUpdate,
    Verdict,
)
from tests.stories.venue import News

WHO_WIDTH = 8
RESPONSE = re.compile(r"response-(\d+)")


class Transcript:
    """The lines of one story."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.is_muted = False
        self._numbers: dict[str, int] = {}

    def say(self, who: str, text: str) -> None:
        """Add a line, unless it is muted."""
        if self.is_muted:
            return
        told = RESPONSE.sub(self._numbered, text)
        self.lines.append(f"{who:<{WHO_WIDTH}} {told}")

    def text(self) -> str:
        """Return all of it."""
        return "".join(f"{line}\n" for line in self.lines)

    def _numbered(self, found: re.Match[str]) -> str:
        number = self._numbers.setdefault(found[1], len(self._numbers) + 1)
        return f"response-{number}"

    @staticmethod
    def order(check: Check) -> str:
        """Return an order in words."""
        price = "at the market" if check.price is None else f"at {check.price:.10g}"
        told = f"{check.side} {check.quantity:,.10g} {check.symbol} {price}"
        if check.stop_loss is not None:
            told += f", stop {check.stop_loss:.10g}"
        return told + (", only to reduce" if check.reduce_only else "")

    @staticmethod
    def verdict(verdict: Verdict) -> str:
        """Return a verdict in words."""
        if verdict.approved:
            sure = verdict.certified_quantity
            return "approved" if sure is None else f"approved, {sure:,.10g} are sure to reduce"
        first = verdict.rejects[0]
        return f"refused, {first.code}: {first.text}"

    @staticmethod
    def news(news: News) -> str:
        """Return what a venue said."""
        match news:
            case Fill():
                what = f"{news.side} {news.quantity:,.10g} {news.symbol} at {news.price:.10g}"
                return f"filled   {news.client_order_id}: {what}"
            case OrderReport():
                return f"{news.status:<8} {news.client_order_id}"

    @staticmethod
    def instruction(told: Instruction) -> str:
        """Return an instruction in words."""
        if told.action is InstructionAction.CANCEL:
            return f"cancel {told.client_order_id}"
        return f"reduce: {told.side} {told.quantity:,.10g} {told.symbol} as {told.client_order_id}"

    @staticmethod
    def alert(alert: Alert) -> str:
        """Return an alert in words."""
        return f"{alert.status}, {alert.severity}: {alert.message}"

    @staticmethod
    def update(update: ResponseUpdate) -> str:
        """Return where a response stands, in words."""
        told = f"{update.response_id} {update.policy} ({update.action}): {update.stage}"
        if update.attempt:
            told += f", attempt {update.attempt}"
        exits = ", ".join(f"{x.side} {x.quantity:,.10g} {x.symbol}" for x in update.exits)
        return f"{told}: {exits}" if exits else told

    @staticmethod
    def breaker(breaker: Breaker) -> str:
        """Return what became of a breaker, in words."""
        state = "open" if breaker.active else "closed"
        return f"{breaker.scope} {breaker.scope_id} {breaker.action} {state}"


def require_golden(path: Path, text: str, *, rewrite: bool) -> None:
    """Fail unless a file says this; with `--rewrite` make it say so."""
    if rewrite:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    known = path.read_text() if path.exists() else ""
    assert text == known, f"{path.name} tells another story; see it with pytest --rewrite"
