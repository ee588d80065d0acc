"""A story of each shipped policy row: a recorded crash, real sockets, a venue, a gateway that acts.

Each is compared with its golden transcript, which `pytest --rewrite` writes anew, and its numbers
with others that are made here from the recorded prices alone. All play at once around one riskd
whose gateways are never late; each has an account and symbols of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from riskd.messages import ResponseStage, Severity, Side, Verdict
from tests.stories import expected
from tests.stories.cast import ROLES, Times
from tests.stories.scene import Act, Scene
from tests.stories.stage import Stage
from tests.stories.transcript import require_golden
from tests.stories.venue import Mood

pytestmark = [pytest.mark.recorded, pytest.mark.end_to_end]

GOLDEN = Path(__file__).parent / "golden"
CALM, PAUSING = Times(), Times(instruction_ms=1000)
PAUSES = {"any-extreme"}  # They pause before another attempt, for as long as PAUSING says.
Story = Callable[["Play"], Awaitable[None]]


class Play:
    """One story on its way: its acts, each with a transcript, and the crash they play in."""

    def __init__(self, stage: Stage, data: Path, *names: str) -> None:
        self.acts = [Act(stage, name, ROLES[name]) for name in names]
        self.first = self.acts[0]
        role = self.first.role
        self.scene = Scene(data, role.crash, self.acts)
        self.opening = expected.prices(data, role.crash)
        self.crossing = expected.prices(data, role.crash, role.crosses)


async def margin_critical(play: Play) -> None:
    """Half of the exposure goes, the largest loss first; another account only wants advice."""
    act, advised = play.acts
    await play.scene.cross()
    assert (await act.alert()).severity is Severity.CRITICAL
    await act.plan()
    sold = expected.reduced(act.role, play.opening, play.crossing, part=Decimal("0.5"))
    assert act.exits() == sold
    await act.recovered()
    act.show_margin()
    assert act.held() == expected.left(act.role, sold)

    assert (await advised.alert()).severity is Severity.CRITICAL
    (told,) = await advised.plan()
    assert {x.symbol: Decimal(str(-x.quantity)) for x in told.exits} == sold
    assert advised.exits() == {}
    advised.show_margin()
    assert advised.held() == expected.left(act.role, {})


async def margin_stopout(play: Play) -> None:
    """Everything is closed, in orders as large as the account may send."""
    act = play.first
    await play.scene.cross()
    assert (await act.alert()).severity is Severity.MEDIUM  # USDJPY alone: 135 %.
    assert (await act.alert()).severity is Severity.EXTREME
    told = await act.plan()
    assert [x.quantity for x in told[1].exits] == [60_000, 40_000, 50_000]
    assert act.exits() == expected.left(act.role, {}, sign=-1)
    await act.recovered()
    act.show_margin()
    assert act.held() == {}


async def drawdown_high(play: Play) -> None:
    """One trade may risk 1 % of equity instead of 2 until the fall is made good."""
    act = play.first
    await play.scene.cross()
    assert (await act.alert()).severity is Severity.HIGH
    await act.plan()
    equity = expected.equity(act.role, play.opening, play.crossing)
    risks = {10_000: Decimal(1180), 8_000: Decimal(944)}  # Each of 0.118 to its stop.
    for quantity, risk in risks.items():
        verdict = await _risky(act, quantity)
        assert verdict.approved == (risk / equity <= Decimal("0.01"))
    await play.scene.feed_to("2016-10-07 02:00 close")
    await act.recovered()
    assert (await _risky(act, 10_000, suffix="-again")).approved
    act.held()


async def _risky(act: Act, quantity: int, suffix: str = "") -> Verdict:
    name = f"risky-{quantity}{suffix}"
    return await act.order(name, "GBPUSD", Side.BUY, quantity, 1.1474, stop_loss=1.0294)


async def daily_loss_high(play: Play) -> None:
    """Four fifths of the limit warn, nine tenths close: the ladder, on the way down by minutes."""
    act = play.first
    await play.scene.feed_to("2022-01-21 21:49 low")
    assert (await act.alert()).severity is Severity.MEDIUM
    assert act.exits() == {}
    await play.scene.cross()
    told = await act.alert()
    assert told.severity is Severity.HIGH
    assert told.value == expected.loss(act.role, play.opening, play.crossing)
    await act.plan()
    assert act.exits() == expected.left(act.role, {}, sign=-1)
    assert act.held() == {}
    await play.scene.feed_to("2022-01-21 21:59 close")
    act.show_alerts()


async def concentration_medium(play: Play) -> None:
    """The name that held its price while others fell is brought to a fifth."""
    act = play.first
    await play.scene.cross()
    assert (await act.alert()).severity is Severity.MEDIUM
    await act.plan()
    sold = expected.shared(act.role, play.opening, play.crossing, part=Decimal("0.2"))
    assert list(sold) == ["WMT"]
    assert act.exits() == sold
    assert act.held() == expected.left(act.role, sold)
    act.show_alerts()


async def correlation_medium(play: Play) -> None:
    """Names that begin to move together are one risk, and are halved."""
    act = play.first
    await play.scene.cross()
    told = await act.alert()
    assert told.severity is Severity.MEDIUM
    assert "CVX + GS," in told.message
    await act.plan()
    sold = expected.halved(act.role, "CVX", "GS")
    assert act.exits() == sold
    await act.recovered()
    assert act.held() == expected.left(act.role, sold)


async def any_extreme(play: Play) -> None:
    """Trading is halted, as it was that morning: no exit is taken, and the account is stopped."""
    act = play.first
    act.stage.venue.script(act.account, [Mood.REJECT, Mood.HOLD, Mood.REJECT, Mood.REJECT])
    await play.scene.cross()
    assert (await act.alert()).severity is Severity.MEDIUM
    await act.plan(until=ResponseStage.WAITING)
    assert (await act.order("later", "XOM", Side.BUY, 5, 40.0)).approved  # The stop cancels it.
    told = await act.plan()
    assert told[-1].stage is ResponseStage.ESCALATED
    assert told[-1].attempt == 3
    assert (await act.alert()).severity is Severity.EXTREME
    assert (await act.breaker()).active
    assert (await act.alert()).alert_type == "breaker_stopped"
    (*_, last) = await act.plan()
    assert (last.policy, last.stage) == ("any-extreme", ResponseStage.DONE)
    assert not (await act.order("more", "WMT", Side.BUY, 1, 120.0)).approved
    assert (await act.order("less", "WMT", Side.SELL, 10)).approved
    sold = {"WMT": Decimal(-10)}
    assert act.held() == expected.left(act.role, sold)


STORIES: dict[str, tuple[Story, tuple[str, ...]]] = {
    "margin-critical": (margin_critical, ("margin-critical", "advice")),
    "margin-stopout": (margin_stopout, ("margin-stopout",)),
    "drawdown-high": (drawdown_high, ("drawdown-high",)),
    "daily-loss-high": (daily_loss_high, ("daily-loss-high",)),
    "concentration-medium": (concentration_medium, ("concentration-medium",)),
    "correlation-medium": (correlation_medium, ("correlation-medium",)),
    "any-extreme": (any_extreme, ("any-extreme",)),
}


async def _play(stage: Stage, data: Path, name: str) -> Play:
    story, names = STORIES[name]
    play = Play(stage, data, *names)
    async with play.scene:
        await play.scene.open()
        await story(play)
        for act in play.acts:
            await act.require_ended()
    return play


@pytest.fixture(scope="module")
def plays(
    shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Play | BaseException]:
    """Every story, played to its end or to what went wrong in it."""

    folder, data = tmp_path_factory.mktemp("stories"), shared / "data"

    async def play(times: Times, names: Sequence[str]) -> list[tuple[str, Play | BaseException]]:
        roles = {role: ROLES[role] for name in names for role in STORIES[name][1]}
        async with Stage(folder / names[0], roles, times) as stage:
            plays = (_play(stage, data, name) for name in names)
            ends = await asyncio.gather(*plays, return_exceptions=True)
            return list(zip(names, ends, strict=True))

    async def play_all() -> dict[str, Play | BaseException]:
        calm = [name for name in STORIES if name not in PAUSES]
        stages = await asyncio.gather(play(CALM, calm), play(PAUSING, sorted(PAUSES)))
        return {name: end for stage in stages for name, end in stage}

    return asyncio.run(play_all())


@pytest.mark.parametrize("name", STORIES)
def test_story_of_a_policy_row_is_the_golden_one(plays, name, request):
    play = plays[name]
    if isinstance(play, BaseException):
        raise play
    for act in play.acts:
        path = GOLDEN / f"{act.account}.txt"
        require_golden(path, act.transcript.text(), rewrite=request.config.getoption("--rewrite"))
