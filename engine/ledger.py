"""The ledger of one symbol of an account: its books, what works on them, and every execution."""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct, field

from engine.books import (
    BookRules,
    Books,
    Execution,
    apply_execution,
    apply_plainly,
    copy_of,
    side_lots,
)
from engine.tags import TagBooks, apply_tagged, copy_of_tags, is_tagged, opened_tags

EXECUTIONS_MAX = 10_000  # Kept per position, so that the venue may still bust or correct them.


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Execution).decode
_VENUE_NS = re.compile(rb'"venue_ns":(-?\d+)')  # In a text, each of these quotes has a backslash.


class Doubt(Struct, frozen=True):
    """How far the venue's view of a position is from the books, as lots that would close the gap.

    Limits count them like working orders that may fill and may not: the worse of both views.
    """

    venue_lots: int  # What the venue says is held, signed.
    buy_lots: int = 0
    sell_lots: int = 0
    closing_buy_lots: int = 0  # Hedging: of the buys those that would close short legs.
    closing_sell_lots: int = 0


class Position(Struct, omit_defaults=True, gc=False):
    """One symbol of one account: what is held, and what working orders could make of it."""

    symbol: str
    books: Books = field(default_factory=Books)
    open_buy_lots: int = 0
    open_sell_lots: int = 0
    hedging: bool = False  # Its legs stand side by side, see `engine/books.py`.
    closing_buy_lots: int = 0  # Hedging: of the open buys those that close short legs.
    closing_sell_lots: int = 0  # Hedging: of the open sells those that close long legs.
    executions: list[bytes | Execution] = []  # Oldest first, as `kept` keeps them.
    base: Books | None = None  # The books before the first of `executions`; None: as they began.
    tags: TagBooks | None = None  # From the first fill that has a tag.
    base_tags: TagBooks | None = None  # Before the first of `executions`.
    doubt: Doubt | None = None  # The venue says otherwise; counted in the open lots above.
    funding: dict[str, int] | None = None  # Received by currency; paid is negative.
    since: int | None = None  # Version of its quote at the last execution.

    def worst_long_lots(self) -> int:
        """Return the position if every working buy filled and no sell did."""
        return self.books.lots + self.open_buy_lots

    def worst_short_lots(self) -> int:
        """Return the position if every working sell filled and no buy did."""
        return self.books.lots - self.open_sell_lots

    def worst_gross_lots(self) -> int:
        """Return the most lots that count in gross exposure: the larger side, or both legs."""
        if self.hedging:
            return sum(worst_sides(self))
        return max(abs(self.worst_long_lots()), abs(self.worst_short_lots()))

    def is_idle(self) -> bool:
        """Return whether nothing is held and nothing works."""
        return not (self.worst_gross_lots() or self.books.lots)

    def working_lots(self, *, buying: bool) -> int:
        """Return what working orders of a side could still fill, without what is in doubt."""
        if buying:
            return self.open_buy_lots - (self.doubt.buy_lots if self.doubt else 0)
        return self.open_sell_lots - (self.doubt.sell_lots if self.doubt else 0)

    def set_doubt(self, doubt: Doubt | None) -> None:
        """Count another doubt, or none, in the place of the one there is."""
        for counted, sign in ((self.doubt, -1), (doubt, 1)):
            if counted is not None:
                self.open_buy_lots += sign * counted.buy_lots
                self.open_sell_lots += sign * counted.sell_lots
                self.closing_buy_lots += sign * counted.closing_buy_lots
                self.closing_sell_lots += sign * counted.closing_sell_lots
        self.doubt = doubt

    def release(self, lots: int, *, buying: bool, closing: bool) -> None:
        """Reserve `lots` less for a working order; a negative number reserves more."""
        if buying:
            self.open_buy_lots -= lots
            self.closing_buy_lots -= lots if closing else 0
        else:
            self.open_sell_lots -= lots
            self.closing_sell_lots -= lots if closing else 0


def worst_sides(position: Position, buy_lots: int = 0, sell_lots: int = 0) -> tuple[int, int]:
    """Return the most lots that the long legs and the short legs could each come to, not signed.

    As if every working order that opens filled and none that closes did, but that what closes
    beyond what is there opens the other side. `buy_lots` and `sell_lots` are closing ones more.
    """
    longs, shorts = side_lots(position.books)
    closing_buys = position.closing_buy_lots + buy_lots
    closing_sells = position.closing_sell_lots + sell_lots
    longs_worst = longs + position.open_buy_lots - position.closing_buy_lots
    shorts_worst = shorts + position.open_sell_lots - position.closing_sell_lots
    return longs_worst + max(0, closing_buys - shorts), shorts_worst + max(0, closing_sells - longs)


def book(position: Position, execution: Execution, rules: BookRules) -> None:
    """Book an execution, to its tags too from the first that has any."""
    if position.tags is None and is_tagged(execution):
        position.tags = opened_tags(position.books)
    apply_execution(position.books, execution, rules)
    if position.tags is not None:
        apply_tagged(position.tags, execution, rules)


def rebuild(position: Position, rules: BookRules) -> None:
    """Make the books, and those of tags, anew from the base and every execution that stands."""
    position.books = copy_of(position.base or Books())
    if position.tags is not None:
        base = position.base_tags
        position.tags = opened_tags(position.books) if base is None else copy_of_tags(base)
    for execution in executions_of(position):
        book(position, execution, rules)


def kept(execution: Execution) -> bytes:
    """Return an execution as a position keeps it: a third of the memory, for it is rarely read."""
    return memoryview(_encode(execution)).tobytes()  # What is encoded has spare room behind it.


def executions_of(position: Position) -> list[Execution]:
    """Return every execution that may still be busted or corrected, oldest first."""
    return [_read(one) for one in position.executions]


def find_execution(position: Position, exec_id: str) -> tuple[int, Execution] | None:
    """Return which of the executions has an id, and a copy of it; None if none has."""
    text = _encode(exec_id)
    for index, one in enumerate(position.executions):
        if not isinstance(one, bytes) or text in one:
            execution = _read(one)
            if execution.fill.exec_id == exec_id:
                return index, execution
    return None


def _read(one: bytes | Execution) -> Execution:
    """Return an execution that was kept; an older riskd kept it as it is."""
    return _decode(one) if isinstance(one, bytes) else one


def _venue_ns(one: bytes | Execution) -> int:
    """Return when the venue says an execution was, 0 where it does not say."""
    if not isinstance(one, bytes):
        return one.fill.venue_ns or 0
    found = _VENUE_NS.findall(one)  # A corrected one has two: how it came, and how it is.
    return max(map(int, found), default=0)


def books_as_of(position: Position, rules: BookRules, as_of_ns: int) -> Books:
    """Return the books without the executions that the venue dates after an instant."""
    if all(_venue_ns(one) <= as_of_ns for one in position.executions):
        return position.books
    executions = executions_of(position)
    later = [not one.busted and (one.fill.venue_ns or 0) > as_of_ns for one in executions]
    if not any(later):
        return position.books
    books = copy_of(position.base or Books())
    for execution, is_later in zip(executions, later, strict=True):
        if not is_later:
            apply_plainly(books, execution, rules)
    return books


def remember(position: Position, execution: Execution, rules: BookRules) -> Execution | None:
    """Keep an execution for a later bust; return the one that grew too old and was folded."""
    position.executions.append(kept(execution))
    if len(position.executions) <= EXECUTIONS_MAX:
        return None
    oldest = _read(position.executions.pop(0))
    if position.base is None:
        position.base = Books()
    if position.base_tags is None and is_tagged(oldest):
        position.base_tags = opened_tags(position.base)
    apply_execution(position.base, oldest, rules)
    if position.base_tags is not None:
        apply_tagged(position.base_tags, oldest, rules)
    return oldest
