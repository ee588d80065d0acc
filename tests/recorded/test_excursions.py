"""MFE and MAE of random positions on recorded days, recomputed from the raw files, exactly.

Two hundred accounts deal at the touch at random moments, in and out and through zero. The truth is
told from the file alone: what a trade's fills paid and got, and its lots at the highest and lowest
price of the rows between them, by numpy over whole numbers.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.standing import excursion
from riskd.messages import (
    CostMethod,
    InstrumentKind,
    InstrumentSpec,
    LimitSet,
    RiskSettings,
    Side,
    Tick,
)
from tests.builders import StampedCore, a_core, a_fill, an_account
from tests.recorded.recount import UNITS, rows_of, touches

pytestmark = pytest.mark.recorded

ROWS_MAX = 40_000  # Of each file.
ACCOUNTS = tuple(f"A{number}" for number in range(200))
FILLS_EACH = 15
Prices = NDArray[np.int64]


class Source(NamedTuple):
    """A file, the instrument it is about, and how its columns are read."""

    path: str
    spec: InstrumentSpec
    scale: str
    columns: tuple[str, str] = ("bid", "ask")


class Day(NamedTuple):
    """The good rows of a file as prices in units of money per lot."""

    bid: Prices
    ask: Prices


class Deal(NamedTuple):
    """A fill after so many rows."""

    row: int
    lots: int
    price: int  # In units of money per lot.


def fx(symbol: str, currency: str, tick: str) -> InstrumentSpec:
    kind = InstrumentKind.FX
    return InstrumentSpec(
        symbol=symbol, kind=kind, base=symbol[:3], currency=currency, tick_size=tick
    )


SOURCES = {
    "EURUSD": Source("fx/eurusd_ticks_2019-01-01", fx("EURUSD", "USD", "0.00001"), "0.01"),
    "USDJPY": Source("fx/usdjpy_ticks_2019-01-01", fx("USDJPY", "JPY", "0.001"), "0.01"),
    "IBM": Source(
        "equity/ibm_quotes_2013-10-08",
        InstrumentSpec(symbol="IBM", currency="USD"),
        "0.0001",
        ("bid_x10000", "ask_x10000"),
    ),
    "BTC": Source(  # A minute's open, high, low and close, one after the other.
        "crypto/btc_perp_1m_2022-01", InstrumentSpec(symbol="BTC", currency="USD"), "1"
    ),
    "SPY": Source(  # An hour's low and high as a book: from the flash crash on.
        "equity/spy_hour_bars",
        InstrumentSpec(symbol="SPY", currency="USD"),
        "0.0001",
        ("low_x10000", "high_x10000"),
    ),
}


def hours_of(path: Path, scale: Decimal) -> Iterator[tuple[Decimal, Decimal]]:
    """Yield low and high of each hour from May 2010 on. The header has a comma too many."""
    with gzip.open(path, "rt") as lines:
        for row in islice(csv.reader(lines), 1, None):
            if row[0] >= "20100501":
                yield Decimal(row[3]) * scale, Decimal(row[2]) * scale


def rows_in(shared: Path, source: Source) -> Iterator[tuple[Decimal, Decimal]]:
    """Yield bid and ask of the rows that a board takes, sides that a row leaves out filled in."""
    path = shared / "data" / f"{source.path}.csv.gz"
    if source.spec.symbol == "SPY":
        yield from islice(hours_of(path, Decimal(source.scale)), ROWS_MAX)
        return
    if source.spec.symbol == "BTC":
        bars = ("open", "high", "low", "close")
        prices = (Decimal(row[name]) for row in rows_of(path) for name in bars)
        yield from ((price, price) for price in islice(prices, ROWS_MAX))
        return
    bid: Decimal | None = None
    ask: Decimal | None = None
    for new_bid, new_ask, _ in islice(touches(path, *source.columns, source.scale), ROWS_MAX):
        next_bid, next_ask = new_bid or bid, new_ask or ask
        if next_bid is not None and next_ask is not None and next_bid <= next_ask:
            yield next_bid, next_ask
        elif next_bid is not None and next_ask is not None:
            continue  # It would cross: nobody believes it.
        bid, ask = next_bid, next_ask


def random_deals(random: Random, day: Day) -> list[Deal]:
    """Deal at the touch, at random rows: often back through zero, sometimes twice at one row."""
    held, found = 0, []
    for row in sorted(random.choices(range(len(day.bid)), k=FILLS_EACH)):
        lots = random.choice([-3, -2, -1, 1, 2, 3, -held or 1, -2 * held or 2])
        found.append(Deal(row, lots, int((day.ask if lots > 0 else day.bid)[row])))
        held += lots
    return found


def told_from_the_file(deals: list[Deal], day: Day) -> list[tuple[int, int]]:
    """Return best and worst of each trade in turn, the open one last."""
    trades: list[tuple[int, int]] = []
    held = cash = best = worst = 0
    for number, deal in enumerate(deals):
        at_price = cash + held * deal.price
        best, worst = max(best, at_price), min(worst, at_price)
        after = held + deal.lots
        if held and (after == 0 or (after > 0) != (held > 0)):
            trades.append((best, worst))
            cash, held = 0, 0
            best = worst = 0
            deal = deal._replace(lots=after)
        cash, held = cash - deal.lots * deal.price, held + deal.lots
        end = deals[number + 1].row if number + 1 < len(deals) else len(day.bid) - 1
        marks = (day.bid if held > 0 else day.ask)[deal.row : end + 1]
        for mark in (int(marks.max()), int(marks.min())) if held else ():
            best, worst = max(best, cash + held * mark), min(worst, cash + held * mark)
    return [*trades, (best, worst)] if held else trades


def told_by_riskd(house: StampedCore, account: str, symbol: str) -> list[tuple[int, int]]:
    """Return the same of the engine."""
    boards, position = house.core.boards, house.position(symbol, account)
    found = [(x.best_money, x.worst_money) for x in position.books.trades.closed]
    quote = boards.quotes.quotes[symbol]
    stood = excursion(position, quote, boards.instruments[symbol])
    return found if stood is None else [*found, (stood.best_money, stood.worst_money)]


@pytest.mark.parametrize("symbol", SOURCES)
def test_excursion_of_every_trade_equals_the_raw_file(shared, symbol):
    source, random = SOURCES[symbol], Random(symbol)
    rows = list(rows_in(shared, source))
    to_money = [[int(price * UNITS) for price in column] for column in zip(*rows, strict=True)]
    day = Day(*(np.array(column, dtype=np.int64) for column in to_money))
    deals = {account: random_deals(random, day) for account in ACCOUNTS}
    accounts = tuple(
        an_account(name, cost_method=method)
        for name, method in zip(ACCOUNTS, [*CostMethod] * 100, strict=True)
    )
    house = a_core(
        LimitSet(),
        quotes={},
        accounts=accounts,
        instruments=(source.spec,),
        settings=RiskSettings(mark="closing"),
    )
    waiting = sorted(
        (deal.row, account, number)
        for account, all_of_it in deals.items()
        for number, deal in enumerate(all_of_it)
    )
    waiting.reverse()
    for row, (bid, ask) in enumerate(rows):
        house.send(Tick(symbol=symbol, bid=float(bid), ask=float(ask)))
        while waiting and waiting[-1][0] == row:
            _, account, number = waiting.pop()
            deal = deals[account][number]
            side = Side.BUY if deal.lots > 0 else Side.SELL
            price = float(ask if deal.lots > 0 else bid)
            told = {"account": account, "symbol": symbol}
            house.send(a_fill(f"e-{number}", side, abs(deal.lots), price, **told))
    assert len(rows) > 9_000
    expected = {account: told_from_the_file(deals[account], day) for account in ACCOUNTS}
    assert sum(len(trades) for trades in expected.values()) > 3 * len(ACCOUNTS)
    assert {name: told_by_riskd(house, name, symbol) for name in ACCOUNTS} == expected
