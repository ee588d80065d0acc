"""Cumulative moves of a price: exact sliding extremes, and the check just under, at and over."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.core import Core
from engine.digest import decode_state, encode_state
from engine.moves import STRETCHES_MAX, Moves
from riskd.messages import (
    Amend,
    Configure,
    InstrumentAdd,
    InstrumentUpdate,
    LimitSet,
    LimitsSpec,
    PriceMove,
    Tick,
)
from tests.builders import (
    MS,
    SECOND,
    SPREAD,
    STOCK,
    StampedCore,
    a_core,
    a_fill,
    a_universe,
    an_order,
)
from tests.builders import codes_of as codes


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(-5, 5)), min_size=1, max_size=40),
    st.integers(1, 20),
    st.data(),
)
def test_extremes_are_those_of_every_price_that_stood_in_the_window(steps, kept_ns, data):
    moves, told, now_ns = Moves(kept_ns), [], 0
    for after_ns, price in steps:
        now_ns += after_ns
        moves.tell(price, now_ns)
        told.append((now_ns, price))
        asked_ns = data.draw(st.integers(1, kept_ns))
        at_ns = now_ns + data.draw(st.integers(0, 5))
        ends = [*(began_ns for began_ns, _ in told[1:]), at_ns + 1]
        stood = [x for (_, x), end in zip(told, ends, strict=True) if end > at_ns - asked_ns]
        assert moves.extremes(asked_ns, at_ns) == (min(stood), max(stood))


def test_extremes_of_too_many_prices_are_never_too_near():
    """A fall without end within the window: the bound holds, and the first high is not lost."""
    moves = Moves(10**9)
    count = 2 * STRETCHES_MAX
    for number in range(count):
        moves.tell(-number, number)
    assert len(moves.highs) == STRETCHES_MAX
    assert moves.extremes(10**9, count) == (1 - count, 0)
    assert Moves(5).extremes(5, 0) is None


def test_extremes_of_too_many_prices_hold_all_that_stood_in_the_window():
    """A fall by one each nanosecond: the highest of the window stood at its beginning."""
    kept_ns = STRETCHES_MAX + 500
    moves = Moves(kept_ns)
    for now_ns in range(3 * STRETCHES_MAX):
        moves.tell(-now_ns, now_ns)
        found = moves.extremes(kept_ns, now_ns)
        assert found is not None
        assert found[0] == -now_ns
        assert found[1] >= -max(0, now_ns - kept_ns)


MOVE = PriceMove(window_ms=60_000, pct=5.0)


def tell(house: StampedCore, *prices: float, symbol: str = "X", after_ns: int = 1000) -> None:
    for price in prices:
        house.send(Tick(symbol=symbol, bid=price, ask=price), after_ns)


@pytest.mark.parametrize(
    ("move", "prices", "expected"),
    [
        (MOVE, (100.0, 104.99), []),
        (MOVE, (100.0, 105.0), []),
        (MOVE, (100.0, 105.01), ["BREAKER_OPEN"]),
        (MOVE, (105.01, 100.0), ["BREAKER_OPEN"]),
        (MOVE, (105.0, 100.0, 105.0, 100.0), []),
        (MOVE, (102.0, 104.0, 98.0, 103.0), ["BREAKER_OPEN"]),  # Up 2, down 6, up 5.
        (PriceMove(window_ms=60_000, ticks=500), (100.0, 105.0), []),
        (PriceMove(window_ms=60_000, ticks=500), (105.01, 100.0), ["BREAKER_OPEN"]),
        (PriceMove(window_ms=60_000, pct=50, ticks=500), (105.01, 100.0), ["BREAKER_OPEN"]),
        (PriceMove(window_ms=60_000, pct=5, ticks=5000), (105.01, 100.0), ["BREAKER_OPEN"]),
    ],
)
def test_e11_price_may_move_as_far_as_its_limit_within_the_window(move, prices, expected):
    house = a_core(LimitsSpec(price_move=move), quotes={})
    tell(house, *prices)
    assert codes(house.send(an_order(price=100.0))) == expected


def test_refusal_of_a_move_names_its_numbers_and_lets_exits_and_other_symbols_pass():
    house = a_core(LimitSet(symbol={"X": LimitsSpec(price_move=MOVE)}))
    house.send(a_fill(quantity=5))
    tell(house, 110.0)
    verdict = house.send(an_order("o-1", price=110.0))
    (found,) = verdict.rejects
    assert (found.code, found.scope, found.scope_id) == ("BREAKER_OPEN", "symbol", "X")
    assert (found.limit_type, found.value, found.limit) == ("price_move", 10, 5)
    assert "at 100 and at 110 within 60 s" in found.text
    assert verdict.max_quantity == 0
    assert codes(house.send(an_order("flip", "sell", 6, price=110.0))) == ["BREAKER_OPEN"]
    assert codes(house.send(an_order("exit", "sell", 5, price=110.0))) == []
    assert codes(house.send(an_order("other", symbol="Y", price=50.0))) == []


@pytest.mark.parametrize(("after_ns", "expected"), [(-1, ["BREAKER_OPEN"]), (0, [])])
def test_move_is_over_when_the_price_before_it_has_left_the_window(after_ns, expected):
    """The price that stood until the jump counts: it stood in the window as long as it is in it."""
    house = a_core(LimitsSpec(price_move=MOVE), quotes={"X": (100.0, 100.0)})
    house.elapse(3600 * SECOND)
    tell(house, 110.0)
    jumped_ns = house.stamp.steady_ns
    assert codes(house.send(an_order("o-1", price=110.0))) == ["BREAKER_OPEN"]
    for _ in range(3):  # The same price goes on; it keeps the touch young.
        tell(house, 110.0, after_ns=19 * SECOND)
    span_ns = jumped_ns + 60 * SECOND + after_ns - house.stamp.steady_ns
    assert codes(house.send(an_order("o-2", price=110.0), span_ns)) == expected


def test_move_is_limited_by_every_scope_in_its_own_window():
    limits = LimitSet(
        default=LimitsSpec(price_move=PriceMove(window_ms=1000, pct=2)),
        symbol={"X": LimitsSpec(price_move=MOVE)},
    )
    house = a_core(limits)
    tell(house, 103.0)
    assert codes(house.send(an_order("o-1", price=103.0))) == ["BREAKER_OPEN"]
    tell(house, 103.0, after_ns=1000 * MS)
    assert codes(house.send(an_order("o-2", price=103.0))) == []
    tell(house, 105.5, after_ns=1000 * MS)
    refused = house.send(an_order("o-3", price=105.5), 1000 * MS)
    assert (codes(refused), refused.rejects[0].scope) == (["BREAKER_OPEN"], "symbol")


@pytest.mark.parametrize("middle", [-1.0, 0.0, 1.0])
def test_e13_move_of_an_instrument_that_may_be_negative_is_in_ticks_alone(middle):
    move = PriceMove(window_ms=60_000, pct=0.001, ticks=20)
    house = a_core(LimitsSpec(price_move=move), quotes={"S": (middle, middle)})
    told: dict[str, Any] = {"symbol": "S", "price": middle}
    tell(house, round(middle + 2, 1), symbol="S")
    assert codes(house.send(an_order("at", **told))) == []
    tell(house, round(middle - 0.1, 1), symbol="S")
    assert codes(house.send(an_order("over", **told))) == ["BREAKER_OPEN"]


def test_change_of_an_order_that_adds_nothing_passes_while_the_price_moves():
    house = a_core(LimitsSpec(price_move=MOVE))
    assert house.send(an_order("o-1", quantity=5)).approved
    tell(house, 110.0)

    def amended(**fields: Any) -> list[str]:
        return codes(house.send(Amend(account="A1", client_order_id="o-1", **fields)))

    assert amended(quantity=6.0) == ["BREAKER_OPEN"]
    assert amended(quantity=4.0) == []


def test_instrument_that_may_not_be_negative_any_more_is_judged_without_a_percentage_of_zero():
    house = a_core(LimitsSpec(price_move=PriceMove(window_ms=60_000, pct=5.0, ticks=100.0)))
    for price in (0.0, 1.0):
        house.send(Tick(symbol="S", bid=price, ask=price))
    house.send(InstrumentUpdate(instrument=replace(SPREAD, allow_negative=False)))
    assert codes(house.send(an_order("o-1", symbol="S", price=1.0))) == []


def test_moves_are_kept_only_where_they_are_limited():
    house = a_core(LimitSet(symbol={"X": LimitsSpec(price_move=MOVE)}))
    quotes = house.core.boards.quotes.quotes
    assert (quotes["X"].moves is None, quotes["Y"].moves is None) == (False, True)
    house.send(Configure(universe=a_universe()))
    assert quotes["X"].moves is None
    house.send(Configure(universe=a_universe(LimitsSpec(price_move=MOVE))))
    house.send(InstrumentAdd(instrument=replace(STOCK, symbol="NEW")))
    assert all(quote.moves is not None for quote in quotes.values())
    tell(house, 110.0)  # From the price that stood when it began to be kept.
    assert codes(house.send(an_order("o-1", price=110.0))) == ["BREAKER_OPEN"]


def test_restored_engine_remembers_how_far_the_price_moved():
    house = a_core(LimitsSpec(price_move=MOVE))
    tell(house, 103.0, 99.0, 101.0)
    restored = Core()
    restored.restore(decode_state(encode_state(house.core.state())))
    assert encode_state(restored.state()) == encode_state(house.core.state())
    house.core = restored
    tell(house, 104.0)
    assert codes(house.send(an_order("o-1", price=104.0))) == ["BREAKER_OPEN"]
