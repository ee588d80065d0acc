"""The reference: the price that an order is judged by, its source and its age."""

from __future__ import annotations

from typing import NamedTuple

from engine.facts import MS_NS
from engine.quote import Quote
from riskd.messages import RiskSettings


class Reference(NamedTuple):
    """The price an order is judged by, where it came from and how old it is."""

    milliticks: int
    source: str  # touch, last, mark, previous_close, settlement, locked.
    age_ns: int
    age_max_ns: int  # Older is stale.


def judged_by(
    quote: Quote, settings: RiskSettings, stale_ns: int, now_ns: int, *, buying: bool
) -> Reference | None:
    """Return what an order is judged by: touch, last, mark, previous close, settlement.

    The first that is young enough; if none is, the first there is, for the check of its age. A book
    that is locked, one-sided or empty on a side is no touch; its mark is that of the last sound
    one. Where nothing else is young enough, the price of a locked book is better than none.
    """
    touch = (quote.ask if buying else quote.bid) if quote.is_sound else None
    is_empty = quote.bid_is_empty or quote.ask_is_empty
    locked = quote.bid if quote.bid == quote.ask and not is_empty else None
    stale_ms = stale_ns // MS_NS
    candidates = (
        (touch, "touch", quote.touch_steady_ns, stale_ms),
        (quote.last, "last", quote.last_steady_ns, settings.last_after_ms),
        (quote.sound_mark, "mark", quote.sound_steady_ns, settings.mark_after_ms),
        (quote.previous_close, "previous_close", quote.close_steady_ns, settings.close_after_ms),
        (
            quote.settlement,
            "settlement",
            quote.settlement_steady_ns,
            settings.settlement_after_ms,
        ),
        (locked, "locked", quote.touch_steady_ns, stale_ms),
    )
    known = [
        Reference(price, source, now_ns - told_ns, age_max_ms * MS_NS)
        for price, source, told_ns, age_max_ms in candidates
        if price is not None
    ]
    young = (reference for reference in known if reference.age_ns <= reference.age_max_ns)
    return next(young, known[0] if known else None)
