"""The wire of ZeroMQ by hand, for peers that break its rules: ZMTP 3.0 without security."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from tests.end_to_end.peer import ANSWER_MS_MAX
from tests.end_to_end.process import RiskdProcess

GREETING = b"\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL".ljust(64, b"\0")


def ready(kind: str) -> bytes:
    """Return the command that ends the handshake of a socket of this kind, such as `DEALER`."""
    body = b"\x05READY\x0bSocket-Type" + len(kind).to_bytes(4) + kind.encode()
    return b"\x04" + bytes([len(body)]) + body


def connected(riskd: RiskdProcess, port: str) -> socket.socket:
    """Return a TCP connection to one of the ports."""
    at = urlsplit(riskd.addresses[port])
    assert at.hostname is not None
    assert at.port is not None
    return socket.create_connection((at.hostname, at.port), ANSWER_MS_MAX / 1000)
