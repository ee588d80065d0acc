"""E45, E46: exchange rates that are old or missing, and which path of several counts."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from msgspec.structs import replace

from engine.core import Core
from engine.digest import decode_state, encode_state
from engine.views import pnl_update
from riskd.messages import (
    Configure,
    GroupSpec,
    InstrumentKind,
    InstrumentSpec,
    LimitSet,
    LimitsSpec,
    MarginModel,
    RiskSettings,
    Tick,
)
from tests.builders import (
    EURUSD,
    MONEY,
    SECOND,
    STOCK,
    USDJPY,
    StampedCore,
    a_core,
    a_fill,
    a_universe,
    an_account,
    an_order,
    codes_of,
)

OLD_NS = 60 * SECOND
SETTINGS = RiskSettings(stale_after_ms=10**9, fx_stale_after_ms=60_000, fx_haircut_pct=5.0)
EURO_ACCOUNT = an_account(currency="EUR")
QUOTED = {"X": (125.0, 125.0), "EURUSD": (1.25, 1.25)}  # A share of X is 100 euro.


def a_house(limits: LimitsSpec | LimitSet | None = None, **fields) -> StampedCore:
    told: dict[str, Any] = {
        "accounts": (EURO_ACCOUNT,),
        "quotes": QUOTED,
        "settings": SETTINGS,
    } | fields
    return a_core(limits, **told)


def rate_of(house: StampedCore, source: str, target: str) -> Fraction:
    rate = house.core.boards.quotes.rate(source, target)
    assert rate is not None
    return Fraction(*rate)


def grow_old(house: StampedCore) -> None:
    house.elapse(OLD_NS + SECOND)


@pytest.mark.parametrize(
    ("limits", "side", "fresh", "old"),
    [
        (LimitsSpec(gross_exposure=2100), "buy", 21, 20),
        (LimitsSpec(net_exposure=2100), "sell", 21, 20),
        (LimitsSpec(order_notional=2100), "buy", 21, 20),
        (LimitsSpec(position_notional=2100), "buy", 21, 20),
        (LimitsSpec(leverage=0.0021), "buy", 21, 20),
    ],
)
def test_e45_exposure_counts_the_haircut_more_when_the_rate_is_old(limits, side, fresh, old):
    """100 euro a share, 105 with the haircut of 5 %: exactly at the limit passes either way."""
    house = a_house(limits)
    told: dict[str, Any] = {"price": 125.0, "explain": True, "dry_run": True}
    assert house.send(an_order("o-1", side, 50, **told)).max_quantity == fresh
    grow_old(house)
    assert house.send(an_order("o-2", side, 50, **told)).max_quantity == old
    assert house.send(an_order("o-3", side, old, price=125.0)).approved
    house.send(Tick(symbol="EURUSD", bid=1.25, ask=1.25))
    assert house.send(an_order("o-4", side, fresh - old, price=125.0)).approved


def test_e45_what_is_held_counts_the_haircut_more_and_equity_does_not():
    house = a_house()
    house.send_all(a_fill("e-1", "buy", 10, 125.0), an_order("o-1", "sell", 30, price=125.0))
    valuation = house.core.accounts["A1"].valuation
    for widened in (False, True):
        assert valuation.refresh() is None
        part = 105 if widened else 100
        assert valuation.gross_money == 20 * part * MONEY
        assert valuation.lower_money == -20 * part * MONEY
        assert valuation.upper_money == 10 * part * MONEY
        assert valuation.equity_money == 1_000_000 * MONEY
        grow_old(house)


def test_e45_long_exposure_that_offsets_is_not_made_larger():
    """Short 10 whatever fills: a buy is held against what it really offsets."""
    house = a_house()
    house.send(a_fill("e-1", "sell", 10, 125.0))
    grow_old(house)
    valuation = house.core.accounts["A1"].valuation
    assert valuation.refresh() is None
    assert (valuation.upper_money, valuation.lower_money) == (-1000 * MONEY, -1050 * MONEY)


def test_e45_margin_is_of_the_wider_exposure():
    stock = replace(STOCK, initial_margin=0.5, maintenance_margin=0.25)
    account = an_account(currency="EUR", margin_model=MarginModel.RATE)
    house = a_house(accounts=(account,), instruments=(stock, EURUSD))
    house.send(a_fill("e-1", "buy", 10, 125.0))
    grow_old(house)
    valuation = house.core.accounts["A1"].valuation
    assert valuation.refresh() is None
    assert (valuation.margin_money, valuation.used_money()) == (525 * MONEY, 525 * MONEY)
    assert valuation.maintenance_money() == Fraction(1050, 4) * MONEY


def test_e45_figures_are_incomplete_while_a_rate_that_counts_is_old():
    house = a_house()
    account = house.core.accounts["A1"]
    grow_old(house)
    assert pnl_update(account, 0).complete  # Nothing is converted.
    house.send(a_fill("e-1", "buy", 10, 120.0))
    shown = pnl_update(account, 0)
    assert (shown.complete, shown.unrealized, shown.day) == (False, 40.0, 40.0)
    (alert,) = house.alerts("rate_old")
    assert alert.symbol == "EURUSD"
    house.send(Tick(symbol="EURUSD", bid=1.25, ask=1.25))
    assert pnl_update(account, 0).complete


def test_e45_rate_is_old_only_past_its_age_and_exactly_at_it_is_not():
    house = a_house()
    quote = house.core.boards.quotes.quotes["EURUSD"]
    due_ns = house.core.due_ns()
    assert due_ns == quote.touch_steady_ns + OLD_NS + 1
    house.elapse(due_ns - 1 - house.stamp.steady_ns)
    assert not quote.rate_is_old
    house.elapse(1)
    assert quote.rate_is_old
    assert house.core.due_ns() is None


def test_e45_rate_that_goes_on_coming_never_grows_old():
    house = a_house()
    for _ in range(5):
        house.elapse(OLD_NS // 2)
        house.send(Tick(symbol="EURUSD", bid=1.25, ask=1.25))
    assert not house.core.boards.quotes.quotes["EURUSD"].rate_is_old
    assert house.alerts("rate_old") == []


def test_e45_currency_without_any_rate_takes_no_new_exposure_and_is_never_zero():
    house = a_house(LimitsSpec(gross_exposure=10**9), quotes={"X": (125.0, 125.0)})
    assert codes_of(house.send(an_order("o-1", price=125.0))) == ["FX_MISSING"]
    house.send(a_fill("e-1", "buy", 10, 125.0))
    assert house.core.accounts["A1"].valuation.refresh() is not None
    assert not pnl_update(house.core.accounts["A1"], 0).complete
    assert house.send(an_order("o-2", "sell", 10, price=125.0)).approved


def test_e45_what_an_order_buys_of_a_currency_counts_the_haircut_too():
    """1,000 dollars of euro at 1.25: 800 of them, or 761 when each may be worth 5 % more."""
    pounds = tuple(
        replace(EURUSD, symbol=base + currency, base=base, currency=currency)
        for base, currency in (("EUR", "GBP"), ("GBP", "USD"))
    )
    quotes = {"EURUSD": (1.25, 1.25), "GBPUSD": (1.25, 1.25), "EURGBP": (1.0, 1.0)}
    house = a_core(
        LimitsSpec(currency_exposure={"EUR": 1000.0}),
        instruments=(EURUSD, *pounds),
        quotes=quotes,
        settings=SETTINGS,
    )
    told: dict[str, Any] = {"symbol": "EURGBP", "price": 1.0, "explain": True, "dry_run": True}
    assert house.send(an_order("o-1", "buy", 1, **told)).max_quantity == 800
    grow_old(house)
    for symbol in ("GBPUSD", "EURGBP"):
        bid, ask = quotes[symbol]
        house.send(Tick(symbol=symbol, bid=bid, ask=ask))
    for side in ("buy", "sell"):
        assert house.send(an_order("o-2", side, 1, **told)).max_quantity == 761
    assert house.send(an_order("o-3", "buy", 761, symbol="EURGBP", price=1.0)).approved
    assert codes_of(house.send(an_order("o-4", symbol="EURGBP", price=1.0))) == [
        "CURRENCY_EXPOSURE"
    ]


def test_e45_groups_count_the_haircut_too():
    stock = replace(STOCK, symbol="E", currency="EUR")
    limits = LimitSet(group={"desk": LimitsSpec(gross_exposure=2625)})
    universe = a_universe(
        limits,
        accounts=(an_account(group="desk", currency="EUR"),),
        instruments=(stock, EURUSD),
        settings=SETTINGS,
    )
    house = StampedCore()
    house.send(Configure(universe=replace(universe, groups=(GroupSpec(id="desk"),))))
    house.send_all(
        Tick(symbol="E", bid=100.0, ask=100.0), Tick(symbol="EURUSD", bid=1.25, ask=1.25)
    )
    told: dict[str, Any] = {"symbol": "E", "explain": True, "dry_run": True}
    assert house.send(an_order("o-1", quantity=99, **told)).max_quantity == 21
    house.send(a_fill("e-1", quantity=10, symbol="E"))
    grow_old(house)
    assert house.send(an_order("o-2", quantity=99, **told)).max_quantity == 10


def test_e45_old_rate_is_old_after_a_restart():
    house = a_house()
    grow_old(house)
    restored = Core()
    restored.restore(decode_state(encode_state(house.core.state())))
    assert restored.boards.quotes.quotes["EURUSD"].rate_is_old
    assert restored.due_ns() == house.core.due_ns()
    fresh = a_house()
    again = Core()
    again.restore(decode_state(encode_state(fresh.core.state())))
    assert again.due_ns() == fresh.core.due_ns()


def a_pair(base: str, currency: str, symbol: str = "") -> InstrumentSpec:
    return InstrumentSpec(
        symbol=symbol or base + currency,
        kind=InstrumentKind.FX,
        base=base,
        currency=currency,
        tick_size="0.00001",
    )


def quoting(*pairs: tuple[InstrumentSpec, float]) -> StampedCore:
    quotes = {spec.symbol: (price, price) for spec, price in pairs}
    return a_house(instruments=tuple(spec for spec, _ in pairs), quotes=quotes)


USDEUR, EURJPY = a_pair("USD", "EUR"), a_pair("EUR", "JPY")


def test_e46_pair_goes_before_its_inverse_and_both_before_the_pivot():
    both = quoting((USDEUR, 0.5), (EURUSD, 1.25))
    assert (rate_of(both, "EUR", "USD"), rate_of(both, "USD", "EUR")) == (
        Fraction(5, 4),
        Fraction(1, 2),
    )
    inverse = quoting((USDEUR, 0.5))
    assert rate_of(inverse, "EUR", "USD") == 2
    assert rate_of(inverse, "USD", "EUR") == Fraction(1, 2)


def test_e46_circle_of_pairs_gives_the_direct_rate_and_the_pivot_only_without_it():
    """Euro to yen is 120 by the pair, 125 by way of the dollar."""
    circle = quoting((EURUSD, 1.25), (USDJPY, 100.0), (EURJPY, 120.0))
    assert rate_of(circle, "EUR", "JPY") == 120
    assert rate_of(circle, "JPY", "EUR") == Fraction(1, 120)
    through = quoting((EURUSD, 1.25), (USDJPY, 100.0))
    assert rate_of(through, "EUR", "JPY") == 125
    assert rate_of(through, "JPY", "EUR") == Fraction(1, 125)
    without = quoting((EURUSD, 1.25), (EURJPY, 120.0))
    assert without.core.boards.quotes.rate("GBP", "JPY") is None


def test_e46_path_with_an_old_rate_comes_last():
    house = quoting((EURJPY, 120.0), (EURUSD, 1.25), (USDJPY, 100.0))
    house.elapse(OLD_NS // 2)
    house.send_all(
        Tick(symbol="EURUSD", bid=1.25, ask=1.25), Tick(symbol="USDJPY", bid=100.0, ask=100.0)
    )
    house.elapse(OLD_NS // 2 + SECOND)
    quotes = house.core.boards.quotes
    assert rate_of(house, "EUR", "JPY") == 125
    assert not quotes.is_old("EUR", "JPY")
    house.elapse(OLD_NS)
    assert rate_of(house, "EUR", "JPY") == 120
    assert quotes.is_old("EUR", "JPY")
    assert Fraction(*(quotes.exposure_rate("EUR", "JPY") or ())) == 126


def test_e46_of_two_symbols_of_one_pair_the_first_declared_counts():
    other = replace(EURUSD, symbol="EURUSD.B")
    assert rate_of(quoting((EURUSD, 1.25), (other, 1.5)), "EUR", "USD") == Fraction(5, 4)


def test_e46_pair_and_its_inverse_held_together_do_not_double():
    """Long 1000 EURUSD and long 1250 USDEUR at 0.8: euro bought, and the same euro sold."""
    limits = LimitsSpec(currency_exposure={"EUR": 1250})
    house = a_core(
        limits,
        instruments=(EURUSD, USDEUR),
        quotes={"EURUSD": (1.25, 1.25), "USDEUR": (0.8, 0.8)},
    )
    house.send(a_fill("e-1", "buy", 1000, 1.25, symbol="EURUSD"))
    told: dict[str, Any] = {"symbol": "EURUSD", "price": 1.25}
    assert codes_of(house.send(an_order("o-1", "buy", 1, **told))) == ["CURRENCY_EXPOSURE"]
    house.send(a_fill("e-2", "buy", 1250, 0.8, symbol="USDEUR"))
    valuation = house.core.accounts["A1"].valuation
    assert valuation.refresh() is None
    assert [valuation.currency_worst("EUR", 0, gains=x) for x in (True, False)] == [0, 0]
    assert house.send(an_order("o-2", "buy", 1000, **told)).approved
    assert codes_of(house.send(an_order("o-3", "buy", 1, **told))) == ["CURRENCY_EXPOSURE"]
