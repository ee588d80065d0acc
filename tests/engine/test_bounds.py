"""What is bounded by a number of its own: at it, it does what docs/bounds.md says."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine import booking, plans, tags
from engine import books as books_module
from engine.money import MONEY_SCALE
from riskd.messages import (
    Ack,
    CostMethod,
    Error,
    Fill,
    Funding,
    LimitsSpec,
    PositionMode,
    Transfer,
)
from tests.builders import a_core, a_fill, an_account, an_order, codes_of


def test_books_of_too_many_tags_go_on_under_one_name(monkeypatch):
    monkeypatch.setattr(tags, "TAGS_MAX", 3)
    house = a_core()
    for number in range(6):
        house.send(a_fill(f"e-{number}", "buy", 1, strategy=f"s-{number}", timeframe="1h"))
    found = house.position().tags
    assert found is not None
    lots = {name: books.lots for name, books in found.strategy.items()}
    assert lots == {"": 0, "s-0": 1, "s-1": 1, "(others)": 4}
    assert sum(lots.values()) == house.position().books.lots


def test_books_of_too_many_open_lots_join_the_oldest_two(monkeypatch):
    """Lots of 100, 110 and 120: the first two cost 210, so a close of one at 130 earns 25."""
    monkeypatch.setattr(books_module, "OPEN_LOTS_MAX", 2)
    house = a_core(accounts=(an_account(cost_method=CostMethod.FIFO),))
    for number, price in enumerate((100.0, 110.0, 120.0)):
        house.send(a_fill(f"e-{number}", "buy", 1, price))
    books = house.position().books
    assert [(lot.lots, lot.value_money // MONEY_SCALE) for lot in books.open_lots or []] == [
        (2, 210),
        (1, 120),
    ]
    house.send(a_fill("close", "sell", 1, 130.0))
    assert house.position().books.realized_money == 25 * MONEY_SCALE


def test_books_of_too_many_legs_put_one_more_to_the_usual_one(monkeypatch):
    monkeypatch.setattr(books_module, "LEGS_MAX", 2)
    house = a_core(accounts=(an_account(position_mode=PositionMode.HEDGING),))
    for name in ("p-1", "p-2", "p-3", "p-2"):
        house.send(a_fill(f"e-{len(house.inputs)}", "buy", 1, position_id=name))
    legs = {name: leg.lots for name, leg in house.position().books.legs.items()}
    assert legs == {"p-1": 1, "p-2": 2, "long": 1}


@pytest.mark.parametrize(
    "fact",
    [
        Transfer(account="A1", transfer_id="t-1", amount=1.0, currency="ZZZ"),
        Funding(account="A1", funding_id="f-1", symbol="X", amount=1.0, currency="ZZZ"),
        a_fill("e-1", "buy", 1, fee=1.0, fee_currency="ZZZ"),
    ],
)
def test_books_of_too_many_currencies_answer_that_one_more_is_not_booked(monkeypatch, fact):
    house = a_core()
    monkeypatch.setattr(booking, "CURRENCIES_MAX", len(house.account().cash))
    before = house.digest()
    answer = house.send(fact)
    assert (type(answer), answer.code) == (Error, "overloaded")
    assert house.account().cash == a_core().account().cash
    assert house.account().positions == {}
    assert before != house.digest()  # The input was taken: its number is.
    assert isinstance(house.send(replace(fact, **_in_dollars(fact))), Ack)


def _in_dollars(fact):
    return {"fee_currency": "USD"} if isinstance(fact, Fill) else {"currency": "USD"}


def test_orders_of_an_account_without_a_limit_of_them_end_at_the_greatest_number(monkeypatch):
    monkeypatch.setattr(plans, "ORDERS_MAX", 3)
    house = a_core(LimitsSpec(order_quantity=100))
    told = [codes_of(house.send(an_order(f"o-{number}"))) for number in range(5)]
    assert told == [[], [], [], ["OPEN_ORDERS"], ["OPEN_ORDERS"]]
