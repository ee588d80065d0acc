"""Answers to ZeroMQ's questions: right ones, wrong ones, and what a failure of ours leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from zmq.utils import z85

from riskd.contract.roles import Role
from riskd.key_folder import new_key, revoke_key
from riskd.keys import client_key
from transport.keyring import Keyring
from transport.peers import PeerLimits, Peers
from transport.refusals import LogIn
from transport.zap import ADDRESS, ZapPort

LIMITS = PeerLimits(peers_max=10, connections_max=2, per_second=100, burst=100, strike_cost=1)


class Asked:
    """A ZAP port and somebody who asks it in ZeroMQ's place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = {
            role: client_key(new_key(folder, role, role, ("A1",) * (role is Role.GATEWAY)))
            for role in Role
        }
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.refused: list[LogIn] = []
        self.sockets: list[zmq.Socket[bytes]] = []
        self.keyring = Keyring(folder)
        self.zap = ZapPort(self.context, self.keyring, on_refused=self.refused.append)
        for name in ("orders", "ticks", "alerts", "control"):
            socket = self.context.socket(zmq.ROUTER)
            self.sockets.append(socket)
            self.zap.ports[name] = Peers(socket, name, LIMITS, keyring=self.keyring)
        self.asker = self.context.socket(zmq.REQ)
        self.asker.setsockopt(zmq.REQ_RELAXED, 1)
        self.asker.setsockopt(zmq.RCVTIMEO, 20_000)
        self.asker.connect(ADDRESS)

    def ask(self, *frames: bytes) -> list[bytes]:
        self.asker.send_multipart(frames)
        assert self.zap.socket.poll(20_000)
        assert self.zap.drain(1) == 1
        return self.asker.recv_multipart()

    def credentials(self, role: Role) -> bytes:
        key = self.keys[role]
        assert key is not None
        return z85.decode(key.public.encode())

    def log_in(self, role: Role, port: str = "orders") -> list[bytes]:
        key = self.credentials(role)
        return self.ask(b"1.0", b"7", port.encode(), b"10.0.0.9", b"", b"CURVE", key)


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    made = Asked(tmp_path / "keys")
    yield made
    made.context.destroy(linger=0)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("port", ["orders", "ticks", "alerts", "control"])
def test_zap_lets_each_role_in_where_it_has_business(asked: Asked, role: Role, port: str):
    allowed = {
        "orders": set(Role),
        "control": set(Role),
        "ticks": {Role.FEED, Role.ADMIN},
        "alerts": set(Role) - {Role.FEED},
    }
    version, number, status, _, user_id, _ = asked.log_in(role, port)
    assert (version, number) == (b"1.0", b"7")
    key = asked.keys[role]
    assert key is not None
    if role in allowed[port]:
        assert (status, user_id.decode()) == (b"200", key.public)
    else:
        assert (status, user_id) == (b"400", b"")
        assert asked.refused[-1].port == port


KEY = b"\x01" * 32
WRONG: dict[str, tuple[bytes, ...]] = {
    "a stranger": (b"1.0", b"7", b"orders", b"h", b"", b"CURVE", KEY),
    "a short key": (b"1.0", b"7", b"orders", b"h", b"", b"CURVE", b"\x01"),
    "no key": (b"1.0", b"7", b"orders", b"h", b"", b"CURVE"),
    "plain": (b"1.0", b"7", b"orders", b"h", b"", b"PLAIN", b"admin", b"admin"),
    "a port that is none": (b"1.0", b"7", b"*", b"h", b"", b"CURVE", KEY),
    "no port": (b"1.0", b"7", b"", b"h", b"", b"NULL"),
    "another version": (b"2.0", b"7", b"orders", b"h", b"", b"NULL"),
    "bytes that are no text": (b"1.0", b"7", b"\xff", b"\xff", b"", b"\xff", KEY),
    "too little": (b"1.0", b"7"),
    "nothing": (b"",),
    "too much": (b"1.0", b"7", b"orders", b"h", b"", b"CURVE", *[KEY] * 50),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_zap_refuses_what_is_wrong_and_answers_the_next_one(asked: Asked, name: str):
    answer = asked.ask(*WRONG[name])
    assert answer[2] in (b"400", b"500"), answer
    assert answer[4] == b""
    assert asked.log_in(Role.ADMIN)[2] == b"200"


def test_zap_survives_any_failure_of_ours(asked: Asked, monkeypatch: pytest.MonkeyPatch):
    """An exception while one is judged keeps nobody else out, which pyzmq's own does."""

    def fail(_: str) -> Any:
        raise RuntimeError("broken by the test")

    with monkeypatch.context() as broken:
        broken.setattr(asked.keyring, "holder", fail)
        assert asked.log_in(Role.ADMIN)[2] == b"500"
    assert asked.zap.counts["questions_failed"] == 1
    assert asked.log_in(Role.ADMIN)[2] == b"200"


def test_zap_refuses_a_revoked_key_at_once_and_keeps_what_did_not_change(asked: Asked):
    admin = asked.keys[Role.ADMIN]
    assert admin is not None
    before = asked.keyring.holder(admin.public)
    assert asked.log_in(Role.VIEWER)[2] == b"200"
    revoke_key(asked.folder, "viewer")
    assert asked.keyring.reload_if_changed()
    assert asked.log_in(Role.VIEWER)[2] == b"400"
    assert asked.keyring.holder(admin.public) is before
    assert not asked.keyring.reload_if_changed()


def test_zap_bounds_the_connections_of_a_key_on_each_port(asked: Asked):
    statuses = [asked.log_in(Role.VIEWER)[2] for _ in range(4)]
    assert statuses == [b"200", b"200", b"300", b"300"]  # 300: try again, ZeroMQ does.
    assert asked.log_in(Role.VIEWER, "control")[2] == b"200"
    assert asked.log_in(Role.OPERATOR)[2] == b"200"
