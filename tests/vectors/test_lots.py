"""Published examples of lots and trades, and of how far they went before they were closed.

riskd's trade is a position from flat to flat. Where a source tells a trade for each lot, the lot is
played alone, in a world of its own: what others fill meanwhile is a price that is seen.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from engine.money import MONEY_SCALE
from engine.trade_views import trades_view
from engine.trades import ClosedTrade
from riskd.messages import CostMethod
from tests.vectors.world import Case, World, instrument, read_cases, require

TOPIC = "lots_mae_mfe"
PAIR = instrument("X", tick_size="0.001")
FEE = "1"  # Of every fill, in all cases of this file.


def play_alone(quantity: str, entry: str, seen: list[str], leave: str) -> ClosedTrade:
    """Return the trade of one lot that saw these prices between its fills."""
    world = World(PAIR)
    world.fill_signed(quantity, entry, FEE)
    for price in seen:
        world.mark(price)
    world.fill_signed(f"-{quantity}", leave, FEE)
    (closed,) = world.trades.closed
    return closed


def require_trade(found: ClosedTrade, expected: Case) -> None:
    """Fail unless a trade earned this, and stood at no better and no worse."""
    for money, name in (
        (found.realized_money, "pnl"),
        (found.worst_money, "mae"),
        (found.best_money, "mfe"),
    ):
        require(Fraction(money, MONEY_SCALE), expected[name])


def play(world: World, events: list[list[str]]) -> None:
    for kind, *given in events:
        if kind == "mark":
            world.mark(given[0])
        else:
            world.fill_signed(given[0], given[1], FEE)


def check_all_in_all_out(case: Case) -> None:
    (trade,) = case["expected"]["trades"]
    *before, last = case["input"]["events"]
    world = World(PAIR, method=CostMethod.FIFO)
    play(world, before)
    require(world.quantity, trade["qty"])
    require(world.average, trade["entry"])
    play(world, [last])
    (closed,) = world.trades.closed
    require_trade(closed, trade)
    require(world.realized, trade["pnl"])
    require(world.fees, trade["fees"])
    require(Fraction(-closed.fees_money, MONEY_SCALE), trade["fees"])
    require(world.quantity, "0")


def check_scale_in_last_first(case: Case) -> None:
    """Last-in first-out is no method of ours. Everything is closed by one fill, so each lot earns
    the same in any order: only the order of the trades differs, and the newest lot is our last.
    The whole is one trade of ours, that stood at both lots' sum wherever both were open."""
    events = case["input"]["events"]
    newer, older = case["expected"]["trades"]
    for trade, opened in ((older, 0), (newer, 2)):
        prices = [event[-1] for event in events[opened:]]
        assert prices[0] == trade["entry"]
        require_trade(play_alone(trade["qty"], prices[0], prices[1:-1], prices[-1]), trade)
    world = World(PAIR, method=CostMethod.FIFO)
    play(world, events)
    require(world.realized, str(Fraction(newer["pnl"]) + Fraction(older["pnl"])))
    (whole,) = world.trades.closed
    require(Fraction(whole.best_money, MONEY_SCALE), "50")  # At 1.10: 20 and 30.
    require(Fraction(whole.worst_money, MONEY_SCALE), "-20")  # At 1.065: -15 and -5.


def check_scale_out(case: Case) -> None:
    """The fee of the entry belongs to the first trade there: our fees, as they accumulate."""
    events = case["input"]["events"]
    world = World(PAIR, method=CostMethod.FIFO)
    begun = 0
    realized = fees = Fraction(0)
    for trade, closing in zip(case["expected"]["trades"], (2, 5), strict=True):
        play(world, events[begun:closing])
        require(world.average, trade["entry"])
        seen = [event[-1] for event in events[1:closing]]
        require_trade(play_alone(trade["qty"], trade["entry"], seen, trade["exit"]), trade)
        play(world, events[closing : closing + 1])
        require(world.realized - realized, trade["pnl"])
        require(world.fees - fees, trade["fees"])
        assert events[closing][-1] == trade["exit"]
        realized, fees, begun = world.realized, world.fees, closing + 1
    whole = case["expected"]["flat_to_flat"]
    (shown,) = trades_view(world.account, "account", 1)["trades"]
    told = {"qty": "quantity", "entry": "entry", "exit": "exit", "pnl": "realized"}
    assert {name: shown[ours] for name, ours in told.items()} == {
        name: float(whole[name]) for name in told
    }
    assert shown["fees"] == -float(whole["fees"])


def check_in_and_out_last_first(case: Case) -> None:
    """Last-in first-out is no method of ours: its trades, 10, 20, 10 and 20, are not comparable.
    What must agree is the sum, by any method, and the fees up to each reduction. By hand,
    first-in first-out closes 1.07 and 1.08 at 1.10 (30 + 20), then 1.09 and 1.08 at 1.09 (0 + 10);
    average cost closes 2000 of 1.08 at 1.10 (40), then 1.08 at 1.09 (20)."""
    events, expected = case["input"]["events"], case["expected"]
    total = sum(Fraction(pnl) for pnl in expected["pnl_per_trade"])
    reductions = expected["flat_to_reduced"]
    assert total == sum(Fraction(x["pnl"]) for x in reductions)
    for method, earned in ((CostMethod.FIFO, ("50", "10")), (CostMethod.AVERAGE, ("40", "20"))):
        world = World(PAIR, method=method)
        fees = realized = Fraction(0)
        reduced = iter(zip(reductions, earned, strict=True))
        for event in events:
            play(world, [event])
            if not event[1].startswith("-"):
                continue
            reduction, pnl = next(reduced)
            assert event[1:] == [f"-{reduction['qty']}", reduction["exit"]]
            require(world.realized - realized, pnl)
            require(world.fees - fees, reduction["fees"])
            fees, realized = world.fees, world.realized
        require(world.realized, str(total))
        require(world.fees, str(sum(Fraction(fee) for fee in expected["fees_per_trade"])))
        require(world.quantity, "0")


def check_three_winners(case: Case) -> None:
    """Only the results of the trades are given: each is played as 1000 bought at 1.000, marked to
    its worst and its best, and sold. Our Sharpe ratio of trades has no factor for time either."""
    expected, tolerance = case["expected"], float(case["tolerance"])
    world = World(PAIR, method=CostMethod.FIFO)
    for trade in case["input"]["trades"]:
        world.mark("1.000")
        world.fill("buy", "1000", "1.000", FEE)
        for measure in ("mae", "mfe", "pnl"):
            world.mark(str(float(1 + Fraction(trade[measure]) / 1000)))
        world.fill("sell", "1000", str(float(1 + Fraction(trade["pnl"]) / 1000)), FEE)
        closed = world.trades.closed[-1]
        require_trade(closed, trade)
        given_back = closed.best_money - closed.realized_money
        require(Fraction(given_back, MONEY_SCALE), trade["end_drawdown"])
    (shown,) = trades_view(world.account, "account", 0)["totals"]
    told = {
        "total": "realized",
        "average": "expectancy",
        "largest": "largest_gain",
        "avg_mae": "average_mae",
        "avg_mfe": "average_mfe",
        "largest_mae": "largest_mae",
        "largest_mfe": "largest_mfe",
        "max_end_trade_drawdown": "most_given_back",
        "pnl_stdev_sample": "deviation",
        "sharpe": "sharpe",
    }
    for name, ours in told.items():
        assert shown[ours] == pytest.approx(float(expected[name]), abs=tolerance)
    assert shown["fees"] == -float(expected["fees"])
    assert told.keys() | {"fees"} == expected.keys()


CHECKS = {
    "lean-long-mae-mfe": check_all_in_all_out,
    "lean-scale-in-lifo": check_scale_in_last_first,
    "lean-scale-out-long": check_scale_out,
    "lean-scale-in-out3-lifo": check_in_and_out_last_first,
    "lean-three-winners": check_three_winners,
}


@pytest.mark.parametrize("case_id", CHECKS)
def test_lots_of_published_case_agree(vectors, case_id):
    CHECKS[case_id](read_cases(vectors, TOPIC)[case_id])


def test_lots_leave_no_published_case_out(vectors):
    assert list(CHECKS) == list(read_cases(vectors, TOPIC))
