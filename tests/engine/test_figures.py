"""Figures that are kept up to date equal the same figures made anew, after every input."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.account import Account
from engine.core import Core
from engine.digest import decode_state, encode_state
from engine.groups import GroupTotal
from riskd.messages import FillBust, FillCorrect, LimitSet, LimitsSpec
from tests.builders import MONEY, a_core, a_fill, an_order, codes_of
from tests.engine.random_inputs import Inputs

FIGURES = (
    "equity_money", "profit_money", "upper_money", "lower_money", "gross_money", "margin_money",
)  # fmt: skip


def figures(account: Account) -> tuple[Any, ...]:
    """Every figure of an account, or what is missing."""
    missing = account.valuation.refresh()
    if missing is not None:
        return (missing.code,)
    return tuple(getattr(account.valuation, name) for name in FIGURES)


@pytest.mark.parametrize("seed", range(4))
def test_figures_of_every_account_equal_those_made_anew_after_every_input(seed):
    core = Core()
    for message, stamp in Inputs(seed).draw(700):
        core.apply(message, stamp)
        for account in core.accounts.values():
            anew = Account(account.state.spec, core.boards, account.state)
            assert figures(account) == figures(anew), message


def totals(core: Core) -> dict[str, GroupTotal]:
    """What each group comes to, without symbols and currencies that come to nothing."""
    found = {}
    for name, total in core.boards.group_totals.items():
        symbols = {
            symbol: held
            for symbol, held in total.symbols.items()
            if held.upper_lots or held.lower_lots or held.gross_lots
        }
        found[name] = replace(total, symbols=symbols, turnover={}, touched={})
    return found


@pytest.mark.parametrize("seed", range(4))
def test_totals_of_every_group_equal_those_of_a_restored_engine(seed):
    core = Core()
    for number, (message, stamp) in enumerate(Inputs(seed).draw(700)):
        core.apply(message, stamp)
        if number % 20 == 0:
            restored = Core()
            restored.restore(decode_state(encode_state(core.state())))
            assert totals(core) == totals(restored), message


@pytest.mark.parametrize("change", ["bust", "correct"])
def test_figures_follow_a_bust_and_a_correction_at_once(change):
    """Ten bought at 90 and worth 100: a profit of 100 that was never made, or of 40 on four."""
    limits = LimitSet(firm=LimitsSpec(position_quantity=10))
    house = a_core(limits)
    house.send(a_fill("e-1", quantity=10, price=90.0))
    valuation = house.core.accounts["A1"].valuation
    assert valuation.refresh() is None
    assert valuation.equity_money == 1_000_100 * MONEY
    assert codes_of(house.send(an_order("o-1", quantity=4))) == ["GROUP_LIMIT"]
    message: FillBust | FillCorrect = FillBust(account="A1", exec_id="e-1")
    if change == "correct":
        message = FillCorrect(account="A1", exec_id="e-1", quantity=4.0)
    house.send(message)
    assert valuation.refresh() is None
    assert valuation.equity_money == (1_000_000 + (40 if change == "correct" else 0)) * MONEY
    assert valuation.gross_money == (400 if change == "correct" else 0) * MONEY
    assert codes_of(house.send(an_order("o-2", quantity=4))) == []
