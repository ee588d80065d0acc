"""`riskd config`, `ping`, `info` and `version`: what one looks at before anything is traded."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import riskd
from riskd.cli.app import run
from tests.end_to_end.process import RiskdProcess

LIMITS = """[default]
order_notional = 1000
order_quantiy = 5
"""
SETTINGS = """env = "uat"
include = ["limits.toml"]
[sweep]
every_s = 7
"""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("RISKD_"):
            monkeypatch.delenv(name)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "riskd.toml").write_text(SETTINGS)
    (tmp_path / "limits.toml").write_text(LIMITS.replace("quantiy", "quantity"))
    return tmp_path / "riskd.toml"


def test_config_check_counts_what_a_start_would_run_on(config: Path, capsys):
    assert run(["config", "check", str(config)]) == 0
    assert capsys.readouterr().out.startswith(f"ok   {config} · env uat · ")
    assert run(["config", "check", str(config), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["file"], shown["limits"], shown["warnings"]) == (str(config), 2, [])
    assert run(["config", "check"]) == 0
    assert "shipped defaults" in capsys.readouterr().out


def test_config_check_names_file_line_key_and_what_was_meant(config: Path, capsys):
    limits = config.parent / "limits.toml"
    limits.write_text(LIMITS)
    assert run(["config", "check", str(config)]) == 2
    told = capsys.readouterr().err
    assert all(x in told for x in (f"{limits}:3", "order_quantiy", "order_quantity"))
    assert "Traceback" not in told


def test_config_check_warns_of_a_set_without_default_limits(config: Path, capsys):
    (config.parent / "limits.toml").write_text("[firm]\norder_quantity = 5\n")
    assert run(["config", "check", str(config)]) == 0
    shown = capsys.readouterr()
    assert "No [default] limits" in shown.err
    assert "warning" not in shown.out


def test_config_show_tells_each_setting_with_where_it_comes_from(
    config: Path, capsys, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RISKD_PUBLISH__PUBLISH_MS", "50")
    assert run(["config", "show", str(config), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = {row["key"]: (row["value"], row["source"]) for row in rows}
    assert found["sweep.every_s"] == (7, f"{config}:4")
    assert found["publish.publish_ms"] == (50, "RISKD_PUBLISH__PUBLISH_MS")
    assert found["prices.mark"] == ("mid", "default")
    assert not any(key.startswith(("default", "account")) for key in found)


def test_riskd_that_runs_is_told_with_its_addresses(
    tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
):
    with RiskdProcess(tmp_path) as running:
        orders, control = (running.addresses[port] for port in ("orders", "control"))
        assert run(["ping", "--orders", orders, "--json"]) == 0
        pong = json.loads(capsys.readouterr().out)
        assert (pong["state"], pong["took_ns"] > 0) == ("active", True)
        monkeypatch.setenv("RISKD_PORTS__CONTROL", json.dumps([control]))
        assert run(["info", "--orders", orders, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["version"] == riskd.__version__
    assert found["addresses"]["orders"] == {"address": orders, "source": "--orders"}
    named = {"address": control, "source": "RISKD_PORTS__CONTROL"}
    assert found["addresses"]["control"] == named
    assert found["addresses"]["ticks"]["source"] == "default"
    assert list(found["environment"]) == ["RISKD_PORTS__CONTROL"]
    assert found["running"]["ports"]["orders"] == [orders]
    assert Path(found["running"]["data_dir"]).is_dir()


def test_riskd_that_does_not_run_is_exit_code_4_of_a_ping_alone(capsys):
    nobody = ["--orders", "tcp://127.0.0.1:1", "--control", "tcp://127.0.0.1:1"]
    nobody += ["--timeout-ms", "50"]
    assert run(["ping", *nobody]) == 4
    assert "next" in capsys.readouterr().err
    assert run(["info", *nobody]) == 0
    assert "not running" in capsys.readouterr().out
    assert run(["version"]) == 0
    assert capsys.readouterr().out == f"riskd {riskd.__version__}\n"
