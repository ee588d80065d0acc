"""What an account has told its groups of itself, so that it tells them changes alone."""

from __future__ import annotations

from collections.abc import Mapping

from engine.facts import Facts, GroupMoved
from engine.instruments import Instrument
from engine.ledger import Position
from engine.nothing import NOTHING, own


class Membership:
    """One account's part in the totals of its groups; derived, told anew after a `recount`."""

    __slots__ = ("_lots", "_orders", "_touched", "_turnover")

    def __init__(self) -> None:
        self._touched: Mapping[str, None] = NOTHING  # Symbols changed since the groups were told.
        self._lots: Mapping[str, tuple[int, int, int]] = NOTHING  # As told: upper, lower, gross.
        self._turnover: Mapping[str, int] = NOTHING  # As told, by settlement currency.
        self._orders = 0

    def touch(self, symbol: str) -> None:
        """Note that a symbol's lots or reservations changed."""
        own(self, "_touched")[symbol] = None

    def recount(self, symbols: list[str]) -> None:
        """Forget what was told: the groups began anew."""
        self._touched = dict.fromkeys(symbols)
        self._lots = self._turnover = NOTHING
        self._orders = 0

    def tell(
        self,
        group: str,
        positions: dict[str, Position],
        *,
        instruments: dict[str, Instrument],
        open_orders: int,
        turnover: dict[str, int],
        facts: Facts,
    ) -> None:
        """Append what changed since the groups were told, a fact per symbol."""
        for symbol in self._touched:
            position, settlement = positions[symbol], instruments[symbol].settlement
            longest, shortest = position.worst_long_lots(), position.worst_short_lots()
            now = (longest, shortest, position.worst_gross_lots())
            before = self._lots.get(symbol, (0, 0, 0))
            traded = turnover.get(settlement, 0) - self._turnover.get(settlement, 0)
            facts.append(
                GroupMoved(
                    group=group,
                    symbol=symbol,
                    settlement=settlement,
                    upper_lots=now[0] - before[0],
                    lower_lots=now[1] - before[1],
                    gross_lots=now[2] - before[2],
                    open_orders=open_orders - self._orders,
                    turnover_money=traded,
                )
            )
            own(self, "_lots")[symbol], self._orders = now, open_orders
            own(self, "_turnover")[settlement] = turnover.get(settlement, 0)
        self._touched = NOTHING

    def forget_touched(self) -> None:
        """Drop the notes of changes that no group has to be told of."""
        self._touched = NOTHING
