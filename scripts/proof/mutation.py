"""Bytes spoilt in the ways that find what a reader of bytes forgot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

ROUNDS_MAX = 4
PIECE_MAX = 32
REPEATS_MAX = 64
SPOILT_BYTES_MAX = 1 << 20
# What lengths, counts and numbers go wrong at, as text and as they are packed.
ODD_PIECES = (
    *(b"", b"\0", b"\xff", b"{", b"}", b"[", b'"', b"\\", b"\\ud800", b"\xc3\x28", b"\xef\xbb\xbf"),
    *(b"0", b"-0", b"-1", b"1e308", b"1e999", b"NaN", b"null", b"true", b"9" * 40, b'"type":'),
    *(b"\x7f", b"\x80", b"\x90", b"\xc0", b"\xc1", b"\xc7\x00\x01", b"\xd9\xff", b"\xdd\xff\xff"),
    *(bytes(4), b"\xff" * 4, bytes(8), b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\x80" + bytes(7)),
    b"\xcb\x7f\xf8" + bytes(6),
)


class Mutator:
    """Spoils bytes; the same seed spoils the same way."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._ways: tuple[Callable[[bytearray, bytes], None], ...] = (
            self._flip,
            self._overwrite,
            self._insert,
            self._delete,
            self._repeat,
            self._splice,
            self._cut,
        )

    def spoil(self, content: bytes, others: Sequence[bytes]) -> bytes:
        """Return `content` changed in up to `ROUNDS_MAX` ways, maybe with a part of another."""
        spoilt, other = bytearray(content), self._random.choice(others)
        for _ in range(self._random.randint(1, ROUNDS_MAX)):
            self._random.choice(self._ways)(spoilt, other)
        return bytes(spoilt[:SPOILT_BYTES_MAX])

    def _at(self, spoilt: bytearray) -> int:
        return self._random.randint(0, len(spoilt))

    def _flip(self, spoilt: bytearray, _: bytes) -> None:
        if spoilt:
            spoilt[self._random.randrange(len(spoilt))] ^= 1 << self._random.randrange(8)

    def _overwrite(self, spoilt: bytearray, _: bytes) -> None:
        at, piece = self._at(spoilt), self._piece()
        spoilt[at : at + len(piece)] = piece

    def _insert(self, spoilt: bytearray, _: bytes) -> None:
        at = self._at(spoilt)
        spoilt[at:at] = self._piece()

    def _delete(self, spoilt: bytearray, _: bytes) -> None:
        at = self._at(spoilt)
        del spoilt[at : at + self._random.randint(1, PIECE_MAX)]

    def _repeat(self, spoilt: bytearray, _: bytes) -> None:
        at = self._at(spoilt)
        piece = spoilt[at : at + self._random.randint(1, PIECE_MAX)]
        spoilt[at:at] = piece * self._random.randint(1, REPEATS_MAX)

    def _splice(self, spoilt: bytearray, other: bytes) -> None:
        spoilt[self._at(spoilt) :] = other[self._random.randint(0, len(other)) :]

    def _cut(self, spoilt: bytearray, _: bytes) -> None:
        del spoilt[self._at(spoilt) :]

    def _piece(self) -> bytes:
        if self._random.random() < 0.5:
            return self._random.choice(ODD_PIECES)
        return self._random.randbytes(self._random.randint(1, PIECE_MAX))
