"""A gateway in another language: Node, a plain REQ and JSON, against a real riskd."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from tests.end_to_end.process import RiskdProcess

pytestmark = pytest.mark.end_to_end

FOLDER = Path(__file__).with_name("node")
SAMPLE = Path(__file__).with_name("sample")
INSTALL_S_MAX = 120.0
RUN_S_MAX = 60.0
# The package brings its own compiled module: no script of it need run, nothing else is fetched.
INSTALL = ("install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock")
ORDER = {
    "type": "check",
    "account": "A1",
    "client_order_id": "node-1",
    "symbol": "AAPL",
    "side": "buy",
    "quantity": 5,
    "price": 187.51,
}
FILL = {
    "type": "fill",
    "account": "A1",
    "exec_id": "x-1",
    "client_order_id": "node-1",
    "symbol": "AAPL",
    "side": "buy",
    "quantity": 5,
    "price": 187.5,
}
REPORT = {
    "type": "order_report",
    "account": "A1",
    "client_order_id": "node-1",
    "status": "accepted",
    "report_id": "rep-1",
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gateway's script beside an installed `zeromq`; skips where that cannot be had."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not here, so no gateway in another language can be run.")
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "gateway.js"):
        shutil.copy(FOLDER / name, folder)
    try:
        installed = _run([npm, *INSTALL], folder, s_max=INSTALL_S_MAX)
    except subprocess.TimeoutExpired:
        pytest.skip("npm install did not end in time: is its registry reachable?")
    if installed.returncode:
        pytest.skip(f"npm cannot install zeromq here: {installed.stderr.strip()[-300:]}")
    loaded = _run([node, "-e", "require('zeromq')"], folder, s_max=RUN_S_MAX)
    if loaded.returncode:
        pytest.skip(f"zeromq has no compiled module for this machine: {loaded.stderr[-300:]}")
    return folder / "gateway.js"


@pytest.fixture
def riskd(tmp_path: Path) -> Iterator[RiskdProcess]:
    """riskd on the sample of protocol.md, with a price of AAPL."""
    with RiskdProcess(tmp_path, config=SAMPLE / "riskd.toml") as process:
        with process.peer("ticks", zmq.PUSH) as feed:
            feed.tell({"type": "tick", "symbol": "AAPL", "bid": 187.49, "ask": 187.51})
            process.wait_until(lambda: process.control("instruments")[0]["ask"])
        yield process
        process.require_running()


def exchange(gateway: Path, riskd: RiskdProcess, requests: list[tuple[str, Any]]) -> list[Any]:
    """Send each request, a tree or a text, from Node to its port; return the answers."""
    node = shutil.which("node")
    assert node is not None
    command = [node, gateway.name, riskd.addresses["orders"], riskd.addresses["control"]]
    ended = _run(command, gateway.parent, s_max=RUN_S_MAX, spoken=json.dumps(requests))
    assert ended.returncode == 0, ended.stderr
    answers: list[Any] = json.loads(ended.stdout)
    return answers


def test_node_gateway_gets_every_kind_of_answer(gateway, riskd):
    approved, repeated, rejected, reported, filled, pong, result = exchange(
        gateway,
        riskd,
        [
            ("orders", ORDER),
            ("orders", ORDER),
            ("orders", {**ORDER, "client_order_id": "node-2", "quantity": 6}),
            ("orders", REPORT),
            ("orders", FILL),
            ("orders", {"type": "ping", "request_id": "p-1"}),
            ("control", {"type": "positions", "account": "A1"}),
        ],
    )
    assert (approved["type"], approved["approved"], approved["rejects"]) == ("verdict", True, [])
    assert repeated == {**approved, "duplicate": True}
    assert (rejected["type"], rejected["approved"]) == ("verdict", False)
    # Six at 187.51 are 1125.06, and order_notional of the sample is 1000.
    assert [(x["code"], x["value"]) for x in rejected["rejects"]] == [("ORDER_NOTIONAL", 1125.06)]
    assert (reported["type"], reported["ref"], reported["flags"]) == ("ack", "rep-1", [])
    assert (filled["type"], filled["ref"], filled["flags"]) == ("ack", "x-1", [])
    assert (pong["type"], pong["request_id"], pong["state"]) == ("pong", "p-1", "active")
    ((position,), ok) = (result["data"], result["ok"])
    assert ok
    assert (position["symbol"], position["quantity"], position["average_price"]) == (
        "AAPL",
        5,
        187.5,
    )


def test_node_gateway_gets_typed_errors_and_goes_on(gateway, riskd):
    *errors, pong = exchange(
        gateway,
        riskd,
        [
            ("orders", "{"),
            ("orders", '{"type":"no_such"}'),
            ("orders", {**ORDER, "quantity": "five", "request_id": "r-1"}),
            ("orders", {**ORDER, "no_such_field": 1}),
            ("orders", "{" + " " * 70_000),
            ("control", {"type": "account", "account": "NOBODY"}),
            ("orders", {"type": "ping"}),
        ],
    )
    assert [x["type"] for x in errors] == ["error"] * len(errors)
    codes = ["malformed", "unknown_type", "malformed", "malformed", "too_large", "not_found"]
    assert [x["code"] for x in errors] == codes
    assert (errors[2]["field"], errors[2]["request_id"]) == ("$.quantity", "r-1")
    assert pong["type"] == "pong"


def _run(
    command: list[str], folder: Path, *, s_max: float, spoken: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        input=spoken,
        capture_output=True,
        text=True,
        timeout=s_max,
        check=False,
    )
