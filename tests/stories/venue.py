"""A venue of a test: it takes orders, fills, rejects and cancels them, and tells it as news.

Nothing happens by itself. A market order, and a limit that the market has come to, is filled whole
at the touch unless the script of its account says otherwise; other limits rest until the market
comes to them. What the venue says of an order is its news, in the words of riskd's contract; the
gateway carries it on. An id that comes again is not traded again: its news is told anew.

It is also the witness: what it traded is counted here, from orders alone, whatever riskd believes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from riskd.messages import Check, Fill, OrderReport, OrderStatus, OrderType, Side

News = OrderReport | Fill


class Mood(StrEnum):
    """What the venue does with an order that could trade."""

    FILL = "fill"
    HALF = "half"  # Half of it is filled, and the rest of it is canceled.
    REJECT = "reject"
    HOLD = "hold"  # It is accepted and waits for `fill` or `cancel`.
    CANCEL_THEN_FILL = "cancel then fill"  # A half that it fills is told after the cancel.


class Trade(NamedTuple):
    """One execution, as the venue's own books have it."""

    account: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal


class Ticket(Struct):
    """An order as the venue knows it."""

    check: Check
    leaves: Decimal
    news: list[News] = []
    is_over: bool = False


class Venue:
    """Quotes, orders by account and id, and what was traded."""

    def __init__(self) -> None:
        self.quotes: dict[str, tuple[Decimal, Decimal]] = {}
        self.trades: list[Trade] = []
        self.wrong: list[str] = []  # Exits that did more than close.
        self.late: dict[str, list[News]] = {}  # By account: fills that are not told yet.
        self._moods: dict[str, deque[Mood]] = {}
        self._tickets: dict[tuple[str, str], Ticket] = {}

    def script(self, account: str, moods: Iterable[Mood]) -> None:
        """Treat the next orders of an account so, one each; those after them as usual."""
        self._moods[account] = deque(moods)

    def quote(self, symbol: str, bid: Decimal, ask: Decimal) -> list[News]:
        """Take a new market; return the news of what rested and trades now."""
        self.quotes[symbol] = (bid, ask)
        resting = [
            ticket
            for ticket in self._tickets.values()
            if not ticket.is_over and ticket.check.symbol == symbol and self._trades(ticket.check)
        ]
        return [news for ticket in resting for news in self._fill(ticket, ticket.leaves)]

    def send(self, check: Check) -> list[News]:
        """Take an order; return what there is to say of it at once."""
        key = (check.account, check.client_order_id)
        known = self._tickets.get(key)
        if known is not None:
            return list(known.news)
        ticket = self._tickets[key] = Ticket(check, Decimal(str(check.quantity)))
        moods = self._moods.get(check.account)
        mood = moods.popleft() if moods else Mood.FILL
        if mood is Mood.REJECT:
            return [self._over(ticket, OrderStatus.REJECTED)]
        said: list[News] = [self._report(ticket, OrderStatus.ACCEPTED)]
        if mood is Mood.HOLD or not self._trades(check):
            return said
        if mood is Mood.FILL:
            return said + self._fill(ticket, ticket.leaves)
        half = (ticket.leaves / 2).to_integral_value()
        filled = self._fill(ticket, half)
        canceled = self._over(ticket, OrderStatus.CANCELED)
        if mood is Mood.HALF:
            return [*said, *filled, canceled]
        self.late.setdefault(check.account, []).extend(filled)
        return [*said, canceled]

    def cancel(self, account: str, client_order_id: str) -> list[News]:
        """Cancel an order; one that is over, or never came, has no news."""
        ticket = self._tickets.get((account, client_order_id))
        if ticket is None or ticket.is_over:
            return []
        return [self._over(ticket, OrderStatus.CANCELED)]

    def fill(self, account: str, client_order_id: str) -> list[News]:
        """Fill what is left of an order that was held."""
        ticket = self._tickets[account, client_order_id]
        return self._fill(ticket, ticket.leaves)

    def working(self, account: str) -> list[str]:
        """Return the ids of an account's orders that are not over."""
        return [
            name
            for (owner, name), ticket in self._tickets.items()
            if owner == account and not ticket.is_over
        ]

    def history(self, account: str) -> list[News]:
        """Return all that was ever said of an account's orders, for a gateway that missed it."""
        tickets = (ticket for (owner, _), ticket in self._tickets.items() if owner == account)
        late = self.late.get(account, [])
        return [news for ticket in tickets for news in ticket.news if news not in late]

    def held(self, account: str, symbol: str) -> Decimal:
        """Return what an account holds, by its trades."""
        return sum(
            (
                trade.quantity if trade.side is Side.BUY else -trade.quantity
                for trade in self.trades
                if (trade.account, trade.symbol) == (account, symbol)
            ),
            Decimal(0),
        )

    def holdings(self, account: str) -> dict[str, Decimal]:
        """Return everything that an account holds, by its trades."""
        symbols = dict.fromkeys(trade.symbol for trade in self.trades if trade.account == account)
        held = {symbol: self.held(account, symbol) for symbol in symbols}
        return {symbol: quantity for symbol, quantity in held.items() if quantity}

    def traded(self, account: str, *, exits: bool = True) -> dict[str, Decimal]:
        """Return how much of each symbol an account's exits (or all else) traded, signed."""
        found: dict[str, Decimal] = {}
        for trade in self.trades:
            check = self._tickets[trade.account, trade.client_order_id].check
            if trade.account == account and check.reduce_only is exits:
                signed = trade.quantity if trade.side is Side.BUY else -trade.quantity
                found[trade.symbol] = found.get(trade.symbol, Decimal(0)) + signed
        return found

    def _trades(self, check: Check) -> bool:
        """Return whether the market has come to an order."""
        bid, ask = self.quotes[check.symbol]
        if check.order_type is OrderType.MARKET:
            return True
        assert check.price is not None
        price = Decimal(str(check.price))
        return price >= ask if check.side is Side.BUY else price <= bid

    def _fill(self, ticket: Ticket, quantity: Decimal) -> list[News]:
        check = ticket.check
        bid, ask = self.quotes[check.symbol]
        price = ask if check.side is Side.BUY else bid
        before = self.held(check.account, check.symbol)
        self.trades.append(
            Trade(check.account, check.client_order_id, check.symbol, check.side, quantity, price)
        )
        after = self.held(check.account, check.symbol)
        if check.reduce_only and (before * after < 0 or abs(after) > abs(before)):
            self.wrong.append(f"{check.account} {check.client_order_id}: {before} -> {after}")
        ticket.leaves -= quantity
        ticket.is_over = not ticket.leaves
        told = Fill(
            account=check.account,
            exec_id=f"{check.client_order_id}/{len(ticket.news)}",
            client_order_id=check.client_order_id,
            symbol=check.symbol,
            side=check.side,
            quantity=float(quantity),
            price=float(price),
        )
        ticket.news.append(told)
        return [told]

    def _over(self, ticket: Ticket, status: OrderStatus) -> News:
        ticket.is_over = True
        return self._report(ticket, status)

    def _report(self, ticket: Ticket, status: OrderStatus) -> News:
        told = OrderReport(
            account=ticket.check.account,
            client_order_id=ticket.check.client_order_id,
            status=status,
            report_id=f"{ticket.check.client_order_id}/{len(ticket.news)}",
        )
        ticket.news.append(told)
        return told
