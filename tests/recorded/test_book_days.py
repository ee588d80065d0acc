"""Every published measure on recorded days is what the raw file makes of it, at every tick.

The first hours of each day, with random bookings in hundreds of accounts; `scripts/prove measures`
plays every row of every day. The truth is scripts/proof/truth.py, which shares no code with the
engine: whole units of money where no exchange rate is involved, else within 1e-9.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.proof.measures import ACCOUNTS, Size, play
from scripts.proof.recordings import DAYS

pytestmark = pytest.mark.recorded

ROWS = 700  # Of each day.
SLICE = Size(rows_max=ROWS, accounts_a_row=2, bookings_each=6)


@pytest.mark.parametrize("day", DAYS)
def test_every_published_measure_equals_the_raw_file_at_every_tick(shared: Path, day: str):
    tally = play(shared, day, SLICE)
    assert tally.bookings > 4 * ACCOUNTS
    assert tally.row_figures > 600 * ACCOUNTS * 5
    assert tally.published > 50 * ROWS * SLICE.accounts_a_row
