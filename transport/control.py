"""The control port: what operators ask and order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeGuard

import zmq

from engine.desk import Answer
from riskd.codec import control_codec
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
from transport.router import Request, Router, decode_request
from transport.sockets import CONTROL_BYTES_MAX

Reply = Callable[[Answer], None]


class ControlPort:
    """Reads control requests; commands pass the door, queries only look."""

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        *,
        command: Callable[[ControlCommand, bytes, Reply], None],
        query: Callable[[ControlQuery], Result | Error],
        stop: Callable[[Stop], None],
        work: Callable[[ControlWork | VerdictRequest, Reply], None],
    ) -> None:
        self.router = Router(
            socket, payload_bytes_max=CONTROL_BYTES_MAX, on_request=self._on_request
        )
        self._command = command
        self._query = query
        self._stop = stop
        self._work = work

    def _on_request(self, request: Request) -> None:
        message: ControlMessage | None = decode_request(control_codec, self.router, request)
        if message is None:
            return
        if isinstance(message, Stop):
            shown = {"state": "stopping", "drain": message.drain}
            self.router.answer(request, Result(ok=True, data=shown, request_id=message.request_id))
            self._stop(message)
        elif isinstance(message, ControlWork) or is_of_journal(message):
            self._work(message, lambda found: self._reply(request, found))
        elif isinstance(message, ControlCommand):
            self._command(message, request.payload, lambda found: self._reply(request, found))
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
