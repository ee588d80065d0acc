"""The other end of riskd's sockets: an echo to compare with, and clients that measure.

    echo ADDRESS                            a ROUTER that returns every frame; prints `ready`
    ask ADDRESS REQUESTS ANSWERS            a REQ: one request after the other
    pipeline ADDRESS REQUESTS ANSWERS N     a DEALER with N requests in flight
    flood ADDRESS REQUESTS                  a DEALER that sends them round and round, and reads what
                                            comes back, until SIGTERM; prints `ready`, then how
                                            many a second it sent
    paced ADDRESS REQUESTS ANSWERS RATE TICKS_ADDRESS TICKS TICK_RATE
                                            open loop: orders at RATE a second whatever comes back,
                                            each span from its intended instant; ticks beside them

REQUESTS and TICKS are files of frames: length u32, bytes. ANSWERS gets the whole span in ns and
the ticks that found room, both u64, then for each answer its span u64, its length u32, its bytes.
peer.c does the same without Python; the echo under uvloop is measured, the clients stand in for it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic_ns

import uvloop
import zmq

LENGTH = struct.Struct("=I")
ANSWER = struct.Struct("=QI")
HEAD = struct.Struct("=QQ")
HANG_MS = 20_000
BEFORE_NS = 100_000_000
NOBLOCK, MORE = int(zmq.NOBLOCK), int(zmq.SNDMORE | zmq.NOBLOCK)
POLLIN, EVENTS, RCVMORE = int(zmq.POLLIN), int(zmq.EVENTS), int(zmq.RCVMORE)
BUDGET = 64

Socket = zmq.Socket[bytes]


def read_frames(path: Path) -> Iterator[bytes]:
    """Yield the frames of a file."""
    content, at = path.read_bytes(), 0
    while at < len(content):
        (length,) = LENGTH.unpack_from(content, at)
        at += LENGTH.size + length
        yield content[at - length : at]


def write_frames(path: Path, frames: list[bytes]) -> None:
    """Write a file of frames."""
    path.write_bytes(b"".join(LENGTH.pack(len(frame)) + frame for frame in frames))


class Answers:
    """What a client measured."""

    def __init__(self) -> None:
        self.spans_ns: list[int] = []
        self.payloads: list[bytes] = []
        self.span_ns = 0
        self.ticks = 0

    def add(self, span_ns: int, payload: bytes) -> None:
        """Keep one answer."""
        self.spans_ns.append(span_ns)
        self.payloads.append(payload)

    def write(self, path: Path) -> None:
        """Write what was measured."""
        with path.open("wb") as file:
            file.write(HEAD.pack(self.span_ns, self.ticks))
            for span_ns, payload in zip(self.spans_ns, self.payloads, strict=True):
                file.write(ANSWER.pack(span_ns, len(payload)) + payload)

    @classmethod
    def read(cls, path: Path) -> Answers:
        """Return what a client wrote."""
        found, content = cls(), path.read_bytes()
        found.span_ns, found.ticks = HEAD.unpack_from(content)
        at = HEAD.size
        while at < len(content):
            span_ns, length = ANSWER.unpack_from(content, at)
            at += ANSWER.size + length
            found.add(span_ns, content[at - length : at])
        return found


def _socket(context: zmq.Context[Socket], kind: int, address: str) -> Socket:
    socket = context.socket(kind)
    socket.setsockopt(zmq.RCVTIMEO, HANG_MS)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(address)
    return socket


def ask(context: zmq.Context[Socket], address: str, requests: str, answers: str) -> None:
    """Send one request after the other."""
    req, found = _socket(context, zmq.REQ, address), Answers()
    start_ns = monotonic_ns()
    for request in list(read_frames(Path(requests))):
        begun_ns = monotonic_ns()
        req.send(request)
        answer = req.recv()
        found.add(monotonic_ns() - begun_ns, answer)
    found.span_ns = monotonic_ns() - start_ns
    found.write(Path(answers))


def pipeline(context: zmq.Context[Socket], address: str, *rest: str) -> None:
    """Keep requests in flight."""
    requests, answers, window = list(read_frames(Path(rest[0]))), Path(rest[1]), int(rest[2])
    dealer, found = _socket(context, zmq.DEALER, address), Answers()
    begun_ns: list[int] = []
    start_ns = monotonic_ns()
    while len(found.spans_ns) < len(requests):
        while len(begun_ns) < len(requests) and len(begun_ns) - len(found.spans_ns) < window:
            begun_ns.append(monotonic_ns())
            dealer.send(requests[len(begun_ns) - 1])
        answer = dealer.recv()
        found.add(monotonic_ns() - begun_ns[len(found.spans_ns)], answer)
    found.span_ns = monotonic_ns() - start_ns
    found.write(answers)


def flood(context: zmq.Context[Socket], address: str, requests: str) -> None:
    """Send as much as finds room, for ever, when whoever else is there has nothing to do.

    With mere niceness whoever wakes up would wait until this one's turn is over, up to 4 ms.
    """
    dealer, noise = _socket(context, zmq.DEALER, address), list(read_frames(Path(requests)))
    dealer.send(noise[0])
    dealer.recv()
    if hasattr(os, "SCHED_IDLE"):
        for thread in os.listdir("/proc/self/task"):
            os.sched_setscheduler(int(thread), os.SCHED_IDLE, os.sched_param(0))
    print("ready", flush=True)
    ending: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ending.append(number))
    sent, begun_ns = 0, monotonic_ns()
    while not ending:
        if _send_if_room(dealer, noise[sent % len(noise)]):
            sent += 1
        else:
            dealer.poll(HANG_MS, zmq.POLLIN | zmq.POLLOUT)
        with suppress(zmq.Again):
            while True:
                dealer.recv(NOBLOCK)
    print(sent / (monotonic_ns() - begun_ns) * 1e9, flush=True)


def paced(context: zmq.Context[Socket], address: str, *rest: str) -> None:
    """Send on time whatever comes back; it never sleeps, unlike the one in C."""
    requests, answers, gap_ns = (
        list(read_frames(Path(rest[0]))),
        Path(rest[1]),
        1e9 / float(rest[2]),
    )
    ticks, tick_rate = list(read_frames(Path(rest[4]))), float(rest[5])
    tick_gap_ns = 1e9 / tick_rate if tick_rate else 1e18
    dealer, push = _socket(context, zmq.DEALER, address), _socket(context, zmq.PUSH, rest[3])
    found, sent, due = Answers(), 0, 0
    start_ns = monotonic_ns() + BEFORE_NS
    until_ns = start_ns + int(len(requests) * gap_ns) + HANG_MS * 1_000_000
    while len(found.spans_ns) < len(requests):
        now_ns = monotonic_ns()
        if now_ns > until_ns:
            raise TimeoutError(f"only {len(found.spans_ns)} of {len(requests)} answers came")
        if len(found.spans_ns) < sent and dealer.poll(0):
            answer = dealer.recv(NOBLOCK)
            intended_ns = start_ns + int(len(found.spans_ns) * gap_ns)
            found.add(monotonic_ns() - intended_ns, answer)
        if sent < len(requests) and now_ns >= start_ns + int(sent * gap_ns):
            dealer.send(requests[sent])
            sent += 1
        if tick_rate and now_ns >= start_ns + int(due * tick_gap_ns):
            found.ticks += _send_if_room(push, ticks[due % len(ticks)])
            due += 1
    found.span_ns = monotonic_ns() - start_ns
    found.write(answers)


def _send_if_room(socket: Socket, payload: bytes) -> bool:
    try:
        socket.send(payload, NOBLOCK)
    except zmq.Again:
        return False
    return True


def echo(context: zmq.Context[Socket], address: str) -> None:
    """Return every frame, as bare as a ROUTER under uvloop can be."""
    uvloop.run(_echo(context, address))


async def _echo(context: zmq.Context[Socket], address: str) -> None:
    router = context.socket(zmq.ROUTER)
    router.bind(address)
    loop = asyncio.get_running_loop()
    get, recv, send = router.getsockopt, router.recv, router.send

    def echo_one() -> None:
        send(recv(NOBLOCK), MORE)
        while True:
            frame = recv(NOBLOCK)
            if not get(RCVMORE):
                send(frame, NOBLOCK)
                return
            send(frame, MORE)

    def drain() -> None:
        """Look at EVENTS around a lone message; when more wait, receive until nothing is left."""
        if not get(EVENTS) & POLLIN:  # type: ignore[operator]
            return
        echo_one()
        if not get(EVENTS) & POLLIN:  # type: ignore[operator]
            return
        with suppress(zmq.Again):
            for _ in range(BUDGET):
                echo_one()
        loop.call_soon(drain)

    descriptor = router.getsockopt(zmq.FD)
    assert isinstance(descriptor, int)
    loop.add_reader(descriptor, drain)
    print("ready", flush=True)
    await loop.create_future()


def main(mode: str, *rest: str) -> None:
    """Do what the first argument names."""
    modes = {"ask": ask, "pipeline": pipeline, "flood": flood, "paced": paced, "echo": echo}
    modes[mode](zmq.Context(), *rest)  # type: ignore[operator]


if __name__ == "__main__":
    main(*sys.argv[1:])
