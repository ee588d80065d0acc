"""Margin: what an exposure ties up, by the account's model and the instrument's rates.

Everything is an integer of money and rounded up, never under. Brackets are in settlement money
and work like those of a tax: each rate is for the part of the notional inside its bracket, so the
margin never jumps. Venues state the same as a rate on the whole less a fixed amount.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import NamedTuple

from engine.instruments import Instrument
from engine.money import MONEY_SCALE, exact_fraction
from engine.rates import Rate
from riskd.messages import AccountSpec, MarginModel, MarginTier

MarginRate = tuple[int, int]  # Numerator and denominator.
FULL = Fraction(1)


class Bracket(NamedTuple):
    """The part of a notional above a sum: margin is (notional x numerator - less) / denominator."""

    above_money: int
    numerator: int
    less: int  # What the lower brackets save, so that the whole is one product.
    denominator: int


Brackets = tuple[Bracket, ...]


class MarginTerms:
    """What an account's margin of one instrument follows from."""

    __slots__ = ("hedged", "initial", "initial_brackets", "maintenance", "maintenance_brackets")

    def __init__(self, spec: AccountSpec, instrument: Instrument) -> None:
        """Prepare the rates of the account's margin model.

        The leverage model asks 1 / leverage; what is held needs the instrument's maintenance rate
        where that is less. An instrument without tiers has its flat rates in the tiers model.
        """
        told, model = instrument.spec, spec.margin_model
        initial, kept = exact_fraction(told.initial_margin), exact_fraction(told.maintenance_margin)
        hedged = exact_fraction(told.hedged_margin)
        if model is MarginModel.LEVERAGE and spec.leverage is not None:
            initial = 1 / exact_fraction(spec.leverage)
            kept = min(kept, initial)
        if model is MarginModel.NONE:
            initial = kept = hedged = Fraction(0)
        self.initial: MarginRate = initial.as_integer_ratio()
        self.maintenance: MarginRate = kept.as_integer_ratio()
        self.hedged: MarginRate = hedged.as_integer_ratio()  # Of the smaller leg of a hedge.
        tiers = told.tiers if model is MarginModel.TIERS else ()
        self.initial_brackets = _brackets(tiers, "initial_margin")
        self.maintenance_brackets = _brackets(tiers, "maintenance_margin")

    def initial_money(self, size_money: int, rate: Rate, smaller_money: int = 0) -> int:
        """Return the initial margin in account money of sizes in settlement money."""
        margin = _margin(size_money, self.initial, self.initial_brackets)
        return _converted_up(margin + margin_of(smaller_money, self.hedged), rate)

    def maintenance_money(self, size_money: int, rate: Rate, smaller_money: int = 0) -> int:
        """Return the maintenance margin in account money of sizes in settlement money."""
        margin = _margin(size_money, self.maintenance, self.maintenance_brackets)
        return _converted_up(margin + margin_of(smaller_money, self.hedged), rate)

    def fitting_money(self, room_money: int) -> int | None:
        """Return about the largest size whose initial margin is within a room; None: any.

        Both in one currency: for brackets that of settlement.
        """
        if not self.initial_brackets:
            numerator, denominator = self.initial
            return room_money * denominator // numerator if numerator else None
        for bracket in reversed(self.initial_brackets):
            if not bracket.numerator:
                continue
            size = (room_money * bracket.denominator + bracket.less) // bracket.numerator
            if size >= bracket.above_money:
                return size
        return self.initial_brackets[0].above_money


def margin_of(exposure_money: int, rate: MarginRate) -> int:
    """Return the margin of an exposure, rounded up to the unit: never under."""
    numerator, denominator = rate
    return -(-exposure_money * numerator // denominator)


def _margin(size_money: int, flat: MarginRate, brackets: Brackets) -> int:
    if not brackets:
        return margin_of(size_money, flat)
    for bracket in reversed(brackets):
        if size_money > bracket.above_money:
            return -((bracket.less - size_money * bracket.numerator) // bracket.denominator)
    return 0


def _brackets(tiers: tuple[MarginTier, ...], name: str) -> Brackets:
    """Return the brackets of tiers; what exceeds the last is margined in full."""
    rates = [exact_fraction(getattr(tier, name)) for tier in tiers]
    denominator = lcm(*(rate.denominator for rate in rates))
    tops = [int(exact_fraction(tier.notional) * MONEY_SCALE) for tier in tiers]
    found: list[Bracket] = []
    less = 0
    for above, rate in zip([0, *tops], [*rates, FULL] if tiers else [], strict=False):
        numerator = int(rate * denominator)
        if found:
            less += above * (numerator - found[-1].numerator)
        found.append(Bracket(above, numerator, less, denominator))
    return tuple(found)


def _converted_up(money: int, rate: Rate) -> int:
    return -(-money * rate.numerator // rate.denominator)
