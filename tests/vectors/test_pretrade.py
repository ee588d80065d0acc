"""Published verdicts of other engines on orders; and that no case of these files is left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from riskd.messages import (
    InstrumentKind,
    InstrumentSpec,
    LimitsSpec,
    MarginModel,
    OrderType,
    Transfer,
)
from tests.builders import MONEY, StampedCore, a_core, a_fill, an_account, an_order, codes_of
from tests.vectors.world import read_cases


@pytest.mark.parametrize("name", ["pretrade", "sizing", "margin"])
def test_published_cases_are_each_a_test(vectors, name):
    cases = json.loads((vectors / "vectors" / f"{name}.json").read_text())["cases"]
    written = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert cases
    assert [x["id"] for x in cases if f'"{x["id"]}"' not in written] == []


def test_margin_that_takes_all_of_the_money_passes_and_fees_of_published_case_agree(vectors):
    """The venue asks 6,000 of a seller and 5,000 of a buyer for a lot of 10,770."""
    case = read_cases(vectors, "pretrade")["xc-margin-fees"]
    given, expected = case["input"], case["expected"]
    margins = {1: given["margin_sell"], 2: given["margin_buy"]}
    price = given["orders"][0]["price"]
    accounts = tuple(
        an_account(
            f"U{user['id']}",
            user["JPY"],
            currency="JPY",
            margin_model=MarginModel.LEVERAGE,
            leverage=price / margins[user["id"]],
        )
        for user in given["users"]
    )
    future = InstrumentSpec(symbol="F", currency="JPY", tick_size="1")
    house = a_core(accounts=accounts, instruments=(future,), quotes={"F": (price, price)})
    for number, order in enumerate(given["orders"]):
        told = {"account": f"U{order['user']}", "symbol": "F", "price": float(price)}
        more = an_order("more", order["side"], order["lots"] + 1, dry_run=True, **told)
        assert codes_of(house.send(more)) == ["MARGIN"]
        asked = an_order("o", order["side"], order["lots"], **told)
        assert expected["verdicts"][number] == "accept"
        assert codes_of(house.send(asked)) == []
    fees = {1: given["maker_fee"], 2: given["taker_fee"]}
    for user, held in expected["positions"].items():
        side = "sell" if held["side"] == "short" else "buy"
        fee = float(fees[int(user)] * held["open"])
        told = {"account": f"U{user}", "symbol": "F", "client_order_id": "o", "fee": fee}
        assert house.send(a_fill("e", side, held["open"], price, **told)).flags == ()
        position, state = house.position("F", f"U{user}"), house.account(f"U{user}")
        assert abs(position.books.lots) == held["open"]
        assert position.open_sell_lots == held["pending_sell"]
        assert state.cash == {"JPY": expected["JPY"][user] * MONEY}
    paid = sum(user["JPY"] - expected["JPY"][str(user["id"])] for user in given["users"])
    assert paid == expected["total_fees_jpy"]


def test_market_order_over_the_largest_notional_of_published_case_is_refused(vectors):
    case = read_cases(vectors, "pretrade")["nt-max-notional"]
    limit = float(case["input"]["limit"]["max_notional_per_order"])
    pair = InstrumentSpec(
        symbol="AUDUSD", kind=InstrumentKind.FX, base="AUD", currency="USD", tick_size="0.00001"
    )
    house = a_core(
        LimitsSpec(order_notional=limit),
        accounts=(an_account(balance=1e9),),
        instruments=(pair,),
        quotes={"AUDUSD": (0.75, 0.75001)},
    )
    quantity = float(case["input"]["order"]["qty"])
    told = {"symbol": "AUDUSD", "order_type": OrderType.MARKET, "price": None}
    verdict = house.send(an_order("o", "buy", quantity, **told))
    assert case["expected"]["verdict"] == "deny"
    assert codes_of(verdict) == ["ORDER_NOTIONAL"]


def test_bets_of_published_case_are_contracts_that_pay_one(vectors):
    """A back at odds buys stake x odds contracts that pay 1, at 1 / odds each: it risks its stake.

    A lay buys as many of the contract that pays where the other does not, at 1 - 1 / odds each.
    """
    case = read_cases(vectors, "pretrade")["nt-betting-balance"]
    account = an_account(balance=1000.0, currency="GBP", margin_model=MarginModel.NONE)
    wins = InstrumentSpec(symbol="WINS", currency="GBP", tick_size="0.01")
    loses = InstrumentSpec(symbol="LOSES", currency="GBP", tick_size="0.01")
    told = []
    for side, stake, odds in case["input"]["orders"]:
        chance = 1 / odds
        quotes = {"WINS": (chance, chance), "LOSES": (1 - chance, 1 - chance)}
        house = a_core(accounts=(account,), instruments=(wins, loses), quotes=quotes)
        symbol, price = ("WINS", chance) if side == "sell" else ("LOSES", 1 - chance)
        order = an_order("bet", "buy", stake * odds, symbol=symbol, price=price)
        told.append(codes_of(house.send(order)))
    verdicts = {"accept": [], "deny": ["BUYING_POWER"]}
    assert told == [verdicts[verdict] for verdict in case["expected"]["verdicts"]]


def fits(house: StampedCore, quantity: int, price: float) -> None:
    """The verdict names this quantity; it passes and one more does not."""
    refused = house.send(an_order("all", "buy", 10**6, price=price))
    assert (refused.max_quantity, refused.binding_limit) == (quantity, "margin")
    over = an_order("over", "buy", quantity + 1, price=price)
    assert codes_of(house.send(over)) == ["MARGIN"]
    assert codes_of(house.send(an_order("at", "buy", quantity, price=price))) == []


def test_all_that_the_leverage_buys_of_published_case_agrees(vectors):
    """Its buffer and its fee are taken off the money first: riskd keeps back nothing unasked."""
    case = read_cases(vectors, "pretrade")["lean-full-long"]
    given = {key: float(x) for key, x in case["input"].items() if key != "target"}
    buys = given["cash"] * given["leverage"] * (1 - given["buffer"]) - given["fee"]
    account = an_account(balance=buys / given["leverage"], leverage=given["leverage"])
    price = given["price"]
    house = a_core(accounts=(account,), quotes={"X": (price, price)})
    fits(house, int(case["expected"]["qty"]), price)


def test_all_that_the_leverage_buys_with_money_in_two_currencies_agrees(vectors):
    case = read_cases(vectors, "pretrade")["lean-other-currency-with-usd"]
    given = {key: float(x) for key, x in case["input"].items() if key != "account"}
    rate, price, leverage = given["usd_eur"], given["price_usd"], given["leverage"]
    dollar = InstrumentSpec(
        symbol="USDEUR", kind=InstrumentKind.FX, base="USD", currency="EUR", tick_size="0.01"
    )
    stock = InstrumentSpec(symbol="X", currency="USD")
    house = a_core(
        accounts=(an_account(balance=given["cash_eur"], currency="EUR", leverage=leverage),),
        instruments=(dollar, stock),
        quotes={"USDEUR": (rate, rate), "X": (price, price)},
    )
    house.send(Transfer(account="A1", transfer_id="d", amount=given["cash_usd"], currency="USD"))
    equity = given["cash_eur"] + given["cash_usd"] * rate
    kept = equity * given["buffer"] + given["fee_usd"] * rate / leverage
    house.send(Transfer(account="A1", transfer_id="k", amount=-round(kept, 6)))
    fits(house, int(case["expected"]["qty"]), price)
