"""Every pre-trade check, in THE order: the first that fails is the primary reason.

A check is a pure function of a `Case`; a row names the limit that asks for it, its numbers for
`explain`, and the most lots that would pass. `docs/architecture.md` tells how to add one.
"""

from __future__ import annotations

from engine.case import CheckRow
from engine.checks import account, price, size, state
from riskd.codes import RejectCode

CHECKS: tuple[CheckRow, ...] = (
    CheckRow(RejectCode.KILLED, state.check_killed),
    CheckRow(RejectCode.BREAKER_OPEN, state.check_breaker_open, reducing_passes=True),
    CheckRow(RejectCode.ACCOUNT_FROZEN, state.check_account_frozen),
    CheckRow(RejectCode.MARKET_CLOSED, state.check_market_closed),
    CheckRow(RejectCode.REDUCE_ONLY, state.check_reduce_only),
    CheckRow(
        RejectCode.DAILY_LOSS,
        account.check_daily_loss,
        key="daily_loss",
        numbers=account.daily_loss_numbers,
        reducing_passes=True,
    ),
    CheckRow(RejectCode.PRICE_OFF_TICK, price.check_price_off_tick),
    CheckRow(RejectCode.QUANTITY_OFF_LOT, price.check_quantity_off_lot),
    CheckRow(RejectCode.NO_REFERENCE_PRICE, price.check_no_reference_price),
    CheckRow(RejectCode.STALE_PRICE, price.check_stale_price, reducing_passes=True),
    CheckRow(
        RejectCode.PRICE_COLLAR,
        price.check_price_collar,
        key="price_collar_pct",
        numbers=price.collar_numbers,
    ),
    CheckRow(
        RejectCode.ORDER_QUANTITY,
        size.check_order_quantity,
        key="order_quantity",
        numbers=size.order_quantity_numbers,
        fits_lots=size.order_quantity_fits,
    ),
    CheckRow(
        RejectCode.ORDER_NOTIONAL,
        size.check_order_notional,
        key="order_notional",
        numbers=size.order_notional_numbers,
        fits_lots=size.order_notional_fits,
    ),
    CheckRow(
        RejectCode.POSITION_LIMIT,
        size.check_position_quantity,
        key="position_quantity",
        numbers=size.position_quantity_numbers,
        fits_lots=size.position_quantity_fits,
        reducing_passes=True,
    ),
    CheckRow(
        RejectCode.POSITION_LIMIT,
        size.check_position_notional,
        key="position_notional",
        numbers=size.position_notional_numbers,
        fits_lots=size.position_notional_fits,
        reducing_passes=True,
    ),
    CheckRow(
        RejectCode.OPEN_ORDERS,
        size.check_open_orders,
        key="open_orders",
        numbers=size.open_orders_numbers,
        reducing_passes=True,
    ),
    CheckRow(
        RejectCode.LEVERAGE,
        account.check_leverage,
        key="leverage",
        numbers=account.leverage_numbers,
        fits_lots=account.leverage_fits,
        reducing_passes=True,
    ),
    CheckRow(RejectCode.RATE_LIMIT, account.check_rate_limit, key="orders_per_second"),
    CheckRow(RejectCode.FX_MISSING, account.check_fx_missing, reducing_passes=True),
    CheckRow(RejectCode.DEADLINE, state.check_deadline),
)
MEASURED_KEYS = ("daily_loss", "leverage")
