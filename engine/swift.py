"""The swift way to an approval: an order within every bound of its kind needs no check of its own.

Nearly every order is an ordinary limit order far from every limit, in a quiet market. What an order
comes to is a handful of figures, and `engine/bounds.py` says within which of them every check
passes; those that look for something unusual pass where nothing is. Whoever is beyond a bound, or
anything but ordinary, is judged by the checks themselves: this way refuses nothing, warns of
nothing and explains nothing. That both ways agree is a test.
"""

from __future__ import annotations

from engine.account import Account
from engine.bounds import UNBOUNDED, Credit
from engine.charges import charge_within
from engine.facts import Facts, Stamp
from engine.money import MONEY_SCALE
from engine.orders import Order, OrderState
from engine.pretrade import approval, keep_approved
from engine.seats import Seat
from riskd.messages import Check, MarketPhase, OrderType, Side, TimeInForce, Verdict

_HUNDRED = 100 * MONEY_SCALE


def decide_swiftly(account: Account, order: Check, stamp: Stamp, facts: Facts) -> Verdict | None:
    """Return the approval of an order that surely passes, reserved; None says nothing of it.

    After None nothing has changed. O(1), and O(positions) after a tick.
    """
    seat = _seat_of(account, order, stamp)
    if seat is None:
        return None
    instrument, quantity, price = seat.kind.instrument, order.quantity, order.price
    assert price is not None  # It is ordinary.
    if not (0 < quantity <= instrument.quantity_max and 0 < price <= instrument.price_max):
        return None
    lots, milliticks = instrument.lots(quantity), instrument.milliticks_on_tick(price)
    if not lots or not milliticks:
        return None
    signed = lots if order.side is Side.BUY else -lots
    if not _is_within(account, seat, signed, milliticks):
        return None
    content = f"{order.symbol} {signed:+} {milliticks} None"
    if not charge_within(account, seat.kind, content, stamp):
        return None
    record, certified = _approve(account, seat, order, (signed, milliticks), stamp)
    keep_approved(account, record, certified, stamp, facts)
    account.reserve(record)
    return record.verdict


def _seat_of(account: Account, order: Check, stamp: Stamp) -> Seat | None:
    """Return the seat of a new and ordinary order while nothing is unusual, else None."""
    boards, state = account.boards, account.state
    order_id, deadline_ns = order.client_order_id, order.deadline_ns
    if (
        order.order_type is not OrderType.LIMIT
        or order.price is None
        or order.stop_price is not None
        or order.stop_loss is not None
        or order.take_profit is not None
        or order.expire_ns is not None
        or order.time_in_force is TimeInForce.GTD
        or order.reduce_only
        or order.close_position
        or order.dry_run
        or order.explain
        or (deadline_ns is not None and deadline_ns < stamp.recv_ns)
        or order_id in state.orders
        or order_id in state.finished
        or order_id in state.aliases
        or order_id in state.expired
        or not boards.breakers.quiet
        or state.frozen
        or state.unreconciled
        or (stamp.session and boards.sessions.refusal(stamp.session))
    ):
        return None
    seat = account.seat((order.symbol, order.strategy, order.trader))
    if seat is None:
        return None
    quote, stale_ns = seat.kind.quote, seat.kind.instrument.stale_after_ns
    fresh = stamp.steady_ns - quote.touch_steady_ns <= stale_ns
    return seat if fresh and quote.is_sound and quote.phase is MarketPhase.OPEN else None


def _is_within(account: Account, seat: Seat, signed: int, milliticks: int) -> bool:
    """Return whether signed lots at a price are within every bound."""
    kind, position = seat.kind, seat.held.position
    bounds, quote, milli_value = kind.bounds, kind.quote, kind.milli_value
    ask, bid = quote.ask, quote.bid
    if ask is None or bid is None or bid <= 0:
        return False
    held = position.books.lots
    upper_lots, lower_lots = held + position.open_buy_lots, held - position.open_sell_lots
    if signed > 0:
        lots, reference, away = signed, ask, milliticks - ask
        is_alone = lower_lots == held
        side_lots = upper_lots = upper_lots + signed
    else:
        lots, reference, away = -signed, bid, bid - milliticks
        is_alone = upper_lots == held
        lower_lots += signed
        side_lots = -lower_lots
    unit, money = reference * milli_value, lots * milliticks * milli_value
    if (
        lots > bounds.order_lots
        or money > bounds.order_money
        or side_lots > bounds.side_lots
        or side_lots * unit > bounds.side_money
        or away > bounds.away_milliticks
        or away * _HUNDRED > reference * bounds.away_percent_money
        or len(account.state.orders) >= bounds.open_orders
        or not (is_alone or bounds.meets_own)
    ):
        return False
    if bounds.turnover_money < UNBOUNDED:
        turnover_money = account.turnover_money()
        if turnover_money is None or turnover_money + money > bounds.turnover_money:
            return False
    return not kind.is_valued or _has_credit(
        account, seat, upper_lots * unit, lower_lots * unit, buying=signed > 0
    )


def _has_credit(account: Account, seat: Seat, upper: int, lower: int, *, buying: bool) -> bool:
    """Return whether the account stays within its bounds if these are the ends of the symbol."""
    kind, held, valuation, epoch = seat.kind, seat.held, account.valuation, account.boards.epoch
    if not valuation.is_of(epoch) or not held.is_linear:
        return False
    credit = account.credit
    if credit.epoch != epoch or credit.terms is not kind.terms:
        credit = account.credit = _credit_of(account, seat)
    symbol, unit = upper if upper >= -lower else -lower, held.unit
    gross = valuation.gross_money + symbol - held.gross_lots * unit
    if buying:
        net = valuation.upper_money + upper - held.upper_lots * unit
    else:
        net = held.lower_lots * unit - lower - valuation.lower_money
    numerator, denominator = kind.initial_margin
    margin = valuation.margin_money - held.margin - (-symbol * numerator // denominator)
    return (
        credit.is_open
        and gross <= kind.bounds.gross_money
        and gross <= credit.gross_money
        and net <= kind.bounds.net_money
        and symbol <= credit.symbol_money
        and margin <= credit.margin_money
    )


def _credit_of(account: Account, seat: Seat) -> Credit:
    """Return the bounds by the money of now, as the checks tell them."""
    case, state, plan = account.case, account.state, seat.plan
    case.plan, case.valuation, case.conduct = plan, account.valuation, state.conduct
    case.missing = None
    case.day_pnl_money = account.day_pnl_money()
    case.equity_money = account.valuation.equity_money - state.shortfall_money
    if plan.needs_peaks:
        case.peaks_money = account.water.peaks_money()
    credit = Credit(seat.kind.terms, account.boards.epoch)
    for tell in plan.credits:
        tell(case, credit)
    return credit


def _approve(
    account: Account, seat: Seat, order: Check, placed: tuple[int, int], stamp: Stamp
) -> tuple[Order, int]:
    """Return an order that was found to pass, approved, and how much of it is sure to reduce."""
    position, (signed, milliticks) = seat.held.position, placed
    lots, certified, quantity = abs(signed), 0, 0.0
    closes = position.books.lots if signed < 0 else -position.books.lots
    if closes > 0:
        working = position.open_buy_lots if signed > 0 else position.open_sell_lots
        certified = max(0, min(lots, closes - working))
        quantity = seat.kind.instrument.quantity(certified)
    record = Order(
        check=order,
        verdict=approval(account, order, stamp, quantity),
        state=OrderState.PENDING,
        lots=lots,
        value_milliticks=milliticks,
        working_money=lots * milliticks * seat.kind.milli_value,
        session=stamp.session,
    )
    return record, certified
