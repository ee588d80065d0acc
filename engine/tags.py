"""Books by tag: what each strategy, and each timeframe, made of a position by its own fills.

A tag has a ledger of its own, as if it were alone: what it bought and sold, its cost, what it
realised. Lots, profit and fees of all tags sum to those of the position; only what counts as
realised may differ, where one tag closed what another had opened.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from engine.books import BookRules, Books, Execution, apply_plainly, copy_of
from engine.nothing import NOTHING
from engine.trades import Trades

UNTAGGED = ""
TAGS_MAX = 1000  # Ledgers per position by strategy, and as many by timeframe;
OTHERS = "(others)"  # what comes under yet another name is booked to this one.


class TagBooks(Struct):
    """The ledgers of a position by strategy and by timeframe."""

    strategy: dict[str, Books] = {}
    timeframe: dict[str, Books] = {}


def opened_tags(books: Books) -> TagBooks:
    """Return the ledgers of a position whose fills so far had no tag."""
    plain, again = (_plain(books) for _ in range(2))
    return TagBooks(strategy={UNTAGGED: plain}, timeframe={UNTAGGED: again})


def apply_tagged(tags: TagBooks, execution: Execution, rules: BookRules) -> None:
    """Book an execution to its strategy and to its timeframe."""
    moment = execution.moment
    for held, tag in ((tags.strategy, moment.strategy), (tags.timeframe, moment.timeframe)):
        name = tag if tag in held or len(held) < TAGS_MAX else OTHERS
        books = held.get(name)
        if books is None:
            books = held[name] = Books()
        apply_plainly(books, execution, rules)


def is_tagged(execution: Execution) -> bool:
    """Return whether an execution has any tag."""
    return execution.moment.strategy != UNTAGGED or execution.moment.timeframe != UNTAGGED


def copy_of_tags(tags: TagBooks) -> TagBooks:
    """Return ledgers that share nothing with `tags`."""
    return TagBooks(
        strategy={name: copy_of(books) for name, books in tags.strategy.items()},
        timeframe={name: copy_of(books) for name, books in tags.timeframe.items()},
    )


def _plain(books: Books) -> Books:
    copied = copy_of(books)
    legs = {name: replace(leg, trades=Trades()) for name, leg in copied.legs.items()}
    return replace(copied, trades=Trades(), legs=legs or NOTHING)
