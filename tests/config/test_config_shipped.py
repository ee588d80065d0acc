"""What riskd runs on without a file: counts, currencies, and every limit of the risk page."""

from __future__ import annotations

from fractions import Fraction
from importlib import resources

import msgspec

from config.load import load
from config.settings import Settings
from riskd.messages import CostMethod, InstrumentKind


def test_shipped_settings_name_every_key_of_the_types() -> None:
    """A new user reads the file: what it leaves out he does not find."""
    text = resources.files("config").joinpath("riskd.toml").read_text()
    for section, value in msgspec.to_builtins(Settings()).items():
        keys = value if isinstance(value, dict) else {section: value}
        assert all(f"\n{key} = " in text for key in keys), section


def test_shipped_limits_are_those_of_the_risk_page() -> None:
    limits = load(None, {}).universe.limits

    assert limits.default.order_notional == 1_000
    assert limits.default.position_notional == 10_000
    assert limits.default.daily_loss == 5_000
    assert limits.default.concentration_pct == 25
    assert limits.default.leverage == 2
    assert limits.default.orders_per_second == 10
    assert limits.default.margin_warning_pct == 150
    assert limits.default.margin_critical_pct == 120
    assert load(None, {}).settings.sweep.every_s == 60
    # `[default]` ships complete: nothing that can be limited is left open.
    open_left = [
        key for key, value in msgspec.structs.asdict(limits.default).items() if value is None
    ]
    assert open_left == [
        "correlated_exposure_pct",  # How much moves together differs by market.
        "correlated_exposure",
        "risk_per_trade_drawdown",  # Nothing shrinks by itself.
        "price_collar_ticks",  # Of each instrument its own; all of them have one in percent.
        "price_collar_money",
        "auction_collar_factor",
        "price_move",  # What is much differs by instrument.
        "order_to_trade",  # No limits of risk but rules of conduct, which a firm may want or not.
        "cancel_ratio_pct",
        "ratio_floor",
        "fills_per_second",
        "repeated_executions",
        "self_match",
    ]


def test_shipped_instruments_are_stocks_pairs_and_crypto_with_limits_for_the_stocks() -> None:
    universe = load(None, {}).universe
    by_calendar: dict[str, list[str]] = {}
    for instrument in universe.instruments:
        by_calendar.setdefault(instrument.calendar, []).append(instrument.symbol)

    assert {name: len(symbols) for name, symbols in by_calendar.items()} == {
        "XNYS": 25,
        "FX": 6,
        "CRYPTO": 4,
    }
    assert by_calendar["FX"] == ["EURUSD", "GBPUSD", "USDJPY", "AUDUSD", "USDCHF", "USDCAD"]
    assert sorted(universe.limits.symbol) == sorted(by_calendar["XNYS"])
    for limits in universe.limits.symbol.values():
        assert isinstance(limits.position_notional, float)
        assert 0 < limits.position_notional <= 10_000


def test_shipped_instruments_every_currency_reaches_the_pivot_by_a_pair() -> None:
    universe = load(None, {}).universe
    pairs = [spec for spec in universe.instruments if spec.kind is InstrumentKind.FX]
    convertible = {"USD"}
    for pair in pairs:
        assert pair.symbol == f"{pair.base}{pair.currency}"
        if "USD" in (pair.base, pair.currency):
            convertible |= {str(pair.base), pair.currency}
    money = {spec.settlement or spec.currency for spec in universe.instruments}
    money |= {account.currency for account in universe.accounts}

    assert money <= convertible
    assert {"BTC", "USDT", "EUR", "JPY"} <= money | convertible


def test_shipped_instruments_grid_is_exact_in_the_unit_of_money() -> None:
    for spec in load(None, {}).universe.instruments:
        step = Fraction(spec.tick_size) * Fraction(spec.lot_size) * Fraction(spec.multiplier)
        assert (step * 10**12).denominator == 1, spec.symbol


def test_shipped_accounts_are_four_in_two_groups_one_of_them_in_euros() -> None:
    universe = load(None, {}).universe

    assert [group.id for group in universe.groups] == ["desk-1", "desk-2"]
    assert [(a.id, a.group, a.currency, a.balance) for a in universe.accounts] == [
        ("A1", "desk-1", "USD", 100_000.0),
        ("A2", "desk-1", "USD", 100_000.0),
        ("A3", "desk-2", "USD", 100_000.0),
        ("A4", "desk-2", "EUR", 100_000.0),
    ]
    assert universe.accounts[1].cost_method is CostMethod.FIFO
