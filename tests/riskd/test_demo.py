from __future__ import annotations

import math
from decimal import Decimal

from rich.console import Console

from riskd.cli.demo_view import line_of, screen_of
from riskd.demo.child import free_addresses
from riskd.demo.gateways import Flow
from riskd.demo.market import DemoInstrument, SyntheticMarket, on_grid
from riskd.demo.scene import Board
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
    console = Console(width=110, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        console.print(screen_of(board))
    text = console.export_text()
    for shown in ("DEMO  ACTIVE", "APPROVED", "ORDER_NOTIONAL", "0.00 USD", "A2", "64 µs"):
        assert shown in text
    line = line_of(board)
    assert "verdicts 4" in line
    assert "1 rejected" in line
    assert "A2 -" in line


def test_free_addresses_are_four_different_ones():
    found = free_addresses()
    assert set(found) == {"orders", "ticks", "alerts", "control"}
    assert len(set(found.values())) == 4
