"""Every pre-trade check, in THE order: the first that fails is the primary reason.

A check is a pure function of a `Case`; a row names the limit that asks for it, its numbers for
`explain`, and about the most lots that would pass. Rows that are not `ordinary` fail only when
something that `engine/pretrade.py` looks up is unusual, and are not run otherwise: that is what
makes the common verdict fast. `docs/architecture.md` tells how to add one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from engine.case import Case, CheckRow, Plan
from engine.checks import (
    conduct,
    credit,
    drawdown,
    exposure,
    group,
    permission,
    price,
    size,
    state,
)
from engine.limits import ResolvedLimit, resolve
from riskd.codes import RejectCode
from riskd.messages import AccountSpec, LimitSet

Found = TypeVar("Found")

CHECKS: tuple[CheckRow, ...] = (
    CheckRow(
        RejectCode.NOT_PERMITTED,
        permission.check_not_permitted,
        applies=permission.has_rules,
        ordinary=True,
    ),
    CheckRow(RejectCode.KILLED, state.check_killed),
    CheckRow(RejectCode.BREAKER_OPEN, state.check_breaker_open, reducing_passes=True),
    CheckRow(
        RejectCode.BREAKER_OPEN,
        state.check_price_move,
        applies=state.has_price_move,
        numbers=state.price_move_numbers,
        reducing_passes=True,
        ordinary=True,
    ),
    CheckRow(RejectCode.ACCOUNT_FROZEN, state.check_account_frozen),
    CheckRow(RejectCode.MARKET_CLOSED, state.check_market_closed),
    CheckRow(RejectCode.REDUCE_ONLY, state.check_reduce_only),
    CheckRow(RejectCode.SLOWED, state.check_slowed, reducing_passes=True),
    CheckRow(
        RejectCode.DAILY_LOSS,
        credit.check_daily_loss,
        key="daily_loss",
        numbers=credit.daily_loss_numbers,
        reducing_passes=True,
        valued=True,
        ordinary=True,
    ),
    *drawdown.ROWS,
    CheckRow(RejectCode.PRICE_OFF_TICK, price.check_price_off_tick),
    CheckRow(RejectCode.QUANTITY_OFF_LOT, price.check_quantity_off_lot),
    CheckRow(RejectCode.NO_REFERENCE_PRICE, price.check_no_reference_price),
    CheckRow(RejectCode.STALE_PRICE, price.check_stale_price, reducing_passes=True),
    CheckRow(
        RejectCode.PRICE_COLLAR,
        price.check_price_collar,
        key="price_collar_pct",
        numbers=price.collar_numbers,
        edge=price.collar_edge,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.PRICE_COLLAR,
        price.check_tick_collar,
        key="price_collar_ticks",
        numbers=price.tick_collar_numbers,
        edge=price.tick_collar_edge,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.PRICE_COLLAR,
        price.check_money_collar,
        key="price_collar_money",
        numbers=price.money_collar_numbers,
        edge=price.money_collar_edge,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.ORDER_QUANTITY,
        size.check_order_quantity,
        key="order_quantity",
        numbers=size.order_quantity_numbers,
        fits_lots=size.order_quantity_fits,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.ORDER_NOTIONAL,
        size.check_order_notional,
        key="order_notional",
        numbers=size.order_notional_numbers,
        fits_lots=size.order_notional_fits,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.POSITION_LIMIT,
        size.check_position_quantity,
        key="position_quantity",
        numbers=size.position_quantity_numbers,
        fits_lots=size.position_quantity_fits,
        reducing_passes=True,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.POSITION_LIMIT,
        size.check_position_notional,
        key="position_notional",
        numbers=size.position_notional_numbers,
        fits_lots=size.position_notional_fits,
        reducing_passes=True,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.GROSS_EXPOSURE,
        exposure.check_gross_exposure,
        key="gross_exposure",
        numbers=exposure.gross_exposure_numbers,
        fits_lots=exposure.gross_exposure_fits,
        reducing_passes=True,
        valued=True,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.NET_EXPOSURE,
        exposure.check_net_exposure,
        key="net_exposure",
        numbers=exposure.net_exposure_numbers,
        fits_lots=exposure.net_exposure_fits,
        reducing_passes=True,
        valued=True,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.CURRENCY_EXPOSURE,
        exposure.check_currency_exposure,
        applies=exposure.has_currency_limit,
        numbers=exposure.currency_exposure_numbers,
        fits_lots=exposure.currency_exposure_fits,
        reducing_passes=True,
        valued=True,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.OPEN_ORDERS,
        size.check_open_orders,
        key="open_orders",
        numbers=size.open_orders_numbers,
        reducing_passes=True,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.TURNOVER,
        exposure.check_turnover,
        key="turnover",
        numbers=exposure.turnover_numbers,
        fits_lots=exposure.turnover_fits,
        reducing_passes=True,
        valued=True,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.CONCENTRATION,
        exposure.check_concentration,
        key="concentration_pct",
        numbers=exposure.concentration_numbers,
        fits_lots=exposure.concentration_fits,
        reducing_passes=True,
        valued=True,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.LEVERAGE,
        credit.check_leverage,
        key="leverage",
        numbers=credit.leverage_numbers,
        fits_lots=credit.leverage_fits,
        reducing_passes=True,
        valued=True,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.MARGIN,
        credit.check_margin,
        applies=credit.is_margined,
        numbers=credit.margin_numbers,
        fits_lots=credit.margin_fits,
        reducing_passes=True,
        valued=True,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.BUYING_POWER,
        credit.check_buying_power,
        applies=credit.is_cash,
        numbers=credit.buying_power_numbers,
        fits_lots=credit.buying_power_fits,
        reducing_passes=True,
        valued=True,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.RISK_PER_TRADE,
        credit.check_risk_per_trade,
        key="risk_per_trade_pct",
        numbers=credit.risk_per_trade_numbers,
        fits_lots=credit.risk_per_trade_fits,
        reducing_passes=True,
        valued=True,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.SELF_MATCH,
        conduct.check_self_match,
        applies=conduct.has_self_match_rule,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.DUPLICATE_CONTENT,
        conduct.check_duplicate_content,
        applies=conduct.has_duplicate_limit,
    ),
    CheckRow(
        RejectCode.REPEATED_EXECUTION,
        conduct.check_repeated_execution,
        key="repeated_executions",
        numbers=conduct.repeated_execution_numbers,
        ordinary=True,
    ),
    CheckRow(RejectCode.RATE_LIMIT, conduct.check_rate_limit, applies=conduct.has_rate_limit),
    CheckRow(
        RejectCode.RATE_LIMIT,
        conduct.check_rate_warning,
        applies=conduct.has_rate_limit,
        warns=True,
    ),
    CheckRow(
        RejectCode.RATE_LIMIT,
        conduct.check_fill_velocity,
        applies=conduct.has_fill_rate,
        reducing_passes=True,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.RATE_LIMIT,
        conduct.check_order_to_trade,
        key="order_to_trade",
        numbers=conduct.order_to_trade_numbers,
        reducing_passes=True,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.RATE_LIMIT,
        conduct.check_cancel_ratio,
        key="cancel_ratio_pct",
        numbers=conduct.cancel_ratio_numbers,
        reducing_passes=True,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.GROUP_LIMIT,
        group.check_group_limit,
        applies=group.has_group_limit,
        reducing_passes=True,
        ordinary=True,
    ),
    CheckRow(
        RejectCode.GROUP_LIMIT,
        group.check_group_warning,
        applies=group.has_group_limit,
        reducing_passes=True,
        ordinary=True,
        warns=True,
    ),
    CheckRow(RejectCode.FX_MISSING, conduct.check_fx_missing, reducing_passes=True),
    CheckRow(RejectCode.UNRECONCILED, state.check_unsynced),
    CheckRow(RejectCode.UNRECONCILED, state.check_unreconciled, reducing_passes=True),
    CheckRow(RejectCode.DEADLINE, state.check_deadline),
)


def rows_of(plan: Plan, spec: AccountSpec, limits: LimitSet) -> tuple[CheckRow, ...]:
    """Return the rows that apply to a plan, and note in it the limits that decide.

    Where the tightest limit only warns and a hard one is wider, both are checked: a soft limit
    never loosens a hard one.
    """
    rows: list[CheckRow] = []
    for row in CHECKS:
        limit = None if row.key is None else resolve(limits, plan.owner, row.key)
        hard = limit
        if limit is not None and not limit.hard:
            hard = resolve(limits, plan.owner, limit.key, hard_only=True)
        if limit is not None:
            plan.limits[limit.key] = limit
        if row.key is not None and limit is None:
            continue
        if row.applies is not None and not row.applies(spec, plan):
            continue
        rows.append(row)
        if hard is not None and hard is not limit:
            rows.append(_held_to(row, hard))
    return tuple(rows)


def _held_to(row: CheckRow, limit: ResolvedLimit) -> CheckRow:
    """Return the row held to a hard limit that is wider than the plan's."""
    return row._replace(
        check=_under(limit, row.check),
        numbers=None if row.numbers is None else _under(limit, row.numbers),
        fits_lots=None if row.fits_lots is None else _under(limit, row.fits_lots),
        edge=None if row.edge is None else _under(limit, row.edge),
        hard_beyond=True,
    )


def _under(limit: ResolvedLimit, function: Callable[[Case], Found]) -> Callable[[Case], Found]:
    """Return a function of a case that finds `limit` in the plan instead of the tightest."""

    def found(case: Case) -> Found:
        limits = case.plan.limits
        tightest = limits[limit.key]
        limits[limit.key] = limit
        try:
            return function(case)
        finally:
            limits[limit.key] = tightest

    return found
