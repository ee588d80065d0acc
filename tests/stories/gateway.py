"""A gateway of a test on the product's own client: it trades at the test's venue as riskd says.

It does one thing at a time and waits for every acknowledgement, so a story is the same each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

from riskd.gateway import AsyncGateway
from riskd.messages import (
    Ack,
    Certificate,
    Check,
    Fill,
    Hello,
    Instruction,
    InstructionAction,
    InstructionReport,
    Verdict,
    Welcome,
)
from tests.engine.gateway import exit_of
from tests.stories.transcript import Transcript
from tests.stories.venue import News, Venue

WAIT_S_MAX = 60.0
TIMEOUT_MS = 60_000


class _Lossy(AsyncGateway):
    """The product's client on a network that swallows what it is told to."""

    loses: Callable[[Instruction], bool] | None = None

    def _take(self, instruction: Instruction) -> None:
        if self.loses is None or not self.loses(instruction):
            super()._take(instruction)


class StoryGateway:
    """One session of a gateway of one account, with what riskd told it that waits to be done."""

    def __init__(self, name: str, account: str, address: str, venue: Venue) -> None:
        self.name = name
        self.account = account
        self.venue = venue
        self.transcript = Transcript()
        self.verdicts: list[Verdict] = []  # On the exits that it was told to send.
        self.done: list[Instruction] = []
        self.certificates: list[Certificate] = []
        self._told: asyncio.Queue[Instruction] = asyncio.Queue()
        self._welcomes: asyncio.Queue[Welcome] = asyncio.Queue()
        hello = Hello(gateway=name, accounts=(account,), executes_responses=True)
        self._client = _Lossy(
            hello,
            address,
            timeout_ms=TIMEOUT_MS,
            on_instruction=self._told.put_nowait,
            on_certificate=self.certificates.append,
            on_welcome=self._welcomes.put_nowait,
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        await self.welcomed()
        return self

    async def welcomed(self) -> None:
        """Return once riskd has welcomed it again, and what it may not know is told it."""
        welcome = await asyncio.wait_for(self._welcomes.get(), WAIT_S_MAX)
        if welcome.must_resync:
            listed = await self._client.resync()
            for news in self.venue.history(self.account):
                await self.carry(news, quiet=True)
            await self._client.resynced(listed.seq)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Drop the connection without a word."""
        self._client.close()

    def lose_first(self, action: InstructionAction) -> None:
        """Let the first instruction of a kind get lost on its way."""
        lost: list[Instruction] = []

        def loses(told: Instruction) -> bool:
            if lost or told.action is not action:
                return False
            lost.append(told)
            return True

        self._client.loses = loses

    async def told(self) -> Instruction:
        """Return the next instruction; fail if none comes."""
        return await asyncio.wait_for(self._told.get(), WAIT_S_MAX)

    async def serve(self) -> None:
        """Carry out whatever comes, without end."""
        while True:
            await self.carry_out(await self._told.get())

    def waiting(self) -> int:
        """Return how many instructions came and were not looked at."""
        return self._told.qsize()

    async def trade(self, check: Check) -> Verdict:
        """Ask for an order, send it to the venue if it may go, and carry back what comes of it."""
        verdict = await self.ask(check)
        if verdict.approved:
            for news in self.venue.send(check):
                await self.carry(news)
        return verdict

    async def ask(self, check: Check) -> Verdict:
        """Ask for an order and leave it at that."""
        while self._welcomes.qsize():  # A machine that stalls may cost a session.
            await self.welcomed()
        asked = self.transcript.order(check)
        self.transcript.say("gateway", f"> check {check.client_order_id}: {asked}")
        verdict: Verdict = await self._client.check(check)
        self.transcript.say("gateway", f"< {self.transcript.verdict(verdict)}")
        return verdict

    async def carry(self, news: News, *, quiet: bool = False) -> Ack:
        """Tell riskd what the venue said."""
        if not quiet:
            self.transcript.say("venue", self.transcript.news(news))
        ack: Ack
        if isinstance(news, Fill):
            ack = await self._client.fill(news)
        else:
            ack = await self._client.report(news)
        if ack.flags and not quiet:
            self.transcript.say("gateway", f"< {', '.join(ack.flags)}")
        return ack

    async def carry_out(self, instruction: Instruction) -> None:
        """Do what an instruction says and report it done."""
        self.transcript.say("gateway", f"< {self.transcript.instruction(instruction)}")
        self.done.append(instruction)
        if instruction.action is InstructionAction.CANCEL:
            assert instruction.client_order_id is not None
            for news in self.venue.cancel(self.account, instruction.client_order_id):
                await self.carry(news)
        else:
            self.verdicts.append(await self.trade(exit_of(instruction)))
        await self.report(instruction)

    async def report(
        self, instruction: Instruction, status: Literal["accepted", "done"] = "done"
    ) -> None:
        """Tell what became of an instruction."""
        report = InstructionReport(instruction_id=instruction.instruction_id, status=status)
        await self._client.report_instruction(report)
