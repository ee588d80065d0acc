"""Peers that misbehave below the messages: wrong sockets, raw bytes, and one that never reads."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
import zmq

from tests.end_to_end.peer import ANSWER_MS_MAX
from tests.end_to_end.process import PORTS, RiskdProcess
from tests.end_to_end.raw import GREETING, connected, ready

pytestmark = pytest.mark.end_to_end

RAW_BYTES = {
    "nothing": b"",
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "json": b'{"type":"ping"}\n',
    "random": random.Random(2).randbytes(4096),
    "zeros": bytes(70_000),
    "half a greeting": GREETING[:11],
    "a greeting alone": GREETING,
    "an unknown mechanism": GREETING.replace(b"NULL", b"NONE"),
    "a greeting and noise": GREETING + random.Random(3).randbytes(4096),
    "a command of 2**63 bytes": GREETING + b"\x06" + b"\xff" * 8,
    "a frame of 2**62 bytes": GREETING + ready("DEALER") + b"\x02" + (2**62).to_bytes(8),
    "a message without an end": GREETING + ready("DEALER") + b"\x01\x00" * 500,
    "a frame that never ends": GREETING + ready("DEALER") + b"\x00\xff" + b"x" * 10,
}
WRONG_KINDS = {"PUB": zmq.PUB, "PUSH": zmq.PUSH, "PULL": zmq.PULL, "SUB": zmq.SUB, "REP": zmq.REP}
REQUESTS_UNREAD = 50_000
# Its answers, 8 MB in all, are more than the buffers between hold: 4 MB is what Linux gives to one.
DEAF = {zmq.RCVHWM: 1, zmq.RCVBUF: 4096, zmq.SNDTIMEO: ANSWER_MS_MAX}


@pytest.fixture(scope="module")
def riskd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RiskdProcess]:
    with RiskdProcess(tmp_path_factory.mktemp("riskd")) as process:
        yield process
        process.require_running()


def require_serving(riskd: RiskdProcess) -> None:
    """Fail if a well-behaved gateway or operator is not served."""
    with riskd.peer("orders", zmq.REQ) as gateway:
        assert gateway.ask({"type": "ping"})["type"] == "pong"
    assert riskd.control("status")["state"] == "active"


def answers_dropped(riskd: RiskdProcess) -> int:
    count: int = riskd.control("metrics")["orders"].get("answers_dropped", 0)
    return count


@pytest.mark.parametrize("port", PORTS)
def test_bad_peer_of_raw_bytes_harms_nobody(riskd, port):
    """All of them stay connected while others are served, and are then cut off."""
    before = riskd.status()
    with ExitStack() as stack:
        for content in RAW_BYTES.values():
            raw = stack.enter_context(connected(riskd, port))
            with suppress(OSError):
                raw.sendall(content)
        require_serving(riskd)
    for content in RAW_BYTES.values():
        # It may be cut off before it has said everything.
        with connected(riskd, port) as raw, suppress(OSError):
            raw.sendall(content)
            raw.shutdown(socket.SHUT_WR)
    require_serving(riskd)
    assert riskd.status()["state_hash"] == before["state_hash"]


@pytest.mark.parametrize("port", ["orders", "control"])
@pytest.mark.parametrize("kind", WRONG_KINDS)
def test_bad_peer_of_the_wrong_kind_is_not_heard(riskd, port, kind):
    before = riskd.status()
    with riskd.peer(port, WRONG_KINDS[kind]) as stranger:
        stranger.socket.setsockopt(zmq.SNDTIMEO, 0)
        for _ in range(100):
            try:
                stranger.send(b'{"type":"ping"}')
            except zmq.ZMQError:
                break  # Nobody to send to, or a kind that does not send.
        require_serving(riskd)
    assert riskd.status()["state_hash"] == before["state_hash"]


@pytest.mark.parametrize("port", ["orders", "control"])
def test_bad_peer_that_takes_anothers_routing_id_takes_no_answers(riskd, port):
    """The first holder of an id keeps it: the second is not let in."""
    query = {"type": "ping"} if port == "orders" else {"type": "breakers"}
    with riskd.peer(port) as first:
        assert first.ask(query)["type"] in ("pong", "result")
        identity = os.urandom(5).replace(b"\0", b"\1")
        with riskd.peer(port) as holder, riskd.peer(port) as thief:
            for peer in (holder, thief):
                peer.socket.disconnect(riskd.addresses[port])
                peer.socket.setsockopt(zmq.ROUTING_ID, identity)
                peer.socket.connect(riskd.addresses[port])
                if peer is holder:
                    assert holder.ask(query)["type"] in ("pong", "result")
            thief.socket.setsockopt(zmq.SNDTIMEO, 0)
            thief.send(b"{}")
            for number in range(50):
                answer = holder.ask({**query, "request_id": str(number)})
                assert answer["request_id"] == str(number)


@pytest.mark.parametrize("kind", ["good", "bad"])
def test_bad_peer_that_never_reads_costs_only_itself(riskd, kind):
    """50,000 requests whose answers nobody takes: what no buffer holds is dropped and counted, and
    another gateway is served all the while."""
    contents = {"good": b'{"type":"ping","request_id":"%s"}' % (b"x" * 64), "bad": b"no message"}
    dropped_before = answers_dropped(riskd)
    with riskd.peer("orders", options=DEAF) as deaf, riskd.peer("orders") as gateway:
        for number in range(REQUESTS_UNREAD):
            deaf.send(contents[kind])
            if number % 500 == 0:
                answer = gateway.ask({"type": "ping", "request_id": str(number)})
                assert answer["request_id"] == str(number)
        riskd.wait_until(lambda: answers_dropped(riskd) > dropped_before)
        require_serving(riskd)


def test_bad_peer_that_leaves_before_its_answer_costs_nothing(riskd):
    """Its answer has nobody to go to: that is counted, and everybody else is served."""
    for _ in range(200):
        with riskd.peer("orders") as fleeting:
            fleeting.send(b'{"type":"ping"}')
    require_serving(riskd)


def test_bad_peer_that_leaves_many_connections_half_open_keeps_nobody_out(riskd):
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(connected(riskd, "orders")).sendall(GREETING[:20])
        require_serving(riskd)
