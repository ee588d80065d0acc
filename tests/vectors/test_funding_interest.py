"""Published examples of funding and interest, booked as the gateway reports them.

riskd computes neither: what a venue charged is a fact that comes as `funding`. So each amount is
made here by the formula of its case, and must be in the cash and the P&L to the last unit.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest

from riskd.messages import Ack, Funding
from tests.vectors.world import ACCOUNT, Case, World, instrument, read_cases, require

TOPIC = "funding_interest"


def booked(case: Case, world: World, amount: Fraction) -> Fraction:
    """Report an amount; return what the P&L has of it."""
    funding = Funding(account=ACCOUNT, funding_id="f", symbol="X", amount=float(amount))
    assert isinstance(world.send(funding), Ack)
    line = world.core.accounts[ACCOUNT].profits().total()
    assert Fraction(line.funding, 10**12) == world.cash()
    assert world.equity == world.cash() + world.unrealized
    return world.cash()


def check_funding(case: Case) -> None:
    """A short receives when the rate is positive."""
    given = case["input"]
    world = World(instrument("X"))
    world.fill("sell" if given["side"] == "short" else "buy", given["qty"], given["mark"])
    world.mark(given["mark"])
    amount = -world.value(world.quantity, given["mark"]) * Fraction(given["funding_rate"])
    require(booked(case, world, amount), case["expected"]["received"], case["tolerance"])


def check_interest(case: Case) -> None:
    """Paid on what was borrowed: by started hours of a day, or a fee and by started four hours."""
    given = case["input"]
    borrowed, rate = Fraction(given["borrowed"]), Fraction(given["rate"])
    hours = Fraction(given["hours"])
    parts = Fraction(ceil(hours), 24)
    if given["venue_model"] == "kraken":
        parts = Fraction(1 + ceil(hours / 4))
    world = World(instrument("X"))
    world.fill("buy", "60", "1")
    world.mark("1")
    paid = -booked(case, world, -borrowed * rate * parts)
    require(paid, case["expected"]["interest"], case["tolerance"])


CHECKS = {
    "ft-funding-0.0001-2.0": check_funding,
    "ft-interest-binance-0.0005-0.16h": check_interest,
    "ft-interest-kraken-0.00025-5h": check_interest,
}


@pytest.mark.parametrize("case_id", CHECKS)
def test_funding_of_published_case_is_booked_exactly(vectors, case_id):
    CHECKS[case_id](read_cases(vectors, TOPIC)[case_id])


def test_funding_leaves_no_published_case_out(vectors):
    assert list(CHECKS) == list(read_cases(vectors, TOPIC))
