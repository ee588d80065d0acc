from __future__ import annotations

import asyncio

from riskd.feed import Timed
from riskd.feed.play import PlayOptions, play
from riskd.messages import Result, Tick
from tests.riskd.fake import FakeRiskd
from tests.riskd.waiting import wait_until

ROWS = 30
ROWS_AN_ANSWER = 7  # How much further riskd is each time that it is asked.


def options_for(fake: FakeRiskd) -> PlayOptions:
    return PlayOptions(
        orders=fake.addresses["orders"],
        ticks=fake.addresses["ticks"],
        control=fake.addresses["control"],
        reconnect_s=20.0,
    )


def played(fake: FakeRiskd) -> None:
    ticks = [Tick(symbol="AAPL", last=10.0, seq=row, feed="f") for row in range(1, ROWS + 1)]
    stream = [Timed(row, tick, row) for row, tick in enumerate(ticks, start=1)]
    asyncio.run(asyncio.wait_for(play(stream, options_for(fake)), 60))


def test_play_ends_only_when_riskd_says_that_it_has_the_last_tick():
    told = [0]

    def slow(query):
        told.append(min(ROWS, told[-1] + ROWS_AN_ANSWER))
        return Result(ok=True, data=[{"symbol": "AAPL", "feed_seqs": {"f": told[-1]}}])

    with FakeRiskd(control=slow) as fake:
        played(fake)
    assert told == [0, 7, 14, 21, 28, 30]


def test_play_ends_without_a_control_port_that_can_say():
    with FakeRiskd(control=lambda query: None) as fake:
        played(fake)
        wait_until(lambda: len(fake.ticks) == ROWS)


def test_play_does_not_wait_for_ticks_that_no_instrument_takes():
    asked = []

    def without(query):
        asked.append(query)
        return Result(ok=True, data=[{"symbol": "IBM", "feed_seqs": {}}])

    with FakeRiskd(control=without) as fake:
        played(fake)
    assert len(asked) == 1
