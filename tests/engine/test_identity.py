"""E1 to E3: an order's id is judged once, and a repeat gets the first answer again."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from riskd.messages import Amend, Kill, LimitsSpec, OrderType, Side, Tick, TimeInForce, Unkill
from tests.builders import SECOND, WALL_NS, a_core, a_fill, a_report, an_order, codes_of


def test_e01_retry_of_an_approved_order_returns_the_first_verdict_and_reserves_nothing_more():
    house = a_core(LimitsSpec(orders_per_second=3))
    first = house.send(an_order(quantity=7))
    books, charges = house.books(), list(house.account().windows["orders_per_second"].charges)
    for _ in range(5):
        again = house.send(an_order(quantity=7, request_id="again"))
        assert again == replace(first, duplicate=True, request_id="again")
    assert first.approved
    assert not first.duplicate
    assert house.books() == books
    assert house.position().open_buy_lots == 7
    assert house.account().windows["orders_per_second"].charges == charges
    assert codes_of(house.send(an_order("o-2"))) == []
    assert codes_of(house.send(an_order("o-3"))) == []
    assert codes_of(house.send(an_order("o-4"))) == ["RATE_LIMIT"]


def test_e01_retry_uses_no_room_of_the_limit_that_the_first_filled():
    house = a_core(LimitsSpec(position_quantity=10, open_orders=1))
    first = house.send(an_order(quantity=10))
    assert house.send(an_order(quantity=10)) == replace(first, duplicate=True)


@pytest.mark.parametrize("ending", ["filled", "canceled", "rejected", "expired"])
def test_e01_retry_after_the_end_returns_the_first_verdict_and_reserves_nothing(ending):
    house = a_core()
    first = house.send(an_order(quantity=3))
    if ending == "filled":
        house.send(a_fill(quantity=3, client_order_id="o-1"))
    else:
        house.send(a_report("o-1", ending))
    books = house.books()
    assert house.send(an_order(quantity=3)) == replace(first, duplicate=True)
    assert house.books() == books
    assert house.position().open_buy_lots == 0


@pytest.mark.parametrize("taken", [{}, {"leaves_quantity": 2.0}])
def test_e01_retry_after_the_venue_changed_the_order_returns_the_first_verdict(taken):
    """What the order is by now is no matter: its id was judged with the words of then."""
    house = a_core()
    first = house.send(an_order(quantity=7))
    change = Amend(
        account="A1", client_order_id="o-1", new_client_order_id="n-1", quantity=3.0, price=99.0
    )
    assert house.send(change).approved
    house.send(a_report("n-1", "replaced", **taken))
    assert house.send(an_order(quantity=7)) == replace(first, duplicate=True)
    assert codes_of(house.send(an_order(quantity=3, price=99.0))) == ["ID_REUSED"]
    assert house.position().open_buy_lots == taken.get("leaves_quantity", 3.0)


@pytest.mark.parametrize("field", ["request_id", "deadline_ns", "explain"])
def test_e01_retry_may_change_what_is_not_of_the_order(field):
    house = a_core()
    first = house.send(an_order())
    change = {"request_id": "r", "deadline_ns": 1, "explain": True}[field]
    again = house.send(replace(an_order(), **{field: change}))
    assert again.approved
    assert again.duplicate
    assert again.reservation_id == first.reservation_id


CHANGES = {
    "symbol": "Y",
    "side": Side.SELL,
    "quantity": 2.0,
    "order_type": OrderType.STOP_LIMIT,
    "price": 99.0,
    "stop_price": 98.0,
    "time_in_force": TimeInForce.IOC,
    "expire_ns": WALL_NS,
    "strategy": "s",
    "timeframe": "1m",
    "trader": "t",
    "reduce_only": True,
    "close_position": True,
    "position_id": "p",
    "stop_loss": 90.0,
    "take_profit": 110.0,
}


@pytest.mark.parametrize("field", CHANGES)
def test_e02_same_id_with_another_body_is_refused_with_the_name_of_the_field(field):
    house = a_core()
    first = house.send(an_order())
    books = house.books()
    refused = house.send(replace(an_order(), **{field: CHANGES[field]}))
    assert codes_of(refused) == ["ID_REUSED"]
    assert f"with {field} " in refused.rejects[0].text
    assert house.books() == books
    assert house.send(an_order()) == replace(first, duplicate=True)


def test_e02_of_several_changes_the_first_field_is_named():
    house = a_core()
    house.send(an_order())
    refused = house.send(an_order(side="sell", quantity=5, price=99.0, strategy="s"))
    assert "with side buy, now sell" in refused.rejects[0].text


def test_e02_same_id_of_another_account_is_another_order():
    house = a_core()
    assert codes_of(house.send(an_order())) == []
    assert codes_of(house.send(an_order(account="A2", quantity=5))) == []


def test_e02_a_refused_reuse_is_not_remembered_and_costs_no_rate():
    house = a_core(LimitsSpec(orders_per_second=2))
    house.send(an_order())
    for _ in range(5):
        assert codes_of(house.send(an_order(quantity=2))) == ["ID_REUSED"]
    assert codes_of(house.send(an_order("o-2"))) == []


def clear_limit(house):
    house.send(a_report("first", "canceled"))


def clear_stale(house):
    house.send(Tick(symbol="X", bid=100.0, ask=100.0))


def clear_kill(house):
    house.send(Unkill(scope="firm"))


def clear_rate(house):
    house.elapse(2 * SECOND)


@pytest.mark.parametrize(
    ("cause", "clear", "code"),
    [
        (lambda house: house.send(an_order("first")), clear_limit, "OPEN_ORDERS"),
        (lambda house: house.elapse(6 * SECOND), clear_stale, "STALE_PRICE"),
        (lambda house: house.send(Kill(scope="firm")), clear_kill, "KILLED"),
        (
            lambda house: [house.send(an_order(f"d{x}", quantity=99)) for x in range(3)],
            clear_rate,
            "RATE_LIMIT",
        ),
    ],
)
def test_e03_transient_refusal_stays_and_a_new_id_passes_once_it_is_over(cause, clear, code):
    house = a_core(LimitsSpec(open_orders=1, order_quantity=50, orders_per_second=3))
    cause(house)
    first = house.send(an_order())
    assert codes_of(first) == [code]
    clear(house)
    assert house.send(an_order()) == replace(first, duplicate=True)
    assert codes_of(house.send(an_order("o-2"))) == []


def test_order_that_is_no_number_is_refused_each_time_and_enters_no_state():
    house = a_core()
    before = house.books()
    for _ in range(2):
        refused = house.send(an_order("o-1", quantity=float("nan")))
        assert [reject.code for reject in refused.rejects] == ["VALUE_INVALID"]
    assert house.books() == before


def test_id_beyond_the_horizon_is_refused_as_expired_and_one_within_repeats(monkeypatch):
    monkeypatch.setattr("engine.account_state.FINISHED_MAX", 3)
    house = a_core()
    for number in range(5):
        house.send(an_order(f"o-{number}"))
        house.send(a_report(f"o-{number}", "canceled"))
    old = house.send(an_order("o-1"))
    assert [reject.code for reject in old.rejects] == ["ID_EXPIRED"]
    assert (house.send(an_order("o-2")).duplicate, house.position().open_buy_lots) == (True, 0)
