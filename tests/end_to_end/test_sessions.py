"""Gateways with sessions against a real riskd: one that dies is noticed, another cancels for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from riskd.messages import Hello, Welcome
from tests.end_to_end.books import replayed_hash
from tests.end_to_end.peer import Peer, read_answer
from tests.end_to_end.process import ROOT, RiskdProcess

pytestmark = pytest.mark.end_to_end

SHORT = {"RISKD_SESSIONS__HEARTBEAT_MS": "500"}  # So that what is lost is noticed soon.
LONG = {"RISKD_SESSIONS__HEARTBEAT_MS": "60000"}  # So that nothing is lost that is only slow.
ORDER = {
    "type": "check",
    "account": "A1",
    "symbol": "AAPL",
    "side": "buy",
    "quantity": 1,
    "price": 100.0,
}
GATEWAY = """
import sys, zmq, msgspec
socket = zmq.Context().socket(zmq.DEALER)
socket.connect(sys.argv[1])
for message in msgspec.json.decode(sys.argv[2]):
    socket.send(msgspec.json.encode(message))
    while msgspec.json.decode(answer := socket.recv())["type"] == "pong":
        pass
    print(answer.decode(), flush=True)
while True:
    if "request_id" not in msgspec.json.decode(socket.recv()):
        socket.send(b'{"type":"ping","request_id":"beat"}')
"""


def hello(gateway: str, **fields: Any) -> dict[str, Any]:
    told = {"executes_responses": True, "cancel_on_disconnect": True} | fields
    return {"type": "hello", "gateway": gateway, **told}


def next_of(peer: Peer, type_: str) -> Any:
    """Return the next message of a type; heartbeats before it are answered and left out."""
    while True:
        answer = read_answer(peer.receive())
        if answer["type"] == type_ and answer.get("request_id") != "beat":
            return answer
        assert answer["type"] == "pong", answer
        if "request_id" not in answer:
            peer.send(msgspec.json.encode({"type": "ping", "request_id": "beat"}))


def asked(peer: Peer, message: dict[str, Any], type_: str) -> Any:
    peer.send(msgspec.json.encode(message))
    return next_of(peer, type_)


@contextmanager
def started(program: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in a process of its own, which is killed at the end whatever happens."""
    command = [sys.executable, "-u", "-c", program, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def quote(riskd: RiskdProcess) -> None:
    with riskd.peer("ticks", zmq.PUSH) as feed:
        feed.tell({"type": "tick", "symbol": "AAPL", "bid": 100.0, "ask": 100.0})
        riskd.wait_until(lambda: riskd.status()["ticks"])


def sessions(riskd: RiskdProcess) -> dict[str, dict[str, Any]]:
    """Return the newest session of each gateway."""
    return {row["gateway"]: row for row in riskd.control("sessions")}


def working(riskd: RiskdProcess) -> dict[str, str]:
    return {row["client_order_id"]: row["state"] for row in riskd.control("orders", account="A1")}


@pytest.fixture
def riskd(tmp_path: Path):
    """A riskd that notices soon what is lost."""
    with RiskdProcess(tmp_path, settings=SHORT) as process:
        quote(process)
        yield process


@pytest.fixture
def patient(tmp_path: Path):
    """A riskd that gives gateways a minute."""
    with RiskdProcess(tmp_path, settings=LONG) as process:
        quote(process)
        yield process


def test_e69_gateway_that_is_killed_is_noticed_and_another_is_told_to_cancel(riskd: RiskdProcess):
    """E69: a real process with a session is killed (SIGKILL); its day order is cancelled."""
    with riskd.peer("orders") as second:
        messages = [
            hello("G1"),
            {**ORDER, "client_order_id": "day"},
            {**ORDER, "client_order_id": "gtc", "time_in_force": "gtc", "quantity": 2},
        ]
        told = msgspec.json.encode(messages).decode()
        with started(GATEWAY, riskd.addresses["orders"], told) as gateway:
            assert gateway.stdout is not None
            answers = [msgspec.json.decode(gateway.stdout.readline()) for _ in messages]
            assert [answer.get("approved") for answer in answers] == [None, True, True]
            asked(second, hello("G2"), "welcome")
            gateway.kill()
        instruction = next_of(second, "instruction")
        assert (instruction["action"], instruction["client_order_id"]) == ("cancel", "day")
        assert working(riskd) == {"day": "cancel_pending", "gtc": "pending"}
        lost = sessions(riskd)["G1"]
        assert (lost["alive"], lost["working_orders"]) == (False, 2)
        assert lost["lost_reason"] == "its connection is gone"
        done = {
            "type": "instruction_report",
            "instruction_id": instruction["instruction_id"],
            "status": "done",
        }
        assert asked(second, done, "ack")["flags"] == []
        report = {
            "type": "order_report",
            "account": "A1",
            "client_order_id": "day",
            "status": "canceled",
            "report_id": "r-1",
        }
        assert asked(second, report, "ack")["flags"] == []
        assert working(riskd) == {"gtc": "pending"}
    state_hash = riskd.status()["state_hash"]
    seq = riskd.status()["seq"]
    riskd.kill()
    assert replayed_hash(riskd.books, seq) == state_hash


def test_e69_instruction_leaves_when_its_record_is_on_disk(tmp_path: Path):
    """E69: with a journal that is synced before each answer, what is said unasked waits too."""
    with RiskdProcess(tmp_path, settings=SHORT | {"RISKD_JOURNAL__SYNC": "always"}) as riskd:
        quote(riskd)
        with riskd.peer("orders") as second:
            asked(second, hello("G2"), "welcome")
            with riskd.peer("orders") as first:
                asked(first, hello("G1"), "welcome")
                verdict = asked(first, {**ORDER, "client_order_id": "o-1"}, "verdict")
                assert verdict["durability"] == 2
            assert next_of(second, "instruction")["client_order_id"] == "o-1"


def test_instruction_outlives_a_kill_of_riskd_and_comes_again_with_its_id(patient: RiskdProcess):
    """What was not reported as done is given again, to the session that goes on."""
    riskd = patient
    with riskd.peer("orders") as gateway:
        session = asked(gateway, hello("G1"), "welcome")["session"]
        asked(gateway, {**ORDER, "client_order_id": "o-1"}, "verdict")
        anew = hello("G1", session=session + 1)  # It forgot which one it was.
        with riskd.peer("orders") as second:
            welcome = asked(second, anew, "welcome")
            assert welcome["session"] != session
            first = next_of(second, "instruction")
            assert (first["action"], first["client_order_id"]) == ("cancel", "o-1")
    riskd.kill()
    riskd.start()
    with riskd.peer("orders") as gateway:
        asked(gateway, hello("G1", session=welcome["session"]), "welcome")
        again = next_of(gateway, "instruction")
        assert again == first
        done = {"type": "instruction_report", "instruction_id": again["instruction_id"]}
        assert not asked(gateway, {**done, "status": "done"}, "ack")["duplicate"]
        assert asked(gateway, {**done, "status": "done"}, "ack")["duplicate"]
    assert working(riskd) == {"o-1": "cancel_pending"}


def test_gateway_that_falls_silent_loses_its_session_though_its_connection_stands(
    riskd: RiskdProcess,
):
    with riskd.peer("orders", zmq.REQ) as silent:
        silent.ask(hello("G1", executes_responses=False))
        riskd.wait_until(lambda: not sessions(riskd)["G1"]["alive"])
        lost = sessions(riskd)["G1"]["lost_reason"]
        assert lost == "nothing was heard of it for 3 heartbeats"
        assert "session" not in silent.ask({"type": "ping"})
        refused = silent.ask({**ORDER, "client_order_id": "o-1"})
        assert [reject["code"] for reject in refused["rejects"]] == ["UNRECONCILED"]
        again = silent.ask(hello("G1", executes_responses=False))
        assert silent.ask({"type": "ping"})["session"] == again["session"]
        assert silent.ask({**ORDER, "client_order_id": "o-2"})["approved"]


def test_gateway_that_answers_heartbeats_keeps_its_session(riskd: RiskdProcess):
    with riskd.peer("orders") as gateway:
        session = asked(gateway, hello("G1"), "welcome")["session"]
        for _ in range(5):
            beat = read_answer(gateway.receive())
            assert (beat["type"], beat["session"]) == ("pong", session)
            assert "request_id" not in beat
            asked(gateway, {"type": "ping", "request_id": "mine"}, "pong")
        assert sessions(riskd)["G1"]["alive"]


def test_req_cannot_be_given_instructions_and_is_told_so(riskd: RiskdProcess):
    with riskd.peer("orders", zmq.REQ) as gateway:
        answer = gateway.ask(hello("G1"))
        assert (answer["code"], answer["field"]) == ("refused", "$.executes_responses")
        assert "DEALER" in answer["text"]
        assert riskd.control("sessions") == []
        assert gateway.ask(hello("G1", executes_responses=False))["type"] == "welcome"


def test_e70_gateway_comes_back_after_a_restart_and_keeps_its_orders(patient: RiskdProcess):
    """E70: the session goes on where it is named; where it is not, it must resynchronise."""
    riskd = patient
    with riskd.peer("orders") as gateway:
        session = asked(gateway, hello("G1"), "welcome")["session"]
        verdict = asked(gateway, {**ORDER, "client_order_id": "o-1"}, "verdict")
        assert verdict["approved"]
    riskd.kill()
    riskd.start()
    quote(riskd)
    with riskd.peer("orders") as gateway:
        again = asked(gateway, hello("G1", session=session, last_seq=verdict["seq"]), "welcome")
        assert (again["session"], again["must_resync"]) == (session, False)
        assert working(riskd) == {"o-1": "pending"}
    with riskd.peer("orders") as fresh:
        anew = asked(fresh, hello("G1", cancel_on_disconnect=False), "welcome")
        assert anew["session"] != session
        assert anew["must_resync"]
        assert next_of(fresh, "instruction")["client_order_id"] == "o-1"
        refused = asked(fresh, {**ORDER, "client_order_id": "o-2"}, "verdict")
        assert [reject["code"] for reject in refused["rejects"]] == ["UNRECONCILED"]
        listed = asked(fresh, {"type": "resync"}, "working_orders")
        assert [order["client_order_id"] for order in listed["orders"]] == ["o-1"]
        asked(fresh, {"type": "resynced", "seq": listed["seq"]}, "ack")
        passed = asked(fresh, {**ORDER, "client_order_id": "o-3"}, "verdict")
        assert passed["approved"]


def test_session_of_before_a_restart_is_lost_if_its_gateway_stays_away(riskd: RiskdProcess):
    with riskd.peer("orders") as gateway:
        asked(gateway, hello("G1"), "welcome")
        asked(gateway, {**ORDER, "client_order_id": "o-1"}, "verdict")
    riskd.kill()
    riskd.start()
    riskd.wait_until(lambda: not sessions(riskd)["G1"]["alive"])
    assert working(riskd) == {"o-1": "cancel_pending"}
    assert sessions(riskd)["G1"]["instructions"] == 0  # Nobody is there to carry it out.


def test_messages_packed_as_msgpack_are_answered_and_instructed_so(riskd: RiskdProcess):
    with riskd.peer("orders") as gateway:
        gateway.send(msgspec.msgpack.encode(Hello(gateway="G1", executes_responses=True)))
        payload = gateway.receive()
        assert msgspec.msgpack.decode(payload, type=Welcome).session > 0
