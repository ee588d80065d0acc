"""Published examples of exchange rates and pips against the real engine."""

from __future__ import annotations

from fractions import Fraction

import pytest

from engine.core import Core
from engine.facts import Stamp
from engine.rates import Rate
from riskd.messages import Configure, InstrumentKind, InstrumentSpec, RiskSettings, Tick, Universe
from tests.vectors.world import Case, World, instrument, read_cases, require

TOPIC = "fx_conversion"


def a_pair(name: str, tick_size: str = "0.00001") -> InstrumentSpec:
    base, currency = name.split("/")
    return InstrumentSpec(
        symbol=base + currency,
        kind=InstrumentKind.FX,
        base=base,
        currency=currency,
        tick_size=tick_size,
    )


def rate_of(case: Case, source: str, target: str) -> Fraction:
    """The rate between two currencies, from the quotes of the case."""
    given, core = case["input"], Core()
    specs = {name: a_pair(name) for name in given["bid"]}
    universe = Universe(settings=RiskSettings(), instruments=tuple(specs.values()))
    core.apply(Configure(universe=universe), Stamp(1, 1, 1))
    for name, spec in specs.items():
        bid, ask = float(given["bid"][name]), float(given["ask"][name])
        core.apply(Tick(symbol=spec.symbol, bid=bid, ask=ask), Stamp(2, 2, 2))
    rate = core.boards.quotes.rate(source, target)
    assert isinstance(rate, Rate)
    return Fraction(*rate)


def check_bid(case: Case) -> None:
    """Theirs has a rate of each side; ours converts at the middle, which is half a spread off."""
    given = case["input"]
    (bid,), (ask,) = given["bid"].values(), given["ask"].values()
    half = (Fraction(ask) - Fraction(bid)) / 2
    require(rate_of(case, given["from"], given["to"]) - half, case["expected"]["rate"])


def check_mid(case: Case) -> None:
    given, expected = case["input"], case["expected"]
    rate = rate_of(case, given["from"], given["to"])
    require(rate, expected["rate"], case["tolerance"])
    assert rate_of(case, given["to"], given["from"]) == 1 / rate


def check_same(case: Case) -> None:
    given = case["input"]
    require(rate_of(case, given["from"], given["to"]), case["expected"]["rate"])


def check_commission(case: Case) -> None:
    """Theirs rounds to whole yen; riskd books what the gateway reports, to the last unit."""
    given = case["input"]
    spec = a_pair(given["pair"], "0.001")
    world = World(spec)
    fee = world.value(given["qty"], given["price"]) * Fraction(given["rate"])
    world.fill("buy", given["qty"], given["price"], fee)
    require(Fraction(round(world.fees)), case["expected"]["commission_jpy"])
    assert world.cash("JPY") == -world.fees


def check_pip(case: Case) -> None:
    """A value in the quote currency, told in the base currency by the pair's own rate.

    The page rounds a pip to a hundredth before it counts ten of them.
    """
    given, expected, tolerance = case["input"], case["expected"], case["tolerance"]
    world = World(a_pair("EUR/USD"))
    price, pip = Fraction(given["price"]), Fraction(given["pip"])
    world.fill("buy", given["notional_quote"], given["price"])
    world.mark(f"{float(price + pip * int(given['move_pips'])):.5f}")
    moved = int(given["move_pips"])
    one = world.unrealized / price / moved
    require(one, expected["pip_value_base"], tolerance)
    require(round(one, 2) * moved, expected["pnl"], tolerance)


def check_pips_of_lots(case: Case) -> None:
    given, expected = case["input"], case["expected"]
    for symbol, pip, values in (
        ("EURUSD", given["pip"], expected["quote"]),
        ("USDJPY", given["jpy_pip"], expected["jpy"]),
    ):
        for units, value in zip(given["units"], values, strict=True):
            world = World(instrument(symbol, tick_size="0.0001"))
            world.fill("buy", units, "1")
            world.mark(f"{float(1 + Fraction(pip)):.4f}")
            require(world.unrealized, value)


CHECKS = {
    "nt-rate-direct-bid": check_bid,
    "nt-rate-mid-usdjpy": check_mid,
    "nt-rate-same": check_same,
    "nt-fx-commission-jpy": check_commission,
    "tradenation-eurusd-pip": check_pip,
    "pip-per-lot": check_pips_of_lots,
}


@pytest.mark.parametrize("case_id", CHECKS)
def test_fx_conversion_of_published_case_agrees(vectors, case_id):
    CHECKS[case_id](read_cases(vectors, TOPIC)[case_id])


def test_fx_conversion_leaves_no_published_case_out(vectors):
    assert list(CHECKS) == list(read_cases(vectors, TOPIC))
