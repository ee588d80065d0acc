"""A few simulated days: files stay within retention, every start comes to the running state."""

from scripts.proof.soak import prove_soak

RETAIN_BYTES = 512 << 10


def test_soak_of_some_days_keeps_files_bounded_and_states_equal():
    tally = prove_soak(15, 0, orders=120, retain_bytes=RETAIN_BYTES)
    assert tally.is_clean, tally
    assert tally.hashes_compared == 3
    assert tally.inputs * 140 > RETAIN_BYTES  # So that there was something to let go of.
