"""A seeded random walk of many instruments that move together."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from riskd.messages import Tick

FEED = "synthetic"
# Where the walk begins; near what these traded at, so that a person recognises them.
FIRST_PRICES = {
    "AAPL": 187.50,
    "EURUSD": 1.0850,
    "GBPUSD": 1.2700,
    "USDJPY": 151.20,
    "USDCHF": 0.8900,
    "AUDUSD": 0.6600,
    "USDCAD": 1.3600,
    "BTCUSDT": 61_800.0,
    "BTCUSD": 61_800.0,
    "XBTUSD": 61_800.0,
    "USDTUSD": 1.0,
}
YEAR_S = 252 * 23_400.0  # Trading seconds: a volatility per year is spread over them.
VOLATILITY = {"fx": 0.08, "linear": 0.30, "inverse": 0.70}  # Per year.
SHARED = 0.6  # Part of every move that all instruments make together.
HALF_SPREAD_BPS = {"fx": 0.5, "linear": 2.0, "inverse": 1.0}
LIVELINESS = 6.0  # The demo's market moves so many times as much as a real one.


class DemoInstrument(NamedTuple):
    """What the demo needs to know of an instrument."""

    symbol: str
    kind: str  # linear, inverse or fx.
    currency: str
    tick_size: Decimal
    lot_size: Decimal


class SyntheticMarket:
    """Prices of every instrument, the same for the same seed and the same steps."""

    def __init__(self, instruments: Sequence[DemoInstrument], seed: int) -> None:
        self.instruments = tuple(instruments)
        self._random = random.Random(seed)
        self._seq = 0
        self._mids = {
            found.symbol: FIRST_PRICES.get(found.symbol) or self._random.uniform(40.0, 400.0)
            for found in self.instruments
        }

    def mid(self, symbol: str) -> float:
        """Return the price in the middle."""
        return self._mids[symbol]

    def step(self, seconds: float) -> list[Tick]:
        """Move every price by `seconds` of market time and return the new touches."""
        self._seq += 1
        scale = LIVELINESS * math.sqrt(seconds / YEAR_S)
        together = self._random.gauss(0.0, 1.0)
        return [self._moved(found, together, scale) for found in self.instruments]

    def _moved(self, found: DemoInstrument, together: float, scale: float) -> Tick:
        alone = self._random.gauss(0.0, 1.0)
        shock = math.sqrt(SHARED) * together + math.sqrt(1.0 - SHARED) * alone
        volatility = VOLATILITY.get(found.kind, VOLATILITY["linear"])
        mid = self._mids[found.symbol] * math.exp(volatility * scale * shock)
        self._mids[found.symbol] = mid
        half = mid * HALF_SPREAD_BPS.get(found.kind, 2.0) / 10_000
        bid = on_grid(mid - half, found.tick_size)
        ask = max(on_grid(mid + half, found.tick_size), bid + found.tick_size)
        return Tick(
            symbol=found.symbol,
            bid=float(bid),
            ask=float(ask),
            last=float(bid if shock < 0 else ask),
            seq=self._seq,
            feed=FEED,
        )


def on_grid(number: float, step: Decimal) -> Decimal:
    """Return the multiple of `step` nearest to `number`, at least one step."""
    return max(round(Decimal(number) / step), 1) * step
