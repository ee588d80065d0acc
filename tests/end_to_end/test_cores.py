"""The loop on a core of its own: who runs where, and what is said where that cannot be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.end_to_end.process import RiskdProcess

CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else frozenset()
NONE_SUCH = 4095


@pytest.mark.skipif(len(CORES) < 2, reason="the loop cannot have one core of one")
def test_loop_with_a_core_runs_there_alone_and_what_it_forks_elsewhere(tmp_path: Path):
    core = max(CORES)
    with RiskdProcess(tmp_path, settings={"RISKD_LOOP__CORE": str(core)}) as riskd:
        tasks = {int(path.name) for path in Path(f"/proc/{riskd.pid}/task").iterdir()}
        assert os.sched_getaffinity(riskd.pid) == {core}
        others = tasks - {riskd.pid}
        assert len(others) >= 3  # ZeroMQ's own, the journal's and the audit's.
        assert {frozenset(os.sched_getaffinity(task)) for task in others} == {
            frozenset(CORES - {core})
        }
        riskd.control("snapshot")  # A child of the loop's thread makes it.


def test_riskd_says_which_core_its_loop_cannot_have(tmp_path: Path):
    riskd = RiskdProcess(tmp_path, settings={"RISKD_LOOP__CORE": str(NONE_SUCH)})
    try:
        riskd.spawn()
        assert riskd.wait_ended() == 2
        assert f"loop.core = {NONE_SUCH}: " in riskd.output
    finally:
        riskd.close()
