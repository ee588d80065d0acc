"""A real riskd with a venue, a feed, a listener and gateways around it: where stories play.

What riskd publishes of an account waits until its story asks for it, so the order in which a story
tells things is its own, whatever the machine does meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import zmq

from riskd import Subscriber
from riskd.messages import Alert, Breaker, ResponseUpdate, Tick, Ticks
from tests.end_to_end.process import ROOT, RiskdProcess
from tests.stories.cast import INSTRUMENTS, Role, Times, configuration
from tests.stories.crashes import Mark
from tests.stories.venue import News, Venue

WAIT_S_MAX = 30.0
POLL_S = 0.003
TOPICS = ("alert", "response", "breaker", "heartbeat")
Told = Alert | ResponseUpdate | Breaker
Kind = TypeVar("Kind", Alert, ResponseUpdate, Breaker)


class Stage:
    """One riskd and what is around it; `accounts` says who plays which role."""

    def __init__(
        self, folder: Path, accounts: dict[str, Role], times: Times, *, policies: Path | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        roll = (datetime.now(UTC) + timedelta(hours=12)).strftime("%H:%M")
        policies = policies or ROOT / "config" / "responses.toml"
        config = folder / "riskd.toml"
        config.write_text(configuration(accounts, times, policies=policies, roll=roll))
        self.riskd = RiskdProcess(folder, config=config, ipc=True)
        self.venue = Venue()
        self.heard: list[Told] = []  # All that was published, in its order.
        self._waiting: dict[tuple[str, type[Told]], asyncio.Queue[Told]] = {}
        self._fed = 0  # Ticks since riskd was started.
        self._listening: asyncio.Task[None] | None = None
        self._beats = 0

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(self.riskd.start)
        except BaseException:
            self.riskd.close()
            raise
        self._feed = self.riskd.peer("ticks", zmq.PUSH)
        self._operator = self.riskd.peer("control", zmq.REQ)
        self._subscriber = Subscriber(self.riskd.addresses["alerts"], TOPICS)
        self._listening = asyncio.create_task(self._listen())
        await self.until(lambda: self._beats)  # It is the last topic: the others are subscribed.
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._listening is not None:
            self._listening.cancel()
            self._subscriber.close()
        self.riskd.close()

    async def kill_and_restart(self) -> None:
        """End riskd at once (SIGKILL) and start it on the same books and addresses."""
        self.riskd.kill()
        self._fed = 0
        self._operator.close()
        await asyncio.to_thread(self.riskd.start)
        self._operator = self.riskd.peer("control", zmq.REQ)

    async def until(self, condition: Callable[[], object]) -> None:
        """Return as soon as `condition` holds; fail after a deadline, or when riskd has ended."""
        async with asyncio.timeout(WAIT_S_MAX):
            while not condition():
                self.riskd.require_running()
                await asyncio.sleep(POLL_S)

    async def pass_time(self) -> None:
        """Return when riskd has published heartbeats again, and so all that it said before."""
        beats = self._beats
        await self.until(lambda: self._beats > beats + 1)

    async def feed(self, marks: Iterable[Mark]) -> list[News]:
        """Tell the market to riskd and to the venue; return the news of what rested there."""
        ticks, news = [], []
        for mark in marks:
            half = INSTRUMENTS[mark.symbol][-1]
            bid, ask = mark.price - half, mark.price + half
            ticks.append(Tick(symbol=mark.symbol, bid=float(bid), ask=float(ask)))
            news += self.venue.quote(mark.symbol, bid, ask)
        self._feed.tell(Ticks(ticks=ticks))
        self._fed += len(ticks)
        fed = self._fed
        await self.until(lambda: self.ask("status")["ticks"].get("applied", 0) >= fed)
        return news

    def ask(self, type_: str, **fields: Any) -> Any:
        """Ask the control port and return its data."""
        answer = self._operator.ask({"type": type_, **fields})
        assert answer["type"] == "result", answer
        return answer["data"]

    async def next_of(self, kind: type[Kind], account: str) -> Kind:
        """Return the next that was published of this kind about an account."""
        told = await asyncio.wait_for(self._queue(account, kind).get(), WAIT_S_MAX)
        assert isinstance(told, kind)
        return told

    def left(self, account: str) -> list[Told]:
        """Take and return what was published about an account and no story asked for."""
        queues = [queue for (name, _), queue in self._waiting.items() if name == account]
        return [queue.get_nowait() for queue in queues for _ in range(queue.qsize())]

    def _queue(self, account: str, kind: type[Told]) -> asyncio.Queue[Told]:
        return self._waiting.setdefault((account, kind), asyncio.Queue())

    async def _listen(self) -> None:
        while True:
            publication = self._subscriber.receive(timeout_ms=0)
            if publication is None:
                await asyncio.sleep(POLL_S)
                continue
            match publication.message:
                case Alert() | ResponseUpdate() as told:
                    self.heard.append(told)
                    self._queue(told.account or "", type(told)).put_nowait(told)
                case Breaker() as told:
                    self.heard.append(told)
                    self._queue(told.scope_id, Breaker).put_nowait(told)
                case _:
                    self._beats += 1
