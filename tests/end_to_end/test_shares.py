"""What one connection may send: the rest is answered at once, and nobody else notices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from tests.end_to_end.peer import Peer
from tests.end_to_end.process import RiskdProcess

pytestmark = pytest.mark.end_to_end
BURST, STRIKE_COST = 40, 5
RESERVE = BURST // 4
SETTINGS = {
    "RISKD_SECURITY__MESSAGES_PER_SECOND": "1",  # So little that nothing is earned meanwhile.
    "RISKD_SECURITY__MESSAGES_BURST": str(BURST),
    "RISKD_SECURITY__TICKS_PER_SECOND": "30",
    "RISKD_SECURITY__STRIKE_COST": str(STRIKE_COST),
    "RISKD_SECURITY__PEERS_MAX": "100",
    "RISKD_SESSIONS__HEARTBEAT_MS": "60000",
}


@pytest.fixture(scope="module")
def riskd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RiskdProcess]:
    with RiskdProcess(tmp_path_factory.mktemp("shares"), settings=SETTINGS) as running:
        yield running
        running.require_running()


def a_report(number: int) -> dict[str, Any]:
    told = {"client_order_id": "none", "status": "canceled", "report_id": f"r-{number}"}
    return {"type": "order_report", "account": "A1", **told}


def used_up(riskd: RiskdProcess) -> Peer:
    """Return a peer that has sent what it may."""
    peer = riskd.peer("orders")
    for _ in range(BURST):
        assert peer.ask({"type": "ping"})["type"] == "pong"
    assert peer.ask({"type": "ping"})["code"] == "overloaded"
    return peer


@pytest.mark.parametrize("packed", [False, True])
def test_what_is_over_the_share_is_answered_overloaded_and_others_are_served(riskd, packed):
    with used_up(riskd) as peer, riskd.peer("orders") as other:
        for _ in range(100):
            answer = peer.ask({"type": "ping"}, packed=packed)
            assert (answer["type"], answer["code"]) == ("error", "overloaded")
        assert other.ask({"type": "ping"})["type"] == "pong"
        check = {"account": "A1", "symbol": "AAPL", "side": "buy", "quantity": 1, "price": 1.0}
        refused = peer.ask({"type": "check", "client_order_id": "o-1", **check})
        assert refused["code"] == "overloaded"
        # It was not looked at: the same id is a new order to whoever may still send.
        verdict = other.ask({"type": "check", "client_order_id": "o-1", **check, "quantity": 2})
        assert "DUPLICATE_ID" not in [reject["code"] for reject in verdict["rejects"]]


def test_facts_have_a_reserve_of_their_own(riskd):
    with used_up(riskd) as peer:
        answers = [peer.ask(a_report(number))["type"] for number in range(RESERVE + 5)]
        assert answers == ["ack"] * RESERVE + ["error"] * 5


def test_bad_messages_cost_what_a_strike_costs(riskd):
    with riskd.peer("orders") as peer:
        codes = [peer.ask({"type": "nonsense"})["code"] for _ in range(BURST)]
        # Each costs itself and the strike.
        taken = codes.index("overloaded")
        assert taken == -(-BURST // (1 + STRIKE_COST))
        assert set(codes[:taken]) == {"unknown_type"}
        assert set(codes[taken:]) == {"overloaded"}


def test_session_of_a_peer_that_sends_too_much_is_heard_of(riskd):
    with riskd.peer("orders") as peer:
        session = peer.ask({"type": "hello", "gateway": "loud"})["session"]
        for _ in range(BURST * 2):
            peer.ask({"type": "ping"})
        (row,) = [x for x in riskd.control("sessions") if x["session"] == session]
        assert row["alive"]


def test_ticks_over_the_share_are_dropped_and_counted(riskd):
    with riskd.peer("ticks", zmq.PUSH) as market:
        for _ in range(200):
            market.tell({"type": "tick", "symbol": "AAPL", "bid": 100.0, "ask": 100.0})
        riskd.wait_until(lambda: riskd.control("metrics")["ticks_port"].get("dropped", 0) > 100)


def test_questions_that_take_long_leave_room_for_others_and_commands_pass(riskd):
    with riskd.peer("control") as loud, riskd.peer("control") as other:
        codes = [loud.ask({"type": "metrics"}).get("code") for _ in range(BURST * 2)]
        assert codes[0] is None
        assert codes[-1] == "overloaded"
        assert other.ask({"type": "metrics"})["ok"]
        assert loud.ask({"type": "kill", "scope": "account", "scope_id": "A4"})["ok"]
        assert other.ask({"type": "unkill", "scope": "account", "scope_id": "A4"})["ok"]


def test_connections_beyond_what_a_port_takes_are_cut_and_nobody_is_shut_out(riskd):
    with riskd.peer("orders") as early:
        early.ask({"type": "ping"})
        idle = [riskd.peer("orders") for _ in range(150)]
        riskd.wait_until(
            lambda: riskd.control("metrics")["peers"]["orders"].get("over_peers_max", 0) >= 50
        )
        assert early.ask({"type": "ping"})["type"] == "pong"
        for one in idle:
            one.close()
        with riskd.peer("orders") as late:
            assert late.ask({"type": "ping"})["type"] == "pong"
    assert riskd.control("metrics")["peers"]["orders"]["standing"] <= 100
