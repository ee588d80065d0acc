"""Reader of LOBSTER message files: a NASDAQ order book's events as order flow."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from riskd.feed.timed import NS_PER_S, FeedError, Recording, Timed, decimal_of
from riskd.messages import (
    Check,
    Fill,
    MarketPhase,
    MarketState,
    OrderReport,
    OrderStatus,
    Side,
    Tick,
)

LOBSTER_COLUMNS = "time,type,order_id,size,price_x10000,direction"
NEW_ORDER, PARTIAL_CANCEL, DELETE, EXECUTION, HIDDEN_EXECUTION, CROSS, HALT = range(1, 8)
TEN_THOUSANDTH = Decimal("0.0001")
# What LOBSTER writes into the price of a halt row.
HALT_PHASES = {
    -1: MarketPhase.HALTED,
    0: MarketPhase.AUCTION,
    1: MarketPhase.OPEN,
}


class LobsterReader:
    """Turns the rows of one message file into what a gateway would have sent.

    New order: a check. Partial cancel: `replaced` with the leaves that remain. Delete:
    `canceled`. Visible execution: a fill of that order and a `last` tick. Hidden execution: a
    fill without `client_order_id`, since its order was never seen, and a `last` tick. A cross
    has no order: a `last` tick. A halt: the market state. With the book file beside it, a tick
    of the touch follows each row that moved it.
    """

    def __init__(self, recording: Recording, book: Iterator[str] | None) -> None:
        self._recording = recording
        self._book = book
        self._midnight_ns = recording.midnight_ns()
        self._leaves: dict[str, int] = {}
        self._touch: tuple[str, ...] = ()

    def read(self, lines: Iterator[str]) -> Iterator[Timed]:
        """Yield messages in file order; raise FeedError with the line of a bad row."""
        row = 0
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.startswith("time,"):
                continue
            row += 1
            try:
                yield from self._messages(line.strip().split(","), row)
            except (ValueError, KeyError) as error:
                text = f"{self._recording.name}:{number}: {error}, in {line.strip()!r}"
                raise FeedError(text) from error

    def _messages(self, cells: list[str], row: int) -> Iterator[Timed]:
        if len(cells) < 6:
            raise ValueError(f"expected 6 columns ({LOBSTER_COLUMNS})")
        at_ns = self._midnight_ns + int(decimal_of(cells[0]) * NS_PER_S)
        kind, order_id, size = int(cells[1]), cells[2], int(cells[3])
        side = Side.BUY if int(cells[5]) > 0 else Side.SELL
        if kind == HALT:
            state = MarketState(symbol=self._recording.symbol, state=HALT_PHASES[int(cells[4])])
            yield Timed(at_ns, state, row)
            return
        price = self._price(cells[4])
        if kind == NEW_ORDER:
            yield Timed(at_ns, self._check(order_id, side, size, price), row)
            self._leaves[order_id] = size
        elif kind in (PARTIAL_CANCEL, DELETE):
            yield Timed(at_ns, self._report(order_id, kind, size, row, at_ns), row)
        elif kind in (EXECUTION, HIDDEN_EXECUTION):
            yield Timed(at_ns, self._fill(cells, side, price, row, at_ns), row)
        if kind in (EXECUTION, HIDDEN_EXECUTION, CROSS):
            yield Timed(at_ns, self._tick("last", at_ns, row, last=price, last_size=size), row)
        yield from self._touch_after(at_ns, row)

    def _check(self, order_id: str, side: Side, size: int, price: float) -> Check:
        return Check(
            account=self._recording.account,
            client_order_id=self._id(order_id),
            symbol=self._recording.symbol,
            side=side,
            quantity=float(size),
            price=price,
        )

    def _report(self, order_id: str, kind: int, size: int, row: int, at_ns: int) -> OrderReport:
        leaves = None
        if kind == DELETE:
            self._leaves.pop(order_id, None)
        elif order_id in self._leaves:
            self._leaves[order_id] -= size
            leaves = float(self._leaves[order_id])
        return OrderReport(
            account=self._recording.account,
            client_order_id=self._id(order_id),
            status=OrderStatus.CANCELED if kind == DELETE else OrderStatus.REPLACED,
            report_id=self._id(f"r{row}"),
            leaves_quantity=leaves,
            venue_order_id=order_id,
            venue_ns=at_ns,
        )

    def _fill(self, cells: list[str], side: Side, price: float, row: int, at_ns: int) -> Fill:
        order_id, size = cells[2], int(cells[3])
        if order_id in self._leaves:
            self._leaves[order_id] -= size
        is_hidden = int(cells[1]) == HIDDEN_EXECUTION
        return Fill(
            account=self._recording.account,
            exec_id=self._id(f"x{row}"),
            client_order_id=None if is_hidden else self._id(order_id),
            symbol=self._recording.symbol,
            side=side,
            quantity=float(size),
            price=price,
            venue_ns=at_ns,
        )

    def _touch_after(self, at_ns: int, row: int) -> Iterator[Timed]:
        """Yield the touch of the book's row for this message, if it moved."""
        line = next(self._book, "") if self._book is not None else ""
        touch = tuple(line.strip().split(",")[:4])
        if len(touch) < 4 or touch == self._touch:
            return
        self._touch = touch
        ask, ask_size, bid, bid_size = (decimal_of(cell) for cell in touch)
        # An empty side of the book is written as +-9999999999 with size 0.
        sides: dict[str, float] = {}
        if bid_size > 0:
            sides |= {"bid": self._price(touch[2]), "bid_size": float(bid_size)}
        if ask_size > 0:
            sides |= {"ask": self._price(touch[0]), "ask_size": float(ask_size)}
        if sides and (ask > bid or ask_size == 0 or bid_size == 0):
            yield Timed(at_ns, self._tick("touch", at_ns, row, **sides), row)

    def _tick(self, name: str, at_ns: int, row: int, **prices: float) -> Tick:
        return Tick(
            symbol=self._recording.symbol,
            venue_ns=at_ns,
            seq=row,
            feed=f"{self._recording.stem}-{name}"[-64:],
            conflated=0,
            **prices,
        )

    def _price(self, cell: str) -> float:
        return float(decimal_of(cell) * TEN_THOUSANDTH * self._recording.price_scale)

    def _id(self, rest: str) -> str:
        return f"{self._recording.prefix}-{rest}"
