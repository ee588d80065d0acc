"""Mutated frames over every port, a sample: `scripts/prove frames 1000000` sends a million."""

from random import Random

import pytest

from scripts.proof.frames import PORT_SHARES, Stream, prove_frames
from scripts.proof.mutation import Mutator


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
