"""A running riskd keeps an audit of what happens, over kills, and fails closed without it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.process import RiskdProcess

pytestmark = pytest.mark.end_to_end
OFTEN = {"RISKD_AUDIT__INTERVAL_S": "0.1"}
PATIENT = OFTEN | {"RISKD_AUDIT__LAG_MAX_S": "60"}  # A busy disk is no failure.
QUICK = OFTEN | {"RISKD_AUDIT__LAG_MAX_S": "1"}
AUDIT = Path("books/audit.db")


def rows_of(riskd: RiskdProcess, sql: str) -> list[tuple[object, ...]]:
    path = riskd.folder / AUDIT
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def audit_of(riskd: RiskdProcess) -> dict[str, Any]:
    shown: dict[str, Any] = riskd.control("status")["audit"]
    return shown


def is_kept(riskd: RiskdProcess) -> bool:
    return not audit_of(riskd)["lag"]


def test_acts_alerts_and_measures_are_kept_once_over_a_kill(tmp_path):
    """A kill -9 right after the acts: what the database lacks comes from the journal, once."""
    acts = "SELECT seq, act, by, reason FROM operator_acts ORDER BY audit_id"
    with RiskdProcess(tmp_path, settings=PATIENT) as riskd:
        first = riskd.control("trip", scope="account", scope_id="A1", reason="news")
        riskd.control("alert_ack", alert_id=1, by="ann", note="seen")
        riskd.wait_until(lambda: is_kept(riskd))
        measured = "SELECT count(*) FROM risk_metrics_snapshot WHERE account = 'A1'"
        riskd.wait_until(lambda: rows_of(riskd, measured) > [(1,)])
        second = riskd.control("kill", scope="account", scope_id="A2", reason="odd")
        riskd.kill()
        riskd.start()
        riskd.wait_until(lambda: is_kept(riskd))
        assert rows_of(riskd, acts) == [
            (first["seq"], "trip", "local operator", "news"),
            (first["seq"] + 1, "alert_ack", "ann", "seen"),
            (second["seq"], "kill", "local operator", "odd"),
        ]
        alerts = "SELECT alert_id, status FROM risk_alerts WHERE alert_id < 1000 ORDER BY at_ns"
        assert rows_of(riskd, alerts) == [(1, "raised"), (1, "acknowledged"), (2, "raised")]
        opened = "SELECT scope_id FROM circuit_breaker_events ORDER BY seq"
        assert rows_of(riskd, opened) == [("A1",), ("A2",)]
        assert riskd.stop() == 0


def test_audit_that_cannot_be_written_lets_only_reducing_orders_pass_and_recovers(tmp_path):
    """E80: a named state, an alert and a refusal, not silence; and by itself back to normal."""
    order = {"type": "check", "account": "A1", "symbol": "AAPL", "side": "buy", "quantity": 1}
    order |= {"price": 100.0}
    with RiskdProcess(tmp_path, settings=QUICK) as riskd, riskd.peer("orders") as gateway:
        riskd.control("trip", scope="symbol", scope_id="MSFT", action="alert", reason="news")
        riskd.wait_until(lambda: is_kept(riskd))
        with closing(sqlite3.connect(riskd.folder / AUDIT, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            riskd.wait_until(lambda: riskd.control("status")["state"] == "audit_failed")
            riskd.wait_until(lambda: "locked" in (audit_of(riskd)["failure"] or ""))
            assert audit_of(riskd)["lag"] > 0
            refused = gateway.ask({**order, "client_order_id": "o-1"})
            assert refused["rejects"][0]["code"] == "REDUCE_ONLY"
            assert "audit" in refused["rejects"][0]["text"]
            other.execute("ROLLBACK")
        riskd.wait_until(lambda: riskd.control("status")["state"] == "active")
        assert riskd.control("breakers")[0]["scope"] == "symbol"
        assert len(riskd.control("breakers")) == 1
        riskd.wait_until(lambda: is_kept(riskd))
        told = "SELECT status FROM risk_alerts WHERE alert_type = 'audit_failed' ORDER BY at_ns"
        assert rows_of(riskd, told) == [("raised",), ("resolved",)]
        acts = "SELECT act FROM operator_acts ORDER BY audit_id"
        assert rows_of(riskd, acts) == [("trip",), ("trip",), ("reset",)]
