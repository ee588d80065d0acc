"""The state machine refuses engines that are wrong: each of these mutants was seen to be caught.

- an order exactly at its quantity limit is refused
- an order exactly at its notional limit is refused
- one order too many may work
- gross exposure exactly at its limit is refused
- net exposure looks at the other side
- a symbol at the floor of concentration is judged
- concentration is a share of gross exposure alone
- turnover exactly at its limit is refused
- a loss exactly at its limit passes
- leverage without equity is none
- margin that is all of the equity is refused
- a cash account may sell one lot that it has not
- a group exactly at its limit is refused
- a change counts as one more order of its group
- a self-match is one tick further away
- a soft limit loosens the hard one behind it
- working sells are left out of the worst case
- an exit reduces whatever other exits work
- a change is judged by its new leaves alone
- a change reserves its new leaves alone
- a dearer change is taken for one that adds no risk
- a change to a worse price is taken for one that adds no risk
- a change that was answered before answers the next one
- a stop that the market is past is valued at itself
- a change that was taken leaves older ones in flight
- a cancel releases twice
- an order that a group refused stays reserved
- orders for the day outlive it
- the day's turnover is carried into the next day
- a deposit is profit
- a bust leaves the realised profit
- a fill of another side uses up its order
- a window of a rate holds one more
- a window of a rate is a nanosecond longer
- max_quantity is one lot short
- the larger side of an account is told to its group as the long one
- a reservation is suspect an instant too late
- a touch a nanosecond too old is fresh
- the last in closes first
- the swift way forgets what works on the order's side
- the swift way certifies what other exits will close
- the swift way meets its own orders

A mutant is a copy of this tree in which one text of the engine is replaced by another; the state
machine of `test_state_machine.py` runs on it in a process of its own, with its own fixed examples.
The tests run a few; `RISKD_MUTANTS=all scripts/test tests/engine/test_mutants.py` runs all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("engine", "riskd", "tests/engine", "tests/builders.py", "tests/conftest.py")
HUNT_S_MAX = 300.0
FAILED = 1  # How pytest ends when a test has failed, and not for another cause.
FEW = (
    "gross exposure exactly at its limit is refused",
    "an order that a group refused stays reserved",
    "a bust leaves the realised profit",
)
ALL = os.environ.get("RISKD_MUTANTS") == "all"


@pytest.mark.parametrize(
    "mutant",
    [mutant for mutant in MUTANTS if ALL or mutant.name in FEW],
    ids=lambda mutant: mutant.name,
)
def test_mutant_of_the_engine_is_caught_by_the_state_machine(mutant: Mutant, tmp_path: Path):
    copy_tree(tmp_path)
    source = tmp_path / "engine" / mutant.path
    source.write_text(source.read_text().replace(mutant.old, mutant.new))
    ended = hunt(tmp_path)
    assert ended.returncode == FAILED, ended.stdout[-2000:]
    assert "AssertionError" in ended.stdout or "assert " in ended.stdout


def test_mutants_are_each_of_one_place_and_in_the_words_above():
    """Where one is lost, the engine says the same in other words now: take those."""
    for mutant in MUTANTS:
        text = (ROOT / "engine" / mutant.path).read_text()
        assert text.count(mutant.old) == 1, mutant
        assert mutant.old != mutant.new
    told = [line[2:] for line in (__doc__ or "").splitlines() if line.startswith("- ")]
    assert told == [mutant.name for mutant in MUTANTS]


def copy_tree(folder: Path) -> None:
    """Copy what the state machine needs."""
    for name in COPIED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    shutil.copy(ROOT / "pyproject.toml", folder)


def hunt(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the state machine of a copy on the engine of that copy."""
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "tests/engine/test_state_machine.py", "-k", "TestGate"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=HUNT_S_MAX,
        check=False,
    )
