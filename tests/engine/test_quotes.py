"""The quote board against a tiny model: what stands, what is refused, what it is marked at."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.facts import Stamp
from engine.instruments import Instrument
from engine.quotes import FEEDS_MAX, QuoteBoard, TickOutcome
from engine.views import instruments_view
from riskd.messages import MarketPhase, MarketState, RiskSettings, Tick, Ticks
from tests.builders import MS, SPREAD, STOCK, a_core, a_fill, an_order, codes_of

PRICES = st.sampled_from([None, None, 98.0, 99.0, 100.0, 101.0, 100.005, 0.0, -1.0, 1e300])
TICKS = st.lists(
    st.fixed_dictionaries(
        {
            "bid": PRICES,
            "ask": PRICES,
            "last": PRICES,
            "seq": st.one_of(st.none(), st.integers(0, 6)),
            "feed": st.sampled_from(["", "b"]),
        }
    ),
    max_size=25,
)


def a_board(mark: str = "mid", spec=STOCK) -> QuoteBoard:
    board = QuoteBoard(RiskSettings(mark=mark))
    board.add(Instrument(spec, 5000))
    return board


def mark_of(model: dict[str, float], mark: str) -> tuple[float | None, float | None]:
    """What a long and a short position are valued at."""
    bid, ask, last = (model.get(name) for name in ("bid", "ask", "last"))
    if mark == "last" and last is not None:
        return last, last
    if bid is not None and ask is not None:
        return (bid, ask) if mark == "closing" else ((bid + ask) / 2, (bid + ask) / 2)
    found = next((x for x in (last, bid, ask) if x is not None), None)
    return found, found


@settings(max_examples=300, deadline=None, database=None)
@given(ticks=TICKS, mark=st.sampled_from(["mid", "closing", "last"]))
def test_quote_board_agrees_with_a_tiny_model(ticks, mark):
    """Refused whole or taken whole; what is absent stands; late and repeated are nothing."""
    board, model = a_board(mark), dict[str, float]()
    seqs: dict[str, int] = {}
    touched_ns = gaps = 0
    for now_ns, fields in enumerate(ticks, 1):
        given_prices = {k: fields[k] for k in ("bid", "ask", "last") if fields[k] is not None}
        seq, seen = fields["seq"], seqs.get(fields["feed"])
        merged: dict[str, Any] = model | given_prices
        if seq is not None and seen is not None and seq <= seen:
            expected = TickOutcome.DUPLICATE if seq == seen else TickOutcome.OUT_OF_ORDER
        elif not given_prices:
            expected = TickOutcome.EMPTY
        elif any(not 0 < price < 1e13 for price in given_prices.values()):
            expected = TickOutcome.VALUE_INVALID
        elif merged.get("bid", 0) > merged.get("ask", 1e300):
            expected = TickOutcome.CROSSED
        else:
            expected = TickOutcome.APPLIED
            model = merged
            if "bid" in given_prices or "ask" in given_prices:
                touched_ns = now_ns
        if seq is not None and (seen is None or seq > seen):  # Seen, even if it is refused.
            gaps += 0 if seen is None else seq - seen - 1
            seqs[fields["feed"]] = seq
        outcome = board.apply_tick(Tick(symbol="X", **fields), Stamp(now_ns, now_ns, now_ns))
        assert outcome == expected
        quote = board.quotes["X"]
        told = {"bid": quote.bid, "ask": quote.ask, "last": quote.last}
        assert {k: v / 100_000 for k, v in told.items() if v is not None} == model
        assert (quote.touch_steady_ns, quote.gaps) == (touched_ns, gaps)
        long, short = mark_of(model, mark)
        assert quote.mark_long == (None if long is None else pytest.approx(long * 100_000, abs=1))
        assert quote.mark_short == (None if short is None else pytest.approx(short * 1e5, abs=1))


def test_quote_of_unknown_symbol_is_counted_and_changes_nothing():
    house = a_core()
    digest = house.books()
    house.send(Tick(symbol="NOPE", bid=1.0))
    house.send(MarketState(symbol="NOPE", state=MarketPhase.CLOSED))
    assert house.core.tick_counts["unknown_symbol"] == 2
    assert house.books() == digest


def test_quote_of_one_feed_more_than_may_be_is_refused():
    board = a_board()
    for number in range(FEEDS_MAX + 1):
        tick = Tick(symbol="X", bid=100.0, seq=1, feed=f"f-{number}")
        outcome = board.apply_tick(tick, Stamp(1, 1, 1))
        assert (outcome is TickOutcome.APPLIED) is (number < FEEDS_MAX)
    assert outcome is TickOutcome.TOO_MANY_FEEDS


def test_quote_batch_is_applied_in_order_and_a_bad_tick_stops_nothing():
    house = a_core(quotes={})
    house.send(
        Ticks(
            ticks=[
                Tick(symbol="X", bid=100.0, ask=101.0),
                Tick(symbol="X", bid=102.0),
                Tick(symbol="X", ask=103.0),
                Tick(symbol="X", bid=102.0),
            ]
        )
    )
    assert (house.core.tick_counts["applied"], house.core.tick_counts["crossed"]) == (3, 1)
    quote = house.core.state().quotes["X"]
    assert (quote.bid, quote.ask) == (102_00_000, 103_00_000)


def test_quote_of_a_spread_may_be_negative_and_is_crossed_all_the_same():
    board = a_board(spec=SPREAD)
    stamp = Stamp(1, 1, 1)
    assert board.apply_tick(Tick(symbol="S", bid=-2.0, ask=-1.0), stamp) is TickOutcome.APPLIED
    assert board.apply_tick(Tick(symbol="S", bid=-0.5), stamp) is TickOutcome.CROSSED
    assert board.quotes["S"].mark_long == -15 * 1000


@pytest.mark.parametrize(
    ("phase", "codes"),
    [("open", []), ("auction", []), ("closed", ["MARKET_CLOSED"]), ("halted", ["MARKET_CLOSED"])],
)
def test_quote_phase_decides_whether_orders_pass_and_fills_are_booked_in_any(phase, codes):
    house = a_core()
    house.send(MarketState(symbol="X", state=MarketPhase(phase)))
    assert codes_of(house.send(an_order())) == codes
    house.send(a_fill(quantity=2))
    assert house.position().books.lots == 2
    assert codes_of(house.send(an_order("o-2", symbol="Y", price=50.0))) == []


def test_e48_late_and_repeated_ticks_do_not_move_profit():
    house = a_core(quotes={})
    house.send(Tick(symbol="X", bid=100.0, ask=100.0, seq=5))
    house.send(a_fill(quantity=10, price=100.0))
    house.send(Tick(symbol="X", bid=101.0, ask=101.0, seq=7))
    for seq in (7, 6, 1):
        house.send(Tick(symbol="X", bid=50.0, ask=50.0, seq=seq))
    valuation = house.core.accounts["A1"].valuation
    assert valuation.refresh() is None
    assert valuation.equity_money == (1_000_000 + 10) * 10**12
    assert house.core.state().quotes["X"].gaps == 1


@pytest.mark.parametrize(
    ("after_ms", "grade"),
    [(0, "fresh"), (5000, "fresh"), (5001, "stale"), (60_000, "stale"), (60_001, "old")],
)
def test_price_is_graded_by_its_age_and_no_price_is_none(after_ms: int, grade: str):
    ages = RiskSettings(stale_after_ms=5000, mark_after_ms=60_000)
    house = a_core(quotes={"X": (100.0, 100.0)}, settings=ages)
    rows = instruments_view(house.core.boards, house.stamp.recv_ns + after_ms * MS)
    graded = {row["symbol"]: (row["grade"], row["age_ns"]) for row in rows}
    assert graded["X"] == (grade, after_ms * MS)
    assert graded["Y"] == ("none", None)
