"""Published liquidation prices: there the equity of a position is exactly its maintenance margin.

riskd knows no isolated positions, so each stands alone in an account whose balance is its wallet.
The prices are rounded to the tick, so the margin is kept on one side of them and missed beyond.
"""

from __future__ import annotations

from fractions import Fraction

import pytest
from msgspec.structs import replace

from riskd.messages import InstrumentSpec, MarginModel, MarginTier
from tests.vectors.world import Case, World, instrument, read_cases, require

TOPIC = "liquidation"
TICK = Fraction(1, 10**6)
STEP = TICK * 2  # One tick is lost to the rounding of the price.
TAKER_FEE = Fraction("0.0006")


def opened(case: Case, spec: InstrumentSpec) -> World:
    given = case["input"]
    wallet = Fraction(given["qty"]) * Fraction(given["open"]) / Fraction(given["leverage"])
    # A third of ten has no decimal: the wallet is rounded to what money can count.
    balance = str(round(wallet * 10**12) / 10**12)
    world = World(spec, balance=balance, margin_model=MarginModel.TIERS)
    world.fill("buy" if given["side"] == "long" else "sell", given["qty"], given["open"])
    return world


def contract() -> InstrumentSpec:
    return instrument(tick_size="0.000001", lot_size="0.1")


def check_between(case: Case, world: World) -> None:
    """The margin is kept a step before the price, and missed a step past it."""
    price = Fraction(case["expected"]["liquidation_price"])
    worse = -1 if case["input"]["side"] == "long" else 1
    for steps, kept in ((-worse, True), (worse, False)):
        world.mark(f"{float(price + steps * STEP):.6f}")
        assert (world.equity >= world.maintenance_margin) is kept


def check_binance(case: Case) -> None:
    """Its maintenance amount is what lower brackets save: a bracket of 2 at half the rate saves
    a hundredth, as the case has it."""
    given = case["input"]
    rate, amount = Fraction(given["maintenance_rate"]), Fraction(given["maintenance_amount"])
    top = amount / (rate / 2)
    tiers = tuple(
        MarginTier(notional=float(end), initial_margin=0.2, maintenance_margin=float(part))
        for end, part in ((top, rate / 2), (Fraction(10**6), rate))
    )
    check_between(case, opened(case, replace(contract(), tiers=tiers)))


def check_gate(case: Case) -> None:
    """It also keeps back the taker's fee of closing, here a part of the rate."""
    rate = Fraction(case["input"]["maintenance_rate"]) + TAKER_FEE
    spec = replace(contract(), maintenance_margin=float(rate))
    check_between(case, opened(case, spec))


def check_bybit(case: Case) -> None:
    """It keeps the maintenance margin of the entry price, so that is read at the entry."""
    given = case["input"]
    spec = replace(contract(), maintenance_margin=float(given["maintenance_rate"]))
    world = opened(case, spec)
    world.mark(given["open"])
    kept = world.maintenance_margin
    world.mark(f"{float(case['expected']['liquidation_price']):.6f}")
    require(world.equity, str(kept), str(STEP))


CHECKS = {
    "ft-binance-short-5x-10-1": check_binance,
    "ft-binance-short-5x-10-0.6": check_binance,
    "ft-binance-long-3x-10-1": check_binance,
    "ft-gate-short-3x-10-1": check_gate,
    "ft-gate-long-3x-10-1": check_gate,
    "ft-bybit-long-5x-10-1": check_bybit,
    "ft-bybit-short-3x-10-1": check_bybit,
}


@pytest.mark.parametrize("case_id", CHECKS)
def test_liquidation_price_of_published_case_is_where_maintenance_ends(vectors, case_id):
    CHECKS[case_id](read_cases(vectors, TOPIC)[case_id])


def test_liquidation_leaves_no_published_case_out(vectors):
    assert list(CHECKS) == list(read_cases(vectors, TOPIC))


def test_tiers_of_a_venue_give_its_own_deductions(shared):
    """The venue states a rate on the whole and a deduction: brackets must give the same margin."""
    lines = (shared / "data" / "reference" / "binance_leverage_tiers.csv").read_text().split()
    rows = [line.split(",") for line in lines[1:]]
    for symbol in {row[0] for row in rows}:
        own = [row for row in rows if row[0] == symbol]
        tiers = tuple(
            MarginTier(
                notional=float(top), initial_margin=1 / float(leverage), maintenance_margin=float(r)
            )
            for _, _, _, top, r, leverage, _ in own
        )
        spec = replace(instrument(tick_size="0.5", multiplier="1000"), tiers=tiers)
        world = World(spec, balance="1e12", margin_model=MarginModel.TIERS)
        world.fill("buy", "1", "1")
        for _, _, low, top, rate, _, deducted in own:
            for size in (Fraction(low) + 500, (Fraction(low) + Fraction(top)) / 2, Fraction(top)):
                world.mark(str(float(size / 1000)))
                expected = size * Fraction(rate) - Fraction(deducted)
                require(world.maintenance_margin, str(expected), str(Fraction(1, 10**12)))
