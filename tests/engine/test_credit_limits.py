"""E11, E26, E74, E78, E84: limits on the whole account under, at and over; soft ones; amends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.limits import unenforced
from riskd.messages import (
    AccountSpec,
    Amend,
    Check,
    Configure,
    DuplicateOrders,
    GroupSpec,
    LimitSet,
    LimitsSpec,
    LimitValue,
    MarginModel,
    MarketPhase,
    MarketState,
    Tick,
)
from tests.builders import (
    INSTRUMENTS,
    MS,
    STOCK,
    StampedCore,
    a_core,
    a_fill,
    a_report,
    a_universe,
    an_account,
    an_order,
    codes_of,
)

POOR = an_account(balance=1000.0)
HALF = tuple(
    replace(spec, initial_margin=0.25) if spec.symbol == "X" else spec for spec in INSTRUMENTS
)
RATED = an_account(balance=100.0, margin_model=MarginModel.RATE)
CASH = an_account(balance=1000.0, margin_model=MarginModel.NONE)
EURO: dict[str, Any] = {"symbol": "EURUSD", "price": 1.25}
YEN: dict[str, Any] = {"symbol": "J", "price": 1000.0}
LONG = (a_fill("e-1", "buy", 6), an_order("w-1", "buy", 3), an_order("w-2", "sell", 5))
SHORT = (a_fill("e-1", "sell", 6), an_order("w-1", "sell", 3), an_order("w-2", "buy", 5))
Y_LONG = a_fill("e-2", "buy", 4, 50.0, symbol="Y")


class Row(NamedTuple):
    """A limit, what stands, one side, and the quantities under, at and over the limit."""

    code: str
    limits: LimitsSpec
    side: str
    quantities: tuple[int, int, int]
    value: float  # What the refusal says of the last.
    limit: float
    before: Sequence[Any] = ()
    account: AccountSpec = an_account()
    order: dict[str, Any] = {}


ROWS = (
    Row(  # 9 short of X and 4 long of Y at worst: 900 + 200 and what is asked.
        "GROSS_EXPOSURE",
        LimitsSpec(gross_exposure=1300),
        "sell",
        (1, 2, 3),
        1400,
        1300,
        (*SHORT, Y_LONG),
    ),
    Row(  # Yen at 100 for a dollar: 10 dollars each.
        "GROSS_EXPOSURE", LimitsSpec(gross_exposure=100), "buy", (9, 10, 11), 110, 100, order=YEN
    ),
    Row(  # The long 200 of Y helps the short side: -900 + 200 and what is asked.
        "NET_EXPOSURE",
        LimitsSpec(net_exposure=900),
        "sell",
        (1, 2, 3),
        1000,
        900,
        (*SHORT, Y_LONG),
    ),
    Row(  # 60 euro sold and 40 working to be sold; the working buys do not help. 1.25 dollars.
        "CURRENCY_EXPOSURE",
        LimitsSpec(currency_exposure={"EUR": 150.0}),
        "sell",
        (19, 20, 21),
        151.25,
        150,
        (
            a_fill("e-1", "sell", 60, 1.25, symbol="EURUSD"),
            an_order("w-1", "sell", 40, **EURO),
            an_order("w-2", "buy", 50, **EURO),
        ),
        order=EURO,
    ),
    Row(  # What is bought counts at the rate of now, however low the order's own price.
        "CURRENCY_EXPOSURE",
        LimitsSpec(currency_exposure={"EUR": 125.0}),
        "buy",
        (99, 100, 101),
        126.25,
        125,
        order={"symbol": "EURUSD", "price": 1.0},
    ),
    Row(  # An account in yen pays 125 yen for each euro bought: dollars are sold.
        "CURRENCY_EXPOSURE",
        LimitsSpec(currency_exposure={"USD": 12_500.0}),
        "buy",
        (99, 100, 101),
        12_625,
        12_500,
        account=an_account(currency="JPY"),
        order=EURO,
    ),
    Row(  # Dollars come in for each euro sold, those of the 40 working to be sold too.
        "CURRENCY_EXPOSURE",
        LimitsSpec(currency_exposure={"USD": 10_000.0}),
        "sell",
        (39, 40, 41),
        10_125,
        10_000,
        (an_order("w-1", "sell", 40, **EURO), an_order("w-2", "buy", 30, **EURO)),
        an_account(currency="JPY"),
        EURO,
    ),
    Row(  # 600 traded, 800 working, and this.
        "TURNOVER", LimitsSpec(turnover=1600), "sell", (1, 2, 3), 1700, 1600, LONG
    ),
    Row(  # 900 of X in gross 1,100, equity 100: 9 of 11; with two more 11 of 13 is 84.6 %.
        "CONCENTRATION",
        LimitsSpec(concentration_pct=84.7),
        "buy",
        (1, 2, 3),
        1200 / 14,
        84.7,
        (*LONG, Y_LONG),
        an_account(balance=100.0),
    ),
    Row(
        "CONCENTRATION",
        LimitsSpec(concentration_pct=10, concentration_floor=300),
        "sell",
        (2, 3, 4),
        40,
        10,
        account=POOR,
    ),
    Row("LEVERAGE", LimitsSpec(leverage=1.5), "sell", (5, 6, 7), 1.6, 1.5, SHORT, POOR),
    Row(  # A quarter of 100 each.
        "MARGIN", LimitsSpec(), "buy", (3, 4, 5), 125, 100, account=RATED
    ),
    Row("MARGIN", LimitsSpec(), "sell", (3, 4, 5), 125, 100, account=RATED),
    Row(  # 900 at worst already.
        "MARGIN",
        LimitsSpec(),
        "buy",
        (1, 3, 4),
        130,
        120,
        LONG,
        an_account(balance=120.0, leverage=10.0),
    ),
    Row("BUYING_POWER", LimitsSpec(), "buy", (1, 1, 2), 1100, 1000, LONG, CASH),
    Row(  # A gain of 60 pays too: 6 bought at 90.
        "RISK_PER_TRADE",
        LimitsSpec(risk_per_trade_pct=5),
        "sell",
        (4, 5, 6),
        6000 / 1060,
        5,
        (a_fill("e-1", "sell", 6, 110.0),),
        POOR,
        {"stop_loss": 110.0},
    ),
)


def a_house(row: Row) -> StampedCore:
    """Return a house in which what stands was let through before the limit was set."""
    house = a_core(accounts=(row.account,), instruments=HALF)
    for message in row.before:
        house.send(message)
    house.send(
        Configure(universe=a_universe(row.limits, accounts=(row.account,), instruments=HALF))
    )
    return house


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.code}-{row.side}-{row.value}")
def test_e11_account_limit_passes_under_and_at_and_refuses_over(row):
    house = a_house(row)
    for number, quantity in enumerate(row.quantities[:2]):
        passing = an_order(f"p-{number}", row.side, quantity, dry_run=True, **row.order)
        assert codes_of(house.send(passing)) == []
    verdict = house.send(an_order("over", row.side, row.quantities[2], **row.order))
    assert codes_of(verdict) == [row.code]
    assert verdict.rejects[0].value == pytest.approx(row.value, rel=1e-12)
    assert verdict.rejects[0].limit == row.limit
    assert verdict.max_quantity == row.quantities[1]


SOFT: dict[str, Any] = {  # Each at the value that one order of two lots of X is past.
    "order_quantity": 1,
    "order_notional": 100,
    "position_quantity": 1,
    "position_notional": 100,
    "gross_exposure": 100,
    "net_exposure": 100,
    "turnover": 100,
    "concentration_pct": 10,
    "leverage": 0.1,
    "risk_per_trade_pct": 1,
    "open_orders": 0,
    "daily_loss": 0,
    "price_collar_pct": 1,
}
HARD: dict[str, Any] = {
    "concentration_pct": 90,
    "leverage": 1,
    "price_collar_pct": 5,
}  # Else ten times as much.


def soft(key: str) -> LimitsSpec:
    told: dict[str, Any] = {key: LimitValue(value=SOFT[key], hard=False)}
    return LimitsSpec(**told)


def past(order_id: str, lots: int = 2, price: float = 102.0) -> Check:
    return an_order(order_id, "buy", lots, price=price, stop_loss=90.0)


@pytest.mark.parametrize("key", SOFT)
def test_e78_soft_limit_lets_pass_and_warns_with_its_numbers(key):
    house = a_core(soft(key), accounts=(POOR,))
    verdict = house.send(past("o"))
    assert verdict.approved
    (warning,) = verdict.warnings
    assert (warning.limit_type, warning.limit) == (key, SOFT[key])
    assert house.account().orders["o"].leaves_lots == 2


@pytest.mark.parametrize("key", [key for key in SOFT if key != "daily_loss"])
def test_e74_soft_limit_never_loosens_a_hard_one_that_is_wider(key):
    """The tighter warns, the wider refuses and is what binds."""
    wider = HARD.get(key, SOFT[key] * 10 or 1)
    limits = LimitSet(default=soft(key), symbol={"X": LimitsSpec(**{key: wider})})
    house = a_core(limits, accounts=(POOR,))
    within = house.send(past("within"))
    assert within.approved
    assert [warning.limit_type for warning in within.warnings] == [key]
    over = house.send(past("over", 30, 110.0))
    found = [reject for reject in over.rejects if reject.limit_type == key]
    assert [reject.limit for reject in found] == [wider]
    assert over.binding_limit == key
    only_hard = a_core(LimitsSpec(**{key: wider}), accounts=(POOR,))
    only_hard.send(past("within"))
    alone = only_hard.send(past("over", 30, 110.0))
    told = (over.max_quantity, over.headroom, over.nearest_price is None)
    assert told == (alone.max_quantity, alone.headroom, alone.nearest_price is None)


def test_e74_soft_rate_never_loosens_a_hard_one_that_is_wider():
    limits = LimitSet(
        default=LimitsSpec(orders_per_second=LimitValue(value=1, hard=False)),
        symbol={"X": LimitsSpec(orders_per_second=3)},
    )
    house = a_core(limits)
    told = [codes_of(house.send(an_order(f"o-{number}"))) for number in range(4)]
    assert told == [[], [], [], ["RATE_LIMIT"]]


def test_e45_currency_limit_without_a_rate_refuses_what_adds_to_it():
    """A settlement price makes no mid: the order has a reference, the euro has no rate."""
    house = a_core(LimitsSpec(currency_exposure={"EUR": 1.0}), quotes={})
    house.send(MarketState(symbol="EURUSD", state=MarketPhase.OPEN, settlement=1.25))
    assert codes_of(house.send(an_order("o-1", quantity=1000, **EURO))) == ["FX_MISSING"]
    house.send(Tick(symbol="EURUSD", bid=1.25, ask=1.25))
    assert codes_of(house.send(an_order("o-2", quantity=1000, **EURO))) == ["CURRENCY_EXPOSURE"]


def test_e84_reduction_that_raises_concentration_passes_and_an_increase_does_not():
    """Selling Y leaves X with more of the whole; X itself may be sold too."""
    house = a_core(accounts=(POOR,))
    house.send_all(a_fill("e-1", "buy", 10), a_fill("e-2", "buy", 20, 50.0, symbol="Y"))
    limits = LimitsSpec(concentration_pct=40)
    house.send(Configure(universe=a_universe(limits, accounts=(POOR,))))
    sold: dict[str, Any] = {"symbol": "Y", "price": 50.0, "dry_run": True}
    assert codes_of(house.send(an_order("r-1", "sell", 20, **sold))) == []
    assert codes_of(house.send(an_order("r-2", "sell", 10, dry_run=True))) == []
    assert codes_of(house.send(an_order("i-1", "buy", 1, dry_run=True))) == ["CONCENTRATION"]
    assert codes_of(house.send(an_order("i-2", "sell", 31, dry_run=True))) == ["CONCENTRATION"]


def an_amend(new_id: str | None, **fields: Any) -> Amend:
    return Amend(account="A1", client_order_id="o-1", new_client_order_id=new_id, **fields)


def test_e25_amend_counts_what_is_filled_once_in_turnover():
    """500 traded; 7 more at 100 make 1,200, 8 do not fit."""
    house = a_core(LimitsSpec(turnover=1200))
    house.send(an_order("o-1", quantity=10))
    house.send(a_fill(quantity=5, client_order_id="o-1"))
    refused = house.send(an_amend("over", quantity=13.0))
    assert codes_of(refused) == ["TURNOVER"]
    assert (refused.rejects[0].value, refused.max_quantity) == (1300, 12)
    assert codes_of(house.send(an_amend("at", quantity=12.0))) == []


def test_e25_amend_counts_its_own_leaves_once_in_a_currency():
    house = a_core(LimitsSpec(currency_exposure={"EUR": 100.0}))
    house.send(an_order("o-1", quantity=40, **EURO))
    refused = house.send(an_amend("over", quantity=81.0))
    assert codes_of(refused) == ["CURRENCY_EXPOSURE"]
    assert (refused.rejects[0].value, refused.max_quantity) == (101.25, 80)
    assert codes_of(house.send(an_amend("at", quantity=80.0))) == []


def test_e25_amend_counts_its_own_leaves_once_in_what_is_paid_for_a_pair():
    """125 yen of dollars are sold for each euro."""
    limits = LimitsSpec(currency_exposure={"USD": 10_000.0})
    house = a_core(limits, accounts=(an_account(currency="JPY"),))
    house.send(an_order("o-1", quantity=40, **EURO))
    refused = house.send(an_amend("over", quantity=81.0))
    assert codes_of(refused) == ["CURRENCY_EXPOSURE"]
    assert (refused.rejects[0].value, refused.max_quantity) == (10_125, 80)
    assert codes_of(house.send(an_amend("at", quantity=80.0))) == []


def test_amend_without_an_id_is_judged_anew_once_the_venue_answered_the_same_words():
    house = a_core(LimitsSpec(position_quantity=12))
    house.send(an_order("o-1", quantity=10))
    for number, quantity in enumerate((12.0, 4.0)):
        assert house.send(an_amend(None, quantity=quantity)).approved
        house.send(a_report("o-1", "replaced", f"r-{number}"))
    again = house.send(an_amend(None, quantity=12.0))
    assert (again.approved, again.duplicate) == (True, False)
    assert house.position().open_buy_lots == 12
    retried = house.send(an_amend(None, quantity=12.0))
    assert (retried.approved, retried.duplicate, retried.seq) == (True, True, again.seq)
    house.send(a_report("o-1", "replaced", "r-9"))
    house.send(an_amend(None, quantity=4.0))
    house.send(a_report("o-1", "replaced", "r-10"))
    house.send(an_order("o-2", quantity=8))
    assert codes_of(house.send(an_amend(None, quantity=12.0))) == ["POSITION_LIMIT"]


def test_e30_same_words_after_another_change_in_flight_are_another_change():
    """Up, down, up again: when the venue took the first two, the third is still reserved."""
    house = a_core()
    house.send(an_order("o-1", quantity=10))
    for quantity in (12.0, 4.0, 12.0):
        assert not house.send(an_amend(None, quantity=quantity)).duplicate
    house.send_all(a_report("o-1", "replaced", "r-1"), a_report("o-1", "replaced", "r-2"))
    assert house.position().open_buy_lots == 12
    house.send(a_report("o-1", "replaced", "r-3"))
    assert house.position().open_buy_lots == 12


def test_duplicate_content_differs_by_side_price_and_quantity_and_returns_after_the_window():
    limits = LimitsSpec(duplicate_orders=DuplicateOrders(count=1, window_ms=100))
    house = a_core(limits)
    others = (
        an_order("a"),
        an_order("b", "sell"),
        an_order("c", quantity=2),
        an_order("d", price=99.0),
    )
    assert [codes_of(house.send(order)) for order in others] == [[]] * 4
    refused = house.send(an_order("e"))
    assert codes_of(refused) == ["DUPLICATE_CONTENT"]
    retry_ns = refused.rejects[0].retry_after_ns
    assert retry_ns == 100 * MS - 4000  # Charged four inputs ago.
    assert codes_of(house.send(an_order("f"), retry_ns - 1)) == ["DUPLICATE_CONTENT"]
    assert codes_of(house.send(an_order("g"), 1)) == []


def test_e59_duplicate_content_is_held_to_a_lower_count_at_once_and_to_a_higher_one_as_it_was():
    def put(count: int) -> None:
        limits = LimitsSpec(duplicate_orders=DuplicateOrders(count=count, window_ms=10_000))
        house.send(Configure(universe=a_universe(limits)))

    house = a_core()
    put(3)
    assert [codes_of(house.send(an_order(f"o-{x}"))) for x in range(2)] == [[], []]
    put(2)
    assert codes_of(house.send(an_order("lowered"))) == ["DUPLICATE_CONTENT"]
    put(3)
    assert codes_of(house.send(an_order("raised"))) == []
    assert codes_of(house.send(an_order("full"))) == ["DUPLICATE_CONTENT"]


def test_group_soft_limit_without_a_rate_warns_and_never_refuses():
    limits = LimitSet(firm=LimitsSpec(gross_exposure=LimitValue(value=1.0, hard=False)))
    account = an_account(currency="JPY")
    stock = replace(STOCK, currency="JPY", tick_size="1")
    house = a_core(limits, accounts=(account,), instruments=(stock,), quotes={"X": (100, 100)})
    verdict = house.send(an_order())
    assert verdict.approved
    assert [warning.code for warning in verdict.warnings] == ["GROUP_LIMIT"]


def test_max_quantity_is_never_more_than_an_order_may_be():
    house = a_core()
    verdict = house.send(an_order(dry_run=True, explain=True, symbol="S", price=10.0))
    told = an_order("most", quantity=verdict.max_quantity, symbol="S", price=10.0)
    assert codes_of(house.send(told)) == []


def test_amend_is_told_from_others_whatever_characters_are_in_the_ids():
    house = a_core()
    for order_id in ("a", "a b"):
        house.send(an_order(order_id, quantity=5))
    for order_id, new_id in (("a", "b c"), ("a b", "c"), ("a", " 8.0 None None"), ("a", None)):
        quantity = 7.0 if new_id else 8.0
        amend = replace(an_amend(new_id, quantity=quantity), client_order_id=order_id)
        verdict = house.send(amend)
        assert (verdict.approved, verdict.duplicate) == (True, False)
    assert house.position().open_buy_lots == 8 + 7


@settings(max_examples=60)
@given(st.integers(1, 3), st.lists(st.tuples(st.integers(0, 2), st.integers(1, 60)), max_size=40))
def test_e55_same_content_never_more_than_its_count_in_any_window(count, sent):
    """Three contents sent at any gaps, a window of 100 ms."""
    house = a_core(LimitsSpec(duplicate_orders=DuplicateOrders(count=count, window_ms=100)))
    passed: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for number, (content, gap_ms) in enumerate(sent):
        order = an_order(f"o-{number}", quantity=content + 1)
        verdict = house.send(order, gap_ms * MS)
        now_ns, before = house.stamp.steady_ns, passed[content]
        is_room = len(before) < count or now_ns - before[-count] >= 100 * MS
        assert verdict.approved is is_room
        if is_room:
            before.append(now_ns)
        else:
            assert verdict.rejects[0].retry_after_ns == before[-count] + 100 * MS - now_ns


def test_turnover_of_two_currencies_counts_each_once():
    """Five at 100 dollars, and fifty at 1,000 yen of a hundredth of a dollar: 1,000 in all."""
    house = a_core(LimitsSpec(turnover=1100))
    house.send(a_fill("e-1", quantity=5))
    house.send(an_order("y", quantity=50, symbol="J", price=1000.0))
    assert codes_of(house.send(an_order("over", quantity=2))) == ["TURNOVER"]
    assert codes_of(house.send(an_order("at"))) == []


@pytest.mark.parametrize("scope", ["firm", "group"])
def test_currency_limit_of_the_firm_or_a_group_binds_each_of_its_accounts_alone(scope):
    """125 dollars are a hundred euro; what another account holds is no matter."""
    table = LimitsSpec(currency_exposure={"EUR": 125.0})
    limits = LimitSet(firm=table) if scope == "firm" else LimitSet(group={"desk": table})
    assert unenforced(limits) == []
    accounts = (an_account("A1", group="desk"), an_account("A2", group="desk"))
    universe = replace(a_universe(limits, accounts=accounts), groups=(GroupSpec(id="desk"),))
    house = StampedCore()
    house.send(Configure(universe=universe))
    house.send(Tick(symbol="EURUSD", bid=1.25, ask=1.25))
    euro: dict[str, Any] = {"symbol": "EURUSD", "price": 1.25}
    assert codes_of(house.send(an_order("o-1", quantity=100, account="A2", **euro))) == []
    assert codes_of(house.send(an_order("o-2", quantity=100, **euro))) == []
    refused = house.send(an_order("o-3", quantity=1, **euro))
    assert codes_of(refused) == ["CURRENCY_EXPOSURE"]
    assert refused.rejects[0].scope == scope
