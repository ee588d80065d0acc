"""Starts of a real riskd on what it may find: each goes on, or is refused, and says why."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from scripts.proof.damage import places
from tests.end_to_end.process import START_S_MAX, RiskdProcess
from tests.end_to_end.test_failing_well import FAILED, Gateway, configured, quote

pytestmark = pytest.mark.end_to_end

MISCONFIGURED = 2


class Books(NamedTuple):
    """What a riskd left that was killed: two snapshots, and orders before and after each."""

    folder: Path
    books_hash: str
    last_seq: int


@pytest.fixture(scope="module")
def books(tmp_path_factory) -> Books:
    folder = tmp_path_factory.mktemp("left")
    with configured(folder) as riskd:
        quote(riskd)
        gateway = Gateway(riskd)

        def is_synced() -> bool:
            journal = riskd.control("status")["journal"]
            return bool(journal["synced_seq"] == journal["last_seq"])

        for _ in range(2):
            assert gateway.check()["approved"]
            riskd.control("snapshot")
        assert gateway.check()["approved"]
        riskd.wait_until(is_synced)
        assert gateway.check()["approved"]  # Its record says what was on disk before.
        status = riskd.status()
        riskd.kill()
    return Books(folder, status["books_hash"], status["seq"])


def tear(journal: Path) -> None:
    """Leave the last record without its last bytes."""
    path, offset, byte_count = places(journal)[-1]
    blob = path.read_bytes()
    end = offset + byte_count
    path.write_bytes(blob[: end - 3] + bytes(3) + blob[end:])


def spoil(path: Path, offset: int) -> None:
    blob = bytearray(path.read_bytes())
    blob[offset] ^= 1
    path.write_bytes(blob)


def spoil_record(journal: Path) -> None:
    """Change a record that the one after it says was on the disk."""
    path, offset, byte_count = places(journal)[-2]
    spoil(path, offset + byte_count - 1)


def spoil_snapshot(journal: Path) -> None:
    newest = max(journal.glob("*.snapshot"))
    spoil(newest, newest.stat().st_size // 2)


class Row(NamedTuple):
    """How the directory is damaged, which records are lost by it, and what a start says."""

    damage: Callable[[Path], None]
    lost: int
    words: tuple[str, ...]


GO_ON = {
    "torn tail": Row(tear, 1, ("torn tail cut",)),
    "snapshot": Row(spoil_snapshot, 0, ("is damaged", "an older one is tried")),
}


@pytest.mark.parametrize("name", GO_ON)
def test_start_on_what_can_be_made_good_says_so_and_goes_on(books, tmp_path, name):
    row = GO_ON[name]
    shutil.copytree(books.folder, tmp_path / "copy")
    row.damage(tmp_path / "copy" / "books" / "journal")
    with configured(tmp_path / "copy") as riskd:
        for words in row.words:
            assert words in riskd.output, riskd.output
        assert (riskd.status()["books_hash"] == books.books_hash) is (not row.lost)
        asked = {"account": "A1", "client_order_id": "o-4"}
        with riskd.peer("control") as operator:
            known = operator.ask({"type": "verdict", **asked})["type"] == "result"
        assert known is (not row.lost)  # It was the order of the last record.


def refused(riskd: RiskdProcess, code: int, *words: str) -> None:
    riskd.spawn()
    assert riskd.wait_ended() == code
    for expected in words:
        assert expected in riskd.output, riskd.output
    assert "Traceback" not in riskd.output
    riskd.close()


def test_start_on_records_that_were_on_disk_and_changed_is_refused_by_place(books, tmp_path):
    shutil.copytree(books.folder, tmp_path / "copy")
    journal = tmp_path / "copy" / "books" / "journal"
    path, offset, _ = places(journal)[-2]
    spoil_record(journal)
    words = (path.name, f"offset {offset}", "does not start on half a journal", "restore")
    refused(configured(tmp_path / "copy"), FAILED, *words)


def test_start_beside_another_riskd_or_on_its_address_is_refused(tmp_path):
    with configured(tmp_path / "first") as first:
        beside = configured(tmp_path / "second", {"RISKD_DATA_DIR": str(first.books)})
        refused(beside, FAILED, f"is in use by process {first.pid}")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        second = configured(tmp_path / "second", {"RISKD_PORTS__CONTROL": f'["{address}"]'})
        refused(second, FAILED, address)


def test_start_with_a_wrong_configuration_or_one_that_does_not_fit_is_refused(books, tmp_path):
    wrong = configured(tmp_path / "wrong", {"RISKD_JOURNAL__SYNC": "never"})
    refused(wrong, MISCONFIGURED, "RISKD_JOURNAL__SYNC", "always")
    shutil.copytree(books.folder, tmp_path / "copy")
    other = configured(tmp_path / "copy")
    config = tmp_path / "copy" / "riskd.toml"
    config.write_text(config.read_text().replace('id = "A1"\ncurrency = "USD"', 'id = "A1"'))
    config.write_text(config.read_text().replace('id = "A1"', 'id = "A1"\ncurrency = "EUR"'))
    refused(other, MISCONFIGURED, "does not fit the books", "A1")


def test_supervisor_is_told_that_riskd_serves_lives_and_stops(tmp_path):
    name = f"riskd-{os.getpid()}"
    told = {"NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": "20000"}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(f"\0{name}")
        supervisor.settimeout(START_S_MAX)
        with configured(tmp_path, told) as riskd:
            assert supervisor.recv(200).startswith(b"READY=1\nSTATUS=serving since seq ")
            assert supervisor.recv(200) == b"WATCHDOG=1"
            assert riskd.stop() == 0
        last = b"WATCHDOG=1"
        while last == b"WATCHDOG=1":
            last = supervisor.recv(200)
        assert last == b"STOPPING=1"
