"""Recorded order flow played into a real riskd: the books are the file's, to the last unit."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from engine.core import Core
from tests.end_to_end.books import replayed
from tests.end_to_end.process import RiskdProcess
from tests.recorded.recount import (
    UNITS,
    Flow,
    SlowLedger,
    bitstamp_events,
    bitstamp_flow,
    lobster_flow,
)
from tests.recorded.world import (
    AVERAGE,
    BALANCE,
    FIFO,
    fed,
    instrument,
    open_market,
    recorded_riskd,
)

pytestmark = [pytest.mark.recorded, pytest.mark.end_to_end]

MESSAGES = "lobster_aapl_2012-06-21_messages.csv.gz"
EVENTS = "bitstamp_btcusd_order_events_2015-05-01_part1.log.gz"


@pytest.fixture
def riskd(tmp_path: Path) -> Iterator[RiskdProcess]:
    """A fresh riskd on the instruments of the files."""
    with recorded_riskd(tmp_path) as process:
        yield process


def stopped(riskd: RiskdProcess) -> Core:
    """End riskd by a kill and return its journal folded here: the very state that it had."""
    status = riskd.status()
    riskd.kill()
    core = replayed(riskd.books, status["seq"])
    assert core.stamp.seq == status["seq"]
    return core


def require_shown(riskd: RiskdProcess, account: str, ledger: SlowLedger, flow: Flow) -> None:
    """Fail unless the control port shows just what the ledger says."""
    (position,) = riskd.control("positions", account=account)
    assert position["quantity"] == float(ledger.held)
    assert position["realized"] == ledger.realized / UNITS
    assert position["fees"] == 0
    assert position["open_buy_quantity"] == float(flow.open_buys)
    assert position["open_sell_quantity"] == float(flow.open_sells)
    shown = riskd.control("account", account=account)
    assert shown["cash"] == {"USD": (BALANCE * UNITS + ledger.realized) / UNITS}
    assert shown["realized"] == ledger.realized / UNITS
    assert (shown["frozen"], shown["unbooked_fills"]) == ("", 0)


def require_exact(core: Core, account: str, ledger: SlowLedger, flow: Flow) -> None:
    """Fail unless the engine's integers are the ledger's."""
    state = core.accounts[account].state
    ((symbol, position),) = state.positions.items()
    lot = Fraction(core.boards.instruments[symbol].spec.lot_size)
    assert position.books.lots * lot == ledger.held
    assert position.books.cost_money == ledger.cost
    assert position.books.realized_money == ledger.realized
    assert position.open_buy_lots * lot == Fraction(flow.open_buys)
    assert position.open_sell_lots * lot == Fraction(flow.open_sells)
    assert state.cash == {"USD": BALANCE * UNITS + ledger.realized}


def test_played_lobster_orders_book_what_the_file_says_by_both_cost_methods(shared, riskd):
    """The average account takes executions of its orders; the other those of hidden ones too."""
    path = shared / "data" / "orders" / MESSAGES
    flow = lobster_flow(path)
    open_market(riskd, AAPL=585.5)
    shown = fed(riskd, path)
    assert shown["verdicts"] == {"APPROVED": flow.orders}
    assert shown["acks"] == len(flow.deals) + flow.reports
    assert shown["ack_flags"] == {}
    assert instrument(riskd, "AAPL")["last"] == float(flow.last)
    everything = fed(riskd, path, "--account", FIFO, "--facts", "all", "--run", "again")
    assert everything["verdicts"] == {"APPROVED": flow.orders}
    assert everything["skipped"] == {}
    unknown = len(flow.strangers) - len(flow.deals)
    assert everything["ack_flags"]["unknown_order"] >= unknown > 0

    average = SlowLedger("average").take(flow.deals)
    fifo = SlowLedger("fifo").take(flow.strangers)
    assert average.realized != 0 != fifo.realized
    require_shown(riskd, AVERAGE, average, flow)
    require_shown(riskd, FIFO, fifo, flow)
    core = stopped(riskd)
    require_exact(core, AVERAGE, average, flow)
    require_exact(core, FIFO, fifo, flow)


def test_played_bitstamp_orders_book_what_the_log_says(shared, riskd):
    path = shared / "data" / "orders" / EVENTS
    events = bitstamp_events(path)
    flow = bitstamp_flow(events)
    open_market(riskd, BTCUSD=236.5)
    shown = fed(riskd, path)
    assert shown["verdicts"] == {"APPROVED": flow.orders}
    assert shown["acks"] == len(flow.deals) + flow.reports
    assert (shown["skipped"], shown["ack_flags"]) == ({}, {})
    books = [event.body for event in events if event.kind == "order_book"]
    prices = instrument(riskd, "BTCUSD")
    assert prices["last"] == float(flow.last)
    assert (prices["bid"], prices["ask"]) == tuple(
        float(Decimal(books[-1][side][0][0])) for side in ("bids", "asks")
    )
    ledger = SlowLedger("average").take(flow.deals)
    assert ledger.realized != 0
    require_shown(riskd, AVERAGE, ledger, flow)
    require_exact(stopped(riskd), AVERAGE, ledger, flow)
