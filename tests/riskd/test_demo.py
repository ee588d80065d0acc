from __future__ import annotations

import io
import math
from decimal import Decimal

import msgspec
import pytest
from rich.console import Console

from riskd.cli.demo_view import line_of, screen_of
from riskd.demo.child import free_addresses
from riskd.demo.gateways import Flow
from riskd.demo.market import DemoInstrument, SyntheticMarket, on_grid
from riskd.demo.scene import Board
from riskd.messages import Alert, Severity
from tests.riskd.test_subscriber import pnl_of

AAPL = DemoInstrument("AAPL", "linear", "USD", Decimal("0.01"), Decimal(1))
MSFT = DemoInstrument("MSFT", "linear", "USD", Decimal("0.01"), Decimal(1))
USDJPY = DemoInstrument("USDJPY", "fx", "JPY", Decimal("0.001"), Decimal(1000))
STEPS = 2000


def test_market_of_the_same_seed_is_the_same_and_of_another_is_not():
    def walk(seed):
        market = SyntheticMarket((AAPL, MSFT, USDJPY), seed)
        return [market.step(0.1) for _ in range(20)]

    assert walk(7) == walk(7)
    assert walk(7) != walk(8)


def test_market_touches_are_on_the_grid_and_never_crossed():
    market = SyntheticMarket((AAPL, USDJPY), 7)
    for _ in range(STEPS):
        for tick, found in zip(market.step(0.1), (AAPL, USDJPY), strict=True):
            bid, ask = Decimal(repr(tick.bid)), Decimal(repr(tick.ask))
            assert 0 < bid < ask
            assert bid % found.tick_size == ask % found.tick_size == 0
            assert tick.last in (tick.bid, tick.ask)


def test_market_instruments_move_together():
    """The walk's own share of a common move is 0.6; 2,000 steps estimate it within 0.1."""
    market = SyntheticMarket((AAPL, MSFT), 7)
    moves: list[tuple[float, float]] = []
    for _ in range(STEPS):
        before = market.mid("AAPL"), market.mid("MSFT")
        market.step(0.1)
        after = market.mid("AAPL"), market.mid("MSFT")
        moves.append((math.log(after[0] / before[0]), math.log(after[1] / before[1])))
    means = [sum(move[side] for move in moves) / STEPS for side in (0, 1)]
    covariance = sum((one - means[0]) * (two - means[1]) for one, two in moves)
    spread = [math.sqrt(sum((move[side] - means[side]) ** 2 for move in moves)) for side in (0, 1)]
    assert abs(covariance / (spread[0] * spread[1]) - 0.6) < 0.1


def test_on_grid_is_the_nearest_multiple_and_at_least_one():
    assert on_grid(10.014, Decimal("0.01")) == Decimal("10.01")
    assert on_grid(1499.0, Decimal(1000)) == 1000
    assert on_grid(0.2, Decimal(1)) == 1


def test_view_shows_verdicts_accounts_and_what_is_incomplete():
    flow = Flow()
    flow.verdicts.update({"APPROVED": 3, "ORDER_NOTIONAL": 1})
    flow.latencies_ns.extend([64_000] * 4)
    board = Board(flow, ("A1", "A2"))
    board.pnl["A1"] = pnl_of("A1", 1)
    board.state = "active"
    text = "\n".join(drawn(board, width=110, height=40))
    for shown in ("DEMO  ACTIVE", "APPROVED", "ORDER_NOTIONAL", "0.00 USD", "A2", "64 µs"):
        assert shown in text
    line = line_of(board)
    assert "verdicts 4" in line
    assert "1 rejected" in line
    assert "A2 -" in line


def drawn(board: Board, *, width: int, height: int) -> list[str]:
    console = Console(width=width, height=200, record=True, file=io.StringIO())
    console.print(screen_of(board, width=width, height=height))
    return console.export_text().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 23), (110, 30), (140, 39)])
def test_view_fits_the_terminal_and_cuts_no_amount(width, height):
    flow = Flow()
    flow.verdicts.update({f"CODE_{number}": number for number in range(6)})
    board = Board(flow, ("A1", "A2", "A3", "A4"))
    board.state = "active"
    for account in board.accounts:
        board.pnl[account] = msgspec.structs.replace(
            pnl_of(account, 1), day=-6_235.38, realized=-4_666.79, equity=1_093_764.62
        )
    alert = Alert(
        alert_id=1,
        seq=1,
        severity=Severity.HIGH,
        alert_type="daily_loss",
        message="x" * 300,
        value=None,
        threshold=None,
        status="raised",
        first_ns=1,
        count=1,
        last_ns=1,
    )
    board.alerts.extend([alert] * 8)
    board.alert_count = 8
    lines = drawn(board, width=width, height=height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert sum("1,093,764.62 USD" in line for line in lines) == 4
    assert any("…" in line for line in lines)
    assert any("Alerts (8)" in line for line in lines)


def test_free_addresses_are_four_different_ones():
    found = free_addresses()
    assert set(found) == {"orders", "ticks", "alerts", "control"}
    assert len(set(found.values())) == 4
