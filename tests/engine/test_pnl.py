"""E12 and E82: P&L by symbol, strategy and timeframe sums to the account's, to the last unit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import engine.ledger
from engine.digest import decode_state, encode_state
from engine.pnl import PARTS, PERIODS, Breakdown, Line
from engine.pnl_view import pnl_view
from engine.portfolio import accounts_in
from engine.views import pnl_update, position_update
from riskd.messages import (
    AccountSpec,
    Configure,
    CostMethod,
    DayBegan,
    FillBust,
    FillCorrect,
    Funding,
    GroupSpec,
    Pnl,
    PnlBy,
    PositionMode,
    RiskSettings,
    SessionRoll,
    Tick,
    Transfer,
)
from tests.builders import (
    MONEY,
    QUOTES,
    StampedCore,
    a_core,
    a_fill,
    a_universe,
    an_account,
    an_order,
)

MONDAY, TUESDAY, NEXT_MONDAY = "2026-11-23", "2026-11-24", "2026-11-30"
FIRST_OF_DECEMBER = "2026-12-01"


def total(house: StampedCore, account: str = "A1") -> Line:
    return house.core.accounts[account].profits().total()


def lines(house: StampedCore, by: str = "strategy", account: str = "A1") -> dict[str, Line]:
    return house.core.accounts[account].profits().lines(Breakdown(by))


def begin(house: StampedCore, day: str, week: str = MONDAY, month: str = "2026-11-01") -> None:
    house.send(DayBegan(calendar="UTC", day=day, week=week, month=month))


def view(house: StampedCore, scope: str, by: str) -> dict[str, Any]:
    boards, accounts = house.core.boards, house.core.accounts
    found = accounts_in(scope, accounts, boards)
    assert found is not None
    return pnl_view(boards, found, Pnl(scope=scope, by=PnlBy(by)), 0)


def test_e82_each_strategy_has_what_its_own_fills_made():
    house = a_core()
    house.send(a_fill("e-1", "buy", 10, 90, strategy="trend"))
    house.send(a_fill("e-2", "sell", 4, 110, strategy="trend", fee=1.0))
    house.send(a_fill("e-3", "buy", 5, 98, symbol="Y", strategy="carry"))
    found = lines(house)
    assert set(found) == {"trend", "carry"}
    trend = found["trend"]
    assert (trend.realized, trend.unrealized) == (80 * MONEY, 60 * MONEY)
    assert trend.fees == -1 * MONEY
    assert found["carry"].unrealized == -240 * MONEY


def test_e82_fill_without_a_tag_takes_its_orders_and_is_untagged_without_one():
    house = a_core()
    house.send(an_order("o-1", quantity=5, strategy="trend", timeframe="1h"))
    house.send(a_fill("e-1", quantity=2, price=90, client_order_id="o-1"))
    house.send(a_fill("e-2", quantity=2, price=80, client_order_id="o-1", strategy="carry"))
    house.send(a_fill("e-3", quantity=1, price=70))
    unrealized = {key: line.unrealized // MONEY for key, line in lines(house).items()}
    assert unrealized == {"trend": 20, "carry": 40, "untagged": 30}
    by_timeframe = {
        key: line.unrealized // MONEY for key, line in lines(house, "timeframe").items()
    }
    assert by_timeframe == {"1h": 60, "untagged": 30}


def test_e82_what_was_filled_before_the_first_tag_is_untagged():
    house = a_core()
    house.send(a_fill("e-1", "buy", 10, 90))
    assert lines(house)["untagged"].unrealized == 100 * MONEY
    house.send(a_fill("e-2", "sell", 4, 100, strategy="trend"))
    found = lines(house)
    assert found["untagged"].unrealized == 100 * MONEY
    assert "trend" not in found
    assert (found["netted"].realized, found["netted"].unrealized) == (40 * MONEY, -40 * MONEY)


def test_e82_bust_takes_the_profit_of_its_own_strategy_back():
    house = a_core()
    house.send(a_fill("e-1", "buy", 10, 90, strategy="trend"))
    house.send(a_fill("e-2", "buy", 10, 80, strategy="carry"))
    house.send(FillBust(account="A1", exec_id="e-1"))
    assert {key: line.life for key, line in lines(house).items()} == {"carry": 200 * MONEY}
    house.send(FillCorrect(account="A1", exec_id="e-1", quantity=1.0))
    assert lines(house)["trend"].life == 10 * MONEY


SYMBOLS = ("X", "Y", "J", "EURUSD", "P")
TAGS = st.sampled_from([None, None, "a", "b"])
FILLS = st.tuples(
    st.just("fill"),
    st.sampled_from(SYMBOLS),
    st.integers(-5, 5).filter(bool),
    st.sampled_from([0.9, 0.97, 1.0, 1.03]),
    st.tuples(TAGS, TAGS, st.sampled_from([0.0, 0.25, -0.1]), st.sampled_from([None, "EUR"])),
)
STEPS = st.lists(
    FILLS
    | st.tuples(st.sampled_from(["bust", "correct"]), st.integers(0, 30))
    | st.tuples(st.just("funding"), st.sampled_from(SYMBOLS), st.integers(-9, 9).filter(bool))
    | st.tuples(st.just("transfer"), st.integers(-9, 9).filter(bool))
    | st.tuples(st.just("tick"), st.sampled_from(SYMBOLS), st.sampled_from([0.98, 1.0, 1.01]))
    | st.tuples(st.sampled_from(["roll", "week"])),
    max_size=30,
)


def a_price(symbol: str, factor: float) -> float:
    digits = {"EURUSD": 5, "J": 0, "P": 0}.get(symbol, 2)
    return round(QUOTES[symbol][0] * factor, digits)


def step(house: StampedCore, number: int, what: Any) -> None:
    match what:
        case ("fill", symbol, lots, factor, (strategy, timeframe, fee, fee_currency)):
            side, price = ("buy" if lots > 0 else "sell"), a_price(symbol, factor)
            told = {"symbol": symbol, "strategy": strategy, "timeframe": timeframe}
            paid = {"fee": fee, "fee_currency": fee_currency}
            house.send(a_fill(f"e-{number}", side, abs(lots), price, **told, **paid))
        case ("bust", which):
            house.send(FillBust(account="A1", exec_id=f"e-{which}"))
        case ("correct", which):
            house.send(FillCorrect(account="A1", exec_id=f"e-{which}", quantity=2.0))
        case ("funding", symbol, amount):
            told = {"account": "A1", "funding_id": f"f-{number}", "symbol": symbol}
            house.send(Funding(amount=float(amount), **told))
        case ("transfer", amount):
            house.send(Transfer(account="A1", transfer_id=f"t-{number}", amount=float(amount)))
        case ("tick", symbol, factor):
            price = a_price(symbol, factor)
            house.send(Tick(symbol=symbol, bid=price, ask=price))
        case ("roll",):
            house.send(SessionRoll())
        case ("week",):
            begin(house, f"2026-12-{number + 1:02}", f"2026-12-{number + 1:02}", "2026-12-01")


def summed(found: dict[str, Line]) -> Line:
    line = Line()
    for each in found.values():
        line.add(each)
    return line


@settings(max_examples=200)
@given(
    steps=STEPS,
    method=st.sampled_from(CostMethod),
    mode=st.sampled_from(PositionMode),
    currency=st.sampled_from(["USD", "EUR"]),
    folded_after=st.sampled_from([2, 10_000]),
)
def test_e12_e82_every_breakdown_sums_to_the_change_of_equity_beside_transfers(
    steps, method, mode, currency, folded_after
):
    """E12, E82: any fills, busts, corrections, funding, transfers, ticks and rolls of days."""
    account = an_account(cost_method=method, position_mode=mode, currency=currency)
    house = a_core(accounts=(account,), settings=RiskSettings(mark="closing"))
    put_in = account.balance
    engine.ledger.EXECUTIONS_MAX, before = folded_after, engine.ledger.EXECUTIONS_MAX
    try:
        for number, what in enumerate(steps):
            step(house, number, what)
            put_in += what[1] if what[0] == "transfer" else 0
    finally:
        engine.ledger.EXECUTIONS_MAX = before
    whole = total(house)
    valuation = house.core.accounts["A1"].valuation
    assert whole.life == valuation.equity_money - int(put_in) * MONEY
    assert whole.day == house.core.accounts["A1"].day_pnl_money()
    if currency == "USD" and all(what[1] in ("X", "Y") for what in steps if what[0] == "fill"):
        foreign = {"J", "P"} & {what[1] for what in steps if what[0] == "funding"}
        fees = any(what[0] == "fill" and what[4][3] for what in steps)
        assert whole.revaluation == 0 or foreign or fees
    for by in Breakdown:
        assert summed(lines(house, by)) == whole
    assert decode_state(encode_state(house.core.state())) == house.core.state()


@settings(max_examples=150)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["X", "Y"]),
            st.integers(-5, 5).filter(bool),
            st.integers(90, 110),
            TAGS,
            st.sampled_from([0.0, 0.25]),
        ),
        max_size=12,
    ),
    changes=st.lists(st.tuples(st.integers(0, 11), st.booleans()), max_size=5),
    mode=st.sampled_from(PositionMode),
    folded_after=st.sampled_from([2, 10_000]),
)
def test_e82_strategy_earns_what_its_own_standing_fills_earned(steps, changes, mode, folded_after):
    """E82: what each was worth, less what was paid for it, whatever of it is realised by now."""
    house = a_core(accounts=(an_account(position_mode=mode),))
    standing: dict[str, tuple[str, str, int, int, float, bool]] = {}
    engine.ledger.EXECUTIONS_MAX, before = folded_after, engine.ledger.EXECUTIONS_MAX
    try:
        for number, (symbol, lots, price, tag, fee) in enumerate(steps):
            told = {"symbol": symbol, "strategy": tag, "fee": fee}
            side, exec_id = ("buy" if lots > 0 else "sell"), f"e-{number}"
            house.send(a_fill(exec_id, side, abs(lots), price, **told))
            standing[exec_id] = (tag or "untagged", symbol, lots, price, fee, True)
            for which, busts in changes:
                if which == number - 1:
                    change_one(house, standing, f"e-{which}", busts=busts)
    finally:
        engine.ledger.EXECUTIONS_MAX = before
    earned: dict[str, float] = {}
    for tag, symbol, lots, price, fee, stands in standing.values():
        profit = lots * (QUOTES[symbol][0] - price) - fee if stands else 0.0
        earned[tag] = earned.get(tag, 0.0) + profit
    found = {key: line.life / MONEY for key, line in lines(house).items()}
    netted = found.pop("netted", 0.0)
    assert netted == 0
    assert found == {tag: profit for tag, profit in earned.items() if profit} | {
        key: 0.0 for key in found if not earned.get(key)
    }


def change_one(house: StampedCore, standing: dict[str, Any], exec_id: str, *, busts: bool) -> None:
    """Bust a fill, or correct it to one lot; one that is folded already stays as it is."""
    change: Any = FillCorrect(account="A1", exec_id=exec_id, quantity=1.0)
    if busts:
        change = FillBust(account="A1", exec_id=exec_id)
    if house.send(change).flags:
        return
    tag, symbol, lots, price, fee, _ = standing[exec_id]
    kept = lots if busts else (1 if lots > 0 else -1)
    standing[exec_id] = (tag, symbol, kept, price, fee, not busts)


def test_e12_parts_of_an_account_in_its_own_currency_need_no_revaluation():
    house = a_core()
    house.send(a_fill("e-1", "buy", 3, 100.01, fee=0.1))
    house.send(a_fill("e-2", "sell", 1, 99.97, fee=0.1))
    house.send(Funding(account="A1", funding_id="f", symbol="X", amount=-0.33))
    house.send(Transfer(account="A1", transfer_id="t", amount=500.0))
    house.send(Tick(symbol="X", bid=101.0, ask=101.0))
    line = total(house)
    equity = house.core.accounts["A1"].valuation.equity_money
    assert line.revaluation == 0
    assert line.life == equity - 1_000_500 * MONEY == 1_410_000_000_000
    assert (line.fees, line.funding) == (-2 * MONEY // 10, -33 * MONEY // 100)


def test_cash_in_another_currency_is_revalued_on_a_line_of_its_own():
    """100 euro at 1.25 are 125 dollars; at 1.30 they are 5 dollars more, of no position."""
    house = a_core()
    house.send(Transfer(account="A1", transfer_id="t", amount=100.0, currency="EUR"))
    house.send(Tick(symbol="EURUSD", bid=1.3, ask=1.3))
    assert {key: line.life for key, line in lines(house, "symbol").items()} == {"cash": 5 * MONEY}
    assert total(house).revaluation == 5 * MONEY


def test_transfer_whose_rate_comes_later_is_no_profit():
    house = a_core(quotes={"X": (100.0, 100.0)})
    house.send(Transfer(account="A1", transfer_id="t", amount=100.0, currency="EUR"))
    assert total(house).day is None
    house.send(Tick(symbol="EURUSD", bid=1.3, ask=1.3))
    assert total(house) == Line()


def test_e50_day_week_and_month_begin_with_the_calendar_and_each_once():
    house = a_core()
    begin(house, TUESDAY)
    house.send(a_fill("e-1", "buy", 10, 90, strategy="trend"))
    spans = [total(house)]
    begin(house, TUESDAY)
    begin(house, "2026-11-25")
    house.send(Tick(symbol="X", bid=101.0, ask=101.0))
    spans.append(total(house))
    begin(house, NEXT_MONDAY, NEXT_MONDAY)
    house.send(Tick(symbol="X", bid=103.0, ask=103.0))
    spans.append(total(house))
    begin(house, FIRST_OF_DECEMBER, NEXT_MONDAY, FIRST_OF_DECEMBER)
    house.send(Tick(symbol="X", bid=107.0, ask=107.0))
    spans.append(total(house))
    told = [tuple(getattr(x, name) // MONEY for name in PERIODS) for x in spans]
    assert told == [(100, 100, 100), (10, 110, 110), (20, 20, 130), (40, 60, 40)]
    assert [lines(house)["trend"].day, lines(house)["trend"].week] == [40 * MONEY, 60 * MONEY]


def test_e50_week_that_began_while_riskd_was_down_begins_once_at_the_next_day():
    house = a_core()
    begin(house, TUESDAY)
    house.send(a_fill("e-1", "buy", 10, 90))
    begin(house, "2026-12-09", "2026-12-07", FIRST_OF_DECEMBER)
    begin(house, "2026-12-10", "2026-12-07", FIRST_OF_DECEMBER)
    house.send(Tick(symbol="X", bid=101.0, ask=101.0))
    line = total(house)
    assert (line.day, line.week, line.month, line.life) == tuple(
        x * MONEY for x in (10, 10, 10, 110)
    )


def test_e50_period_that_began_without_a_mark_is_measured_from_the_first_one():
    house = a_core(quotes={})
    house.send(a_fill("e-1", "buy", 10, 90))
    begin(house, TUESDAY)
    begin(house, NEXT_MONDAY, NEXT_MONDAY)
    assert (total(house).day, total(house).week) == (None, None)
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))
    house.send(Tick(symbol="X", bid=101.0, ask=101.0))
    assert (total(house).day, total(house).week) == (10 * MONEY, 10 * MONEY)
    assert total(house).month == 110 * MONEY


def test_funding_is_booked_once_to_cash_and_to_its_position():
    house = a_core()
    funding = Funding(account="A1", funding_id="f-1", symbol="P", amount=0.002)
    assert house.send(funding).flags == ()
    assert house.send(funding).duplicate
    ack = house.send(replace(funding, amount=0.003))
    assert (ack.duplicate, ack.flags) == (True, ("conflict",))
    assert house.account().cash["BTC"] == 2 * MONEY // 1000
    assert lines(house, "symbol")["P"].funding == 100 * MONEY
    assert lines(house)["untagged"].funding == 100 * MONEY
    house.send(Funding(account="A1", funding_id="f-2", symbol="P", amount=-3.0, currency="USD"))
    shown = position_update(house.core.accounts["A1"], house.position("P"), 0)
    assert shown.funding == {"BTC": 0.002, "USD": -3.0}
    assert pnl_update(house.core.accounts["A1"], 0).funding == 97.0


@pytest.mark.parametrize("amount", [0.0, float("nan"), float("inf")])
def test_funding_that_is_no_amount_changes_nothing(amount):
    house = a_core()
    books = house.books()
    answer = house.send(Funding(account="A1", funding_id="f", symbol="X", amount=amount))
    assert answer.code == "malformed"
    assert house.books() == books


def test_funding_of_what_does_not_exist_is_refused():
    house = a_core()
    funding = Funding(account="A1", funding_id="f", symbol="NONE", amount=1.0)
    assert house.send(funding).code == "not_found"
    assert house.send(replace(funding, account="ghost", symbol="X")).code == "not_found"


def test_funding_outlives_a_bust_and_belongs_to_no_strategy():
    house = a_core()
    house.send(a_fill("e-1", "buy", 10, 90, strategy="trend"))
    house.send(Funding(account="A1", funding_id="f", symbol="X", amount=-2.0))
    house.send(FillBust(account="A1", exec_id="e-1"))
    assert {key: line.life for key, line in lines(house).items()} == {"untagged": -2 * MONEY}


def a_firm() -> StampedCore:
    accounts: tuple[AccountSpec, ...] = (
        an_account("A1", group="one"),
        an_account("A2", group="two", currency="EUR"),
        an_account("A3", group="two"),
    )
    universe = a_universe(accounts=accounts)
    groups = (GroupSpec(id="one", parent="all"), GroupSpec(id="two", parent="all"))
    house = StampedCore()
    house.send(Configure(universe=replace(universe, groups=(*groups, GroupSpec(id="all")))))
    for symbol, (bid, ask) in QUOTES.items():
        house.send(Tick(symbol=symbol, bid=bid, ask=ask))
    for number, account in enumerate(("A1", "A2", "A3")):
        told = {"account": account, "strategy": "trend" if number else None}
        house.send(a_fill("e-1", "buy", number + 1, 90.0, **told))
    return house


@pytest.mark.parametrize(
    ("scope", "by", "rows"),
    [
        ("firm", "account", {"A1": 10.0, "A2": 20.0, "A3": 30.0}),
        ("firm", "group", {"one": 10.0, "two": 50.0}),
        ("firm", "symbol", {"X": 60.0}),
        ("firm", "strategy", {"untagged": 10.0, "trend": 50.0}),
        ("group:two", "account", {"A2": 20.0, "A3": 30.0}),
        ("group:all", "timeframe", {"untagged": 60.0}),
        ("account:A2", "strategy", {"trend": 16.0}),
    ],
)
def test_pnl_of_a_scope_has_rows_that_sum_to_its_total(scope, by, rows):
    """A2 counts in euro, at 1.25 dollars each; the firm counts in dollars."""
    found = view(a_firm(), scope, by)
    told = {row["key"]: row["life"] for row in found["rows"] if row["life"]}
    assert told == pytest.approx(rows, abs=1e-9)
    assert found["total"]["life"] == pytest.approx(sum(rows.values()), abs=1e-9)
    assert found["currency"] == ("EUR" if scope == "account:A2" else "USD")
    assert found["complete"]
    for name in (*PARTS, *PERIODS):
        rows_sum = sum(row[name] for row in found["rows"])
        assert rows_sum == pytest.approx(found["total"][name], abs=1e-9)


def test_pnl_without_a_mark_is_incomplete_and_counts_what_is_known():
    house = a_core(quotes={"X": (100.0, 100.0)})
    house.send_all(a_fill("e-1", "buy", 1, 90), a_fill("e-2", "buy", 1, 90, symbol="Y", fee=1.0))
    found = view(house, "account:A1", "symbol")
    assert not found["complete"]
    assert found["total"]["fees"] == -1.0
    assert found["total"]["day"] is None
