"""riskd is killed (SIGKILL) in mid-plan and started again: every plan goes on, none begins anew.

Accounts of every policy row are brought to different points of their plans; then one kill takes all
of them. Gateways and venue live on, and each goes on with what it was about to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from riskd.messages import Instruction, InstructionAction, ResponseUpdate, Side
from tests.end_to_end.books import replayed_hash
from tests.engine.gateway import exit_of
from tests.stories.cast import ROLES, Times
from tests.stories.scene import Act, Scene
from tests.stories.stage import Stage
from tests.stories.test_faults import ROWS, audited, exits_wanted, without_number
from tests.stories.trial import Quantities, Trial

pytestmark = [pytest.mark.recorded, pytest.mark.end_to_end]

TIMES = Times(heartbeat_ms=1500)  # No instruction is late, however long riskd is away.
SHRUNK = "drawdown-high"
ONE_EXIT = ("daily-loss-high", "concentration-medium")
Point = Callable[[Trial], Awaitable[Instruction]]


async def cancel_told(trial: Trial) -> Instruction:
    """A cancel was heard and is not carried out."""
    told = await trial.gateway.told()
    assert told.action is InstructionAction.CANCEL
    return told


async def exit_told(trial: Trial) -> Instruction:
    """The first exit was heard and is not begun."""
    return await trial.first_exit()


async def exit_approved(trial: Trial) -> Instruction:
    """The first exit passed the gate and has not left for the venue."""
    told = await trial.first_exit()
    assert (await trial.gateway.ask(exit_of(told))).approved
    return told


async def exit_filled(trial: Trial) -> Instruction:
    """The first exit is filled at the venue, and riskd was not told."""
    told = await exit_approved(trial)
    trial.venue.send(exit_of(told))
    return told


async def second_told(trial: Trial) -> Instruction:
    """The first exit is done, the second was heard and is not begun."""
    await trial.gateway.carry_out(await trial.first_exit())
    return await trial.gateway.told()


POINTS: dict[str, Point] = {
    "cancel-told": cancel_told,
    "exit-told": exit_told,
    "exit-approved": exit_approved,
    "exit-filled": exit_filled,
    "second-told": second_told,
}
CASES = [
    (row, point)
    for row in ROWS
    for point in POINTS
    if (point != "cancel-told" or ROLES[row].rests)
    and (point != "second-told" or row not in ONE_EXIT)
]


class Result(NamedTuple):
    """What a plan came to that a kill met."""

    before: str  # The response that ran when riskd was killed.
    responses: list[dict[str, Any]]  # As the control port tells them at the end.
    heard: list[ResponseUpdate]
    audited: list[ResponseUpdate]
    exits: Quantities
    wanted: Quantities
    held: Quantities
    left: Quantities


class Outcome(NamedTuple):
    """What all of it came to."""

    results: dict[str, Result]
    wrong: list[str]
    shrunk: tuple[bool, bool]  # Whether 10,000 and 8,000 GBPUSD passed after the kill.
    live_hash: str
    replayed_hash: str


def account_of(row: str, point: str) -> str:
    return f"{row}_{point}"


class Show:
    """All trials around one riskd that is killed once."""

    def __init__(self, stage: Stage, data: Path) -> None:
        self.stage, self.data = stage, data
        self.trials = {
            (row, point): Trial(stage, account_of(row, point), ROLES[row]) for row, point in CASES
        }
        self.shrunk = Trial(stage, SHRUNK, ROLES[SHRUNK])
        self._told: dict[tuple[str, str], Instruction] = {}
        self._ran: dict[str, str] = {}

    async def to_the_kill(self) -> None:
        """Bring every plan to its point, and kill riskd there."""
        everybody = [*self.trials.values(), self.shrunk]
        for trial in everybody:
            await trial.enter(trial.gateway)
        rows = {row: [t.act for (name, _), t in self.trials.items() if name == row] for row in ROWS}
        rows[SHRUNK] = [self.shrunk.act]
        await asyncio.gather(*(self._cross(row, acts) for row, acts in rows.items()))
        told = await asyncio.gather(*(POINTS[key[1]](trial) for key, trial in self.trials.items()))
        self._told = dict(zip(self.trials, told, strict=True))
        for trial in self.trials.values():
            (ran,) = self._responses(trial)
            self._ran[trial.act.account] = ran["response_id"]
        await self.stage.kill_and_restart()

    async def _cross(self, row: str, acts: list[Act]) -> None:
        scene = Scene(self.data, ROLES[row].crash, acts)
        await scene.open()
        await scene.cross()

    async def to_the_end(self) -> None:
        """Let every gateway go on with what it was about, until no plan runs."""

        async def go_on(trial: Trial, told: Instruction) -> None:
            await trial.gateway.welcomed()  # Earlier its orders may be refused: E70.
            await trial.gateway.carry_out(told)
            trial.serve(trial.gateway)

        await self.shrunk.gateway.welcomed()
        await asyncio.gather(*(go_on(self.trials[key], told) for key, told in self._told.items()))
        await self.stage.until(lambda: not self._running())
        await self.stage.until(lambda: not self.stage.ask("status")["audit"]["lag"])

    async def leave(self) -> None:
        """End every session."""
        for trial in [*self.trials.values(), self.shrunk]:
            await trial.leave()

    def results(self, kept: dict[str, list[ResponseUpdate]]) -> dict[str, Result]:
        """Return what every plan came to."""
        found = {}
        for (row, _), trial in self.trials.items():
            account = trial.act.account
            found[account] = Result(
                before=self._ran[account],
                responses=self._responses(trial),
                heard=[
                    told
                    for told in self.stage.heard
                    if isinstance(told, ResponseUpdate) and told.account == account
                ],
                audited=kept.get(account, []),
                exits=trial.act.exits(),
                wanted=exits_wanted(self.data, row, ROLES[row]),
                held=trial.act.held(),
                left=self.stage.venue.holdings(account),
            )
        return found

    async def risky_orders(self) -> tuple[bool, bool]:
        """Return whether orders pass that risk more, and less, than 1 % of equity."""
        passed = []
        for quantity in (10_000, 8_000):
            verdict = await self.shrunk.act.order(
                f"risky-{quantity}", "GBPUSD", Side.BUY, quantity, 1.1474, stop_loss=1.0294
            )
            passed.append(verdict.approved)
        return passed[0], passed[1]

    def _responses(self, trial: Trial) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.stage.ask("responses", account=trial.act.account)
        return found

    def _running(self) -> list[str]:
        over = ("done", "escalated", "stopped")
        return [row["account"] for row in self.stage.ask("responses") if row["stage"] not in over]


@pytest.fixture(scope="module")
def outcome(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Everything played to its end, over the kill."""

    async def play() -> Outcome:
        folder = tmp_path_factory.mktemp("kills")
        roles = {account_of(row, point): ROLES[row] for row, point in CASES}
        async with Stage(folder, roles | {SHRUNK: ROLES[SHRUNK]}, TIMES) as stage:
            show = Show(stage, shared / "data")
            await show.to_the_kill()
            await show.to_the_end()
            kept: dict[str, list[ResponseUpdate]] = {}
            for account, update in audited(folder):
                kept.setdefault(account, []).append(update)
            results, shrunk = show.results(kept), await show.risky_orders()
            await show.leave()
            status = stage.riskd.status()
            stage.riskd.kill()
            replayed = replayed_hash(stage.riskd.books, status["seq"])
            return Outcome(results, stage.venue.wrong, shrunk, status["state_hash"], replayed)

    return asyncio.run(play())


@pytest.mark.parametrize(("row", "point"), CASES)
def test_plan_that_a_kill_met_goes_on_where_it_was(outcome, row, point):
    """E66: the same response, the same attempt, and the exits of a plan that nothing met."""
    result = outcome.results[account_of(row, point)]
    assert outcome.wrong == []
    assert result.exits == result.wanted
    assert result.held == result.left
    (told,) = result.responses
    assert (told["response_id"], told["stage"], told["attempt"]) == (result.before, "done", 1)
    kept = without_number(result.audited)
    assert [update.stage for update in kept] == ["canceling", "exiting", "done"]
    assert all(update in kept for update in without_number(result.heard))


def test_risk_that_was_shrunk_stays_so_over_a_kill(outcome):
    """8,000 GBPUSD risk 944 of some 95,000, 10,000 risk 1,180."""
    assert outcome.shrunk == (False, True)


def test_journal_of_all_plans_replays_to_the_state_of_the_live_riskd(outcome):
    assert outcome.replayed_hash == outcome.live_hash
