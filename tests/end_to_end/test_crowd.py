"""A crowd over real sockets: one price, hundreds of accounts; none is lost from the audit."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import zmq

from engine.bursts import PUBLISHED_MAX
from tests.end_to_end.process import RiskdProcess

pytestmark = pytest.mark.end_to_end
COUNT = PUBLISHED_MAX + 20
CONFIG = """
[[instrument]]
symbol = "X"
currency = "USD"
[default]
daily_loss = 100
"""
CROSSED = "SELECT account FROM risk_alerts WHERE alert_type = 'daily_loss' AND status = 'raised'"


def names() -> list[str]:
    return [f"A{number:04}" for number in range(COUNT)]


def configured(folder: Path) -> Path:
    tables = [f'[[account]]\nid = "{name}"\nbalance = 5000\n' for name in names()]
    path = folder / "riskd.toml"
    path.write_text("\n".join(("", *tables)) + CONFIG)
    return path


def test_crowd_is_published_up_to_a_bound_told_by_one_alert_and_kept_whole(tmp_path):
    """And an order of somebody in it is judged on the price that carried him over his line."""
    config = configured(tmp_path)
    with RiskdProcess(tmp_path, config=config) as riskd, riskd.peer("orders") as gateway:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        push, subscriber = context.socket(zmq.PUSH), context.socket(zmq.SUB)
        subscriber.setsockopt(zmq.SUBSCRIBE, b"alert.")
        subscriber.setsockopt(zmq.RCVTIMEO, 20_000)
        subscriber.connect(riskd.addresses["alerts"])
        push.connect(riskd.addresses["ticks"])
        push.send(json.dumps({"type": "tick", "symbol": "X", "bid": 100, "ask": 100}).encode())
        riskd.wait_until(lambda: riskd.control("status")["ticks"].get("applied") == 1)
        for name in names():
            fill = {"type": "fill", "account": name, "exec_id": "e", "symbol": "X", "side": "buy"}
            assert gateway.ask({**fill, "quantity": 10, "price": 100})["type"] == "ack"
        push.send(json.dumps({"type": "tick", "symbol": "X", "bid": 89, "ask": 89}).encode())
        order = {"type": "check", "account": names()[-1], "symbol": "X", "side": "buy"}
        riskd.wait_until(lambda: riskd.control("status")["ticks"]["applied"] == 2)
        refused = gateway.ask({**order, "client_order_id": "o", "quantity": 1, "price": 89})
        assert refused["rejects"][0]["code"] == "DAILY_LOSS"
        published = []
        while True:
            _, payload = subscriber.recv_multipart()
            alert = json.loads(payload)
            published.append(alert)
            if alert["alert_type"] == "alert_digest" and "daily_loss" in alert["message"]:
                break
        told = [alert for alert in published if alert["alert_type"] == "daily_loss"]
        assert len(told) == PUBLISHED_MAX
        assert f"{COUNT} alerts daily_loss" in alert["message"]
        riskd.wait_until(lambda: not riskd.control("status")["audit"]["lag"])
        database = riskd.folder / "books/audit.db"
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            kept = [account for (account,) in connection.execute(CROSSED)]
        assert sorted(kept) == names()
        push.close(0)
        subscriber.close(0)
