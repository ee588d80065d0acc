"""Conflation leaves out ticks that nothing depends on: what stands and every extreme stay."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.conflation import Conflation
from engine.core import Core
from engine.facts import Watched
from engine.quote import Quote
from riskd.messages import RiskSettings, Tick
from tests.builders import OTHER_STOCK, STOCK, StampedCore, a_core

PRICES = st.one_of(st.integers(95, 105), st.sampled_from((None, nan, inf, -1.0, 0.0, 1e300)))
SIZES = st.sampled_from((None, 1.0, 0.0, -1.0, nan))


@st.composite
def ticks(draw: st.DrawFn) -> list[Tick]:
    """Draw ticks of two symbols and feeds: mostly sound ones, some odd in every way."""
    seqs: dict[tuple[str, str], int] = {}
    found = []
    for _ in range(draw(st.integers(0, 60))):
        symbol, feed = draw(st.sampled_from("XXXYZ")), draw(st.sampled_from(("", "", "", "f")))
        told: dict[str, Any] = {"symbol": symbol, "feed": feed}
        if draw(st.integers(0, 9)):
            bid = draw(st.integers(90, 110))
            told |= {"bid": bid, "ask": bid + draw(st.integers(0, 2))}
        else:
            told |= {name: draw(PRICES) for name in ("bid", "ask", "last")}
            told |= {name: draw(SIZES) for name in ("bid_size", "ask_size", "last_size")}
        if draw(st.booleans()):
            step = draw(st.sampled_from((1, 1, 1, 2, 0, -1)))
            seq = seqs[symbol, feed] = max(1, seqs.get((symbol, feed), 0) + step)
            told["seq"] = seq
        found.append(Tick(**told))
    return found


def a_market(mark: str) -> StampedCore:
    """Return a core that knows X and Y and follows the extremes of X."""
    settings = RiskSettings(mark=mark)
    house = a_core(quotes={}, instruments=(STOCK, OTHER_STOCK), settings=settings)
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    house.core.boards.quotes.watch(Watched("X", None, quote_of(house.core, "X").version))
    return house


def quote_of(core: Core, symbol: str) -> Quote:
    return core.boards.quotes.quotes[symbol]


def what_stands(core: Core, symbol: str) -> tuple[Any, ...]:
    """Return everything about a quote that is no count of marks and no instant."""
    quote = quote_of(core, symbol)
    prices = (quote.bid, quote.ask, quote.last, quote.mark_long, quote.mark_short)
    book = (quote.bid_is_empty, quote.ask_is_empty, quote.is_sound, quote.sound_mark)
    return (*prices, *book, dict(quote.feed_seqs), quote.gaps)


def refused(core: Core) -> dict[str, int]:
    return {key: n for key, n in core.tick_counts.items() if key not in ("applied", "conflated")}


@pytest.mark.parametrize("mark", ["mid", "closing", "last"])
@settings(max_examples=40)
@given(told=ticks())
def test_conflated_ticks_leave_what_stands_every_extreme_and_every_refusal(mark, told):
    each, few = a_market(mark), a_market(mark)
    conflation = Conflation(few.core.boards.quotes)
    for tick in told:
        each.send(tick)
        conflation.add(tick)
    assert conflation.count == len(told)
    stay = conflation.take()
    for tick in stay:
        few.send(tick)
    for symbol in ("X", "Y"):
        assert what_stands(few.core, symbol) == what_stands(each.core, symbol)
    ladders = [quote_of(house.core, "X").ladder for house in (each, few)]
    seen = [ladder.seen(next(iter(ladder.starts))) for ladder in ladders if ladder is not None]
    assert seen[0] == seen[1]
    assert refused(few.core) == refused(each.core)
    assert sum(few.core.tick_counts.values()) == sum(each.core.tick_counts.values())
    assert (conflation.count, conflation.take()) == (0, [])


def test_conflation_keeps_last_and_extremes_in_their_order_and_counts_the_rest():
    conflation = Conflation(a_market("mid").core.boards.quotes)
    bids = (100, 101, 105, 103, 98, 99, 100, 101)
    for seq, bid in enumerate(bids, 1):
        conflation.add(Tick(symbol="X", bid=float(bid), ask=bid + 1.0, seq=seq))
        conflation.add(Tick(symbol="Y", bid=50.0, ask=50.0))
    stay = conflation.take()
    told = [(tick.bid, tick.seq, tick.conflated) for tick in stay if tick.symbol == "X"]
    assert told == [(100.0, 1, 0), (105.0, 3, 1), (98.0, 5, 1), (101.0, 8, 2)]
    assert [(x.symbol, x.conflated) for x in stay if x.symbol == "Y"] == [("Y", 0), ("Y", 6)]


def test_gaps_are_counted_from_the_first_of_a_feed_also_if_the_next_are_left_out():
    house = a_market("mid")
    conflation = Conflation(house.core.boards.quotes)
    for seq in (1, 3, 4, 7):  # 2, 5 and 6 never came.
        conflation.add(Tick(symbol="X", bid=100.0, ask=101.0, seq=seq))
    stay = conflation.take()
    assert [(tick.seq, tick.conflated) for tick in stay] == [(1, 0), (3, 0), (7, 1)]
    house.send_all(*stay)
    assert quote_of(house.core, "X").gaps == 3


def test_conflation_leaves_out_no_tick_of_one_side_alone():
    conflation = Conflation(a_market("mid").core.boards.quotes)
    for bid in (98.0, 99.0, 97.0, 98.5):
        conflation.add(Tick(symbol="X", bid=bid))
    assert [tick.bid for tick in conflation.take()] == [98.0, 99.0, 97.0, 98.5]


@given(ticks())
def test_conflation_that_is_settled_in_parts_leaves_the_same_ticks(told):
    boards = [a_market("mid").core.boards.quotes for _ in range(2)]
    whole, parts = Conflation(boards[0]), Conflation(boards[1])
    for tick in told:
        whole.add(tick)
        parts.add(tick)
    steps = 1
    while not parts.settle(1):
        steps += 1
    assert steps == max(1, len({tick.symbol for tick in told}))
    assert parts.take() == whole.take()
    assert parts.count == 0
