"""Recorded quotes and trades played into a real riskd: the last good prices are the file's."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.end_to_end.books import replayed_hash
from tests.end_to_end.process import RiskdProcess
from tests.recorded.recount import Touch, rows_of, touches
from tests.recorded.world import fed, instrument, recorded_riskd, ticks_taken

pytestmark = [pytest.mark.recorded, pytest.mark.end_to_end]

FX_TICKS = 10_000  # Rows of each of the two files, says their README.


@pytest.fixture
def riskd(tmp_path: Path) -> Iterator[RiskdProcess]:
    """A fresh riskd on the instruments of the files."""
    with recorded_riskd(tmp_path) as process:
        yield process


def prices_of(riskd: RiskdProcess, symbol: str) -> dict[str, float | None]:
    """Return what riskd shows of a symbol's prices."""
    shown = instrument(riskd, symbol)
    return {name: shown[name] for name in ("bid", "ask", "last")}


def test_played_fx_ticks_leave_the_last_good_quotes_of_the_files(shared, riskd):
    folder = shared / "data" / "fx"
    files = [folder / f"{pair}_ticks_2019-01-01.csv.gz" for pair in ("eurusd", "usdjpy")]
    report = fed(riskd, *files, "--price-scale", "0.01")
    assert (report["ticks"], report["requests"]) == (2 * FX_TICKS, 0)
    eurusd, usdjpy = (Touch().take(touches(path, "bid", "ask", "0.01")) for path in files)
    assert ticks_taken(riskd) == eurusd.counts + usdjpy.counts
    assert prices_of(riskd, "EURUSD") == eurusd.shown()
    assert prices_of(riskd, "USDJPY") == usdjpy.shown()
    for symbol in ("EURUSD", "USDJPY"):
        assert instrument(riskd, symbol)["feed_gaps"] == 0
    status = riskd.status()
    riskd.kill()
    assert replayed_hash(riskd.books, status["seq"]) == status["state_hash"]


@pytest.mark.parametrize(("symbol", "day"), [("IBM", "2013-10-08"), ("BAC", "2013-10-09")])
def test_played_equity_day_leaves_the_last_good_prices_of_the_files(shared, riskd, symbol, day):
    """A day of every venue's quotes, one side a row: they cross each other thousands of times."""
    folder = shared / "data" / "equity"
    quotes = folder / f"{symbol.lower()}_quotes_{day}.csv.gz"
    trades = folder / f"{symbol.lower()}_trades_{day}.csv.gz"
    report = fed(riskd, quotes, trades)
    touch = Touch().take(touches(quotes, "bid_x10000", "ask_x10000", "0.0001"))
    prints = [Decimal(row["price_x10000"]).scaleb(-4) for row in rows_of(trades)]
    touch.take((None, None, price) for price in prints)
    assert touch.counts["crossed"] > 0
    assert report["ticks"] == touch.counts.total()
    assert ticks_taken(riskd) == touch.counts
    assert prices_of(riskd, symbol) == touch.shown()
    assert instrument(riskd, symbol)["feed_gaps"] == 0
