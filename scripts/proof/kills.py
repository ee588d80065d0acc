"""A real riskd under load, killed again and again: nothing that it said may be forgotten.

The kills come at random instants, and then at each step of a segment's roll and of a snapshot.
After each kill it starts on the same books, from whatever snapshot it had written by then. Every
approval it gave is asked for again and must be the first verdict, and the journal, replayed whole
without a snapshot, must come to the state that the restarted process has.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import zmq

from engine.digest import state_digest
from scripts.proof.kill_steps import CALLS, STEPS, Step, Trap
from tests.end_to_end.peer import Peer, read_answer
from tests.end_to_end.process import RiskdProcess
from transport.data_directory import DataDirectory
from transport.journal import Journal
from transport.journal_settings import SCHEMA, JournalSettings
from transport.process_replay import Replay

CONFIG = """
env = "test"
[orders]
reservation_ms = 3600000
[prices]
stale_after_ms = 3600000
[default]
order_quantity = 1e9
order_notional = 1e12
position_quantity = 1e10
open_orders = 1000000
orders_per_second = 1000000
[[instrument]]
symbol = "X"
currency = "USD"
[[account]]
id = "A1"
currency = "USD"
balance = 1000000000
[[account]]
id = "A2"
currency = "USD"
balance = 1000000000
"""
ACCOUNTS = ("A1", "A2")
SEGMENT_BYTES = 131_072  # Small: a kill often falls on a roll.
SETTINGS = {
    "RISKD_JOURNAL__SEGMENT_BYTES": str(SEGMENT_BYTES),
    "RISKD_JOURNAL__RETAIN_BYTES": str(1 << 40),  # The whole journal is replayed to compare.
    "RISKD_SNAPSHOT__EVERY_S": "0.05",  # And often on a snapshot and its rename.
}
BURST = 20
KILLS_OF_ONE = 20  # Then another riskd begins empty.
LIVE_S_MAX = 0.6
ANSWER_S_MAX = 0.5
STEP_S_MAX = 300.0  # Of load until a step comes.


class Tally(NamedTuple):
    """What a run of kills came to; all but the first five have to be 0."""

    kills: int
    at_steps: int  # Of them.
    approvals: int
    restarts_from_snapshot: int
    records: int
    forgotten: int
    answered_twice: int
    hashes_differing: int
    divergences: int

    @property
    def is_clean(self) -> bool:
        """Return whether nothing was forgotten, doubled or different."""
        return not any(self[5:])


class Kills:
    """One riskd on one folder, and everything that it approved."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._random = random.Random(seed)
        config = folder / "riskd.toml"
        folder.mkdir(parents=True, exist_ok=True)
        config.write_text(CONFIG)
        self._trap = Trap(folder)
        settings = {**SETTINGS, **self._trap.settings}
        self._riskd = RiskdProcess(folder, config=config, settings=settings, ipc=True)
        self._number = 0
        self._approved: dict[str, tuple[dict[str, Any], int]] = {}
        self._counts = dict.fromkeys(("snapshots", "forgotten", "twice", "hashes", "diverged"), 0)

    def run(self, count: int, steps: Sequence[Step] = ()) -> Tally:
        """Kill `count` times and at each of `steps`, comparing after each; return what came."""
        with self._riskd:
            for _ in range(count):
                timer = threading.Timer(self._random.uniform(0.0, LIVE_S_MAX), self._riskd.kill)
                self._load_until_killed(timer.start)
                timer.join()
                self._restart_and_compare()
            for step in steps:
                self._load_until_killed(partial(self._trap.set, step))
                self._trap.unset()
                self._restart_and_compare()
            records = self._riskd.control("status")["seq"]
        counts = self._counts
        return Tally(
            kills=count + len(steps),
            at_steps=len(steps),
            approvals=len(self._approved),
            restarts_from_snapshot=counts["snapshots"],
            records=records,
            forgotten=counts["forgotten"],
            answered_twice=counts["twice"],
            hashes_differing=counts["hashes"],
            divergences=counts["diverged"],
        )

    def _load_until_killed(self, begin: Callable[[], None]) -> None:
        until_s = time.monotonic() + STEP_S_MAX
        with self._riskd.peer("orders") as gateway, self._riskd.peer("ticks", zmq.PUSH) as feed:
            begin()
            while self._riskd.is_running:
                assert time.monotonic() < until_s, "the step never came"
                price = round(self._random.uniform(90, 110), 2)
                feed.tell({"type": "tick", "symbol": "X", "bid": price, "ask": price})
                self._burst(gateway, price)

    def _burst(self, gateway: Peer, price: float) -> None:
        asked: dict[str, dict[str, Any]] = {}
        for _ in range(BURST):
            check = self._check(price)
            asked[check["client_order_id"]] = check
            gateway.tell(check)
        answered: set[str] = set()
        while len(answered) < len(asked) and gateway.waits_for(ANSWER_S_MAX):
            verdict = read_answer(gateway.receive())
            order_id = verdict["client_order_id"]
            self._counts["twice"] += order_id in answered
            answered.add(order_id)
            if verdict["approved"]:
                self._approved[order_id] = (asked[order_id], verdict["seq"])
        for order_id in answered:
            if self._random.random() < 0.5:
                check = asked[order_id]
                gateway.tell({"type": "fill", "exec_id": f"e-{order_id}", **_of(check)})
                if gateway.waits_for(ANSWER_S_MAX):
                    gateway.receive()

    def _check(self, price: float) -> dict[str, Any]:
        self._number += 1
        return {
            "type": "check",
            "account": self._random.choice(ACCOUNTS),
            "client_order_id": f"o-{self._number}",
            "symbol": "X",
            "side": self._random.choice(("buy", "sell")),
            "quantity": self._random.randint(1, 9),
            "price": price,
        }

    def _restart_and_compare(self) -> None:
        riskd = self._riskd
        riskd.start()
        self._counts["snapshots"] += "after the snapshot at seq" in riskd.output
        status = riskd.status()
        with riskd.peer("orders") as gateway:
            recent = list(self._approved.items())[-10 * BURST :]
            for order_id, (check, seq) in recent:
                gateway.tell(check)
                verdict = read_answer(gateway.receive())
                told = (verdict["approved"], verdict.get("duplicate", False), verdict["seq"])
                self._counts["forgotten"] += told != (True, True, seq)
                assert verdict["client_order_id"] == order_id
        riskd.kill()
        replay, state_hash = replay_whole(riskd.books, status["seq"])
        self._counts["hashes"] += state_hash != status["state_hash"]
        self._counts["diverged"] += len(replay.divergences)
        riskd.start()


def replay_whole(data_dir: Path, until_seq: int) -> tuple[Replay, str]:
    """Return the replay of a whole journal, and the hash of its state after `until_seq`."""
    settings = JournalSettings(schema=SCHEMA, segment_bytes=SEGMENT_BYTES)
    replay, state_hash = Replay(hash_share=1.0), ""
    with DataDirectory(data_dir) as directory, Journal.open(directory, settings) as journal:
        for record in journal.replay():
            replay.take(record)
            if record.seq == until_seq:
                state_hash = state_digest(replay.core.state())
    return replay, state_hash


def _of(check: dict[str, Any]) -> dict[str, Any]:
    names = ("account", "client_order_id", "symbol", "side", "quantity", "price")
    return {name: check[name] for name in names}


def prove_kills(count: int, seed: int) -> Tally:
    """Kill riskds of temporary folders `count` times and at each step; print what came of it."""
    begun_s = time.monotonic()
    tally = Tally(*([0] * len(Tally._fields)))
    for first in range(0, count, KILLS_OF_ONE):  # The whole journal is replayed after each kill.
        with tempfile.TemporaryDirectory(prefix="kills", ignore_cleanup_errors=True) as folder:
            kills = min(KILLS_OF_ONE, count - first)
            found = Kills(Path(folder), seed + first).run(kills)
        tally = Tally(*(one + other for one, other in zip(tally, found, strict=True)))
        print(f"{first + kills} of {count}: {found}", flush=True)
    for where in CALLS:
        steps = [step for step in STEPS if step.where == where]
        with tempfile.TemporaryDirectory(prefix="kills", ignore_cleanup_errors=True) as folder:
            found = Kills(Path(folder), seed).run(0, steps)
        tally = Tally(*(one + other for one, other in zip(tally, found, strict=True)))
        print(f"at the steps of {where}: {found}", flush=True)
    for name, figure in tally._asdict().items():
        print(f"{name:<24} {figure:>10,}")
    print(f"{'seconds':<24} {time.monotonic() - begun_s:>10,.0f}")
    return tally
