"""E72: files that are read again while riskd runs are put in force whole, or refused and told."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.process import RiskdProcess
from tests.end_to_end.test_limits import check

pytestmark = pytest.mark.end_to_end

FILES = {
    "riskd.toml": 'include = ["world.toml"]\n',
    "world.toml": """
[[instrument]]
symbol = "X"
currency = "USD"
[[account]]
id = "A1"
balance = 1000000
[default]
order_quantity = 10
order_notional = 1000000
""",
}


def write(folder: Path, **replaced: str) -> None:
    """Write the files, each word of the second as it is replaced."""
    for name, text in FILES.items():
        for old, new in replaced.items():
            text = text.replace(old, new)
        (folder / name).write_text(text)


def refusal(riskd: RiskdProcess) -> str:
    with riskd.peer("control") as operator:
        answer = operator.ask({"type": "reload"})
    assert answer["code"] == "refused", answer
    return str(answer["text"])


def refusals(riskd: RiskdProcess) -> list[Any]:
    found = riskd.control("alerts")
    wanted = [x for x in found if x["alert_type"] == "configuration_refused"]
    return [(x["count"], x["status"] == "resolved") for x in wanted]


def test_e72_files_read_again_tighten_whole_or_change_nothing_and_say_why(tmp_path):
    write(tmp_path)
    with RiskdProcess(tmp_path, config=tmp_path / "riskd.toml") as riskd:
        before = check(riskd, "o-1", 10)
        write(tmp_path, order_quantity="order_quantiy", A1="A2")
        text = refusal(riskd)
        assert "world.toml:9" in text
        assert "order_quantity" in text
        assert len(riskd.control("accounts")) == 2  # A1 and SUSPENSE.
        write(tmp_path, USD="EUR")
        assert "would revalue books" in refusal(riskd)
        write(tmp_path, **{"= 10\n": "= 11\n"})
        assert "default order_quantity from 10 to 11" in refusal(riskd)
        assert check(riskd, "o-2", 10)["limits_version"] == before["limits_version"]
        assert refusals(riskd) == [(3, False)]
        write(tmp_path, **{"= 10\n": "= 7\n"})
        done = riskd.control("reload")
        after = check(riskd, "o-3", 8)
        assert [each["code"] for each in after["rejects"]] == ["ORDER_QUANTITY"]
        assert after["limits_version"] == done["limits_version"] == before["limits_version"] + 1
        assert refusals(riskd) == [(3, True)]


def test_settings_that_only_a_start_reads_are_named_and_a_signal_reloads_too(tmp_path):
    write(tmp_path)
    with RiskdProcess(tmp_path, config=tmp_path / "riskd.toml") as riskd:
        config = tmp_path / "riskd.toml"
        config.write_text(config.read_text() + '[journal]\nsync = "always"\n')
        assert riskd.control("reload")["needs_restart"] == ["journal.sync"]
        assert check(riskd, "o-1", 1)["durability"] == 1  # As it is written until then.
        write(tmp_path, **{"= 10\n": "= 2\n", "A1": "A2"})
        riskd.send_signal(signal.SIGHUP)
        riskd.wait_until(lambda: len(riskd.control("accounts")) == 3)
        assert not check(riskd, "o-2", 3)["approved"]
