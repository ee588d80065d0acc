"""E41 to E44, E46: what an order is valued and judged at, and what a currency is worth."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from riskd.messages import (
    InstrumentKind,
    LimitsSpec,
    MarketPhase,
    MarketState,
    OrderType,
    RiskSettings,
    Tick,
)
from tests.builders import EURUSD, SECOND, STOCK, USDJPY, a_core, a_fill, an_order, codes_of

MARKET: dict[str, Any] = {"order_type": OrderType.MARKET, "price": None}
NOTIONAL = LimitsSpec(order_notional=1_000_000)


def valued(house, order) -> float:
    """What one order is valued at."""
    verdict = house.send(replace(order, explain=True, dry_run=True))
    (found,) = [x for x in verdict.checks if x.code == "ORDER_NOTIONAL"]
    return float(found.value)


def test_e41_market_order_is_valued_at_the_touch_of_its_side_plus_slippage():
    """Bid 99, ask 101, ten basis points: a buy at 101.101; a sale can cost no more than its bid."""
    house = a_core(NOTIONAL, quotes={"X": (99.0, 101.0)})
    assert valued(house, an_order("b", "buy", 10, **MARKET)) == pytest.approx(1011.01)
    assert valued(house, an_order("s", "sell", 10, **MARKET)) == 990
    assert valued(house, an_order("l", "buy", 10, price=100.5)) == 1005


def test_e41_stop_order_is_valued_at_its_stop_plus_slippage():
    house = a_core(NOTIONAL, quotes={"X": (99.0, 101.0)})
    stop = {"order_type": OrderType.STOP, "price": None, "stop_price": 110.0}
    assert valued(house, an_order("b", "buy", 10, **stop)) == pytest.approx(1101.1)


def test_e41_stop_order_that_the_market_is_past_is_valued_at_the_touch_it_trades_at():
    """A buy stopped at 1 while 101 is asked costs 101.101; a sale stopped at 110 gets the bid."""
    house = a_core(NOTIONAL, quotes={"X": (99.0, 101.0)})
    low, high = ({"order_type": OrderType.STOP, "price": None, "stop_price": x} for x in (1, 110))
    assert valued(house, an_order("b", "buy", 10, **low)) == pytest.approx(1011.01)
    assert valued(house, an_order("s", "sell", 10, **high)) == 990


def test_e41_slippage_is_the_configured_one():
    settings = RiskSettings(slippage_bps=100.0)
    house = a_core(NOTIONAL, quotes={"X": (99.0, 101.0)}, settings=settings)
    assert valued(house, an_order("b", "buy", 10, **MARKET)) == pytest.approx(1020.1)


def source_of(house, order_id, side="buy", after_ns=1000):
    """Which source an order is judged by: the text of its stale price or its collar."""
    price = 10_000.0 if side == "buy" else 0.01
    verdict = house.send(an_order(order_id, side, price=price), after_ns)
    (code,) = codes_of(verdict)
    if code == "NO_REFERENCE_PRICE":
        return code
    text = verdict.rejects[0].text
    if code == "PRICE_COLLAR":
        return text.partition(": ")[2].split(",")[0]
    assert code == "STALE_PRICE"
    return "stale " + text.split(" is ")[0]


COLLAR = LimitsSpec(price_collar_pct=5)


def test_e41_reference_is_touch_last_mark_previous_close_or_settlement_in_this_order():
    """Each new source comes before those that were there; a worse one never takes its place."""
    house = a_core(COLLAR, quotes={})
    assert source_of(house, "o-1") == "NO_REFERENCE_PRICE"
    house.send(MarketState(symbol="X", state=MarketPhase.OPEN, settlement=95.0))
    assert source_of(house, "o-2") == "settlement 95"
    house.send(MarketState(symbol="X", state=MarketPhase.OPEN, previous_close=96.0))
    assert source_of(house, "o-3") == "previous_close 96"
    house.send(Tick(symbol="X", bid=99.0, ask=101.0))
    house.send(Tick(symbol="X", bid_size=0.0))
    assert source_of(house, "o-4") == "mark 100"
    house.send(Tick(symbol="X", last=98.0))
    assert source_of(house, "o-5") == "last 98"
    house.send(Tick(symbol="X", bid_size=1.0))
    assert source_of(house, "o-6") == "touch 101"
    assert source_of(house, "o-7", "sell") == "touch 99"


AGES = RiskSettings(
    stale_after_ms=1000,
    last_after_ms=2000,
    mark_after_ms=3000,
    close_after_ms=4000,
    settlement_after_ms=5000,
)


def test_e41_each_source_has_its_own_greatest_age():
    """All are told at one instant; a nanosecond past its age the next one takes its place."""
    house = a_core(COLLAR, quotes={}, settings=AGES)
    start_ns = house.stamp.steady_ns
    for message in (
        Tick(symbol="X", bid=99.0, ask=101.0, last=98.0),
        MarketState(symbol="X", state=MarketPhase.OPEN, previous_close=96.0, settlement=95.0),
    ):
        house.send(message, 0)
    named = ["touch 101", "last 98", "mark 100", "previous_close 96", "settlement 95"]
    assert source_of(house, "at-0") == named[0]
    for number, source in enumerate([*named[1:], "stale touch 101"]):
        age_ns = house.stamp.steady_ns - start_ns
        assert (
            source_of(house, f"at-{number}", after_ns=(number + 1) * SECOND - age_ns)
            == named[number]
        )
        assert source_of(house, f"past-{number}", after_ns=1) == source


@pytest.mark.parametrize(("after_ns", "codes"), [(0, []), (1, ["STALE_PRICE"])])
def test_e42_previous_close_ages_from_when_it_was_told(after_ns, codes):
    house = a_core(quotes={}, settings=AGES)
    house.send(MarketState(symbol="X", state=MarketPhase.OPEN, previous_close=96.0))
    verdict = house.send(an_order("o", price=96.0, explain=True), 4 * SECOND + after_ns)
    assert codes_of(verdict) == codes
    told = verdict.reference
    assert (told.source, told.price, told.age_ns) == ("previous_close", 96.0, 4 * SECOND + after_ns)


def test_e42_stale_reference_refuses_what_increases_and_lets_exits_pass():
    house = a_core(settings=AGES)
    house.send(a_fill(quantity=5))
    house.elapse(10 * SECOND)
    assert codes_of(house.send(an_order("more"))) == ["STALE_PRICE"]
    assert codes_of(house.send(an_order("flip", "sell", 6))) == ["STALE_PRICE"]
    verdict = house.send(an_order("exit", "sell", 5, explain=True))
    assert codes_of(verdict) == []
    assert (verdict.reference.source, verdict.reference.age_ns > 10 * SECOND) == ("locked", True)


BAD_BOOKS = {
    "one-sided": (Tick(symbol="X", bid=200.0),),
    "locked": (Tick(symbol="X", bid=200.0, ask=200.0),),
    "no-bid-size": (Tick(symbol="X", bid=200.0, ask=202.0, bid_size=0.0, ask_size=5.0),),
    "no-ask-size": (Tick(symbol="X", bid=200.0, ask=202.0, ask_size=0.0),),
    "crossed": (Tick(symbol="X", bid=202.0, ask=200.0),),
}


@pytest.mark.parametrize("ticks", BAD_BOOKS.values(), ids=BAD_BOOKS)
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_e43_book_that_is_not_sound_is_no_collar_reference(ticks, side):
    """The previous close of 96 is: a buy at 200, or a sale at 0.01, is judged by it."""
    house = a_core(COLLAR, quotes={})
    house.send(MarketState(symbol="X", state=MarketPhase.OPEN, previous_close=96.0))
    house.send_all(*ticks)
    assert source_of(house, "o-1", side) == "previous_close 96"
    house.send(Tick(symbol="X", last=97.0))
    assert source_of(house, "o-2", side) == "last 97"


def test_e43_mark_of_the_last_sound_book_stands_while_the_book_is_not():
    house = a_core(COLLAR, quotes={"X": (99.0, 101.0)})
    for number, tick in enumerate(
        (
            Tick(symbol="X", bid=101.0),  # Locked at 101.
            Tick(symbol="X", ask=150.0, ask_size=0.0),
            Tick(symbol="X", bid=120.0, bid_size=0.0, ask=121.0),
        )
    ):
        house.send(tick)
        assert source_of(house, f"o-{number}") == "mark 100"
    house.send(Tick(symbol="X", bid=120.0, ask=122.0))
    assert source_of(house, "sound") == "touch 122"


def test_e43_price_of_a_locked_book_is_taken_where_there_is_no_other():
    house = a_core(COLLAR, quotes={"X": (100.0, 100.0)})
    assert source_of(house, "o-1") == "locked 100"
    house.send(Tick(symbol="X", bid_size=0.0))
    assert source_of(house, "o-2") == "NO_REFERENCE_PRICE"
    house.send(Tick(symbol="X", bid=100.0))
    house.send(MarketState(symbol="X", state=MarketPhase.OPEN, settlement=95.0))
    assert source_of(house, "o-3") == "settlement 95"


@pytest.mark.parametrize("field", ["previous_close", "settlement"])
@pytest.mark.parametrize("phase", ["open", "auction"])
def test_e44_first_orders_of_a_session_are_held_to_the_close_before_it(field, phase):
    """The book is still yesterday's, or crossed as auctions are: the collar is never off."""
    house = a_core(COLLAR, quotes={"X": (149.0, 151.0)})
    house.elapse(16 * 3600 * SECOND)
    house.send(MarketState(symbol="X", state=MarketPhase(phase), **{field: 100.0}))
    assert source_of(house, "o-1") == f"{field} 100"
    house.send(Tick(symbol="X", bid=110.0, ask=109.0))
    assert source_of(house, "o-2", "sell") == f"{field} 100"
    assert codes_of(house.send(an_order("o-3", price=105.0))) == []


def test_e41_no_price_of_any_kind_is_a_refusal_even_of_a_market_order():
    house = a_core(quotes={"Y": (1.0, 1.0)})
    assert codes_of(house.send(an_order(**MARKET))) == ["NO_REFERENCE_PRICE"]


def test_e41_stale_instrument_has_its_own_age():
    instruments = (replace(STOCK, stale_after_ms=1000),)
    house = a_core(instruments=instruments, quotes={"X": (100.0, 100.0)})
    assert codes_of(house.send(an_order("o-1"), SECOND - 1000)) == []
    assert codes_of(house.send(an_order("o-2"), SECOND)) == ["STALE_PRICE"]


GBPUSD = replace(EURUSD, symbol="GBPUSD", base="GBP")
EURGBP = replace(EURUSD, symbol="EURGBP", base="EUR", currency="GBP")
USDEUR = replace(EURUSD, symbol="USDEUR", base="USD", currency="EUR")


def rate(house, source: str, target: str) -> Fraction | None:
    found = house.core.boards.quotes.rate(source, target)
    return None if found is None else Fraction(found.numerator, found.denominator)


def test_e46_pair_inverse_and_cross_are_exact_mids():
    house = a_core(quotes={"EURUSD": (1.2, 1.3), "USDJPY": (99.0, 101.0)})
    assert rate(house, "EUR", "USD") == Fraction(5, 4)
    assert rate(house, "USD", "EUR") == Fraction(4, 5)
    assert rate(house, "EUR", "JPY") == 125
    assert rate(house, "JPY", "EUR") == Fraction(1, 125)
    assert rate(house, "USD", "USD") == 1
    assert rate(house, "USD", "GBP") is None
    assert rate(house, "EUR", "GBP") is None


def test_e46_both_directions_present_do_not_double_and_the_pair_itself_wins():
    house = a_core(
        instruments=(EURUSD, USDEUR), quotes={"EURUSD": (1.25, 1.25), "USDEUR": (0.5, 0.5)}
    )
    assert rate(house, "EUR", "USD") == Fraction(5, 4)
    assert rate(house, "USD", "EUR") == Fraction(1, 2)


def test_e46_quoted_cross_wins_over_the_way_through_the_pivot():
    instruments = (EURUSD, GBPUSD, EURGBP)
    quotes = {"EURUSD": (1.2, 1.2), "GBPUSD": (1.6, 1.6)}
    house = a_core(instruments=instruments, quotes=quotes)
    assert rate(house, "EUR", "GBP") == Fraction(3, 4)
    house.send(Tick(symbol="EURGBP", bid=0.8, ask=0.8))
    assert rate(house, "EUR", "GBP") == Fraction(4, 5)
    assert rate(house, "GBP", "EUR") == Fraction(5, 4)


def test_e46_only_the_stated_pivot_is_crossed():
    """Euro to yen has a way through the dollar alone; with the pound as pivot there is none."""
    settings = RiskSettings(fx_pivot="GBP")
    quotes = {"EURUSD": (1.25, 1.25), "USDJPY": (100.0, 100.0)}
    house = a_core(instruments=(EURUSD, USDJPY), quotes=quotes, settings=settings)
    assert rate(house, "EUR", "JPY") is None


def test_e46_circular_quotes_that_disagree_give_the_same_answer_every_time():
    instruments = (EURUSD, USDJPY, replace(USDJPY, symbol="EURJPY", base="EUR"))
    quotes = {"EURUSD": (1.25, 1.25), "USDJPY": (100.0, 100.0), "EURJPY": (200.0, 200.0)}
    for order in (instruments, instruments[::-1]):
        house = a_core(instruments=order, quotes=quotes)
        for _ in range(2):
            assert rate(house, "EUR", "JPY") == 200
            assert rate(house, "JPY", "EUR") == Fraction(1, 200)
            assert rate(house, "EUR", "USD") == Fraction(5, 4)


def test_e46_new_price_of_a_pair_moves_every_rate_through_it():
    house = a_core(quotes={"EURUSD": (1.25, 1.25), "USDJPY": (100.0, 100.0)})
    assert rate(house, "EUR", "JPY") == 125
    house.send(Tick(symbol="USDJPY", bid=200.0, ask=200.0))
    assert rate(house, "EUR", "JPY") == 250


PIPS = st.integers(1, 300_000)
CURRENCIES = ("USD", "EUR", "GBP", "JPY")
PAIRS = {
    f"{base}{quote}": (base, quote)
    for base, quote in (("EUR", "USD"), ("USD", "EUR"), ("GBP", "USD"), ("EUR", "GBP"),
                        ("USD", "JPY"), ("EUR", "JPY"))
}  # fmt: skip


@settings(max_examples=150, deadline=None, database=None)
@given(
    pips=st.dictionaries(st.sampled_from(sorted(PAIRS)), PIPS), order=st.permutations(sorted(PAIRS))
)
def test_e46_rates_equal_a_search_over_the_stated_path(pips, order):
    """Pair, else its inverse, else both legs through the dollar; in whatever order declared."""
    instruments = tuple(
        replace(EURUSD, symbol=name, base=PAIRS[name][0], currency=PAIRS[name][1]) for name in order
    )
    assert all(spec.kind is InstrumentKind.FX for spec in instruments)
    quotes = {name: (count / 100_000, count / 100_000) for name, count in pips.items()}
    house = a_core(instruments=instruments, quotes=quotes)

    def direct(source: str, target: str) -> Fraction | None:
        for name, (base, quote) in PAIRS.items():
            if (base, quote) == (source, target) and name in pips:
                return Fraction(pips[name], 100_000)
        for name, (base, quote) in PAIRS.items():
            if (quote, base) == (source, target) and name in pips:
                return Fraction(100_000, pips[name])
        return None

    for source in CURRENCIES:
        for target in CURRENCIES:
            expected = Fraction(1) if source == target else direct(source, target)
            if expected is None and "USD" not in (source, target):
                first, second = direct(source, "USD"), direct("USD", target)
                expected = first * second if first and second else None
            assert rate(house, source, target) == expected


@pytest.mark.parametrize(
    ("side", "price", "nearest"), [("buy", 105.01, 105.0), ("sell", 94.99, 95.0)]
)
def test_collar_names_the_nearest_price_that_would_pass(side, price, nearest):
    house = a_core(LimitsSpec(price_collar_pct=5.0))
    refused = house.send(an_order("o-1", side, price=price))
    assert [reject.code for reject in refused.rejects] == ["PRICE_COLLAR"]
    assert refused.nearest_price == nearest
    assert house.send(an_order("o-2", side, price=nearest)).approved


def test_market_order_of_an_inverse_contract_is_valued_where_it_is_largest():
    """100 dollars a lot at 50,000: 0.002 BTC; 10 bps lower, 49,950, makes 0.002002... of it."""
    house = a_core(LimitsSpec(order_notional=0.002 * 50_000 * 1000))
    buy = house.send(an_order("o-1", symbol="P", order_type="market", price=None, quantity=1000))
    sell = house.send(
        an_order("o-2", "sell", symbol="P", order_type="market", price=None, quantity=1000)
    )
    assert buy.approved
    assert [reject.code for reject in sell.rejects] == ["ORDER_NOTIONAL"]
    assert sell.rejects[0].value == pytest.approx(100_000 * 50_000 / 49_950)
