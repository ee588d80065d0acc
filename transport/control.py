"""The control port: what operators ask and order."""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time_ns
from typing import TypeGuard, get_args

import zmq
from msgspec.structs import replace

from engine.desk import Answer
from riskd.codec import control_codec, encode_msgpack
from riskd.messages import (
    ControlCommand,
    ControlMessage,
    ControlQuery,
    ControlWork,
    Error,
    Result,
    Stop,
    VerdictRequest,
)
from transport.keyring import LOCAL
from transport.peers import Peers
from transport.router import Request, Router, decode_request, is_allowed
from transport.sockets import CONTROL_BYTES_MAX

# What still gets in when an operator's connection has sent too much: whatever is no question.
COMMANDS = frozenset(
    str(kind.__struct_config__.tag)
    for kind in (*get_args(ControlCommand), *get_args(ControlWork), Stop)
)
TIME_SHARE = 2  # Of the loop's time one operator's connection may have a half.
WORK_NS = 250_000_000  # As which what is done beside the loop counts: the loop stands for a fork.
Reply = Callable[[Answer], None]


class ControlPort:
    """Reads control requests; commands pass the door, queries only look."""

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        *,
        peers: Peers,
        command: Callable[[ControlCommand, bytes, Reply, str], None],
        query: Callable[[ControlQuery], Result | Error],
        stop: Callable[[Stop, str], None],
        work: Callable[[ControlWork | VerdictRequest, Reply, str], None],
    ) -> None:
        self.router = Router(
            socket,
            payload_bytes_max=CONTROL_BYTES_MAX,
            peers=peers,
            on_request=self._on_request,
            facts=COMMANDS,
        )
        self._command = command
        self._query = query
        self._stop = stop
        self._work = work

    def _on_request(self, request: Request) -> None:
        begun_ns = thread_time_ns()
        self._take(request)
        span_ns = thread_time_ns() - begun_ns
        self.router.peers.charge(request.sender, TIME_SHARE * span_ns)

    def _take(self, request: Request) -> None:
        message: ControlMessage | None = decode_request(control_codec, self.router, request)
        if message is None or not is_allowed(self.router, request, message):
            return
        if isinstance(message, Stop):
            shown = {"state": "stopping", "drain": message.drain}
            self.router.answer(request, Result(ok=True, data=shown, request_id=message.request_id))
            self._stop(message, request.holder.name)
        elif isinstance(message, ControlWork) or is_of_journal(message):
            by = request.holder.name
            self.router.peers.charge(request.sender, WORK_NS)
            self._work(message, lambda found: self._reply(request, found), by)
        elif isinstance(message, ControlCommand):
            by, (signed, raw) = request.holder.name, _signed(message, request)
            self._command(signed, raw, lambda found: self._reply(request, found), by)
        else:
            self.router.answer(request, self._looked(message, request))

    def _looked(self, query: ControlQuery, request: Request) -> Result | Error:
        """Return what a query shows. A bug of ours is answered too, and then goes on its way."""
        try:
            return self._query(query)
        except Exception:
            text = "riskd had a fault while it looked; nothing was changed"
            error = Error(code="internal", text=text, request_id=query.request_id)
            self.router.refuse(request, error)
            raise

    def _reply(self, request: Request, found: Answer) -> None:
        assert isinstance(found, Result | Error)  # Commands are answered by nothing else.
        self.router.answer(request, found)


def is_of_journal(query: ControlMessage) -> TypeGuard[VerdictRequest]:
    """Return whether a query is answered from the journal, when it has been read."""
    return isinstance(query, VerdictRequest) and query.seq is not None


def _signed(command: ControlCommand, request: Request) -> tuple[ControlCommand, bytes]:
    """Return a command and its bytes with the name of the key in the place of what it claims.

    Over ipc, and where there are no keys, people sign for themselves.
    """
    if request.holder is LOCAL or "by" not in command.__struct_fields__:
        return command, request.payload
    signed = replace(command, by=request.holder.name)
    return signed, encode_msgpack(signed)
