"""The demo as a process: whatever ends it, the riskd that it started ends with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from riskd.control import ControlClient
from riskd.messages import Status
from tests.riskd.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_demo_that_is_ended_leaves_no_riskd_behind(ending):
    demo = subprocess.Popen(
        [sys.executable, "-m", "riskd", "demo", "--for", "60"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    control = ""
    for line in demo.stdout:
        if found := re.match(r" +control +(\S+)", line):
            control = found[1]
        if re.match(r" +\d+ s  ", line):
            break
    with ControlClient(control) as client:
        riskd_id = client.request(Status()).data["pid"]
    demo.send_signal(ending)
    rest, _ = demo.communicate(timeout=30)
    assert demo.returncode == 0
    assert "ended" in rest
    wait_until(lambda: not is_alive(riskd_id))
