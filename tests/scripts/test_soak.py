"""A few days of a whole riskd: files stay within retention, every start comes to its state."""

import pytest

from scripts.proof.soak import prove_soak

RETAIN_BYTES = 128 << 10
RECORD_BYTES_MIN = 150


@pytest.mark.end_to_end
def test_soak_of_some_days_keeps_files_bounded_and_states_equal():
    tally = prove_soak(3, 1, orders=432, retain_bytes=RETAIN_BYTES, verbose=False)
    assert tally.is_clean, tally
    assert tally.hashes_compared == 2
    assert min(tally.alerts, tally.breakers, tally.responses, tally.instructions) > 0, tally
    # So that some had to be let go of.
    assert tally.inputs * RECORD_BYTES_MIN > tally.segments_bytes_allowed
