"""Readers of market data: one CSV row is one tick."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import NamedTuple

from riskd.feed.timed import NS_PER_MS, FeedError, Recording, Timed, decimal_of
from riskd.messages import Tick

TEN_THOUSANDTH = Decimal("0.0001")  # LEAN prints equity prices times 10,000.
ONE = Decimal(1)


class TickFormat(NamedTuple):
    """Where the cells of a tick stand. A column that a format does not have is None."""

    columns: str  # The header that the file begins with.
    at: str
    at_unit_ns: int  # What one unit of `at` is.
    of_day: bool  # Whether `at` counts from midnight.
    bid: str | None = None
    ask: str | None = None
    last: str | None = None
    bid_size: str | None = None
    ask_size: str | None = None
    last_size: str | None = None
    zone: str = "UTC"
    scale: Decimal = ONE
    contract: str | None = None  # Column that names the contract, where a file has several.


NEW_YORK = "America/New_York"

TICK_FORMATS: dict[str, TickFormat] = {
    "fx-ns": TickFormat(
        "ts_event_ns,bid,ask",
        "ts_event_ns",
        1,
        False,
        bid="bid",
        ask="ask",
        bid_size="bid_size",
        ask_size="ask_size",
    ),
    "fx-ms": TickFormat("ms_of_day,bid,ask", "ms_of_day", NS_PER_MS, True, bid="bid", ask="ask"),
    "equity-quotes": TickFormat(
        "ms_of_day,bid_x10000",
        "ms_of_day",
        NS_PER_MS,
        True,
        bid="bid_x10000",
        ask="ask_x10000",
        bid_size="bid_size",
        ask_size="ask_size",
        zone=NEW_YORK,
        scale=TEN_THOUSANDTH,
    ),
    "equity-trades": TickFormat(
        "ms_of_day,price_x10000",
        "ms_of_day",
        NS_PER_MS,
        True,
        last="price_x10000",
        last_size="size",
        zone=NEW_YORK,
        scale=TEN_THOUSANDTH,
    ),
    "crypto-quotes": TickFormat(
        "local_ts_ns,exch_event_ms,update_id",
        "local_ts_ns",
        1,
        False,
        bid="bid",
        ask="ask",
        bid_size="bid_qty",
        ask_size="ask_qty",
    ),
    "crypto-trades": TickFormat(
        "local_ts_ns,exch_event_ms,exch_trade_ms",
        "local_ts_ns",
        1,
        False,
        last="price",
        last_size="qty",
    ),
    "mtgox-trades": TickFormat(
        "id,price,amount,type", "id", 1000, False, last="price", last_size="amount"
    ),
    "futures-trades": TickFormat(
        "contract_file,ms_of_day,price,size",
        "ms_of_day",
        NS_PER_MS,
        True,
        last="price",
        last_size="size",
        contract="contract_file",
    ),
}


def read_ticks(lines: Iterator[str], recording: Recording, shape: TickFormat) -> Iterator[Timed]:
    """Yield a tick per row, in file order. A side that is absent or 0 is left out.

    A row with no price at all is skipped. Raises FeedError with the line of a cell that is no
    number.
    """
    header = next(lines, "").strip().split(",")
    take = _taker(header, recording, shape)
    for row, line in enumerate(lines, start=1):
        cells = line.rstrip("\r\n").split(",")
        try:
            timed = take(cells, row)
        except (ValueError, IndexError) as error:
            raise FeedError(f"{recording.name}:{row + 1}: {error}, in {line.strip()!r}") from error
        if timed is not None:
            yield timed


def _taker(
    header: list[str], recording: Recording, shape: TickFormat
) -> Callable[[list[str], int], Timed | None]:
    """Return what turns the cells of one row into a tick."""

    def column(name: str | None) -> int:
        return header.index(name) if name in header else -1

    bid, ask, last = column(shape.bid), column(shape.ask), column(shape.last)
    bid_size, ask_size = column(shape.bid_size), column(shape.ask_size)
    last_size, at, contract = column(shape.last_size), column(shape.at), column(shape.contract)
    scale = shape.scale * recording.price_scale
    base_ns = recording.midnight_ns() if shape.of_day else 0

    def positive(cells: list[str], index: int, by: Decimal = ONE) -> float | None:
        if index < 0 or not cells[index]:
            return None
        number = decimal_of(cells[index])
        return float(number * by) if number > 0 else None

    def take(cells: list[str], row: int) -> Timed | None:
        bid_price, ask_price = positive(cells, bid, scale), positive(cells, ask, scale)
        last_price = positive(cells, last, scale)
        if bid_price is None and ask_price is None and last_price is None:
            return None
        at_ns = base_ns + int(cells[at]) * shape.at_unit_ns
        tick = Tick(
            symbol=_contract(cells[contract]) if contract >= 0 else recording.symbol,
            bid=bid_price,
            ask=ask_price,
            last=last_price,
            bid_size=None if bid_price is None else positive(cells, bid_size),
            ask_size=None if ask_price is None else positive(cells, ask_size),
            last_size=None if last_price is None else positive(cells, last_size),
            venue_ns=at_ns,
            seq=row,
            feed=recording.stem,
        )
        return Timed(at_ns, tick, row)

    return take


def _contract(cell: str) -> str:
    """Turn `20131008_gc_tick_trade_201312` into `GC201312`."""
    words = cell.split("_")
    return f"{words[1]}{words[-1]}".upper() if len(words) > 2 else cell.upper()
