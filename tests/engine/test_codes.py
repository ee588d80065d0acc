"""E5, E11: each reject code just under, exactly at and just over its limit, and their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from engine.checks import CHECKS
from riskd.codes import CODES, RejectCode
from riskd.messages import (
    AccountSpec,
    ActorFailed,
    Check,
    Configure,
    DuplicateOrders,
    GroupSpec,
    Kill,
    LimitSet,
    LimitsSpec,
    LimitValue,
    MarginModel,
    MarketPhase,
    MarketState,
    OrderRule,
    OrderType,
    Permissions,
    Side,
    Tick,
    Trip,
    Unkill,
)
from tests.builders import (
    MS,
    QUOTES,
    SECOND,
    StampedCore,
    a_core,
    a_fill,
    a_universe,
    an_account,
    an_order,
    codes_of,
)

USD, EUR = an_account(), an_account(currency="EUR")


class Row(NamedTuple):
    """A limit, what stands before, and orders on both sides of the boundary."""

    code: RejectCode
    limits: LimitsSpec
    passing: Sequence[Check]  # Just under, and exactly at.
    over: Check
    value: float | None = None  # What the refusal of `over` says, and the limit it names.
    limit: float | None = None
    before: Sequence[Any] = ()
    account: AccountSpec = USD


def buys(*quantities: float, **fields: Any) -> list[Check]:
    return [an_order(f"b-{x}", "buy", x, **fields) for x in quantities]


def sells(*quantities: float, **fields: Any) -> list[Check]:
    return [an_order(f"s-{x}", "sell", x, **fields) for x in quantities]


def priced(side: str, *prices: float, **fields: Any) -> list[Check]:
    return [an_order(f"{side}-{x}", side, price=x, **fields) for x in prices]


HELD = (a_fill("e-1", "buy", 6), an_order("w-1", "buy", 3), an_order("w-2", "sell", 5))
SHORT = (a_fill("e-1", "sell", 6), an_order("w-1", "sell", 3), an_order("w-2", "buy", 5))
LOSS = a_fill("e-1", "buy", 10, 110.0)  # Ten at 110, worth 100: a loss of 100.
TOKEN_QUANTITY = {"symbol": "T", "price": 2000.0}
YEN = {"symbol": "J", "price": 1000.0}
PERP = {"symbol": "P", "price": 50_000.0}
BTC = an_account(balance=1000.0, currency="BTC")
POOR = an_account(balance=1000.0)
RATED = an_account(balance=1000.0, margin_model=MarginModel.RATE)
LEVERED = an_account(balance=100.0, leverage=10.0)
CASH = an_account(balance=1000.0, margin_model=MarginModel.NONE)
R = RejectCode

ROWS = [
    Row(R.ORDER_QUANTITY, LimitsSpec(order_quantity=10), buys(9, 10), buys(11)[0], 11, 10),
    Row(R.ORDER_QUANTITY, LimitsSpec(order_quantity=10), sells(9, 10), sells(11)[0], 11, 10),
    Row(
        R.ORDER_QUANTITY,
        LimitsSpec(order_quantity=0.1),
        buys(0.09999999, 0.1, **TOKEN_QUANTITY),
        buys(0.10000001, **TOKEN_QUANTITY)[0],
        0.10000001,
        0.1,
    ),
    Row(
        R.ORDER_NOTIONAL,
        LimitsSpec(order_notional=1000),
        priced("buy", 99.99, 100.0, quantity=10),
        priced("buy", 100.01, quantity=10)[0],
        1000.1,
        1000,
    ),
    Row(  # 1,250 USD are 1,000 EUR.
        R.ORDER_NOTIONAL,
        LimitsSpec(order_notional=1000),
        priced("sell", 124.99, 125.0, quantity=10),
        priced("sell", 125.01, quantity=10)[0],
        1000.08,
        1000,
        account=EUR,
    ),
    Row(  # Yen to euro goes through the dollar: 100 x 1.25 yen each.
        R.ORDER_NOTIONAL,
        LimitsSpec(order_notional=80),
        buys(9, 10, **YEN),
        buys(11, **YEN)[0],
        88,
        80,
        account=EUR,
    ),
    Row(  # A contract of 100 USD at 50,000 is 0.002 BTC.
        R.ORDER_NOTIONAL,
        LimitsSpec(order_notional=0.02),
        buys(9, 10, **PERP),
        buys(11, **PERP)[0],
        0.022,
        0.02,
        account=BTC,
    ),
    Row(  # The same in dollars, at 50,000 dollars a bitcoin.
        R.ORDER_NOTIONAL,
        LimitsSpec(order_notional=1000),
        buys(9, 10, **PERP),
        buys(11, **PERP)[0],
        1100,
        1000,
    ),
    Row(  # A market order: ask 100 plus 10 basis points, 100.10 each.
        R.ORDER_NOTIONAL,
        LimitsSpec(order_notional=1001),
        buys(9, 10, price=None, order_type=OrderType.MARKET),
        buys(11, price=None, order_type=OrderType.MARKET)[0],
        1101.1,
        1001,
    ),
    Row(  # 6 held and 3 working buys; the working sells do not help.
        R.POSITION_LIMIT,
        LimitsSpec(position_quantity=11),
        buys(1, 2, dry_run=True),
        buys(3)[0],
        12,
        11,
        HELD,
    ),
    Row(
        R.POSITION_LIMIT,
        LimitsSpec(position_quantity=11),
        sells(1, 2, dry_run=True),
        sells(3)[0],
        12,
        11,
        SHORT,
    ),
    Row(  # At the reference of 100, whatever the order's own price.
        R.POSITION_LIMIT,
        LimitsSpec(position_notional=1100),
        buys(1, 2, dry_run=True, price=90.0),
        buys(3, price=90.0)[0],
        1200,
        1100,
        HELD,
    ),
    Row(  # 10 x 2,000 dollars x 1e-8 steps, in euro: 16,000 for ten.
        R.POSITION_LIMIT,
        LimitsSpec(position_notional=16_000),
        buys(9.99999999, 10, dry_run=True, **TOKEN_QUANTITY),
        buys(10.00000001, **TOKEN_QUANTITY)[0],
        16_000.000016,
        16_000,
        account=EUR,
    ),
    Row(  # |long worst| 9 x 100 in X, 2 held of Y at 50.
        R.GROSS_EXPOSURE,
        LimitsSpec(gross_exposure=1200),
        buys(1, 2, dry_run=True),
        buys(3)[0],
        1300,
        1200,
        (*HELD, a_fill("e-2", "sell", 2, 50.0, symbol="Y")),
    ),
    Row(
        R.NET_EXPOSURE,
        LimitsSpec(net_exposure=1100),
        buys(1, 2, dry_run=True),
        buys(3)[0],
        1200,
        1100,
        HELD,
    ),
    Row(
        R.NET_EXPOSURE,
        LimitsSpec(net_exposure=1100),
        sells(1, 2, dry_run=True),
        sells(3)[0],
        1200,
        1100,
        SHORT,
    ),
    Row(  # Euro bought at 1.25 dollars.
        R.CURRENCY_EXPOSURE,
        LimitsSpec(currency_exposure={"EUR": 125.0}),
        buys(99, 100, dry_run=True, symbol="EURUSD", price=1.25),
        buys(101, symbol="EURUSD", price=1.25)[0],
        126.25,
        125,
    ),
    Row(R.OPEN_ORDERS, LimitsSpec(open_orders=3), buys(1, 2, 3), buys(4)[0], 4, 3),
    Row(  # Ten traded at 110, then what is asked for.
        R.TURNOVER,
        LimitsSpec(turnover=1300),
        buys(1, 2, dry_run=True),
        buys(3)[0],
        1400,
        1300,
        (LOSS,),
    ),
    Row(  # Equity 1,000, share of the larger of gross and equity: 250 are 25 %.
        R.CONCENTRATION,
        LimitsSpec(concentration_pct=25),
        priced("buy", 100.0, quantity=2, dry_run=True),
        buys(3)[0],
        30,
        25,
        account=POOR,
    ),
    Row(
        R.CONCENTRATION,
        LimitsSpec(concentration_pct=10, concentration_floor=300),
        buys(2, 3, dry_run=True),
        buys(4)[0],
        40,
        10,
        account=POOR,
    ),
    Row(
        R.LEVERAGE,
        LimitsSpec(leverage=2),
        buys(19, 20, dry_run=True),
        buys(21)[0],
        2.1,
        2,
        account=POOR,
    ),
    Row(R.MARGIN, LimitsSpec(), buys(9, 10, dry_run=True), buys(11)[0], 1100, 1000, account=RATED),
    Row(
        R.MARGIN, LimitsSpec(), sells(9, 10, dry_run=True), sells(11)[0], 110, 100, account=LEVERED
    ),
    Row(
        R.BUYING_POWER,
        LimitsSpec(),
        buys(9, 10, dry_run=True),
        buys(11)[0],
        1100,
        1000,
        account=CASH,
    ),
    Row(  # Ten dollars lost on each: 5 % of 1,000 are 50.
        R.RISK_PER_TRADE,
        LimitsSpec(risk_per_trade_pct=5),
        buys(4, 5, dry_run=True, stop_loss=90.0),
        buys(6, stop_loss=90.0)[0],
        6,
        5,
        account=POOR,
    ),
    Row(
        R.DUPLICATE_CONTENT,
        LimitsSpec(duplicate_orders=DuplicateOrders(count=2, window_ms=1000)),
        [an_order("d-1"), an_order("d-2")],
        an_order("d-3"),
        3,
        2,
    ),
    Row(R.RATE_LIMIT, LimitsSpec(orders_per_second=3), buys(1, 2, 3), buys(4)[0], 4, 3),
    Row(R.RATE_LIMIT, LimitsSpec(orders_per_second=0), [], buys(4)[0], 1, 0),
    Row(
        R.PRICE_COLLAR,
        LimitsSpec(price_collar_pct=5),
        priced("buy", 104.99, 105.0, 1.0),
        priced("buy", 105.01)[0],
        5.01,
        5,
    ),
    Row(
        R.PRICE_COLLAR,
        LimitsSpec(price_collar_pct=5),
        priced("sell", 95.01, 95.0, 999.0),
        priced("sell", 94.99)[0],
        5.01,
        5,
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.code}-{row.over.client_order_id}")
def test_e11_at_the_limit_passes_and_one_unit_over_is_refused(row):
    house = a_core(row.limits, accounts=(row.account,))
    for message in row.before:
        assert getattr(house.send(message), "approved", True)
    for order in row.passing:
        assert codes_of(house.send(order)) == []
    verdict = house.send(row.over)
    assert codes_of(verdict) == [row.code]
    reject = verdict.rejects[0]
    assert (reject.value, reject.limit) == (pytest.approx(row.value, rel=1e-12), row.limit)
    assert reject.fix_code == CODES[row.code].fix_code
    assert reject.text


@pytest.mark.parametrize("scope", ["default", "firm", "group", "account", "symbol", "narrow"])
def test_e11_tightest_scope_decides_and_is_named(scope):
    wide, tight = LimitsSpec(order_quantity=50), LimitsSpec(order_quantity=10)
    sets = {
        "default": (LimitSet(default=tight, firm=wide), "account", "A1"),
        "firm": (LimitSet(default=wide, firm=tight), "firm", "firm"),
        "group": (LimitSet(default=wide, group={"g": tight}), "group", "g"),
        "account": (LimitSet(default=wide, account={"A1": tight}), "account", "A1"),
        "symbol": (LimitSet(default=wide, symbol={"X": tight}), "symbol", "X"),
        "narrow": (
            LimitSet(default=wide, account_symbol={"A1": {"X": tight}}),
            "account_symbol",
            "A1:X",
        ),
    }
    limits, kind, name = sets[scope]
    universe = a_universe(limits, accounts=(an_account(group="g"),))
    house = a_core()
    house.send(Configure(universe=replace(universe, groups=(GroupSpec(id="g"),))))
    assert codes_of(house.send(an_order("at", quantity=10))) == []
    refused = house.send(an_order("over", quantity=11))
    assert codes_of(refused) == ["ORDER_QUANTITY"]
    assert (refused.rejects[0].scope, refused.rejects[0].scope_id) == (kind, name)


def test_e11_soft_limit_approves_with_a_warning():
    house = a_core(LimitsSpec(order_quantity=LimitValue(value=10, hard=False)))
    assert house.send(an_order("under", quantity=7)).warnings == ()
    at = house.send(an_order("at", quantity=10)).warnings
    assert [(found.code, found.text.rpartition(": ")[2]) for found in at] == [
        ("ORDER_QUANTITY", "critical")  # Of what is used, not past it.
    ]
    verdict = house.send(an_order("over", quantity=11))
    assert verdict.approved
    assert [warning.code for warning in verdict.warnings] == ["ORDER_QUANTITY"]


def test_e11_daily_loss_refuses_at_the_limit_what_could_increase_risk():
    """A loss of 99.99 passes; of 100, at the limit, only what reduces."""
    house = a_core(LimitsSpec(daily_loss=100), accounts=(an_account(balance=10_000.0),))
    house.send(LOSS)
    house.send(Tick(symbol="X", bid=100.0, ask=100.002))  # The mark is 100.001: 99.99 lost.
    assert codes_of(house.send(an_order("under"))) == []
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    verdict = house.send(an_order("at"))
    assert codes_of(verdict) == ["DAILY_LOSS"]
    assert (verdict.rejects[0].value, verdict.rejects[0].limit) == (100, 100)
    assert codes_of(house.send(an_order("reduces", "sell", 10))) == []


@pytest.mark.parametrize(("age_ns", "codes"), [(-1, []), (0, []), (1, ["STALE_PRICE"])])
def test_e11_price_may_be_as_old_as_its_limit(age_ns, codes):
    house = a_core()
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    assert codes_of(house.send(an_order(), 5000 * MS + age_ns)) == codes


@pytest.mark.parametrize(("age_ns", "codes"), [(0, ["RATE_LIMIT"]), (1, [])])
def test_e11_rate_window_is_over_after_exactly_one_second(age_ns, codes):
    house = a_core(LimitsSpec(orders_per_second=2))
    house.send_all(an_order("o-1"), an_order("o-2"))
    refused = house.send(an_order("o-3"), 1000)
    retry_ns = refused.rejects[0].retry_after_ns
    assert retry_ns == SECOND - 2000  # The first was charged 2,000 ns before.
    assert codes_of(house.send(an_order("o-4"), retry_ns - 1 + age_ns)) == codes


Prepare = Callable[[StampedCore], Any]


@pytest.mark.parametrize(
    ("code", "order", "prepare"),
    [
        (R.MALFORMED, an_order(price=None), lambda house: None),
        (R.UNKNOWN_ACCOUNT, an_order(account="nobody"), lambda house: None),
        (R.UNKNOWN_SYMBOL, an_order(symbol="NOPE"), lambda house: None),
        (R.KILLED, an_order(), lambda house: house.send(Kill(scope="firm"))),
        (R.BREAKER_OPEN, an_order(), lambda house: house.send(Trip(scope="symbol", scope_id="X"))),
        (
            R.ACCOUNT_FROZEN,
            an_order(),
            lambda house: house.send(ActorFailed(account="A1", reason="drill")),
        ),
        (
            R.MARKET_CLOSED,
            an_order(),
            lambda house: house.send(MarketState(symbol="X", state=MarketPhase.CLOSED)),
        ),
        (
            R.MARKET_CLOSED,
            an_order(),
            lambda house: house.send(MarketState(symbol="X", state=MarketPhase.HALTED)),
        ),
        (R.REDUCE_ONLY, an_order(reduce_only=True), lambda house: None),
        (R.REDUCE_ONLY, an_order(close_position=True), lambda house: None),
        (R.PRICE_OFF_TICK, an_order(price=100.001), lambda house: None),
        (R.QUANTITY_OFF_LOT, an_order(quantity=1.5), lambda house: None),
    ],
)
def test_code_of_standing_is_given_and_without_its_cause_the_order_passes(code, order, prepare):
    house = a_core()
    prepare(house)
    verdict = house.send(order)
    assert codes_of(verdict) == [code]
    assert verdict.rejects[0].fix_code == CODES[code].fix_code
    assert codes_of(a_core().send(an_order())) == []


def test_code_no_reference_price_when_nothing_was_ever_quoted():
    house = a_core(quotes={})
    assert codes_of(house.send(an_order())) == ["NO_REFERENCE_PRICE"]


def test_code_fx_missing_when_no_path_is_quoted():
    quotes = {key: value for key, value in QUOTES.items() if key != "EURUSD"}
    house = a_core(LimitsSpec(order_notional=1), quotes=quotes, accounts=(EUR,))
    assert codes_of(house.send(an_order())) == ["FX_MISSING"]


def test_code_leverage_without_equity_is_infinite_and_freezes_nobody():
    house = a_core(LimitsSpec(leverage=2), accounts=(POOR,))
    house.send(a_fill("e-1", "buy", 10, 100.0, fee=1000.0))
    verdict = house.send(an_order("o-1"))
    assert codes_of(verdict) == ["LEVERAGE"]
    assert house.account().frozen == ""
    assert codes_of(house.send(an_order("o-2", "sell", 10))) == []


EVERYTHING = LimitsSpec(
    daily_loss=10,
    drawdown_day_pct=1,
    drawdown_week_pct=1,
    drawdown_max_pct=1,
    price_collar_pct=5,
    price_collar_ticks=5,
    price_collar_money=5,
    order_quantity=1,
    order_notional=1,
    position_quantity=1,
    position_notional=1,
    gross_exposure=1,
    net_exposure=1,
    open_orders=0,
    turnover=1,
    concentration_pct=1,
    correlated_exposure_pct=1,
    correlated_exposure=1,
    leverage=0.01,
    risk_per_trade_pct=0.01,
    duplicate_orders=DuplicateOrders(count=1, window_ms=10_000),
    orders_per_second=1,
    fills_per_second=0,
    order_to_trade=0.01,
    cancel_ratio_pct=0.01,
    ratio_floor=0,
    repeated_executions=0,
)
ORDER_IN_WORDS = [
    "NOT_PERMITTED",
    "KILLED", "BREAKER_OPEN", "BREAKER_OPEN", "ACCOUNT_FROZEN", "MARKET_CLOSED", "REDUCE_ONLY",
    "SLOWED",
    "DAILY_LOSS",
    "DRAWDOWN", "DRAWDOWN", "DRAWDOWN",
    "PRICE_OFF_TICK", "QUANTITY_OFF_LOT", "NO_REFERENCE_PRICE", "STALE_PRICE",
    "PRICE_COLLAR", "PRICE_COLLAR", "PRICE_COLLAR", "ORDER_QUANTITY", "ORDER_NOTIONAL",
    "POSITION_LIMIT", "POSITION_LIMIT", "GROSS_EXPOSURE", "NET_EXPOSURE", "CURRENCY_EXPOSURE",
    "OPEN_ORDERS", "TURNOVER",
    "CONCENTRATION", "CORRELATED_EXPOSURE", "CORRELATED_EXPOSURE", "LEVERAGE", "MARGIN",
    "BUYING_POWER",
    "RISK_PER_TRADE", "SELF_MATCH", "DUPLICATE_CONTENT", "REPEATED_EXECUTION", "RATE_LIMIT",
    "RATE_LIMIT", "RATE_LIMIT", "RATE_LIMIT",
    "GROUP_LIMIT", "FX_MISSING", "UNRECONCILED", "UNRECONCILED", "DEADLINE",
]  # fmt: skip


INSIDER = Permissions(restricted=(OrderRule(symbol="X", side=Side.BUY, reason="insider list"),))


def a_hopeless_house(account: AccountSpec = RATED) -> StampedCore:
    """Everything that can be wrong at once is wrong for a buy of X at 200."""
    house = a_core(EVERYTHING, accounts=(account,), permissions=INSIDER)
    house.send(LOSS)
    house.send(an_order("first"))  # Takes the only room of the rate, and of this content.
    house.send(an_order("second", quantity=50, price=200.0, stop_loss=1.0))
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    house.send(ActorFailed(account="A1", reason="drill"))
    house.send(MarketState(symbol="X", state=MarketPhase.HALTED))
    house.send(Trip(scope="account", scope_id="A1"))
    house.send(Trip(scope="symbol", scope_id="X", action="slow"))
    return house


HOPELESS: dict[str, Any] = {
    "quantity": 50,
    "price": 200.0,
    "stop_loss": 1.0,
    "reduce_only": True,
    "deadline_ns": 1,
}


def hopeless(order_id: str, **fields: Any) -> Check:
    return an_order(order_id, **(HOPELESS | fields))


@pytest.mark.parametrize("killed", [True, False])
@pytest.mark.parametrize("account", [RATED, CASH])
def test_e05_all_reasons_are_listed_in_the_documented_order_and_the_first_is_primary(
    killed, account
):
    house = a_hopeless_house(account)
    if killed:
        house.send(Kill(scope="firm"))
    house.elapse(900 * MS)
    house.elapse(5 * SECOND)
    house.send(an_order("room", quantity=50, price=200.0, stop_loss=1.0))  # Charges again.
    house.send(a_fill("e-2", "buy", 1, 110.0))
    house.account().conduct.cancels = 1
    told = codes_of(house.send(hopeless("all", explain=True)))
    margin = "MARGIN" if account.margin_model is MarginModel.RATE else "BUYING_POWER"
    absent = {"PRICE_OFF_TICK", "QUANTITY_OFF_LOT", "NO_REFERENCE_PRICE", "FX_MISSING"}
    absent |= {  # Nothing of the kind is limited here.
        "CURRENCY_EXPOSURE",
        "GROUP_LIMIT",
        "SELF_MATCH",
        "UNRECONCILED",  # Of no session.
    }
    absent |= {"MARGIN", "BUYING_POWER"} - {margin}
    absent |= {"BREAKER_OPEN"} if killed and "BREAKER_OPEN" not in told else set()
    absent |= set() if killed else {"KILLED"}
    expected = [code for code in ORDER_IN_WORDS if code not in absent]
    if "BREAKER_OPEN" in expected:
        expected.remove("BREAKER_OPEN")  # No move of a price is limited here.
    assert told == expected
    assert codes_of(house.send(hopeless("one"))) == told[:1]


def test_e05_primary_reason_is_the_next_one_as_each_cause_is_lifted():
    house = a_hopeless_house()
    house.send(Kill(scope="firm"))
    primaries = [codes_of(house.send(hopeless("p-00")))]
    house.core.boards.put_permissions(Permissions())
    primaries.append(codes_of(house.send(hopeless("p-0"))))
    house.send(Unkill(scope="firm"))
    primaries.append(codes_of(house.send(hopeless("p-1"))))
    house.core.boards.breakers.apply_reset(1)
    primaries.append(codes_of(house.send(hopeless("p-2"))))
    house.account().frozen = ""
    primaries.append(codes_of(house.send(hopeless("p-3"))))
    house.send(MarketState(symbol="X", state=MarketPhase.OPEN))
    primaries.append(codes_of(house.send(hopeless("p-4"))))
    primaries.append(codes_of(house.send(hopeless("p-5", reduce_only=False))))
    house.core.boards.breakers.apply_reset(2)
    primaries.append(codes_of(house.send(hopeless("p-6", reduce_only=False))))
    assert [codes[0] for codes in primaries] == list(dict.fromkeys(ORDER_IN_WORDS))[:8]


def test_e05_numbers_off_the_grid_come_after_the_loss_and_before_the_age():
    house = a_core(LimitsSpec(daily_loss=10), accounts=(an_account(balance=10_000.0),))
    house.send(LOSS)
    house.elapse(6 * SECOND)
    told = codes_of(house.send(an_order(quantity=1.5, price=100.001, explain=True)))
    assert told == ["DAILY_LOSS", "PRICE_OFF_TICK", "QUANTITY_OFF_LOT", "STALE_PRICE"]


def test_e05_checks_codes_and_documented_order_are_one_order():
    assert [row.code.value for row in CHECKS if not row.warns] == ORDER_IN_WORDS
    before = [row.code for row in CHECKS]
    assert all(before[n - 1] == row.code for n, row in enumerate(CHECKS) if row.warns)
    declared = [code.value for code in RejectCode if code.value in ORDER_IN_WORDS]
    assert declared == list(dict.fromkeys(ORDER_IN_WORDS))


def test_codes_are_all_explained():
    assert list(CODES) == list(RejectCode)
