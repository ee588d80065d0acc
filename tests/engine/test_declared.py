"""Instruments and accounts that operators add and change: what is booked stays what it is."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from riskd.messages import (
    AccountAdd,
    AccountUpdate,
    Error,
    InstrumentAdd,
    InstrumentKind,
    InstrumentUpdate,
    MarginModel,
)
from tests.builders import MONEY, STOCK, a_core, a_fill, an_account, an_order, codes_of
from tests.engine.live import Live

RATED = an_account(balance=1000.0, margin_model=MarginModel.RATE)


def test_add_again_is_no_change_and_with_other_terms_is_refused():
    house = a_core()
    same, other = house.core.accounts["A1"].state.spec, an_account(leverage=2)
    assert house.send(AccountAdd(account=same)).ok
    assert house.send(InstrumentAdd(instrument=STOCK)).ok
    for asked in (
        AccountAdd(account=other),
        InstrumentAdd(instrument=replace(STOCK, initial_margin=0.5)),
    ):
        answer = house.send(asked)
        assert answer.code == "refused"
        assert "_update changes them" in answer.text
    assert house.account().spec == same


def test_update_of_what_is_not_there_is_refused():
    house = a_core()
    for asked, name in (
        (AccountUpdate(account=an_account("A9")), "account A9"),
        (InstrumentUpdate(instrument=replace(STOCK, symbol="N")), "instrument N"),
    ):
        answer = house.send(asked)
        assert isinstance(answer, Error)
        assert f"there is no {name}" in answer.text
    assert "A9" not in house.core.accounts


def test_account_that_is_updated_is_judged_by_its_new_terms_and_keeps_its_money():
    house = a_core(accounts=(RATED,))
    assert codes_of(house.send(an_order("o-1", quantity=11))) == ["MARGIN"]
    terms = an_account(balance=99.0, margin_model=MarginModel.LEVERAGE, leverage=2)
    assert house.send(AccountUpdate(account=terms)).ok
    assert house.account().cash == {"USD": 1000 * MONEY}
    assert codes_of(house.send(an_order("o-2", quantity=20))) == []


@pytest.mark.parametrize("fields", [{"currency": "EUR"}, {"cost_method": "fifo"}])
def test_update_that_would_change_the_books_is_refused(fields):
    house = a_core()
    answer = house.send(AccountUpdate(account=an_account(**fields)))
    assert "cannot become" in answer.text
    revalued = house.send(InstrumentUpdate(instrument=replace(STOCK, multiplier="10")))
    assert "would revalue books" in revalued.text


def test_instrument_that_is_updated_asks_other_margin_of_what_is_held():
    house = a_core(accounts=(RATED,))
    house.send(a_fill("e-1", "buy", 5))
    assert house.send(InstrumentUpdate(instrument=replace(STOCK, initial_margin=0.5))).ok
    valuation = house.core.accounts["A1"].valuation
    assert valuation.refresh() is None
    assert valuation.used_money() == 250 * MONEY
    assert codes_of(house.send(an_order("o-1", quantity=15))) == []
    assert codes_of(house.send(an_order("o-2", quantity=1))) == ["MARGIN"]


def test_live_house_takes_updates_as_the_pure_one_does():
    house = a_core(accounts=(RATED,))
    house.send(AccountUpdate(account=replace(RATED, margin_model=MarginModel.NONE)))
    house.send(InstrumentUpdate(instrument=replace(STOCK, initial_margin=0.5)))
    last = house.send(an_order("o-1", quantity=15))
    with Live() as live:
        answers = [live.send(message, stamp) for message, stamp in house.inputs]
    assert answers[-1] == last


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": InstrumentKind.INVERSE}, "settlement: missing; expected a currency"),
        ({"kind": InstrumentKind.FX}, "base: missing"),
        ({"kind": InstrumentKind.FX, "base": "USD"}, "the same as currency"),
        ({"tick_size": "0"}, "tick_size"),
        ({"tick_size": "0.0000001", "lot_size": "0.0000001"}, "a multiple of 1e-12"),
    ],
)
def test_instrument_that_does_not_fit_together_is_refused(fields, words):
    house = a_core()
    answer = house.send(InstrumentAdd(instrument=replace(STOCK, symbol="N", **fields)))
    assert answer.code == "refused"
    assert words in answer.text
    assert "N" not in house.core.boards.instruments


def test_account_on_leverage_that_names_none_is_refused():
    house = a_core()
    spec = an_account("A9", margin_model=MarginModel.LEVERAGE, leverage=None)
    assert "leverage: missing" in house.send(AccountAdd(account=spec)).text
    assert "A9" not in house.core.accounts
