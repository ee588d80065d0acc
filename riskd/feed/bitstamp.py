"""Reader of Bitstamp live order logs: order events and trades as order flow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from riskd.feed.timed import NS_PER_MS, FeedError, Recording, Timed
from riskd.messages import Check, Fill, OrderReport, OrderStatus, Side, Tick

LINE = re.compile(r"^(\d+) (order_created|order_changed|order_deleted|order_book|trade) (\{.*\})$")
EIGHT_PLACES = Decimal("1e-8")  # Amounts of trades are printed as floats; bitcoin has 8 decimals.
PAIR_MS_MAX = 1000  # An order's fall and its trade are at most 0.2 s apart in the recording.


class _Event(NamedTuple):
    at_ms: int
    kind: str
    body: dict[str, Any]
    row: int


class _Trade:
    """A trade, and which sides of it have been given to an order."""

    __slots__ = ("at_ms", "price", "taken")

    def __init__(self, at_ms: int, price: Decimal) -> None:
        self.at_ms, self.price = at_ms, price
        self.taken: set[Side] = set()


class BitstampReader:
    """Turns one log into what a gateway for all its orders would have sent.

    `order_created` is a check. When the remaining amount of an order fell by just what a trade
    within a second traded, that is a fill of the difference at the trade's price (each trade
    fills one bid and one ask). Any other change sets the leaves (`replaced`); a deletion with
    something left is `canceled`. What happens to orders from before the log is left out: their
    amounts are not known. `trade` is a `last` tick, `order_book` a tick of its touch.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._left: dict[int, Decimal] = {}
        self._trades: dict[Decimal, list[_Trade]] = {}

    def read(self, lines: Iterator[str]) -> Iterator[Timed]:
        """Yield messages in file order; the file is read whole, to pair falls with trades."""
        events = [self._event(line, row) for row, line in enumerate(lines, start=1)]
        for event in events:
            if event.kind == "trade":
                trade = _Trade(event.at_ms, _decimal(event.body["price"]))
                self._trades.setdefault(_amount(event.body), []).append(trade)
        for event in events:
            for message in self._messages(event):
                yield Timed(event.at_ms * NS_PER_MS, message, event.row)

    def _event(self, line: str, row: int) -> _Event:
        match = LINE.match(line.strip())
        if match is None:
            text = "expected <epoch ms> <event> <JSON object>"
            raise FeedError(f"{self._recording.name}:{row}: {text}, in {line.strip()[:80]!r}")
        try:
            body = _JSON.decode(match[3])
        except msgspec.DecodeError as error:
            raise FeedError(f"{self._recording.name}:{row}: {error}") from error
        return _Event(int(match[1]), match[2], body, row)

    def _messages(self, event: _Event) -> Iterator[Tick | Check | OrderReport | Fill]:
        body = event.body
        if event.kind == "trade":
            price = self._price(_decimal(body["price"]))
            yield self._tick(event, "last", last=price, last_size=float(_amount(body)))
        elif event.kind == "order_book":
            yield from self._touch(event)
        elif event.kind == "order_created":
            self._left[body["id"]] = _amount(body)
            yield self._check(body)
        elif body["id"] in self._left:
            yield from self._changes(event, event.kind == "order_deleted")

    def _changes(self, event: _Event, is_deleted: bool) -> Iterator[OrderReport | Fill]:
        order_id, left = event.body["id"], _amount(event.body)
        fell = self._left[order_id] - left
        trade = self._trade_of(event, fell) if fell > 0 else None
        if trade is not None:
            yield self._fill(event, fell, trade)
        if is_deleted:
            del self._left[order_id]
            if trade is None or left > 0:
                yield self._report(event, OrderStatus.CANCELED, None)
            return
        self._left[order_id] = left
        if trade is None:
            yield self._report(event, OrderStatus.REPLACED, float(left))

    def _trade_of(self, event: _Event, fell: Decimal) -> _Trade | None:
        side = _side(event.body)
        near = [
            (abs(trade.at_ms - event.at_ms), index, trade)
            for index, trade in enumerate(self._trades.get(fell, ()))
            if side not in trade.taken and abs(trade.at_ms - event.at_ms) <= PAIR_MS_MAX
        ]
        if not near:
            return None
        trade = min(near)[2]
        trade.taken.add(side)
        return trade

    def _check(self, body: dict[str, Any]) -> Check:
        return Check(
            account=self._recording.account,
            client_order_id=self._id(body["id"]),
            symbol=self._recording.symbol,
            side=_side(body),
            quantity=float(_amount(body)),
            price=self._price(_decimal(body["price"])),
        )

    def _fill(self, event: _Event, quantity: Decimal, trade: _Trade) -> Fill:
        return Fill(
            account=self._recording.account,
            exec_id=self._id(f"x{event.row}"),
            client_order_id=self._id(event.body["id"]),
            symbol=self._recording.symbol,
            side=_side(event.body),
            quantity=float(quantity),
            price=self._price(trade.price),
            venue_ns=event.at_ms * NS_PER_MS,
        )

    def _report(self, event: _Event, status: OrderStatus, leaves: float | None) -> OrderReport:
        return OrderReport(
            account=self._recording.account,
            client_order_id=self._id(event.body["id"]),
            status=status,
            report_id=self._id(f"r{event.row}"),
            leaves_quantity=leaves,
            venue_order_id=str(event.body["id"]),
            venue_ns=event.at_ms * NS_PER_MS,
        )

    def _touch(self, event: _Event) -> Iterator[Tick]:
        sides: dict[str, float] = {}
        for name, levels in (("bid", event.body["bids"]), ("ask", event.body["asks"])):
            if levels:
                price, amount = levels[0]
                sides[name] = self._price(_decimal(price))
                sides[f"{name}_size"] = float(_decimal(amount))
        if sides:
            yield self._tick(event, "touch", **sides)

    def _tick(self, event: _Event, name: str, **prices: float) -> Tick:
        return Tick(
            symbol=self._recording.symbol,
            venue_ns=event.at_ms * NS_PER_MS,
            seq=event.row,
            feed=f"{self._recording.stem}-{name}"[-64:],
            conflated=0,
            **prices,
        )

    def _price(self, price: Decimal) -> float:
        return float(price * self._recording.price_scale)

    def _id(self, rest: int | str) -> str:
        return f"{self._recording.prefix}-{rest}"


_JSON: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(
    dict[str, Any], float_hook=Decimal
)


def _decimal(number: Any) -> Decimal:
    return Decimal(number)


def _amount(body: dict[str, Any]) -> Decimal:
    return _decimal(body["amount"]).quantize(EIGHT_PLACES)


def _side(body: dict[str, Any]) -> Side:
    return Side.BUY if body["order_type"] == 0 else Side.SELL
