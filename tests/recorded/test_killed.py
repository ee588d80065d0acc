"""kill -9 in the middle of recorded order flow: the books end as if nothing had happened.

The flow is LOBSTER's orders with every execution, then FX ticks, then Bitstamp's orders, in
lockstep, so that each order is judged after the same ticks in every run. The kills come where the
stream or the answers are, never by the clock: between two messages of the stream, on an answer
while others are in flight, among ticks, and while riskd is still starting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pytest

from riskd.aio import AsyncRiskClient
from riskd.feed import Timed, read
from riskd.feed.play import PlayOptions, play
from riskd.feed.tally import Tally
from riskd.messages import Check, OrdersAnswer, Verdict
from tests.end_to_end.books import replayed_hash
from tests.end_to_end.process import RiskdProcess
from tests.recorded.recount import Touch, touches
from tests.recorded.world import (
    AVERAGE,
    FEED_S_MAX,
    FIFO,
    fed,
    feeding,
    instrument,
    open_market,
    recorded_riskd,
)

pytestmark = [pytest.mark.recorded, pytest.mark.end_to_end]

LOBSTER = "orders/lobster_aapl_2012-06-21_messages.csv.gz"
BITSTAMP = "orders/bitstamp_btcusd_order_events_2015-05-01_part1.log.gz"
BAC = "equity/bac_quotes_2013-10-09.csv.gz"
EURUSD = "fx/eurusd_ticks_2019-01-01.csv.gz"
FX_ROWS = 10_000
BITSTAMP_ROWS = 1500
PLACES = (37, 700, 701, 3000, 9000, 12_500)  # LOBSTER to some 1,640, then FX, then Bitstamp.
ANSWERS = (250, 600, 1200)  # Kills when so many answers have come, others being in flight.


def flow(shared: Path) -> Iterator[Timed]:
    """Yield the recorded flow that every run of this file plays."""
    folder = shared / "data"
    return chain(
        read(folder / LOBSTER, account=FIFO),
        islice(read(folder / EURUSD, price_scale="0.01"), FX_ROWS),
        islice(read(folder / BITSTAMP, account=AVERAGE), BITSTAMP_ROWS),
    )


class Run:
    """One play of the flow into one riskd, with the kills that are asked for."""

    def __init__(self, riskd: RiskdProcess) -> None:
        self.riskd = riskd
        self.kills = 0
        self.approvals: dict[str, tuple[Check, Verdict]] = {}
        self.tally = Tally()
        self._answers = 0
        self._places: tuple[int, ...] = ()
        self._answers_to_kill_at: tuple[int, ...] = ()

    def play(
        self, stream: Iterator[Timed], places: tuple[int, ...] = (), answers: tuple[int, ...] = ()
    ) -> None:
        """Play to the end; kill riskd and start it again at these places and answers."""
        self._places, self._answers_to_kill_at = places, answers
        addresses = self.riskd.addresses
        options = PlayOptions(
            orders=addresses["orders"],
            ticks=addresses["ticks"],
            control=addresses["control"],
            facts="all",
            attempt_ms=200,
            reconnect_s=60.0,
            lockstep=True,
        )
        counted = self._with_kills(stream)
        self.tally = asyncio.run(play(counted, options, on_answer=self._on_answer))
        self.riskd.wait_ready()

    def _with_kills(self, stream: Iterator[Timed]) -> Iterator[Timed]:
        for place, timed in enumerate(stream):
            if place in self._places:
                self._kill()
                if place == self._places[0]:  # And again before it can have started.
                    self._kill()
            yield timed

    def _on_answer(self, message: Any, answer: OrdersAnswer) -> None:
        if isinstance(message, Check) and isinstance(answer, Verdict) and answer.approved:
            self.approvals[message.client_order_id] = (message, answer)
        self._answers += 1
        if self._answers in self._answers_to_kill_at:
            self._kill()

    def _kill(self) -> None:
        self.riskd.kill()
        self.riskd.spawn()
        self.kills += 1

    def require_remembered(self) -> None:
        """Fail if riskd does not know an approval that it gave, as it gave it."""
        with self.riskd.peer("control") as operator:
            for order_id, (check, verdict) in self.approvals.items():
                request = {"type": "verdict", "account": check.account}
                answer = operator.ask({**request, "client_order_id": order_id})
                assert answer["type"] == "result", answer
                known = answer["data"]["verdict"]
                assert (known["approved"], known["seq"]) == (True, verdict.seq), known
        for (_, first), again in zip(
            self.approvals.values(), asyncio.run(self._asked_again()), strict=True
        ):
            assert isinstance(again, Verdict)
            assert (again.approved, again.duplicate, again.seq) == (True, True, first.seq)

    async def _asked_again(self) -> list[OrdersAnswer]:
        async with AsyncRiskClient(self.riskd.addresses["orders"], timeout_ms=20_000) as client:
            checks = [check for check, _ in self.approvals.values()]
            futures = [await client.submit(check) for check in checks]
            return list(await asyncio.gather(*futures))


@pytest.fixture(scope="module")
def uninterrupted(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a riskd that nobody disturbed makes of the flow."""
    with recorded_riskd(tmp_path_factory.mktemp("calm")) as riskd:
        open_market(riskd, AAPL=585.5, BTCUSD=236.5)
        run = Run(riskd)
        run.play(flow(shared))
        assert run.tally.is_clean
        assert (run.tally.resends, run.tally.reconnects) == (0, 0)
        assert run.tally.verdicts == {"APPROVED": len(run.approvals)}
        return {
            "books_hash": riskd.status()["books_hash"],
            "positions": _settled(riskd),
            "gaps": _gaps(riskd),
            "approvals": set(run.approvals),
            "requests": run.tally.requests,
        }


@pytest.mark.parametrize("sync", ["interval", "always"])
def test_killed_and_continued_books_equal_those_of_an_undisturbed_run(
    shared, tmp_path, uninterrupted, sync
):
    with recorded_riskd(tmp_path, {"RISKD_JOURNAL__SYNC": sync}) as riskd:
        open_market(riskd, AAPL=585.5, BTCUSD=236.5)
        run = Run(riskd)
        run.play(flow(shared), PLACES, ANSWERS)
        assert run.kills == len(PLACES) + 1 + len(ANSWERS)
        tally = run.tally
        assert tally.is_clean
        assert tally.requests == uninterrupted["requests"]
        assert tally.reconnects > 0 < tally.resends
        assert set(run.approvals) == uninterrupted["approvals"]
        status = riskd.status()
        assert _gaps(riskd) == uninterrupted["gaps"]  # Not a tick is lost.
        assert _settled(riskd) == uninterrupted["positions"]
        assert status["books_hash"] == uninterrupted["books_hash"]

        riskd.kill()
        assert replayed_hash(riskd.books, status["seq"]) == status["state_hash"]
        riskd.start()
        run.require_remembered()
        assert riskd.status()["books_hash"] == uninterrupted["books_hash"]


def test_killed_under_a_flood_of_ticks_loses_no_row(shared, tmp_path):
    """The command plays a day of quotes as fast as riskd takes them, whose queues are full."""
    path = shared / "data" / BAC
    with recorded_riskd(tmp_path) as riskd:
        with feeding(riskd, path) as child:
            for row in (50_000, 300_000):
                riskd.wait_until(partial(has_taken, riskd, "BAC", row))
                assert child.poll() is None
                riskd.kill()
                riskd.start()
            written, errors = child.communicate(timeout=FEED_S_MAX)
        assert child.returncode == 0, errors + written
        shown = instrument(riskd, "BAC")
        touch = Touch().take(touches(path, "bid_x10000", "ask_x10000", "0.0001"))
        assert shown["feed_gaps"] == 0
        assert row_taken(riskd, "BAC") == touch.counts.total()
        assert {name: shown[name] for name in ("bid", "ask", "last")} == touch.shown()


def has_taken(riskd: RiskdProcess, symbol: str, row: int) -> bool:
    """Return whether riskd has taken a row of the only feed of a symbol."""
    return row_taken(riskd, symbol) >= row


def row_taken(riskd: RiskdProcess, symbol: str) -> int:
    """Return the newest row that riskd has taken of the only feed of a symbol."""
    return max(instrument(riskd, symbol)["feed_seqs"].values(), default=0)


def test_killed_command_that_is_played_again_changes_nothing(shared, tmp_path):
    """Who starts the same file anew after a crash repeats every id: each is taken once."""
    path = shared / "data" / LOBSTER
    with recorded_riskd(tmp_path) as riskd:
        open_market(riskd, AAPL=585.5)
        fed(riskd, path, "--facts", "all")
        before = riskd.status()
        riskd.kill()
        riskd.start()
        assert riskd.status()["books_hash"] == before["books_hash"]
        again = fed(riskd, path, "--facts", "all", duplicates=True)
        assert again["duplicates"] > 0
        assert riskd.status()["books_hash"] == before["books_hash"]


def _gaps(riskd: RiskdProcess) -> dict[str, int]:
    """Return how many rows of its feeds each symbol missed; an order file has rows without tick."""
    return {row["symbol"]: row["feed_gaps"] for row in riskd.control("instruments")}


def _settled(riskd: RiskdProcess) -> list[tuple[Any, ...]]:
    """Return what is held, earned and reserved; instants and ages left out."""
    names = ("account", "symbol", "quantity", "realized", "fees", "average_price")
    reserved = ("open_buy_quantity", "open_sell_quantity")
    positions = riskd.control("positions")
    return [tuple(row.get(name) for name in (*names, *reserved)) for row in positions]
