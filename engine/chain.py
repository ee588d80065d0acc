"""The chain of answers: one hash that every answer given has been folded into."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from engine.desk import Answer

HASH_BYTES = 16
_encode = msgspec.json.Encoder().encode


class AnswerChain:
    """A running hash over every answer given: each folds into the next, so none can go missing.

    `cut` gives the hash so far and goes on from it. Who follows the same inputs and cuts at the
    same places has the same hash; a hash that was kept begins a chain that goes on from there.
    """

    __slots__ = ("_hash",)

    def __init__(self, begun: str = "00" * HASH_BYTES) -> None:
        self._hash = blake2b(bytes.fromhex(begun), digest_size=HASH_BYTES)

    def add(self, answer: Answer) -> None:
        """Fold in one answer to an input that was journalled."""
        self._hash.update(_encode(answer))

    def value(self) -> str:
        """Return the hash of all answers so far."""
        return self._hash.hexdigest()

    def cut(self) -> str:
        """Return the hash of all answers so far, and begin the next stretch with it."""
        found = self._hash.digest()
        self._hash = blake2b(found, digest_size=HASH_BYTES)
        return found.hex()
