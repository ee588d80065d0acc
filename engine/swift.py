"""The swift way to an approval: an order within every bound of its kind needs no check of its own.

Nearly every order is an ordinary limit order far from every limit, in a quiet market. What an order
comes to is a handful of figures, and `engine/bounds.py` says within which of them every check
passes; those that look for something unusual pass where nothing is. Whoever is beyond a bound, or
anything but ordinary, is judged by the checks themselves: this way refuses nothing, warns of
nothing and explains nothing. That both ways agree is a test.
"""

from __future__ import annotations

from engine.account import Account
from engine.bands import drift_of
from engine.bounds import UNBOUNDED, Credit
from engine.charges import charge_within
from engine.facts import Facts, Stamp
from engine.money import MONEY_SCALE
from engine.orders import Order, OrderState
from engine.pretrade import approval, keep_approved
from engine.seats import Seat
from riskd.messages import Check, MarketPhase, OrderType, Side, TimeInForce, Verdict

_HUNDRED = 100 * MONEY_SCALE
_ORDINARY = (OrderType.LIMIT, None, None, None, None, False, False, False, False)


def decide_swiftly(account: Account, order: Check, stamp: Stamp, facts: Facts) -> Verdict | None:
    """Return the approval of an order that surely passes, reserved; None says nothing of it.

    After None nothing has changed. O(1), and O(positions) after a tick.
    """
    if _is_special(account, order, stamp):
        return None
    seat = account.seat((order.symbol, order.strategy, order.trader))
    if seat is None:
        return None
    instrument, quote = seat.kind.instrument, seat.kind.quote
    quantity, price = order.quantity, order.price
    if (
        price is None
        or not 0 < price <= instrument.price_max
        or not 0 < quantity <= instrument.quantity_max
        or stamp.steady_ns - quote.touch_steady_ns > instrument.stale_after_ns
        or not quote.is_sound
        or quote.phase is not MarketPhase.OPEN
    ):
        return None
    lots, milliticks = instrument.lots(quantity), instrument.milliticks_on_tick(price)
    if not lots or not milliticks:
        return None
    signed = lots if order.side is Side.BUY else -lots
    if not _is_within(account, seat, signed, milliticks):
        return None
    if not charge_within(account, seat.kind, f"{order.symbol} {signed:+} {milliticks} None", stamp):
        return None
    return _approve(account, seat, order, (signed, milliticks), stamp, facts=facts)


def _is_special(account: Account, order: Check, stamp: Stamp) -> bool:
    """Return whether anything about an order but its numbers is not as it nearly always is."""
    state, boards, order_id = account.state, account.boards, order.client_order_id
    told = (
        order.order_type,
        order.stop_price,
        order.stop_loss,
        order.take_profit,
        order.expire_ns,
        order.reduce_only,
        order.close_position,
        order.dry_run,
        order.explain,
    )
    return bool(
        told != _ORDINARY
        or order.time_in_force is TimeInForce.GTD
        or order_id in state.orders
        or order_id in state.finished
        or (state.aliases and order_id in state.aliases)
        or (state.expired and order_id in state.expired)
        or state.frozen
        or state.unreconciled
        or not boards.breakers.quiet
        or (order.deadline_ns is not None and order.deadline_ns < stamp.recv_ns)
        or (stamp.session and boards.sessions.refusal(stamp.session))
    )


def _is_within(account: Account, seat: Seat, signed: int, milliticks: int) -> bool:
    """Return whether signed lots at a price are within every bound."""
    held, bounds, quote = seat.held, seat.kind.bounds, seat.kind.quote
    ask, bid = quote.ask, quote.bid
    if ask is None or bid is None or bid <= 0:
        return False
    is_lasting = _is_lasting(account, seat)
    if not (is_lasting or account.valuation.is_of(account.boards.epoch)) or not held.is_linear:
        return False
    upper_lots, lower_lots = held.upper_lots, held.lower_lots
    if signed > 0:
        lots, reference, away = signed, ask, milliticks - ask
        resting = held.lots - lower_lots
        side_lots = upper_lots = upper_lots + signed
    else:
        lots, reference, away = -signed, bid, bid - milliticks
        resting = upper_lots - held.lots
        lower_lots += signed
        side_lots = -lower_lots
    unit, money = reference * held.scale, lots * milliticks * held.scale
    if (
        lots > bounds.order_lots
        or money > bounds.order_money
        or side_lots > bounds.side_lots
        or side_lots * unit > bounds.side_money
        or away > bounds.away_milliticks
        or away * _HUNDRED > reference * bounds.away_percent_money
        or len(account.state.orders) >= bounds.open_orders
        or (resting and not bounds.meets_own)
    ):
        return False
    if bounds.turnover_money < UNBOUNDED:
        turnover_money = account.turnover_money()
        if turnover_money is None or turnover_money + money > bounds.turnover_money:
            return False
    ends, buying = (upper_lots * unit, lower_lots * unit), signed > 0
    if is_lasting and _has_credit(account, seat, account.lasting_credit, ends, buying=buying):
        return True
    return _has_credit_now(account, seat, ends, buying=buying)


def _is_lasting(account: Account, seat: Seat) -> bool:
    """Return whether a lasting credit is there, so that no mark has to be looked at."""
    credit = account.lasting_credit
    return (
        credit.epoch == account.boards.quotes.bands.jumps
        and credit.terms is seat.kind.terms
        and account.valuation.is_settled(credit.holdings)
    )


def _has_credit_now(account: Account, seat: Seat, ends: tuple[int, int], *, buying: bool) -> bool:
    """Return whether the account stays within its bounds at the marks of now."""
    epoch, credit, kind = account.boards.epoch, account.credit, seat.kind
    if not account.valuation.is_of(epoch):
        return False
    if credit.epoch != epoch or credit.terms is not kind.terms:
        credit = account.credit = _credit_of(account, seat, Credit(kind.terms, epoch))
        holdings, state = account.valuation.linear_holdings(), account.state
        if holdings is not None and state.day_open_money is not None and not state.day_unrated:
            lasting = Credit(kind.terms, account.boards.quotes.bands.jumps, holdings)
            lost_money = drift_of(account.valuation.gross_money)
            account.lasting_credit = _credit_of(account, seat, lasting, lost_money)
    return _has_credit(account, seat, credit, ends, buying=buying)


def _has_credit(
    account: Account, seat: Seat, credit: Credit, ends: tuple[int, int], *, buying: bool
) -> bool:
    """Return whether the account stays within its bounds if these are the ends of the symbol.

    By a credit that lasts, however its marks went within their bands since they were looked at.
    """
    held, bounds, valuation, (upper, lower) = seat.held, seat.kind.bounds, account.valuation, ends
    symbol, unit = upper if upper >= -lower else -lower, held.unit
    gross = valuation.gross_money + symbol - held.gross_lots * unit
    if buying:
        net = valuation.upper_money + upper - held.upper_lots * unit
    else:
        net = held.lower_lots * unit - lower - valuation.lower_money
    numerator, denominator = seat.kind.initial_margin
    margin = valuation.margin_money - held.margin - (-symbol * numerator // denominator)
    if credit.holdings is not None:
        drift = drift_of(valuation.gross_money)
        gross, net = gross + drift, net + drift
        margin += drift_of(valuation.margin_money) + credit.holdings  # Each is rounded up.
    return (
        credit.is_open
        and gross <= bounds.gross_money
        and gross <= credit.gross_money
        and net <= bounds.net_money
        and symbol <= credit.symbol_money
        and margin <= credit.margin_money
    )


def _credit_of(account: Account, seat: Seat, credit: Credit, lost_money: int = 0) -> Credit:
    """Tell a credit the bounds by the money of now, or by less, as the checks tell them."""
    case, state, plan, valuation = account.case, account.state, seat.plan, account.valuation
    case.plan, case.valuation, case.conduct = plan, valuation, state.conduct
    case.missing = None
    if plan.needs_peaks:
        highest = valuation.equity_money + lost_money  # It may have been as much more meanwhile.
        day, week, life = account.water.peaks_money()
        case.peaks_money = max(day, highest), max(week, highest), max(life, highest)
    valuation.equity_money -= lost_money
    case.day_pnl_money = account.day_pnl_money()
    case.equity_money = valuation.equity_money - state.shortfall_money
    for tell in plan.credits:
        tell(case, credit)
    valuation.equity_money += lost_money
    return credit


def _approve(
    account: Account,
    seat: Seat,
    order: Check,
    placed: tuple[int, int],
    stamp: Stamp,
    *,
    facts: Facts,
) -> Verdict:
    """Return the approval of an order that was found to pass, remembered and reserved."""
    held, (signed, milliticks) = seat.held, placed
    lots = abs(signed)
    certified, quantity = 0, 0.0
    closes = held.lots if signed < 0 else -held.lots
    if closes > 0:
        working = held.upper_lots - held.lots if signed > 0 else held.lots - held.lower_lots
        certified = max(0, min(lots, closes - working))
        quantity = seat.kind.instrument.quantity(certified)
    money = lots * milliticks * held.scale
    verdict = approval(account, order, stamp, quantity)
    record = Order(order, verdict, OrderState.PENDING, lots, lots, 0, milliticks, money)
    record.session = stamp.session
    keep_approved(account, record, certified, stamp, facts)
    settlement, working_turnover = seat.kind.instrument.settlement, account.state.working_turnover
    working_turnover[settlement] = working_turnover.get(settlement, 0) + money
    if signed > 0:
        held.position.open_buy_lots += lots
    else:
        held.position.open_sell_lots += lots
    account.valuation.count_reserved(held, lots, buying=signed > 0)
    if account.boards.group_limits:
        account.membership.touch(order.symbol)
    return verdict
