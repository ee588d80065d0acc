"""Plays timed messages into a running riskd and counts what comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal, NamedTuple

from riskd.aio import IN_FLIGHT_MAX, AsyncRiskClient
from riskd.client import ORDERS_ADDRESS
from riskd.control import CONTROL_ADDRESS, ControlClient
from riskd.errors import NoAnswer, RiskdError
from riskd.feed.tally import Tally
from riskd.feed.tick_sender import TickSender
from riskd.feed.timed import NS_PER_S, FeedError, Timed
from riskd.keys import Key
from riskd.messages import (
    Check,
    Fill,
    Instruments,
    MarketState,
    OrderReport,
    OrdersAnswer,
    Tick,
    Verdict,
)

TICKS_ADDRESS = "tcp://127.0.0.1:5702"
PROGRESS_S = 0.1
PACE_S_MIN = 0.001  # Sooner than this is now.
LOCKSTEP_RETRY_S = 0.0002
LOCKSTEP_RESEND_S = 0.5  # Not taken for this long, the unconfirmed ticks go out again.
LOCKSTEP_RESENDS_MAX = 2
LOCKSTEP_TIMEOUT_MS = 1000
UNKNOWN = -1  # How many rows are left, where riskd does not say.

OnAnswer = Callable[[Check | OrderReport | Fill, OrdersAnswer], None]


class PlayOptions(NamedTuple):
    """Where to and how.

    `speed` 0 is as fast as possible, 1 real time. `facts`: `approved` leaves out reports and
    fills of orders that riskd refused or never saw, since no gateway would have them; `all`
    sends them nevertheless. `lockstep` waits, wherever ticks and orders alternate, until riskd
    has taken the ones before it sends the others, so that the verdicts are the same every time.
    """

    orders: str = ORDERS_ADDRESS
    ticks: str = TICKS_ADDRESS
    control: str = CONTROL_ADDRESS
    speed: float = 0.0
    facts: Literal["approved", "all"] = "approved"
    in_flight_max: int = IN_FLIGHT_MAX
    reconnect_s: float = 30.0
    attempt_ms: int = 1000
    lockstep: bool = False
    key: Key = None


async def play(
    stream: Iterable[Timed],
    options: PlayOptions,
    *,
    on_progress: Callable[[Tally], None] | None = None,
    on_answer: OnAnswer | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Tally:
    """Send every message of `stream` in its order; return the counts when all is answered.

    What is unanswered when riskd dies is sent again, with the same ids, until `reconnect_s`
    have passed. Raises FeedError if the ticks port takes nothing for so long.
    """
    tally = Tally()
    began_ns = time.perf_counter_ns()
    client = AsyncRiskClient(
        options.orders,
        timeout_ms=max(1, round(options.reconnect_s * 1000)),
        attempt_ms=options.attempt_ms,
        in_flight_max=options.in_flight_max,
        key=options.key,
    )
    sender = TickSender(options.ticks, reconnect_s=options.reconnect_s, key=options.key)
    try:
        async with client:
            player = _Player(client, sender, options, tally, on_answer)
            progress_s = 0.0
            for timed in stream:
                if should_stop is not None and should_stop():
                    tally.is_interrupted = True
                    break
                await player.wait_until(timed.at_ns)
                await player.send(timed.message)
                now_s = time.monotonic()
                if on_progress is not None and now_s - progress_s > PROGRESS_S:
                    progress_s = now_s
                    on_progress(tally)
            await player.finish()
    finally:
        sender.close()
        tally.reconnects, tally.resends = client.reconnects + sender.reconnects, client.resends
        tally.elapsed_ns = time.perf_counter_ns() - began_ns
    if on_progress is not None:
        on_progress(tally)
    return tally


class _Player:
    """The state of one play: what was decided, and what is unconfirmed."""

    def __init__(
        self,
        client: AsyncRiskClient,
        sender: TickSender,
        options: PlayOptions,
        tally: Tally,
        on_answer: OnAnswer | None,
    ) -> None:
        self._client, self._sender, self._options = client, sender, options
        self._tally, self._on_answer = tally, on_answer
        self._loop = asyncio.get_running_loop()
        self._decided: dict[str, bool | asyncio.Future[OrdersAnswer]] = {}
        self._unconfirmed: dict[tuple[str, str], int] = {}  # (symbol, feed) to row.
        self._began: tuple[int, float] | None = None  # Recorded ns and loop time of the first.

    async def wait_until(self, at_ns: int) -> None:
        """Wait until it is time for what was recorded at `at_ns`."""
        if self._options.speed <= 0:
            return
        if self._began is None:
            self._began = (at_ns, self._loop.time())
        recorded_s = (at_ns - self._began[0]) / NS_PER_S
        left_s = self._began[1] + recorded_s / self._options.speed - self._loop.time()
        if left_s > PACE_S_MIN:
            await self._sender.flush()
            await asyncio.sleep(left_s)

    async def send(self, message: Any) -> None:
        """Send one message to its port, or leave it out."""
        match message:
            case Tick() | MarketState():
                await self._send_market(message)
            case Check():
                await self._confirm_ticks()
                self._decided[message.client_order_id] = await self._submit(message)
            case OrderReport() | Fill():
                reason = await self._reason_to_skip(message.client_order_id)
                if reason is not None:
                    self._tally.skipped[reason] += 1
                    return
                await self._confirm_ticks()
                await self._submit(message)

    async def finish(self) -> None:
        """Wait until all that was sent is answered or has failed, and the ticks are taken."""
        await self._sender.finish()
        await self._confirm_ticks(is_last=True)
        await self._answered()

    async def _send_market(self, message: Tick | MarketState) -> None:
        if self._options.lockstep:
            await self._answered()
        if isinstance(message, MarketState):
            self._tally.market_states += 1
        else:
            self._tally.ticks += 1
            if message.seq is not None:
                self._unconfirmed[(message.symbol, message.feed)] = message.seq
        await self._sender.send(message)

    async def _submit(self, message: Check | OrderReport | Fill) -> asyncio.Future[OrdersAnswer]:
        future = await self._client.submit(message)
        self._tally.requests += 1
        future.add_done_callback(partial(self._on_done, message, time.perf_counter_ns()))
        return future

    def _on_done(
        self,
        message: Check | OrderReport | Fill,
        sent_ns: int,
        future: asyncio.Future[OrdersAnswer],
    ) -> None:
        approved = False
        failure = None if future.cancelled() else future.exception()
        if future.cancelled() or isinstance(failure, NoAnswer):
            self._tally.unanswered += 1
        elif failure is not None:
            self._tally.errors["bad_answer"] += 1
        else:
            answer = future.result()
            self._tally.count(answer, time.perf_counter_ns() - sent_ns)
            approved = isinstance(answer, Verdict) and answer.approved
            if self._on_answer is not None:
                self._on_answer(message, answer)
        if isinstance(message, Check):
            self._decided[message.client_order_id] = approved

    async def _reason_to_skip(self, client_order_id: str | None) -> str | None:
        """Return why a fact is left out, or None; waits for the verdict that it depends on."""
        if self._options.facts == "all":
            return None
        if client_order_id is None:
            return "hidden"
        decided = self._decided.get(client_order_id)
        if decided is None:
            return "unknown_order"
        if not isinstance(decided, bool):
            await self._sender.flush()
            await asyncio.wait((decided,))
            decided = self._decided[client_order_id] is True
        return None if decided else "refused"

    async def _answered(self) -> None:
        await self._client.drained()
        await asyncio.sleep(0)  # The callbacks of the last answers have their turn.

    async def _confirm_ticks(self, *, is_last: bool = False) -> None:
        """Let the ticks before an order go out first; in lockstep wait until riskd has them.

        So too after the last, if riskd can be asked: a connection that is closed does not tell
        whether a busy riskd has read it to its end.
        """
        await self._sender.flush()
        is_lockstep = self._options.lockstep
        if not self._unconfirmed or not (is_lockstep or is_last):
            return
        until_s, resend_s = self._patience()
        resends, rows_before = 0, None
        at, key = self._options.control, self._options.key
        with ControlClient(at, timeout_ms=LOCKSTEP_TIMEOUT_MS, key=key) as control:
            while rows_left := self._rows_left(control):
                if rows_left == UNKNOWN and not is_lockstep:
                    return
                if rows_left != UNKNOWN and rows_left != rows_before:  # It reads, if slowly.
                    resends, rows_before = 0, rows_left
                    until_s, resend_s = self._patience()
                now_s = self._loop.time()
                if now_s > until_s:
                    raise FeedError(f"{self._sender.address}: the ticks sent were not taken.")
                await self._sender.watch()
                if rows_left != UNKNOWN and now_s > resend_s:
                    if resends == LOCKSTEP_RESENDS_MAX:
                        break  # It came and was refused: of one feed too many.
                    resends += 1
                    resend_s = now_s + LOCKSTEP_RESEND_S
                    await self._sender.send_again()
                await asyncio.sleep(LOCKSTEP_RETRY_S)
        self._unconfirmed.clear()
        self._sender.confirm()

    def _patience(self) -> tuple[float, float]:
        now_s = self._loop.time()
        return now_s + self._options.reconnect_s, now_s + LOCKSTEP_RESEND_S

    def _rows_left(self, control: ControlClient) -> int:
        """Return how many rows riskd has not taken of each feed's newest, UNKNOWN without answer.

        A tick of an unknown instrument is never taken; waiting for it would last for ever.
        """
        try:
            rows = control.request(Instruments()).data
        except NoAnswer:
            return UNKNOWN
        except RiskdError as error:
            if not self._options.lockstep:
                return UNKNOWN
            raise FeedError(
                f"{self._options.control}: lockstep needs `instruments`: {error}"
            ) from error
        taken = {row["symbol"]: row["feed_seqs"] for row in rows}
        return sum(
            max(0, seq - taken[symbol].get(feed, 0))
            for (symbol, feed), seq in self._unconfirmed.items()
            if symbol in taken
        )
