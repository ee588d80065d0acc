"""Bounds: figures within which an order surely passes: few comparisons stand for many checks.

Most checks are a bound on a figure that others bound too: the lots of the order, the gross exposure
it leads to. Beside the function that judges and explains, such a check says what its bound is. All
of one plan come to one bound for each figure, and an order within every one of them is approved by
`engine/swift.py` without being judged further. A bound may be tighter than its check, never wider:
an order beyond one is judged by the checks themselves, so bounds decide nothing but the way.
"""

from __future__ import annotations

UNBOUNDED = 10**60  # Beyond any figure there is: at most 10^15 units at 10^15 ticks of 10^30 money.


class Bounds:
    """What an order may come to at most, by its limits. Money in account currency, all inclusive.

    Plans whose bounds are equal share them, so that those of most orders are in the cache.
    """

    __slots__ = (
        "away_milliticks",
        "away_percent_money",
        "gross_money",
        "meets_own",
        "net_money",
        "open_orders",
        "order_lots",
        "order_money",
        "side_lots",
        "side_money",
        "turnover_money",
    )

    def __init__(self) -> None:
        self.order_lots = UNBOUNDED
        self.order_money = UNBOUNDED
        self.side_lots = UNBOUNDED  # The worst position on the order's side.
        self.side_money = UNBOUNDED  # The same at the reference.
        self.away_milliticks = UNBOUNDED  # How much worse than the reference its price is.
        self.away_percent_money = UNBOUNDED  # The same in percent, as money of one unit.
        self.open_orders = UNBOUNDED
        self.turnover_money = UNBOUNDED
        self.gross_money = UNBOUNDED
        self.net_money = UNBOUNDED  # On the order's side.
        self.meets_own = True  # It may meet working orders of its own account.

    def figures(self) -> tuple[int, ...]:
        """Return all of them, to tell equal ones."""
        return tuple(getattr(self, name) for name in self.__slots__)


class Credit:
    """What an account may come to at most, by its money of now. In account currency, inclusive."""

    __slots__ = (
        "epoch",
        "gross_money",
        "holdings",
        "is_open",
        "margin_money",
        "symbol_money",
        "terms",
    )

    def __init__(
        self, terms: tuple[object, ...] = (), epoch: int = -1, holdings: int | None = None
    ) -> None:
        self.terms = terms  # The kind's, that the rest follows from.
        self.epoch = epoch  # Of the boards; of one that lasts, the jumps of the bands.
        self.holdings = holdings  # Of one that lasts: how many symbols the account has.
        self.is_open = True  # No loss shuts the account.
        self.symbol_money = UNBOUNDED  # The worst of the order's symbol.
        self.gross_money = UNBOUNDED
        self.margin_money = UNBOUNDED


NO_CREDIT = Credit()  # Of no terms.
