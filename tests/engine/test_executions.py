"""E19, E21: fills that nobody expected, and fills that come again."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine.digest import decode_state, encode_state
from engine.facts import SUSPENSE
from riskd.messages import (
    AccountUnfreeze,
    FillCorrect,
    InstrumentAdd,
    LimitsSpec,
    Severity,
    Side,
    Tick,
)
from tests.builders import MONEY, STOCK, a_core, a_fill, a_report, an_order, codes_of


@pytest.mark.parametrize("order_id", [None, "never-seen", "denied"])
def test_e19_fill_of_an_unknown_order_is_booked_counts_and_alerts_critically(order_id):
    house = a_core(LimitsSpec(position_quantity=10))
    house.send(an_order("denied", quantity=11))
    ack = house.send(a_fill(quantity=8, client_order_id=order_id))
    assert ack.flags == ("unknown_order",)
    assert house.position().books.lots == 8
    assert house.position().open_buy_lots == 0
    (alert,) = house.alerts("unknown_order")
    assert alert.severity is Severity.CRITICAL
    assert codes_of(house.send(an_order("o-2", quantity=3))) == ["POSITION_LIMIT"]
    assert codes_of(house.send(an_order("o-3", quantity=2))) == []


def test_e19_critical_alert_of_a_fill_is_not_swallowed_by_one_of_a_report():
    house = a_core()
    house.send(a_report("nobody", "accepted"))
    house.send(a_fill(client_order_id="nobody"))
    severities = [alert.severity for alert in house.alerts("unknown_order")]
    assert severities == [Severity.HIGH, Severity.CRITICAL]


@pytest.mark.parametrize(("side", "symbol"), [("sell", "X"), ("buy", "Y")])
def test_e19_fill_that_differs_from_its_order_is_booked_and_the_order_keeps_its_leaves(
    side, symbol
):
    house = a_core()
    house.send(an_order(quantity=5))
    ack = house.send(a_fill(side=side, quantity=2, symbol=symbol, client_order_id="o-1"))
    assert ack.flags == ("mismatch", "unknown_order")
    assert house.position(symbol).books.lots == (2 if side == "buy" else -2)
    assert house.position().open_buy_lots == 5


def test_e19_fill_of_an_unknown_account_is_booked_to_suspense():
    house = a_core()
    ack = house.send(a_fill("e-1", quantity=3, account="ghost"))
    assert (ack.ref, ack.flags) == ("e-1", ("unknown_account", "unknown_order"))
    assert house.position("X", SUSPENSE).books.lots == 3
    assert house.alerts("unknown_account")[0].severity is Severity.CRITICAL
    assert house.send(a_fill("e-1", quantity=3, account="ghost")).duplicate
    assert house.send(a_fill("e-1", quantity=3, account="spook")).flags[0] == "unknown_account"
    assert house.position("X", SUSPENSE).books.lots == 6


def test_e19_nobody_trades_what_is_in_suspense():
    """Not even with the profit that its fills have made."""
    house = a_core()
    house.send(a_fill("e-1", quantity=10, price=50.0, account="ghost"))
    for side in ("buy", "sell"):
        order = an_order(side, side, account=SUSPENSE)
        assert codes_of(house.send(order)) == ["NOT_PERMITTED"]


def test_e19_fills_of_unknown_accounts_are_never_taken_for_one_another():
    """Ids as long as they may be, and ids with the separator in them."""
    house = a_core()
    long = "A" * 64
    for account, exec_id in (
        (long, "E" * 63 + "1"),
        (long, "E" * 63 + "2"),
        ("a:b", "c"),
        ("a", "b:c"),
    ):
        assert not house.send(a_fill(exec_id, account=account)).duplicate
        assert house.send(a_fill(exec_id, account=account)).duplicate
    assert house.position("X", SUSPENSE).books.lots == 4
    assert decode_state(encode_state(house.core.state())) == house.core.state()


def test_e19_fill_of_an_unknown_symbol_waits_and_is_booked_when_the_symbol_comes():
    house = a_core()
    ack = house.send(a_fill("e-1", quantity=3, price=7.0, symbol="NEW"))
    assert ack.flags == ("unknown_symbol",)
    assert house.send(a_fill("e-1", quantity=3, price=7.0, symbol="NEW")).duplicate
    assert house.alerts("unknown_symbol")[0].severity is Severity.CRITICAL
    assert codes_of(house.send(an_order("o-1"))) == ["ACCOUNT_FROZEN"]
    assert house.send(AccountUnfreeze(account="A1")).code == "refused"
    house.send(InstrumentAdd(instrument=replace(STOCK, symbol="NEW")))
    house.send(Tick(symbol="NEW", bid=7.0, ask=7.0))
    assert house.send(AccountUnfreeze(account="A1")).ok
    books = house.position("NEW").books
    assert (books.lots, books.cost_money) == (3, 21 * MONEY)
    assert house.send(a_fill("e-1", quantity=3, price=7.0, symbol="NEW")).duplicate
    assert codes_of(house.send(an_order("o-2"))) == []


def test_e21_same_execution_again_is_ignored():
    house = a_core()
    fill = a_fill(quantity=3, fee=1.0)
    house.send(fill)
    books = house.books()
    ack = house.send(fill)
    assert ack.duplicate
    assert ack.flags == ()
    assert house.books() == books
    assert house.alerts("execution_conflict") == []


OTHER = {
    "quantity": 4.0,
    "price": 101.0,
    "side": Side.SELL,
    "symbol": "Y",
    "fee": 9.0,
    "fee_currency": "EUR",
    "client_order_id": "o-1",
}


@pytest.mark.parametrize("field", OTHER)
def test_e21_same_execution_id_with_other_content_is_ignored_and_a_conflict(field):
    house = a_core()
    house.send(a_fill(quantity=3))
    books = house.books()
    ack = house.send(replace(a_fill(quantity=3), **{field: OTHER[field]}))
    assert ack.duplicate
    assert ack.flags == ("conflict",)
    assert house.books() == books
    assert len(house.alerts("execution_conflict")) == 1


def test_e21_same_execution_id_of_another_account_is_another_execution():
    house = a_core()
    assert not house.send(a_fill()).duplicate
    assert not house.send(a_fill(account="A2")).duplicate
    assert house.position("X", "A2").books.lots == 1


def test_e21_same_execution_after_its_correction_is_ignored_and_no_conflict():
    house = a_core()
    house.send(a_fill(quantity=3))
    house.send(FillCorrect(account="A1", exec_id="e-1", quantity=2.0))
    books = house.books()
    ack = house.send(a_fill(quantity=3))
    assert ack.duplicate
    assert ack.flags == ()
    assert house.books() == books
    assert house.send(a_fill(quantity=2)).flags == ()
    assert house.send(a_fill(quantity=5)).flags == ("conflict",)


def test_e19_only_fills_whose_symbol_came_are_booked_and_the_others_go_on_waiting():
    house = a_core()
    house.send_all(a_fill("e-1", symbol="NEW"), a_fill("e-2", symbol="LATER"))
    house.send(InstrumentAdd(instrument=replace(STOCK, symbol="NEW")))
    refused = house.send(AccountUnfreeze(account="A1"))
    assert refused.code == "refused"
    assert "LATER" in refused.text
    assert house.position("NEW").books.lots == 1
    assert [fill.exec_id for fill in house.account().unbooked] == ["e-2"]
