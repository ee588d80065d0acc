"""A small stand-in for riskd: real sockets that speak the contract, answers chosen by the test."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Self

import msgspec
import zmq

from riskd.codec import encode_json, encode_like, orders_codec, ticks_codec
from riskd.messages import Ack, Check, Error, Funding, OrderReport, Ping, Pong, Transfer, Verdict

Answerer = Callable[[Any], Any]
POLL_MS = 20


def approval(order: Check, seq: int = 1) -> Verdict:
    """An approval of `order`."""
    return Verdict(
        client_order_id=order.client_order_id,
        account=order.account,
        approved=True,
        seq=seq,
        limits_version=1,
        checked_ns=1,
        duplicate=False,
        durability=1,
        rejects=(),
        warnings=(),
        request_id=order.request_id,
    )


def agreeable(message: Any) -> Any:
    """Approve every check and acknowledge every fact."""
    match message:
        case Check():
            return approval(message)
        case Ping():
            return Pong(server_ns=1, last_seq=0, state="active", request_id=message.request_id)
        case OrderReport():
            return Ack(seq=1, ref=message.report_id, duplicate=False, flags=())
        case Transfer():
            return Ack(seq=1, ref=message.transfer_id, duplicate=False, flags=())
        case Funding():
            return Ack(seq=1, ref=message.funding_id, duplicate=False, flags=())
        case _:
            return Ack(seq=1, ref=message.exec_id, duplicate=False, flags=())


class FakeRiskd:
    """Binds the four ports on free loopback ports, or on given ones, in a thread of its own.

    `shuffle` answers are held back and sent in reverse.

    `answer` and `control` return the answer to a decoded message, None for silence. Everything
    received is kept. `publish` sends on the alerts port; `subscriptions` says who listens.
    """

    def __init__(
        self,
        answer: Answerer = agreeable,
        control: Answerer = lambda message: Error(code="unknown_type", text="not here"),
        addresses: dict[str, str] | None = None,
        shuffle: int = 1,
    ) -> None:
        self.requests: list[Any] = []
        self.ticks: list[Any] = []
        self.subscriptions: set[str] = set()
        self.last_values: list[tuple[str, Any]] = []
        self._answer, self._control = answer, control
        self._shuffle = shuffle
        self._held: list[tuple[Any, list[bytes], bytes, Any]] = []
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._outbox: list[list[bytes]] = []
        self._lock = threading.Lock()
        kinds = {"orders": zmq.ROUTER, "ticks": zmq.PULL, "alerts": zmq.XPUB, "control": zmq.ROUTER}
        self._sockets = {name: self._context.socket(kind) for name, kind in kinds.items()}
        self.addresses: dict[str, str] = {}
        for socket in self._sockets.values():
            socket.setsockopt(zmq.LINGER, 0)
        # Tell of every subscription, also while one like it, of a peer just gone, still stands.
        self._sockets["alerts"].setsockopt(zmq.XPUB_VERBOSE, 1)
        for name, socket in self._sockets.items():
            wanted = (addresses or {}).get(name, "tcp://127.0.0.1:*")
            socket.bind(wanted)
            endpoint = socket.getsockopt(zmq.LAST_ENDPOINT)
            assert isinstance(endpoint, bytes)
            self.addresses[name] = endpoint.decode().rstrip("\0")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake-riskd")
        self._thread.start()

    def publish(self, topic: str, message: Any) -> None:
        """Publish a message as JSON."""
        with self._lock:
            self._outbox.append([topic.encode(), encode_json(message)])

    def stop(self) -> None:
        """Close everything; what was not answered stays so."""
        self._stopping.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self.stop()

    def _run(self) -> None:
        poller = zmq.Poller()
        for socket in self._sockets.values():
            poller.register(socket, zmq.POLLIN)
        while not self._stopping.is_set():
            ready = {socket for socket, _ in poller.poll(POLL_MS)}
            for name, socket in self._sockets.items():
                if socket in ready:
                    self._take(name, socket)
            if not ready:
                self._let_go()
            with self._lock:
                waiting, self._outbox = self._outbox, []
            for frames in waiting:
                self._sockets["alerts"].send_multipart(frames)
        for socket in self._sockets.values():
            socket.close(linger=0)
        self._context.term()

    def _take(self, name: str, socket: zmq.Socket[bytes]) -> None:
        *envelope, payload = socket.recv_multipart()
        if name == "ticks":
            message = ticks_codec.decode(payload)
            self.ticks.extend(getattr(message, "ticks", [message]))
        elif name == "alerts":
            self._subscribe(payload)
        elif name == "orders":
            request = orders_codec.decode(payload)
            self.requests.append(request)
            self._held.append((socket, envelope, payload, self._answer(request)))
            if len(self._held) >= self._shuffle:
                self._let_go()
        else:
            packing = msgspec.json if payload[:1] == b"{" else msgspec.msgpack
            self._reply(socket, envelope, payload, self._control(packing.decode(payload)))

    def _let_go(self) -> None:
        """Answer what was held, the newest first."""
        held, self._held = self._held, []
        for reply in reversed(held):
            self._reply(*reply)

    def _subscribe(self, payload: bytes) -> None:
        topic = payload[1:].decode()
        if payload[0] == 1:
            for known, message in self.last_values:
                if known.startswith(topic):
                    frames = [known.encode(), encode_json(message)]
                    self._sockets["alerts"].send_multipart(frames)
            self.subscriptions.add(topic)

    @staticmethod
    def _reply(
        socket: zmq.Socket[bytes], envelope: list[bytes], payload: bytes, answer: Any
    ) -> None:
        if answer is None:
            return
        raw = answer if isinstance(answer, bytes) else encode_like(payload, answer)
        socket.send_multipart([*envelope, raw])
