"""The recordings counted again, from the raw text and with other arithmetic than riskd's.

Decimals and fractions, no feed reader, no engine. What is rounded is rounded as risk.md states
it: half-even to 10^-12, the value of a fill and the share of a cost that a close releases.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

UNITS = 10**12  # Money is counted in these parts of its currency.
PAIR_MS_MAX = 1000
BITSTAMP_LINE = re.compile(r"(\d+) (\w+) (\{.*\})")
_json = msgspec.json.Decoder(float_hook=Decimal)

Side = Decimal | None  # A price, absent where the row says nothing of it.


class Deal(NamedTuple):
    """Something bought (positive) or sold (negative) at a price."""

    quantity: Decimal
    price: Decimal


class SlowLedger:
    """One position, told as a bookkeeper would: an inventory, and what each close has earned.

    `inverse_size` is that of an inverse contract, which is worth minus its size over its price.
    """

    def __init__(self, method: str, inverse_size: int = 0) -> None:
        self.method = method
        self._inverse_size = inverse_size
        self.held = Fraction(0)
        self.cost = 0  # In units; of a short position negative.
        self.realized = 0
        self._bought: deque[tuple[Fraction, int]] = deque()  # Quantity and cost of what is open.

    def take(self, deals: Iterable[Deal]) -> SlowLedger:
        """Book deals in their order; return itself."""
        for deal in deals:
            self._book(Fraction(deal.quantity), Fraction(deal.price))
        return self

    def value(self, quantity: Fraction, price: Fraction) -> int:
        """Return what a quantity is worth at a price; `round` of a fraction is half-even."""
        if self._inverse_size:
            return round(-quantity * self._inverse_size / price * UNITS)
        return round(quantity * price * UNITS)

    def _book(self, quantity: Fraction, price: Fraction) -> None:
        value = self.value(quantity, price)
        if self.held and (self.held > 0) != (quantity > 0):
            closed = min(abs(self.held), abs(quantity)) * (1 if quantity > 0 else -1)
            paid = round(value * closed / quantity)
            self.realized -= paid + self._cost_of(-closed)
            self.held += closed
            quantity -= closed
            value -= paid
        if quantity:
            self.held += quantity
            self.cost += value
            self._bought.append((quantity, value))

    def _cost_of(self, quantity: Fraction) -> int:
        """Take `quantity`, signed as the position is, out of the inventory; return what it cost."""
        released = 0
        if self.method == "average":
            released = round(self.cost * quantity / self.held)
        while quantity and self.method == "fifo":
            oldest, cost = self._bought.popleft()
            part = min(oldest, quantity, key=abs)
            share = round(cost * part / oldest)
            if part != oldest:
                self._bought.appendleft((oldest - part, cost - share))
            released += share
            quantity -= part
        self.cost -= released
        return released


class Touch:
    """The last good prices of a symbol, and how many rows were good."""

    def __init__(self) -> None:
        self.bid: Side = None
        self.ask: Side = None
        self.last: Side = None
        self.counts: Counter[str] = Counter()

    def take(self, rows: Iterable[tuple[Side, Side, Side]]) -> Touch:
        """Follow rows of bid, ask and last: one that would cross the touch is not believed."""
        for bid, ask, last in rows:
            new_bid, new_ask = bid or self.bid, ask or self.ask
            if new_bid is not None and new_ask is not None and new_bid > new_ask:
                self.counts["crossed"] += 1
                continue
            self.bid, self.ask, self.last = new_bid, new_ask, last or self.last
            self.counts["applied"] += 1
        return self

    def shown(self) -> dict[str, float | None]:
        """Return the prices as the control port shows them: the nearest float."""
        prices = {"bid": self.bid, "ask": self.ask, "last": self.last}
        return {name: None if price is None else float(price) for name, price in prices.items()}


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a recording with a header."""
    with gzip.open(path, "rt") as lines:
        yield from csv.DictReader(lines)


def touches(path: Path, bid: str, ask: str, scale: str) -> Iterator[tuple[Side, Side, Side]]:
    """Yield bid and ask of each row, times `scale`; a side of 0 is absent."""
    by = Decimal(scale)
    for row in rows_of(path):
        yield Decimal(row[bid]) * by or None, Decimal(row[ask]) * by or None, None


class Flow(NamedTuple):
    """What an order file says: every order, what became of it, what was dealt."""

    orders: int
    deals: list[Deal]  # Of orders that the file shows from their beginning.
    strangers: list[Deal]  # All deals, with those of hidden and of earlier orders.
    reports: int  # Of orders that the file shows from their beginning.
    open_buys: Decimal  # What is left of them at the end.
    open_sells: Decimal
    last: Decimal  # Price of the last trade.


def lobster_flow(path: Path) -> Flow:
    """Follow LOBSTER's events: 1 new, 2 partial cancel, 3 delete, 4 and 5 visible and hidden."""
    left: dict[str, list[int]] = {}  # Order to its direction and what is left.
    deals: list[Deal] = []
    strangers: list[Deal] = []
    orders = reports = 0
    last = Decimal(0)
    for row in rows_of(path):
        kind, order, size = row["type"], row["order_id"], int(row["size"])
        direction, price = int(row["direction"]), Decimal(row["price_x10000"]).scaleb(-4)
        if kind == "1":
            left[order] = [direction, size]
            orders += 1
        elif kind in "23" and order in left:
            left[order][1] = left[order][1] - size if kind == "2" else 0
            reports += 1
        elif kind in "45":
            last = price
            strangers.append(Deal(Decimal(direction * size), price))
            if kind == "4" and order in left:
                left[order][1] -= size
                deals.append(strangers[-1])
    buys, sells = (sum(n for way, n in left.values() if way == sign) for sign in (1, -1))
    return Flow(orders, deals, strangers, reports, Decimal(buys), Decimal(sells), last)


class _Event(NamedTuple):
    at_ms: int
    kind: str
    body: dict[str, Any]


def bitstamp_events(path: Path) -> list[_Event]:
    """Return the lines of a Bitstamp log."""
    with gzip.open(path, "rt") as lines:
        found = (BITSTAMP_LINE.match(line) for line in lines)
        return [_Event(int(m[1]), m[2], _json.decode(m[3])) for m in found if m is not None]


def bitstamp_flow(events: list[_Event]) -> Flow:
    """Follow Bitstamp's events: a fall of just what a trade traded is a deal at its price.

    Of the trades within a second that fit, and have not dealt on that side yet, it is the nearest
    in time. Any other change of what is left is the venue's doing: a report.
    """
    trades = [event for event in events if event.kind == "trade"]
    free: dict[tuple[Decimal, int], list[_Event]] = {}
    for trade in trades:
        for side in (0, 1):
            free.setdefault((_amount(trade), side), []).append(trade)
    left: dict[int, Decimal] = {}
    sides: dict[int, int] = {}
    deals: list[Deal] = []
    reports = 0
    for event in events:
        if event.kind == "order_created":
            left[event.body["id"]] = _amount(event)
            sides[event.body["id"]] = event.body["order_type"]
        if event.kind not in ("order_changed", "order_deleted") or event.body["id"] not in left:
            continue
        order, side, amount = event.body["id"], event.body["order_type"], _amount(event)
        fell = left[order] - amount
        fitting = free.get((fell, side), [])
        near = min(fitting, key=lambda trade: abs(trade.at_ms - event.at_ms), default=None)
        dealt = near is not None and abs(near.at_ms - event.at_ms) <= PAIR_MS_MAX
        if near is not None and dealt:
            fitting.remove(near)
            deals.append(Deal(-fell if side else fell, Decimal(near.body["price"])))
        deleted = event.kind == "order_deleted"
        reports += (amount > 0 or not dealt) if deleted else not dealt
        left[order] = amount
        if deleted:
            del left[order]
    buys, sells = (sum(n for key, n in left.items() if sides[key] == side) for side in (0, 1))
    created = sum(event.kind == "order_created" for event in events)
    last = Decimal(trades[-1].body["price"])
    return Flow(created, deals, deals, reports, Decimal(buys), Decimal(sells), last)


def _amount(event: _Event) -> Decimal:
    # Amounts of trades are printed as floats; a bitcoin has 8 decimals.
    return Decimal(event.body["amount"]).quantize(Decimal("1e-8"))
