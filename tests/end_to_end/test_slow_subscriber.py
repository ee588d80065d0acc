"""A subscriber that does not read costs nobody but itself, and can see what it lost."""

from __future__ import annotations

import msgspec
import pytest
import zmq

from tests.end_to_end.process import RiskdProcess

pytestmark = pytest.mark.end_to_end
ORDERS = 30_000
BATCH = 500
SLOW: dict[int, int] = {zmq.RCVHWM: 1, zmq.RCVBUF: 4096}


def test_subscriber_that_never_reads_delays_no_verdict_and_sees_its_gap(tmp_path):
    """E81: every order is answered while it sleeps; then its numbers tell how many it missed."""
    order = {"type": "check", "account": "A1", "symbol": "AAPL", "side": "buy", "quantity": 1}
    with RiskdProcess(tmp_path, ipc=True) as riskd:
        with riskd.peer("alerts", zmq.SUB, SLOW) as sleeper, riskd.peer("orders") as gateway:
            sleeper.socket.setsockopt(zmq.SUBSCRIBE, b"verdict")
            riskd.wait_until(lambda: riskd.control("metrics")["alerts"]["subscriptions"])
            for first in range(0, ORDERS, BATCH):
                for number in range(first, first + BATCH):
                    told = {**order, "client_order_id": f"o-{number}", "price": 100.0}
                    gateway.tell(told)
                answered = {gateway.read()["client_order_id"] for _ in range(BATCH)}
                assert len(answered) == BATCH
            assert riskd.control("metrics")["alerts"]["sent"] >= ORDERS
            numbers = []
            sleeper.socket.setsockopt(zmq.RCVTIMEO, 1000)
            while sleeper.socket.poll(1000):
                _, event = sleeper.socket.recv_multipart()
                numbers.append(msgspec.json.decode(event)["pub_seq"])
            told = {**order, "client_order_id": "last", "price": 100.0}
            gateway.ask(told)
            _, event = sleeper.socket.recv_multipart()
            last = msgspec.json.decode(event)["pub_seq"]
        assert last == ORDERS + 1
        assert numbers == sorted(set(numbers))
        assert len(numbers) < ORDERS, "it must lose some, or this shows nothing"
