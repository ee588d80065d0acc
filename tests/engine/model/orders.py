"""Orders as the venue may have them: what may still be filled of each, whatever it does next."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from riskd.messages import Amend, Check, Verdict

WORKING = ("pending", "accepted", "cancel_pending", "suspect")


@dataclass
class Change:
    """A change that the venue has not answered: the order as it would be."""

    amend: Amend
    check: Check
    quantity: Fraction
    value: Fraction | None
    verdict: Verdict


@dataclass
class Asked:
    """One judged order. `value` is what a unit of it was valued at when it was judged."""

    check: Check
    verdict: Verdict
    state: str
    quantity: Fraction = Fraction(0)
    value: Fraction | None = None
    filled: Fraction = Fraction(0)
    suspect_ns: int | None = None  # Without news by then it is suspect.
    changes: list[Change] = field(default_factory=list)
    reports: set[str] = field(default_factory=set)
    first: Check = field(init=False)  # What a repeat of its id has to say.

    def __post_init__(self) -> None:
        self.first = self.check

    @property
    def is_working(self) -> bool:
        return self.state in WORKING

    def most(self) -> Fraction:
        """The most that may be filled in all, whatever of its changes the venue takes."""
        return max([self.quantity, *(change.quantity for change in self.changes)])

    def leaves(self) -> Fraction:
        """The most that may still be filled."""
        return max(Fraction(0), self.most() - self.filled) if self.is_working else Fraction(0)

    def values(self) -> list[Fraction]:
        """What a unit of it may be valued at, whatever of its changes the venue takes."""
        values = [self.value, *(change.value for change in self.changes)]
        return [value for value in values if value is not None]

    def dearest(self) -> Fraction:
        """The most that a unit of it may cost."""
        return max((abs(value) for value in self.values()), default=Fraction(0))

    def newest(self) -> Check:
        """The order as the newest change in flight would leave it."""
        return self.changes[-1].check if self.changes else self.check

    def end(self, state: str) -> None:
        self.state, self.suspect_ns = state, None
        self.changes.clear()

    def end_if_done(self) -> None:
        if self.is_working and not self.leaves():
            self.end("filled" if self.filled else "canceled")

    def hear(self) -> None:
        """The venue has spoken of it."""
        self.suspect_ns = None
        if self.state in ("pending", "suspect"):
            self.state = "accepted"
