"""The valuation book on recorded days: every figure of hundreds of accounts, at every tick.

Random fills in random accounts; the truth is made from the raw file alone, row by row, in whole
units of money: cash, lots and the middle of the book, and what was highest and lowest so far. The
days of foreign currencies are made in floats: there one part in a thousand million is allowed.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from decimal import Decimal
from heapq import merge
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.measures import drawdown_update, exposure_update, margin_update
from riskd.messages import InstrumentKind, InstrumentSpec, LimitSet, MarginModel, RiskSettings, Tick
from tests.builders import StampedCore, a_core, a_fill, an_account
from tests.recorded.recount import rows_of, touches

pytestmark = pytest.mark.recorded

ROWS_MAX = 12_000  # Of each day.
ACCOUNTS = 200
FILLS = 1500
BALANCE = 1_000_000
MONEY = 10**12
LEVERAGE = 20
LOOKS = 40  # Rows of a day at which everything that is published is compared too.
Row = tuple[Any, str, Decimal, Decimal]  # When, symbol, bid, ask.
Ints = NDArray[np.int64]


class Paper(NamedTuple):
    """A symbol of a day and what the truth needs to know of it."""

    spec: InstrumentSpec
    lots_max: int


def stock(symbol: str) -> Paper:
    return Paper(InstrumentSpec(symbol=symbol, currency="USD"), 40)


def pair(symbol: str, tick: str) -> Paper:
    kind, currency = InstrumentKind.FX, symbol[3:]
    spec = InstrumentSpec(
        symbol=symbol, kind=kind, base=symbol[:3], currency=currency, tick_size=tick
    )
    return Paper(spec, 5000)


def quotes_of(path: Path, symbol: str, columns: tuple[str, str], scale: str) -> Iterator[Row]:
    """Yield the rows of a file of quotes that a board takes, sides left out filled in."""
    bid: Decimal | None = None
    ask: Decimal | None = None
    for new_bid, new_ask, at_ns in touches(path, *columns, scale):
        bid, ask = new_bid or bid, new_ask or ask
        if bid is not None and ask is not None and bid <= ask:
            yield at_ns, symbol, bid, ask


def hours_of(path: Path, symbol: str, months: tuple[str, ...]) -> Iterator[Row]:
    """Yield open, low, high and close of each hour of some months. The header has a comma more."""
    with gzip.open(path, "rt") as lines:
        for row in islice(csv.reader(lines), 1, None):
            if row[0].startswith(months):
                for number, column in enumerate((1, 3, 2, 4)):
                    price = Decimal(row[column]) / 10_000
                    yield f"{row[0]} {number}", symbol, price, price


def minutes_of(path: Path) -> Iterator[Row]:
    for number, row in enumerate(rows_of(path)):
        for name in ("open", "high", "low", "close"):
            yield number, "BTC", Decimal(row[name]), Decimal(row[name])


def rows_in(shared: Path, day: str) -> list[Row]:
    data = shared / "data"
    match day:
        case "fx":
            two = [
                quotes_of(
                    data / f"fx/{name}_ticks_2019-01-01.csv.gz", symbol, ("bid", "ask"), "0.01"
                )
                for name, symbol in (("eurusd", "EURUSD"), ("usdjpy", "USDJPY"))
            ]
            found: Iterator[Row] = merge(*two, key=lambda row: row[0])
        case "quotes":
            names = (("bac_quotes_2013-10-09", "BAC"), ("ibm_quotes_2013-10-08", "IBM"))
            columns = ("bid_x10000", "ask_x10000")
            files = [
                quotes_of(data / f"equity/{name}.csv.gz", symbol, columns, "0.0001")
                for name, symbol in names
            ]
            found = merge(*files, key=lambda row: row[0])
        case "btc":
            found = minutes_of(data / "crypto/btc_perp_1m_2022-01.csv.gz")
        case _:
            months = ("201005",) if day == "flash crash" else ("202003",)
            hours = [
                hours_of(data / f"equity/{symbol.lower()}_hour_bars.csv.gz", symbol, months)
                for symbol in ("AAPL", "SPY")
            ]
            found = merge(*hours, key=lambda row: row[0])
    return list(islice(found, ROWS_MAX))


class Truth:
    """Equity of every account and what was highest and lowest, from lots, cash and prices alone."""

    def __init__(self, papers: dict[str, Paper], accounts: int) -> None:
        self.lots = {symbol: np.zeros(accounts, np.int64) for symbol in papers}
        self.cash: Ints = np.full(accounts, BALANCE * MONEY, np.int64)
        self.mids = dict.fromkeys(papers, 0)  # In money per lot.
        self.equity = self.cash.copy()
        self.peak, self.trough, self.low = (self.cash.copy() for _ in range(3))
        self.fall: Ints = np.zeros(accounts, np.int64)

    def price(self, symbol: str, mid: int) -> None:
        self.mids[symbol] = mid
        self._look()

    def fill(self, account: int, symbol: str, lots: int, price: int) -> None:
        self.cash[account] -= lots * price
        self.lots[symbol][account] += lots
        self._look()

    def deepest(self) -> Ints:
        """Return the deepest fall from any peak so far."""
        found: Ints = np.maximum(self.fall, self.peak - self.trough)
        return found

    def _look(self) -> None:
        self.equity = self.cash + sum(self.lots[x] * mid for x, mid in self.mids.items())
        self.fall = np.maximum(self.fall, self.peak - self.trough)
        at_top = self.equity >= self.peak
        self.peak = np.maximum(self.peak, self.equity)
        self.trough = np.where(at_top, self.equity, np.minimum(self.trough, self.equity))
        self.low = np.minimum(self.low, self.equity)


def money(price: Decimal) -> int:
    return int(price * MONEY)


def a_house(papers: dict[str, Paper], currencies: tuple[str, ...]) -> StampedCore:
    names = [f"A{number:03d}" for number in range(ACCOUNTS)]
    accounts = tuple(
        an_account(
            name,
            float(BALANCE),
            currency=currencies[number % len(currencies)],
            margin_model=MarginModel.LEVERAGE,
            leverage=float(LEVERAGE),
        )
        for number, name in enumerate(names)
    )
    specs = tuple(paper.spec for paper in papers.values())
    settings = RiskSettings(sweep_ms=0)
    return a_core(LimitSet(), quotes={}, accounts=accounts, instruments=specs, settings=settings)


def random_fills(random: Random, rows: list[Row], papers: dict[str, Paper]) -> dict[int, list[Any]]:
    """Return who fills how much after which row: at the touch, in a symbol that has a price."""
    found: dict[int, list[Any]] = {}
    seen: dict[str, int] = {}
    for number, row in enumerate(rows):
        seen.setdefault(row[1], number)
    first = max(seen.values())
    for _ in range(FILLS):
        number = random.randrange(first, len(rows))
        symbol = rows[number][1]
        lots = random.choice((-1, 1)) * random.randint(1, papers[symbol].lots_max)
        found.setdefault(number, []).append((random.randrange(ACCOUNTS), symbol, lots))
    return found


DAYS = {
    "quotes": {"IBM": stock("IBM"), "BAC": stock("BAC")},
    "btc": {"BTC": stock("BTC")},
    "flash crash": {"SPY": stock("SPY"), "AAPL": stock("AAPL")},
    "March 2020": {"SPY": stock("SPY"), "AAPL": stock("AAPL")},
}


@pytest.mark.parametrize("day", DAYS)
def test_book_equals_the_raw_file_at_every_tick_to_the_unit(shared: Path, day: str):
    papers, rows = DAYS[day], rows_in(shared, day)
    fills = random_fills(Random(7), rows, papers)
    house, truth = a_house(papers, ("USD",)), Truth(papers, ACCOUNTS)
    names = [f"A{number:03d}" for number in range(ACCOUNTS)]
    accounts = [house.core.accounts[name] for name in names]
    book = house.core.boards.book
    places = np.array([account.water.row for account in accounts])
    base = np.array([account.water.state.base_money for account in accounts], np.int64)
    looks = Random(3).sample(range(len(rows)), min(LOOKS, len(rows)))
    for number, (_, symbol, bid, ask) in enumerate(rows):
        house.send(Tick(symbol=symbol, bid=float(bid), ask=float(ask)))
        truth.price(symbol, (money(bid) + money(ask)) // 2)
        for account, of, lots in fills.get(number, ()):
            price = ask if lots > 0 else bid
            side = "buy" if lots > 0 else "sell"
            fields = {"symbol": of, "account": names[account]}
            house.send(
                a_fill(f"e{number}-{account}-{lots}", side, abs(lots), float(price), **fields)
            )
            truth.fill(account, of, lots, money(price))
            base[account] = accounts[account].water.state.base_money
        for column, expected in (
            (book.equity, truth.equity),
            (book.peak, truth.peak),
            (book.trough, truth.trough),
            (book.low, truth.low),
        ):
            assert np.array_equal(column.many[places].astype(np.int64) + base, expected), number
        deepest = np.maximum(book.fall.many, book.peak.many - book.trough.many)[places]
        assert np.array_equal(deepest.astype(np.int64), truth.deepest()), number
        if number in looks:
            for index in range(0, ACCOUNTS, 7):
                same_as_published(house, truth, index)


def same_as_published(house: StampedCore, truth: Truth, index: int) -> None:
    """What is told of an account is what the file makes of it, to the last digit of a float."""
    account, now_ns = house.core.accounts[f"A{index:03d}"], house.stamp.recv_ns
    sizes = [int(lots[index]) * truth.mids[symbol] for symbol, lots in truth.lots.items()]
    equity, gross = int(truth.equity[index]), sum(map(abs, sizes))
    exposure = exposure_update(account, now_ns)
    assert (exposure.gross, exposure.net) == (gross / MONEY, sum(sizes) / MONEY)
    margin = margin_update(account, now_ns)
    assert margin.equity == equity / MONEY
    assert margin.used == pytest.approx(gross / LEVERAGE / MONEY, rel=1e-9)
    drawdown = drawdown_update(account, now_ns)
    assert drawdown.day is not None
    assert drawdown.max is not None
    assert drawdown.day.drawdown == drawdown.max.drawdown
    peak, trough = int(truth.peak[index]), int(truth.trough[index])
    assert (drawdown.day.peak, drawdown.day.trough) == (peak / MONEY, trough / MONEY)
    assert drawdown.day.drawdown_pct == pytest.approx((peak - equity) * 100 / peak, rel=1e-12)
    assert drawdown.day.deepest == int(truth.deepest()[index]) / MONEY


class Worths:
    """Equities of accounts in dollars, euros and yen, in floats."""

    def __init__(self, own: list[str]) -> None:
        count = len(own)
        self.own = np.array(own)
        self.lots = {"EURUSD": np.zeros(count), "USDJPY": np.zeros(count)}
        self.cash = {currency: np.zeros(count) for currency in ("USD", "EUR", "JPY")}
        for currency, held in self.cash.items():
            held[self.own == currency] = BALANCE
        self.mids = {"EURUSD": 0.0, "USDJPY": 0.0}

    def equity(self) -> NDArray[np.float64]:
        """Return what everybody is worth now, in his own currency."""
        euro, yen = self.mids["EURUSD"], 1 / self.mids["USDJPY"]
        dollars = self.cash["USD"] + self.lots["EURUSD"] * euro
        yens = self.cash["JPY"] + self.lots["USDJPY"] / yen
        worth = dollars + self.cash["EUR"] * euro + yens * yen
        rates = np.select([self.own == "USD", self.own == "EUR"], [1.0, euro], default=yen)
        found: NDArray[np.float64] = worth / rates
        return found


def test_book_of_accounts_in_dollars_euros_and_yen_equals_the_raw_file_at_every_tick(
    shared: Path,
):
    papers = {"EURUSD": pair("EURUSD", "0.00001"), "USDJPY": pair("USDJPY", "0.001")}
    rows = rows_in(shared, "fx")
    fills = random_fills(Random(11), rows, papers)
    currencies = ("USD", "EUR", "JPY")
    house = a_house(papers, currencies)
    names = [f"A{number:03d}" for number in range(ACCOUNTS)]
    accounts = [house.core.accounts[name] for name in names]
    truth = Worths([currencies[number % 3] for number in range(ACCOUNTS)])
    book = house.core.boards.book
    places = np.array([account.water.row for account in accounts])
    base = np.array([account.water.state.base_money for account in accounts], np.float64)
    peak = np.full(ACCOUNTS, float(BALANCE))
    low = peak.copy()
    for number, (_, symbol, bid, ask) in enumerate(rows):
        house.send(Tick(symbol=symbol, bid=float(bid), ask=float(ask)))
        truth.mids[symbol] = float((bid + ask) / 2)
        if not all(truth.mids.values()):
            continue
        for account, of, lots in [(None, symbol, 0), *fills.get(number, ())]:
            if account is not None:
                price, side = (ask, "buy") if lots > 0 else (bid, "sell")
                fields = {"symbol": of, "account": names[account]}
                name = f"e{number}-{account}-{lots}"
                house.send(a_fill(name, side, abs(lots), float(price), **fields))
                truth.lots[of][account] += lots
                truth.cash[of[3:]][account] -= lots * float(price)
                base[account] = float(accounts[account].water.state.base_money)
            equity = truth.equity()
            peak, low = np.maximum(peak, equity), np.minimum(low, equity)
        for column, expected in ((book.equity, equity), (book.peak, peak), (book.low, low)):
            told = (column.many[places] + base) / MONEY
            assert np.allclose(told, expected, rtol=1e-9, atol=0.0), number
