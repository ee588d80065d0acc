"""One example of every message: shown in docs/protocol.md, and round-tripped by the tests.

The examples tell one story: account A1 of desk-1 buys AAPL, and an operator looks after it.
"""

from __future__ import annotations

from msgspec import Struct

from riskd import messages as m
from riskd.examples import measured, sessions
from riskd.examples.control import CONTROL, JOURNAL
from riskd.examples.orders import ANSWERS, ORDERS, TICKS
from riskd.examples.published import PUBLISHED

EXAMPLES: tuple[m.Message, ...] = (
    *ORDERS,
    *sessions.REQUESTS,
    *ANSWERS,
    *sessions.ANSWERS,
    *sessions.UNASKED,
    *TICKS,
    *PUBLISHED,
    *measured.MEASURED,
    *CONTROL,
    *measured.REQUESTS,
    *JOURNAL,
    *sessions.JOURNAL,
)
_BY_TYPE: dict[type[Struct], m.Message] = {type(example): example for example in EXAMPLES}


def example_of(struct: type[Struct]) -> m.Message:
    """Return the example of a message type; raise `LookupError` that says what to add if none."""
    try:
        return _BY_TYPE[struct]
    except KeyError:
        raise LookupError(
            f"{struct.__module__}.{struct.__name__} has no example. "
            "Add one to riskd/examples/; the protocol page shows it."
        ) from None
