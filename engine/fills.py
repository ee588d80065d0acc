"""Fills, busts, corrections, transfers: facts that are booked, not judged.

A fact is never refused for what it says of risk; what is odd about it is a flag in its ack and,
where a person should know, an alert.
"""

from __future__ import annotations

from msgspec.structs import replace

from engine.account import Account
from engine.account_state import IDS_MAX
from engine.books import Execution
from engine.excursion import Moment
from engine.facts import Facts, Raised, Stamp, Watched
from engine.instruments import Instrument, is_a_millitick, quantity_invalid
from engine.ledger import Position, book, find_execution, kept, rebuild, remember
from engine.money import is_amount, is_in_range, money_from_number, units_from_number
from engine.nothing import own
from engine.orders import DUPLICATE, Flags, Order, OrderState
from riskd.messages import Fill, FillBust, FillCorrect, Funding, Severity, Side, Transfer

UNAPPROVED = (OrderState.DENIED, OrderState.VOID)


def numbers_invalid(fill: Fill) -> str | None:
    """Return what is wrong with a fill's numbers whatever its instrument is."""
    for name, number in (("quantity", fill.quantity), ("price", fill.price), ("fee", fill.fee)):
        if not is_amount(number):
            return f"{name}: {number} must be finite and in range"
    return None if fill.quantity > 0 else f"quantity: {fill.quantity} must be positive"


def fill_invalid(fill: Fill, instrument: Instrument) -> str | None:
    """Return what is wrong with a fill's numbers, as `field: text`."""
    if not is_amount(fill.fee):
        return f"fee: {fill.fee} must be finite and in range"
    if not _is_fill_price(fill.price, instrument):
        return f"price: {fill.price} must be finite, in range and fit the instrument"
    return quantity_invalid(fill.quantity, instrument, "quantity", zero=False)


def apply_fill(account: Account, fill: Fill, stamp: Stamp, facts: Facts) -> Flags:
    """Book a fill: position, cost, realised P&L, fees, and the release of what it used up.

    `fill_invalid` has passed and the symbol is known. Returns flags.
    """
    state = account.state
    instrument = account.boards.instruments[fill.symbol]
    booked = state.execution_symbols.get(fill.exec_id)
    if booked is not None:
        return _repeated_fill(account, booked, fill, facts)
    position = account.position_to_change(fill.symbol)
    execution = _execution(fill, instrument)
    execution.roll = state.rolls
    order = _order_of(account, fill)
    execution.moment = _moment(account, position, fill, order, stamp)
    execution.leg = fill.position_id or (order.check.position_id if order else None) or ""
    execution.closes = order is not None and order.closes
    flags = _off_tick(fill, instrument) + _release_filled(account, fill, execution, facts)
    rules, settlement = account.rules(instrument), instrument.settlement
    realized_before = position.books.realized_money
    book(position, execution, rules)
    folded = remember(position, execution, rules)
    _watch(account, position, facts)
    if folded is not None:
        state.execution_symbols.pop(folded.fill.exec_id, None)
    state.execution_symbols[fill.exec_id] = position.symbol
    _count_traded(account, execution, settlement, 1)
    account.add_cash(settlement, position.books.realized_money - realized_before)
    if execution.fee_money:
        account.add_cash(execution.fee_currency, execution.fee_money)
    return flags


def apply_bust(account: Account, bust: FillBust, facts: Facts) -> Flags:
    """Undo an execution: the books become what they would be without it, in whatever order."""
    found = _find(account, bust.exec_id)
    if found is None:
        return _unknown_execution(account, bust.exec_id, facts)
    position, index, execution = found
    if execution.busted:
        return (DUPLICATE,)
    execution.busted = True
    position.executions[index] = kept(execution)
    instrument = account.boards.instruments[position.symbol]
    _count_traded(account, execution, instrument.settlement, -1)
    _rebook(account, position)
    return ()


def corrected_fill(account: Account, correct: FillCorrect) -> Fill | None:
    """Return the fill as corrected, None if the execution is not known."""
    found = _find(account, correct.exec_id)
    if found is None:
        return None
    fill = found[2].fill
    quantity = fill.quantity if correct.quantity is None else correct.quantity
    price = fill.price if correct.price is None else correct.price
    return replace(fill, quantity=quantity, price=price)


def apply_correct(account: Account, correct: FillCorrect, facts: Facts) -> Flags:
    """Replace an execution: the books become what they would be with the corrected one."""
    found = _find(account, correct.exec_id)
    fill = corrected_fill(account, correct)
    if found is None or fill is None:
        return _unknown_execution(account, correct.exec_id, facts)
    position, index, old = found
    if old.fill == fill and not old.busted:
        return (DUPLICATE,)
    instrument = account.boards.instruments[position.symbol]
    corrected = _execution(fill, instrument)
    corrected.first_fill = old.first_fill or old.fill
    corrected.moment = old.moment
    corrected.roll, corrected.leg, corrected.closes = old.roll, old.leg, old.closes
    position.executions[index] = kept(corrected)
    if not old.busted:
        _count_traded(account, old, instrument.settlement, -1)
    _count_traded(account, corrected, instrument.settlement, 1)
    _rebook(account, position)
    return _off_tick(fill, instrument)


def apply_transfer(account: Account, transfer: Transfer, facts: Facts) -> Flags:
    """Put money in or take it out: equity changes, profit does not."""
    state = account.state
    currency = transfer.currency or state.spec.currency
    content = f"{transfer.amount} {currency}"
    known = state.transfer_ids.get(transfer.transfer_id)
    if known is not None:
        return (DUPLICATE,) if known == content else (DUPLICATE, "conflict")
    _remember_id(own(state, "transfer_ids"), transfer.transfer_id, content)
    money = money_from_number(transfer.amount)
    account.transfer(currency, money)
    converted = account.convert(money, currency)
    if converted is not None:
        state.day_transfers_money += converted
        state.invested_money += converted
    else:  # Counted at the rate of the moment once there is one: a deposit is never profit.
        for unrated in (own(state, "day_unrated"), own(state, "unrated")):
            unrated[currency] = unrated.get(currency, 0) + money
    return ()


def apply_funding(account: Account, funding: Funding) -> Flags:
    """Book what a position received or paid while it was held; its symbol is known."""
    state, instrument = account.state, account.boards.instruments[funding.symbol]
    currency = funding.currency or instrument.settlement
    content = f"{funding.symbol} {funding.amount} {currency}"
    known = state.funding_ids.get(funding.funding_id)
    if known is not None:
        return (DUPLICATE,) if known == content else (DUPLICATE, "conflict")
    _remember_id(own(state, "funding_ids"), funding.funding_id, content)
    money = money_from_number(funding.amount)
    position = account.position_to_change(funding.symbol)
    received = position.funding or {}
    position.funding = {**received, currency: received.get(currency, 0) + money}
    account.add_cash(currency, money)
    return ()


def _remember_id(ids: dict[str, str], told_id: str, content: str) -> None:
    ids[told_id] = content
    if len(ids) > IDS_MAX:
        del ids[next(iter(ids))]


def _repeated_fill(account: Account, symbol: str, fill: Fill, facts: Facts) -> Flags:
    found = find_execution(account.state.positions[symbol], fill.exec_id)
    if found is not None and fill in (found[1].fill, found[1].first_fill):
        return (DUPLICATE,)
    text = f"execution {fill.exec_id} came again with other content; the first stands"
    cause = f"conflict:{account.id}:{fill.exec_id}"
    facts.append(Raised(Severity.HIGH, "execution_conflict", cause, text, account.id, fill.symbol))
    return (DUPLICATE, "conflict")


def _order_of(account: Account, fill: Fill) -> Order | None:
    """Return the order that a fill is of, None if it names none or differs from it."""
    if fill.client_order_id is None:
        return None
    root = account.root_id(fill.client_order_id)
    order = account.state.orders.get(root) or account.state.finished.get(root)
    if order is None or order.check.symbol != fill.symbol or order.check.side is not fill.side:
        return None
    return order


def _release_filled(account: Account, fill: Fill, execution: Execution, facts: Facts) -> Flags:
    """Take a fill off the leaves of its order; say what is odd about the two."""
    if fill.client_order_id is None:
        return _unknown_order(account, fill, "names no order", facts)
    root = account.root_id(fill.client_order_id)
    order = account.state.orders.get(root)
    working = order is not None
    order = order or account.state.finished.get(root)
    if order is None or order.state in UNAPPROVED:
        return _unknown_order(account, fill, "names an order that was not approved", facts)
    if order.check.symbol != fill.symbol or order.check.side is not fill.side:
        return ("mismatch", *_unknown_order(account, fill, "differs from its order", facts))
    lots = abs(execution.lots)
    order.filled_lots += lots
    over = order.filled_lots > order.most_lots()
    if not working:
        late = order.state is not OrderState.FILLED
        flags = (("late_fill",) if late else ()) + (("over_fill",) if over else ())
        _odd_fill(account, fill, flags, facts)
        return flags
    if not order.is_brief():
        account.state.pending.pop(root, None)
    account.set_leaves(order, order.reachable_lots())
    if order.leaves_lots == 0:
        account.end(root, OrderState.FILLED)
    elif order.state in (OrderState.PENDING, OrderState.SUSPECT):
        order.state = OrderState.ACCEPTED
    if over:
        _odd_fill(account, fill, ("over_fill",), facts)
        return ("over_fill",)
    return ()


def _odd_fill(account: Account, fill: Fill, flags: Flags, facts: Facts) -> None:
    if not flags:
        return
    text = f"fill {fill.exec_id} of order {fill.client_order_id}: {', '.join(flags)}; booked"
    cause = f"{flags[0]}:{account.id}"
    facts.append(Raised(Severity.HIGH, flags[0], cause, text, account.id, fill.symbol))


def _unknown_order(account: Account, fill: Fill, why: str, facts: Facts) -> Flags:
    text = f"fill {fill.exec_id} {why}; it is booked and counts"
    cause = f"unknown_order:{account.id}"
    facts.append(Raised(Severity.CRITICAL, "unknown_order", cause, text, account.id, fill.symbol))
    return ("unknown_order",)


def _unknown_execution(account: Account, exec_id: str, facts: Facts) -> Flags:
    text = f"execution {exec_id} is not known, or too old to be changed; nothing was changed"
    cause = f"unknown_exec:{account.id}"
    facts.append(Raised(Severity.CRITICAL, "unknown_exec", cause, text, account.id))
    return ("unknown_exec",)


def _execution(fill: Fill, instrument: Instrument) -> Execution:
    lots = units_from_number(fill.quantity, instrument.lot_numerator, instrument.lot_denominator)
    assert lots is not None  # fill_invalid refused it otherwise.
    signed = lots if fill.side is Side.BUY else -lots
    return Execution(
        fill=fill,
        lots=signed,
        value_money=instrument.fill_value_money(signed, fill.price),
        fee_money=-money_from_number(fill.fee),
        fee_currency=fill.fee_currency or instrument.settlement,
    )


def _find(account: Account, exec_id: str) -> tuple[Position, int, Execution] | None:
    symbol = account.state.execution_symbols.get(exec_id)
    if symbol is None:
        return None
    position = account.state.positions[symbol]
    found = find_execution(position, exec_id)
    return None if found is None else (position, *found)


def _moment(
    account: Account, position: Position, fill: Fill, order: Order | None, stamp: Stamp
) -> Moment:
    """Return what is known now and will be needed if this fill, or one before it, is busted."""
    quote = account.boards.quotes.quotes[position.symbol]
    check = None if order is None else order.check
    return Moment(
        at_ns=stamp.recv_ns,
        seen=None if position.since is None else quote.seen(position.since),
        strategy=fill.strategy or ("" if check is None else check.strategy),
        timeframe=fill.timeframe or ("" if check is None else check.timeframe),
        stop_loss=None if check is None else check.stop_loss,
        take_profit=None if check is None else check.take_profit,
    )


def _watch(account: Account, position: Position, facts: Facts) -> None:
    """Say that the position changed at the mark of now, from which on its marks are watched.

    A flat one is watched too: a bust may tell that it was not.
    """
    before = position.since
    position.since = account.boards.quotes.quotes[position.symbol].version
    if position.since != before:
        facts.append(Watched(position.symbol, before, position.since))


def _rebook(account: Account, position: Position) -> None:
    """Make a position's books anew and move the difference through the cash."""
    instrument = account.boards.instruments[position.symbol]
    settlement = instrument.settlement
    before = position.books
    account.position_to_change(position.symbol)
    rebuild(position, account.rules(instrument))
    after = position.books
    earned = after.realized_money - before.realized_money + after.fees_money - before.fees_money
    account.add_cash(settlement, earned)
    for currency in {**before.foreign_fees, **after.foreign_fees}:
        change = after.foreign_fees.get(currency, 0) - before.foreign_fees.get(currency, 0)
        account.add_cash(currency, change)


def _count_traded(account: Account, execution: Execution, settlement: str, sign: int) -> None:
    """Count an execution into the day's turnover, or out of it; one of an earlier day never was."""
    if execution.roll == account.state.rolls:
        day = account.state.day_turnover
        day[settlement] = day.get(settlement, 0) + sign * abs(execution.value_money)


def _off_tick(fill: Fill, instrument: Instrument) -> Flags:
    on_tick = units_from_number(fill.price, instrument.tick_numerator, instrument.tick_denominator)
    return () if on_tick is not None else ("off_tick",)


def _is_fill_price(price: float, instrument: Instrument) -> bool:
    if not is_in_range(price, instrument.tick_numerator, instrument.tick_denominator):
        return False
    if instrument.inverse:  # Its value divides by the price.
        return is_a_millitick(price, instrument)
    return price > 0 or instrument.spec.allow_negative
