"""Published examples of lots, and of how far they went before they were closed.

riskd does not keep maximum adverse and favourable excursion yet: they are measured here as the
extremes of what the engine says a lot earns at every price seen while it was open.
"""

from __future__ import annotations

from fractions import Fraction
from statistics import mean, stdev

import pytest

from riskd.messages import CostMethod
from tests.vectors.world import Case, World, instrument, read_cases, require

TOPIC = "lots_mae_mfe"
PAIR = instrument("X", tick_size="0.001")
FEE = "1"  # Of every fill, in all cases of this file.


def earned_at(world: World, price: str, lot: int) -> Fraction:
    """What 1000 units of an open lot earn at a price."""
    held = world.open_lots[lot]
    cost = Fraction(held.value_money, 10**12) * Fraction(1000, held.lots)
    return world.value("1000", price) - cost


def excursions(world: World, prices: list[str], lot: int = 0) -> tuple[Fraction, Fraction]:
    """The worst and the best that 1000 units of an open lot have earned at these prices."""
    earned = [earned_at(world, price, lot) for price in prices]
    return min(earned), max(earned)


def require_excursions(found: tuple[Fraction, Fraction], trade: Case) -> None:
    require(found[0], trade["mae"])
    require(found[1], trade["mfe"])


def prices_of(events: list[list[str]]) -> list[str]:
    """Every price seen, of fills and of marks."""
    return [event[-1] for event in events]


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
    require_excursions(excursions(world, prices_of(case["input"]["events"])), trade)
    play(world, [last])
    require(world.realized, trade["pnl"])
    require(world.fees, trade["fees"])
    require(world.quantity, "0")


def check_scale_in_last_first(case: Case) -> None:
    """Last-in first-out is no method of ours. Everything is closed by one fill, so each lot earns
    the same in any order: only the order of the trades differs, and the newest lot is our last."""
    events = case["input"]["events"]
    newer, older = case["expected"]["trades"]
    world = World(PAIR, method=CostMethod.FIFO)
    play(world, events[:-1])
    for lot, opened, trade in ((0, 0, older), (1, 2, newer)):
        entry = Fraction(world.open_lots[lot].value_money, 10**12) / 1000
        require(entry, trade["entry"])
        require(earned_at(world, trade["exit"], lot), trade["pnl"])
        require_excursions(excursions(world, prices_of(events[opened:]), lot), trade)
    play(world, events[-1:])
    require(world.realized, str(Fraction(newer["pnl"]) + Fraction(older["pnl"])))
    require(world.quantity, "0")


def check_scale_out(case: Case) -> None:
    """The fee of the entry belongs to the first trade there: our fees, as they accumulate."""
    events = case["input"]["events"]
    world = World(PAIR, method=CostMethod.FIFO)
    begun = 0
    realized = fees = Fraction(0)
    for trade, closing in zip(case["expected"]["trades"], (2, 5), strict=True):
        play(world, events[begun:closing])
        require(world.average, trade["entry"])
        require_excursions(excursions(world, prices_of(events[: closing + 1])), trade)
        play(world, events[closing : closing + 1])
        require(world.realized - realized, trade["pnl"])
        require(world.fees - fees, trade["fees"])
        assert events[closing][-1] == trade["exit"]
        realized, fees, begun = world.realized, world.fees, closing + 1
    whole = case["expected"]["flat_to_flat"]
    require(world.quantity, "0")
    require(world.realized, whole["pnl"])
    require(world.fees, whole["fees"])
    # What was got for all of it is its cost and what it earned: the average exit.
    quantity = Fraction(whole["qty"])
    require((quantity * Fraction(whole["entry"]) + world.realized) / quantity, whole["exit"])


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
    its worst and its best, and sold. The statistics are then taken of what the engine made."""
    expected, tolerance = case["expected"], case["tolerance"]
    world = World(PAIR, method=CostMethod.FIFO)
    profits, worst, best, fallen = [], [], [], []
    for trade in case["input"]["trades"]:
        world.fill("buy", "1000", "1.000", FEE)
        before, seen = world.realized, []
        for measure in ("mae", "mfe", "pnl"):
            world.mark(str(float(1 + Fraction(trade[measure]) / 1000)))
            seen.append(world.unrealized)
        world.fill("sell", "1000", str(float(1 + Fraction(trade["pnl"]) / 1000)), FEE)
        profits.append(world.realized - before)
        worst.append(min(seen))
        best.append(max(seen))
        fallen.append(max(seen) - profits[-1])
        require(fallen[-1], trade["end_drawdown"])
    require(world.realized, expected["total"])
    require(world.fees, expected["fees"])
    require(mean(profits), expected["average"], tolerance)
    require(max(profits), expected["largest"])
    require(mean(worst), expected["avg_mae"], tolerance)
    require(mean(best), expected["avg_mfe"], tolerance)
    require(min(worst), expected["largest_mae"])
    require(max(best), expected["largest_mfe"])
    require(max(fallen), expected["max_end_trade_drawdown"])
    spread = Fraction(stdev(float(profit) for profit in profits))
    require(spread, expected["pnl_stdev_sample"], tolerance)
    require(mean(profits) / spread, expected["sharpe"], tolerance)


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
