"""Synthetic gateways: each checks, reports and fills for one account."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple

from riskd.aio import AsyncRiskClient
from riskd.demo.market import DemoInstrument, SyntheticMarket, on_grid
from riskd.errors import RiskdError
from riskd.messages import Check, Fill, OrderReport, OrderStatus, Side, TimeInForce

LATENCIES_MAX = 4096  # The newest, for the percentiles on the screen.
PAUSE_S = (0.08, 0.30)  # Between two orders of a gateway.
NOTIONAL = (150.0, 1_150.0)  # Beyond the shipped limit of 1,000 now and then.
INVERSE_CONTRACT = 100.0  # Quote currency of one contract.
OFF_COLLAR = 0.03  # Share of orders whose price is absurd.
FILLED, CANCELED = 0.75, 0.20  # Of the approved orders; the rest keeps working.
LOSER = "A3"
LOSS_AFTER_S = 40.0  # When the story of the losing account begins.
LOSS_SHARE = 0.12  # What it gives away of each fill's price from then on.


class Flow:
    """What all gateways together have seen."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self.latencies_ns: deque[int] = deque(maxlen=LATENCIES_MAX)
        self.fills = 0
        self.failures: Counter[str] = Counter()


class Story(NamedTuple):
    """What the gateways share: their market, the clock of the story, and whether to trade."""

    market: SyntheticMarket
    flow: Flow
    elapsed_s: Callable[[], float]
    may_trade: Callable[[], bool]
    speed: float


async def run_gateway(account: str, client: AsyncRiskClient, story: Story, seed: int) -> None:
    """Trade for `account` until cancelled. The same seed makes the same choices."""
    choices = random.Random(f"{seed}-{account}")
    number = 0
    while True:
        await asyncio.sleep(choices.uniform(*PAUSE_S) / story.speed)
        if not story.may_trade():
            continue
        number += 1
        try:
            await _trade_once(account, client, story, choices, number)
        except RiskdError as error:
            story.flow.failures[type(error).__name__] += 1


async def _trade_once(
    account: str, client: AsyncRiskClient, story: Story, choices: random.Random, number: int
) -> None:
    order, found = _order(account, f"demo-{number}", story.market, choices)
    sent_ns = time.perf_counter_ns()
    verdict = await client.check(order)
    story.flow.latencies_ns.append(time.perf_counter_ns() - sent_ns)
    story.flow.verdicts["APPROVED" if verdict.approved else verdict.rejects[0].code] += 1
    if not verdict.approved:
        return
    await client.report(_report(order, OrderStatus.ACCEPTED))
    fate = choices.random()
    if fate < FILLED:
        await client.fill(_fill(order, found, story))
        story.flow.fills += 1
    elif fate < FILLED + CANCELED:
        await client.report(_report(order, OrderStatus.CANCELED))


def _order(
    account: str, order_id: str, market: SyntheticMarket, choices: random.Random
) -> tuple[Check, DemoInstrument]:
    found = choices.choice(market.instruments)
    side = choices.choice((Side.BUY, Side.SELL))
    mid = market.mid(found.symbol)
    away = choices.uniform(-2e-4, 4e-4)  # A little better than the touch, or a little through it.
    if choices.random() < OFF_COLLAR:
        away = 0.25
    price = on_grid(mid * (1 + away if side is Side.BUY else 1 - away), found.tick_size)
    order = Check(
        account=account,
        client_order_id=order_id,
        symbol=found.symbol,
        side=side,
        quantity=_quantity(found, mid, choices.uniform(*NOTIONAL)),
        price=float(price),
        time_in_force=TimeInForce.DAY,
        strategy="demo",
    )
    return order, found


def _quantity(found: DemoInstrument, mid: float, notional: float) -> float:
    """Return a quantity worth about `notional` dollars, in whole lots."""
    if found.kind == "inverse":
        units = notional / INVERSE_CONTRACT
    elif found.kind == "fx" and found.currency != "USD":
        units = notional  # The base is about a dollar.
    else:
        units = notional / mid
    return float(on_grid(units, found.lot_size))


def _fill(order: Check, found: DemoInstrument, story: Story) -> Fill:
    assert order.price is not None
    price = order.price
    if order.account == LOSER and story.elapsed_s() > LOSS_AFTER_S:
        worse = 1 + LOSS_SHARE if order.side is Side.BUY else 1 - LOSS_SHARE
        price = float(on_grid(price * worse, found.tick_size))
    return Fill(
        account=order.account,
        exec_id=f"{order.client_order_id}-x",
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        price=price,
    )


def _report(order: Check, status: OrderStatus) -> OrderReport:
    return OrderReport(
        account=order.account,
        client_order_id=order.client_order_id,
        status=status,
        report_id=f"{order.client_order_id}-{status}",
        leaves_quantity=order.quantity if status is OrderStatus.ACCEPTED else 0.0,
    )
