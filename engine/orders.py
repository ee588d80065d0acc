"""Orders as riskd remembers them: every judged id, what is reserved, what the venue said."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from riskd.contract.order_hash import BODY_FIELDS
from riskd.messages import Amend, Check, TimeInForce, Verdict

Flags = tuple[str, ...]  # What is odd about a fact, as its ack says it.
DUPLICATE = "duplicate"
AMENDS_MAX = 64  # In flight per order; one more is refused.
REPORT_IDS_MAX = 256  # Kept per order to recognise repeats; the oldest is forgotten.


class OrderState(StrEnum):
    """Where an order stands. The first four are working: they reserve their leaves."""

    PENDING = "pending"  # Approved; the venue has said nothing yet.
    ACCEPTED = "accepted"
    CANCEL_PENDING = "cancel_pending"
    SUSPECT = "suspect"  # Approved, and no news past its deadline: still counted.
    FILLED = "filled"
    REJECTED = "rejected"  # By the venue.
    CANCELED = "canceled"
    EXPIRED = "expired"
    RELEASED = "released"  # Freed by an operator.
    VOID = "void"  # Its verdict missed the order's deadline.
    DENIED = "denied"  # By riskd.


class PendingAmend(Struct, gc=False):
    """A change that may go to the venue and has not been answered by it."""

    amend: Amend
    check: Check  # The order as it would be.
    verdict: Verdict
    lots: int  # In total.
    value_milliticks: int | None


class Order(Struct, gc=False):
    """One judged order with its first verdict."""

    check: Check
    verdict: Verdict
    state: OrderState
    lots: int = 0
    leaves_lots: int = 0  # What is reserved.
    filled_lots: int = 0
    value_milliticks: int | None = None  # What it was valued at when it was judged.
    working_money: int = 0  # Notional of its leaves at the dearest price it may get: turnover.
    until_steady_ns: int = 0
    closes: bool = False  # Hedging accounts: it was judged as one that closes a leg.
    report_ids: list[str] = []
    amends: list[PendingAmend] = []  # In flight, oldest first.
    session: int = 0  # Of the gateway that sent it; 0: of none.
    asked: Check | None = None  # As it was asked, once a change of it was taken: repeats are of it.

    def body(self) -> Check:
        """Return the order as it was asked: what a repeat of its id has to say."""
        return self.check if self.asked is None else self.asked

    def change(self, check: Check, lots: int) -> None:
        """Take what the venue has it changed to."""
        self.asked = self.body()
        self.check, self.lots = check, lots

    def is_brief(self) -> bool:
        """Return whether its end must follow at once: no other news of it is enough."""
        return self.check.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)

    def most_lots(self) -> int:
        """Return the most that may be filled in all, whatever of its changes the venue takes."""
        return max(self.lots, max((amend.lots for amend in self.amends), default=0))

    def newest_seq(self) -> int:
        """Return the seq of the newest approval of it or of a change in flight."""
        return self.amends[-1].verdict.seq if self.amends else self.verdict.seq

    def reachable_values(self) -> Iterator[int]:
        """Yield what it may be valued at, whatever of its changes the venue takes."""
        for value in (self.value_milliticks, *(amend.value_milliticks for amend in self.amends)):
            if value is not None:
                yield value

    def reachable_lots(self) -> int:
        """Return the most that may still be filled."""
        return max(0, self.most_lots() - self.filled_lots)


def first_difference(one: Check, other: Check) -> str | None:
    """Return the first field in which two bodies differ, None if they are the same order."""
    if one == other:
        return None
    for name in BODY_FIELDS:
        first, second = getattr(one, name), getattr(other, name)
        if first != second and not (
            first != first and second != second
        ):  # Not a number is not new.
            return name
    return None
