"""E48 and every position's extremes: the ladder and the trades against lists of everything."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import nan
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.excursion import SPARE_RUNGS, Ladder, Rungs, Seen
from engine.ledger import executions_of
from engine.standing import Excursion, excursion
from engine.trades import CLOSED_MAX, ClosedTrade, TradeTotals
from riskd.messages import (
    CostMethod,
    Fill,
    FillBust,
    FillCorrect,
    PositionMode,
    RiskSettings,
    Tick,
)
from tests.builders import MONEY, StampedCore, a_core, a_fill, an_account
from tests.engine.slow_trades import Dealt, Mark, SlowTrade, slow_trades

MARKS = st.integers(-20, 20)
STEPS_MAX = 900  # More than a stack holds before it is thinned, when prices only fall.


def seen_in(marks: list[tuple[int, int]]) -> Seen:
    longs, shorts = zip(*marks, strict=True)
    return Seen(max(longs), min(longs), max(shorts), min(shorts))


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), drift=st.integers(-1, 1), spread=st.integers(0, 2))
def test_ladder_equals_a_list_of_every_mark_and_stays_short(seed, drift, spread):
    """Trends make the stacks long; positions come and go; what stood at a start counts."""
    random, ladder = Random(seed), Ladder()
    marks: list[tuple[int, int]] = [(0, 0)]
    starts: list[int] = []
    ladder.take(0, 0, 0)
    for at in range(1, STEPS_MAX):
        step = drift if drift and random.random() < 0.9 else random.randint(-3, 3)
        long = marks[-1][0] + step
        marks.append((long, long + random.randint(0, spread)))
        ladder.take(at, *marks[-1])
        if random.random() < 0.02:
            before = starts.pop(random.randrange(len(starts))) if len(starts) > 5 else None
            ladder.move(before, at)
            starts.append(at)
        rungs_max = 2 * len(starts) + SPARE_RUNGS + 1
        assert max(len(ladder.long.high), len(ladder.long.low)) <= rungs_max
    for start in starts:
        assert ladder.seen(start) == seen_in(marks[start:])


def test_ladder_without_a_mark_has_seen_nothing():
    ladder = Ladder()
    ladder.move(None, 3)
    assert ladder.seen(3) is None
    ladder.take(4, 7, 7)
    assert ladder.seen(3) == Seen(7, 7, 7, 7)


def test_rungs_forget_a_mark_that_was_reached_again():
    rungs = Rungs()
    for at, mark in enumerate([5, 3, 4, 5]):
        rungs.take(at, mark)
    assert (rungs.high, rungs.high_at) == ([5], [3])
    assert (rungs.low, rungs.low_at) == ([3, 4, 5], [1, 2, 3])


def stood(house: StampedCore, symbol: str = "X") -> Excursion | None:
    boards = house.core.boards
    quote = boards.quotes.quotes[symbol]
    return excursion(house.position(symbol), quote, boards.instruments[symbol])


def require_open(house: StampedCore, expected: SlowTrade | None) -> None:
    found, opened = stood(house), house.position().books.trades.open
    if expected is None:
        assert found is None
        assert opened is None
        return
    assert found is not None
    assert opened is not None
    assert found.best_money == in_money(expected.best)
    assert found.worst_money == in_money(expected.worst)
    assert opened.entry_lots == expected.taken
    if found.profit_money is not None:
        assert found.profit_money == in_money(expected.profit)


def require_closed(found: tuple[ClosedTrade, ...], expected: list[SlowTrade]) -> None:
    told = [(x.realized_money, x.best_money, x.worst_money, x.lots) for x in found]
    assert told == [
        (in_money(x.profit), in_money(x.best), in_money(x.worst), int(x.taken)) for x in expected
    ]


def require_totals(found: Mapping[str, TradeTotals], expected: list[SlowTrade]) -> None:
    """Of one strategy without a name, of every trade there ever was."""
    profits = [in_money(trade.profit) for trade in expected]
    if not profits:
        assert found == {}
        return
    (totals,) = found.values()
    assert (totals.count, totals.wins) == (len(profits), sum(x > 0 for x in profits))
    assert totals.gains_money == sum(x for x in profits if x > 0)
    assert totals.losses_money == sum(x for x in profits if x < 0)
    assert totals.squares == sum(x * x for x in profits)
    assert totals.best_money == sum(in_money(trade.best) for trade in expected)
    assert totals.most_worst_money == min(in_money(trade.worst) for trade in expected)


def in_money(amount: Fraction) -> int:
    whole = amount * MONEY
    assert whole.denominator == 1
    return whole.numerator


PRICES = st.integers(9_900, 10_100)  # Cents.
LEG_LOTS = st.integers(-4, 4)
MARKED = st.tuples(st.just("mark"), PRICES, st.integers(0, 9))
FILLED = st.tuples(st.just("fill"), st.integers(-5, 5).filter(bool), PRICES)
CHANGED = st.tuples(st.sampled_from(["bust", "correct"]), st.integers(0, 30), PRICES)


@settings(max_examples=150)
@given(
    steps=st.lists(MARKED | FILLED | CHANGED, max_size=40),
    method=st.sampled_from(list(CostMethod)),
    folded_after=st.sampled_from([2, 10_000]),
)
def test_every_position_and_trade_equals_a_list_of_everything(steps, method, folded_after):
    """Any ticks, fills, busts and corrections; old executions folded or not; after every step."""
    closing = RiskSettings(mark="closing")
    house = a_core(quotes={}, accounts=(an_account(cost_method=method),), settings=closing)
    events: list[Mark | Dealt] = []
    busted: tuple[str, ...] = ()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.ledger.EXECUTIONS_MAX", folded_after)
        for number, (kind, one, other) in enumerate(steps):
            if kind == "mark":
                bid, ask = Fraction(one, 100), Fraction(one + other, 100)
                house.send(Tick(symbol="X", bid=float(bid), ask=float(ask)))
                events.append(Mark(bid, ask))
            elif kind == "fill":
                dealt = Dealt(f"e-{number}", Fraction(one), Fraction(other, 100))
                events.append(dealt)
                house.send(the_fill(dealt))
            else:
                busted = change(house, events, busted, (kind, one, other))
            closed, opened = slow_trades(events, busted)
            require_open(house, opened)
            require_closed(house.position().books.trades.closed, closed)
            require_totals(house.position().books.trades.totals, closed)


def the_fill(dealt: Dealt) -> Fill:
    side = "buy" if dealt.quantity > 0 else "sell"
    return a_fill(dealt.exec_id, side, float(abs(dealt.quantity)), float(dealt.price))


def change(
    house: StampedCore,
    events: list[Mark | Dealt],
    busted: tuple[str, ...],
    step: tuple[str, int, int],
) -> tuple[str, ...]:
    """Bust or correct a fill that is still kept, here and in the list; return what is busted."""
    kind, which, cents = step
    kept = [execution.fill.exec_id for execution in executions_of(house.position())]
    if not kept:
        return busted
    exec_id = kept[which % len(kept)]
    if kind == "bust":
        house.send(FillBust(account="A1", exec_id=exec_id))
        return (*busted, exec_id)
    house.send(FillCorrect(account="A1", exec_id=exec_id, price=cents / 100))
    for at, event in enumerate(events):
        if isinstance(event, Dealt) and event.exec_id == exec_id:
            events[at] = event._replace(price=Fraction(cents, 100))
    return tuple(one for one in busted if one != exec_id)  # A correction stands again.


LEGS = {"a": 1, "b": -1}  # A long one and a short one, side by side.


@settings(max_examples=80)
@given(steps=st.lists(MARKED | st.tuples(st.sampled_from("ab"), LEG_LOTS, PRICES), max_size=30))
def test_e39_every_leg_of_a_hedge_equals_a_list_of_its_own(steps):
    """Legs are opened, added to and closed by their names; one sees no fill of the other."""
    hedger = an_account(position_mode=PositionMode.HEDGING)
    house = a_core(quotes={}, accounts=(hedger,), settings=RiskSettings(mark="closing"))
    events: dict[str, list[Mark | Dealt]] = {"a": [], "b": []}
    held = dict.fromkeys(LEGS, 0)
    for number, (kind, one, cents) in enumerate(steps):
        if kind == "mark":
            bid, ask = Fraction(one, 100), Fraction(one + cents, 100)
            house.send(Tick(symbol="X", bid=float(bid), ask=float(ask)))
            for leg_events in events.values():
                leg_events.append(Mark(bid, ask))
            continue
        lots = LEGS[kind] * max(one, -held[kind])  # Never closes more than there is.
        if lots:
            held[kind] += LEGS[kind] * lots
            dealt = Dealt(f"e-{number}", Fraction(lots), Fraction(cents, 100))
            events[kind].append(dealt)
            house.send(replace(the_fill(dealt), position_id=kind))
    closed: list[SlowTrade] = []
    for leg, leg_events in events.items():
        ended, opened = slow_trades(leg_events, ())
        closed += ended
        require_leg(house, leg, opened)
    found = house.position().books.trades.closed
    assert sorted(x.best_money for x in found) == sorted(in_money(x.best) for x in closed)
    assert sorted(x.worst_money for x in found) == sorted(in_money(x.worst) for x in closed)


def require_leg(house: StampedCore, leg: str, expected: SlowTrade | None) -> None:
    boards, position = house.core.boards, house.position()
    assert (leg in position.books.legs) is (expected is not None)
    if expected is None:
        return
    stood_at = excursion(position, boards.quotes.quotes["X"], boards.instruments["X"], leg)
    assert stood_at is not None
    told = (stood_at.best_money, stood_at.worst_money)
    assert told == (in_money(expected.best), in_money(expected.worst))


@pytest.mark.parametrize(
    "late",
    [
        {"seq": 7, "bid": 50.0, "ask": 50.0},
        {"seq": 5, "bid": 50.0, "ask": 50.0},
        {"seq": 8, "bid": nan, "ask": 50.0},
        {"seq": 8, "bid": 51.0, "ask": 50.0},
    ],
    ids=["duplicate", "out-of-order", "not-a-number", "crossed"],
)
def test_e48_refused_tick_moves_no_profit_and_resets_no_excursion(late: dict[str, Any]):
    house = a_core()
    house.send(a_fill("e-1", "buy", 10))
    for seq, price in enumerate([103.0, 96.0, 101.0], 5):
        house.send(Tick(symbol="X", bid=price, ask=price, seq=seq))
    expected = Excursion(30 * MONEY, -40 * MONEY, 10 * MONEY)
    assert stood(house) == expected
    house.send(Tick(symbol="X", **late))
    assert stood(house) == expected
    house.send(Tick(symbol="X", bid=102.0, ask=102.0, seq=9))
    assert stood(house) == expected._replace(profit_money=20 * MONEY)


def test_position_filled_before_any_mark_has_stood_at_its_fills_alone():
    house = a_core(quotes={})
    house.send(a_fill("e-1", "buy", 10, 100.0))
    assert stood(house) == Excursion(0, 0, None)
    house.send(a_fill("e-2", "buy", 10, 98.0))
    assert stood(house) == Excursion(0, -20 * MONEY, None)


def test_flip_begins_a_trade_of_its_own_at_zero():
    house = a_core()
    house.send(a_fill("e-1", "buy", 10, 100.0))
    house.send(Tick(symbol="X", bid=105.0, ask=105.0))
    house.send(a_fill("e-2", "sell", 15, 104.0))
    (closed,) = house.position().books.trades.closed
    assert (closed.best_money, closed.worst_money) == (50 * MONEY, 0)
    assert closed.realized_money == 40 * MONEY
    assert stood(house) == Excursion(0, -5 * MONEY, -5 * MONEY)  # Short 5 at 104, the mark is 105.


def test_inverse_position_stands_best_where_its_coin_profit_is_best():
    """1,000 contracts of 100 dollars, short from 50,000: lower is better, in bitcoin."""
    house = a_core()
    house.send(a_fill("e-1", "sell", 1000, 50_000.0, symbol="P"))
    for price in (40_000.0, 62_500.0, 50_000.0):
        house.send(Tick(symbol="P", bid=price, ask=price))
    # 100,000 x (1 / 40,000 - 1 / 50,000) and 100,000 x (1 / 62,500 - 1 / 50,000).
    assert stood(house, "P") == Excursion(MONEY // 2, -4 * MONEY // 10, 0)


def test_closed_trades_are_forgotten_after_a_hundred_and_counted_for_ever():
    house = a_core()
    for number in range(CLOSED_MAX + 3):
        house.send(a_fill(f"b-{number}", "buy", 1, 100.0))
        house.send(a_fill(f"s-{number}", "sell", 1, 100.0 + number))
    trades = house.position().books.trades
    assert len(trades.closed) == CLOSED_MAX
    assert trades.closed[0].realized_money == 3 * MONEY
    assert trades.totals[""].count == CLOSED_MAX + 3


def test_ladder_survives_its_bytes():
    """Snapshot and digest keep it: versions are keys of a map there."""
    ladder = Ladder()
    ladder.take(1, 5, 6)
    ladder.move(None, 1)
    ladder.take(2, 4, 6)
    decoded = msgspec.json.decode(msgspec.json.encode(ladder), type=Ladder)
    assert decoded == ladder
    assert decoded.seen(1) == Seen(5, 4, 6, 6)
