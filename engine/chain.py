"""The chain of answers: one hash that every answer given has been folded into."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from engine.desk import Answer
from riskd.messages import Verdict

HASH_BYTES = 16
WAITING_MAX = 64  # Verdicts that wait.
SOON = 16  # So many are worth being folded in, as soon as nobody waits for an answer.
_encode = msgspec.json.Encoder().encode


class AnswerChain:
    """A running hash over every answer given: each folds into the next, so none can go missing.

    `cut` gives the hash so far and goes on from it. Who follows the same inputs and cuts at the
    same places has the same hash; a hash that was kept begins a chain that goes on from there.
    """

    __slots__ = ("_hash", "_waiting")

    def __init__(self, begun: str = "00" * HASH_BYTES) -> None:
        self._hash = blake2b(bytes.fromhex(begun), digest_size=HASH_BYTES)
        self._waiting: list[Verdict] = []  # To be folded in, in their order.

    def add(self, answer: Answer) -> bool:
        """Fold in one answer to an input that was journalled, now or by the next look at the hash.

        Verdicts wait until there are some: folded together they cost less. Returns whether so many
        wait now that `fold` should be called, when no answer waits for that.
        """
        waiting = self._waiting
        if type(answer) is Verdict and len(waiting) < WAITING_MAX:
            waiting.append(answer)
            return len(waiting) == SOON
        self.fold()
        self._hash.update(_encode(answer))
        return False

    def fold(self) -> None:
        """Fold in what waits."""
        if self._waiting:
            self._hash.update(b"".join(map(_encode, self._waiting)))
            self._waiting.clear()

    def value(self) -> str:
        """Return the hash of all answers so far."""
        self.fold()
        return self._hash.hexdigest()

    def cut(self) -> str:
        """Return the hash of all answers so far, and begin the next stretch with it."""
        self.fold()
        found = self._hash.digest()
        self._hash = blake2b(found, digest_size=HASH_BYTES)
        return found.hex()
