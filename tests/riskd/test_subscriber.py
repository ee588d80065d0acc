from __future__ import annotations

import time

import pytest

from riskd.gaps import Gap
from riskd.messages import Heartbeat, LimitsUpdate, PnlUpdate, Side, VerdictEvent
from riskd.subscriber import Publication, Subscriber
from tests.riskd.fake import FakeRiskd
from tests.riskd.waiting import wait_until

WAIT_MS = 20_000


def verdict_of(pub_seq: int) -> VerdictEvent:
    return VerdictEvent(
        account="A1",
        client_order_id=f"o-{pub_seq}",
        symbol="AAPL",
        side=Side.BUY,
        quantity=1.0,
        approved=True,
        seq=pub_seq,
        limits_version=1,
        checked_ns=1,
        duplicate=False,
        durability=1,
        rejects=(),
        warnings=(),
        pub_seq=pub_seq,
    )


def pnl_of(account: str, pub_seq: int) -> PnlUpdate:
    return PnlUpdate(
        account=account,
        currency="USD",
        equity=1.0,
        realized=0.0,
        unrealized=0.0,
        fees=0.0,
        day=0.0,
        complete=True,
        ts_ns=1,
        pub_seq=pub_seq,
    )


def heartbeat(server_ns: int) -> Heartbeat:
    return Heartbeat(
        seq=1,
        state="active",
        server_ns=server_ns,
        queue_depths={},
        verdict_p50_ns=1,
        verdict_p99_ns=1,
        verdict_p999_ns=1,
        feed_ages_ns={},
        journal_lag=0,
        pub_seq=1,
    )


def test_subscriber_receives_what_it_subscribed_to_and_counts_gaps():
    gaps: list[Gap] = []
    with (
        FakeRiskd() as fake,
        Subscriber(fake.addresses["alerts"], ["verdict."], on_gap=gaps.append) as subscriber,
    ):
        wait_until(lambda: "verdict." in fake.subscriptions)
        fake.publish("limits", LimitsUpdate(limits_version=1, seq=1, at_ns=1, pub_seq=1))
        for pub_seq in (4, 5, 9):
            fake.publish("verdict.A1", verdict_of(pub_seq))
        found = [subscriber.receive(timeout_ms=WAIT_MS) for _ in range(3)]
        assert subscriber.receive(timeout_ms=0) is None
    assert found == [Publication("verdict.A1", verdict_of(pub_seq)) for pub_seq in (4, 5, 9)]
    assert gaps == [Gap("verdict", 3)]
    assert subscriber.missed == {"verdict": 3}


def test_subscriber_last_values_come_first_and_are_no_gap():
    with FakeRiskd() as fake:
        fake.last_values = [("pnl.A1", pnl_of("A1", 40)), ("pnl.A2", pnl_of("A2", 90))]
        with Subscriber(fake.addresses["alerts"], ["pnl."]) as subscriber:
            wait_until(lambda: "pnl." in fake.subscriptions)
            fake.publish("pnl.A1", pnl_of("A1", 91))
            topics = [
                (found.topic, found.message.pub_seq)
                for _, found in zip(range(3), subscriber, strict=False)
            ]
    assert topics == [("pnl.A1", 40), ("pnl.A2", 90), ("pnl.A1", 91)]
    assert subscriber.missed == {}


def test_subscriber_notices_that_riskd_started_anew():
    fake = FakeRiskd()
    gaps: list[Gap] = []
    with Subscriber(fake.addresses["alerts"], ["verdict"], on_gap=gaps.append) as subscriber:
        wait_until(lambda: "verdict" in fake.subscriptions)
        fake.publish("verdict.A1", verdict_of(800))
        assert subscriber.receive(timeout_ms=WAIT_MS) is not None
        fake.stop()
        with FakeRiskd(addresses=fake.addresses) as second:
            # libzmq subscribes again only when its owner looks at the socket.
            def is_back() -> bool:
                assert subscriber.receive(timeout_ms=0) is None
                return "verdict" in second.subscriptions

            wait_until(is_back)
            second.publish("verdict.A1", verdict_of(1))
            assert subscriber.receive(timeout_ms=WAIT_MS) is not None
    assert gaps == [Gap("verdict", None)]
    assert subscriber.restarts == 1


def test_subscriber_is_alive_only_while_heartbeats_come():
    with (
        FakeRiskd() as fake,
        Subscriber(fake.addresses["alerts"], ["alert"], halted_after_ms=300) as subscriber,
    ):
        assert not subscriber.alive
        wait_until(lambda: "heartbeat" in fake.subscriptions)

        def beat() -> bool:
            fake.publish("heartbeat", heartbeat(time.time_ns()))
            return subscriber.alive

        wait_until(beat)
        assert subscriber.heartbeat is not None
        assert subscriber.heartbeat.state == "active"
        wait_until(lambda: not subscriber.alive)


def test_subscriber_heartbeat_that_waited_unread_is_as_old_as_it_says():
    """The gateway did not look for long, and meanwhile riskd died: it must not seem alive."""
    with (
        FakeRiskd() as fake,
        Subscriber(fake.addresses["alerts"], halted_after_ms=50) as subscriber,
    ):
        wait_until(lambda: "heartbeat" in fake.subscriptions)
        fake.publish("heartbeat", heartbeat(time.time_ns() - 3_600_000_000_000))
        # It has arrived at the pulse's socket once it has arrived at the other one.
        assert subscriber.receive(timeout_ms=WAIT_MS) is not None
        wait_until(lambda: subscriber._pulse.poll(0))
        began_ns = time.monotonic_ns()
        wait_until(lambda: time.monotonic_ns() - began_ns > 60_000_000)
        assert not subscriber.alive


def test_subscriber_unreadable_messages_are_counted_and_skipped():

    with (
        FakeRiskd() as fake,
        Subscriber(fake.addresses["alerts"], ["verdict"]) as subscriber,
    ):
        wait_until(lambda: "verdict" in fake.subscriptions)
        fake.publish("verdict.A1", {"type": "surprise"})
        fake.publish("verdict.A1", verdict_of(1))
        found = subscriber.receive(timeout_ms=WAIT_MS)
    assert found is not None
    assert found.message.pub_seq == 1
    assert subscriber.unreadable == 1


def test_subscriber_address_that_is_none_is_refused():
    with pytest.raises(ValueError, match="no address"):
        Subscriber("nowhere")
