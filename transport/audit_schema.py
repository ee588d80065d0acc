"""The audit database: its tables, and how a file of an older riskd becomes one of this.

SQLite keeps how far a file has come in `PRAGMA user_version`; each step of MIGRATIONS takes it one
further, whole or not at all.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

BUSY_MS = 250  # A reader or a backup may hold the file so long before it counts as a failure.

_TABLES = """
CREATE TABLE progress (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL);
INSERT INTO progress VALUES (1, 0);
CREATE TABLE risk_metrics_snapshot (
    at_ns INTEGER NOT NULL, account TEXT NOT NULL, seq INTEGER NOT NULL, currency TEXT NOT NULL,
    equity REAL, realized REAL, unrealized REAL, fees REAL, day REAL, gross REAL, margin_used REAL,
    margin_level_pct REAL, drawdown_day_pct REAL, drawdown_max_pct REAL, open_orders INTEGER,
    frozen TEXT NOT NULL,
    PRIMARY KEY (at_ns, account)) WITHOUT ROWID;
CREATE TABLE risk_alerts (
    alert_id INTEGER NOT NULL, first_ns INTEGER NOT NULL, seq INTEGER NOT NULL,
    status TEXT NOT NULL, severity TEXT NOT NULL, at_ns INTEGER NOT NULL, alert_type TEXT NOT NULL,
    account TEXT, symbol TEXT, message TEXT NOT NULL, value REAL, threshold REAL,
    count INTEGER NOT NULL, by TEXT, note TEXT,
    PRIMARY KEY (alert_id, first_ns, seq, status, severity)) WITHOUT ROWID;
CREATE TABLE risk_responses (
    seq INTEGER NOT NULL, number INTEGER NOT NULL, at_ns INTEGER NOT NULL, account TEXT NOT NULL,
    kind TEXT NOT NULL, response_id TEXT, body TEXT NOT NULL,
    PRIMARY KEY (seq, number)) WITHOUT ROWID;
CREATE TABLE circuit_breaker_events (
    seq INTEGER NOT NULL, breaker_id INTEGER NOT NULL, active INTEGER NOT NULL,
    at_ns INTEGER NOT NULL, scope TEXT NOT NULL, scope_id TEXT NOT NULL, trigger_type TEXT NOT NULL,
    action TEXT NOT NULL, value REAL, threshold REAL, reason TEXT NOT NULL, by TEXT NOT NULL,
    until_ns INTEGER,
    PRIMARY KEY (seq, breaker_id, active)) WITHOUT ROWID;
CREATE TABLE daily_pnl (
    account TEXT NOT NULL, roll INTEGER NOT NULL, at_ns INTEGER NOT NULL, day TEXT NOT NULL,
    currency TEXT NOT NULL, equity REAL, pnl REAL,
    PRIMARY KEY (account, roll)) WITHOUT ROWID;
CREATE TABLE operator_acts (
    audit_id INTEGER PRIMARY KEY, seq INTEGER UNIQUE, at_ns INTEGER NOT NULL, by TEXT NOT NULL,
    act TEXT NOT NULL, reason TEXT NOT NULL, ok INTEGER NOT NULL, request TEXT NOT NULL,
    result TEXT NOT NULL);
CREATE TABLE limit_changes (
    seq INTEGER NOT NULL, number INTEGER NOT NULL, at_ns INTEGER NOT NULL,
    limits_version INTEGER NOT NULL, scope TEXT NOT NULL, key TEXT NOT NULL, before TEXT,
    after TEXT,
    PRIMARY KEY (seq, number)) WITHOUT ROWID;
"""
_BY_TIME = """
CREATE INDEX alerts_by_time ON risk_alerts (at_ns);
CREATE INDEX alerts_by_account ON risk_alerts (account, at_ns);
CREATE INDEX breakers_by_time ON circuit_breaker_events (at_ns);
CREATE INDEX responses_by_time ON risk_responses (at_ns);
CREATE INDEX acts_by_time ON operator_acts (at_ns);
CREATE INDEX daily_pnl_by_time ON daily_pnl (at_ns);
CREATE INDEX limit_changes_by_time ON limit_changes (at_ns);
"""
MIGRATIONS = (_TABLES, _BY_TIME)
TABLES = (
    "risk_metrics_snapshot",
    "risk_alerts",
    "risk_responses",
    "circuit_breaker_events",
    "daily_pnl",
    "operator_acts",
    "limit_changes",
)


class AuditError(Exception):
    """The audit database cannot be used; the text says why and what can be done."""


def open_audit(path: Path) -> sqlite3.Connection:
    """Return a connection for writing to the database at `path`, made or brought up to date.

    Raises sqlite3.Error, or AuditError when a newer riskd wrote it.
    """
    connection = sqlite3.connect(
        path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # Of a new file alone.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    path.chmod(0o600)
    return connection


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Take every step that the file has not taken yet, each whole or not at all."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise AuditError(
            f"{path} is of version {version}, written by a newer riskd; this one knows "
            f"{len(MIGRATIONS)}: start that one, or name another file in [audit] path"
        )
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in script.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
