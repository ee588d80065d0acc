"""The ledger of one position: lots, cost, realised P&L and fees, in integers.

`cost_money` is the signed value at which the open lots were taken: unrealised P&L is the value now
less the cost, whatever the side and the kind of instrument. A close releases a share of the cost,
rounded half-even to the unit; the rest stays, so nothing is ever lost.
"""

from __future__ import annotations

from msgspec import Struct, field

from engine.excursion import Moment
from engine.instruments import Instrument
from engine.money import divide_half_even
from engine.trades import (
    Trades,
    copy_of_trades,
    enter,
    leave,
    pay,
    profit_at_fill,
    profits_seen,
    see,
)
from riskd.messages import CostMethod, Fill

EXECUTIONS_MAX = 10_000  # Kept per position, so that the venue may still bust or correct them.


class Lot(Struct):
    """Open lots taken at one price, for first-in first-out cost."""

    lots: int  # Signed.
    value_money: int


class Books(Struct):
    """What fills have made of a position."""

    lots: int = 0  # Signed: positive is long.
    cost_money: int = 0
    realized_money: int = 0
    fees_money: int = 0  # In settlement currency; paid is negative, so that everything adds up.
    foreign_fees: dict[str, int] = {}  # Fees in other currencies, same sign.
    open_lots: list[Lot] = []  # First-in first-out accounts only.
    trades: Trades = field(default_factory=Trades)


class Execution(Struct):
    """One fill as booked."""

    fill: Fill
    lots: int  # Signed.
    value_money: int
    fee_money: int  # Paid is negative.
    fee_currency: str
    roll: int = 0  # Which of the account's days it was traded on, see `AccountState.rolls`.
    moment: Moment = Moment()
    busted: bool = False
    first_fill: Fill | None = None  # As it came, if it was corrected since.


class Position(Struct):
    """One symbol of one account: what is held, and what working orders could make of it."""

    symbol: str
    books: Books = field(default_factory=Books)
    open_buy_lots: int = 0
    open_sell_lots: int = 0
    executions: list[Execution] = []
    base: Books = field(default_factory=Books)  # The books before the first of `executions`.
    since: int | None = None  # Version of its quote at the last execution.

    def worst_long_lots(self) -> int:
        """Return the position if every working buy filled and no sell did."""
        return self.books.lots + self.open_buy_lots

    def worst_short_lots(self) -> int:
        """Return the position if every working sell filled and no buy did."""
        return self.books.lots - self.open_sell_lots


def apply_execution(
    books: Books, execution: Execution, instrument: Instrument, method: CostMethod
) -> None:
    """Book one execution: close first, then open what is left on the other side of zero.

    Of one that was busted only what the market did before it stays true.
    """
    _follow(books, execution, instrument)
    if execution.busted:
        return
    lots, value, trades = execution.lots, execution.value_money, books.trades
    if books.lots * lots < 0:
        closing = min(abs(lots), abs(books.lots))
        value_closed = divide_half_even(value * closing, abs(lots))
        released = _release(books, closing, method)
        books.realized_money -= value_closed + released
        signed = closing if lots > 0 else -closing
        books.lots += signed
        lots -= signed
        value -= value_closed
        _pay(books, execution, instrument.settlement)
        if not books.lots:
            leave(trades, books.realized_money, execution.moment.at_ns, instrument)
        if lots:
            enter(trades, lots, value, execution.moment, books.realized_money)
    else:
        enter(trades, lots, value, execution.moment, books.realized_money)
        _pay(books, execution, instrument.settlement)
    if lots:
        books.lots += lots
        books.cost_money += value
        if method is CostMethod.FIFO:
            books.open_lots.append(Lot(lots=lots, value_money=value))


def trade_base_money(books: Books) -> int:
    """Return what the open trade has realised less the cost of its lots: its profit less value."""
    opened = books.trades.open
    before = opened.realized_before_money if opened is not None else books.realized_money
    return books.realized_money - before - books.cost_money


def rebuild(position: Position, instrument: Instrument, method: CostMethod) -> None:
    """Make the books anew from the base and every execution that stands."""
    books = copy_of(position.base)
    for execution in position.executions:
        apply_execution(books, execution, instrument, method)
    position.books = books


def remember(
    position: Position, execution: Execution, instrument: Instrument, method: CostMethod
) -> Execution | None:
    """Keep an execution for a later bust; return the one that grew too old and was folded."""
    position.executions.append(execution)
    if len(position.executions) <= EXECUTIONS_MAX:
        return None
    oldest = position.executions.pop(0)
    apply_execution(position.base, oldest, instrument, method)
    return oldest


def copy_of(books: Books) -> Books:
    """Return books that share nothing with `books`."""
    return Books(
        lots=books.lots,
        cost_money=books.cost_money,
        realized_money=books.realized_money,
        fees_money=books.fees_money,
        foreign_fees=dict(books.foreign_fees),
        open_lots=[Lot(lots=lot.lots, value_money=lot.value_money) for lot in books.open_lots],
        trades=copy_of_trades(books.trades),
    )


def _follow(books: Books, execution: Execution, instrument: Instrument) -> None:
    """Count what the open trade stood at since the last execution, and at this one's price."""
    trade = books.trades.open
    if trade is None:
        return
    base = trade_base_money(books)
    if execution.moment.seen is not None:
        see(trade, profits_seen(execution.moment.seen, books.lots, base, instrument))
    if not execution.busted:
        see(trade, (profit_at_fill(books.lots, base, execution.lots, execution.value_money),))


def _pay(books: Books, execution: Execution, settlement: str) -> None:
    """Book the fee of an execution, to the trade that is open too."""
    fee, currency = execution.fee_money, execution.fee_currency
    if not fee:
        return
    if currency == settlement:
        books.fees_money += fee
    else:
        books.foreign_fees[currency] = books.foreign_fees.get(currency, 0) + fee
    if books.trades.open is not None:
        pay(books.trades.open, fee, currency, settlement)


def _release(books: Books, closing: int, method: CostMethod) -> int:
    """Take the cost of `closing` lots out of the books and return it."""
    if method is CostMethod.AVERAGE:
        if closing == abs(books.lots):
            released = books.cost_money
        else:
            released = divide_half_even(books.cost_money * closing, abs(books.lots))
        books.cost_money -= released
        return released
    released = 0
    while closing:
        first = books.open_lots[0]
        taken = min(closing, abs(first.lots))
        if taken == abs(first.lots):
            part = first.value_money
            books.open_lots.pop(0)
        else:
            part = divide_half_even(first.value_money * taken, abs(first.lots))
            first.value_money -= part
            first.lots -= taken if first.lots > 0 else -taken
        released += part
        closing -= taken
    books.cost_money -= released
    return released
