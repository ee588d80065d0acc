"""Any frame at all gets exactly one answer, in order: mutated messages of every type.

Hypothesis spoils right messages by flipped bits, cuts and splices. Whatever comes of it, riskd
answers each frame once with something that can be decoded, and nobody else notices.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riskd.codec import Codec, answers_codec, control_answers_codec
from riskd.examples import example_of
from riskd.messages import ControlMessage, ControlWork, OrdersRequest, Pong, Result
from tests.end_to_end.bad_values import structs_of
from tests.end_to_end.books import replayed_hash
from tests.end_to_end.process import WIDE_SHARE, RiskdProcess

pytestmark = pytest.mark.end_to_end

EXAMPLES = 150
FRAMES_MAX = 12
CODECS: dict[str, Codec[Any]] = {"orders": answers_codec, "control": control_answers_codec}
UNIONS = {"orders": OrdersRequest, "control": ControlMessage}
OUT_OF_TURN = ("stop", *structs_of(ControlWork))
LAST = {"orders": b'{"type":"ping"}', "control": b'{"type":"breakers"}'}


@cache
def right_frames(port: str) -> list[bytes]:
    """A right frame of every type in both encodings, but for what would end the test (`stop`) and
    what is answered when it is done, not in its turn."""
    types = structs_of(UNIONS[port])
    structs = [struct for type_, struct in types.items() if type_ not in OUT_OF_TURN]
    encoders = (msgspec.json.encode, msgspec.msgpack.encode)
    return [encode(example_of(struct)) for struct in structs for encode in encoders]


@st.composite
def mutated(draw: st.DrawFn, port: str) -> bytes:
    """A frame made of right ones: spliced, with bits flipped, and cut."""
    frame = bytearray(draw(st.sampled_from(right_frames(port))))
    if draw(st.booleans()):
        other = draw(st.sampled_from(right_frames(port)))
        begin, end = draw(st.integers(0, len(frame))), draw(st.integers(0, len(other)))
        frame[begin:] = other[end:]
    for bit in draw(st.lists(st.integers(0, 8 * len(frame) - 1), max_size=4)) if frame else []:
        frame[bit // 8] ^= 1 << bit % 8
    if draw(st.booleans()):
        del frame[draw(st.integers(0, len(frame))) :]
    return b"" if any(type_.encode() in frame for type_ in OUT_OF_TURN) else bytes(frame)


MUTATED = {port: st.lists(mutated(port), min_size=1, max_size=FRAMES_MAX) for port in UNIONS}


@pytest.fixture(scope="module")
def riskd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RiskdProcess]:
    # A hello among the frames would be sent heartbeats unasked, which answer nothing.
    settings = {"RISKD_SESSIONS__HEARTBEAT_MS": "3600000", **WIDE_SHARE}
    with RiskdProcess(tmp_path_factory.mktemp("riskd"), settings=settings) as process:
        yield process
        process.require_running()


@pytest.mark.parametrize("port", UNIONS)
def test_one_answer_for_every_mutated_frame_in_order(riskd, port):
    with riskd.peer(port) as peer:

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(frames=MUTATED[port])
        def require_one_answer_each(frames: list[bytes]) -> None:
            for frame in frames:
                peer.send(frame)
            peer.send(LAST[port])
            for frame in frames:
                answer = peer.receive()
                assert (answer[:1] == b"{") == (frame[:1] == b"{"), (frame, answer)
                decoded = CODECS[port].decode(answer)
                assert getattr(decoded, "code", "") != "internal", (frame, decoded)
            assert isinstance(CODECS[port].decode(peer.receive()), Pong | Result)

        require_one_answer_each()
    riskd.require_running()


def test_one_answer_after_all_mutations_the_journal_replays_to_the_live_state(riskd):
    """What the mutations changed, they changed by journalled messages and in no other way."""
    status = riskd.status()
    riskd.kill()
    assert replayed_hash(riskd.books, status["seq"]) == status["state_hash"]
    riskd.start()
    assert riskd.status()["books_hash"] == status["books_hash"]
