"""The README's words, commands and programs, tried on a real riskd."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import zmq

from riskd.cli.example import GATEWAY
from riskd.codes import CODES, RejectCode
from tests.end_to_end.process import ROOT, RiskdProcess

README = (ROOT / "README.md").read_text()
COMMANDS = sorted(set(re.findall(r"^riskd ([a-z]+(?: [a-z]+)?)(?= |$)", README, re.MULTILINE)))


def feed_aapl(riskd: RiskdProcess) -> None:
    """Give AAPL a quote, and return when riskd has it."""
    with riskd.peer("ticks", zmq.PUSH) as market:
        market.tell({"type": "tick", "symbol": "AAPL", "bid": 187.4, "ask": 187.5})
        riskd.wait_until(lambda: riskd.control("status")["ticks"].get("applied"))


def test_readme_gateway_is_the_example_and_gets_an_approval(tmp_path: Path):
    assert GATEWAY in README
    with RiskdProcess(tmp_path) as riskd:
        feed_aapl(riskd)
        program = GATEWAY.replace("tcp://127.0.0.1:5701", riskd.addresses["orders"])
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert re.fullmatch(r"ACCEPT \d+\n", done.stdout), done.stderr
        held = riskd.control("positions", account="A1")
        assert [(line["symbol"], line["quantity"]) for line in held] == [("AAPL", 5.0)]


def test_readme_json_request_gets_the_verdict_it_shows(tmp_path: Path):
    request, answer = (json.loads(text.replace(", ...", "")) for text in _json_blocks())
    with RiskdProcess(tmp_path) as riskd:
        feed_aapl(riskd)
        with riskd.peer("orders") as gateway:
            verdict = gateway.ask(request)
    shown = answer["rejects"][0]
    assert {key: verdict["rejects"][0][key] for key in shown} == shown
    assert verdict["approved"] is answer["approved"] is False
    assert verdict["max_quantity"] == answer["max_quantity"]
    assert shown["fix_code"] == CODES[RejectCode(shown["code"])].fix_code


@pytest.mark.parametrize("command", COMMANDS)
def test_readme_command_exists(command: str):
    words = [word for word in command.split() if word.islower()]
    done = subprocess.run(
        [sys.executable, "-m", "riskd", *words[: 2 if words[0] == "order" else 1], "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert "Usage" in done.stdout


def test_readme_names_commands_to_try():
    assert {"serve", "status", "order check", "kill account"} & set(COMMANDS)


def _json_blocks() -> list[str]:
    return re.findall(r"```json\n(.*?)```", README, re.DOTALL)
