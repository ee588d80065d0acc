"""What the engine and its slow model are asked: a coarse world, orders, limits at their edges."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from hypothesis import strategies as st
from msgspec.structs import replace

from riskd.messages import (
    CostMethod,
    GroupSpec,
    InstrumentKind,
    InstrumentSpec,
    LimitSet,
    LimitsSpec,
    LimitValue,
    MarginModel,
    OrderType,
    RiskSettings,
    TimeInForce,
    Universe,
)
from tests.builders import MS, an_account
from tests.engine.model.judge import Case
from tests.engine.model.market import exact
from tests.engine.model.rules import FIRM, OF_TOTALS

INSTRUMENTS = (
    InstrumentSpec(symbol="X", currency="USD", tick_size="1", initial_margin=0.25),
    InstrumentSpec(
        symbol="Y",
        currency="USD",
        tick_size="0.5",
        lot_size="0.5",
        multiplier="5",
        initial_margin=0.5,
    ),
    InstrumentSpec(symbol="J", currency="JPY", tick_size="10"),
    InstrumentSpec(
        symbol="EURUSD", kind=InstrumentKind.FX, base="EUR", currency="USD", initial_margin=0.1
    ),
    InstrumentSpec(
        symbol="USDJPY", kind=InstrumentKind.FX, base="USD", currency="JPY", tick_size="1"
    ),
)
PRICES = {  # Mid prices, whose inverses are decimals, and half the spread.
    "X": (100.0, 80.0, 125.0, 90.0, 1.0),
    "Y": (20.0, 16.0, 25.0, 10.0, 0.5),
    "J": (1000.0, 800.0, 1250.0, 900.0, 10.0),
    "EURUSD": (1.25, 1.0, 1.6, 2.0, 0.01),
    "USDJPY": (100.0, 80.0, 125.0, 200.0, 1.0),
}
SPECS = (  # Average cost is rounded: that account keeps to its own currency.
    an_account("A1", 600.0, group="inner", margin_model=MarginModel.RATE),
    an_account(
        "A2", 3000.0, group="inner", margin_model=MarginModel.NONE, cost_method=CostMethod.FIFO
    ),
    an_account(
        "B1", 1000.0, group="other", currency="EUR", leverage=4.0, cost_method=CostMethod.FIFO
    ),
)
TRADED = {"A1": ("X", "Y", "EURUSD", "X"), "A2": ("X", "J"), "B1": ("X", "Y", "J", "EURUSD")}
NAMES = tuple(TRADED)
UNIVERSE = Universe(
    settings=RiskSettings(
        reservation_ms=3000,
        stale_after_ms=5000,
        last_after_ms=9000,
        mark_after_ms=7000,
        fx_stale_after_ms=10**9,
    ),
    instruments=INSTRUMENTS,
    groups=(GroupSpec(id="outer"), GroupSpec(id="inner", parent="outer"), GroupSpec(id="other")),
    accounts=SPECS,
)
STALE_NS = UNIVERSE.settings.stale_after_ms * MS
RESERVED_NS = UNIVERSE.settings.reservation_ms * MS
COUNT_KEYS = ("open_orders", "orders_per_second")
KEYS = (
    "daily_loss", "price_collar_pct", "order_quantity", "order_notional", "position_quantity",
    "position_notional", "gross_exposure", "net_exposure", "currency_exposure", "open_orders",
    "turnover", "concentration_pct", "concentration_floor", "leverage", "risk_per_trade_pct",
)  # fmt: skip
SCOPES = ("default", "account", "symbol", "account_symbol", "strategy", "trader", "group", FIRM)
RATES = ("default", "symbol", "strategy", "account", "account_symbol", "group", FIRM)


class Shape(NamedTuple):
    """An order, before its id and its prices are made from the market of now."""

    account: str
    pick: int  # Of the symbols that its account trades.
    side: str
    halves: int  # Of a unit; halves are a lot of one symbol only.
    ticks: int  # From the mid price.
    kind: OrderType
    stop_loss: int | None  # In ticks from the price.
    flags: dict[str, Any]


SELDOM = st.sampled_from((False,) * 9 + (True,))
FLAGS = st.fixed_dictionaries(
    {"explain": st.booleans()},
    optional={
        "reduce_only": SELDOM,
        "close_position": SELDOM,
        "dry_run": SELDOM,
        "time_in_force": st.sampled_from((TimeInForce.GTC, TimeInForce.DAY)),
        "strategy": st.just("s"),
        "trader": st.just("t"),
    },
)
SHAPES = st.builds(
    Shape,
    account=st.sampled_from(NAMES),
    pick=st.integers(0, 3),
    side=st.sampled_from(("buy", "sell")),
    halves=st.sampled_from((2, 4, 6, 8, 10, 12, 16, 20, 24, 1, 3)),
    ticks=st.sampled_from((0, 0, 1, -1, 2, -2, 5, -5, 10, -10)),
    kind=st.sampled_from((OrderType.LIMIT,) * 4 + tuple(OrderType)),
    stop_loss=st.sampled_from((None, None, 4, -4, 10)),
    flags=FLAGS,
)
PICKS = st.integers(0, 10_000)


def replace_flags(shape: Shape, **flags: Any) -> Shape:
    return shape._replace(flags=shape.flags | flags)


def tick_of(symbol: str) -> Fraction:
    return next(exact(x.tick_size) for x in INSTRUMENTS if x.symbol == symbol)


def with_limit(limits: LimitSet, scope: str, case: Case, told: dict[str, Any]) -> LimitSet:
    """Return the limits with some more in the table of a scope of this order."""
    owner = case.owner
    if scope in ("default", FIRM):
        return replace(limits, **{scope: replace(getattr(limits, scope), **told)})
    if scope == "account_symbol":
        table = limits.account_symbol.get(owner.account, {}).get(owner.symbol, LimitsSpec())
        tables = {owner.account: {owner.symbol: replace(table, **told)}}
        return replace(limits, account_symbol=tables)
    name = owner.groups[-1] if scope == "group" else getattr(owner, scope)
    tables = getattr(limits, scope)
    return replace(
        limits, **{scope: tables | {name: replace(tables.get(name, LimitsSpec()), **told)}}
    )


def unit_of(key: str) -> Fraction:
    """The least by which a limit is moved off what an order comes to."""
    coarse = {
        "open_orders": Fraction(1),
        "order_quantity": Fraction(1, 2),
        "position_quantity": Fraction(1, 2),
    }
    return coarse.get(key, Fraction(1, 10**6))


def measured(case: Case, scope: str, key: str) -> Fraction | None:
    """What an order makes of a limit of this scope."""
    if key in OF_TOTALS and scope in ("group", FIRM):
        group = case.owner.groups[-1] if scope == "group" else FIRM
        return case.group_value(group, key)
    if key == "concentration_floor":
        return case.sizes()[case.check.symbol] if case.grown > 0 else None
    if key == "currency_exposure":
        spec = case.world.instrument(case.check.symbol)
        return case.currency_worst("EUR") if spec.base == "EUR" else None
    return case.measure(key)


def table_entry(key: str, value: Fraction, *, hard: bool) -> dict[str, Any]:
    if key == "currency_exposure":
        return {key: {"EUR": float(value), "USD": 1e6}}
    if key == "concentration_floor":
        return {"concentration_pct": 0.001, key: float(value)}
    if key in COUNT_KEYS and hard:
        return {key: int(value)}
    return {key: float(value) if hard else LimitValue(value=float(value), hard=False)}
