"""The four ports at work: what operators order holds for the next order, and subscribers see it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import zmq

from riskd.contract.base import Severity
from riskd.messages import Check, Fill, Side
from riskd.subscriber import Subscriber
from tests.end_to_end.process import RiskdProcess

PATIENCE_MS = 20_000


@pytest.fixture(scope="module")
def riskd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RiskdProcess]:
    settings = {
        "RISKD_PUBLISH__HEARTBEAT_MS": "50",
        "RISKD_PUBLISH__PUBLISH_MS": "50",
        "RISKD_PRICES__STALE_AFTER_MS": "600000",
    }
    with RiskdProcess(tmp_path_factory.mktemp("ports"), settings=settings) as running:
        with running.peer("ticks", zmq.PUSH) as market:
            market.tell({"type": "tick", "symbol": "AAPL", "bid": 100.0, "ask": 100.0})
            running.wait_until(lambda: running.control("status")["ticks"].get("applied"))
        yield running


def a_check(order_id: str, account: str = "A1") -> Check:
    return Check(
        account=account,
        client_order_id=order_id,
        symbol="AAPL",
        side=Side.BUY,
        quantity=1.0,
        price=100.0,
    )


def ask(riskd: RiskdProcess, message: msgspec.Struct) -> Any:
    with riskd.peer("orders", zmq.REQ) as gateway:
        return gateway.ask(message)


def codes(verdict: Any) -> list[str]:
    return [reject["code"] for reject in verdict["rejects"]]


def take(listener: Subscriber, wanted: str, count: int = 1) -> list[Any]:
    """Return the next messages whose topic begins with `wanted`; fail if they do not come."""
    found: list[Any] = []
    while len(found) < count:
        received = listener.receive(timeout_ms=PATIENCE_MS)
        assert received is not None, f"no {wanted} came"
        if received[0].startswith(wanted):
            found.append(received[1])
    return found


def test_kill_is_in_force_for_the_next_order_and_unkill_lifts_it_alone(riskd: RiskdProcess):
    riskd.control("kill", scope="group", scope_id="desk-1", reason="feed looks wrong")
    riskd.control("kill", scope="account", scope_id="A1", reason="and so does he")
    killed = ask(riskd, a_check("k-1"))
    assert codes(killed) == ["KILLED"]
    assert "feed looks wrong" in killed["rejects"][0]["text"]
    riskd.control("unkill", scope="group", scope_id="desk-1")
    assert codes(ask(riskd, a_check("k-2"))) == ["KILLED"]
    riskd.control("unkill", scope="account", scope_id="A1")
    assert ask(riskd, a_check("k-3"))["approved"]


def test_breaker_is_tripped_listed_published_and_reset(riskd: RiskdProcess):
    with Subscriber(riskd.addresses["alerts"], ["breaker", "alert", "heartbeat"]) as listener:
        take(listener, "heartbeat")  # The subscription has arrived.
        shown = riskd.control("trip", scope="symbol", scope_id="AAPL", reason="news")
        opened = take(listener, "breaker.symbol.AAPL")[0]
        assert (opened.active, opened.reason, opened.breaker_id) == (
            True,
            "news",
            shown["breaker_id"],
        )
        alert = next(found for found in take(listener, "alert.critical.firm") if found.message)
        assert (alert.severity, alert.alert_type) == (Severity.CRITICAL, "breaker_stopped")
    assert codes(ask(riskd, a_check("b-1"))) == ["BREAKER_OPEN"]
    assert [b["reason"] for b in riskd.control("breakers")] == ["news"]
    with Subscriber(riskd.addresses["alerts"], ["breaker"]) as late:
        standing = take(late, "breaker.symbol.AAPL")[0]  # The last value, on subscribing.
        assert standing.active
    riskd.control("reset", breaker_id=shown["breaker_id"])
    assert ask(riskd, a_check("b-2"))["approved"]
    with riskd.peer("control", zmq.REQ) as operator:
        again = operator.ask({"type": "reset", "breaker_id": shown["breaker_id"]})
    assert (again["type"], again["code"]) == ("error", "not_found")


def test_subscriber_gets_last_values_then_changes_numbered_without_a_gap(riskd: RiskdProcess):
    with Subscriber(
        riskd.addresses["alerts"], ["pnl", "position", "limits", "verdict"]
    ) as listener:
        first = {type(m).__name__ for m in take(listener, "", 6)}
        assert "LimitsUpdate" in first
        assert "PnlUpdate" in first
        for number in range(20):
            ask(riskd, a_check(f"s-{number}", "A2"))
        events = take(listener, "verdict.A2", 20)
        assert [event.client_order_id for event in events] == [f"s-{n}" for n in range(20)]
        numbers = [event.pub_seq for event in events]
        assert numbers == list(range(numbers[0], numbers[0] + 20))
        fill = Fill(
            account="A2", exec_id="s-e", symbol="AAPL", side=Side.BUY, quantity=3.0, price=99.0
        )
        ask(riskd, fill)
        held = take(listener, "position.A2.AAPL")[-1]
        while held.quantity != 3.0:
            held = take(listener, "position.A2.AAPL")[-1]
        assert (held.average_price, held.mark, held.unrealized) == (99.0, 100.0, 3.0)


def test_heartbeat_tells_state_sequence_and_ages(riskd: RiskdProcess):
    with Subscriber(riskd.addresses["alerts"], ["heartbeat"]) as listener:
        beats = take(listener, "heartbeat", 3)
    assert [beat.state for beat in beats] == ["active"] * 3
    assert beats[-1].seq <= riskd.control("status")["seq"]
    assert beats[-1].feed_ages_ns["AAPL"] > 0


def test_account_and_instrument_added_by_an_operator_trade_at_once(riskd: RiskdProcess):
    instrument = {"symbol": "NEW", "currency": "USD", "tick_size": "0.5"}
    riskd.control("instrument_add", instrument=instrument)
    riskd.control("account_add", account={"id": "N1", "group": "desk-2", "balance": 5000})
    with riskd.peer("ticks", zmq.PUSH) as market:
        applied = riskd.control("status")["ticks"]["applied"]
        market.tell({"type": "tick", "symbol": "NEW", "bid": 10.0, "ask": 10.5})
        riskd.wait_until(lambda: riskd.control("status")["ticks"]["applied"] > applied)
    order = Check(
        account="N1", client_order_id="n-1", symbol="NEW", side=Side.BUY, quantity=2.0, price=10.5
    )
    assert ask(riskd, order)["approved"]
    assert [line["client_order_id"] for line in riskd.control("orders", account="N1")] == ["n-1"]
    with riskd.peer("control", zmq.REQ) as operator:
        other = operator.ask(
            {"type": "instrument_add", "instrument": {**instrument, "tick_size": "1"}}
        )
        unknown = operator.ask({"type": "account_add", "account": {"id": "N2", "group": "nope"}})
        dayless = operator.ask({"type": "account_add", "account": {"id": "N3", "calendar": "N"}})
    assert (other["code"], "tick_size" in other["text"]) == ("refused", True)
    assert (unknown["code"], "nope" in unknown["text"]) == ("refused", True)
    assert (dayless["code"], "no calendar N" in dayless["text"]) == ("refused", True)


def test_suspect_reservation_is_said_counted_and_freed_by_an_operator(tmp_path):
    with RiskdProcess(tmp_path, settings={"RISKD_ORDERS__RESERVATION_MS": "50"}) as running:
        with running.peer("ticks", zmq.PUSH) as market:
            market.tell({"type": "tick", "symbol": "AAPL", "bid": 100.0, "ask": 100.0})
            running.wait_until(lambda: running.control("status")["ticks"].get("applied"))
        assert ask(running, a_check("o-1"))["approved"]
        running.wait_until(lambda: running.control("alerts"))
        assert running.control("alerts")[0]["alert_type"] == "reservation_suspect"
        assert running.control("orders", account="A1")[0]["state"] == "suspect"
        running.control("order_release", account="A1", client_order_id="o-1", reason="checked")
        assert running.control("orders", account="A1") == []


@pytest.mark.parametrize("by", ["control", "SIGTERM", "SIGINT"])
def test_stop_drains_answers_what_came_and_exits_with_0(tmp_path, by: str):
    with RiskdProcess(tmp_path) as running:
        with running.peer("orders") as gateway:
            count = 200
            for number in range(count):
                gateway.tell({"type": "ping", "request_id": f"p-{number}"})
            assert msgspec.json.decode(gateway.receive())["request_id"] == "p-0"
            if by == "control":
                running.control("stop", drain=True)
            else:
                running.send_signal(getattr(signal, by))
            told = [msgspec.json.decode(gateway.receive())["request_id"] for _ in range(count - 1)]
        assert told == [f"p-{number}" for number in range(1, count)]
        assert running.wait_ended() == 0
        assert "stopped at seq" in running.output


def test_overload_is_answered_at_once_and_the_same_order_passes_later(tmp_path):
    settings = {
        "RISKD_JOURNAL__SYNC": "always",
        "RISKD_OVERLOAD__PEER_BACKLOG_MAX": "1",
        "RISKD_DEFAULT__ORDERS_PER_SECOND": "100000",
        "RISKD_DEFAULT__OPEN_ORDERS": "100000",
        "RISKD_PRICES__STALE_AFTER_MS": "600000",
    }
    with RiskdProcess(tmp_path, settings=settings) as running:
        with running.peer("ticks", zmq.PUSH) as market:
            market.tell({"type": "tick", "symbol": "AAPL", "bid": 1.0, "ask": 1.0})
            running.wait_until(lambda: running.control("status")["ticks"].get("applied"))
        orders = [
            {**msgspec.to_builtins(a_check(f"o-{number}")), "price": 1.0, "quantity": 1 + number}
            for number in range(300)
        ]
        with running.peer("orders") as gateway:
            for order in orders:
                gateway.tell(order)
            verdicts = [msgspec.json.decode(gateway.receive()) for _ in orders]
            refused = [verdict for verdict in verdicts if not verdict["approved"]]
            assert {code for verdict in refused for code in codes(verdict)} == {"OVERLOADED"}
            assert {(verdict["seq"], verdict["durability"]) for verdict in refused} == {(0, 0)}
            approved = [verdict for verdict in verdicts if verdict["approved"]]
            assert {verdict["durability"] for verdict in approved} == {2}
            number = int(refused[0]["client_order_id"].removeprefix("o-"))
            again = gateway.ask(orders[number])
        assert (again["approved"], again["duplicate"]) == (True, False)


def test_order_past_its_deadline_is_denied_and_reserves_nothing(riskd: RiskdProcess):
    late = msgspec.structs.replace(a_check("late-1", "A3"), deadline_ns=1)
    assert codes(ask(riskd, late)) == ["DEADLINE"]
    assert riskd.control("orders", account="A3") == []


def test_poller_has_rescued_nothing_after_all_of_this(riskd: RiskdProcess):
    assert riskd.control("metrics")["poller_rescues"] == 0
