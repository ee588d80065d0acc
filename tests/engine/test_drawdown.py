"""Drawdown: peaks, troughs and falls on every tick, days and weeks taken together, transfers."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import Core
from engine.digest import decode_state, encode_state, state_digest
from engine.drawdown import Span, drawdown_of, span_at, with_day
from engine.sweep import drift_of
from riskd.messages import LimitsSpec, SessionRoll, Tick, Transfer
from tests.builders import (
    MONEY,
    SECOND,
    WALL_NS,
    StampedCore,
    a_core,
    a_fill,
    an_account,
    an_order,
    codes_of,
)

PRICES = st.lists(st.integers(9000, 11000), min_size=1, max_size=40)  # Cents.


def slow_span(equities: list[int]) -> tuple[int, int, int]:
    """Return peak, trough since the last touch of the peak, and the deepest fall of all."""
    peak, deepest = equities[0], 0
    for equity in equities:
        peak = max(peak, equity)
        deepest = max(deepest, peak - equity)
    last = max(n for n, equity in enumerate(equities) if equity == peak)
    return peak, min(equities[last:]), deepest


def told(span: Span | None) -> tuple[int, int, int]:
    assert span is not None
    deepest = max(span.fall_money, span.peak_money - span.trough_money)
    return span.peak_money, span.trough_money, deepest


def day_of(house: StampedCore, account: str = "A1") -> Span:
    day = house.core.accounts[account].water.day()
    assert day is not None
    return day


def life_of(house: StampedCore, account: str = "A1") -> Span:
    life = house.core.accounts[account].water.life()
    assert life is not None
    return life


def tick(house: StampedCore, price: float, symbol: str = "X") -> None:
    house.send(Tick(symbol=symbol, bid=price, ask=price))


@given(days=st.lists(st.lists(st.integers(-50, 50), min_size=1, max_size=8), min_size=1))
def test_days_taken_together_equal_one_look_at_every_equity(days):
    """Peak, trough and deepest fall of a span need no more of each day than its own and its low."""
    span: Span | None = None
    seen: list[int] = []
    for equities in days:
        day = span_at(equities[0], len(seen))
        if span is None:
            span = span_at(equities[0], 0)
        for number, equity in enumerate(equities):
            day.note(equity, len(seen) + number)
        seen += equities
        taken = with_day(span, day, min(equities))
        assert told(taken) == slow_span(seen)
        last = max(n for n, equity in enumerate(seen) if equity == max(seen))
        assert taken.peak_ns == last
        span = taken


@pytest.mark.parametrize("holders", [1, 3, 48])
@given(prices=PRICES, lots=st.integers(-9, 9).filter(bool))
def test_peaks_troughs_and_falls_are_exact_after_every_tick(holders, prices, lots):
    """Few holders go through a plain loop, many through numpy: the figures are the same."""
    names = [f"A{number}" for number in range(holders)]
    house = a_core(accounts=tuple(an_account(name) for name in names))
    for number, name in enumerate(names):
        side = "buy" if lots > 0 else "sell"
        house.send(a_fill("e", side, abs(lots) + number, 100.0, account=name))
    seen = [0]
    for cents in prices:
        tick(house, cents / 100)
        seen.append(cents * MONEY // 100 - 100 * MONEY)
        for number, name in enumerate(names):
            held = lots + number if lots > 0 else lots - number
            equities = [1_000_000 * MONEY + held * change for change in seen]
            water = house.core.accounts[name].water
            expected = slow_span(equities)
            assert told(water.day()) == told(water.week()) == told(water.life()) == expected
            assert water.state.equity_money == equities[-1]


@given(
    moves=st.lists(st.tuples(st.sampled_from("XYEJP"), st.integers(-300, 300)), max_size=30),
    currency=st.sampled_from(["USD", "EUR", "JPY", "BTC"]),
)
def test_equity_of_the_book_is_within_its_bound_of_the_exact_one(moves, currency):
    """Stocks, a pair, a yen stock and an inverse contract, in an account of any currency."""
    unit = {"USD": 50_000, "EUR": 40_000, "JPY": 5_000_000, "BTC": 1}  # Of the finest, bitcoin.
    symbols = {"X": "X", "Y": "Y", "E": "EURUSD", "J": "USDJPY", "P": "P"}
    quotes = {"X": 100.0, "Y": 50.0, "EURUSD": 1.25, "USDJPY": 100.0, "P": 50_000.0}
    house = a_core(accounts=(an_account(currency=currency),))
    for number, symbol in enumerate(["X", "Y", "EURUSD", "J", "P"]):
        side = "buy" if number % 2 else "sell"
        price = {**quotes, "J": 1000.0}[symbol]
        house.send(a_fill(f"e{number}", side, 7 + number, price, symbol=symbol))
    account = house.core.accounts["A1"]
    seen = [account.valuation.equity_money]
    for key, bps in moves:
        symbol = symbols[key]
        quotes[symbol] = round(quotes[symbol] * (1 + bps / 10_000), 3)
        tick(house, quotes[symbol], symbol)
        assert account.valuation.refresh() is None
        seen.append(account.valuation.equity_money)
        account.water.settle()
        bound = unit[currency] * len(seen)  # One unit a step.
        assert abs((account.water.state.equity_money or 0) - seen[-1]) <= bound
        for now, exact in zip(told(account.water.day()), slow_span(seen), strict=True):
            assert abs(now - exact) <= 2 * bound


def test_e53_transfers_move_the_peaks_and_are_neither_profit_nor_drawdown():
    house = a_core(accounts=(an_account(balance=1000.0),))
    house.send(a_fill("e", "buy", 10, 100.0))
    tick(house, 110.0)
    tick(house, 105.0)
    account = house.core.accounts["A1"]
    assert account.drawdown_pct() == pytest.approx(50 / 1100 * 100)
    house.send(Transfer(account="A1", transfer_id="t1", amount=900.0))
    day = drawdown_of(day_of(house), account.valuation.equity_money, 0)
    assert (day.money, day.peak_money) == (50 * MONEY, 2000 * MONEY)
    assert (day.trough_money, day.recovered_money) == (1950 * MONEY, 0)
    assert account.day_pnl_money() == 50 * MONEY
    house.send(Transfer(account="A1", transfer_id="t2", amount=-1500.0))
    life = drawdown_of(life_of(house), account.valuation.equity_money, 0)
    assert (life.money, life.peak_money, life.deepest_money) == (
        50 * MONEY,
        500 * MONEY,
        50 * MONEY,
    )


def test_e53_transfer_in_a_currency_without_a_rate_moves_the_peaks_once_it_has_one():
    house = a_core(quotes={"X": (100.0, 100.0)}, accounts=(an_account(balance=1000.0),))
    house.send(Transfer(account="A1", transfer_id="t1", amount=100.0, currency="EUR"))
    account = house.core.accounts["A1"]
    assert account.drawdown_pct() is None
    tick(house, 1.25, "EURUSD")
    assert account.drawdown_pct() == 0.0
    assert life_of(house).opened_money == 1125 * MONEY
    tick(house, 1.0, "EURUSD")  # Held in euros since, it is at risk as anything else.
    account.valuation.refresh()
    assert account.drawdown_pct() == pytest.approx(25 / 1125 * 100)


def test_e50_day_begins_its_peak_anew_and_keeps_that_of_the_week():
    house = a_core(accounts=(an_account(balance=1000.0),))
    house.send(a_fill("e", "buy", 10, 100.0))
    for price in (120.0, 90.0, 100.0):
        tick(house, price)
    assert house.send(SessionRoll(account="A1")).ok
    tick(house, 95.0)
    water = house.core.accounts["A1"].water
    assert told(water.day()) == (1000 * MONEY, 950 * MONEY, 50 * MONEY)
    assert told(water.week()) == (1200 * MONEY, 900 * MONEY, 300 * MONEY)
    assert told(water.life()) == (1200 * MONEY, 900 * MONEY, 300 * MONEY)


def test_drawdown_tells_time_under_water_recovery_and_its_factor():
    span = span_at(1000 * MONEY, 5)
    for number, equity in enumerate((1200, 900, 1050)):
        span.note(equity * MONEY, 10 * (number + 1))
    found = drawdown_of(span, 1050 * MONEY, 100)
    assert (found.money, found.pct) == (150 * MONEY, 12.5)
    assert (found.since_ns, found.under_water_ns) == (10, 90)
    assert (found.recovered_money, found.recovered_pct) == (150 * MONEY, 50.0)
    assert found.recovery_factor == pytest.approx(float(Fraction(50, 300)))
    at_peak = drawdown_of(span_at(0, 5), 0, 9)
    assert (at_peak.pct, at_peak.since_ns, at_peak.recovery_factor) == (None, None, None)


@pytest.mark.parametrize("key", ["drawdown_day_pct", "drawdown_week_pct", "drawdown_max_pct"])
def test_e11_drawdown_refuses_at_the_limit_what_could_increase_risk(key):
    """9.9999 % passes; 10 %, at the limit, only what reduces. The peak was between two orders."""
    house = a_core(msgspec.convert({key: 10}, LimitsSpec), accounts=(an_account(balance=1000.0),))
    house.send(a_fill("e", "buy", 10, 100.0))
    tick(house, 200.0)
    house.send(Tick(symbol="X", bid=180.0, ask=180.002))
    assert codes_of(house.send(an_order("under", price=180.0))) == []
    tick(house, 180.0)
    verdict = house.send(an_order("at", price=180.0))
    assert codes_of(verdict) == ["DRAWDOWN"]
    assert (verdict.rejects[0].value, verdict.rejects[0].limit) == (10, 10)
    assert verdict.rejects[0].limit_type == key
    assert codes_of(house.send(an_order("reduces", "sell", 9, price=180.0))) == []
    house.send(SessionRoll(account="A1"))
    again = codes_of(house.send(an_order("again", price=180.0)))
    assert again == ([] if key == "drawdown_day_pct" else ["DRAWDOWN"])


def test_e07_restored_state_goes_on_with_the_same_peaks_to_the_unit():
    house = a_core(accounts=(an_account(), an_account("A2", currency="EUR")))
    for name in ("A1", "A2"):
        house.send(a_fill("e", "buy", 7, 99.0, account=name))
        house.send(a_fill("f", "sell", 3, 1.3, account=name, symbol="EURUSD"))
        house.send(Transfer(account=name, transfer_id="t", amount=333.33, currency="JPY"))
    prices = [101.37, 99.01, 103.0, 98.55, 104.11, 97.0]
    for number, price in enumerate(prices):
        tick(house, price)
        tick(house, 1.2 + number / 37, "EURUSD")
    other = StampedCore(Core())
    other.core.restore(decode_state(encode_state(house.core.state())))
    other.stamp = house.stamp
    for number, price in enumerate([*prices, 120.0, 80.0]):
        for one in (house, other):
            tick(one, price)
            tick(one, round(1.31 - number / 41, 5), "EURUSD")
            tick(one, 100.0 + number / 7, "USDJPY")
    assert state_digest(house.core.state()) == state_digest(other.core.state())
    assert house.core.accounts["A2"].water.life() == other.core.accounts["A2"].water.life()


def test_peak_remembers_when_it_was_last_touched():
    house = a_core()
    house.send(a_fill("e", "buy", 10, 100.0))
    tick(house, 110.0)
    at_ns = house.stamp.recv_ns
    house.elapse(5 * SECOND)
    tick(house, 100.0)
    assert day_of(house).peak_ns == at_ns
    assert at_ns > WALL_NS


def test_e48_late_and_repeated_ticks_move_no_equity_and_no_peak():
    house = a_core()
    house.send(a_fill("e", "buy", 10, 100.0))
    for seq, price in ((1, 101.0), (3, 105.0), (4, 103.0)):
        house.send(Tick(symbol="X", bid=price, ask=price, seq=seq, feed="f"))
    before = day_of(house), house.account().water.equity_money
    for seq, price in ((2, 999.0), (4, 1.0), (3, 50.0)):
        house.send(Tick(symbol="X", bid=price, ask=price, seq=seq, feed="f"))
    assert (day_of(house), house.account().water.equity_money) == before
    assert told(day_of(house))[0] == 1_000_050 * MONEY


@pytest.mark.parametrize("currency", ["USD", "EUR", "JPY"])
def test_drift_of_the_book_over_a_long_random_run_stays_far_within_its_bound(currency):
    """Twenty thousand steps through rates, through an inverse contract, without one sweep."""
    random = Random(currency)
    house = a_core(accounts=(an_account(currency=currency, balance=100_000.0),))
    prices = {"X": 100.0, "EURUSD": 1.25, "USDJPY": 100.0, "P": 50_000.0, "BTCUSD": 50_000.0}
    for number, symbol in enumerate(prices):
        side = "buy" if number % 2 else "sell"
        fill = a_fill(f"e{number}", side, 100 + number, prices[symbol], symbol=symbol)
        house.send(fill)
    account = house.core.accounts["A1"]
    for _ in range(20_000):
        symbol = random.choice(list(prices))
        prices[symbol] = round(prices[symbol] * random.choice((0.9997, 1.0003)), 3)
        tick(house, prices[symbol], symbol)
    drift = drift_of(account)
    assert drift is not None
    assert drift.money * 10 <= drift.bound_money
    assert house.core.boards.sweep.rounds == 0
