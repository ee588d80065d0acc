"""Binding a port: CURVE on tcp where there are keys, files of the owner alone on ipc."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import zmq

from riskd.key_folder import ServerKey
from transport.data_directory import DIRECTORY_MODE

PRIVATE_UMASK = 0o077
WRITABLE_BY_OTHERS = 0o022
IPC, TCP = "ipc://", "tcp://"


class BindError(Exception):
    """A port cannot be bound; the text says which, why, and what to do."""


def bind(
    socket: zmq.Socket[bytes], name: str, address: str, server: ServerKey | None = None
) -> str:
    """Bind a port and return where it is bound. Raises BindError.

    With a key of riskd's own, ZeroMQ asks about every connection, and one over tcp must have a key
    too. The process must have the umask PRIVATE_UMASK.
    """
    if address.startswith(IPC):
        _prepare_folder(name, address)
    if server is not None:
        socket.setsockopt(zmq.ZAP_DOMAIN, name.encode())
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, server.secret.encode())
        # It holds for what is bound next: so one port can have both kinds of address.
        socket.setsockopt(zmq.CURVE_SERVER, int(address.startswith(TCP)))
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        raise BindError(
            f"{name} port {address}: {error}; is another riskd running? Stop it, or give this one "
            "other addresses in [ports]"
        ) from None
    bound = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(bound, bytes)
    return bound.rstrip(b"\0").decode()


def _prepare_folder(name: str, address: str) -> None:
    """Make the folder of a Unix socket; raise if others could put one of theirs in its place."""
    path = address.removeprefix(IPC)
    if path == "*":
        return  # ZeroMQ makes a folder of its own for it, with mode 700.
    folder = Path(path).parent
    try:
        folder.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise BindError(f"{name} port {address}: {folder}: {error.strerror}") from None
    if stat.S_IMODE(found.st_mode) & WRITABLE_BY_OTHERS or found.st_uid not in (os.geteuid(), 0):
        raise BindError(
            f"{name} port {address}: others may write to {folder}, and could pass for riskd there: "
            f"chmod 700 {folder.resolve()}, or name a folder of your own"
        )
