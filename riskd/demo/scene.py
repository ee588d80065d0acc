"""The demo's event loop: a market, gateways, and an ear on what riskd publishes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import zmq

from riskd.aio import AsyncRiskClient
from riskd.codec import encode_msgpack
from riskd.control import ControlClient
from riskd.demo.gateways import Flow, Story, run_gateway
from riskd.demo.market import DemoInstrument, SyntheticMarket
from riskd.messages import Accounts, Alert, Breaker, Instruments, PnlUpdate, Ticks
from riskd.subscriber import Subscriber

STEP_S = 0.1  # Of the market: well inside the time after which a price is stale.
FRAME_S = 0.25
ALERTS_MAX = 8
LISTEN_MAX = 1000  # Publications taken before the loop gets its turn again.
GATEWAY_TIMEOUT_MS = 2000
SUSPENSE = "SUSPENSE"  # riskd's own account, for fills that name an unknown one; nobody trades it.


class Cast(NamedTuple):
    """Who plays: the accounts and instruments that riskd runs with."""

    accounts: tuple[str, ...]
    instruments: tuple[DemoInstrument, ...]


class Board:
    """Everything that the view shows."""

    def __init__(self, flow: Flow, accounts: tuple[str, ...]) -> None:
        self.flow = flow
        self.accounts = accounts
        self.began_s = time.monotonic()
        self.pnl: dict[str, PnlUpdate] = {}
        self.breakers: dict[int, Breaker] = {}
        self.alerts: deque[Alert] = deque(maxlen=ALERTS_MAX)
        self.alert_count = 0
        self.ticks = 0
        self.state = "starting"

    @property
    def elapsed_s(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self.began_s


class SceneOptions(NamedTuple):
    """How to play."""

    seed: int
    speed: float
    for_s: float | None  # Until stopped, if None.


def ask_cast(control_address: str) -> Cast:
    """Ask riskd which accounts and instruments it has."""
    with ControlClient(control_address) as control:
        accounts: list[dict[str, Any]] = control.request(Accounts()).data
        instruments: list[dict[str, Any]] = control.request(Instruments()).data
    return Cast(
        accounts=tuple(row["account"] for row in accounts if row["account"] != SUSPENSE),
        instruments=tuple(
            DemoInstrument(
                symbol=row["symbol"],
                kind=row["kind"],
                currency=row["currency"],
                tick_size=Decimal(str(row["tick_size"])),
                lot_size=Decimal(str(row["lot_size"])),
            )
            for row in instruments
        ),
    )


async def run_scene(
    addresses: dict[str, str],
    cast: Cast,
    options: SceneOptions,
    *,
    on_frame: Callable[[Board], None],
    should_stop: Callable[[], bool],
) -> Board:
    """Play until stopped or until the time is over; return the last state of the board."""
    flow = Flow()
    board = Board(flow, cast.accounts)
    market = SyntheticMarket(cast.instruments, options.seed)
    clients = [
        AsyncRiskClient(addresses["orders"], timeout_ms=GATEWAY_TIMEOUT_MS) for _ in cast.accounts
    ]
    with Subscriber(addresses["alerts"], ("pnl.", "alert.", "breaker.")) as ear:
        story = Story(
            market=market,
            flow=flow,
            elapsed_s=lambda: board.elapsed_s * options.speed,
            may_trade=lambda: ear.alive,
            speed=options.speed,
        )
        for client in clients:
            client.open()
        tasks = [asyncio.create_task(_pump(addresses["ticks"], market, board, options.speed))]
        tasks += [
            asyncio.create_task(run_gateway(account, client, story, options.seed))
            for account, client in zip(cast.accounts, clients, strict=True)
        ]
        try:
            while not should_stop() and not any(task.done() for task in tasks):
                if options.for_s is not None and board.elapsed_s >= options.for_s:
                    break
                _listen(ear, board)
                on_frame(board)
                await asyncio.sleep(FRAME_S)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            for client in clients:
                client.close()
    for outcome in ended:
        if isinstance(outcome, Exception):
            raise outcome  # A fault of ours: the demo does not hide it.
    return board


async def _pump(address: str, market: SyntheticMarket, board: Board, speed: float) -> None:
    """Send the touch of every instrument, step by step."""
    sender: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUSH)
    sender.setsockopt(zmq.LINGER, 0)
    sender.connect(address)
    try:
        while True:
            ticks = market.step(STEP_S * speed)
            try:
                sender.send(encode_msgpack(Ticks(ticks=ticks)), zmq.NOBLOCK)
                board.ticks += len(ticks)
            except zmq.Again:
                board.state = "ticks refused"  # The queue is full: riskd is away. Newer will come.
            await asyncio.sleep(STEP_S)
    finally:
        sender.close(linger=0)


def _listen(ear: Subscriber, board: Board) -> None:
    board.state = ear.heartbeat.state if ear.alive and ear.heartbeat else "no heartbeat"
    for _ in range(LISTEN_MAX):
        publication = ear.receive(timeout_ms=0)
        if publication is None:
            return
        match publication.message:
            case PnlUpdate() as update:
                board.pnl[update.account] = update
            case Alert() as alert:
                board.alerts.append(alert)
                board.alert_count += 1
            case Breaker() as breaker if breaker.active:
                board.breakers[breaker.breaker_id] = breaker
            case Breaker() as breaker:
                board.breakers.pop(breaker.breaker_id, None)
            case _:
                pass  # Nothing else was subscribed to.
