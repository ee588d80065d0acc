"""The books of a position: lots, cost, realised P&L and fees, in integers.

`cost_money` is the signed value at which the open lots were taken: unrealised P&L is the value now
less the cost, whatever the side and the kind of instrument. A close releases a share of the cost,
rounded half-even to the unit; the rest stays, so nothing is ever lost.

A hedging account keeps legs: positions of one symbol side by side, of either side. Which leg a
fill goes to is said by `apply_execution`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from msgspec import Struct, field

from engine.excursion import Moment
from engine.instruments import Instrument
from engine.money import divide_half_even
from engine.nothing import NOTHING, forget, own
from engine.trades import (
    Trades,
    copy_of_trades,
    enter,
    keep,
    leave,
    pay,
    profit_at_fill,
    profits_seen,
    see,
)
from riskd.messages import CostMethod, Fill

LONG_LEG, SHORT_LEG = "long", "short"  # The legs of fills that name no position.
LEGS_MAX = 1000  # Open per position; a fill that names one more goes to those.
OPEN_LOTS_MAX = 10_000  # Per position, first-in first-out; beyond, the oldest two become one.


class Lot(Struct, gc=False):
    """Open lots taken at one price, for first-in first-out cost."""

    lots: int  # Signed.
    value_money: int


class Books(Struct, omit_defaults=True, gc=False):
    """What fills have made of a position."""

    lots: int = 0  # Signed: positive is long.
    cost_money: int = 0
    realized_money: int = 0
    fees_money: int = 0  # In settlement currency; paid is negative, so that everything adds up.
    foreign_fees: Mapping[str, int] = NOTHING  # Fees in other currencies, same sign.
    open_lots: list[Lot] | None = None  # First-in first-out accounts only.
    trades: Trades = field(default_factory=Trades)
    legs: Mapping[str, Books] = NOTHING  # Hedging accounts only: open ones by name, oldest first.


class Execution(Struct, omit_defaults=True, gc=False):
    """One fill as booked."""

    fill: Fill
    lots: int  # Signed.
    value_money: int
    fee_money: int  # Paid is negative.
    fee_currency: str
    leg: str = ""  # The position that it, or else its order, names.
    closes: bool = False  # Its order was one that closes.
    roll: int = 0  # Which of the account's days it was traded on, see `AccountState.rolls`.
    moment: Moment = Moment()
    busted: bool = False
    first_fill: Fill | None = None  # As it came, if it was corrected since.


class BookRules(NamedTuple):
    """What decides how an account books the executions of an instrument."""

    instrument: Instrument
    method: CostMethod
    hedging: bool


class _Part(NamedTuple):
    """What of an execution goes to one leg."""

    leg: str
    lots: int
    value_money: int


def apply_execution(books: Books, execution: Execution, rules: BookRules) -> None:
    """Book one execution: close first, then open what is left.

    A netting account has one position, closed through zero. A hedging account has legs: the fill
    closes the leg that it names if that is open on the other side; if its order was one that
    closes, also the other legs of the other side, oldest first; what is left opens the leg that
    is named, or `long` for a buy and `short` for a sell. Of an execution that was busted only what
    the market did before it stays true.
    """
    if rules.hedging:
        _apply_to_legs(books, execution, rules)
        return
    _follow(books, execution, rules.instrument, own=True)
    if not execution.busted:
        _book(books, execution.lots, execution.value_money, execution, rules)


def apply_plainly(books: Books, execution: Execution, rules: BookRules) -> None:
    """Book one execution as `apply_execution` does, but follow no trades: for ledgers of tags."""
    if execution.busted:
        return
    _count_fee(books, execution, rules.instrument.settlement)
    if not rules.hedging:
        take(books, execution.lots, execution.value_money, rules.method)
        return
    for part in _parts(books, execution):
        _into_leg(books, part, partial(_take_part, part=part, method=rules.method))


def trade_base_money(books: Books) -> int:
    """Return what the open trade has realised less the cost of its lots: its profit less value."""
    opened = books.trades.open
    before = opened.realized_before_money if opened is not None else books.realized_money
    return books.realized_money - before - books.cost_money


def side_lots(books: Books) -> tuple[int, int]:
    """Return the lots of a hedging account's long legs and those of its short ones, not signed."""
    longs = sum(leg.lots for leg in books.legs.values() if leg.lots > 0)
    return longs, longs - books.lots


def copy_of(books: Books) -> Books:
    """Return books that share nothing with `books`."""
    return Books(
        lots=books.lots,
        cost_money=books.cost_money,
        realized_money=books.realized_money,
        fees_money=books.fees_money,
        foreign_fees=dict(books.foreign_fees) or NOTHING,
        open_lots=_copy_of_lots(books.open_lots),
        trades=copy_of_trades(books.trades),
        legs={name: copy_of(leg) for name, leg in books.legs.items()} or NOTHING,
    )


def _apply_to_legs(books: Books, execution: Execution, rules: BookRules) -> None:
    parts = _parts(books, execution)
    touched = [part.leg for part in parts]
    for name, leg in books.legs.items():
        _follow(leg, execution, rules.instrument, own=name in touched)
    if execution.busted:
        return
    _count_fee(books, execution, rules.instrument.settlement)
    for number, part in enumerate(parts):
        book = partial(_book_part, part=part, execution=execution, rules=rules, pays=number == 0)
        _into_leg(books, part, book)


def _parts(books: Books, execution: Execution) -> list[_Part]:
    """Return which legs an execution closes, the one it names first, and which it opens."""
    lots, named = execution.lots, execution.leg
    others = [name for name, leg in books.legs.items() if leg.lots * lots < 0]
    closed = [name for name in others if name == named]
    closed += [name for name in others if name != named and execution.closes]
    left, value_left = lots, execution.value_money
    parts = []
    for name in closed:
        if not left:
            break
        size = min(abs(left), abs(books.legs[name].lots))
        part = _Part(
            name,
            size if lots > 0 else -size,
            divide_half_even(value_left * size, abs(left)),
        )
        parts.append(part)
        left, value_left = left - part.lots, value_left - part.value_money
    if left:
        usual = LONG_LEG if lots > 0 else SHORT_LEG
        has_room = named in books.legs or len(books.legs) < LEGS_MAX
        is_free = named and not closed and named not in (LONG_LEG, SHORT_LEG) and has_room
        parts.append(_Part(named if is_free else usual, left, value_left))
    return parts


def _take_part(leg: Books, part: _Part, method: CostMethod) -> None:
    take(leg, part.lots, part.value_money, method)


def _into_leg(books: Books, part: _Part, book: Callable[[Books], object]) -> None:
    """Book into one leg, and what that changes into the sum; a leg that is closed is gone."""
    leg = books.legs.get(part.leg)
    if leg is None:
        leg = own(books, "legs")[part.leg] = Books()
    cost, realized = leg.cost_money, leg.realized_money
    book(leg)
    books.lots += part.lots
    books.cost_money += leg.cost_money - cost
    books.realized_money += leg.realized_money - realized
    if not leg.lots:
        forget(books.legs, part.leg)
        for closed in leg.trades.closed:
            keep(books.trades, closed)


def _book_part(
    leg: Books, part: _Part, execution: Execution, rules: BookRules, *, pays: bool
) -> None:
    _book(leg, part.lots, part.value_money, execution, rules, pays=pays)


def _book(
    books: Books,
    lots: int,
    value: int,
    execution: Execution,
    rules: BookRules,
    *,
    pays: bool = True,
) -> None:
    """Book lots of an execution, and what they do to the open trade."""
    instrument, moment, trades = rules.instrument, execution.moment, books.trades
    closes = books.lots * lots < 0
    opened, opened_value = take(books, lots, value, rules.method)
    if closes:
        if pays:
            _pay(books, execution, instrument.settlement)
        if opened or not books.lots:
            leave(trades, books.realized_money, moment.at_ns, instrument)
        if opened:
            enter(trades, opened, opened_value, moment, books.realized_money)
    else:
        enter(trades, opened, opened_value, moment, books.realized_money)
        if pays:
            _pay(books, execution, instrument.settlement)


def take(books: Books, lots: int, value: int, method: CostMethod) -> tuple[int, int]:
    """Close with lots of a value, then open what is left; return what it opened."""
    if books.lots * lots < 0:
        closing = min(abs(lots), abs(books.lots))
        value_closed = divide_half_even(value * closing, abs(lots))
        released = _release(books, closing, method)
        books.realized_money -= value_closed + released
        signed = closing if lots > 0 else -closing
        books.lots += signed
        lots -= signed
        value -= value_closed
    if lots:
        # What is all there is stays one number in one place, the trade's as well.
        books.lots = books.lots + lots if books.lots else lots
        books.cost_money = books.cost_money + value if books.cost_money else value
        if method is CostMethod.FIFO:
            _open(books, Lot(lots=lots, value_money=value))
    return lots, value


def _copy_of_lots(open_lots: list[Lot] | None) -> list[Lot] | None:
    if open_lots is None:
        return None
    return [Lot(lots=lot.lots, value_money=lot.value_money) for lot in open_lots]


def _open(books: Books, lot: Lot) -> None:
    open_lots = books.open_lots = books.open_lots or []
    open_lots.append(lot)
    if len(open_lots) > OPEN_LOTS_MAX:
        oldest = open_lots.pop(0)
        open_lots[0] = Lot(
            lots=oldest.lots + open_lots[0].lots,
            value_money=oldest.value_money + open_lots[0].value_money,
        )


def _follow(books: Books, execution: Execution, instrument: Instrument, *, own: bool) -> None:
    """Count what the open trade stood at since the last execution, and at its own one's price."""
    trade = books.trades.open
    if trade is None:
        return
    base = trade_base_money(books)
    if execution.moment.seen is not None:
        see(trade, profits_seen(execution.moment.seen, books.lots, base, instrument))
    if own and not execution.busted:
        see(trade, (profit_at_fill(books.lots, base, execution.lots, execution.value_money),))


def _pay(books: Books, execution: Execution, settlement: str) -> None:
    """Book the fee of an execution, to the trade that is open too."""
    _count_fee(books, execution, settlement)
    if execution.fee_money and books.trades.open is not None:
        pay(books.trades.open, execution.fee_money, execution.fee_currency, settlement)


def _count_fee(books: Books, execution: Execution, settlement: str) -> None:
    fee, currency = execution.fee_money, execution.fee_currency
    if not fee:
        return
    if currency == settlement:
        books.fees_money += fee
    else:
        own(books, "foreign_fees")[currency] = books.foreign_fees.get(currency, 0) + fee


def _release(books: Books, closing: int, method: CostMethod) -> int:
    """Take the cost of `closing` lots out of the books and return it."""
    if method is CostMethod.AVERAGE:
        if closing == abs(books.lots):
            released = books.cost_money
        else:
            released = divide_half_even(books.cost_money * closing, abs(books.lots))
        books.cost_money -= released
        return released
    released, open_lots = 0, books.open_lots
    assert open_lots is not None, "there are as many open lots as lots"
    while closing:
        first = open_lots[0]
        taken = min(closing, abs(first.lots))
        if taken == abs(first.lots):
            part = first.value_money
            open_lots.pop(0)
        else:
            part = divide_half_even(first.value_money * taken, abs(first.lots))
            first.value_money -= part
            first.lots -= taken if first.lots > 0 else -taken
        released += part
        closing -= taken
    books.cost_money -= released
    return released
