"""Guards: prices alone carry measures over thresholds; each crossing is said, and said once."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.core import Core
from engine.digest import decode_state, encode_state, state_digest
from engine.exposure import margin_rate_max
from engine.facts import SUSPENSE, Stood
from engine.guards import guards_of, margin_level_pct, read
from engine.limits import Owner
from engine.sweep import drift_of
from engine.watch import figures_of
from riskd.messages import (
    Alert,
    Configure,
    InstrumentSpec,
    InstrumentUpdate,
    LimitSet,
    LimitsSpec,
    LimitValue,
    MarginModel,
    RiskSettings,
    SessionRoll,
    Severity,
    Sweep,
    Tick,
)
from tests.builders import MONEY, SECOND, StampedCore, a_core, a_fill, a_universe, an_account
from tests.engine.random_inputs import Inputs

FOREVER_MS = 10**9
PATIENT = RiskSettings(dwell_ms=FOREVER_MS)
KINDS = ("daily_loss", "drawdown", "exposure", "leverage", "concentration", "margin_state")


def tick(house: StampedCore, price: float, symbol: str = "X") -> None:
    house.send(Tick(symbol=symbol, bid=price, ask=price))
    house.catch_up()


def a_house(limits: dict[str, Any], *, lots: int = 10, balance: float = 1000.0) -> StampedCore:
    """Return a core whose A1 holds ten X bought at 100; it needs a tenth as margin."""
    account = an_account(balance=balance, margin_model=MarginModel.LEVERAGE, leverage=10.0)
    house = a_core(msgspec.convert(limits, LimitsSpec), accounts=(account,))
    house.send(a_fill("e", "buy" if lots > 0 else "sell", abs(lots), 100.0))
    house.published.clear()
    return house


def said(house: StampedCore) -> list[tuple[str, Severity]]:
    found = [topical.message for topical in house.published]
    return [(x.alert_type, x.severity) for x in found if isinstance(x, Alert)]


@pytest.mark.parametrize(
    ("limits", "safe", "passed", "alert_type"),
    [
        ({"daily_loss": 100}, 90.01, 90.0, "daily_loss"),  # At its limit, as for orders.
        ({"drawdown_day_pct": 10}, 90.01, 90.0, "drawdown"),
        ({"drawdown_week_pct": 10}, 90.01, 90.0, "drawdown"),
        ({"drawdown_max_pct": 10}, 90.01, 90.0, "drawdown"),
        ({"gross_exposure": 1100}, 110.0, 110.01, "exposure"),
        ({"net_exposure": 1100}, 110.0, 110.01, "exposure"),
        ({"leverage": 2}, 100.0, 100.01, "leverage"),
        ({"concentration_pct": 80}, 100.0, 100.01, "concentration"),
        ({"margin_stopout_pct": 100}, 10.01, 10.0, "margin_state"),
    ],
)
def test_e47_mark_moves_alone_breach_a_limit_and_say_so_at_that_tick(
    limits, safe, passed, alert_type
):
    """No order arrives. Just at the threshold it is safe, one tick on it is not."""
    lots, balance = 10, 1000.0
    if alert_type == "leverage":  # Short ten of a hundred against five hundred: twice.
        lots, balance = -10, 500.0
    if alert_type == "concentration":  # A fifth of the equity is cash at a price of 100.
        balance = 1250.0
    if alert_type == "margin_state":  # A loss of 90 each leaves 100 of 1,000, and needs 100 / 10.
        balance = 910.0
    (key, value), *_ = limits.items()
    told = value if key.startswith("margin") else LimitValue(value=value, warning=100, critical=100)
    house = a_house({key: msgspec.to_builtins(told)}, lots=lots, balance=balance)
    tick(house, safe)
    assert said(house) == []
    tick(house, passed)
    assert [name for name, _ in said(house)] == [alert_type]
    tick(house, passed)
    tick(house, passed + (0.01 if passed > safe else -0.01))
    assert len(said(house)) == 1


def test_e79_one_price_that_crosses_every_threshold_is_one_alert_at_the_worst_level():
    house = a_house({"daily_loss": 100})
    tick(house, 50.0)
    (alert,) = house.alerts("daily_loss")
    assert (alert.severity, alert.value, alert.threshold) == (Severity.CRITICAL, 500.0, 100.0)
    assert "warning and critical" in alert.message
    assert alert.account == "A1"


def test_crossings_go_up_the_ladder_one_alert_each():
    house = a_house({"daily_loss": 100})
    for price, severity in ((92.0, "medium"), (91.0, "high"), (90.0, "critical")):
        tick(house, price + 0.01)
        before = len(said(house))
        tick(house, price)
        assert [str(level) for _, level in said(house)[before:]] == [severity]
    assert [alert.threshold for alert in house.alerts("daily_loss")] == [80.0, 90.0, 100.0]


def test_margin_state_names_its_levels_and_the_level_is_undefined_without_margin():
    keys = {"margin_warning_pct": 150, "margin_critical_pct": 120, "margin_stopout_pct": 100}
    house = a_house(keys, lots=100, balance=2000.0)  # Uses 1,000 of 2,000.
    for number, price in enumerate((94.12, 94.11, 90.91, 90.9, 88.89, 88.88)):
        tick(house, price)
        assert len(said(house)) == (number + 1) // 2
    levels = [(str(level), alert) for alert, level in said(house)]
    assert levels == [(x, "margin_state") for x in ("medium", "critical", "extreme")]
    house.send(a_fill("out", "sell", 100, 88.88))
    assert margin_level_pct(figures_of(house.core.accounts["A1"], 0.0)) is None


def test_e68_level_that_oscillates_is_one_alert_until_it_has_recovered_and_stayed():
    """Left only five points above the threshold, and after ten seconds there."""
    house = a_house({"margin_warning_pct": 150}, lots=100, balance=2000.0)
    under, over, well_over = 94.0, 94.2, 94.8  # 148.9, 150.7, 156.1 %.
    for price in (under, over, under, over, under, well_over, under, well_over):
        tick(house, price)
    assert len(house.alerts("margin_state")) == 1
    house.elapse(9 * SECOND)
    tick(house, under)  # It did not stay.
    tick(house, well_over)
    house.elapse(9 * SECOND)
    assert house.account().water.standings["margin"].level == 1
    house.elapse(2 * SECOND)
    assert house.account().water.standings == {}
    tick(house, under)
    told = [alert.status for alert in house.alerts("margin_state")]
    assert told == ["raised", "resolved", "raised"]


def test_standing_falls_back_to_where_the_measure_is_and_no_further():
    house = a_house({"daily_loss": 100})
    tick(house, 89.0)
    tick(house, 91.6)  # 84 lost: still a warning.
    house.elapse(11 * SECOND)
    assert house.account().water.standings["daily_loss"].level == 1
    told = [(alert.status, str(alert.severity)) for alert in house.alerts("daily_loss")]
    assert told == [("raised", "critical"), ("repeated", "medium")]


def test_day_that_begins_forgets_the_losses_of_the_day_before():
    house = a_house({"daily_loss": 100, "drawdown_max_pct": 10})
    tick(house, 80.0)
    assert len(said(house)) == 2
    house.elapse(2 * SECOND)
    house.send(SessionRoll())
    assert list(house.account().water.standings) == ["drawdown_max_pct"]
    tick(house, 71.0)
    tick(house, 70.0)
    told = [(alert.status, str(alert.severity)) for alert in house.alerts("daily_loss")]
    first, ended = ("raised", "critical"), ("resolved", "critical")
    assert told == [first, ended, ("raised", "high"), ("raised", "critical")]


@settings(deadline=None)
@given(
    moves=st.lists(st.tuples(st.sampled_from("XY"), st.integers(-400, 400)), max_size=60),
    lots=st.tuples(st.integers(-12, 12), st.integers(-12, 12)),
    limit=st.integers(1, 30),
)
@pytest.mark.parametrize("accounts", [1, 48])
def test_no_crossing_is_missed_and_none_is_said_twice(accounts, moves, lots, limit):
    """Against every measure made anew, from prices alone, of every account at every tick."""
    names = [f"A{number}" for number in range(accounts)]
    told = {
        "daily_loss": 10 * limit,
        "drawdown_day_pct": limit,
        "gross_exposure": 1000 + 20 * limit,
        "leverage": 1 + limit / 50,
        "margin_critical_pct": 1000 - 20 * limit,
    }
    spec = [
        an_account(name, balance=1000.0, margin_model=MarginModel.LEVERAGE, leverage=10.0)
        for name in names
    ]
    limits = msgspec.convert(told, LimitsSpec)
    house = a_core(limits, accounts=tuple(spec), settings=PATIENT)
    cents, held = {"X": 10_000, "Y": 5_000}, {"X": 0, "Y": 0}
    seen, entered = [Fraction(1000)], list[int]()
    standing = dict.fromkeys((*told, "margin"), 0)

    def look() -> None:
        for key, level in slow_levels(told, held, cents, seen).items():
            if level > standing[key]:
                standing[key] = level
                entered.append(level)

    for symbol, side_lots in zip("XY", lots, strict=True):
        for name in names if side_lots else ():
            side = "buy" if side_lots > 0 else "sell"
            fill = a_fill(symbol, side, abs(side_lots), cents[symbol] / 100, symbol=symbol)
            house.send(replace(fill, account=name))
        held[symbol] = side_lots
        look()
    for symbol, move in moves:
        cents[symbol] = max(1, cents[symbol] + move)
        tick(house, cents[symbol] / 100, symbol)
        gained = sum(held[x] * (cents[x] - start) for x, start in (("X", 10_000), ("Y", 5_000)))
        seen.append(1000 + Fraction(gained, 100))
        look()
        expected = {key: level for key, level in standing.items() if level}
        for name in names:
            state = house.account(name).water
            assert {key: one.level for key, one in state.standings.items()} == expected
    count = sum(entry.count for entry in house.core.alerts.entries.values())
    fills = accounts * sum(1 for x in lots if x)  # Each names no order, and says so.
    assert count == accounts * len(entered) + fills


def slow_levels(told, held, cents, seen):
    """Return the level of every measure, from prices and the equities seen so far."""
    equity, peak = seen[-1], max(seen)
    gross = sum(abs(held[x]) * Fraction(cents[x], 100) for x in held)
    loss, limit = seen[0] - equity, told["daily_loss"]
    found = {"daily_loss": sum(loss >= limit * Fraction(n, 100) for n in (80, 90, 100))}
    pct = (peak - equity) * 100 / peak
    limit = told["drawdown_day_pct"]
    found["drawdown_day_pct"] = sum(pct >= limit * Fraction(n, 100) for n in (80, 90, 100))
    limit = told["gross_exposure"]
    found["gross_exposure"] = sum(gross > limit * Fraction(n, 100) for n in (80, 90, 100))
    limit = Fraction(str(told["leverage"]))
    over = [gross > equity * limit * Fraction(n, 100) for n in (80, 90, 100)]
    found["leverage"] = sum(over) if gross else 0
    short = gross and equity * 100 <= told["margin_critical_pct"] * gross / 10
    found["margin"] = 2 if short else 0
    return found


@given(prices=st.tuples(st.integers(50, 150), st.integers(20, 90), st.integers(100, 150)))
def test_order_of_ticks_of_different_symbols_does_not_matter_to_the_final_state(prices):
    """Equity, exposures and pockets of an account in euros; what they passed on the way may."""
    quotes = dict(zip(("X", "Y", "EURUSD"), (*prices[:2], prices[2] / 100), strict=True))
    found = []
    for order in permutations(quotes):
        house = a_core(accounts=(an_account(currency="EUR"),))
        for symbol in ("X", "Y", "EURUSD"):
            house.send(a_fill(symbol, "buy", 7, 1.0, symbol=symbol))
        for symbol in order:
            tick(house, float(quotes[symbol]), symbol)
        account = house.core.accounts["A1"]
        assert account.valuation.refresh() is None
        account.water.settle()
        drift = (account.water.state.equity_money or 0) - account.valuation.equity_money
        assert abs(drift) <= 10
        found.append((account.valuation.equity_money, account.valuation.gross_money))
    assert len(dict.fromkeys(found)) == 1


def test_sweep_finds_what_had_drifted_says_so_and_makes_it_anew():
    house = a_house({"daily_loss": 1000})
    tick(house, 101.0)
    account = house.core.accounts["A1"]
    house.core.boards.book.equity.one[account.water.row] += 5.0 * MONEY
    shown = house.send(Sweep()).data
    assert (shown["drifted"], shown["drift_max"]) == (1, 5.0)
    (alert,) = house.alerts("book_drift")
    assert (alert.severity, alert.value) == (Severity.HIGH, 5.0)
    again = house.send(Sweep()).data
    assert (again["drifted"], again["drift_max"]) == (0, 0.0)
    assert account.water.state.equity_money == 1010 * MONEY
    assert house.core.boards.sweep.drifted == 1


def test_sweep_comes_round_to_every_account_a_slice_at_a_time():
    names = [f"A{number:03d}" for number in range(250)]
    accounts = tuple(an_account(name) for name in names)
    house = a_core(accounts=accounts, settings=RiskSettings(sweep_ms=60_000))
    house.elapse(59 * SECOND)
    for name in names:
        house.core.boards.book.equity.one[house.core.accounts[name].water.row] += MONEY
    house.elapse(2 * SECOND)
    state = house.core.boards.sweep
    assert (state.drifted, state.rounds) == (15, 0)  # One of the slice is the suspense account.
    house.elapse(60 * SECOND)
    assert (state.drifted, state.rounds) == (250, 1)


def test_guards_of_a_restored_state_find_the_same_crossings_at_the_same_ticks():
    limits = LimitsSpec(daily_loss=100.0, drawdown_max_pct=12.0, margin_warning_pct=700.0)
    accounts = tuple(
        an_account(f"A{n}", balance=1000.0, leverage=10.0, currency=("USD", "EUR")[n % 2])
        for n in range(6)
    )
    house = a_core(LimitSet(default=limits), accounts=accounts)
    for n in range(6):
        house.send(a_fill("e", "buy", 5 + n, 100.0, account=f"A{n}"))
    for number in range(20):
        tick(house, 100 - number / 3)
    other = StampedCore(Core())
    other.core.restore(decode_state(encode_state(house.core.state())))
    other.stamp = house.stamp
    for number in range(60):
        for one in (house, other):
            tick(one, 94 + number % 13 - number / 5)
            tick(one, round(1.25 + number % 7 / 300, 5), "EURUSD")
            one.elapse(SECOND)
    assert state_digest(house.core.state()) == state_digest(other.core.state())


@pytest.mark.parametrize("seed", range(8))
def test_book_is_true_and_no_guard_is_passed_unnoticed_after_inputs_of_every_kind(seed):
    """Fills, busts, transfers, rolls, changed limits and marks, currencies, legs, sweeps."""
    core, followed = Core(), 0
    for message, stamp in Inputs(seed).draw(600):
        core.apply(message, stamp)
        for account in core.accounts.values():
            drift = drift_of(account)
            assert account.water.is_known() is (account.valuation.refresh() is None)
            if drift is None or account.id == SUSPENSE:
                continue
            followed += 1
            assert drift.money <= drift.bound_money
            owner = Owner(account.id, core.boards.ancestry(account.state.spec.group), "", "", "")
            standings = account.water.state.standings
            for guard in guards_of(core.boards.limits, owner, core.boards.settings):
                standing = standings.get(guard.kind.key)
                now = read(guard, figures_of(account, margin_rate_max(account))).level
                assert now <= (standing.level if standing is not None else 0)
    assert followed > 1000


def test_responses_are_told_of_a_crossing_and_of_its_recovery():
    house = a_house({"daily_loss": 100})
    facts: list[Any] = []
    core, stamp = house.core, house.stamp
    core.boards.quotes.apply_tick(Tick(symbol="X", bid=90.0, ask=90.0), stamp)
    core.watch.price("X", stamp, facts)
    (stood,) = (fact for fact in facts if isinstance(fact, Stood))
    assert (stood.measure, stood.event, stood.severity) == ("daily_loss", "daily_loss", "critical")
    facts.clear()
    core.boards.quotes.apply_tick(Tick(symbol="X", bid=99.0, ask=99.0), stamp)
    core.watch.price("X", stamp._replace(seq=stamp.seq + 1), facts)
    later = stamp._replace(seq=stamp.seq + 2, steady_ns=stamp.steady_ns + 10 * SECOND)
    core.watch.elapse(later, facts)
    (stood,) = (fact for fact in facts if isinstance(fact, Stood))
    assert (stood.measure, stood.severity) == ("daily_loss", None)


def test_margin_of_an_instrument_that_is_raised_is_looked_at_before_any_price():
    """Two of a hundred bought at 100 need 100 at a half and 160 at four fifths: 156 % of 250."""
    house = StampedCore()
    account = an_account(balance=250.0, margin_model=MarginModel.RATE, leverage=None)
    x = InstrumentSpec(symbol="X", currency="USD", initial_margin=0.5, maintenance_margin=0.25)
    limits = LimitsSpec(margin_warning_pct=200.0)
    house.send(Configure(universe=a_universe(limits, accounts=(account,), instruments=(x,))))
    tick(house, 100.0)
    house.send(a_fill("e", "buy", 2, 100.0))
    assert house.alerts("margin_state") == []
    assert house.send(InstrumentUpdate(instrument=replace(x, initial_margin=0.8))).ok
    (alert,) = house.alerts("margin_state")
    assert alert.value == 156.25
