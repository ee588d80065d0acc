"""A riskd with keys, and who knocks at it: holders of keys, and strangers of every kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import zmq

from riskd.contract.roles import Role
from riskd.key_folder import new_key
from riskd.keys import ClientKey, client_key
from riskd.messages import ControlMessage, Message, OrdersRequest, TicksMessage
from riskd.reference.catalogue import types_of
from tests.end_to_end.peer import Peer
from tests.end_to_end.process import RiskdProcess

TYPES: dict[str, tuple[type[Message], ...]] = {
    "orders": types_of(OrdersRequest),
    "control": types_of(ControlMessage),
    "ticks": types_of(TicksMessage),
}
GATEWAYS = {"g-1": ("A1",), "g-2": ("A2",)}
SETTINGS = {
    "RISKD_PRICES__STALE_AFTER_MS": "600000",
    "RISKD_SESSIONS__HEARTBEAT_MS": "60000",
    "RISKD_PUBLISH__HEARTBEAT_MS": "50",
    "RISKD_PUBLISH__PUBLISH_MS": "50",
}


def make_keys(folder: Path) -> dict[str, ClientKey]:
    """Let one holder of each role in, under the name of the role, and two gateways."""
    made = {role.value: new_key(folder, role, role) for role in Role if role is not Role.GATEWAY}
    for name, accounts in GATEWAYS.items():
        made[name] = new_key(folder, name, Role.GATEWAY, accounts)
    return {name: _read(path) for name, path in made.items()}


def _read(path: Path) -> ClientKey:
    found = client_key(path)
    assert found is not None
    return found


def stranger(keys: Mapping[str, ClientKey]) -> ClientKey:
    """Return a pair that is on no list, for the right riskd."""
    public, secret = (half.decode() for half in zmq.curve_keypair())
    return ClientKey(public=public, secret=secret, server=keys["admin"].server)


def for_another(key: ClientKey) -> ClientKey:
    """Return a key that is on the list, of somebody who takes another riskd for the right one."""
    public, _ = zmq.curve_keypair()
    return msgspec.structs.replace(key, server=public.decode())


class KeyedRiskd(RiskdProcess):
    """A riskd that asks everybody for a key."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.keys_folder = folder / "keys"
        self.keys = make_keys(self.keys_folder)
        keyed = {"RISKD_SECURITY__KEYS": str(self.keys_folder)}
        super().__init__(folder, settings={**SETTINGS, **keyed, **(settings or {})})
        self._admin: Peer | None = None

    def knock(
        self,
        port: str,
        key: ClientKey | str | None,
        kind: int = zmq.DEALER,
        options: Mapping[int, int | bytes] | None = None,
    ) -> Peer:
        """A socket that asks to be let in at a port with a key, by its name, or with none."""
        found = self.keys[key] if isinstance(key, str) else key
        given: dict[int, int | bytes] = {}
        if found is not None:
            given = {
                zmq.CURVE_SERVERKEY: found.server.encode(),
                zmq.CURVE_PUBLICKEY: found.public.encode(),
                zmq.CURVE_SECRETKEY: found.secret.encode(),
            }
        return self.peer(port, kind, {**given, **(options or {})})

    def control(self, type_: str, **fields: Any) -> Any:
        """Ask as the admin and return the `data` of the result; fail on an error."""
        if self._admin is None:
            self._admin = self.knock("control", "admin", zmq.REQ)
        answer = self._admin.ask({"type": type_, **fields})
        assert answer["type"] == "result", answer
        return answer["data"]
