"""A small coverage-guided fuzzer: inputs that reach something new are kept and spoilt further.

What counts as new is a step from one line to another in the files that a target watches, and what
came of the input: most of the decoder is C, whose branches show in its answers alone. The corpus
is kept in the tree (`tests/fuzz`), one file an input; `scripts/prove fuzz SECONDS` goes on from it,
and a test runs every file of it. An input that breaks a target is written beside the corpus.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from hashlib import blake2b
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, NamedTuple

from scripts.proof.fuzz_targets import TARGETS, Target
from scripts.proof.mutation import Mutator

CORPUS = Path(__file__).resolve().parents[2] / "tests" / "fuzz"
INPUT_BYTES_MAX = 16_384  # Larger ones are slow, and reach nothing that smaller ones do not.
FRESH_SHARE = 0.5  # Of the picks are among the newest: there is the most to find near them.
FRESH_MAX = 50
Feature = tuple[Any, ...]


class Tally(NamedTuple):
    """What a run came to; nothing may be broken."""

    inputs: int
    features: int
    corpus: int
    kept: int
    broken: int

    @property
    def is_clean(self) -> bool:
        """Return whether every input was taken or refused as it should be."""
        return not self.broken


class Fuzzer:
    """One target, its corpus and everything that was reached so far."""

    def __init__(self, target: Target, random: Random) -> None:
        self._target, self._random = target, random
        self._mutator = Mutator(random)
        self._reached: set[Feature] = set()
        self.corpus: list[bytes] = []
        self.broken: list[tuple[bytes, Exception]] = []
        self.count = 0

    @property
    def features(self) -> int:
        """Return how much was reached."""
        return len(self._reached)

    def take(self, content: bytes) -> bool:
        """Run an input; keep it if it reaches something new, and return whether it does."""
        self.count += 1
        try:
            reached = self._traced(content)
        except Exception as error:  # noqa: BLE001 What breaks a target is what is looked for.
            self.broken.append((content, error))
            return False
        if reached <= self._reached:
            return False
        self._reached |= reached
        self.corpus.append(content)
        return True

    def step(self) -> bool:
        """Spoil one input of the corpus and run it; return whether it was kept."""
        fresh = self._random.random() < FRESH_SHARE
        picked = self._random.choice(self.corpus[-FRESH_MAX:] if fresh else self.corpus)
        spoilt = self._mutator.spoil(picked, self.corpus)[:INPUT_BYTES_MAX]
        return self.take(self._target.mend(spoilt, self._random))

    def _traced(self, content: bytes) -> set[Feature]:
        """Return the steps from line to line that an input takes, and what came of it."""
        steps: set[Feature] = set()
        watched = self._target.watched

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            code = frame.f_code
            if code.co_filename not in watched:
                return None
            last = 0

            def line(frame: FrameType, event: str, _: Any) -> Any:
                nonlocal last
                steps.add((code.co_name, last, frame.f_lineno))
                last = frame.f_lineno
                return line

            return line

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            outcome = self._target.run(content)
        finally:
            sys.settrace(before)
        steps.add(("outcome", outcome))
        return steps


def corpus_of(name: str) -> list[Path]:
    """Return the files of a target's corpus, in an order that is always the same."""
    return sorted((CORPUS / name).glob("*.bin"))


def fuzz(name: str, *, span_s: float, seed: int, keeps: bool) -> tuple[Fuzzer, int]:
    """Fuzz a target for a while; with `keeps` write what is new. Return how many are, too."""
    fuzzer = Fuzzer(TARGETS[name], Random(seed))
    for content in [*(path.read_bytes() for path in corpus_of(name)), *TARGETS[name].seeds()]:
        fuzzer.take(content)
    begun, until_s = len(fuzzer.corpus), time.monotonic() + span_s
    while time.monotonic() < until_s and not fuzzer.broken:
        fuzzer.step()
    found = fuzzer.corpus[begun:]  # What seeds reach need not be kept: they are made each time.
    for content in found if keeps else ():
        _write(CORPUS / name, content)
    for content, error in fuzzer.broken:
        file_name = _write(CORPUS / "broken", content)
        print(f"{name}: {file_name} breaks it: {type(error).__name__}: {error}")
    return fuzzer, len(found)


def _write(folder: Path, content: bytes) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{blake2b(content, digest_size=8).hexdigest()}.bin"
    (folder / name).write_bytes(content)
    return name


def prove_fuzz(span_s: int, seed: int) -> Tally:
    """Fuzz every target for its part of the time; print and return what came of it."""
    total = Counter[str]()
    for name in TARGETS:
        fuzzer, kept = fuzz(name, span_s=span_s / len(TARGETS), seed=seed, keeps=True)
        found = Tally(fuzzer.count, fuzzer.features, len(fuzzer.corpus), kept, len(fuzzer.broken))
        print(f"{name}: {found}")
        total.update(found._asdict())
    return Tally(**total)
