"""A crash on the stage with those who play in it, and what every story does in the same way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self

from riskd.messages import (
    Alert,
    Breaker,
    Check,
    OrderType,
    ResponseStage,
    ResponseUpdate,
    Side,
    TimeInForce,
    Verdict,
)
from tests.stories.cast import Role
from tests.stories.crashes import Step, steps_of
from tests.stories.gateway import StoryGateway
from tests.stories.stage import Stage

OVER = (
    ResponseStage.DONE,
    ResponseStage.ESCALATED,
    ResponseStage.ADVISED,
    ResponseStage.STOPPED,
)


class Act:
    """One account in a crash: its gateway, and the lines of its story."""

    def __init__(self, stage: Stage, account: str, role: Role) -> None:
        self.stage, self.account, self.role = stage, account, role
        self.gateway = StoryGateway(account, account, stage.riskd.addresses["orders"], stage.venue)
        self.transcript = self.gateway.transcript

    async def open(self) -> None:
        """Buy what the role holds and leave its orders at the venue; that crosses no line."""
        self.transcript.is_muted = True
        for symbol, quantity in self.role.holds.items():
            for part, size in enumerate(_parts(quantity, self.role.order_quantity), 1):
                name = f"open-{symbol}-{part}"
                verdict = await self.order(name, symbol, Side.BUY, size)
                assert verdict.approved, verdict
        for number, rest in enumerate(self.role.rests, 1):
            price = float(rest.price)
            name = f"rest-{number}"
            verdict = await self.order(name, rest.symbol, rest.side, rest.quantity, price)
            assert verdict.approved, verdict
        self.transcript.is_muted = False
        held = ", ".join(f"{quantity:,} {symbol}" for symbol, quantity in self.role.holds.items())
        worth = f"{self.role.balance:,} {self.role.currency}"
        self.transcript.say("*", f"{self.account}, of {worth}, has bought {held}")
        for number, rest in enumerate(self.role.rests, 1):
            told = f"{rest.side} {rest.quantity:,} {rest.symbol} at {rest.price}"
            self.transcript.say("*", f"rest-{number} works: {told}")
        early = self.stage.left(self.account)
        assert early == [], early

    async def order(
        self,
        name: str,
        symbol: str,
        side: Side,
        quantity: int,
        price: float | None = None,
        *,
        stop_loss: float | None = None,
    ) -> Verdict:
        """Ask for an order, at the market without a price, and send it if it may go."""
        check = Check(
            account=self.account,
            client_order_id=name,
            symbol=symbol,
            side=side,
            quantity=quantity,
            order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
            price=price,
            time_in_force=TimeInForce.DAY if price is None else TimeInForce.GTC,
            stop_loss=stop_loss,
        )
        return await self.gateway.trade(check)

    async def alert(self) -> Alert:
        """Return the next alert about the account, as it was published."""
        told = await self.stage.next_of(Alert, self.account)
        self.transcript.say("alert", self.transcript.alert(told))
        return told

    async def update(self) -> ResponseUpdate:
        """Return what is published next of a response of the account."""
        told = await self.stage.next_of(ResponseUpdate, self.account)
        self.transcript.say("response", self.transcript.update(told))
        return told

    async def breaker(self) -> Breaker:
        """Return what becomes next of a breaker of the account."""
        told = await self.stage.next_of(Breaker, self.account)
        self.transcript.say("breaker", self.transcript.breaker(told))
        return told

    async def plan(self, until: ResponseStage | None = None) -> list[ResponseUpdate]:
        """Carry out all that a response asks for, until it is over or comes to a stage.

        Returns what was told of it.
        """
        told: list[ResponseUpdate] = []
        while not told or told[-1].stage not in (*OVER, until):
            told.append(await self.update())
            asked = len(told[-1].exits) if told[-1].stage is ResponseStage.EXITING else 0
            if told[-1].stage is ResponseStage.CANCELING:
                asked = len(self.stage.venue.working(self.account))
            for _ in range(asked):
                await self.gateway.carry_out(await self.gateway.told())
        return told

    async def recovered(self) -> Alert:
        """Wait until the measure has recovered, and its alert has ended."""
        self.transcript.say("*", "the measure stays recovered for its dwell")
        told = await self.alert()
        while told.status != "resolved":
            told = await self.alert()
        return told

    def held(self) -> dict[str, Decimal]:
        """Return what riskd says is held, whole, and show it."""
        rows = self.stage.ask("positions", account=self.account)
        held = {
            row["symbol"]: Decimal(str(row["quantity"])).normalize()
            for row in rows
            if row["quantity"]
        }
        text = ", ".join(f"{quantity:,f} {symbol}" for symbol, quantity in held.items())
        self.transcript.say("control", f"positions: {text or 'none'}")
        return held

    def exits(self) -> dict[str, Decimal]:
        """Return what was traded by exits, by the venue's own books."""
        return self.stage.venue.traded(self.account)

    def show_margin(self) -> None:
        """Show the margin as riskd tells it."""
        (shown,) = self.stage.ask("margin", account=self.account)
        level = shown["level_pct"]
        told = "nothing is used" if level is None else f"level {level:.10g} %"
        self.transcript.say("control", f"margin: {shown['state']}, {told}")

    def show_alerts(self) -> None:
        """Show the alerts of the account that are open."""
        rows = self.stage.ask("alerts", account=self.account, status="open")
        told = ", ".join(f"{row['alert_type']} {row['severity']}" for row in rows)
        self.transcript.say("control", f"alerts: {told or 'none open'}")

    async def require_ended(self) -> None:
        """Fail unless everything that riskd said was part of the story."""
        await self.stage.pass_time()
        assert self.stage.left(self.account) == []
        assert self.gateway.waiting() == 0
        assert self.stage.venue.wrong == []


class Scene:
    """The feed of one crash, with its acts."""

    def __init__(self, data: Path, crash: str, acts: list[Act]) -> None:
        self.acts = acts
        self._steps = steps_of(data, crash)
        self._at = 0
        self._sessions = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for act in self.acts:
            await self._sessions.enter_async_context(act.gateway)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._sessions.aclose()

    async def open(self) -> None:
        """Tell the first prices, and let every act take its positions."""
        await self._feed(self._steps[:1])
        for act in self.acts:
            await act.open()

    async def cross(self) -> None:
        """Tell the market up to the step that carries the acts over their line."""
        role = self.acts[0].role
        if not role.sampled:
            await self.feed_to(role.crosses)
            return
        for step in self._steps_to(role.crosses):
            await self.acts[0].stage.pass_time()  # A sample is due, of what was told before.
            await self._feed([step])

    async def feed_to(self, when: str) -> None:
        """Tell the market up to this step."""
        await self._feed([*self._steps_to(when)])

    def _steps_to(self, when: str) -> Iterator[Step]:
        for step in self._steps[self._at :]:
            yield step
            if step.when == when:
                return
        raise AssertionError(f"no step {when!r} is left")

    async def _feed(self, steps: Sequence[Step]) -> None:
        self._at += len(steps)
        marks = [mark for step in steps for mark in step.marks]
        last = {mark.symbol: mark.price for mark in marks}
        prices = ", ".join(f"{symbol} {price:f}" for symbol, price in last.items())
        for act in self.acts:
            act.transcript.say("feed", f"{steps[-1].when}: {prices}")
        for news in await self.acts[0].stage.feed(marks):
            (act,) = (act for act in self.acts if act.account == news.account)
            await act.gateway.carry(news)


def _parts(quantity: int, most: int) -> Iterator[int]:
    while quantity > 0:
        yield min(quantity, most)
        quantity -= most
