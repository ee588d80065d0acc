"""Each policy row that sends exits, met by each fault: never a doubled exit, never too much.

One riskd, and an account for each row and fault; all play at once. The venue's books are the judge:
whatever went wrong, what its exits traded in the end is what they trade when nothing does.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from riskd.messages import ResponseStage, ResponseUpdate
from tests.stories import expected
from tests.stories.cast import ROLES, Role, Times
from tests.stories.scene import Scene
from tests.stories.stage import Stage
from tests.stories.trial import FAULTS, LOSSES, Trial

pytestmark = [pytest.mark.recorded, pytest.mark.end_to_end]

PAUSES = {"partial-fill", "reject", "late-fill", "lost-exit"}  # A plan looks again after these.
HASTY = Times(instruction_ms=800, heartbeat_ms=1000)
ROWS = (
    "margin-critical",
    "margin-stopout",
    "daily-loss-high",
    "concentration-medium",
    "correlation-medium",
)
CASES = [
    (row, fault) for row in ROWS for fault in FAULTS if fault != "lost-cancel" or ROLES[row].rests
]


def account_of(row: str, fault: str) -> str:
    return f"{row}_{fault}"


class Result(NamedTuple):
    """What a trial came to, by riskd's word, by the venue's, and by the audit."""

    error: BaseException | None
    updates: list[ResponseUpdate]
    audited: list[ResponseUpdate]
    exits: dict[str, Decimal]
    expected: dict[str, Decimal]
    held: dict[str, Decimal]  # By riskd.
    left: dict[str, Decimal]  # By the venue.
    wrong: list[str]


def exits_wanted(data: Path, row: str, role: Role) -> dict[str, Decimal]:
    """Return what the exits of a row trade when nothing goes wrong."""
    opening = expected.prices(data, role.crash)
    crossing = expected.prices(data, role.crash, role.crosses)
    if row == "margin-critical":
        return expected.reduced(role, opening, crossing, part=Decimal("0.5"))
    if row == "concentration-medium":
        return expected.shared(role, opening, crossing, part=Decimal("0.2"))
    if row == "correlation-medium":
        return expected.halved(role, "CVX", "GS")
    return expected.left(role, {}, sign=-1)


async def _try_row(stage: Stage, data: Path, row: str) -> dict[str, Result]:
    faults = [fault for name, fault in CASES if name == row]
    trials = {fault: Trial(stage, account_of(row, fault), ROLES[row]) for fault in faults}
    for fault, trial in trials.items():
        if fault == "gateway-replaced":  # Of two that name the account the newer is told.
            trial.standby = trial.another(f"{trial.act.account}_standby")
            await trial.enter(trial.standby)
        if fault in LOSSES:
            trial.gateway.lose_first(LOSSES[fault])
        await trial.enter(trial.gateway)
    scene = Scene(data, ROLES[row].crash, [trial.act for trial in trials.values()])
    await scene.open()
    await scene.cross()
    ends = await asyncio.gather(
        *(FAULTS[fault](trial) for fault, trial in trials.items()), return_exceptions=True
    )
    for trial in trials.values():
        await trial.leave()
    wanted = exits_wanted(data, row, ROLES[row])
    return {
        trial.act.account: Result(
            error=end,
            updates=trial.updates,
            audited=[],
            exits=trial.act.exits(),
            expected=wanted,
            held=trial.act.held(),
            left=stage.venue.holdings(trial.act.account),
            wrong=stage.venue.wrong,
        )
        for trial, end in zip(trials.values(), ends, strict=True)
    }


def audited(folder: Path) -> Iterator[tuple[str, ResponseUpdate]]:
    """Yield what the audit keeps of responses, with the account."""
    path = folder / "books" / "audit.db"
    told = "SELECT account, body FROM risk_responses WHERE kind = 'response_update'"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        for account, body in connection.execute(f"{told} ORDER BY seq, number"):
            yield account, msgspec.json.decode(body, type=ResponseUpdate)


@pytest.fixture(scope="module")
def results(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """Every trial, ended."""

    async def try_all() -> dict[str, Result]:
        roles = {account_of(row, fault): ROLES[row] for row, fault in CASES}
        folder, data = tmp_path_factory.mktemp("faults"), shared / "data"
        async with Stage(folder, roles, HASTY) as stage:
            rows = await asyncio.gather(*(_try_row(stage, data, row) for row in ROWS))
            found = {account: result for row in rows for account, result in row.items()}
            await stage.until(lambda: not stage.ask("status")["audit"]["lag"])
            for account, update in audited(folder):
                found[account].audited.append(update)
            return found

    return asyncio.run(try_all())


@pytest.mark.parametrize(("row", "fault"), CASES)
def test_fault_in_mid_plan_neither_doubles_nor_loses_an_exit(results, row, fault):
    result = results[account_of(row, fault)]
    if result.error is not None:
        raise result.error
    assert result.wrong == []
    assert result.exits == result.expected
    assert result.held == result.left
    assert {update.response_id for update in result.updates} == {result.updates[0].response_id}
    attempts = [update.attempt for update in result.updates]
    assert attempts == sorted(attempts)
    stages = [update.stage for update in result.updates]
    assert stages[0] is ResponseStage.CANCELING
    assert stages[-1] is ResponseStage.DONE
    assert ResponseStage.WAITING in stages or fault not in PAUSES
    assert without_number(result.audited) == without_number(result.updates)


def without_number(updates: list[ResponseUpdate]) -> list[ResponseUpdate]:
    """Return updates without their number on the alerts port, which the audit has not."""
    return [msgspec.structs.replace(update, pub_seq=0) for update in updates]
