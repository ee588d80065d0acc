"""Mutated frames over every port of a real riskd: each request answered once, nothing else moved.

Frames that are no message must change nothing: while they come, nothing is journalled but that time
passed, and the journal is what the state is made of. Then frames that are one all the same come
among them, and what they changed must be what a replay of the journal comes to. All the while it
must not crash, and once warm neither its memory nor its files may grow.
"""

from __future__ import annotations

import socket
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
import zmq

from actors.sequencer import Source
from riskd.codec import Codec, control_answers_codec, internal_codec, session_codec
from riskd.messages import DayBegan, Elapse, OrdersPush, StateDigest
from scripts.benchmarks.machine import resident_bytes
from scripts.proof.streams import PORT_SHARES, Frames, Stream
from tests.end_to_end.books import replayed_hash
from tests.end_to_end.peer import ANSWER_MS_MAX
from tests.end_to_end.process import SEGMENT_BYTES, WIDE_SHARE, RiskdProcess
from tests.end_to_end.raw import connected
from transport.data_directory import DataDirectory
from transport.journal import Journal, JournalRecord
from transport.journal_settings import SCHEMA, JournalSettings

BATCH = 50  # Under half of every high-water mark: answers beyond it would be dropped.
ROUND = 5_000  # Messages between two looks at the state.
REQ_EVERY = 10  # Of so many batches one goes through a REQ, which waits for each answer.
WARM_SHARE = 0.3
GROWTH_BYTES_MAX = 8 << 20  # What an allocator may still take, whatever the number of frames.
RIGHT_SHARE = 0.1  # Of all messages come when right ones are let through as well.
ANSWERS: dict[str, Codec[Any]] = {"orders": session_codec, "control": control_answers_codec}
TIME = Elapse | DayBegan | StateDigest  # What riskd journals by itself though nobody says a thing.
MARKERS = {"orders": {"type": "ping"}, "control": {"type": "breakers"}}
SETTINGS = {
    "RISKD_DEFAULT__ORDERS_PER_SECOND": "100000",
    **WIDE_SHARE,  # So that frames are read, and not refused because one sends so many.
    "RISKD_SESSIONS__HEARTBEAT_MS": "3600000",  # A hello among the frames would be sent some.
}


class Tally(NamedTuple):
    """What the frames came to; the last five have to be 0."""

    frames: int
    right: int  # Of them a message all the same.
    answers: int
    warm_bytes: int
    resident_bytes: int
    unanswered: int
    faults: int  # Answers that speak of a bug, or that no client could read.
    states_changed: int
    replays_differing: int
    descriptors_leaked: int

    @property
    def is_clean(self) -> bool:
        """Return whether nothing crashed, leaked, changed or stayed unanswered."""
        return not any(self[5:]) and self.resident_bytes <= self.warm_bytes + GROWTH_BYTES_MAX


class Barrage:
    """One riskd under mutated frames, and what came of them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.riskd = RiskdProcess(folder, settings=SETTINGS)
        self.counts: Counter[str] = Counter()
        self.warm_bytes = 0
        self.notes: list[str] = []  # What went wrong where; the same seed does the same again.
        self._random = Random(seed)
        self._streams = {port: Stream(port, self._random) for port in PORT_SHARES}
        self._batches = 0

    def run(self, count: int) -> Tally:
        """Send `count` messages and return what came of them."""
        with self.riskd:
            self._open()
            broken_count = count - int(count * RIGHT_SHARE)
            descriptors, begun_seq = self._descriptors(), self.riskd.status()["seq"]
            for first in range(0, broken_count, ROUND):
                self._round(min(ROUND, broken_count - first), lets_right=False)
                if not self.warm_bytes and first + ROUND >= broken_count * WARM_SHARE:
                    self.warm_bytes = self._resident()
            resident = self._resident()
            self.riskd.wait_until(lambda: self._descriptors() <= descriptors)
            leaked = self._descriptors() - descriptors
            broken = range(begun_seq + 1, self.riskd.status()["seq"] + 1)
            self._round(count - broken_count, lets_right=True)
            self._require_sane()
            self._replay(broken)
        return Tally(
            frames=count,
            right=self.counts["right"],
            answers=self.counts["answers"],
            warm_bytes=self.warm_bytes,
            resident_bytes=resident,
            unanswered=self.counts["unanswered"],
            faults=self.counts["faults"],
            states_changed=self.counts["changed"],
            replays_differing=self.counts["differing"],
            descriptors_leaked=max(0, leaked),
        )

    def _open(self) -> None:
        """Give it something to spoil: a price, a position and an order that works."""
        riskd = self.riskd
        with riskd.peer("ticks", zmq.PUSH) as feed:
            feed.tell({"type": "tick", "symbol": "AAPL", "bid": 187.49, "ask": 187.51})
            riskd.wait_until(lambda: riskd.control("status")["ticks"].get("applied"))
        order = {"account": "A1", "symbol": "AAPL", "side": "buy", "quantity": 1, "price": 187.5}
        with riskd.peer("orders") as gateway:
            assert gateway.ask({"type": "fill", "exec_id": "e-1", **order})["type"] == "ack"
            assert gateway.ask({"type": "check", "client_order_id": "o-1", **order})["approved"]
            report = {"type": "order_report", "account": "A1", "client_order_id": "o-1"}
            report |= {"report_id": "r-1"}
            assert gateway.ask({**report, "status": "accepted"})["type"] == "ack"

    def _round(self, count: int, *, lets_right: bool) -> None:
        while count > 0:
            size = min(BATCH, count)
            port = self._random.choices(list(PORT_SHARES), list(PORT_SHARES.values()))[0]
            batch = self._batch(port, size, lets_right=lets_right)
            before = self._wrong()
            self._send(port, batch)
            if self._wrong() != before:
                note = f"batch {self._batches} to {port}: unanswered and faults went from"
                self.notes.append(f"{note} {before} to {self._wrong()}")
            count -= size

    def _wrong(self) -> tuple[int, int]:
        """Return how many were not answered, and how many answers were none."""
        return self.counts["unanswered"], self.counts["faults"]

    def _batch(self, port: str, size: int, *, lets_right: bool) -> list[Frames]:
        stream, found = self._streams[port], list[Frames]()
        while len(found) < size:
            frames = stream.draw()
            is_right = stream.is_right(frames)
            if stream.is_left_out(frames) or (is_right and not lets_right):
                continue
            self.counts["right"] += is_right
            found.append(frames)
        return found

    def _send(self, port: str, batch: list[Frames]) -> None:
        self._batches += 1
        match port:
            case "ticks":
                self._tick(batch)
            case "alerts":
                self._subscribe(batch)
            case "wire":
                self._dial([frames[0] for frames in batch[:5]])
            case _ if self._batches % REQ_EVERY:
                self._ask_at_once(port, batch)
            case _:
                self._ask_in_turn(port, batch)

    def _ask_at_once(self, port: str, batch: list[Frames]) -> None:
        with self.riskd.peer(port) as peer:
            for frames in batch:
                peer.send(*frames)
            peer.tell(MARKERS[port])
            with suppress(zmq.Again):  # None came in time: those are what is missing.
                left = len(batch) + 1
                while left:
                    left -= self._is_answer(port, peer.socket.recv_multipart()[-1])
            self.counts["unanswered"] += left
            self.counts["faults"] += bool(peer.socket.poll(0))  # One too many.

    def _ask_in_turn(self, port: str, batch: list[Frames]) -> None:
        with self.riskd.peer(port, zmq.REQ) as peer:
            for frames in batch:
                peer.send(*frames)
                try:
                    while not self._is_answer(port, peer.socket.recv_multipart()[-1]):
                        pass
                except zmq.Again:
                    self.counts["unanswered"] += 1
                    return

    def _is_answer(self, port: str, payload: bytes) -> bool:
        """Count an answer; return False for what is sent unasked to who has said hello."""
        try:
            answer = ANSWERS[port].decode(payload)
        except (msgspec.DecodeError, ValueError):
            self.counts["faults"] += 1
            return True
        if isinstance(answer, OrdersPush):
            return False
        self.counts["answers"] += 1
        self.counts["faults"] += getattr(answer, "code", "") == "internal"
        return True

    def _tick(self, batch: list[Frames]) -> None:
        def taken() -> int:
            counts = self.riskd.control("metrics")["ticks_port"]
            return sum(counts.values())

        until = taken() + len(batch)
        with self.riskd.peer("ticks", zmq.PUSH) as feed:
            for frames in batch:
                feed.send(*frames)
            self.riskd.wait_until(lambda: taken() >= until)

    def _subscribe(self, batch: list[Frames]) -> None:
        """Send what may be subscriptions. Whoever sends anything else is cut, and comes again."""
        until_s = time.monotonic() + ANSWER_MS_MAX / 1000
        with self.riskd.peer("alerts", zmq.XSUB, {zmq.RECONNECT_IVL: 1}) as subscriber:
            for frames in batch:
                subscriber.send(*frames)
            subscriber.send(b"\x01firm.")  # It is told at once what stands.
            with suppress(zmq.Again):
                while time.monotonic() < until_s:
                    if subscriber.socket.recv_multipart()[0] == b"firm.exposure":
                        return
        self.counts["unanswered"] += 1

    def _dial(self, contents: list[bytes]) -> None:
        for content in contents:
            port = self._random.choice(("orders", "control", "ticks", "alerts"))
            # It may be cut off before it has said everything.
            with connected(self.riskd, port) as raw, suppress(OSError):
                raw.sendall(content)
                raw.shutdown(socket.SHUT_WR)

    def _require_sane(self) -> None:
        self.riskd.require_running()
        assert "Traceback" not in self.riskd.output, self.riskd.output
        with self.riskd.peer("orders", zmq.REQ) as gateway:
            assert gateway.ask({"type": "ping"})["type"] == "pong"

    def _replay(self, broken: range) -> None:
        """Compare with the journal; in the `broken` part of it nothing but time may have passed."""
        status = self.riskd.status()
        self.riskd.kill()
        settings = JournalSettings(schema=SCHEMA, segment_bytes=SEGMENT_BYTES)
        with (
            DataDirectory(self.riskd.books) as directory,
            Journal.open(directory, settings) as journal,
        ):
            told = [x for x in journal.replay() if x.seq in broken and not _is_time(x)]
        self.counts["changed"] += len(told)
        self.notes += [f"record {x.seq} of source {x.source}: {bytes(x.raw)!r}" for x in told]
        if replayed_hash(self.riskd.books, status["seq"]) != status["state_hash"]:
            self.counts["differing"] += 1

    def _resident(self) -> int:
        return resident_bytes(self.riskd.pid) or 0

    def _descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.riskd.pid}/fd").iterdir()))


def _is_time(record: JournalRecord) -> bool:
    if record.source != Source.INTERNAL:
        return False
    return isinstance(internal_codec.decode(record.raw), TIME)


def prove_frames(count: int, seed: int, *, verbose: bool = True) -> Tally:
    """Send `count` mutated messages to a riskd of its own; return and print what came of it."""
    begun_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="frames", ignore_cleanup_errors=True) as folder:
        barrage = Barrage(Path(folder), seed)
        tally = barrage.run(count)
    for note in barrage.notes:
        print(f"seed {seed}: {note}")
    if verbose:
        for name, figure in tally._asdict().items():
            print(f"{name:<24} {figure:>14,}")
        print(f"{'seconds':<24} {time.monotonic() - begun_s:>14,.0f}")
    return tally
