"""Alerts of a running riskd: listed, acknowledged, explained, over a restart, its own too."""

from __future__ import annotations

import pytest
import zmq

from riskd.cli.app import run
from tests.end_to_end.process import RiskdProcess

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def riskd(tmp_path_factory):
    with RiskdProcess(tmp_path_factory.mktemp("alerts")) as process:
        yield process


def test_alert_is_listed_acknowledged_and_explained_over_a_restart(riskd, capsys):
    riskd.control("trip", scope="account", scope_id="A1", reason="odd prints")
    where = ["--control", riskd.addresses["control"]]
    assert run(["alerts", "--status", "open", "--account", "A1", *where]) == 0
    assert "odd prints" in capsys.readouterr().out
    assert run(["ack", "1", "--by", "ann", "--note", "the desk is told", *where]) == 0
    assert "ACKNOWLEDGED alert 1" in capsys.readouterr().out
    assert run(["ack", "1", *where]) == 0
    assert "acknowledged already" in capsys.readouterr().out
    assert run(["alerts", "--status", "open", "--account", "A1", *where]) == 0
    assert capsys.readouterr().out == "none\n"
    riskd.kill()
    riskd.start()
    assert run(["explain", "1", *where]) == 0
    shown = capsys.readouterr().out
    for part in ("breaker_stopped", "odd prints", "acknowledged", "by ann", '"the desk is told"'):
        assert part in shown
    assert "When the breaker closes." in shown


def test_alert_that_nobody_remembers_is_told_with_where_to_look(riskd, capsys):
    where = ["--control", riskd.addresses["control"]]
    assert run(["explain", "999", *where]) == 1
    assert "riskd export risk_alerts" in capsys.readouterr().err
    assert run(["ack", "999", *where]) == 1
    assert "no alert 999" in capsys.readouterr().err


def test_alert_of_riskd_itself_is_listed_and_acknowledged_without_the_journal(riskd):
    with riskd.peer("ticks", zmq.PUSH) as feed:
        feed.send(b"no message")
        riskd.wait_until(lambda: own_of(riskd))
    [alert] = own_of(riskd)
    assert alert["alert_type"] == "tick_malformed"
    before = riskd.status()["seq"]
    answer = riskd.control("alert_ack", alert_id=alert["alert_id"], by="ann", note="known")
    assert answer["status"] == "acknowledged"
    assert riskd.status()["seq"] == before
    assert own_of(riskd)[0]["by"] == "ann"


def own_of(riskd: RiskdProcess) -> list[dict[str, object]]:
    return [alert for alert in riskd.control("alerts") if alert["alert_id"] > 10**12]
