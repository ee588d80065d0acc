"""One policy row met by one fault: who plays, what goes wrong, and what must be true all the same.

Whatever happens, the venue is asked at the end: its books alone say what was traded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from decimal import Decimal

from riskd.messages import (
    Instruction,
    InstructionAction,
    ResponseStage,
    ResponseUpdate,
)
from tests.engine.gateway import exit_of
from tests.stories.cast import Role
from tests.stories.gateway import StoryGateway
from tests.stories.scene import OVER, Act
from tests.stories.stage import Stage
from tests.stories.venue import Mood

Quantities = dict[str, Decimal]


class Trial:
    """An account whose plan is met by a fault."""

    def __init__(self, stage: Stage, account: str, role: Role) -> None:
        self.act = Act(stage, account, role)
        self.stage, self.venue = stage, stage.venue
        self.gateway = self.act.gateway
        self.standby: StoryGateway | None = None
        self.updates: list[ResponseUpdate] = []
        self._sessions = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    async def enter(self, gateway: StoryGateway) -> None:
        """Let a gateway say hello; it stays until the end unless it leaves before."""
        await self._sessions.enter_async_context(gateway)

    async def leave(self) -> None:
        """End everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sessions.aclose()

    def another(self, name: str) -> StoryGateway:
        """Return another gateway of the account, which has not said hello."""
        address = self.stage.riskd.addresses["orders"]
        return StoryGateway(name, self.act.account, address, self.venue)

    def serve(self, gateway: StoryGateway) -> None:
        """Let a gateway carry out from now on whatever it is told."""

        self._tasks.append(asyncio.create_task(gateway.serve()))

    async def update(self) -> ResponseUpdate:
        """Return what is published next of the account's response."""
        told = await self.act.update()
        self.updates.append(told)
        return told

    async def update_of(self, *stages: ResponseStage) -> ResponseUpdate:
        """Return the next update of one of these stages."""
        while (told := await self.update()).stage not in stages:
            self.require_served()
        return told

    async def ended(self) -> None:
        """Return when the response is over."""
        await self.update_of(*OVER)

    def require_served(self) -> None:
        """Fail if a gateway stumbled."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    async def first_exit(self) -> Instruction:
        """Carry out the cancels, and return the first exit that is asked for."""
        while (told := await self.gateway.told()).action is InstructionAction.CANCEL:
            await self.gateway.carry_out(told)
        return told


Fault = Callable[[Trial], Awaitable[None]]


async def partial_fill(trial: Trial) -> None:
    """The venue fills half of the first exit and cancels the rest of it."""
    trial.venue.script(trial.act.account, [Mood.HALF])
    trial.serve(trial.gateway)
    await trial.ended()


async def reject(trial: Trial) -> None:
    """The venue takes the first exit not at all."""
    trial.venue.script(trial.act.account, [Mood.REJECT])
    trial.serve(trial.gateway)
    await trial.ended()


async def late_fill(trial: Trial) -> None:
    """The venue fills half of the first exit, and says so after it said that it is canceled."""
    account = trial.act.account
    trial.venue.script(account, [Mood.CANCEL_THEN_FILL])
    trial.serve(trial.gateway)
    await trial.update_of(ResponseStage.WAITING)
    for news in trial.venue.late.pop(account):
        ack = await trial.gateway.carry(news)
        assert "late_fill" in ack.flags
    await trial.ended()


async def slow_venue(trial: Trial) -> None:
    """The first exit works at the venue for longer than a plan waits, and is filled then."""
    account = trial.act.account
    trial.venue.script(account, [Mood.HOLD])
    trial.serve(trial.gateway)
    told = await trial.update_of(ResponseStage.WAITING, *OVER)
    (name,) = trial.venue.working(account)
    for news in trial.venue.fill(account, name):
        await trial.gateway.carry(news)
    if told.stage not in OVER:
        await trial.ended()


async def lost_instruction(trial: Trial) -> None:
    """The first exit, or the first cancel, gets lost on its way to the gateway: see `LOSSES`."""
    trial.serve(trial.gateway)
    await trial.ended()


async def dies_and_returns(trial: Trial) -> None:
    """The gateway dies with an exit filled that it did not tell of, and comes back empty."""
    told = await trial.first_exit()
    await trial.gateway.ask(exit_of(told))
    trial.venue.send(exit_of(told))
    trial.gateway.leave()
    again = trial.another(trial.gateway.name)
    await trial.enter(again)
    trial.serve(again)
    await trial.ended()


async def another_takes_over(trial: Trial) -> None:
    """The gateway dies the same way; another stands by, and hears of the fill from the venue."""
    told = await trial.first_exit()
    await trial.gateway.ask(exit_of(told))
    trial.venue.send(exit_of(told))
    trial.gateway.leave()
    other = trial.standby
    assert other is not None  # It said hello before.
    for news in trial.venue.history(trial.act.account):
        await other.carry(news)
    trial.serve(other)
    await trial.ended()


FAULTS: dict[str, Fault] = {
    "partial-fill": partial_fill,
    "reject": reject,
    "late-fill": late_fill,
    "slow-venue": slow_venue,
    "lost-exit": lost_instruction,
    "lost-cancel": lost_instruction,
    "gateway-returns": dies_and_returns,
    "gateway-replaced": another_takes_over,
}
LOSSES = {"lost-exit": InstructionAction.REDUCE, "lost-cancel": InstructionAction.CANCEL}
