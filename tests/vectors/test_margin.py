"""Published examples of margin against the real engine."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from msgspec.structs import replace

from engine.facts import Stamp
from engine.money import MONEY_SCALE
from riskd.messages import (
    Check,
    InstrumentKind,
    InstrumentSpec,
    MarginModel,
    OrderType,
    Side,
    Verdict,
)
from tests.builders import a_core, a_fill, an_account
from tests.vectors.world import ACCOUNT, Case, World, instrument, read_cases, require

TOPIC = "margin"
LATE = Stamp(10**6, 10**9, 10**9)


def rated(spec: InstrumentSpec, initial: Any, maintenance: Any = 1) -> InstrumentSpec:
    rates = {"initial_margin": float(initial), "maintenance_margin": float(maintenance)}
    return replace(spec, **rates)


def largest_buy(world: World, symbol: str, price: str) -> float | None:
    """The largest quantity that a buy could have now."""
    order = Check(
        account=ACCOUNT,
        client_order_id="largest",
        symbol=symbol,
        side=Side.BUY,
        quantity=1.0,
        order_type=OrderType.LIMIT,
        price=float(price),
        dry_run=True,
        explain=True,
    )
    verdict = world.core.apply(order, LATE)
    assert isinstance(verdict, Verdict)
    return verdict.max_quantity


def check_initial_with_leverage(case: Case) -> None:
    """Theirs divides the instrument's rate by the leverage; ours has one rate, so it is given."""
    given = case["input"]
    rate = Fraction(given["init_rate"]) / Fraction(given["leverage"])
    world = World(rated(instrument(tick_size="0.00001"), rate))
    world.fill("buy", given["qty"], given["price"])
    world.mark(given["price"])
    require(world.used_margin, case["expected"]["initial_margin"])


def check_inverse_maintenance(case: Case) -> None:
    given = case["input"]
    spec = instrument(kind=InstrumentKind.INVERSE, tick_size="0.1")
    world = World(rated(spec, 1, given["maint_rate"]), balance="1", currency="BTC")
    world.fill("buy", given["qty"], given["price"])
    world.mark(given["price"])
    expected, tolerance = case["expected"]["maintenance_margin_btc"], case["tolerance"]
    require(world.maintenance_margin, expected, tolerance)


def check_oanda(case: Case) -> None:
    """Theirs is at the trade rate, so the margin is read while the mark is still that price."""
    given, expected, tolerance = case["input"], case["expected"], case["tolerance"]
    pair = replace(instrument(tick_size="0.0001"), currency="GBP")
    spec = rated(pair, given["margin_rate"])
    world = World(spec, balance=given["balance"], mark="closing", currency="GBP")
    world.fill("buy", given["qty"], given["open"])
    world.mark(given["open"])
    margin = world.used_margin
    require(margin, expected["margin"], tolerance)
    world.mark(given["bid"], given["ask"])
    require(world.unrealized, expected["unrealized"])
    require(world.equity, expected["equity"])
    require(world.equity - margin, expected["free_margin"], tolerance)
    require(world.equity / margin * 100, expected["margin_level_percent"], tolerance)


def check_leverage(case: Case) -> None:
    given = case["input"]
    told: Case = {"margin_model": MarginModel.LEVERAGE, "leverage": float(given["leverage"])}
    world = World(instrument(tick_size="0.0001"), **told)
    world.fill("buy", given["units"], given["price"])
    world.mark(given["price"])
    require(world.used_margin, case["expected"]["required_margin"])


def check_mini_lots(case: Case) -> None:
    """A lot of margin 100: one unit of price 100 with a rate of one."""
    given, expected = case["input"], case["expected"]
    for lots, used, usable in zip(given["lots"], expected["used"], expected["usable"], strict=True):
        world = World(rated(instrument(), 1), balance=given["equity"])
        world.fill("buy", lots, given["margin_per_lot"])
        world.mark(given["margin_per_lot"])
        require(world.used_margin, used)
        require(world.equity - world.used_margin, usable)


def check_regulation_t_long(case: Case) -> None:
    """Stock of one dollar a share: how much cash buys, and where the maintenance call begins."""
    given, expected = case["input"], case["expected"]
    spec = rated(instrument("S", tick_size="0.000001"), given["reg_t"], given["maintenance"])
    world = World(spec, balance=given["cash"])
    world.mark("1")
    assert largest_buy(world, "S", "1") == float(expected["purchase"])
    world.fill("buy", expected["purchase"], "1")
    call = Fraction(expected["maintenance_call_below"]) / Fraction(expected["purchase"])
    world.mark(f"{float(call) + 0.000001:.6f}")
    assert world.equity >= world.maintenance_margin
    require(world.equity, expected["equity_there"], case["tolerance"])
    world.mark(f"{float(call) - 0.000001:.6f}")
    assert world.equity < world.maintenance_margin


def check_regulation_t_short(case: Case) -> None:
    """Their total adds the proceeds of the sale; ours keeps them in the value of the position."""
    given, expected = case["input"], case["expected"]
    world = World(rated(instrument(), given["reg_t"]))
    world.fill("sell", given["short"], "1")
    world.mark("1")
    require(world.used_margin, expected["initial"])
    proceeds = -world.cost
    require(world.used_margin + proceeds, expected["total"])


def check_day_trading_closed(case: Case) -> None:
    given, expected = case["input"], case["expected"]
    told: Case = {"margin_model": MarginModel.LEVERAGE, "leverage": float(given["leverage_closed"])}
    world = World(instrument(), **told)
    world.fill("buy", given["qty"], given["price"])
    world.mark(given["price"])
    require(world.used_margin, expected["initial"])
    require(world.maintenance_margin, expected["maintenance"])


def check_margin_remaining(case: Case) -> None:
    """Theirs has the cash beside the value of the position: an equity of both together."""
    given, expected = case["input"], case["expected"]
    value = Fraction(given["price"]) * Fraction(given["qty"])
    equity = str(Fraction(given["cash"]) + value)
    for leverage, left in zip(given["leverages"], expected["margin_remaining"], strict=True):
        told: Case = {"margin_model": MarginModel.LEVERAGE, "leverage": float(leverage)}
        world = World(instrument(), balance=equity, **told)
        world.fill("buy", given["qty"], given["price"])
        world.mark(given["price"])
        require(world.equity - world.used_margin, left)


def check_leverage_of_one(case: Case) -> None:
    given, expected = case["input"], case["expected"]
    told: Case = {"margin_model": MarginModel.LEVERAGE, "leverage": float(given["leverage"])}
    world = World(instrument(), balance=given["cash"], **told)
    world.fill("buy", given["bought"]["qty"], given["bought"]["price"])
    for index, price in enumerate(given["prices"]):
        world.mark(price)
        require(world.equity, expected["equity"][index])
        require(world.used_margin, expected["margin_used"][index])
        require(world.equity - world.used_margin, expected["margin_remaining"][index])


def check_locked_sums(case: Case) -> None:
    """Theirs locks initial and maintenance margin of two books together; ours tells both apart.

    Each book is a position of 1,000 whose rates ask what the book holds.
    """
    given, expected = case["input"], case["expected"]
    rows = zip(given["rows"], expected["locked"], expected["free"], strict=True)
    for row, locked, free in rows:
        books = {"X": row[:2], "Y": row[2:]}
        house = a_core(
            accounts=(an_account(balance=float(given["total"]), margin_model=MarginModel.RATE),),
            instruments=tuple(
                rated(instrument(symbol), Fraction(initial) / 1000, Fraction(kept) / 1000)
                for symbol, (initial, kept) in books.items()
            ),
            quotes=dict.fromkeys(books, (1, 1)),
        )
        for symbol in books:
            house.send(a_fill(f"e-{symbol}", "buy", 1000, 1.0, symbol=symbol))
        valuation = house.core.accounts["A1"].valuation
        assert valuation.refresh() is None
        both = valuation.used_money() + valuation.maintenance_money()
        require(Fraction(both, MONEY_SCALE), locked)
        require(Fraction(valuation.equity_money - both, MONEY_SCALE), free)


CHECKS = {
    "nt-init-leverage-50": check_initial_with_leverage,
    "nt-inverse-maint": check_inverse_maintenance,
    "nt-locked-sums": check_locked_sums,
    "oanda-one-uk": check_oanda,
    "sgt-leverage-400": check_leverage,
    "babypips-mini": check_mini_lots,
    "regt-long-30pct": check_regulation_t_long,
    "regt-short-initial": check_regulation_t_short,
    "lean-pdt-closed": check_day_trading_closed,
    "lean-margin-remaining": check_margin_remaining,
    "lean-leverage1-cycle": check_leverage_of_one,
}


@pytest.mark.parametrize("case_id", CHECKS)
def test_margin_of_published_case_agrees(vectors, case_id):
    CHECKS[case_id](read_cases(vectors, TOPIC)[case_id])


def test_margin_leaves_no_published_case_out(vectors):
    assert {*CHECKS} == {*read_cases(vectors, TOPIC)}
