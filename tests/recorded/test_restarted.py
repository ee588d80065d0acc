"""riskd starting again on the journal of recorded flow: whole, torn by hand, damaged by hand."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import zmq

from tests.end_to_end.process import RiskdProcess
from tests.recorded.world import AVERAGE, fed, open_market, recorded_riskd
from transport.journal import DIRECTORY_NAME
from transport.journal_format import (
    HEADER_BYTES,
    RECORD_BYTES,
    ChainEnd,
    aligned,
    decode_identity,
    decode_opening,
    journal_seed,
    read_chain,
)

pytestmark = [pytest.mark.recorded, pytest.mark.end_to_end]

LOBSTER = "orders/lobster_aapl_2012-06-21_messages.csv.gz"
SMALL_SEGMENTS = {"RISKD_JOURNAL__SEGMENT_BYTES": "131072"}
EVERY_RECORD_SYNCED = {"RISKD_JOURNAL__SYNC": "always"}
FAILED = 1
ORDER: dict[str, Any] = {
    "type": "check",
    "account": AVERAGE,
    "symbol": "AAPL",
    "side": "buy",
    "quantity": 3,
    "price": 585.5,
}


class Place(NamedTuple):
    """Where a record is."""

    path: Path
    offset: int
    seq: int
    byte_count: int


def places(riskd: RiskdProcess) -> list[Place]:
    """Return every record of the journal on disk, as the format says."""
    found = []
    for path in sorted((riskd.books / DIRECTORY_NAME).glob("*.journal")):
        blob = path.read_bytes()
        opening = decode_opening(blob)
        if opening is None:
            continue  # Made ahead of need, and not begun.
        seed = journal_seed(decode_identity(blob, str(path)).journal_id)
        offset = HEADER_BYTES
        begin = ChainEnd(offset, opening.first_seq, opening.previous_crc)
        for record in read_chain(blob, begin, seed):
            byte_count = RECORD_BYTES + len(record.raw)
            found.append(Place(path, offset, record.seq, byte_count))
            offset += aligned(byte_count)
    return found


def asked(riskd: RiskdProcess, client_order_id: str) -> dict[str, Any]:
    """Ask for one order by a plain REQ and return the verdict."""
    with riskd.peer("orders", zmq.REQ) as gateway:
        verdict: dict[str, Any] = gateway.ask({**ORDER, "client_order_id": client_order_id})
    assert verdict["approved"], verdict
    return verdict


def remembered(riskd: RiskdProcess, client_order_id: str) -> int | None:
    """Return the seq of the verdict that riskd remembers of an order, None if it knows none."""
    with riskd.peer("control", zmq.REQ) as operator:
        request = {"type": "verdict", "account": AVERAGE, "client_order_id": client_order_id}
        answer = operator.ask(request)
    if answer["type"] == "error":
        assert answer["code"] == "not_found", answer
        return None
    seq: int = answer["data"]["verdict"]["seq"]
    return seq


def flip_a_byte(place: Place) -> None:
    """Change one byte in the middle of a record."""
    with place.path.open("r+b") as file:
        file.seek(place.offset + place.byte_count // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 0x10]))


def test_restarted_whole_journal_is_replayed_to_the_same_books_over_many_segments(shared, tmp_path):
    with recorded_riskd(tmp_path, SMALL_SEGMENTS) as riskd:
        open_market(riskd, AAPL=585.5)
        fed(riskd, shared / "data" / LOBSTER)
        before = riskd.status()
        riskd.kill()
        assert len({place.path for place in places(riskd)}) > 1
        riskd.start()
        after = riskd.status()
        replayed = re.search(r"journal +([\d,]+) records replayed in [\d.]+ s", riskd.output)
        assert replayed is not None, riskd.output
        assert int(replayed[1].replace(",", "")) == before["seq"]
        assert "torn tail" not in riskd.output
        assert after["books_hash"] == before["books_hash"]


def test_restarted_with_a_torn_tail_cuts_it_says_so_and_serves(shared, tmp_path):
    with recorded_riskd(tmp_path) as riskd:
        open_market(riskd, AAPL=585.5)
        fed(riskd, shared / "data" / LOBSTER)
        kept = asked(riskd, "kept")
        before = riskd.status()
        torn = asked(riskd, "torn")
        riskd.kill()
        last = places(riskd)[-1]
        assert last.seq == torn["seq"] == kept["seq"] + 1
        os.truncate(last.path, last.offset + last.byte_count - 7)

        riskd.start()
        assert "torn tail cut" in riskd.output
        for told in (last.path.name, f"offset={last.offset}", f"last_seq={kept['seq']}"):
            assert told in riskd.output, told
        assert riskd.status()["books_hash"] == before["books_hash"]
        assert remembered(riskd, "kept") == kept["seq"]
        assert remembered(riskd, "torn") is None
        assert asked(riskd, "kept")["duplicate"]
        assert not asked(riskd, "torn").get("duplicate", False)

        riskd.kill()
        riskd.start()  # What was cut stays cut, and is said once.
        assert "torn tail" not in riskd.output
        assert remembered(riskd, "torn") is not None


@pytest.mark.parametrize(
    ("settings", "nth"),
    [({}, -40), (SMALL_SEGMENTS, 20)],
    ids=["newest-segment", "oldest-segment"],
)
def test_restarted_on_damage_to_what_was_synced_refuses_and_says_where(
    shared, tmp_path, settings, nth
):
    with recorded_riskd(tmp_path, {**EVERY_RECORD_SYNCED, **settings}) as riskd:
        open_market(riskd, AAPL=585.5)
        fed(riskd, shared / "data" / LOBSTER)
        for number in range(50):  # One by one: each record knows that the one before is synced.
            asked(riskd, f"order-{number}")
        before = riskd.status()
        riskd.kill()
        written = places(riskd)
        damaged = written[nth]
        flip_a_byte(damaged)
        on_disk = {place.path: place.path.read_bytes() for place in written}

        riskd.spawn()
        assert riskd.wait_ended() == FAILED
        told = riskd.output
        assert f"{damaged.path}, offset {damaged.offset}, seq {damaged.seq}: " in told, told
        assert "restore the journal directory from a copy or a standby" in told, told
        assert "ready" not in told
        assert "Traceback" not in told
        for path, content in on_disk.items():
            assert path.read_bytes() == content, path

        flip_a_byte(damaged)  # The copy is restored.
        riskd.start()
        assert riskd.status()["books_hash"] == before["books_hash"]
