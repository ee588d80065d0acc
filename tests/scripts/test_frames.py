"""Mutated frames over every port, a sample: `scripts/prove frames 1000000` sends a million."""

import os
import socket
from random import Random

import pytest
import zmq

from scripts.proof.frames import prove_frames
from scripts.proof.mutation import Mutator
from scripts.proof.streams import PORT_SHARES, SUBSCRIPTION_BYTES_MAX, Stream
from transport.sockets import make_xpub

POLLS_MAX = 250


@pytest.mark.end_to_end
def test_frames_mutated_over_every_port_are_answered_and_change_nothing():
    tally = prove_frames(4_000, 7, verbose=False)
    assert tally.is_clean, tally
    assert tally.answers > 2_000, tally
    assert tally.right > 5, tally


@pytest.mark.parametrize("port", PORT_SHARES)
def test_stream_of_a_seed_is_the_same_each_time(port):
    one, again = (Stream(port, Random(3)) for _ in range(2))
    assert [one.draw() for _ in range(50)] == [again.draw() for _ in range(50)]


def test_mutator_spoils_in_every_way():
    """Shorter, longer, of the same length, and with a part of another."""
    mutator, found = Mutator(Random(1)), set[bytes]()
    for _ in range(300):
        found.add(mutator.spoil(b"abcdefgh", [b"THEIRS"]))
    lengths = {len(content) for content in found}
    assert {0, 4, 8, 12} <= lengths
    assert any(b"THEIRS" in content for content in found)
    assert len(found) > 200


def test_longest_subscription_that_is_sent_arrives_again_after_its_sender_was_cut():
    """Longer ones are cut again each time: what comes behind them would never be read."""
    longest = b"\x01" + b"t" * (SUBSCRIPTION_BYTES_MAX - 1)
    assert not Stream("alerts", Random(1)).is_left_out((longest,))
    assert Stream("alerts", Random(1)).is_left_out((longest + b"t",))
    with (
        zmq.Context() as context,
        make_xpub(context) as publisher,
        context.socket(zmq.XSUB) as subscriber,
    ):
        port = publisher.bind_to_random_port("tcp://127.0.0.1")
        subscriber.setsockopt(zmq.RECONNECT_IVL, 1)
        subscriber.setsockopt(zmq.LINGER, 0)
        subscriber.connect(f"tcp://127.0.0.1:{port}")
        subscriber.send(longest)
        first = publisher.recv(copy=False)
        assert first.bytes == longest
        with socket.socket(fileno=os.dup(first.get(zmq.SRCFD))) as connection:
            connection.shutdown(socket.SHUT_RDWR)
        told: list[bytes] = []
        for _ in range(POLLS_MAX):
            subscriber.poll(20)  # A socket sees that its connection is new when it is used.
            told += [publisher.recv()] if publisher.poll(20) else []
            if longest in told:
                return
        raise AssertionError(told)
