"""Published examples of coin-settled contracts against the real engine."""

from __future__ import annotations

from fractions import Fraction

import pytest

from riskd.messages import InstrumentKind
from tests.vectors.world import Case, World, instrument, read_cases, require

TOPIC = "inverse_pnl"
# One contract is one dollar, paid in bitcoin.
PERPETUAL = instrument("XBTUSD", kind=InstrumentKind.INVERSE, tick_size="0.1", multiplier="1")


def opened(case: Case, fee: Fraction = Fraction(0)) -> World:
    given = case["input"]
    world = World(PERPETUAL)
    assert given["side"] == "long"
    world.fill("buy", given["qty"], given["entry"], fee)
    world.mark(given["mark"])
    return world


def check_bitmex_guide(case: Case) -> None:
    given, expected = case["input"], case["expected"]
    world = opened(case)
    require(world.unrealized, expected["unrealized_btc"])
    # Ours is signed: a long inverse contract is worth minus its size over the price.
    require(-world.value(given["qty"], given["mark"]), expected["notional_btc_at_mark"])
    require(world.average, given["entry"])


def check_nautilus_long(case: Case) -> None:
    """Theirs books the taker's fee, rate times notional, into realised P&L at once; ours keeps it
    beside, and does not compute it: the gateway reports it with the fill."""
    given, expected, tolerance = case["input"], case["expected"], case["tolerance"]
    notional = abs(World(PERPETUAL).value(given["qty"], given["entry"]))
    world = opened(case, notional * Fraction(given["instrument"]["fee_taker"]))
    require(world.unrealized, expected["unrealized_btc"], tolerance)
    require(world.realized_net, expected["realized_btc"], tolerance)
    require(world.realized, "0")
    require(world.cash("BTC"), expected["realized_btc"], tolerance)


def check_coin_margined_long(case: Case) -> None:
    tolerance = case["tolerance"].split()[0]
    require(opened(case).unrealized, case["expected"]["unrealized_btc"], tolerance)


def check_taker_fee(case: Case) -> None:
    """The commission is a rate times the notional, which is ours to get right."""
    given = case["input"]
    notional = abs(World(PERPETUAL).value(given["qty"], given["price"]))
    commission = notional * Fraction(given["taker"])
    require(commission, case["expected"]["commission_btc"], case["tolerance"])
    world = World(PERPETUAL)
    world.fill("sell", given["qty"], given["price"], commission)
    require(world.fees, case["expected"]["commission_btc"], case["tolerance"])


CHECKS = {
    "nt-bitmex-guide-long": check_bitmex_guide,
    "nt-inverse-long": check_nautilus_long,
    "coinm-long": check_coin_margined_long,
    "nt-inverse-taker-fee": check_taker_fee,
}


@pytest.mark.parametrize("case_id", CHECKS)
def test_inverse_pnl_of_published_case_agrees(vectors, case_id):
    CHECKS[case_id](read_cases(vectors, TOPIC)[case_id])


def test_inverse_pnl_leaves_no_published_case_out(vectors):
    assert list(CHECKS) == list(read_cases(vectors, TOPIC))
