"""E12, E22: the books against a slow ledger, over any fills, busts and corrections."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.books import Books
from engine.standing import excursion
from engine.trades import Trades
from riskd.messages import CostMethod, FillBust, FillCorrect, LimitsSpec, Tick, Transfer
from tests.builders import (
    INSTRUMENTS,
    MONEY,
    StampedCore,
    a_core,
    a_fill,
    an_account,
    an_order,
)
from tests.engine.slow_books import exact, slow_books, value_of

PROPERTY = settings(max_examples=120, deadline=None, database=None)
SPECS = {spec.symbol: spec for spec in INSTRUMENTS}
SYMBOLS = ("X", "J", "EURUSD", "P", "S", "T")  # Linear, in yen, fx, inverse, negative, tiny lots.
SETTLES = {"X": "USD", "J": "JPY", "EURUSD": "USD", "P": "BTC", "S": "USD", "T": "USD"}
PRICES = {
    "X": st.sampled_from([99.5, 100.0, 100.01, 103.33, 100.005]),
    "J": st.sampled_from([990.0, 1000.0, 1003.0]),
    "EURUSD": st.sampled_from([1.25, 1.24999, 1.3]),
    "P": st.sampled_from([50_000.0, 49_999.5, 30_000.0, 70_000.0]),
    "S": st.sampled_from([-3.1, -0.1, 0.0, 0.1, 12.5]),
    "T": st.sampled_from([2000.0, 1999.99, 2300.07]),
}
LOTS = st.integers(1, 7)
FEES = st.sampled_from([0.0, 0.5, -0.25, 0.1, 1e-12, 3.0])
METHODS = st.sampled_from(list(CostMethod))


@st.composite
def fills_of(draw, symbols=SYMBOLS, count_max=14):
    fills = []
    for number in range(draw(st.integers(1, count_max))):
        symbol = draw(st.sampled_from(symbols))
        lots = draw(LOTS)
        fills.append(
            a_fill(
                f"e-{number}",
                draw(st.sampled_from(["buy", "sell"])),
                float(lots * exact(SPECS[symbol].lot_size)),
                draw(PRICES[symbol]),
                symbol=symbol,
                fee=draw(FEES),
                fee_currency=draw(st.sampled_from([None, "USD", "BNB"])),
            )
        )
    return fills


def signed(fill):
    """A fill as (signed quantity, price), exactly."""
    sign = 1 if fill.side == "buy" else -1
    return sign * exact(fill.quantity), exact(fill.price)


def a_house(method: CostMethod) -> StampedCore:
    return a_core(accounts=(an_account(cost_method=method),))


def cash_from(fills, house: StampedCore) -> dict[str, Fraction]:
    """What cash must be: put in, less the value of every fill, plus what is still held."""
    cash = {currency: Fraction(money) for currency, money in house.account().transfers.items()}
    for fill in fills:
        currency = SETTLES[fill.symbol]
        value = value_of(SPECS[fill.symbol], *signed(fill))
        cash[currency] = cash.get(currency, Fraction(0)) - value
        paid = fill.fee_currency or currency
        cash[paid] = cash.get(paid, Fraction(0)) - Fraction(round(exact(fill.fee) * MONEY))
    for symbol, position in house.account().positions.items():
        currency = SETTLES[symbol]
        cash[currency] = cash.get(currency, Fraction(0)) + position.books.cost_money
    return {currency: money for currency, money in cash.items() if money}


def assert_conserved(fills, house: StampedCore) -> None:
    """Nothing is lost or made, per currency, to the last unit; and each part is where it was."""
    account = house.account()
    assert {k: v for k, v in account.cash.items() if v} == cash_from(fills, house)
    parts: dict[str, int] = dict(account.transfers)
    for symbol, position in account.positions.items():
        books, currency = position.books, SETTLES[symbol]
        parts[currency] = parts.get(currency, 0) + books.realized_money + books.fees_money
        for paid, money in books.foreign_fees.items():
            parts[paid] = parts.get(paid, 0) + money
    assert {k: v for k, v in account.cash.items() if v} == {k: v for k, v in parts.items() if v}


def assert_books_are_those_of(fills, house: StampedCore, method: CostMethod) -> None:
    for symbol in SYMBOLS:
        own = [signed(fill) for fill in fills if fill.symbol == symbol]
        slow = slow_books(SPECS[symbol], own, method)
        books = house.position(symbol).books
        assert books.lots * exact(SPECS[symbol].lot_size) == slow.quantity
        assert abs(books.cost_money - slow.cost) <= len(own)
        assert abs(books.realized_money - slow.realized) <= len(own)
        if not books.lots:
            assert books.cost_money == 0
        if method is CostMethod.FIFO:
            open_lots = books.open_lots or []
            assert sum(lot.lots for lot in open_lots) == books.lots
            assert sum(lot.value_money for lot in open_lots) == books.cost_money


@PROPERTY
@given(fills=fills_of(), method=METHODS)
def test_e12_books_equal_a_slow_ledger_and_money_is_conserved_to_the_last_unit(fills, method):
    house = a_house(method)
    for number, fill in enumerate(fills):
        house.send(fill)
        amount = (number % 3 - 1) * 12.5
        if amount:
            transfer = Transfer(account="A1", transfer_id=f"t-{number}", amount=amount)
            house.send(transfer)
    assert_conserved(fills, house)
    assert_books_are_those_of(fills, house, method)


@PROPERTY
@given(fills=fills_of(("X", "S", "T")), method=METHODS, moved=st.floats(-1000, 1000))
def test_e12_equity_change_is_what_every_fill_earned_at_the_mark_less_fees(fills, method, moved):
    """In one currency, from the raw fills alone: equity knows no cost method and no order."""
    fills = [fill for fill in fills if fill.fee_currency in (None, "USD")]
    house = a_house(method)
    house.send_all(*fills)
    deposit = round(moved, 2)
    if deposit:
        house.send(Transfer(account="A1", transfer_id="t", amount=deposit))
    marks = {"X": Fraction(100), "S": Fraction(10), "T": Fraction(2000)}
    equity = (1_000_000 + exact(deposit)) * MONEY
    for fill in fills:
        quantity, price = signed(fill)
        equity += quantity * marks[fill.symbol] * MONEY - round(quantity * price * MONEY)
        equity -= round(exact(fill.fee) * MONEY)
    valuation = house.core.accounts["A1"].valuation
    assert valuation.refresh() is None
    assert valuation.equity_money == equity


@pytest.mark.parametrize("method", list(CostMethod))
@pytest.mark.parametrize(
    ("fills", "lots", "cost", "realized"),
    [
        # Average: 10 at 100 and 10 at 110 cost 105 each. First in, first out: 100 then 110.
        ([(10, 100), (10, 110), (-10, 120)], 10, {"average": 1050, "fifo": 1100}, (150, 200)),
        # Through zero: 5 close at 90 (loss of 50), 5 open short at 90.
        ([(5, 100), (-10, 90)], -5, {"average": -450, "fifo": -450}, (-50, -50)),
        # Short, covered in two parts.
        ([(-4, 50), (1, 40), (3, 60)], 0, {"average": 0, "fifo": 0}, (-20, -20)),
        # A third of 100 does not divide; nothing is lost.
        ([(3, 100), (-1, 100), (-1, 100), (-1, 100)], 0, {"average": 0, "fifo": 0}, (0, 0)),
    ],
)
def test_e12_worked_examples(method, fills, lots, cost, realized):
    house = a_house(method)
    for number, (quantity, price) in enumerate(fills):
        side = "buy" if quantity > 0 else "sell"
        house.send(a_fill(f"e-{number}", side, abs(quantity), price))
    books = house.position().books
    assert (books.lots, books.cost_money) == (lots, cost[method.value] * MONEY)
    assert books.realized_money == realized[method is CostMethod.FIFO] * MONEY


def test_e12_inverse_worked_example():
    """1,000 contracts of 100 USD from 50,000 to 62,500: 2 BTC bought become 1.6: profit 0.4."""
    house = a_core()
    house.send(a_fill("e-1", "buy", 1000, 50_000.0, symbol="P"))
    house.send(a_fill("e-2", "sell", 1000, 62_500.0, symbol="P"))
    assert house.position("P").books.realized_money == 4 * MONEY // 10
    assert house.account().cash["BTC"] == 4 * MONEY // 10


def untimed(house: StampedCore, symbol: str) -> Books:
    """Books with every instant taken out, for the fresh house is filled at others; what the open
    trade has stood at is whole, for a busted fill has told a part of it before its time."""
    position = house.position(symbol)
    books, trades, opened = position.books, position.books.trades, position.books.trades.open
    quote = house.core.boards.quotes.quotes[symbol]
    stood = excursion(position, quote, house.core.boards.instruments[symbol])
    if opened is not None:
        assert stood is not None
        best, worst = stood.best_money, stood.worst_money
        opened = replace(opened, opened_ns=0, best_money=best, worst_money=worst)
    closed = tuple(replace(trade, opened_ns=0, closed_ns=0) for trade in trades.closed)
    totals = {key: replace(total, held_ns=0) for key, total in trades.totals.items()}
    return replace(books, trades=Trades(opened, closed, totals))


CHANGES = st.lists(
    st.tuples(st.integers(0, 13), st.sampled_from(["bust", "correct", "both"]), LOTS), max_size=8
)


@PROPERTY
@given(fills=fills_of(), method=METHODS, changes=CHANGES)
def test_e22_bust_and_correct_in_any_order_equal_a_rebuild_without_them(fills, method, changes):
    """Any execution, in any order, in the middle of the fills or after them."""
    house = a_house(method)
    final = dict.fromkeys(range(len(fills)))
    for number, fill in enumerate(fills):
        house.send(fill)
        final[number] = fill
        for which, what, lots in changes:
            if which % len(fills) != number - which % 3:
                continue
            apply_change(house, final, number, what, lots)
    for which, what, lots in changes:
        apply_change(house, final, which % len(fills), what, lots)
    kept = [fill for fill in final.values() if fill is not None]
    fresh = a_house(method)
    fresh.send_all(*kept)
    for symbol in SYMBOLS:
        assert untimed(house, symbol) == untimed(fresh, symbol)
    cash = {k: v for k, v in house.account().cash.items() if v}
    assert cash == {k: v for k, v in fresh.account().cash.items() if v}
    assert_conserved(kept, house)
    assert_books_are_those_of(kept, house, method)


def apply_change(house: StampedCore, final, number: int, what: str, lots: int) -> None:
    """Bust an execution, or correct its quantity, or do both; note what should stand."""
    fill = final[number]
    if fill is None:
        return
    if what in ("correct", "both"):
        quantity = float(lots * exact(SPECS[fill.symbol].lot_size))
        correct = FillCorrect(account="A1", exec_id=fill.exec_id, quantity=quantity)
        house.send(correct)
        final[number] = a_fill(
            fill.exec_id,
            fill.side,
            quantity,
            fill.price,
            symbol=fill.symbol,
            fee=fill.fee,
            fee_currency=fill.fee_currency,
        )
    if what in ("bust", "both"):
        ack = house.send(FillBust(account="A1", exec_id=fill.exec_id))
        assert ack.flags == ()
        assert house.send(FillBust(account="A1", exec_id=fill.exec_id)).duplicate
        final[number] = None


def test_e22_bust_of_the_opening_fill_after_the_close_leaves_the_other_side_open():
    """Bought 10 at 100, sold 10 at 110; without the buy it is a short of 10 at 110."""
    house = a_core()
    house.send_all(a_fill("e-1", "buy", 10, 100.0), a_fill("e-2", "sell", 10, 110.0))
    assert house.position().books.realized_money == 100 * MONEY
    house.send(FillBust(account="A1", exec_id="e-1"))
    books = house.position().books
    assert (books.lots, books.cost_money, books.realized_money) == (-10, -1100 * MONEY, 0)
    assert house.account().cash == {"USD": 1_000_000 * MONEY}


def test_e22_bust_gives_back_the_fee():
    house = a_core()
    house.send(a_fill("e-1", fee=3.0))
    house.send(a_fill("e-2", fee=2.0, fee_currency="BNB"))
    house.send(FillBust(account="A1", exec_id="e-1"))
    house.send(FillBust(account="A1", exec_id="e-2"))
    cash = house.account().cash
    assert (cash["USD"], cash["BNB"]) == (1_000_000 * MONEY, 0)


@pytest.mark.parametrize("message", ["bust", "correct"])
def test_e22_change_of_an_unknown_execution_changes_nothing_and_alerts(message):
    house = a_core()
    house.send(a_fill("e-1"))
    books = house.books()
    change: FillBust | FillCorrect = FillBust(account="A1", exec_id="e-9")
    if message == "correct":
        change = FillCorrect(account="A1", exec_id="e-9", quantity=3.0)
    assert house.send(change).flags == ("unknown_exec",)
    assert house.books() == books
    assert len(house.alerts("unknown_exec")) == 1


def test_e22_bust_is_seen_by_the_very_next_order():
    house = a_core()
    house.send(a_fill("e-1", "buy", 5))
    house.send(FillBust(account="A1", exec_id="e-1"))
    refused = house.send(an_order("o-1", "sell", 5, reduce_only=True))
    assert [reject.code for reject in refused.rejects] == ["REDUCE_ONLY"]


def test_transfer_without_a_rate_is_no_profit_when_the_rate_comes():
    house = a_core(LimitsSpec(daily_loss=100.0), quotes={"X": (100.0, 100.0)})
    deposit = Transfer(account="A1", transfer_id="t-1", amount=1000.0, currency="EUR")
    assert house.send(deposit).flags == ()
    other = house.send(Transfer(account="A1", transfer_id="t-1", amount=1000.0, currency="JPY"))
    assert (other.duplicate, other.flags) == (True, ("conflict",))
    house.send(Tick(symbol="EURUSD", bid=1.25, ask=1.25))
    account = house.core.accounts["A1"]
    assert account.valuation.refresh() is None
    assert account.day_pnl_money() == 0
