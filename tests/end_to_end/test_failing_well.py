"""A full disk, a read-only one, a bug: each ends in a named state, loses nothing, and passes."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import zmq

from scripts.proof.kills import CONFIG, SEGMENT_BYTES, replay_whole
from tests.end_to_end.process import ROOT, RiskdProcess

pytestmark = pytest.mark.end_to_end

FAILED = 1
CHECKS_MAX = 20_000
SETTINGS = {
    "RISKD_JOURNAL__SEGMENT_BYTES": str(SEGMENT_BYTES),
    "RISKD_SNAPSHOT__EVERY_S": "0",
}
TMPFS_BYTES = 40 * SEGMENT_BYTES  # With room for a snapshot or two once the filler is gone.
FILE_BYTES_MAX = SEGMENT_BYTES // 2  # More than its output, less than a segment.
POISON = """
import os
import engine.core
import engine.market

whole = engine.market.apply_market

def poisoned(board, message, *rest, **named):
    if getattr(message, "bid", None) == 13.13:
        os.abort()
    return whole(board, message, *rest, **named)

engine.market.apply_market = engine.core.apply_market = poisoned
import actors.market_data
actors.market_data.apply_market = poisoned
"""

# The wall clock of the process reads what a file says beside it.
STEPPED = """
import os
import time

whole = time.time_ns

def stepped():
    with open(os.environ["CLOCK_STEP_FILE"]) as file:
        return whole() + int(file.read() or 0)

time.time_ns = stepped
"""
# Once there is a file of that name, the disk does not take what is to be synced.
BROKEN = """
import errno
import os

import transport.journal_segment as journal_segment

sync = journal_segment._sync_descriptor

def synced(descriptor):
    if os.path.exists(os.environ["BROKEN_FILE"]):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    sync(descriptor)

journal_segment._sync_descriptor = synced
"""
HOUR_NS = 3_600_000_000_000


class Gateway:
    """Asks for orders and reports fills of one riskd."""

    def __init__(self, riskd: RiskdProcess) -> None:
        self._riskd = riskd
        self._number = 0
        self.approved: dict[str, int] = {}

    def order(self, order_id: str, side: str = "buy", quantity: float = 1) -> dict[str, Any]:
        names = {"account": "A1", "symbol": "X", "side": side, "quantity": quantity, "price": 100.0}
        return {"type": "check", "client_order_id": order_id, **names}

    def check(self, side: str = "buy") -> dict[str, Any]:
        self._number += 1
        order_id = f"o-{self._number}"
        verdict = self.ask(self.order(order_id, side))
        if verdict["approved"]:
            self.approved[order_id] = verdict["seq"]
        return verdict

    def fill(self, order_id: str, side: str = "buy") -> dict[str, Any]:
        order = self.order(order_id, side)
        return self.ask({**order, "type": "fill", "exec_id": f"e-{order_id}"})

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        with self._riskd.peer("orders") as gateway:
            answer: dict[str, Any] = gateway.ask(message)
        return answer

    def flood_until_refused(self, why: str) -> None:
        """Check until the journal takes no more, and says why; many in flight."""
        with self._riskd.peer("orders") as gateway:
            for first in range(0, CHECKS_MAX, 200):
                orders = [self.order(f"f-{first + at}") for at in range(200)]
                for order in orders:
                    gateway.tell(order)
                for order in orders:
                    verdict = gateway.read()
                    if verdict["approved"]:
                        self.approved[order["client_order_id"]] = verdict["seq"]
                    else:
                        assert verdict["rejects"][0]["code"] == "INTERNAL_FAULT", verdict
                        assert why in verdict["rejects"][0]["text"]
                        assert verdict["seq"] == 0
                if not verdict["approved"]:
                    return
        raise AssertionError("the disk never got full")


def quote(riskd: RiskdProcess, price: float = 100.0) -> None:
    with riskd.peer("ticks", zmq.PUSH) as feed:
        feed.tell({"type": "tick", "symbol": "X", "bid": price, "ask": price})
        riskd.wait_until(lambda: riskd.control("status")["ticks"].get("applied"))


def configured(folder: Path, settings: dict[str, str] | None = None) -> RiskdProcess:
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "riskd.toml"
    config.write_text(CONFIG)
    return RiskdProcess(folder, config=config, settings={**SETTINGS, **(settings or {})})


def mount(options: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a file system of its own cannot be mounted here")


def cover(folder: Path) -> None:
    """Let every name in a folder be one of a read-only file system."""
    for options in (["--bind", str(folder), str(folder)], ["-o", "remount,bind,ro", str(folder)]):
        if subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
            uncover(folder)
            pytest.skip("a read-only view of a folder cannot be mounted here")


def uncover(folder: Path) -> None:
    subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A small file system for the books of one riskd."""
    mount(f"size={TMPFS_BYTES}", tmp_path / "riskd" / "books")
    yield tmp_path / "riskd"
    subprocess.run(["umount", "-l", str(tmp_path / "riskd" / "books")], check=True)


class Hindrance(NamedTuple):
    """What keeps the journal from a next segment: how it begins and passes, and what is said."""

    begin: Callable[[], object]
    end: Callable[[], object]
    state: str = "disk_full"
    why: str = "no room"


def play_hindrance(riskd: RiskdProcess, hindrance: Hindrance) -> None:
    """What has to be true while there is no next segment, and after."""
    gateway = Gateway(riskd)
    quote(riskd)
    assert gateway.check()["approved"]
    hindrance.begin()
    gateway.flood_until_refused(hindrance.why)
    assert riskd.control("status")["state"] == hindrance.state
    assert gateway.fill("o-1")["type"] == "ack"
    assert not gateway.check()["approved"]
    riskd.control("kill", scope="firm", reason="drill")  # Commands are taken, and held.
    riskd.control("unkill", scope="firm", reason="drill")
    with riskd.peer("control", zmq.REQ) as operator:
        assert operator.ask({"type": "snapshot"})["type"] == "error"
    assert riskd.control("status")["state"] == hindrance.state
    hindrance.end()
    riskd.wait_until(lambda: gateway.check()["approved"])
    assert riskd.control("status")["state"] == "active"
    assert riskd.control("snapshot")["seq"] > 0
    before = riskd.status()
    riskd.kill()
    assert replay_whole(riskd.books, before["seq"])[1] == before["state_hash"]
    riskd.start()
    assert riskd.status()["books_hash"] == before["books_hash"]
    for order_id, seq in list(gateway.approved.items())[-50:]:
        known = riskd.control("verdict", account="A1", client_order_id=order_id)["verdict"]
        assert (known["approved"], known["seq"]) == (True, seq)


def test_disk_full_by_a_limit_of_file_size_takes_facts_and_passes(tmp_path):
    with configured(tmp_path) as riskd:
        soft, hard = resource.prlimit(riskd.pid, resource.RLIMIT_FSIZE)

        def limit(byte_count: int) -> None:
            resource.prlimit(riskd.pid, resource.RLIMIT_FSIZE, (byte_count, hard))

        play_hindrance(riskd, Hindrance(lambda: limit(FILE_BYTES_MAX), lambda: limit(soft)))


def test_disk_full_of_a_small_file_system_takes_facts_and_passes(tmpfs):
    with configured(tmpfs) as riskd:
        filler = riskd.books / "filler"

        def fill() -> None:
            with filler.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(4096))
                except OSError:
                    return

        play_hindrance(riskd, Hindrance(fill, filler.unlink))


def test_directory_that_turns_read_only_takes_facts_and_passes(tmp_path):
    """For root it is a mount over it: what is open stays, and nothing can be made any more."""
    with configured(tmp_path) as riskd:
        journal = riskd.books / "journal"
        if os.geteuid():
            begin, end = partial(journal.chmod, 0o500), partial(journal.chmod, 0o700)
        else:
            begin, end = partial(cover, journal), partial(uncover, journal)
        try:
            play_hindrance(riskd, Hindrance(begin, end, "disk_read_only", "no way to make"))
        finally:
            end()


def test_start_on_a_read_only_disk_is_refused_and_changes_nothing(tmpfs):
    riskd = configured(tmpfs)
    with riskd:
        quote(riskd)
        assert Gateway(riskd).check()["approved"]
        before = riskd.status()
        riskd.kill()
        subprocess.run(["mount", "-o", "remount,ro", str(riskd.books)], check=True)
        riskd.spawn()
        assert riskd.wait_ended() == FAILED
        assert "Read-only file system" in riskd.output
        assert "Traceback" not in riskd.output
        subprocess.run(["mount", "-o", "remount,rw", str(riskd.books)], check=True)
        riskd.start()
        assert riskd.status()["books_hash"] == before["books_hash"]


def test_disk_that_fails_a_sync_ends_all_acknowledgements_until_riskd_is_started_again(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(BROKEN)
    broken = tmp_path / "broken"
    settings = {"PYTHONPATH": f"{tmp_path / 'site'}:{ROOT}", "BROKEN_FILE": str(broken)}
    with configured(tmp_path, settings) as riskd:
        gateway = Gateway(riskd)
        quote(riskd)
        assert gateway.check()["approved"]
        broken.touch()
        riskd.wait_until(lambda: not gateway.check()["approved"])
        refused = gateway.check()
        assert (refused["rejects"][0]["code"], refused["seq"]) == ("INTERNAL_FAULT", 0)
        assert gateway.fill("o-1")["type"] == "error"
        with riskd.peer("control", zmq.REQ) as operator:
            assert operator.ask({"type": "kill", "scope": "firm", "reason": "r"})["type"] == "error"
        broken.unlink()
        assert not gateway.check()["approved"]  # What was lost meanwhile nobody can know.
        status = riskd.control("status")
        assert status["state"] == "journal_failed"
        assert "Input/output error" in status["journal"]["failure"]
        assert [x["alert_type"] for x in riskd.control("alerts", severity="extreme")] == [
            "journal_failed"
        ]
        riskd.kill()
        riskd.start()
        quote(riskd)
        for order_id, seq in gateway.approved.items():
            known = riskd.control("verdict", account="A1", client_order_id=order_id)["verdict"]
            assert (known["approved"], known["seq"]) == (True, seq)
        assert gateway.fill("o-1")["type"] == "ack"
        assert gateway.check()["approved"]


def test_record_that_crashes_riskd_twice_starts_it_in_safe_mode(tmp_path):
    """A tick of 13.13 ends the process, live and again at the start that replays it."""
    (tmp_path / "poison").mkdir()
    (tmp_path / "poison" / "sitecustomize.py").write_text(POISON)
    poisoned = {"PYTHONPATH": f"{tmp_path / 'poison'}:{ROOT}"}
    with configured(tmp_path, poisoned) as riskd:
        gateway = Gateway(riskd)
        quote(riskd)
        assert gateway.check()["approved"]
        assert gateway.fill("o-1")["type"] == "ack"
        with riskd.peer("ticks", zmq.PUSH) as feed:
            feed.tell({"type": "tick", "symbol": "X", "bid": 13.13, "ask": 100.0})
            riskd.wait_ended()
        riskd.spawn()
        assert riskd.wait_ended() != 0
        riskd.start()
        assert "safe mode" in riskd.output
        assert riskd.control("status")["open_breakers"] == 1
        refused = gateway.check("buy")
        assert refused["rejects"][0]["code"] == "REDUCE_ONLY", refused
        assert gateway.check("sell")["approved"]  # It reduces what is held.
        assert gateway.fill("o-3", "sell")["type"] == "ack"
        riskd.kill()
        riskd.start()  # Nobody has looked: it stays, and is not said twice.
        assert riskd.control("status")["open_breakers"] == 1
        (breaker,) = riskd.control("breakers")
        assert "safe mode: record" in breaker["reason"]
        riskd.control("reset", breaker_id=breaker["breaker_id"], reason="looked")
        quote(riskd)
        assert gateway.check("buy")["approved"]


def test_clock_that_steps_an_hour_either_way_is_said_and_nothing_is_lost(tmp_path):
    """Throttles, ages and reservations go on: they are measured on a clock that does not step."""
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(STEPPED)
    step = tmp_path / "step"
    step.write_text("0")
    settings = {"PYTHONPATH": f"{tmp_path / 'clock'}:{ROOT}", "CLOCK_STEP_FILE": str(step)}
    with configured(tmp_path, settings) as riskd:
        gateway = Gateway(riskd)
        quote(riskd)

        def has_told(count: int) -> bool:
            found = [x for x in riskd.control("alerts") if x["alert_type"] == "clock_stepped"]
            return bool(sum(x["count"] for x in found) >= count)

        for number, offset_ns in enumerate((HOUR_NS, 0), 1):
            assert gateway.check()["approved"]
            told_ns = riskd.control("status")["server_ns"]
            step.write_text(str(offset_ns))
            riskd.wait_until(partial(has_told, number))
            moved_ns = riskd.control("status")["server_ns"] - told_ns
            assert abs(moved_ns - (HOUR_NS if offset_ns else -HOUR_NS)) < HOUR_NS / 2
            assert riskd.control("status")["state"] == "active"
            assert riskd.control("breakers") == []
            assert gateway.check()["approved"]  # The quote is as young as it was.
        before = riskd.status()
        riskd.kill()
        assert replay_whole(riskd.books, before["seq"])[1] == before["state_hash"]
        riskd.start()
        assert riskd.status()["books_hash"] == before["books_hash"]
        for order_id, seq in gateway.approved.items():
            known = riskd.control("verdict", account="A1", client_order_id=order_id)["verdict"]
            assert (known["approved"], known["seq"]) == (True, seq)
