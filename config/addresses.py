"""Checks the addresses of the ports: well formed, each once, and nobody from outside gets in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from config.entries import Declared, Entry
from config.errors import Problem
from config.settings import PortsSettings
from engine.misfits import Misfit

IPC_PATH_BYTES_MAX = 107  # What a Unix socket's address holds on Linux, without its last NUL.
PORT_MAX = 65_535
CONNECTING = "ticks_connect"
LOOPBACK = ("127.0.0.1", "[::1]", "localhost")
_TCP = re.compile(r"tcp://(\[[0-9a-fA-F:.]+\]|[^:/\[\]]+):([0-9]{1,5}|\*)")
_SHAPES = '"tcp://127.0.0.1:PORT" or "ipc://PATH"'


def check_ports(declared: Declared) -> Iterator[Problem]:
    """Yield what is wrong with the addresses of `[ports]`.

    Without keys every tcp address must be loopback: whoever reaches it is obeyed.
    """
    security = {name: raw for name, (_, raw) in declared.values.get("security", {}).items()}
    keyed = {name: bool(security.get("keys")) for name in PortsSettings.__struct_fields__}
    keyed[CONNECTING] = bool(security.get("publisher_key"))
    values = declared.values.get("ports", {})
    addresses: dict[str, list[str]] = {
        name: list(getattr(PortsSettings(), name)) for name in PortsSettings.__struct_fields__
    }
    addresses |= {name: raw for name, (_, raw) in values.items()}
    for finding in _findings(addresses, keyed):
        yield _entry_of(declared, str(finding.path[0])).problem(finding)


def _findings(addresses: dict[str, list[str]], keyed: dict[str, bool]) -> Iterator[Misfit]:
    seen: dict[str, str] = {}
    for name, listed in addresses.items():
        if not listed and name != CONNECTING and not (name == "ticks" and addresses[CONNECTING]):
            default = getattr(PortsSettings(), name)[0]
            yield Misfit((name,), "an empty list", "at least one address", f'Write ["{default}"].')
        for index, address in enumerate(listed):
            connects = name == CONNECTING
            finding = _check_address(address, connects=connects, keyed=keyed[name])
            if finding is None:
                finding = _check_repeated(address, f"ports.{name}", seen)
            if finding is not None:
                yield finding._replace(path=(name, index))


def _entry_of(declared: Declared, name: str) -> Entry:
    """Return where a port is set; a default that clashes is reported at its neighbours' table."""
    values = declared.values.get("ports", {})
    if name in values:
        return values[name][0]
    neighbours = [entry for entry, _ in values.values()]
    assert neighbours, "the defaults alone do not clash"
    return neighbours[0]


def _check_address(address: str, *, connects: bool, keyed: bool) -> Misfit | None:
    if address.startswith("ipc://"):
        return _check_ipc(address)
    if not address.startswith("tcp://"):
        suggestion = f'Write "tcp://{address}".' if "://" not in address else "Use tcp or ipc."
        return _finding(address, _SHAPES, suggestion)
    match = _TCP.fullmatch(address)
    if match is None:
        return _finding(address, _SHAPES, "Write a host, a colon and a port number.")
    host, port = match.groups()
    if host not in LOOPBACK and not keyed:
        safe = f'or use "tcp://127.0.0.1:{port}" or an ipc:// path.'
        remedy = (
            f"Set [security] publisher_key to the key file that the publisher gave you, {safe}"
            if connects
            else "Without keys anyone who reaches it could command riskd. Make keys: riskd keys "
            f'new admin, then set [security] keys = "keys"; {safe}'
        )
        expected = "a loopback address, " + ", ".join(LOOPBACK) + ", or an ipc:// path"
        return _finding(address, expected, remedy)
    chosen_by_system = port == "*" or int(port) == 0
    if chosen_by_system and connects:
        return _finding(address, "the port of a publisher", f"Write a port from 1 to {PORT_MAX}.")
    if not chosen_by_system and int(port) > PORT_MAX:
        return _finding(
            address, f"a port from 1 to {PORT_MAX}, or 0 for any free one", "Choose a smaller port."
        )
    return None


def _check_ipc(address: str) -> Misfit | None:
    path = address.removeprefix("ipc://")
    if not path or "\0" in path:
        return _finding(address, "ipc:// and the path of a file", 'Write "ipc://riskd.sock".')
    if len(path.encode()) > IPC_PATH_BYTES_MAX:
        limit = f"a path of at most {IPC_PATH_BYTES_MAX} bytes"
        return _finding(address, limit, "Use a shorter path, or one relative to the start folder.")
    return None


def _check_repeated(address: str, name: str, seen: dict[str, str]) -> Misfit | None:
    """Two sockets may not share an address, unless the system picks a free port for each."""
    if address.endswith((":0", ":*")) or address == "ipc://*":
        return None
    same = address.replace("//localhost:", "//127.0.0.1:")
    before = seen.get(same)
    if before is None:
        seen[same] = name
        return None
    return _finding(address, f"each address once; {before} has it", "Choose another address.")


def _finding(address: str, expected: str, suggestion: str) -> Misfit:
    return Misfit((), f'"{address}" (text)', expected, suggestion)
