"""Run a proof and print its figures: `scripts/prove kills 200`, `scripts/prove measures 2`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Protocol

from scripts.proof.damage import prove_damage
from scripts.proof.frames import prove_frames
from scripts.proof.fuzz import prove_fuzz
from scripts.proof.kills import prove_kills
from scripts.proof.measures import prove_measures
from scripts.proof.soak import prove_soak


class Tally(Protocol):
    """What a proof came to."""

    @property
    def is_clean(self) -> bool:
        """Return whether it is so."""


PROOFS: dict[str, Callable[[int, int], Tally]] = {
    "kills": prove_kills,
    "damage": prove_damage,
    "soak": prove_soak,
    "frames": prove_frames,
    "fuzz": prove_fuzz,
    "measures": prove_measures,
}


def main() -> int:
    """Run the proof that is named; exit 1 if what it proves is not so."""
    parser = argparse.ArgumentParser(prog="scripts/prove", description=__doc__)
    parser.add_argument("proof", choices=PROOFS)
    what = "how many kills, damaged journals, days, frames, accounts a row, seconds of fuzz"
    parser.add_argument("count", type=int, help=what)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    tally = PROOFS[asked.proof](asked.count, asked.seed)
    return 0 if tally.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
