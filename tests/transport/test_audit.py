"""The audit database: its versions, its writer, and what it does when it cannot write."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import transport.audit
from riskd.messages import (
    AlertAck,
    Configure,
    DayBegan,
    Instruction,
    InstructionAction,
    Kill,
    LimitSet,
    LimitsSpec,
    Tick,
    Transfer,
    Trip,
)
from tests.builders import StampedCore, a_core, a_fill, a_universe, an_account
from tests.riskd.waiting import wait_until
from transport import audit_writer
from transport.audit import Audit
from transport.audit_rows import limit_rows
from transport.audit_schema import MIGRATIONS, TABLES, AuditError, open_audit
from transport.audit_writer import ROWS_PER_INSERT, AuditWriter, Row, Value

KEPT_DAYS = 36_500  # The instants of built inputs are some years old.


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.db"


@pytest.fixture
def writer(path: Path) -> Iterator[AuditWriter]:
    found = AuditWriter(path, retention_days=KEPT_DAYS)
    yield found
    found.close()


def rows_of(path: Path, table: str, columns: str = "*") -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT {columns} FROM {table}").fetchall()


def a_day(seq: int, account: str = "A1", at_ns: int = 2**62) -> Row:
    told: dict[str, Value] = {
        "account": account,
        "roll": seq,
        "at_ns": at_ns,
        "day": "d",
        "currency": "USD",
    }
    return Row("daily_pnl", seq, {**told, "equity": 1.0, "pnl": 0.5})


def test_new_database_has_every_table_and_the_newest_version(path):
    with closing(open_audit(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        assert version == len(MIGRATIONS)
        assert {name for (name,) in found} == {*TABLES, "progress"}
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_older_database_is_brought_up_to_date_with_its_rows(path, version):
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        for script in MIGRATIONS[:version]:
            old.executescript(script)
        old.execute(f"PRAGMA user_version = {version}")
        old.execute("INSERT INTO daily_pnl VALUES ('A1', 7, 1, '2026-11-19', 'USD', 10.0, -2.5)")
    with closing(open_audit(path)) as upgraded:
        (now,) = upgraded.execute("PRAGMA user_version").fetchone()
        assert now == len(MIGRATIONS)
    assert rows_of(path, "daily_pnl", "account, roll, pnl") == [("A1", 7, -2.5)]
    with closing(open_audit(path.with_name("new.db"))):
        pass
    assert objects(path) == objects(path.with_name("new.db"))


def objects(path: Path) -> set[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return set(connection.execute("SELECT type, name, sql FROM sqlite_master"))


def test_database_of_a_newer_riskd_is_left_alone(path):
    with closing(open_audit(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(AuditError, match="newer riskd"):
        open_audit(path)


def test_step_of_a_migration_that_fails_leaves_the_file_as_it_was(path, monkeypatch):
    with closing(open_audit(path)):
        pass
    before = objects(path)
    broken = (*MIGRATIONS, "CREATE TABLE fresh (x INTEGER); CREATE TABLE progress (y INTEGER)")
    monkeypatch.setattr("transport.audit_schema.MIGRATIONS", broken)
    with pytest.raises(sqlite3.OperationalError, match="progress"):
        open_audit(path)
    assert objects(path) == before


def test_rows_are_written_once_and_how_far_is_known_to_the_next_writer(path, writer):
    for seq in (3, 4, 3):
        writer.put(a_day(seq))
    wait_until(lambda: not writer.lag)
    assert rows_of(path, "daily_pnl", "roll") == [(3,), (4,)]
    assert (writer.lag_s(), writer.failure) == (0.0, "")
    writer.close()
    with closing(AuditWriter(path, retention_days=KEPT_DAYS)) as later:
        assert later.written_seq == 4


def test_locked_database_makes_rows_wait_and_none_is_lost(path, writer):
    """E80: the loop is not held up, the failure is told with its lag, and it ends by itself."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for seq in range(1, 101):
            writer.put(a_day(seq))
        wait_until(lambda: "locked" in writer.failure)
        assert (writer.lag, writer.put_count) == (100, 100)
        assert writer.lag_s() > 0
        other.execute("ROLLBACK")
    wait_until(lambda: not writer.lag and not writer.failure)
    assert len(rows_of(path, "daily_pnl")) == 100


def test_full_disk_makes_rows_wait_until_there_is_room(path, monkeypatch):
    """E80: SQLite itself says that the disk is full: the file may not grow beyond its pages."""

    def small(at: Path) -> sqlite3.Connection:
        connection = open_audit(at)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 1}")
        return connection

    monkeypatch.setattr(audit_writer, "open_audit", small)
    with closing(AuditWriter(path, retention_days=KEPT_DAYS)) as writer:
        for seq in range(1, 501):
            writer.put(a_day(seq, account="A" * 60))
        wait_until(lambda: "full" in writer.failure)
        assert writer.lag == 500
        monkeypatch.setattr(audit_writer, "open_audit", open_audit)
        wait_until(lambda: not writer.lag)
        assert len(rows_of(path, "daily_pnl")) == 500


def test_row_that_the_database_refuses_is_dropped_and_counted_and_no_other_with_it(path, writer):
    rows = [a_day(number) for number in range(1, 3 * ROWS_PER_INSERT)]
    rows[ROWS_PER_INSERT + 3].columns["at_ns"] = None
    for row in rows:
        writer.put(row)
    wait_until(lambda: writer.lag == 0)
    assert writer.dropped_count == 1
    assert not writer.failure
    kept = [roll for (roll,) in rows_of(path, "daily_pnl", "roll")]
    assert kept == [row.seq for row in rows if row.columns["at_ns"] is not None]


def test_rows_past_the_greatest_number_are_dropped_counted_and_left_to_the_journal(
    path, writer, monkeypatch
):
    monkeypatch.setattr(audit_writer, "ROWS_MAX", 10)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for seq in range(1, 13):
            writer.put(a_day(seq))
        assert (writer.lag, writer.dropped_count) == (10, 2)
        other.execute("ROLLBACK")
    wait_until(lambda: not writer.lag)
    writer.close()
    with closing(AuditWriter(path, retention_days=KEPT_DAYS)) as later:
        assert later.written_seq == 0  # The next start looks at the journal for what was dropped.


def test_rows_older_than_they_must_be_kept_are_removed(path):
    day_ns = 86_400_000_000_000
    with closing(AuditWriter(path, retention_days=400)) as writer:
        for seq, days in ((1, 401), (2, 399)):
            writer.put(a_day(seq, at_ns=time.time_ns() - days * day_ns))
    with closing(AuditWriter(path, retention_days=400)) as writer:
        writer.put(a_day(3))
        wait_until(lambda: rows_of(path, "daily_pnl", "roll") == [(2,), (3,)])


def test_room_of_rows_that_were_removed_is_given_back(path):
    with closing(AuditWriter(path, retention_days=400)) as writer:
        for seq in range(1, 2001):
            writer.put(a_day(seq, account="A" * 200, at_ns=1))
    full_bytes = path.stat().st_size
    with closing(AuditWriter(path, retention_days=400)) as writer:
        writer.put(a_day(2001))
        wait_until(lambda: rows_of(path, "daily_pnl", "roll") == [(2001,)])
    assert path.stat().st_size < full_bytes / 3


def fed(writer: AuditWriter, core: StampedCore, *messages: object) -> None:
    """Let an audit see what messages lead to, as a replay does."""
    audit = Audit(writer, interval_s=60)
    for message in messages:
        answer = core.send(message)  # type: ignore[arg-type]
        audit.replayed(message, answer, core.core)


def test_audit_keeps_acts_alerts_breakers_and_limit_changes_once(path, writer):
    core = a_core(LimitsSpec(order_quantity=5))
    trip = Trip(scope="account", scope_id="A1", action="reduce_only", reason="news")
    universe = a_universe(LimitSet(default=LimitsSpec(order_quantity=7, open_orders=3)))
    acts = (trip, AlertAck(alert_id=1, by="ann", note="seen"), Configure(universe=universe))
    audit = Audit(writer, interval_s=60)
    audit.replayed(None, None, core.core)  # Where the replay begins.
    seen = []
    for message in acts:
        answer = core.send(message)
        seen.append((message, answer, list(core.core.published)))
        audit.replayed(message, answer, core.core)
    wait_until(lambda: not writer.lag)
    assert rows_of(path, "operator_acts", "act, by, reason, ok") == [
        ("trip", "local operator", "news", 1),
        ("alert_ack", "ann", "seen", 1),
    ]
    assert rows_of(path, "risk_alerts", "alert_id, status, by") == [
        (1, "raised", None),
        (1, "acknowledged", "ann"),
    ]
    assert rows_of(path, "circuit_breaker_events", "scope_id, action, reason, active") == [
        ("A1", "reduce_only", "news", 1)
    ]
    assert rows_of(path, "limit_changes", "scope, key, before, after") == [
        ("default", "open_orders", None, "3"),
        ("default", "order_quantity", "5", "7"),
    ]


def test_journal_replayed_over_a_database_that_has_it_writes_nothing_twice(path, writer):
    core = a_core()
    fed(writer, core, Kill(scope="firm", reason="r"), Trip(scope="symbol", scope_id="X"))
    wait_until(lambda: not writer.lag)
    writer.close()
    before = {table: rows_of(path, table) for table in TABLES}
    assert len(before["operator_acts"]) == 2
    with closing(AuditWriter(path, retention_days=KEPT_DAYS)) as later:
        assert later.written_seq == core.stamp.seq
        again = StampedCore()
        audit = Audit(later, interval_s=60)
        for message, stamp in core.inputs:
            audit.replayed(message, again.send_at(message, stamp), again.core)
        assert later.put_count == 0
    assert {table: rows_of(path, table) for table in TABLES} == before


def test_limits_that_stay_make_no_row_and_those_of_every_scope_are_named():
    core = a_core()
    before = LimitSet(default=LimitsSpec(open_orders=1), account={"A1": LimitsSpec(leverage=2.0)})
    after = LimitSet(
        default=LimitsSpec(open_orders=1),
        account_symbol={"A1": {"X": LimitsSpec(order_quantity=4)}},
    )
    found = [row.columns for row in limit_rows(before, after, 9, core.stamp)]
    told = [(row["scope"], row["key"], row["before"], row["after"]) for row in found]
    assert told == [
        ("account:A1", "leverage", "2.0", None),
        ("account:A1:X", "order_quantity", None, "4"),
    ]


def test_day_that_ended_is_kept_with_its_profit_and_without_its_transfers(path, writer):
    core = a_core()
    audit = Audit(writer, interval_s=60)
    core.send(DayBegan(calendar="UTC", day="2026-11-19"))
    core.send(a_fill(quantity=10, price=100.0))
    core.send(Transfer(account="A1", transfer_id="t-1", amount=500.0))
    core.send(Tick(symbol="X", bid=103.0, ask=103.0))
    audit.days(core.core.accounts, core.stamp)
    core.send(DayBegan(calendar="UTC", day="2026-11-20"))
    for _ in range(2):
        audit.days(core.core.accounts, core.stamp)
    wait_until(lambda: not writer.lag)
    told = rows_of(path, "daily_pnl", "account, day, pnl, equity")
    assert ("A1", "2026-11-19", 30.0, 1_000_530.0) in told
    assert sorted(str(account) for account, *_ in told) == ["A1", "A2", "SUSPENSE"]


def test_days_of_many_accounts_are_kept_some_at_a_time_and_each_once(path, writer, monkeypatch):
    monkeypatch.setattr(transport.audit, "DAYS_PER_PASS", 2)
    house = a_core(accounts=tuple(an_account(f"A{number}") for number in range(1, 4)))
    audit = Audit(writer, interval_s=60)
    for day in ("2026-11-19", "2026-11-20"):
        house.send(DayBegan(calendar="UTC", day=day))
    kept = []
    for _ in range(6):
        audit.days(house.core.accounts, house.stamp)
        kept.append(writer.put_count)
    assert kept[:2] == [2, 4]  # With the suspense account.
    assert kept[-1] == 4


def test_what_is_said_of_a_response_is_kept_whole_and_in_order(path, writer):
    core = a_core()
    audit = Audit(writer, interval_s=60)
    for action in ("cancel", "reduce"):
        said = Instruction(
            instruction_id=f"i-{action}",
            response_id="response-1",
            account="A1",
            action=InstructionAction(action),
            deadline_ns=1,
        )
        audit.take("response.A1", said, core.stamp, core.core.boards)
    wait_until(lambda: not writer.lag)
    found = rows_of(path, "risk_responses", "number, account, kind, response_id, body")
    assert [row[:4] for row in found] == [
        (1, "A1", "instruction", "response-1"),
        (2, "A1", "instruction", "response-1"),
    ]
    assert ['"action":"cancel"' in str(row[4]) for row in found] == [True, False]
