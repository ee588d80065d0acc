"""Reconciliation: what the venue says is held, against the books.

Where they differ limits use the worse of both views: the gap is counted like working orders that
would close it, which may fill and may not. Fills go on moving both views alike. What the venue
could not be asked is unknown, never flat, and nothing may increase risk until it was.
"""

from __future__ import annotations

from engine.account import Account
from engine.books import side_lots
from engine.facts import Facts, Raised, Resolved
from engine.instruments import quantity_invalid
from engine.ledger import Doubt, Position, books_as_of
from engine.money import MONEY_SCALE, is_amount, money_from_number
from engine.orders import DUPLICATE, Flags
from riskd.messages import PositionReport, Severity

BALANCE_GAP_MONEY = MONEY_SCALE // 100  # Less is the rounding of a statement.
Sides = tuple[int, int]  # Lots held long and short, not signed.


def position_report_invalid(account: Account, report: PositionReport) -> str | None:
    """Return what is wrong with a report, as `field: text`, before it changes anything."""
    if report.failed and (report.positions or report.balance is not None):
        return "failed: a query that failed says nothing of positions and balance"
    if report.balance is not None and not is_amount(report.balance):
        return f"balance: {report.balance} must be finite and in range"
    for index, held in enumerate(report.positions):
        instrument = account.boards.instruments.get(held.symbol)
        if instrument is None:
            if not is_amount(held.quantity):
                return f"positions[{index}].quantity: {held.quantity} must be finite and in range"
            continue
        name = f"positions[{index}].quantity"
        wrong = quantity_invalid(abs(held.quantity), instrument, name, zero=True)
        if wrong is not None:
            return wrong
    return None


def apply_position_report(account: Account, report: PositionReport, facts: Facts) -> Flags:
    """Compare a report with the books; what differs is in doubt until a later report agrees."""
    state = account.state
    if report.as_of_ns <= state.reported_ns:
        return (DUPLICATE,) if report.as_of_ns == state.reported_ns else ("outdated",)
    state.reported_ns = report.as_of_ns
    if report.failed:
        return _unknown(account, "the venue could not be asked what is held", facts)
    venue: dict[str, Sides] = {}
    strange = ""
    for held in report.positions:
        instrument = account.boards.instruments.get(held.symbol)
        if instrument is None:
            strange = held.symbol if held.quantity and not strange else strange
            continue
        lots = instrument.lots(abs(held.quantity)) or 0
        longs, shorts = venue.get(held.symbol, (0, 0))
        venue[held.symbol] = (longs + lots, shorts) if held.quantity > 0 else (longs, shorts + lots)
    for symbol in dict.fromkeys((*state.positions, *venue)):
        _compare(account, symbol, venue.get(symbol, (0, 0)), report, facts)
    _compare_balance(account, report, facts)
    if strange:
        return _unknown(account, f"the venue holds {strange}, which is no instrument", facts)
    if state.unreconciled:
        state.unreconciled = ""
        facts.append(Resolved(_unknown_cause(account)))
        _reconciled(account, "the venue says again what is held", None, facts)
    in_doubt = any(position.doubt is not None for position in state.positions.values())
    return ("unreconciled",) if in_doubt or state.shortfall_money else ()


def _compare(
    account: Account, symbol: str, venue: Sides, report: PositionReport, facts: Facts
) -> None:
    known, instrument = account.position(symbol), account.boards.instruments[symbol]
    books = books_as_of(known, account.rules(instrument), report.as_of_ns)
    ours = side_lots(books) if account.hedging else (books.lots, 0)
    theirs = venue if account.hedging else (venue[0] - venue[1], 0)
    doubt = None if ours == theirs else _doubt(known, ours, theirs)
    if doubt == known.doubt:
        return
    position = account.position_to_change(symbol)
    position.set_doubt(doubt)
    cause = f"unreconciled:{account.id}:{symbol}"
    if doubt is None:
        facts.append(Resolved(cause))
        _reconciled(account, f"the venue agrees with the books on {symbol}", symbol, facts)
        return
    there, here = (instrument.quantity(lots[0] - lots[1]) for lots in (theirs, ours))
    legs = f" (long {venue[0]}, short {venue[1]} lots)" if account.hedging else ""
    text = f"the venue holds {there:g} of {symbol}{legs}, the books {here:g}: the worse counts"
    told = (account.id, symbol, there, here)
    facts.append(Raised(Severity.HIGH, "unreconciled", cause, text, *told, lasting=True))


def _doubt(position: Position, ours: Sides, theirs: Sides) -> Doubt:
    """Return the lots that would make the books what the venue says."""
    longer, shorter = theirs[0] - ours[0], theirs[1] - ours[1]
    if not position.hedging:
        return Doubt(theirs[0], buy_lots=max(0, longer), sell_lots=max(0, -longer))
    closing_buys, closing_sells = max(0, -shorter), max(0, -longer)
    return Doubt(
        theirs[0] - theirs[1],
        buy_lots=max(0, longer) + closing_buys,
        sell_lots=max(0, shorter) + closing_sells,
        closing_buy_lots=closing_buys,
        closing_sell_lots=closing_sells,
    )


def _compare_balance(account: Account, report: PositionReport, facts: Facts) -> None:
    """Let limits count with the lower of both balances; a report without one says nothing."""
    state = account.state
    if report.balance is None:
        return
    venue, ours = money_from_number(report.balance), state.cash.get(account.currency, 0)
    differs = abs(venue - ours) >= BALANCE_GAP_MONEY
    before, state.shortfall_money = state.shortfall_money, max(0, ours - venue) if differs else 0
    cause = f"unreconciled:{account.id}"
    if differs:
        text = f"the venue's balance is {venue / MONEY_SCALE:.2f} {account.currency}, ours "
        text += f"{ours / MONEY_SCALE:.2f}: limits count with the lower one"
        told = (account.id, None, report.balance, ours / MONEY_SCALE)
        facts.append(Raised(Severity.HIGH, "unreconciled", cause, text, *told, lasting=True))
        return
    facts.append(Resolved(cause))
    if before:
        _reconciled(account, "the venue agrees with the books on the balance", None, facts)


def _unknown(account: Account, why: str, facts: Facts) -> Flags:
    account.state.unreconciled = why
    text = f"{why}; nothing may increase risk until a report says what is held"
    cause = _unknown_cause(account)
    facts.append(Raised(Severity.CRITICAL, "unreconciled", cause, text, account.id, lasting=True))
    return ("unreconciled",)


def _unknown_cause(account: Account) -> str:
    return f"unreconciled:{account.id}:unknown"


def _reconciled(account: Account, text: str, symbol: str | None, facts: Facts) -> None:
    cause = f"reconciled:{account.id}:{symbol or ''}"
    facts.append(Raised(Severity.LOW, "reconciled", cause, text, account.id, symbol))
