"""Keys that come and go under a running riskd, what they are called by, and what they may hear."""

from __future__ import annotations

import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from riskd.contract.order_hash import order_hash
from riskd.contract.roles import Role
from riskd.key_folder import ALLOWED_FILE, new_key, revoke_key
from riskd.keys import client_key
from riskd.messages import Check, Side
from riskd.subscriber import Subscriber
from tests.end_to_end.books import replayed_hash
from tests.end_to_end.keyed import KeyedRiskd
from tests.end_to_end.peer import Peer

pytestmark = pytest.mark.end_to_end
PATIENCE_MS = 20_000


@pytest.fixture(scope="module")
def publisher() -> Iterator[tuple[zmq.Socket[bytes], str]]:
    """A PUB that lets nobody in without CURVE, and its public key."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.PUB)
    public, secret = zmq.curve_keypair()
    socket.setsockopt(zmq.CURVE_SERVER, 1)
    socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
    socket.bind("tcp://127.0.0.1:*")
    yield socket, public.decode()
    context.destroy(linger=0)


@pytest.fixture(scope="module")
def riskd(
    tmp_path_factory: pytest.TempPathFactory, publisher: tuple[zmq.Socket[bytes], str]
) -> Iterator[KeyedRiskd]:
    folder = tmp_path_factory.mktemp("keyed")
    socket, server = publisher
    at = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(at, bytes)
    public, secret = (half.decode() for half in zmq.curve_keypair())
    key = folder / "publisher.key"
    key.touch(mode=0o600)
    key.write_text(f'public = "{public}"\nsecret = "{secret}"\nserver = "{server}"\n')
    settings = {
        "RISKD_PORTS__TICKS_CONNECT": f'["{at.decode().rstrip(chr(0))}"]',
        "RISKD_SECURITY__PUBLISHER_KEY": str(key),
    }
    with KeyedRiskd(folder, settings) as running:
        quote(running)
        yield running
        running.require_running()


def quote(riskd: KeyedRiskd) -> None:
    with riskd.knock("ticks", "feed", zmq.PUSH) as market:
        market.tell({"type": "tick", "symbol": "AAPL", "bid": 100.0, "ask": 100.0})
        riskd.wait_until(lambda: riskd.control("status")["ticks"].get("applied"))


def test_publisher_with_a_key_of_its_own_is_subscribed_to(riskd, publisher):
    socket, _ = publisher
    tick = b'{"type":"tick","symbol":"MSFT","bid":400.0,"ask":400.0,"feed":"pub"}'

    def is_heard() -> bool:
        socket.send_multipart((b"MSFT", tick))
        found = {row["symbol"]: row for row in riskd.control("instruments")}
        return bool(found["MSFT"]["bid"] == 400.0)

    riskd.wait_until(is_heard)
    assert riskd.control("metrics")["peers"]["publishers"]["standing"] == 1


def let_in(riskd: KeyedRiskd, name: str, role: Role, *accounts: str) -> None:
    """Make a key while riskd runs, and return when it is in force."""
    found = client_key(new_key(riskd.keys_folder, name, role, accounts))
    assert found is not None
    riskd.keys[name] = found
    riskd.control("reload")


def a_check(account: str, order_id: str, **fields: Any) -> Check:
    order: dict[str, Any] = {"symbol": "AAPL", "side": Side.BUY, "quantity": 1.0, "price": 100.0}
    return Check(account=account, client_order_id=order_id, **order | fields)


def counts(riskd: KeyedRiskd, port: str) -> dict[str, int]:
    told: dict[str, int] = riskd.control("metrics")["peers"][port]
    return told


def is_silent(peer: Peer, message: Any) -> bool:
    """Whether a request gets no answer, though one that another sends later does."""
    peer.tell(message)
    return not peer.socket.poll(0)


def test_key_made_while_riskd_runs_lets_in_and_revoked_serves_nobody_any_more(riskd: KeyedRiskd):
    let_in(riskd, "guest", Role.GATEWAY, "A3")
    with riskd.knock("orders", "guest") as guest, riskd.knock("orders", "g-1") as other:
        assert guest.ask(a_check("A3", "g-1"))["approved"]
        cut = counts(riskd, "orders").get("cut", 0)
        revoke_key(riskd.keys_folder, "guest")  # Nobody is told: riskd sees it by itself.
        riskd.wait_until(lambda: counts(riskd, "orders").get("cut", 0) > cut)
        before = riskd.status()["books_hash"]
        assert is_silent(guest, a_check("A3", "g-2"))
        assert other.ask({"type": "ping"})["type"] == "pong"
        assert not guest.socket.poll(0)
        assert riskd.status()["books_hash"] == before


def test_key_whose_accounts_change_begins_anew_with_the_new_ones(riskd: KeyedRiskd):
    let_in(riskd, "mover", Role.GATEWAY, "A3", "A4")
    with riskd.knock("orders", "mover") as mover:
        hello = {"type": "hello", "gateway": "mover"}
        assert mover.ask(hello)["type"] == "welcome"
        allowed = riskd.keys_folder / ALLOWED_FILE
        text = allowed.read_text().replace('["A3", "A4"]', '["A4"]')
        allowed.write_text(text)
        riskd.control("reload")
        riskd.wait_until(lambda: mover.ask({"type": "ping"}) is not None)  # Connected again.
        assert mover.ask(a_check("A3", "m-1"))["code"] == "not_authorized"
        assert mover.ask(a_check("A4", "m-2"))["type"] == "verdict"
    revoke_key(riskd.keys_folder, "mover")


def test_list_that_cannot_be_read_changes_nothing_and_says_so(riskd: KeyedRiskd):
    allowed = riskd.keys_folder / ALLOWED_FILE
    good = allowed.read_bytes()
    with riskd.knock("control", "viewer", zmq.REQ) as viewer:
        allowed.write_bytes(good + b"[[key]]\nname = 'x'\n")
        with riskd.knock("control", "admin", zmq.REQ) as admin:
            refused = admin.ask({"type": "reload"})
        assert (refused["code"], "key" in refused["text"]) == ("refused", True)
        kinds = [alert["alert_type"] for alert in riskd.control("alerts", limit=100)]
        assert "keys_unreadable" in kinds
        assert viewer.ask({"type": "status"})["ok"]
        allowed.chmod(0o640)
        riskd.send_signal(signal.SIGHUP)
        riskd.wait_until(lambda: "mode 0640" in riskd.output)
        assert viewer.ask({"type": "status"})["ok"]
        allowed.write_bytes(good)
        allowed.chmod(0o600)
        riskd.wait_until(lambda: "keys_reloaded" in riskd.output.rpartition("mode 0640")[2])
        assert viewer.ask({"type": "status"})["ok"]


def heard(listener: Subscriber, wanted: str) -> Any:
    """Return the next message whose topic begins so; fail if none comes."""
    while True:
        received = listener.receive(timeout_ms=PATIENCE_MS)
        assert received is not None, f"no {wanted} came"
        if received.topic.startswith(wanted):
            return received


def test_subscriber_whose_key_is_revoked_hears_nothing_any_more(riskd: KeyedRiskd):
    let_in(riskd, "ear", Role.VIEWER)
    at = riskd.addresses["alerts"]
    with Subscriber(at, [""], key=riskd.keys["ear"]) as ear:
        heard(ear, "heartbeat")
        revoke_key(riskd.keys_folder, "ear")
        riskd.control("reload")
        riskd.wait_until(lambda: counts(riskd, "alerts")["cut"] >= 2)
        while ear.receive(timeout_ms=0) is not None:
            pass  # What was on its way before.
        with Subscriber(at, ["heartbeat"], key=riskd.keys["viewer"]) as other:
            for _ in range(3):
                heard(other, "heartbeat")
        assert ear.receive(timeout_ms=0) is None


def test_gateway_hears_its_own_accounts_and_no_others(riskd: KeyedRiskd):
    at = riskd.addresses["alerts"]
    wanted = ["heartbeat", "verdict.A1", "pnl.A1", "position.A1.", "alert.critical.A1"]
    with Subscriber(at, wanted, key=riskd.keys["g-1"]) as ear:
        assert heard(ear, "pnl").topic == "pnl.A1"
        with riskd.knock("orders", "g-1") as owner:
            owner.ask(a_check("A1", "e-1"))
        assert heard(ear, "verdict").topic == "verdict.A1"


@pytest.mark.parametrize(
    "topic",
    [
        *("", "v", "verdict", "verdict.", "verdict.A", "verdict.A2", "pnl.A2", "firm.", "firm.pnl"),
        *("breaker", "breaker.account.A1", "alert", "alert.", "alert.high", "alert.high."),
        *("alert.high.A2", "position.A2.", "position.A", "certificate.A3", "response.A2"),
        *("risk_update.A2", "margin.A", "drawdown.A2", "exposure.A2"),
    ],
)
def test_gateway_is_refused_topics_that_are_not_its_own(riskd: KeyedRiskd, topic: str):
    told = riskd.control("metrics")["alerts"].get("subscriptions_not_authorized", 0)
    with riskd.knock("alerts", "g-1", zmq.SUB) as ear:
        ear.socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        riskd.wait_until(
            lambda: riskd.control("metrics")["alerts"].get("subscriptions_not_authorized", 0) > told
        )
        assert not ear.socket.poll(0)


def test_refused_subscription_that_ends_takes_nothing_from_who_is_subscribed(riskd: KeyedRiskd):
    with Subscriber(riskd.addresses["alerts"], ["verdict"], key=riskd.keys["viewer"]) as viewer:
        with riskd.knock("alerts", "g-1", zmq.SUB) as ear:
            told = riskd.control("metrics")["alerts"].get("subscriptions_not_authorized", 0)
            ear.socket.setsockopt(zmq.SUBSCRIBE, b"verdict")
            riskd.wait_until(
                lambda: riskd.control("metrics")["alerts"]["subscriptions_not_authorized"] > told
            )
            ear.socket.setsockopt(zmq.UNSUBSCRIBE, b"verdict")
            standing = counts(riskd, "alerts")["standing"]
        riskd.wait_until(lambda: counts(riskd, "alerts")["standing"] < standing)
        with riskd.knock("orders", "g-2") as owner:
            owner.ask(a_check("A2", "u-1"))
        assert heard(viewer, "verdict").topic == "verdict.A2"


def test_account_whose_name_begins_as_anothers_is_not_heard_by_the_others_gateway(
    riskd: KeyedRiskd,
):
    let_in(riskd, "q", Role.GATEWAY, "Q")
    riskd.control("account_add", account={"id": "Q", "group": "desk-1"})
    at = riskd.addresses["alerts"]
    with Subscriber(at, ["verdict.Q", "heartbeat"], key=riskd.keys["q"]) as ear:
        heard(ear, "heartbeat")
        riskd.wait_until(lambda: riskd.control("metrics")["alerts"]["subscriptions"] >= 1)
        riskd.control("account_add", account={"id": "QX", "group": "desk-1"})
        with riskd.knock("orders", "admin") as admin:
            admin.ask(a_check("QX", "q-1"))
            admin.ask(a_check("Q", "q-2"))
        topics = set()
        with Subscriber(at, ["heartbeat"], key=riskd.keys["viewer"]) as clock:
            for _ in range(3):
                heard(clock, "heartbeat")
        while (received := ear.receive(timeout_ms=0)) is not None:
            topics.add(received.topic)
        assert "verdict.QX" not in topics


def test_two_people_are_two_keys_whatever_names_they_claim(riskd: KeyedRiskd):
    let_in(riskd, "ann", Role.RISK_MANAGER)
    let_in(riskd, "bob", Role.RISK_MANAGER)
    change = {"scope": "account:A2", "key": "order_notional", "value": 2000}
    with riskd.knock("control", "ann") as ann, riskd.knock("control", "bob") as bob:
        proposed = ann.ask({"type": "limits_propose", "changes": [change], "by": "carl"})
        approve = {"type": "limits_approve", "proposal_id": proposed["data"]["proposal_id"]}
        assert ann.ask({**approve, "by": "bob"})["code"] == "refused"
        assert ann.ask(approve, packed=True)["code"] == "refused"
        assert bob.ask({**approve, "by": "ann"})["ok"]
        order = a_check("A2", "block", quantity=25.0)
        override = {
            "type": "override",
            "order_hash": order_hash(order),
            "expires_ns": 2**62,
            "requested_by": "ann",
            "approved_by": "bob",
        }
        for _ in range(2):
            assert ann.ask(override)["data"]["waits_for"] == "bob"
        with riskd.knock("control", "risk_manager") as third:
            assert third.ask(override)["code"] == "refused"
        with riskd.knock("orders", "g-2") as gateway:
            assert not gateway.ask(msgspec.structs.replace(order, dry_run=True))["approved"]
            assert "waits_for" not in bob.ask(override)["data"]
            assert gateway.ask(order)["approved"]


def test_commands_keep_the_name_of_their_key_over_a_restart(riskd: KeyedRiskd):
    with riskd.knock("control", "operator", zmq.REQ) as operator:
        opened = operator.ask({"type": "trip", "scope": "symbol", "scope_id": "MSFT"})["data"]
    before = riskd.status()
    riskd.kill()
    assert replayed_hash(riskd.books, before["seq"]) == before["state_hash"]
    riskd.start()
    (breaker,) = [x for x in riskd.control("breakers") if x["breaker_id"] == opened["breaker_id"]]
    assert breaker["by"] == "operator"
    quote(riskd)


def test_ipc_beside_tcp_is_its_owners_alone_and_needs_no_key(tmp_path: Path):
    folder = tmp_path / "s"
    at = f"ipc://{folder}/c"
    assert len(at) < 100
    riskd = KeyedRiskd(tmp_path)
    riskd.addresses["control"] = at
    with riskd:
        with riskd.peer("control", zmq.REQ) as local:
            assert local.ask({"type": "status"})["ok"]
            shown = local.ask({"type": "kill", "scope": "firm", "reason": "drill"})
            assert shown["ok"]
            (breaker,) = local.ask({"type": "breakers"})["data"]
            assert breaker["by"] == "local operator"
        path = folder / "c"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
        with riskd.peer("orders") as stranger:
            stranger.tell({"type": "ping"})
            with riskd.knock("orders", "viewer") as viewer:
                assert viewer.ask({"type": "ping"})["type"] == "pong"
            assert not stranger.socket.poll(0)
