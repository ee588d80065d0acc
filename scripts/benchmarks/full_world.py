"""The world in which every check there is runs on every order, and passes."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from riskd.messages import (
    AccountSpec,
    Check,
    Configure,
    DrawdownStep,
    DuplicateOrders,
    GroupSpec,
    InstrumentKind,
    InstrumentSpec,
    LimitSet,
    LimitsSpec,
    OrderRule,
    Permissions,
    PriceMove,
    SelfMatch,
)
from scripts.benchmarks.world import World

DESKS = 20
REGION, TRADER, STRATEGY = "region", "trader", "market-making"
WIDE = 1e15  # More than anything here comes to, in money, lots and counts.
PERCENTS = {
    "drawdown_day_pct": 99.0,
    "drawdown_week_pct": 99.0,
    "drawdown_max_pct": 99.0,
    "concentration_pct": 99.0,
    "correlated_exposure_pct": 99.0,
    "concentration_floor": 1.0,
    "risk_per_trade_pct": 99.0,
    "price_collar_pct": 50.0,
    "margin_warning_pct": 1.0,
    "margin_critical_pct": 1.0,
    "margin_stopout_pct": 1.0,
    "leverage": 1000.0,
    "auction_collar_factor": 2.0,
    "cancel_ratio_pct": 100.0,
    "ratio_floor": 0,
}


class FullWorld(World):
    """Accounts of desks of a region, and limits of every key at every scope they may have."""

    def configure(self) -> Configure:
        """Return the configuration of this world, for an engine in this process."""
        told = super().configure()
        desks = (GroupSpec(id=f"desk-{number}", parent=REGION) for number in range(DESKS))
        universe = replace(
            told.universe,
            instruments=tuple(self._pair(name) for name in self.symbols),
            groups=(GroupSpec(id=REGION), *desks),
            permissions=self._permissions(),
        )
        return Configure(universe=universe)

    def limits(self) -> LimitSet:
        """Return every key of every scope, so wide that every check runs and passes."""
        table = self._table()
        return LimitSet(
            default=table,
            firm=table,
            session=table,
            group={REGION: table} | {f"desk-{number}": table for number in range(DESKS)},
            strategy={STRATEGY: table},
            trader={TRADER: table},
            symbol=dict.fromkeys(self.symbols, table),
        )

    def order(self, *, held_max: int | None = None) -> Check:
        """Return the next order, with all that a check may ask of it."""
        order = super().order(held_max=held_max)
        away = 0.01 if order.side == "sell" else -0.01
        stop = round((order.price or 0.0) + away, 2)
        return replace(order, trader=TRADER, stop_loss=stop, deadline_ns=2**62)

    def _account(self, index: int) -> AccountSpec:
        return replace(super()._account(index), group=f"desk-{index % DESKS}")

    def _pair(self, name: str) -> InstrumentSpec:
        """Return a pair of the dollar, so that limits on its currency are looked at."""
        return InstrumentSpec(symbol=name, kind=InstrumentKind.FX, base=f"B{name}", currency="USD")

    def _table(self) -> LimitsSpec:
        told: dict[str, Any] = {}
        for field in msgspec.structs.fields(LimitsSpec):
            told[field.name] = PERCENTS.get(field.name, 10**15)
        told |= {
            "currency_exposure": {f"B{name}": WIDE for name in self.symbols},
            "duplicate_orders": DuplicateOrders(count=10**9, window_ms=10_000),
            "self_match": SelfMatch.REJECT,
            "price_move": PriceMove(pct=99.0, window_ms=60_000),
            "risk_per_trade_drawdown": (DrawdownStep(drawdown_pct=98.0, risk_pct=98.0),),
        }
        return LimitsSpec(**told)

    def _permissions(self) -> Permissions:
        """Return rules that name traders and strategies, forbid a symbol and permit the rest."""
        return Permissions(
            traders=(TRADER,),
            strategies=(STRATEGY, ""),
            restricted=(OrderRule(symbol="NONE"),),
            permitted=(OrderRule(group=REGION),),
        )
