"""The recorded days that measures are proved on: which rows there are, of which instruments.

Read from the raw files with decimals alone; a row is what a quote board would take.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from decimal import Decimal
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from riskd.messages import InstrumentKind, InstrumentSpec, MarginTier
from tests.recorded.recount import rows_of, touches

TIERS = (
    MarginTier(notional=2e3, initial_margin=0.1, maintenance_margin=0.05),
    MarginTier(notional=1e9, initial_margin=0.2, maintenance_margin=0.1),
)


class Row(NamedTuple):
    """One row of a file: a price of one symbol."""

    at: str  # Of the file, to be in order with the rows of another.
    symbol: str
    bid: Decimal
    ask: Decimal


class Day(NamedTuple):
    """A recorded day, and who trades what on it."""

    specs: tuple[InstrumentSpec, ...]
    lots_max: int  # Of a fill.
    currencies: tuple[str, ...] = ("USD",)  # Of the accounts, in turn.
    mark: str = "mid"

    @property
    def is_exact(self) -> bool:
        """Return whether no exchange rate is involved, so that everything is to the unit."""
        return all((one.settlement or one.currency,) == self.currencies for one in self.specs)


def an_instrument(symbol: str, **fields: object) -> InstrumentSpec:
    """Return an instrument of which every margin model makes something else."""
    told = {
        "symbol": symbol,
        "currency": "USD",
        "initial_margin": 0.5,
        "maintenance_margin": 0.25,
        "hedged_margin": 0.1,
        "tiers": TIERS,
    }
    return InstrumentSpec(**(told | fields))  # type: ignore[arg-type]


def a_pair(symbol: str, tick: str) -> InstrumentSpec:
    """Return a pair of currencies."""
    kind, base, currency = InstrumentKind.FX, symbol[:3], symbol[3:]
    return an_instrument(symbol, kind=kind, base=base, currency=currency, tick_size=tick)


PERPETUAL = an_instrument(
    "PERP",
    kind=InstrumentKind.INVERSE,
    settlement="BTC",
    tick_size="0.5",
    multiplier="100",
)
TWO_STOCKS = (an_instrument("SPY"), an_instrument("AAPL"))
DAYS = {
    "fx": Day(
        (a_pair("EURUSD", "0.00001"), a_pair("USDJPY", "0.001")), 1000, ("USD", "EUR", "JPY")
    ),
    "quotes": Day((an_instrument("IBM"), an_instrument("BAC")), 40, mark="closing"),
    "btc": Day((an_instrument("BTC"),), 4),
    "btc inverse": Day((a_pair("BTCUSD", "0.5"), PERPETUAL), 40, ("BTC", "USD")),
    "flash crash": Day(TWO_STOCKS, 40),
    "March 2020": Day(TWO_STOCKS, 40, mark="last"),
}


def rows_in(shared: Path, day: str, rows_max: int | None = None) -> list[Row]:
    """Return the rows of a day, in order, at most so many."""
    data = shared / "data"
    match day:
        case "fx":
            two = [
                _quotes(data / f"fx/{name}_ticks_2019-01-01.csv.gz", symbol, ("bid", "ask"), "0.01")
                for name, symbol in (("eurusd", "EURUSD"), ("usdjpy", "USDJPY"))
            ]
            found: Iterator[Row] = merge(*two, key=lambda row: row.at)
        case "quotes":
            files = (("bac_quotes_2013-10-09", "BAC"), ("ibm_quotes_2013-10-08", "IBM"))
            columns = ("bid_x10000", "ask_x10000")
            two = [
                _quotes(data / f"equity/{name}.csv.gz", symbol, columns, "0.0001")
                for name, symbol in files
            ]
            found = merge(*two, key=lambda row: row.at)
        case "btc":
            found = _minutes(data, ("BTC",))
        case "btc inverse":
            found = _minutes(data, ("BTCUSD", "PERP"))
        case _:
            month = "201005" if day == "flash crash" else "202003"
            hours = [
                _hours(data / f"equity/{symbol.lower()}_hour_bars.csv.gz", symbol, month)
                for symbol in ("AAPL", "SPY")
            ]
            found = merge(*hours, key=lambda row: row.at)
    return list(islice(found, rows_max))


def _quotes(path: Path, symbol: str, columns: tuple[str, str], scale: str) -> Iterator[Row]:
    """Yield the rows of a file of quotes that do not cross, sides left out filled in.

    By the instant of the row, which is its first column.
    """
    bid: Decimal | None = None
    ask: Decimal | None = None
    times = (next(iter(row.values())) for row in rows_of(path))
    for at, (new_bid, new_ask, _) in zip(times, touches(path, *columns, scale), strict=True):
        next_bid, next_ask = new_bid or bid, new_ask or ask
        if next_bid is not None and next_ask is not None:
            if next_bid > next_ask:
                continue  # Nobody believes it: what stood goes on standing.
            yield Row(at.zfill(20), symbol, next_bid, next_ask)
        bid, ask = next_bid, next_ask


def _hours(path: Path, symbol: str, month: str) -> Iterator[Row]:
    """Yield open, low, high and close of each hour of a month. The header has a comma too many."""
    with gzip.open(path, "rt") as lines:
        for row in islice(csv.reader(lines), 1, None):
            if row[0].startswith(month):
                for number, column in enumerate((1, 3, 2, 4)):
                    price = Decimal(row[column]) / 10_000
                    yield Row(f"{row[0]} {number}", symbol, price, price)


def _minutes(data: Path, symbols: tuple[str, ...]) -> Iterator[Row]:
    for row in rows_of(data / "crypto/btc_perp_1m_2022-01.csv.gz"):
        for number, name in enumerate(("open", "high", "low", "close")):
            for symbol in symbols:
                price = Decimal(row[name])
                yield Row(f"{row['timestamp']} {number}", symbol, price, price)
