"""What each `journal.sync` loses: to the death of the process, and to that of the machine.

A machine that dies keeps of a file what was there when its last sync began. A riskd of these tests
puts that by, and a loss of power is a kill after which every segment is what was put by.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from scripts.proof.kills import CONFIG, SEGMENT_BYTES
from tests.end_to_end.process import ROOT, RiskdProcess

pytestmark = pytest.mark.end_to_end

DISK = """
import os
import time
from pathlib import Path

import transport.journal_segment as journal_segment

disk = Path(os.environ["DISK"])
sync, make = journal_segment._sync_descriptor, journal_segment.Segment.__init__

def keep(descriptor, begun):
    name = Path(os.readlink(f"/proc/self/fd/{descriptor}")).name
    (disk / "making").write_bytes(begun)
    (disk / "making").rename(disk / name)

def read(descriptor):
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)

def synced(descriptor):
    begun = read(descriptor)
    sync(descriptor)
    time.sleep(0.05)  # It is a slow disk.
    keep(descriptor, begun)

def made(segment, path, descriptor, segment_bytes):
    make(segment, path, descriptor, segment_bytes)
    keep(descriptor, read(descriptor))

journal_segment._sync_descriptor = synced
journal_segment.Segment.__init__ = made
"""
ORDERS = 600  # Of some 300 bytes: more than one segment.
IN_FLIGHT = 50
SYNC_MS = "60000"  # With `interval` the next sync is far away, so that something is lost.


class House:
    """A riskd whose disk is known, and what it answered."""

    def __init__(self, folder: Path, mode: str) -> None:
        for name in ("disk", "site"):
            (folder / name).mkdir()
        (folder / "site" / "sitecustomize.py").write_text(DISK)
        (folder / "riskd.toml").write_text(CONFIG)
        settings = {
            "PYTHONPATH": f"{folder / 'site'}:{ROOT}",
            "DISK": str(folder / "disk"),
            "RISKD_JOURNAL__SYNC": mode,
            "RISKD_JOURNAL__SYNC_INTERVAL_MS": SYNC_MS,
            "RISKD_JOURNAL__SEGMENT_BYTES": str(SEGMENT_BYTES),
            "RISKD_SNAPSHOT__EVERY_S": "0",
        }
        self.mode, self.disk = mode, folder / "disk"
        self.riskd = RiskdProcess(folder, config=folder / "riskd.toml", settings=settings)
        self.verdicts: dict[str, dict[str, Any]] = {}
        self.synced_seq = 0  # As riskd says.

    def trade(self) -> None:
        """Have orders approved, many in flight, and note what riskd says is on the disk."""
        riskd = self.riskd
        with riskd.peer("ticks", zmq.PUSH) as feed:
            feed.tell({"type": "tick", "symbol": "X", "bid": 100.0, "ask": 100.0})
            riskd.wait_until(lambda: riskd.control("status")["ticks"].get("applied"))
        order = {"type": "check", "account": "A1", "symbol": "X", "side": "buy"}
        with riskd.peer("orders") as gateway:
            for first in range(0, ORDERS, IN_FLIGHT):
                names = [f"o-{first + at}" for at in range(IN_FLIGHT)]
                for name in names:
                    gateway.tell({**order, "client_order_id": name, "quantity": 1, "price": 100.0})
                for name in names:
                    self.verdicts[name] = gateway.read()
                    assert self.verdicts[name]["approved"]
        if self.mode != "always":  # There the end comes with the last answer.
            self.synced_seq = riskd.control("status")["journal"]["synced_seq"]

    def lose_power(self) -> None:
        """End riskd, and leave of every segment what was on the disk."""
        self.riskd.kill()
        for path in (self.riskd.books / "journal").glob("*.journal"):
            shutil.copyfile(self.disk / path.name, path)

    def lost(self) -> list[int]:
        """Return the numbers of the verdicts that riskd does not know any more."""
        numbers = []
        verdicts = list(self.verdicts.items())
        with self.riskd.peer("control") as operator:
            for first in range(0, ORDERS, IN_FLIGHT):
                asked = verdicts[first : first + IN_FLIGHT]
                for name, _ in asked:
                    operator.tell({"type": "verdict", "account": "A1", "client_order_id": name})
                for _, verdict in asked:
                    answer = operator.read()
                    if answer["type"] == "error":
                        numbers.append(verdict["seq"])
                    else:
                        assert answer["data"]["verdict"]["seq"] == verdict["seq"]
        return numbers


def none_lost(house: House, lost: list[int]) -> bool:
    return not lost


def newest_lost(house: House, lost: list[int]) -> bool:
    """Something is gone, and nothing that riskd had said was on the disk."""
    return bool(lost) and min(lost) > house.synced_seq


LOSSES: list[tuple[str, int, Callable[[House], None], Callable[[House, list[int]], bool]]] = [
    ("none", 1, lambda house: house.riskd.kill(), none_lost),
    ("always", 2, House.lose_power, none_lost),
    ("interval", 1, House.lose_power, newest_lost),
    ("none", 1, House.lose_power, newest_lost),
]


@pytest.mark.parametrize(("mode", "durability", "end", "is_so"), LOSSES)
def test_end_of_process_and_of_machine_loses_what_the_mode_says(
    tmp_path, mode, durability, end, is_so
):
    house = House(tmp_path, mode)
    with house.riskd:
        house.trade()
        assert {x["durability"] for x in house.verdicts.values()} == {durability}
        end(house)
        house.riskd.start()
        lost = house.lost()
        assert is_so(house, lost), (lost, house.synced_seq)
        if not lost:
            return
        held = {"gateway": "G1", "accounts": ["A1"], "last_seq": max(lost)}
        with house.riskd.peer("orders") as gateway:
            assert gateway.ask({"type": "hello", **held})["type"] == "welcome"
            order = {"account": "A1", "symbol": "X", "side": "buy", "quantity": 1, "price": 100.0}
            (found,) = gateway.ask({"type": "check", "client_order_id": "o-new", **order})[
                "rejects"
            ]
        assert found["code"] == "ACCOUNT_FROZEN"
