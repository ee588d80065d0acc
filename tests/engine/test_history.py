"""The history of an account's equity: bounded, coarser with time, every extreme kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.history import STRETCHES_MAX, History
from engine.measures import history_of
from riskd.messages import RiskSettings, Tick, Transfer
from tests.builders import SECOND, a_core, a_fill, an_account

EQUITIES = st.lists(st.integers(-1000, 1000), max_size=1000)


@given(equities=EQUITIES)
def test_history_is_bounded_and_keeps_first_last_highest_and_lowest(equities):
    history = History()
    for number, equity in enumerate(equities):
        history.note(number, equity + 0.5, equity - 0.5, float(equity))
    found = history.stretches()
    assert len(found) <= STRETCHES_MAX
    assert [x.from_ns for x in found] == sorted(x.from_ns for x in found)
    if equities:
        assert found[0].from_ns == 0
        assert found[-1].last == equities[-1]
        assert max(x.high for x in found) == max(equities) + 0.5
        assert min(x.low for x in found) == min(equities) - 0.5


@given(equities=st.lists(st.integers(-1000, 1000), min_size=1, max_size=700))
def test_history_stretches_tell_the_extremes_of_their_own_time(equities):
    history = History()
    for number, equity in enumerate(equities):
        history.note(number, float(equity), float(equity), float(equity))
    starts = [x.from_ns for x in history.stretches()]
    for stretch, end in zip(history.stretches(), [*starts[1:], len(equities)], strict=True):
        of_it = equities[stretch.from_ns : end]
        told = (stretch.high, stretch.low, stretch.last)
        assert told == (max(of_it), min(of_it), of_it[-1])


def test_sweep_notes_peaks_and_lows_that_came_and_went_between_two_looks():
    settings = RiskSettings(sweep_ms=1000, stale_after_ms=10**9)
    house = a_core(accounts=(an_account(balance=1000.0),), settings=settings)
    house.send(a_fill("e", "buy", 10, 100.0))
    house.elapse(SECOND)
    for price in (100.0, 130.0, 90.0, 101.0):
        house.send(Tick(symbol="X", bid=price, ask=price))
    house.elapse(SECOND)
    house.elapse(SECOND)
    found = history_of(house.core.accounts["A1"])
    assert [(x.high, x.low, x.last) for x in found] == [
        (1000.0, 1000.0, 1000.0),
        (1300.0, 900.0, 1010.0),
        (1010.0, 1010.0, 1010.0),
    ]


def test_transfer_is_a_step_of_the_history_and_no_peak_of_it():
    settings = RiskSettings(sweep_ms=1000, stale_after_ms=10**9)
    house = a_core(accounts=(an_account(balance=1000.0),), settings=settings)
    house.send(a_fill("e", "buy", 10, 100.0))
    for price in (130.0, 100.0):
        house.send(Tick(symbol="X", bid=price, ask=price))
    house.elapse(SECOND)
    house.send(Transfer(account="A1", transfer_id="t", amount=500.0))
    house.elapse(SECOND)
    assert [x.high for x in history_of(house.core.accounts["A1"])] == [1300.0, 1500.0]
