"""Who may come in: riskd's own end of ZAP (RFC 27), asked by ZeroMQ about every connection.

It runs on the loop, as everything that decides: what is in force changes between two questions and
never in the middle of one. A question that is wrong, or that we fail over, is answered with a no,
and the next one is answered as if nothing had been.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import zmq
from zmq.utils import z85

from riskd.contract.roles import Role
from transport.keyring import LOCAL_ID, Keyring
from transport.peers import Peers
from transport.refusals import LogIn
from transport.sockets import FRAMES_MAX, MORE, NOBLOCK, Reader

ADDRESS = "inproc://zeromq.zap.01"
VERSION = b"1.0"
ACCEPTED, TRY_AGAIN, REFUSED, FAILED = b"200", b"300", b"400", b"500"
CURVE_KEY_BYTES = 32
_RCVMORE = int(zmq.RCVMORE)
# Who may connect at all. Orders and control answer whom they refuse; these two cannot.
ROLES: dict[str, frozenset[Role]] = {
    "ticks": frozenset((Role.FEED, Role.ADMIN)),
    "alerts": frozenset(Role) - {Role.FEED},
}


class _Question(NamedTuple):
    """What ZeroMQ asks about one connection."""

    request_id: bytes
    domain: str  # A port of ours.
    address: str
    mechanism: bytes
    credentials: tuple[bytes, ...]


class ZapPort(Reader):
    """Answers ZeroMQ's questions about connections."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        keyring: Keyring,
        *,
        on_refused: Callable[[LogIn], None],
    ) -> None:
        """Bind in `context`, before any port of it is bound."""
        zap: zmq.Socket[bytes] = context.socket(zmq.ROUTER)
        zap.setsockopt(zmq.LINGER, 0)
        zap.bind(ADDRESS)
        super().__init__(zap)
        self.counts: Counter[str] = Counter()
        self.ports: dict[str, Peers] = {}
        self._keyring = keyring
        self._on_refused = on_refused

    def _take(self, first: bytes) -> None:
        frames = [first]
        while self._get(_RCVMORE):
            frames.append(self._recv(NOBLOCK))
        end = frames.index(b"") + 1 if b"" in frames else 1
        envelope, request_id, status, user_id = frames[:end], b"", FAILED, ""
        try:
            question = _read(frames[end:])
            request_id = question.request_id
            status, user_id = self._judge(question)
        except Exception:  # noqa: BLE001  Whatever it is, it must not keep out whoever comes next.
            self.counts["questions_failed"] += 1
        text = b"OK" if status == ACCEPTED else b"no"
        answer = [*envelope, VERSION, request_id, status, text, user_id.encode(), b""]
        for frame in answer[:-1]:
            self.socket.send(frame, MORE)
        self.socket.send(answer[-1], NOBLOCK)

    def _judge(self, question: _Question) -> tuple[bytes, str]:
        """Return the status, and the User-Id under which what it sends will come."""
        peers = self.ports[question.domain]
        if question.mechanism == b"NULL":  # Asked of ipc alone: there the file system decides.
            user_id = LOCAL_ID
        elif question.mechanism == b"CURVE" and len(question.credentials[0]) == CURVE_KEY_BYTES:
            user_id = z85.encode(question.credentials[0]).decode()
        else:
            return self._refuse(question, "", "no CURVE")
        holder = self._keyring.holder(user_id)
        if holder is None:
            return self._refuse(question, user_id, "the key is not on the allow-list")
        if holder.role not in ROLES.get(question.domain, Role):
            return self._refuse(question, user_id, f"a {holder.role} has nothing to do there")
        if user_id != LOCAL_ID and not peers.grants(user_id):
            return TRY_AGAIN, ""
        self.counts["log_ins"] += 1
        return ACCEPTED, user_id

    def _refuse(self, question: _Question, key: str, reason: str) -> tuple[bytes, str]:
        self.counts["log_ins_refused"] += 1
        shown = key or question.mechanism.decode("ascii", "replace")
        self._on_refused(LogIn(question.domain, question.address, shown, reason))
        return REFUSED, ""


def _read(frames: list[bytes]) -> _Question:
    """Return the question. Raises ValueError for anything else."""
    version, request_id, domain, address, _, mechanism, *credentials = frames
    if version != VERSION or len(credentials) > FRAMES_MAX:
        raise ValueError("no question of ZAP 1.0")
    told = (domain.decode(), address.decode(), mechanism, tuple(credentials))
    return _Question(request_id, *told)
