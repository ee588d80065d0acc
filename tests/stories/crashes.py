"""Recorded crashes as steps of prices, the opening first.

Every bar is played open, high, low, close: of a bar no more is known than these, and a crash falls
from its high to its low. Where several symbols are recorded, each of the four is played of all of
them before the next. Hours and days before and after are left out: no line is crossed in them.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import NamedTuple

TURNS = ("open", "high", "low", "close")


class Mark(NamedTuple):
    """A recorded price: the middle of what the venue quotes."""

    symbol: str
    price: Decimal


class Step(NamedTuple):
    """What is told at once, and the moment of the recording that it is of."""

    when: str
    marks: tuple[Mark, ...]


class Source(NamedTuple):
    """One file, where its prices stand, and which of its bars are played."""

    symbol: str
    file: str
    starts: tuple[str, ...]  # What the lines of these bars begin with.
    first: int = 1  # The column of the open; high, low and close follow it.
    scale: int = 0  # Prices are written times ten to this; some cells carry binary noise.
    turns: tuple[str, ...] = TURNS


def _hours(symbol: str) -> Source:
    file, hours = f"equity/{symbol.lower()}_hour_bars", ("20100506 14:00", "20100506 15:00")
    return Source(symbol, file, hours, scale=4)


def _days(symbol: str, days: str, turns: tuple[str, ...] = TURNS) -> Source:
    starts = tuple(f"{symbol},2020-{day}" for day in days.split())
    return Source(symbol, "equity/us_daily_ohlcv_a_2018-2021", starts, first=2, turns=turns)


def _pair(symbol: str, scale: int, day: str) -> Source:
    hours = (f"{day} 00:00", f"{day} 01:00", f"{day} 02:00")
    return Source(symbol, f"fx/mt5_{symbol.lower()}_h1_2015-2020", hours, scale=scale)


CRASHES: dict[str, tuple[Source, ...]] = {
    "2010-05-06": (_hours("SPY"), _hours("AAPL")),
    "2016-10-07": (_pair("GBPUSD", 5, "2016-10-07"),),
    "2019-01-03": (_pair("USDJPY", 3, "2019-01-03"), _pair("EURJPY", 3, "2019-01-03")),
    "2020-02": tuple(  # Closes alone: how days move together is told by them.
        _days(symbol, "02-0 02-1 02-2", ("close",)) for symbol in ("CVX", "GS", "VZ")
    ),
    "2020-03-09": tuple(
        _days(symbol, "03-05 03-06 03-09") for symbol in ("BA", "CCL", "JPM", "SPG", "WMT", "XOM")
    ),
    "2022-01-21": (Source("BTCUSD", "crypto/btc_perp_1m_2022-01", ("2022-01-21 21:",)),),
}


@cache
def steps_of(data: Path, crash: str) -> tuple[Step, ...]:
    """Return a crash in its steps, the opening first."""
    found, sources = [], CRASHES[crash]
    for together in zip(*(_bars(data, source) for source in sources), strict=True):
        for name in sources[0].turns:
            turn = TURNS.index(name)
            marks = tuple(Mark(symbol, prices[turn]) for symbol, _, prices in together)
            found.append(Step(f"{together[0][1]} {name}", marks))
    return tuple(found)


def _bars(data: Path, source: Source) -> Iterator[tuple[str, str, tuple[Decimal, ...]]]:
    with gzip.open(data / f"{source.file}.csv.gz", "rt") as text:
        for line in text:
            if not line.startswith(source.starts):
                continue
            cells = line.split(",")
            prices = tuple(_price(cell, source.scale) for cell in cells[source.first :][:4])
            yield source.symbol, cells[source.first - 1][:16], prices


def _price(cell: str, scale: int) -> Decimal:
    if not scale:
        return Decimal(cell).normalize()
    return Decimal(round(Decimal(cell))).scaleb(-scale).normalize()
