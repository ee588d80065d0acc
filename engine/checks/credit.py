"""Checks of credit: loss, leverage, margin, cash, and what one trade may lose."""

from __future__ import annotations

from math import inf

from msgspec.structs import replace

from engine.bounds import Bounds, Credit
from engine.case import Case, CheckFunction, CreditFunction, Plan
from engine.checks.exposure import fitting_lots
from engine.findings import exceeded, reject_case, shown
from engine.limits import ResolvedLimit
from engine.money import MONEY_SCALE, money_from_number
from riskd.codes import RejectCode
from riskd.messages import AccountSpec, MarginModel, Reject

Numbers = tuple[float, float] | None
HUNDRED = 100 * MONEY_SCALE


def shuts(check: CheckFunction) -> CreditFunction:
    """Return how a check that any order of a plan passes, or none does, tells of it."""

    def tell(case: Case, credit: Credit) -> None:
        if check(case) is not None:
            credit.is_open = False

    return tell


def check_daily_loss(case: Case) -> Reject | None:
    """The day's P&L is above minus `daily_loss`; at the limit no order may increase risk.

    Formula: realised + unrealised of the day > -daily_loss
    """
    limit = case.plan.limits["daily_loss"]
    if -case.day_pnl_money < limit.money or case.missing is not None:
        return None  # What is missing is refused by the check of it.
    loss = -case.day_pnl_money / MONEY_SCALE
    found = exceeded(RejectCode.DAILY_LOSS, limit, loss, f"{case.currency} lost today")
    return replace(found, text=found.text.replace(" > ", " >= ", 1))


def daily_loss_numbers(case: Case) -> Numbers:
    """Return today's loss (a gain is negative) and its limit."""
    if case.missing is not None:
        return None
    return -case.day_pnl_money / MONEY_SCALE, case.plan.limits["daily_loss"].value


def check_leverage(case: Case) -> Reject | None:
    """Worst-case gross exposure is at most `leverage` times equity; no equity is infinite.

    Formula: worst gross exposure <= leverage * equity; equity at or below zero refuses
    """
    if case.symbol_money is None or not case.grows:
        return None  # Refused by the check of what is missing.
    limit, equity = case.plan.limits["leverage"], case.equity_money
    if equity > 0 and case.gross_money * MONEY_SCALE <= limit.money * equity:
        return None
    return exceeded(RejectCode.LEVERAGE, limit, _leverage(case), "at worst")


def leverage_numbers(case: Case) -> Numbers:
    """Return the worst-case leverage and its limit."""
    if case.symbol_money is None:
        return None
    return _leverage(case), case.plan.limits["leverage"].value


def leverage_fits(case: Case) -> int | None:
    """Return the most lots that pass `check_leverage`."""
    equity = max(0, case.equity_money)
    return fitting_lots(case, case.plan.limits["leverage"].money * equity // MONEY_SCALE)


def leverage_credit(case: Case, credit: Credit) -> None:
    """Bound the worst-case gross exposure by the equity."""
    money = max(0, case.equity_money) * case.plan.limits["leverage"].money // MONEY_SCALE
    credit.gross_money = min(credit.gross_money, money)


def is_margined(spec: AccountSpec, plan: Plan) -> bool:
    """Return whether the account trades on margin."""
    return spec.margin_model is not MarginModel.NONE


def check_margin(case: Case) -> Reject | None:
    """Free margin after the worst case, equity less initial margin, is not below zero.

    Formula: sum of worst exposure * initial margin rate <= equity
    """
    if case.symbol_money is None or not case.grows:
        return None  # What is missing is refused by the check of it.
    if case.margin_money <= case.equity_money:
        return None
    needed, equity = margin_numbers(case) or (0.0, 0.0)
    found = reject_case(
        case,
        RejectCode.MARGIN,
        f"margin {shown(needed)} > equity {shown(equity)} {case.currency} at worst",
    )
    return replace(found, value=needed, limit=equity)


def margin_numbers(case: Case) -> Numbers:
    """Return the initial margin of the worst case and the equity."""
    if case.symbol_money is None:
        return None
    return case.margin_money / MONEY_SCALE, case.equity_money / MONEY_SCALE


def margin_fits(case: Case) -> int | None:
    """Return the most lots that pass `check_margin`."""
    symbol, terms, rate = case.symbol_money, case.plan.margin_terms, case.account_rate
    if symbol is None or rate is None:
        return None
    room = case.equity_money - (case.margin_money - case.symbol_margin_money)
    if terms.initial_brackets:  # They are in settlement money.
        room = room * rate.denominator // rate.numerator
    size = terms.fitting_money(room)
    if size is not None and terms.initial_brackets:
        size = size * rate.numerator // rate.denominator
    return None if size is None else fitting_lots(case, case.gross_money - symbol + size)


def margin_credit(case: Case, credit: Credit) -> None:
    """Bound the margin of the worst case by the equity."""
    credit.margin_money = min(credit.margin_money, case.equity_money)


def is_cash(spec: AccountSpec, plan: Plan) -> bool:
    """Return whether the account pays in full for what it holds."""
    return spec.margin_model is MarginModel.NONE


def check_buying_power(case: Case) -> Reject | None:
    """Cash pays for every working buy and this one; what is sold is held.

    Formula: holdings and working buys at the mark, + order at the dearer of its price and the mark,
    <= equity; a sell <= what is held
    """
    if case.symbol_money is None or case.equity_money >= _owned_money(case):
        return None  # What is missing is refused by the check of it.
    needed, power = buying_power_numbers(case) or (0.0, 0.0)
    text = f"holdings {shown(needed)} > equity {shown(power)} {case.currency}"
    if not case.buying:
        text = "a cash account sells only what it holds"
    found = reject_case(case, RejectCode.BUYING_POWER, text)
    return replace(found, value=needed, limit=power)


def buying_power_numbers(case: Case) -> Numbers:
    """Return what would be held at worst and the equity that has to pay for it."""
    if case.symbol_money is None:
        return None
    return _owned_money(case) / MONEY_SCALE, case.equity_money / MONEY_SCALE


def buying_power_fits(case: Case) -> int | None:
    """Return the most lots that pass `check_buying_power`."""
    return fitting_lots(case, case.equity_money)


def check_risk_per_trade(case: Case) -> Reject | None:
    """The loss from entry to the order's stop is at most `risk_per_trade_pct` of the equity.

    Formula: quantity * |entry - stop_loss| * multiplier * rate <= risk_per_trade_pct / 100 *
    equity; in drawdown the smallest risk_pct of risk_per_trade_drawdown whose drawdown_pct is
    reached
    """
    risk = _risk_money(case, case.lots or 0)
    if risk is None:
        return None  # No stop to lose to, or refused by the check of what is missing.
    limit, equity = _risk_limit(case), max(0, case.equity_money)
    if risk * HUNDRED <= limit.money * equity:
        return None
    value = risk * 100 / equity if equity else inf
    return exceeded(RejectCode.RISK_PER_TRADE, limit, value, "% of equity")


def risk_per_trade_bound(plan: Plan, bounds: Bounds) -> None:
    """Bound nothing: an order that has bounds has no stop to lose to."""


def risk_per_trade_numbers(case: Case) -> Numbers:
    """Return what the order risks, in percent of equity, and its limit."""
    risk = _risk_money(case, case.lots or 0)
    if risk is None or case.equity_money <= 0:
        return None
    return risk * 100 / case.equity_money, _risk_limit(case).value


def risk_per_trade_fits(case: Case) -> int | None:
    """Return the most lots that pass `check_risk_per_trade`."""
    one = _risk_money(case, 1)
    if not one:
        return None
    equity = max(0, case.equity_money)
    return _risk_limit(case).money * equity // (HUNDRED * one)


def _risk_limit(case: Case) -> ResolvedLimit:
    """Return what one trade may risk: less in drawdown, and while a response has shrunk it."""
    limit, shrunk = case.plan.limits["risk_per_trade_pct"], case.conduct.risk_shrunk_pct
    if shrunk is not None and shrunk < limit.value:
        limit = limit._replace(value=shrunk, money=money_from_number(shrunk))
    drawdown_pct = case.drawdown_pct
    if drawdown_pct is None:
        return limit
    reached = (step for step in case.plan.risk_steps if drawdown_pct >= step.drawdown_pct)
    tightest = next(reached, None)
    return limit if tightest is None or tightest.limit.money >= limit.money else tightest.limit


def _risk_money(case: Case, lots: int) -> int | None:
    """Return the loss of `lots` from entry to stop, in account money; None without a stop."""
    stop, entry, rate = case.order.stop_loss, case.value_milliticks, case.account_rate
    if stop is None or entry is None or rate is None or case.missing is not None:
        return None
    instrument = case.plan.instrument
    signed = lots if case.buying else -lots
    stop_milliticks = instrument.milliticks(stop)
    loss = instrument.value_money(signed, entry) - instrument.value_money(signed, stop_milliticks)
    return max(0, -(-loss * rate.numerator // rate.denominator))


def _leverage(case: Case) -> float:
    equity = case.equity_money
    return case.gross_money / equity if equity > 0 else inf


def _owned_money(case: Case) -> int:
    """Return what holdings and working buys come to; a short is more than any cash can pay."""
    if case.shortest_lots < 0 and not case.buying:
        return case.equity_money + case.gross_money + 1
    value, reference = case.value_milliticks or 0, case.reference_milliticks or 0
    if value <= reference or not case.buying:
        return case.gross_money
    instrument, rate = case.plan.instrument, case.account_rate
    assert rate is not None  # `place` found it.
    dearer = instrument.notional_money(case.added_lots, value) - instrument.notional_money(
        case.added_lots, reference
    )
    return case.gross_money - (-dearer * rate.numerator // rate.denominator)
