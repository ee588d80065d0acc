from __future__ import annotations

import asyncio
import threading

import pytest

from riskd.feed import FeedError, Timed
from riskd.feed.play import PlayOptions, play
from riskd.feed.tally import Tally, percentiles
from riskd.messages import (
    Check,
    Error,
    Fill,
    MarketPhase,
    MarketState,
    OrderReport,
    OrderStatus,
    Result,
    Side,
    Tick,
)
from tests.riskd.fake import FakeRiskd, agreeable, approval
from tests.riskd.waiting import wait_until

REFUSED_QUANTITY = 13.0


def tick_of(row: int, price: float = 10.0) -> Tick:
    return Tick(symbol="AAPL", last=price, seq=row, feed="f")


def check_of(name: str, quantity: float = 5.0) -> Check:
    return Check(
        account="A1",
        client_order_id=name,
        symbol="AAPL",
        side=Side.BUY,
        quantity=quantity,
        price=10.0,
    )


def fill_of(order: str | None, name: str) -> Fill:
    return Fill(
        account="A1",
        exec_id=name,
        client_order_id=order,
        symbol="AAPL",
        side=Side.BUY,
        quantity=1.0,
        price=10.0,
    )


def cancel_of(order: str) -> OrderReport:
    return OrderReport(
        account="A1", client_order_id=order, status=OrderStatus.CANCELED, report_id=f"r-{order}"
    )


def choosy(message):
    """Refuse orders of one quantity, agree to everything else."""
    if isinstance(message, Check) and message.quantity == REFUSED_QUANTITY:
        return Error(code="overloaded", text="no")
    return agreeable(message)


def options_for(fake: FakeRiskd, **changes) -> PlayOptions:
    return PlayOptions(
        orders=fake.addresses["orders"],
        ticks=fake.addresses["ticks"],
        control=fake.addresses["control"],
        reconnect_s=20.0,
        attempt_ms=150,
    )._replace(**changes)


def played(messages, options, **hooks) -> Tally:
    stream = [Timed(row, message, row) for row, message in enumerate(messages, start=1)]
    return asyncio.run(asyncio.wait_for(play(stream, options, **hooks), 60))


FLOW = [
    tick_of(1),
    check_of("good"),
    check_of("bad", REFUSED_QUANTITY),
    fill_of("good", "x1"),
    fill_of("bad", "x2"),
    fill_of("never-seen", "x3"),
    fill_of(None, "x4"),
    cancel_of("good"),
    cancel_of("bad"),
    MarketState(symbol="AAPL", state=MarketPhase.CLOSED),
    tick_of(2),
]


def test_play_sends_facts_of_approved_orders_only():
    with FakeRiskd(answer=choosy) as fake:
        tally = played(FLOW, options_for(fake))
        wait_until(lambda: len(fake.ticks) == 3)
    assert fake.requests == [FLOW[1], FLOW[2], FLOW[3], FLOW[7]]
    assert fake.ticks == [FLOW[0], FLOW[9], FLOW[10]]
    assert tally.verdicts == {"APPROVED": 1}
    assert tally.errors == {"overloaded": 1}
    assert tally.acks == 2
    assert tally.skipped == {"refused": 2, "unknown_order": 1, "hidden": 1}
    assert (tally.requests, tally.answers, tally.unanswered) == (4, 4, 0)
    assert (tally.ticks, tally.market_states) == (2, 1)
    assert len(tally.latencies_ns) == 4


def test_play_sends_every_fact_on_asking():
    with FakeRiskd(answer=choosy) as fake:
        tally = played(FLOW, options_for(fake, facts="all"))
    assert fake.requests == FLOW[1:9]
    assert not tally.skipped


def test_play_keeps_ticks_and_orders_each_in_their_order():
    messages = []
    for number in range(1, 301):
        messages += [
            tick_of(number),
            check_of(f"o-{number}"),
            fill_of(f"o-{number}", f"x-{number}"),
        ]
    with FakeRiskd() as fake:
        tally = played(messages, options_for(fake))
        wait_until(lambda: len(fake.ticks) == 300)
    assert fake.ticks == messages[::3]
    assert fake.requests == [message for message in messages if not isinstance(message, Tick)]
    assert tally.is_clean


def test_play_riskd_that_dies_gets_the_rest_again_with_the_same_ids():
    """The first life answers 20 of 60 orders; the second answers all that are left."""
    silent_after = 20
    died = threading.Event()

    def some(message):
        if int(message.client_order_id) <= silent_after:
            return approval(message)
        died.set()
        return None

    fake = FakeRiskd(answer=some)
    lives = [fake]

    def revive():
        assert died.wait(30)
        fake.stop()
        lives.append(FakeRiskd(addresses=fake.addresses))

    reviver = threading.Thread(target=revive)
    reviver.start()
    orders = [check_of(str(number)) for number in range(1, 61)]
    answered = []
    tally = played(
        orders,
        options_for(fake, in_flight_max=8),
        on_answer=lambda message, answer: answered.append(message),
    )
    reviver.join()
    lives[1].stop()
    assert sorted(answered, key=orders.index) == orders
    assert (tally.requests, tally.answers, tally.unanswered) == (60, 60, 0)
    assert tally.resends > 0
    assert set(orders[silent_after:]) == set(lives[1].requests)


def test_play_ticks_lost_with_riskd_are_sent_again_from_their_beginning():
    first, second = [tick_of(1)], [tick_of(2)]
    fake = FakeRiskd()
    lives = [fake]

    def stream():
        yield Timed(1, first[0], 1)
        yield Timed(2, MarketState(symbol="AAPL", state=MarketPhase.OPEN), 1)
        wait_until(lambda: len(fake.ticks) == 2)
        fake.stop()
        lives.append(FakeRiskd(addresses=fake.addresses))
        yield Timed(3, second[0], 2)

    asyncio.run(asyncio.wait_for(play(stream(), options_for(fake)), 60))
    wait_until(lambda: second[0] in lives[1].ticks)
    lives[1].stop()
    assert lives[1].ticks[-3:] == [
        first[0],
        MarketState(symbol="AAPL", state=MarketPhase.OPEN),
        second[0],
    ]


def test_play_lockstep_sends_an_order_only_when_the_ticks_before_it_are_taken():
    order_came_after = []

    def taken(query):
        assert query["type"] == "instruments"
        seqs = {tick.feed: tick.seq for tick in fake.ticks}
        return Result(ok=True, data=[{"symbol": "AAPL", "feed_seqs": seqs}])

    def note(message):
        order_came_after.append(len(fake.ticks))
        return agreeable(message)

    messages = []
    for number in range(1, 31):
        messages += [tick_of(number), check_of(f"o-{number}")]
    with FakeRiskd(answer=note, control=taken) as fake:
        tally = played(messages, options_for(fake, lockstep=True))
    assert order_came_after == list(range(1, 31))
    assert tally.is_clean


def test_play_at_a_speed_waits_between_messages():
    async def scene():
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        stream = [Timed(at_ns, tick_of(at_ns), 1) for at_ns in (1, 300_000_001)]
        await play(stream, options_for(fake, speed=2.0))
        return loop.time() - began_s

    with FakeRiskd() as fake:
        # A lower bound that no slow machine can break: 0.3 s recorded, at twice the speed.
        assert asyncio.run(scene()) >= 0.149


def test_play_nobody_at_the_ticks_port_is_an_error_not_a_success():
    with FakeRiskd() as fake:
        gone = options_for(fake, reconnect_s=0.2)
    with pytest.raises(FeedError, match="has taken no tick"):
        played([tick_of(1)], gone)


def test_play_stops_early_when_asked_and_says_so():
    with FakeRiskd() as fake:
        tally = played([check_of("a"), check_of("b")], options_for(fake), should_stop=lambda: True)
    assert tally.is_interrupted
    assert tally.requests == 0


def test_percentiles_are_by_nearest_rank():
    assert percentiles(range(1, 1001)) == {"p50": 500, "p99": 990, "p999": 999, "max": 1000}
    assert percentiles([7]) == {"p50": 7, "p99": 7, "p999": 7, "max": 7}
    assert percentiles([]) == {}
