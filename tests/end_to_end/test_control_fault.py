"""A bug of ours behind the control port: the one who asked is answered, the next is served."""

from __future__ import annotations

import pytest
import zmq

from riskd.messages import Accounts, ControlQuery, Result
from tests.end_to_end.peer import Peer
from transport.control import ControlPort
from transport.peers import PeerLimits, Peers

FAULT = "a bug of this test"


def answer(query: ControlQuery) -> Result:
    if isinstance(query, Accounts):
        raise RuntimeError(FAULT)
    return Result(ok=True, data=[], request_id=query.request_id)


def test_control_query_that_fails_is_answered_and_the_fault_is_not_hidden():
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    socket.bind("inproc://control")
    port = ControlPort(
        socket,
        peers=Peers(socket, "control", PeerLimits(10, 10, 1_000, 1_000, 10)),
        command=lambda *_: None,
        query=answer,
        stop=lambda *_: None,
        work=lambda *_: None,
    )
    with Peer(context, "inproc://control") as operator:
        operator.send(b'{"type":"accounts","request_id":"r-1"}')
        with pytest.raises(RuntimeError, match=FAULT):
            port.router.drain(1)
        operator.send(b'{"type":"breakers","request_id":"r-2"}')
        assert port.router.drain(2) == 1
        first, second = operator.receive(), operator.receive()
    context.destroy(linger=0)
    assert b'"code":"internal"' in first
    assert b'"request_id":"r-1"' in first
    assert b'"ok":true' in second
