"""Sentence 6: whoever has no key, a wrong key, a wrong role or another's account is refused.

The rows are made from the messages themselves, so a new one cannot be forgotten. Many rows are
served by one riskd.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import zmq
from msgspec.structs import replace

from riskd.cli.app import run
from riskd.contract.roles import LEAST_ROLE, Role
from riskd.examples import example_of
from riskd.keys import ClientKey
from riskd.messages import Hello, InstructionReport
from tests.end_to_end.keyed import TYPES, KeyedRiskd, for_another, stranger
from tests.end_to_end.peer import Peer, read_answer

pytestmark = pytest.mark.end_to_end

# What each role may ask beside what whoever has a key may: by hand, not by the code that is tested.
ALLOWED: dict[str, set[Role | None]] = {
    "viewer": {Role.VIEWER},
    "operator": {Role.VIEWER, Role.OPERATOR},
    "risk_manager": {Role.VIEWER, Role.OPERATOR, Role.RISK_MANAGER},
    "feed": set(),
    "g-2": {Role.GATEWAY},
}
NAMELESS = {"ping", "resync", "resynced"}


@pytest.fixture(scope="module")
def riskd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedRiskd]:
    with KeyedRiskd(tmp_path_factory.mktemp("keyed")) as running:
        with running.knock("ticks", "feed", zmq.PUSH) as market:
            market.tell({"type": "tick", "symbol": "AAPL", "bid": 100.0, "ask": 100.0})
            running.wait_until(lambda: running.control("status")["ticks"].get("applied"))
        yield running
        running.require_running()
        said = running.output
        assert not any(key.secret in said for key in running.keys.values())


def encodings(message: msgspec.Struct) -> tuple[bytes, bytes]:
    return msgspec.json.encode(message), msgspec.msgpack.encode(message)


def refused_count(riskd: KeyedRiskd, port: str) -> int:
    """Return how many connections to a port were not let in so far."""
    told = riskd.control("metrics")
    failed: int = told["peers"][port].get("handshakes_failed", 0)
    return failed + int(told["log_ins"].get("log_ins_refused", 0))


@pytest.mark.parametrize("port", ["orders", "control", "ticks", "alerts"])
@pytest.mark.parametrize("who", ["no key", "a key on no list", "a key for another riskd"])
def test_stranger_is_answered_nothing_and_changes_nothing(riskd: KeyedRiskd, port: str, who: str):
    keys: dict[str, ClientKey | None] = {
        "no key": None,
        "a key on no list": stranger(riskd.keys),
        "a key for another riskd": for_another(riskd.keys["admin"]),
    }
    before, count = riskd.status(), refused_count(riskd, port)
    kind = {"ticks": zmq.PUSH, "alerts": zmq.SUB}.get(port, zmq.DEALER)
    with riskd.knock(port, keys[who], kind) as peer:
        if kind == zmq.SUB:
            peer.socket.setsockopt(zmq.SUBSCRIBE, b"")
        for message in (example_of(x) for x in TYPES.get(port, ())):
            for payload in encodings(message):
                peer.socket.send(payload, zmq.NOBLOCK)
        riskd.wait_until(lambda: refused_count(riskd, port) > count)
        after = riskd.status()
        if kind != zmq.PUSH:
            assert not peer.socket.poll(0)
    assert after["books_hash"] == before["books_hash"]
    assert after["ticks"] == before["ticks"]


@pytest.mark.parametrize("port", ["orders", "control"])
@pytest.mark.parametrize("name", list(ALLOWED))
def test_role_is_refused_every_request_that_is_not_its_own(riskd: KeyedRiskd, port: str, name: str):
    refused = [x for x in TYPES[port] if LEAST_ROLE[x] not in ALLOWED[name] | {None}]
    before = riskd.status()["books_hash"]
    with riskd.knock(port, name) as peer:
        for message in (example_of(kind) for kind in refused):
            for payload in encodings(message):
                answer = read_answer(peer.ask_bytes(payload))
                assert (answer["type"], answer["code"]) == ("error", "not_authorized"), message
                assert answer.get("request_id") == getattr(message, "request_id", None)
        assert peer.ask({"type": "ping"} if port == "orders" else {"type": "no"})["type"] in (
            "pong",
            "error",
        )
    assert riskd.status()["books_hash"] == before
    assert (len(refused) == 0) == (name == "g-2" and port == "orders")


def test_gateway_follows_its_own_account_by_command(
    riskd: KeyedRiskd, capsys: pytest.CaptureFixture[str]
):
    where = ["--alerts", riskd.addresses["alerts"], "--key", str(riskd.keys_folder / "g-2.key")]
    for what, topic in (("pnl", "pnl.A2"), ("limits", "limits")):
        asked = ["tail", what, "--account", "A2"] if what == "pnl" else ["tail", what]
        assert run([*asked, "--count", "1", "--json", *where]) == 0
        assert msgspec.json.decode(capsys.readouterr().out)["topic"] == topic


def test_role_is_let_do_every_question_that_is_its_own(riskd: KeyedRiskd):
    with riskd.knock("control", "viewer") as peer:
        for kind in TYPES["control"]:
            if LEAST_ROLE[kind] is Role.VIEWER:
                answer = peer.ask(example_of(kind))
                assert answer.get("code") != "not_authorized", answer


def test_gateway_is_refused_every_request_of_another_ones_account(riskd: KeyedRiskd):
    """Every example is about account A1 or of gateway G1; g-2 has neither."""
    before = riskd.status()["books_hash"]
    with riskd.knock("orders", "g-2") as peer:
        for kind in TYPES["orders"]:
            tag = str(kind.__struct_config__.tag)
            if tag in NAMELESS or kind is InstructionReport:  # The latter has a test of its own.
                continue
            for payload in encodings(example_of(kind)):
                answer = read_answer(peer.ask_bytes(payload))
                assert answer.get("code") == "not_authorized", (tag, answer)
        hello = example_of(Hello)
        assert isinstance(hello, Hello)
        for wrong in (
            replace(hello, accounts=()),  # Of another gateway.
            replace(hello, gateway="g-2"),  # A1 is none of its own.
            replace(hello, gateway="g-2", accounts=("A2", "A1")),
            replace(hello, gateway="g-2", accounts=("SUSPENSE",)),
        ):
            assert peer.ask(wrong)["code"] == "not_authorized"
    assert riskd.status()["books_hash"] == before


def a_check(account: str, order_id: str, **fields: Any) -> dict[str, Any]:
    order = {"symbol": "AAPL", "side": "buy", "quantity": 1, "price": 100.0}
    return {"type": "check", "account": account, "client_order_id": order_id, **order, **fields}


def test_gateway_cannot_reach_anothers_account_by_way_of_a_basket_or_an_amend(riskd: KeyedRiskd):
    with riskd.knock("orders", "g-1") as owner, riskd.knock("orders", "g-2") as intruder:
        assert owner.ask(a_check("A1", "own-1"))["approved"]
        mine, theirs = a_check("A2", "b-1"), a_check("A1", "b-2")
        del mine["type"], theirs["type"]
        for basket in (
            {"orders": [mine, theirs]},
            {"orders": [mine], "account": "A1"},
            {"orders": [theirs], "account": "A2"},
        ):
            told = {"type": "basket", "basket_id": "x", **basket}
            for packed in (False, True):
                assert intruder.ask(told, packed=packed)["code"] == "not_authorized"
        amend = {"type": "amend", "account": "A1", "client_order_id": "own-1", "quantity": 2}
        assert intruder.ask(amend)["code"] == "not_authorized"
        # Its own account, under the id of another one's order: another order.
        report = {"type": "order_report", "client_order_id": "own-1", "report_id": "r"}
        ack = intruder.ask({**report, "account": "A2", "status": "canceled"})
        assert "unknown_order" in ack["flags"]
        assert [x["client_order_id"] for x in riskd.control("orders", account="A1")] == ["own-1"]
        assert owner.ask({**report, "account": "A1", "status": "canceled"})["flags"] == []


def test_gateway_that_names_no_accounts_says_hello_for_its_own_alone(riskd: KeyedRiskd):
    with riskd.knock("orders", "g-1") as owner, riskd.knock("orders", "g-2") as other:
        assert owner.ask(a_check("A1", "h-1"))["approved"]
        assert other.ask({"type": "hello", "gateway": "g-2"})["type"] == "welcome"
        assert other.ask({"type": "resync"})["orders"] == []
        (row,) = [x for x in riskd.control("sessions") if x["gateway"] == "g-2" and x["alive"]]
        assert row["accounts"] == ["A2"]
        report = {"type": "order_report", "client_order_id": "h-1", "report_id": "h"}
        assert owner.ask({**report, "account": "A1", "status": "canceled"})["type"] == "ack"


def test_gateway_cannot_report_on_anothers_instruction(riskd: KeyedRiskd):
    with riskd.knock("orders", "g-1") as owner, riskd.knock("orders", "g-2") as other:
        hello = {"type": "hello", "gateway": "g-1", "executes_responses": True}
        assert owner.ask(hello)["type"] == "welcome"
        assert owner.ask(a_check("A1", "i-1"))["approved"]
        riskd.control("kill", scope="account", scope_id="A1", cancel=True, reason="drill")
        instruction = owner.read()
        assert (instruction["type"], instruction["client_order_id"]) == ("instruction", "i-1")
        done = {"type": "instruction_report", "instruction_id": instruction["instruction_id"]}
        assert other.ask({**done, "status": "done"})["code"] == "not_authorized"
        report = {"type": "order_report", "client_order_id": "i-1", "report_id": "i"}
        assert owner.ask({**report, "account": "A1", "status": "canceled"})["type"] == "ack"
        answer = owner.ask({**done, "status": "done"})
        assert (answer["type"], answer["flags"]) == ("ack", [])
        riskd.control("unkill", scope="account", scope_id="A1", reason="drill")


def taking_over(riskd: KeyedRiskd, name: dict[int, int | bytes]) -> Peer:
    """Connect g-2 under a routing id; who still has it keeps it, so that this may take a while."""
    for _ in range(100):
        peer = riskd.knock("orders", "g-2", options=name)
        peer.tell({"type": "ping"})
        if peer.waits_for(0.5):
            peer.receive()
            return peer
        peer.close()
    raise AssertionError("the routing id did not become free")


def test_identity_is_that_of_the_key_and_not_of_the_routing_id(riskd: KeyedRiskd):
    """Who takes another's routing id, once that one is gone, takes neither name nor session."""
    name: dict[int, int | bytes] = {zmq.ROUTING_ID: b"borrowed"}
    with riskd.knock("orders", "g-1", options=name) as first:
        session = first.ask({"type": "hello", "gateway": "g-1"})["session"]
        assert first.ask({"type": "ping"})["session"] == session
    with taking_over(riskd, name) as second:
        answer = second.ask({"type": "ping"})
        assert "session" not in answer
        assert second.ask({"type": "resync"})["code"] == "refused"
        assert second.ask(a_check("A1", "r-1"))["code"] == "not_authorized"


@pytest.mark.parametrize("name", ["viewer", "operator", "risk_manager", "g-1"])
def test_ticks_come_from_feeds_alone(riskd: KeyedRiskd, name: str):
    before, count = riskd.control("status")["ticks"], refused_count(riskd, "ticks")
    with riskd.knock("ticks", name, zmq.PUSH) as peer:
        for kind in TYPES["ticks"]:
            peer.tell(example_of(kind))
        riskd.wait_until(lambda: refused_count(riskd, "ticks") > count)
    assert riskd.control("status")["ticks"] == before


def test_control_requests_over_the_orders_port_are_none(riskd: KeyedRiskd):
    with riskd.knock("orders", "admin") as peer:
        for kind in TYPES["control"]:
            if kind not in TYPES["orders"] and kind.__struct_config__.tag != "check":
                assert peer.ask(example_of(kind))["code"] == "unknown_type"


def test_refusals_are_counted_logged_and_raise_an_alert(riskd: KeyedRiskd):
    with riskd.knock("control", "viewer") as peer:
        for _ in range(3):
            assert peer.ask({"type": "stop"})["code"] == "not_authorized"
    told = riskd.control("metrics")
    assert told["access"]["not_authorized"] >= 3
    assert told["log_ins"]["log_ins_refused"] >= 1
    kinds = {alert["alert_type"] for alert in riskd.control("alerts", limit=1000)}
    assert {"not_authorized", "login_refused"} <= kinds
    assert '"event": "not_authorized"' in riskd.output
