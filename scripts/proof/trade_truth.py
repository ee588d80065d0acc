"""One position or leg, told from its deals and the prices of the file alone, in whole units."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from riskd.messages import AccountSpec
from tests.recorded.recount import Deal, SlowLedger

Marks = list[tuple[float, float]]  # Of a symbol, for each of its rows: of long and of short.
Seen = tuple[float, float]  # The highest and the lowest mark of a stretch.


class Dealt(NamedTuple):
    """One execution as it was reported."""

    exec_id: str
    deal: Deal
    fee: int  # Paid is positive.
    at: int  # After so many rows of its symbol.
    day: int  # Which of the days it was traded on.


class LegTruth:
    """One leg: what it holds and paid, and the best and the worst of its open trade."""

    def __init__(self, spec: AccountSpec, inverse_size: int) -> None:
        self._spec, self._inverse_size = spec, inverse_size
        self.dealt: list[Dealt] = []
        self._begin()

    def _begin(self) -> None:
        self.ledger = SlowLedger(self._spec.cost_method, self._inverse_size)
        self.fees = 0  # Paid is positive.
        self.earned_before = 0  # Realised by the trades that ended.
        self._cash = 0  # What the open trade received for what it sold, less what it bought.
        self._best = self._worst = 0

    @property
    def lots(self) -> int:
        """Return what is held, signed."""
        return int(self.ledger.held)

    def take(self, dealt: Dealt, seen: Seen) -> None:
        """Book an execution; `seen` is of the marks since the one before, of the side held."""
        self.dealt.append(dealt)
        self._follow(dealt, seen)

    def bust(self, exec_id: str, marks: Marks) -> Dealt:
        """Tell everything anew without one execution, from every mark there was; return it."""
        (gone,) = [one for one in self.dealt if one.exec_id == exec_id]
        self.dealt.remove(gone)
        self._begin()
        before = 0
        for one in self.dealt:
            self._follow(one, self.extremes(marks, before, one.at))
            before = one.at
        return gone

    def extremes(self, marks: Marks, first: int, last: int) -> Seen:
        """Return highest and lowest of some rows, the one before them included, of this side."""
        side = 0 if self.lots >= 0 else 1
        found = [pair[side] for pair in marks[max(0, first - 1) : last]]
        return max(found), min(found)

    def excursion(self, seen: Seen) -> tuple[int, int]:
        """Return best and worst of the open trade, with the marks since the last execution."""
        best, worst = self._best, self._worst
        for mark in seen if self.lots else ():
            at_mark = self._cash + self.value(mark)
            best, worst = max(best, at_mark), min(worst, at_mark)
        return best, worst

    def value(self, mark: float) -> int:
        """Return what is held is worth at a mark."""
        return self.ledger.value(self.ledger.held, Fraction(Decimal(repr(mark))))

    def _follow(self, dealt: Dealt, seen: Seen) -> None:
        """Book one execution, after the marks that came before it."""
        self._best, self._worst = self.excursion(seen)
        quantity, held = Fraction(dealt.deal.quantity), self.ledger.held
        value = self.ledger.value(quantity, Fraction(dealt.deal.price))
        self.ledger.take((dealt.deal,))
        self.fees += dealt.fee
        if not held:
            self._cash, self._best, self._worst = -value, 0, 0
            return
        stood = self._cash + round(value * held / quantity)  # The value of a fill, in proportion.
        self._best, self._worst = max(self._best, stood), min(self._worst, stood)
        left = held + quantity
        if left and (left > 0) == (held > 0):
            self._cash -= value
            return
        paid = round(value * -held / quantity)  # A trade ended; what is left begins another.
        self._cash, self._best, self._worst = paid - value, 0, 0
        self.earned_before = self.ledger.realized
