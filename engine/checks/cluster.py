"""Checks of correlated exposure: a symbol with all that moves with it, as one."""

from __future__ import annotations

from math import inf

from engine.case import Case
from engine.checks.exposure import fitting_lots, floor_money
from engine.findings import exceeded
from engine.limits import ResolvedLimit
from engine.money import MONEY_SCALE
from riskd.codes import RejectCode
from riskd.messages import Reject

Numbers = tuple[float, float] | None
_WHOLE = 100 * MONEY_SCALE


def check_correlated_exposure_pct(case: Case) -> Reject | None:
    """An increase leaves the symbol, with all that moves with it, at most so much of the account.

    Formula: sum of the worst of the symbol and of every symbol whose correlation with it is >=
    [correlation] threshold <= correlated_exposure_pct / 100 * max(gross, equity), or <=
    concentration_floor
    """
    limit, cluster = case.plan.limits["correlated_exposure_pct"], _cluster_money(case)
    if cluster is None or not case.grows or cluster <= floor_money(case):
        return None  # What is missing is refused by the check of it.
    base = max(case.gross_money, case.equity_money)
    if cluster * _WHOLE <= limit.money * base:
        return None
    share = cluster * 100 / base if base > 0 else inf
    return _correlated(case, limit, share, "%")


def correlated_exposure_pct_numbers(case: Case) -> Numbers:
    """Return the worst-case share of all that moves with the symbol, in percent, and its limit."""
    cluster = _cluster_money(case)
    if cluster is None:
        return None
    base = max(case.gross_money, case.equity_money)
    share = cluster * 100 / base if base > 0 else 0.0
    return share, case.plan.limits["correlated_exposure_pct"].value


def correlated_exposure_pct_fits(case: Case) -> int | None:
    """Return about the most lots that pass `check_correlated_exposure_pct`.

    With share p, C of the others that move with it, G of all others and equity Q:
    E + C <= p max(G + E, Q) is E <= max(p Q - C, (p G - C) / (1 - p)).
    """
    cluster, symbol = _cluster_money(case), case.symbol_money
    part = case.plan.limits["correlated_exposure_pct"].money
    if cluster is None or symbol is None or part >= _WHOLE:
        return None
    others, peers = case.gross_money - symbol, cluster - symbol
    by_equity = case.equity_money * part // _WHOLE - peers
    by_gross = (others * part - peers * _WHOLE) // (_WHOLE - part)
    by_floor = floor_money(case) - peers
    return fitting_lots(case, max(by_equity, by_gross, by_floor) + others)


def check_correlated_exposure(case: Case) -> Reject | None:
    """An increase leaves the symbol, with all that moves with it, at most at so much money.

    Formula: sum of the worst of the symbol and of every symbol whose correlation with it is >=
    [correlation] threshold <= correlated_exposure
    """
    limit, cluster = case.plan.limits["correlated_exposure"], _cluster_money(case)
    if cluster is None or not case.grows or cluster <= limit.money:
        return None  # What is missing is refused by the check of it.
    return _correlated(case, limit, cluster / MONEY_SCALE, case.currency)


def correlated_exposure_numbers(case: Case) -> Numbers:
    """Return the worst-case money in all that moves with the symbol, and its limit."""
    cluster = _cluster_money(case)
    if cluster is None:
        return None
    return cluster / MONEY_SCALE, case.plan.limits["correlated_exposure"].value


def correlated_exposure_fits(case: Case) -> int | None:
    """Return about the most lots that pass `check_correlated_exposure`."""
    cluster, symbol = _cluster_money(case), case.symbol_money
    if cluster is None or symbol is None:
        return None
    money_max = case.plan.limits["correlated_exposure"].money - (cluster - symbol)
    return fitting_lots(case, money_max + case.gross_money - symbol)


def _cluster_money(case: Case) -> int | None:
    """Return the worst exposure of the symbol and of every held one that moves with it."""
    if case.symbol_money is None:
        return None
    plan, found = case.plan, case.symbol_money
    for peer in plan.correlations.peers(plan.instrument.symbol):
        held = case.valuation.held(peer)
        found += held.worth()[3] if held is not None else 0
    return found


def _correlated(case: Case, limit: ResolvedLimit, value: float, unit: str) -> Reject:
    """Return the refusal, which names what is held that moves with the symbol."""
    symbol, valuation = case.plan.instrument.symbol, case.valuation
    moving = [
        peer
        for peer in case.plan.correlations.peers(symbol)
        for held in (valuation.held(peer),)
        if held is not None and held.worth()[3]
    ]
    named = ", ".join((symbol, *moving))
    return exceeded(RejectCode.CORRELATED_EXPOSURE, limit, value, f"{unit} at worst in {named}")
