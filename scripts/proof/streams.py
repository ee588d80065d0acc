"""Mutated messages for each port of riskd, and which of them are a message all the same."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

import msgspec

from riskd.codec import Codec, control_codec, orders_codec, ticks_codec
from riskd.examples import example_of
from riskd.messages import ControlMessage, OrdersRequest, TicksMessage
from scripts.proof.mutation import Mutator
from tests.end_to_end.bad_values import shapeless, structs_of, undecodable
from tests.end_to_end.raw import GREETING, ready
from transport.sockets import SUBSCRIPTION_BYTES_CUT

PORT_SHARES = {"orders": 45, "control": 30, "ticks": 18, "alerts": 6, "wire": 1}
FRAME_BYTES_MAX = 4_000  # Of most; the few that are larger come once in so many.
LARGE_SHARE = 0.002
UNIONS: dict[str, Any] = {"orders": OrdersRequest, "control": ControlMessage, "ticks": TicksMessage}
CODECS: dict[str, Codec[Any]] = {
    "orders": orders_codec,
    "control": control_codec,
    "ticks": ticks_codec,
}
# Ends the run; done beside the loop and answered when it is done.
LEFT_OUT = ("stop", "snapshot", "account_rebuild")
TOPICS = (b"", b"verdict", b"alert.A1", b"heartbeat", b"pnl.", b"position.A1.AAPL", b"no_such")
# What a subscriber that comes again says again has, for its first byte, the name of a command.
SUBSCRIPTION_BYTES_MAX = SUBSCRIPTION_BYTES_CUT + 1 - len(b"\x09SUBSCRIBE")
Frames = tuple[bytes, ...]


class Stream:
    """Draws the messages for one port."""

    def __init__(self, port: str, random: Random) -> None:
        self._random, self._mutator = random, Mutator(random)
        wrong: list[bytes] = []
        if port in UNIONS:
            self._right, wrong = port_contents(port)
        elif port == "alerts":
            self._right = [kind + topic for topic in TOPICS for kind in (b"\x01", b"\x00", b"")]
        else:
            kinds = ("DEALER", "REQ", "PUSH", "SUB", "ROUTER", "X" * 200)
            self._right = [GREETING + ready(kind) + b"\x00\x02{}" for kind in kinds]
        contents = [*self._right, *wrong]
        self._small = [content for content in contents if len(content) <= FRAME_BYTES_MAX]
        self._large = [content for content in contents if len(content) > FRAME_BYTES_MAX]
        self._codec = CODECS.get(port)

    def draw(self) -> Frames:
        """Return the frames of one message."""
        random = self._random
        if self._large and random.random() < LARGE_SHARE:
            return (random.choice(self._large),)
        content = random.choice(self._right if random.random() < 0.5 else self._small)
        if random.random() < 0.8:
            content = self._mutator.spoil(content, self._small)
        if random.random() < 0.95:
            return (content,)
        others = [random.choice((b"", b"\0\0\0\1", *self._small[:9])) for _ in range(3)]
        return (*others[: random.randint(1, 3)], content)

    def is_right(self, frames: Frames) -> bool:
        """Return whether a port may take this for a message, by itself or after a delimiter."""
        if self._codec is None:
            return False
        try:
            self._codec.decode(frames[-1])
        except (msgspec.DecodeError, ValueError, RecursionError):
            return False
        return True

    def is_left_out(self, frames: Frames) -> bool:
        """Return whether this may be what would end the run, or is not answered in its turn.

        A subscription beyond all measure has its sender cut off, which then says it again.
        """
        if self._codec is None:
            return max(map(len, frames)) > SUBSCRIPTION_BYTES_MAX
        return any(name.encode() in frames[-1] for name in LEFT_OUT)


@cache
def port_contents(port: str) -> tuple[list[bytes], list[bytes]]:
    """Return right messages of every type of a port in both encodings, and wrong ones of each."""
    structs = [one for name, one in structs_of(UNIONS[port]).items() if name not in LEFT_OUT]
    encoders = (msgspec.json.encode, msgspec.msgpack.encode)
    right = [encode(example_of(struct)) for struct in structs for encode in encoders]
    wrong = [payload.content for struct in structs for payload in undecodable(struct)]
    return right, [*wrong, *(payload.content for payload in shapeless())]
