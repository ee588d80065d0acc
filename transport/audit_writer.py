"""The thread that writes the audit database: many rows a commit, retried until they are in it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from transport.audit_schema import TABLES, AuditError, open_audit

ROWS_MAX = 200_000  # Waiting at once; one more is dropped and counted.
ROWS_PER_COMMIT = 2_000
# SQLite works without the interpreter's lock, but it is taken and left with every statement: with
# one for each row, the loop waited for it over and over while a crowd of alerts was written.
ROWS_PER_INSERT = 50
GATHER_S = 0.02  # Rows of a burst become one commit.
RETRY_S, RETRY_S_MAX = 0.25, 5.0
TIDY_S = 3600.0  # How often what is too old is removed.
ROWS_PER_TIDY = 5_000  # Removed at once: the file is never held for long.
PAGES_PER_TIDY = 20_000  # Given back to the file system at once, 80 MB.
CLOSE_S_MAX = 10.0
DAY_NS = 86_400_000_000_000

Value = str | int | float | None


class Row(NamedTuple):
    """One row of one table, by column; `seq` is of the input that it is about."""

    table: str
    seq: int
    columns: dict[str, Value]


class AuditWriter:
    """Takes rows from the loop and never makes it wait.

    A row that is in the database already is not written again. While the database cannot be
    written `failure` says why, rows wait, and the same ones are tried until they are in it.
    """

    def __init__(self, path: Path, *, retention_days: float) -> None:
        """Open the database. Raises AuditError or sqlite3.Error."""
        self.path = path
        self.put_count = self.written_count = self.dropped_count = 0
        self.failure = ""
        self.written_seq = 0  # Everything up to this input was in the database at the start.
        self._retention_ns = round(retention_days * DAY_NS)
        self._rows: deque[tuple[float, Row]] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._connection: sqlite3.Connection | None = open_audit(path)
        (self.written_seq,) = self._connection.execute("SELECT seq FROM progress").fetchone()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def put(self, row: Row) -> None:
        """Give one row; called on the loop's thread alone."""
        if self.lag >= ROWS_MAX:
            self.dropped_count += 1
            return
        self.put_count += 1
        self._rows.append((time.monotonic(), row))
        if not self._wake.is_set():
            self._wake.set()

    @property
    def lag(self) -> int:
        """Return how many rows are not in the database yet."""
        return self.put_count - self.written_count

    def lag_s(self) -> float:
        """Return how long the oldest of them has waited, in seconds."""
        try:
            since_s, _ = self._rows[0]
        except IndexError:
            return 0.0
        return time.monotonic() - since_s

    def close(self) -> None:
        """Write what waits, unless the database cannot be written, and end the thread."""
        self._closing = True
        self._wake.set()
        self._thread.join(CLOSE_S_MAX)

    def _run(self) -> None:
        tidied_s, retry_s = time.monotonic() - TIDY_S, RETRY_S
        while True:
            self._wake.wait(TIDY_S)
            if not self._closing:
                time.sleep(GATHER_S)
            self._wake.clear()
            try:
                self._write_all()
                if not self._closing and time.monotonic() - tidied_s >= TIDY_S:
                    self._tidy()
                    tidied_s = time.monotonic()
            except (sqlite3.Error, AuditError) as error:
                self._fail(error)
                if self._closing:
                    break
                time.sleep(retry_s)
                retry_s = min(2 * retry_s, RETRY_S_MAX)
                self._wake.set()
                continue
            retry_s = RETRY_S
            self.failure = ""
            if self._closing and not self._rows:
                break
        if self._connection is not None:
            self._connection.close()

    def _fail(self, error: Exception) -> None:
        """Say what is wrong, and begin anew with the file: it may have been replaced."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self.failure = f"{self.path}: {error}"

    def _write_all(self) -> None:
        connection = self._connected()
        while self._rows:
            batch = [self._rows[at][1] for at in range(min(len(self._rows), ROWS_PER_COMMIT))]
            connection.execute("BEGIN IMMEDIATE")
            for rows in _alike(batch):
                for at in range(0, len(rows), ROWS_PER_INSERT):
                    self._insert(connection, rows[at : at + ROWS_PER_INSERT])
            if (
                not self.dropped_count
            ):  # What was dropped is found in the journal by the next start.
                seq = max(row.seq for row in batch)
                connection.execute("UPDATE progress SET seq = max(seq, ?)", (seq,))
            connection.execute("COMMIT")
            for _ in batch:
                self._rows.popleft()
            self.written_count += len(batch)

    def _insert(self, connection: sqlite3.Connection, rows: list[Row]) -> None:
        """Insert rows of one table and of the same columns."""
        columns = rows[0].columns
        marks = ", ".join([f"({', '.join('?' * len(columns))})"] * len(rows))
        sql = f"INSERT INTO {rows[0].table} ({', '.join(columns)}) VALUES {marks}"
        values = [value for row in rows for value in row.columns.values()]
        try:
            connection.execute(f"{sql} ON CONFLICT DO NOTHING", values)
        except sqlite3.IntegrityError:  # A bug of ours; no other row waits for it.
            if len(rows) == 1:
                self.dropped_count += 1
                return
            for row in rows:
                self._insert(connection, [row])

    def _tidy(self) -> None:
        """Remove what is older than it must be kept."""
        connection = self._connected()
        before_ns = time.time_ns() - self._retention_ns
        for table in TABLES:
            key = "rowid" if table == "operator_acts" else _KEYS[table]
            sql = (
                f"DELETE FROM {table} WHERE ({key}) IN "
                f"(SELECT {key} FROM {table} WHERE at_ns < ? LIMIT {ROWS_PER_TIDY})"
            )
            while connection.execute(sql, (before_ns,)).rowcount == ROWS_PER_TIDY:
                self._write_all()
        # As a script: `execute` would end the pragma after its first page.
        connection.executescript(f"PRAGMA incremental_vacuum({PAGES_PER_TIDY})")

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = open_audit(self.path)
        return self._connection


def _alike(rows: list[Row]) -> Iterable[list[Row]]:
    """Return rows by table and columns, those of each in their order."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        found.setdefault((row.table, *row.columns), []).append(row)
    return found.values()


_KEYS = {
    "risk_metrics_snapshot": "at_ns, account",
    "risk_alerts": "alert_id, first_ns, seq, status, severity",
    "risk_responses": "seq, number",
    "circuit_breaker_events": "seq, breaker_id, active",
    "daily_pnl": "account, roll",
    "limit_changes": "seq, number",
}
