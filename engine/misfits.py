"""What types cannot say of a declaration: numbers that do not fit together, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple, TypeGuard

from engine.money import MONEY_SCALE
from riskd.messages import AccountSpec, InstrumentKind, InstrumentSpec, MarginModel

GRID = ("tick_size", "lot_size", "multiplier")
MARGIN_LEVELS = ("margin_warning_pct", "margin_critical_pct", "margin_stopout_pct")  # Falling.


class Misfit(NamedTuple):
    """What is wrong at a path below a declaration, what was expected, and what to do."""

    path: tuple[str | int, ...]
    found: str
    expected: str
    suggestion: str

    def __str__(self) -> str:
        where = ".".join(map(str, self.path))
        return f"{where}: {self.found}; expected {self.expected}"


def instrument_misfits(instrument: InstrumentSpec) -> Iterator[Misfit]:
    """Yield what is wrong with one instrument: its grid, and the currencies its kind needs."""
    grid = {name: Fraction(getattr(instrument, name)) for name in GRID}
    for name, size in grid.items():
        if size <= 0:
            found = f'"{getattr(instrument, name)}" (text)'
            yield Misfit((name,), found, "a decimal above zero", 'Such as "1" or "0.01".')
    for index, (lower, upper) in enumerate(pairwise(instrument.tiers), 1):
        if upper.notional <= lower.notional:
            found = f"{upper.notional} after {lower.notional}"
            expected = "tiers from the lowest notional to the highest"
            yield Misfit(("tiers", index, "notional"), found, expected, "Put them in order.")
    if instrument.kind is InstrumentKind.INVERSE:
        if instrument.settlement is None:
            remedy = 'Add settlement = "BTC", or whatever it pays in.'
            yield Misfit(("settlement",), "missing", "a currency: kind is inverse", remedy)
        return  # Its money comes from a division, which no grid makes exact.
    if instrument.kind is InstrumentKind.FX:
        yield from _pair_misfits(instrument)
    step = grid["tick_size"] * grid["lot_size"] * grid["multiplier"]
    if min(grid.values()) > 0 and (step * MONEY_SCALE).denominator != 1:
        yield Misfit(
            ("tick_size",),
            f"tick_size x lot_size x multiplier = {float(step):.6g}",
            "a multiple of 1e-12: one tick of one lot in the engine's unit of money",
            "Use a coarser tick_size or lot_size.",
        )


def account_misfits(account: AccountSpec) -> Iterator[Misfit]:
    """Yield what is wrong with one account: what its margin model needs."""
    if account.margin_model is MarginModel.LEVERAGE and account.leverage is None:
        expected = 'a number above zero: margin_model is "leverage"'
        yield Misfit(("leverage",), "missing", expected, "Add leverage = 30, or what is agreed.")


def _threshold_misfits(path: tuple[str, ...], raw: Any) -> Iterator[Misfit]:
    """Yield what is wrong with the thresholds of one limit."""
    if not isinstance(raw, dict) or not {"warning", "critical"} & set(raw):
        return
    warning, critical = raw.get("warning", 80.0), raw.get("critical", 90.0)
    if _is_number(warning) and _is_number(critical) and warning > critical:
        yield Misfit(
            (*path, "warning"),
            f"a warning at {warning} % above critical at {critical} %",
            "warning <= critical",
            "Swap them, or give both.",
        )


def table_misfits(limits: Mapping[str, Any]) -> Iterator[Misfit]:
    """Yield what is wrong between the values of one table, as limits.toml has them."""
    for key, raw in limits.items():
        yield from _threshold_misfits((key,), raw)
        if key == "currency_exposure" and isinstance(raw, dict):
            for currency, each in raw.items():
                yield from _threshold_misfits((key, currency), each)
    move = limits.get("price_move")
    if isinstance(move, dict) and "window_ms" in move and not {"pct", "ticks"} & set(move):
        found, expected = "neither pct nor ticks", "how far the price may move"
        yield Misfit(("price_move",), found, expected, "Add pct = 5, or ticks.")
    if "risk_per_trade_drawdown" in limits and "risk_per_trade_pct" not in limits:
        yield Misfit(
            ("risk_per_trade_drawdown",),
            "no risk_per_trade_pct beside it",
            "the share that shrinks in drawdown",
            "Add risk_per_trade_pct = 2, or what one trade may risk.",
        )
    for higher, lower in pairwise(MARGIN_LEVELS):
        above, below = limits.get(higher), limits.get(lower)
        if _is_number(above) and _is_number(below) and above < below:
            yield Misfit(
                (lower,),
                f"{below} above {higher} = {above}",
                f"at most {higher}: a margin level falls through the warning first",
                "Swap them, or correct one.",
            )


def _pair_misfits(instrument: InstrumentSpec) -> Iterator[Misfit]:
    expected = "the currency that the pair buys: kind is fx"
    if instrument.base is None:
        yield Misfit(("base",), "missing", expected, 'Add base = "EUR", or whatever it buys.')
    elif instrument.base == instrument.currency:
        found = f'"{instrument.base}", the same as currency'
        yield Misfit(("base",), found, expected, "Give two different currencies.")


def _is_number(raw: object) -> TypeGuard[float]:
    return isinstance(raw, (int, float)) and not isinstance(raw, bool)
