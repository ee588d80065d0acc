"""The commands of docs/operating.md, tried on a real riskd; its figures are the settings'."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import Settings
from riskd.alert_types import ALERT_TYPES
from riskd.codes import RejectCode
from riskd.contract.roles import Role
from scripts.proof.kills import CONFIG
from tests.end_to_end.process import ROOT, RiskdProcess
from tests.end_to_end.test_failing_well import SETTINGS, Gateway, quote
from tests.end_to_end.test_rebuild import BUG

PAGE = (ROOT / "docs" / "operating.md").read_text()
BLOCKS = re.findall(r"^```sh (\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

NAMED = (
    *("disk_full", "disk_read_only", "disk_slow", "journal_failed", "audit_failed", "killed"),
    *("clock_stepped", "checkpoint_failed"),
)


def commands(kind: str) -> list[list[str]]:
    return [shlex.split(line) for of, text in BLOCKS if of == kind for line in text.splitlines()]


def run(riskd: RiskdProcess, command: list[str]) -> str:
    """Run one command of the page where its `var/riskd` and addresses are those of `riskd`."""
    data_dir = str(riskd.books)
    return run_in(riskd, [data_dir if word == "var/riskd" else word for word in command])


def run_in(riskd: RiskdProcess, command: list[str]) -> str:
    """Run one command in the folder of a riskd, with its addresses."""
    assert command[0] == "riskd"
    words = command[1:]
    ports = {f"RISKD_PORTS__{k.upper()}": f'["{v}"]' for k, v in riskd.addresses.items()}
    done = subprocess.run(
        [sys.executable, "-m", "riskd", *words],
        cwd=riskd.folder,
        env={**os.environ, **ports, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture
def riskd(tmp_path: Path):
    """A riskd with an order, a fill and a breaker, and a bug that a fill of 13 lots meets."""
    (tmp_path / "bug").mkdir()
    (tmp_path / "bug" / "sitecustomize.py").write_text(BUG)
    (tmp_path / "riskd.toml").write_text(CONFIG)
    (tmp_path / "tighter.toml").write_text("[default]\norder_quantity = 0.5\n")
    settings = {**SETTINGS, "PYTHONPATH": f"{tmp_path / 'bug'}:{ROOT}"}
    with RiskdProcess(tmp_path, config=tmp_path / "riskd.toml", settings=settings) as running:
        quote(running)
        gateway = Gateway(running)
        assert gateway.check()["approved"]
        assert gateway.fill("o-1")["type"] == "ack"
        running.control("trip", scope="firm", action="reduce_only", reason="safe mode: drill")
        yield running


def test_operating_commands_for_a_running_riskd_work(riskd):
    told = [run(riskd, command) for command in commands("live")]
    assert len(told) == 16
    text = "\n".join(told)
    words = ("SET ", "PROPOSED 1", "WRITTEN", "WHOLE", "EQUAL", "APPROVED at seq")
    for expected in (*words, "APPROVED to ORDER_QUANTITY"):
        assert expected in text, text


def test_operating_commands_for_a_stopped_riskd_work_and_it_starts_again(riskd):
    riskd.control("snapshot")
    before = riskd.status()
    riskd.stop()
    for command in commands("stopped"):
        assert "TRIMMED" in run(riskd, command)
    riskd.start()
    assert riskd.status()["books_hash"] == before["books_hash"]


def test_operating_page_names_every_file_of_a_data_directory(riskd):
    riskd.control("snapshot")
    riskd.kill()
    (table,) = re.findall(r"^\| file \| what \|\n(.*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)
    named = re.findall(r"`([^`]+)`", "\n".join(line.split("|")[1] for line in table.splitlines()))
    patterns = {re.sub(r"NNNNNNNNNN|SEQ", "*", name) for name in named}
    patterns |= {f"audit.db{name}" for name in patterns if name.startswith("-")}
    found = [path for path in riskd.books.rglob("*") if path.is_file()]
    assert len(found) > 6
    for path in found:
        assert any(path.match(pattern) for pattern in patterns), path


def test_operating_commands_for_a_frozen_account_work(riskd):
    for breaker in riskd.control("breakers"):
        riskd.control("reset", breaker_id=breaker["breaker_id"], reason="drill")
    gateway = Gateway(riskd)
    order = gateway.order("o-bad", quantity=13)
    assert gateway.ask(order)["approved"]
    assert gateway.ask({**order, "type": "fill", "exec_id": "e-bad"})["type"] == "error"
    told = [run(riskd, command) for command in commands("frozen")]
    assert "REBUILT" in told[0]
    assert ": fill" in told[0]
    assert "UNFROZEN" in told[-1]


def test_operating_page_names_the_settings_as_they_are():
    settings = Settings()
    for words in (
        f"`snapshot.every_s` seconds ({settings.snapshot.every_s:.0f};",
        f"newest `snapshot.keep` ({settings.snapshot.keep})",
        f"`journal.retain_bytes` ({settings.journal.retain_bytes >> 30} GiB)",
        f"`{settings.journal.sync.value}` (default)",
        f"`journal.sync_interval_ms` ({settings.journal.sync_interval_ms})",
        f"`audit.retention_days` ({settings.audit.retention_days:.0f})",
    ):
        assert words in PAGE, words
    for state in NAMED:
        source = "".join(path.read_text() for path in (ROOT / "transport").glob("*.py"))
        assert f'"{state}"' in source
        assert f"`{state}`" in PAGE


def test_operating_page_names_refusals_and_alerts_that_there_are():
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+|OVERLOADED)`", PAGE)) - {"NOTIFY_SOCKET"}
    assert {"STALE_PRICE", "OVERLOADED"} <= named <= set(RejectCode)
    alerts = set(re.findall(r"alerts? `([a-z_]+)`", PAGE))
    assert {"session_lost", "clock_stepped"} <= alerts <= set(ALERT_TYPES)


def test_operating_commands_for_keys_make_keys_that_let_in(tmp_path):
    riskd = RiskdProcess(tmp_path, settings={"RISKD_SECURITY__KEYS": "keys"})
    made = [run_in(riskd, command) for command in commands("keys")]
    assert ["NEW" in told for told in made] == [True, True, True, False]
    assert {"gateway", "A1, A2"} <= set(re.split(r"  +", made[-1].replace("\n", "  ")))
    try:
        riskd.start()
        told = "\n".join(run_in(riskd, command) for command in commands("admitted"))
    finally:
        riskd.close()
    for expected in ("active", "REVOKED gateway gw-1", "RELOADED 2 keys"):
        assert expected.lower() in told.lower(), told


@pytest.mark.parametrize("role", list(Role))
def test_operating_page_tells_what_each_role_may(role):
    assert f"| `{role}` |" in PAGE
