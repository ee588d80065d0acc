"""What a row of `code_rows.py` is made of: messages, and what their answers must say."""

from __future__ import annotations

from typing import Any, NamedTuple

from riskd.codes import RejectCode as R
from riskd.messages import (
    AccountSpec,
    Amend,
    Basket,
    LimitsSpec,
    OrderReport,
    OrderRule,
    OrderStatus,
)
from tests.builders import a_fill, an_account, an_order

ACCOUNT = "A1"  # In every row it stands for the account of the row.
HOUR_MS = 3_600_000
CLOSED, UNQUOTED, OLD = "CLOSED", "UNQUOTED", "OLD"  # Symbols that something is wrong with.
FINISHED_MAX = 5000  # Ended orders whose verdicts are remembered: a promise of the protocol.
AMENDS_MAX = 64  # Changes of one order that may wait for the venue.


class Step(NamedTuple):
    """A message, and what its answer must say: nothing in particular, approval, or a code."""

    message: Any
    code: str | None = None  # Empty: it is approved. None: it is no question.
    value: float | None = None
    limit: float | None = None


class Row(NamedTuple):
    """A code, the account it is about, and what happens to that account."""

    name: str  # Of the row, its account and its group.
    code: R
    steps: tuple[Step, ...]
    limits: LimitsSpec = LimitsSpec()
    account: AccountSpec = an_account()
    group_limits: LimitsSpec | None = None
    restricted: tuple[OrderRule, ...] = ()


def told(*messages: Any) -> tuple[Step, ...]:
    return tuple(Step(message) for message in messages)


def passes(*orders: Any) -> tuple[Step, ...]:
    return tuple(Step(order, "") for order in orders)


def refused(
    code: R, order: Any, value: float | None = None, limit: float | None = None
) -> tuple[Step, ...]:
    return (Step(order, code.value, value, limit),)


def buys(*quantities: float, **fields: Any) -> tuple[Step, ...]:
    """Dry runs that pass: nothing of one is in the way of the next."""
    told = {"dry_run": True} | fields
    return passes(*(an_order(f"b-{x}", "buy", x, **told) for x in quantities))


def sells(*quantities: float, **fields: Any) -> tuple[Step, ...]:
    return passes(*(an_order(f"s-{x}", "sell", x, dry_run=True, **fields) for x in quantities))


def over(code: R, quantity: float, value: float, limit: float, **fields: Any) -> tuple[Step, ...]:
    """The order of one lot more."""
    side = fields.pop("side", "buy")
    return refused(code, an_order("over", side, quantity, **fields), value, limit)


def flagged(code: R, *cause: Any, lifted: tuple[Any, ...] = ()) -> tuple[Step, ...]:
    """An order passes, is refused once something is the cause, and passes when that is lifted."""
    return (
        passes(an_order("before"))
        + told(*cause)
        + refused(code, an_order("with"))
        + (told(*lifted) + passes(an_order("after")) if lifted else ())
    )


# Six held, three more working buys and five working sells: nine long and one at worst.
HELD = told(a_fill("e-1", "buy", 6)) + passes(an_order("w-1", "buy", 3), an_order("w-2", "sell", 5))
SHORT = told(a_fill("e-1", "sell", 6)) + passes(
    an_order("w-1", "sell", 3), an_order("w-2", "buy", 5)
)
POOR, RICH = an_account(balance=1000.0), an_account(balance=10_000.0)
EURO: dict[str, Any] = {"symbol": "EURUSD", "price": 1.25}
TOKEN: dict[str, Any] = {"symbol": "T", "price": 2000.0}
STOPPED: dict[str, Any] = {"stop_loss": 90.0}


def limited(key: str, value: float) -> LimitsSpec:
    told: dict[str, Any] = {key: value}
    return LimitsSpec(**told)


def losses(code: R, unit: float) -> tuple[Step, ...]:
    """A loss of 99.90 passes; of a hundred, the limit, and beyond it only what reduces does."""
    return (
        told(a_fill("e-1", "buy", 10, 109.99))
        + passes(an_order("under"))
        + told(a_fill("e-2", "buy", 10, 100.01))
        + refused(code, an_order("at"), 100 / unit, 100 / unit)
        + told(a_fill("e-3", "buy", 10, 100.01))
        + refused(code, an_order("over"), 100.1 / unit, 100 / unit)
        + passes(an_order("reduces", "sell", 20))
    )


def collared(price: float, past: float, limit: float) -> tuple[Step, ...]:
    """The last price that passes on either side of 100, and the first that does not."""
    steps: tuple[Step, ...] = ()
    for side, sign in (("buy", 1), ("sell", -1)):
        inside, at, out = (round(100 + sign * x, 2) for x in (price - 0.01, price, price + 0.01))
        steps += passes(*(an_order(f"{side}-{x}", side, price=x) for x in (inside, at)))
        steps += refused(R.PRICE_COLLAR, an_order(side, side, price=out), past, limit)
    return steps


def amends(first: int, last: int) -> tuple[Step, ...]:
    """Changes of the price of one order, one more tick each, none answered by the venue."""
    return passes(
        *(
            Amend(account=ACCOUNT, client_order_id="o", price=round(100.0 - x / 100, 2))
            for x in range(first, last + 1)
        )
    )


def ended(count: int, prefix: str) -> tuple[Step, ...]:
    """Orders that are refused at once: each takes a place among those that are remembered."""
    broken = (an_order(f"{prefix}-{x}", price=None) for x in range(count))
    return tuple(Step(order, R.MALFORMED.value) for order in broken)


def basket(name: str, *quantities: float) -> Basket:
    orders = [an_order(f"{name}-{n}", "buy", x) for n, x in enumerate(quantities)]
    return Basket(basket_id=name, account=ACCOUNT, orders=orders)


def canceled(order_id: str, status: OrderStatus = OrderStatus.CANCELED) -> OrderReport:
    return OrderReport(account=ACCOUNT, client_order_id=order_id, status=status, report_id="r")


def canceling(order_id: str) -> OrderReport:
    return canceled(order_id, OrderStatus.CANCEL_PENDING)
