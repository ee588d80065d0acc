"""A running riskd tells people outside of what happens, and says so when it cannot."""

from __future__ import annotations

import pytest

from riskd.cli.app import run
from tests.end_to_end.process import RiskdProcess
from tests.transport.servers import WebServer, serving

pytestmark = pytest.mark.end_to_end


def test_alert_reaches_a_webhook_and_a_test_says_whether_it_would(tmp_path, capsys):
    with serving(WebServer()) as web:
        settings = {
            "RISKD_NOTIFY__WEBHOOK_URL": f"http://{web.place}/hook",
            "RISKD_NOTIFY__DIGEST_S": "0.05",
            "RISKD_NOTIFY__RETRY_S": "0.05",
        }
        with RiskdProcess(tmp_path, settings=settings) as riskd:
            riskd.control("kill", scope="account", scope_id="A1", reason="feed looks wrong")
            riskd.wait_until(lambda: web.posts)
            assert "feed looks wrong" in web.posts[0]["alerts"][0]["message"]
            where = ["--control", riskd.addresses["control"]]
            assert run(["notify", "test", *where]) == 0
            assert "webhook   SENT" in capsys.readouterr().out
            web.statuses = [500] * 10_000
            assert run(["notify", "test", *where]) == 1
            assert "answered 500" in capsys.readouterr().out
            riskd.wait_until(lambda: riskd.control("metrics")["notify"]["webhook"]["failure"])
            riskd.wait_until(lambda: "notify_failed" in kinds_of(riskd))


def test_test_without_a_channel_says_what_to_configure(tmp_path, capsys):
    with RiskdProcess(tmp_path) as riskd:
        assert run(["notify", "test", "--control", riskd.addresses["control"]]) == 1
        assert "webhook_url" in capsys.readouterr().err


def kinds_of(riskd: RiskdProcess) -> list[str]:
    return [alert["alert_type"] for alert in riskd.control("alerts")]
