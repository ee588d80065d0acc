"""The commands that read the audit database: export, acts, report."""

from __future__ import annotations

import csv
import io
import json
from contextlib import closing
from pathlib import Path

import pytest

from riskd.cli.app import run
from riskd.messages import Configure, LimitsSpec, Trip
from tests.builders import a_core, a_universe
from transport.audit import Audit
from transport.audit_rows import metrics_row
from transport.audit_writer import AuditWriter

DAY = "2023-11-14"  # Of the instants of built inputs.


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a database with one trip, one change of limits and two measures of A1."""
    found = tmp_path / "audit.db"
    core = a_core(LimitsSpec(open_orders=5))
    with closing(AuditWriter(found, retention_days=36_500)) as writer:
        audit = Audit(writer, interval_s=60)
        audit.replayed(None, None, core.core)
        trip = Trip(scope="account", scope_id="A1", reason="news, odd")
        for message in (trip, Configure(universe=a_universe(LimitsSpec(open_orders=7)))):
            audit.replayed(message, core.send(message), core.core)
        for number in range(2):
            at_ns = core.stamp.recv_ns + number
            writer.put(metrics_row(core.core.accounts["A1"], core.stamp.seq, at_ns, at_ns))
    return found


def test_export_writes_every_column_as_csv_that_reads_back(path, capsys):
    assert run(["export", "operator_acts", "--database", str(path)]) == 0
    [row] = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["act"], row["reason"], row["ok"]) == ("trip", "news, odd", "1")
    assert json.loads(row["request"])["scope_id"] == "A1"


def test_export_as_ndjson_keeps_numbers_and_leaves_other_accounts_out(path, capsys):
    told = ["export", "risk_metrics_snapshot", "--format", "ndjson", "--database", str(path)]
    assert run([*told, "--account", "A1"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["equity"] for row in rows] == [1_000_000.0, 1_000_000.0]
    assert run([*told, "--account", "A2"]) == 0
    assert capsys.readouterr().out == ""


def test_acts_say_who_did_what_and_why(path, capsys):
    assert run(["acts", "--database", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "local operator" in shown
    assert "news, odd" in shown


def test_report_of_a_day_tells_measures_alerts_acts_and_limits(path, capsys):
    assert run(["report", DAY, "--json", "--database", str(path)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [row["account"] for row in shown["accounts"]] == ["A1"]
    assert [(row["alert_type"], row["alerts"]) for row in shown["alerts"]] == [
        ("breaker_stopped", 1)
    ]
    assert [(row["before"], row["after"]) for row in shown["limit_changes"]] == [("5", "7")]
    assert [row["act"] for row in shown["operator_acts"]] == ["trip"]
    assert run(["report", "2023-11-13", "--database", str(path)]) == 0
    assert "none" in capsys.readouterr().out


def test_file_that_is_no_database_is_told_with_what_to_do(tmp_path, capsys):
    nothing = tmp_path / "nothing.db"
    assert run(["acts", "--database", str(nothing)]) == 1
    told = capsys.readouterr().err
    assert str(nothing) in told
    assert "Traceback" not in told
    assert not nothing.exists()


def test_report_of_no_date_is_refused(capsys):
    assert run(["report", "yesterday"]) == 2
    assert "2026-11-20" in capsys.readouterr().err
