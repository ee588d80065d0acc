"""The row any-extreme met by faults, and by a SIGKILL of riskd in the middle of its stop.

The table is the shipped one without its rows for margin, so that a stop-out, on the recorded low of
the yen, is an extreme event that has no row of its own: its account is halted, what it has working
is cancelled, and what it holds stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from riskd.messages import ResponseStage, ResponseUpdate, Side
from tests.end_to_end.books import replayed_hash
from tests.stories import expected
from tests.stories.cast import ROLES, Times
from tests.stories.scene import Scene
from tests.stories.stage import Stage
from tests.stories.test_faults import audited, without_number
from tests.stories.trial import LOSSES, Trial

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.recorded, pytest.mark.end_to_end]

ROLE = ROLES["margin-stopout"]
HASTY = Times(instruction_ms=800, heartbeat_ms=1000)
PATIENT = Times(heartbeat_ms=1500)  # No instruction is late, however long riskd is away.
RETURNS, REPLACED, LOST, KILLED = "gateway-returns", "gateway-replaced", "lost-cancel", "killed"


class Result(NamedTuple):
    """What a stop came to, by riskd's word, by the venue's, and by the audit."""

    updates: list[ResponseUpdate]
    audited: list[ResponseUpdate]
    breakers: list[dict[str, Any]]
    exits: dict[str, Decimal]
    held: dict[str, Decimal]
    working: list[str]
    codes: list[list[str]]  # Of an order that increases, and of one that reduces.


def without_margin(folder: Path) -> Path:
    """Write the shipped policy table without its rows for margin."""
    head, *rows = (ROOT / "config" / "responses.toml").read_text().split("[[response]]")
    kept = [row for row in rows if 'event = "margin"' not in row]
    assert len(kept) == len(rows) - 2
    path = folder / "policies.toml"
    path.write_text("[[response]]".join((head, *kept)))
    return path


async def lost_cancel(trial: Trial) -> None:
    """The cancel gets lost on its way, and is told again when it is late."""
    trial.gateway.lose_first(LOSSES[LOST])
    trial.serve(trial.gateway)


async def gateway_returns(trial: Trial) -> None:
    """The gateway dies with the cancel, which the venue has taken, and comes back empty."""
    told = await trial.gateway.told()
    assert told.client_order_id is not None
    trial.venue.cancel(trial.act.account, told.client_order_id)
    trial.gateway.leave()
    again = trial.another(trial.gateway.name)
    await trial.enter(again)
    trial.serve(again)


async def gateway_replaced(trial: Trial) -> None:
    """It dies before it has begun; another that stands by is given the cancel."""
    await trial.gateway.told()
    trial.gateway.leave()
    assert trial.standby is not None
    trial.serve(trial.standby)


FAULTS: dict[str, Callable[[Trial], Awaitable[None]]] = {
    LOST: lost_cancel,
    RETURNS: gateway_returns,
    REPLACED: gateway_replaced,
}


async def _cross(stage: Stage, data: Path, trials: dict[str, Trial]) -> None:
    for name, trial in trials.items():
        if name == REPLACED:  # Of two that name the account the newer is told.
            trial.standby = trial.another(f"{name}_standby")
            await trial.enter(trial.standby)
        await trial.enter(trial.gateway)
    scene = Scene(data, ROLE.crash, [trial.act for trial in trials.values()])
    await scene.open()
    await scene.cross()


async def _result(stage: Stage, trial: Trial, kept: list[ResponseUpdate]) -> Result:
    account = trial.act.account
    gateway = trial.standby or trial.act.gateway
    codes = []
    for name, side in (("more", Side.BUY), ("less", Side.SELL)):
        asked = {"account": account, "symbol": "USDJPY", "side": side, "quantity": 1000}
        asked |= {"type": "check", "client_order_id": name, "price": 104.72, "dry_run": True}
        with stage.riskd.peer("orders") as peer:
            codes.append([reject["code"] for reject in peer.ask(asked)["rejects"]])
    return Result(
        updates=[x for x in stage.heard if isinstance(x, ResponseUpdate) and x.account == account],
        audited=kept,
        breakers=[row for row in stage.ask("breakers") if row["scope_id"] == account],
        exits=trial.act.exits(),
        held=trial.act.held(),
        working=gateway.venue.working(account),
        codes=codes,
    )


async def _ended(stage: Stage) -> None:
    over = ("done", "escalated", "stopped")
    await stage.until(lambda: all(row["stage"] in over for row in stage.ask("responses")))
    await stage.until(lambda: not stage.ask("status")["audit"]["lag"])


async def _results(stage: Stage, folder: Path, trials: dict[str, Trial]) -> dict[str, Result]:
    kept: dict[str, list[ResponseUpdate]] = {}
    for account, update in audited(folder):
        kept.setdefault(account, []).append(update)
    return {
        name: await _result(stage, trial, kept[trial.act.account]) for name, trial in trials.items()
    }


async def _play_faults(folder: Path, data: Path) -> dict[str, Result]:
    folder.mkdir()
    roles = dict.fromkeys(FAULTS, ROLE)
    async with Stage(folder, roles, HASTY, policies=without_margin(folder)) as stage:
        trials = {name: Trial(stage, name, ROLE) for name in FAULTS}
        await _cross(stage, data, {name: trials[name] for name in FAULTS})
        await asyncio.gather(*(FAULTS[name](trial) for name, trial in trials.items()))
        await _ended(stage)
        found = await _results(stage, folder, trials)
        for trial in trials.values():
            await trial.leave()
        assert stage.venue.wrong == []
        return found


async def _play_kill(folder: Path, data: Path) -> tuple[dict[str, Result], bool]:
    """Return also whether the journal replays to the hash of the riskd that lives."""
    folder.mkdir()
    async with Stage(folder, {KILLED: ROLE}, PATIENT, policies=without_margin(folder)) as stage:
        trial = Trial(stage, KILLED, ROLE)
        await _cross(stage, data, {KILLED: trial})
        told = await trial.gateway.told()  # And not begun.
        await stage.kill_and_restart()
        await trial.gateway.welcomed()
        await trial.gateway.carry_out(told)
        trial.serve(trial.gateway)
        await _ended(stage)
        found = await _results(stage, folder, {KILLED: trial})
        await trial.leave()
        status = stage.riskd.status()
        stage.riskd.kill()
        replayed = replayed_hash(stage.riskd.books, status["seq"])
        return found, replayed == status["state_hash"]


@pytest.fixture(scope="module")
def results(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """Every stop, ended; the one that a kill met replays to the byte."""

    async def play() -> dict[str, Result]:
        folder, data = tmp_path_factory.mktemp("extreme"), shared / "data"
        faults, (killed, is_equal) = await asyncio.gather(
            _play_faults(folder / "faults", data), _play_kill(folder / "kill", data)
        )
        assert is_equal
        found: dict[str, Result] = faults | killed
        return found

    return asyncio.run(play())


@pytest.mark.parametrize("fault", [*FAULTS, KILLED])
def test_stop_that_a_fault_met_halts_once_cancels_all_and_closes_nothing(results, fault):
    result = results[fault]
    kept = without_number(result.audited)
    assert {(update.policy, update.response_id) for update in kept} == {
        ("any-extreme", kept[0].response_id)
    }
    assert kept[0].stage is ResponseStage.CANCELING
    assert kept[-1].stage is ResponseStage.DONE
    assert all(update in kept for update in without_number(result.updates))
    (breaker,) = result.breakers
    assert (breaker["scope"], breaker["action"], breaker["trigger_type"]) == (
        "account",
        "halt",
        "measure",
    )
    assert result.exits == {}
    assert result.held == expected.left(ROLE, {})
    assert result.working == []
    assert result.codes == [["BREAKER_OPEN"], []]
