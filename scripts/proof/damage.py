"""Journals damaged in every way: each is recovered up to the damage, or refused with a remedy.

Never may a start come to a state that the inputs never led to. The state after every record is
known beforehand; what a start makes of a damaged copy must be one of them, and no earlier than the
last record that was known to be on disk.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from engine.core import Input
from engine.desk import Answer
from engine.digest import state_digest
from engine.facts import Stamp
from tests.transport.kept import SMALL, Kept
from transport.data_directory import DataDirectory
from transport.journal import Journal
from transport.journal_format import (
    HEADER_BYTES,
    RECORD_BYTES,
    ChainEnd,
    JournalError,
    aligned,
    decode_identity,
    decode_opening,
    journal_seed,
    read_chain,
)
from transport.journal_recovery import recover
from transport.process_replay import recover_books

INPUTS = 240
SNAPSHOTS = (80, 160)
SYNCED = 200  # The input after which everything was synced, and the next records say so.
REMEDIES = ("restore", "put back", "move", "rename", "remove")


class Image(NamedTuple):
    """A whole journal and every state that its records led to."""

    folder: Path
    digests: dict[int, str]  # By seq.
    synced_seq: int
    last_seq: int


class Tally(NamedTuple):
    """What a run of damages came to; the last two have to be 0."""

    damaged: int
    recovered_whole: int
    recovered_shorter: int
    refused: int
    wrong_state: int
    lost_synced: int

    @property
    def is_clean(self) -> bool:
        """Return whether no start came to a state that it should not."""
        return not self.wrong_state and not self.lost_synced


def make_image(root: Path, seed: int) -> Image:
    """Return a journal of random inputs in `root`, closed as a kill would leave it."""
    with DataDirectory(root) as directory:
        kept = _Stepped(directory, seed=seed, snapshots=SNAPSHOTS, count=INPUTS)
        journal, digests = kept.journal, kept.digests
        known = recover(journal.directory, SMALL.schema)
        assert known is not None
        last_seq = journal.last_seq
        journal.close()
    return Image(root / "journal", digests, kept.synced_seq, last_seq)


class _Stepped(Kept):
    """Keeps the digest of the state after every record."""

    def __init__(
        self, directory: DataDirectory, *, seed: int, snapshots: tuple[int, ...], count: int
    ) -> None:
        self.digests: dict[int, str] = {}
        self.synced_seq = 0
        super().__init__(directory, seed=seed, snapshots=snapshots, count=count)

    def put(self, message: Input, stamp: Stamp) -> Answer:
        """Take one input and note what the state is now."""
        if self.journal.last_seq == SYNCED:
            self.journal.sync()
            self.synced_seq = SYNCED
        answer = super().put(message, stamp)
        self.digests[self.core.stamp.seq] = self.digest()
        return answer


class Damages:
    """Draws damages of every kind; each is a function of a copy of the journal's directory."""

    def __init__(self, image: Image, seed: int) -> None:
        self.random = random.Random(seed)
        self._image = image
        self._kinds: dict[str, Callable[[Path], None]] = {
            "tail_cut": self._cut_tail,
            "bit": self._flip,
            "bytes": self._overwrite,
            "zeros": self._zero,
            "truncated": self._truncate,
            "swapped": self._swap,
            "duplicated": self._duplicate,
            "missing": self._remove,
            "swapped_records": self._swap_records,
        }

    def strike(self, folder: Path, kind: str | None = None) -> str:
        """Damage the copy in `folder`; return how."""
        name = kind or self.random.choice(list(self._kinds))
        self._kinds[name](folder)
        return name

    def _files(self, folder: Path) -> list[Path]:
        return sorted(path for path in folder.iterdir() if path.stat().st_size)

    def _segments(self, folder: Path) -> list[Path]:
        return sorted(folder.glob("*.journal"))

    def _used(self, path: Path) -> int:
        return len(path.read_bytes().rstrip(b"\0"))

    def _cut_tail(self, folder: Path) -> None:
        path, offset, byte_count = places(folder)[-1]
        kept = offset + self.random.randrange(byte_count)
        blob = path.read_bytes()
        path.write_bytes(blob[:kept] + bytes(len(blob) - kept))

    def _flip(self, folder: Path) -> None:
        path = self.random.choice(self._files(folder))
        blob = bytearray(path.read_bytes())
        at = self.random.randrange(min(len(blob), self._used(path) + 16))
        blob[at] ^= 1 << self.random.randrange(8)
        path.write_bytes(blob)

    def _overwrite(self, folder: Path) -> None:
        self._patch(folder, self.random.randbytes(self.random.choice((4, 64, 512))))

    def _zero(self, folder: Path) -> None:
        self._patch(folder, bytes(self.random.choice((64, 512, 4096))))

    def _patch(self, folder: Path, piece: bytes) -> None:
        path = self.random.choice(self._files(folder))
        blob = path.read_bytes()
        at = self.random.randrange(max(1, self._used(path)))
        path.write_bytes((blob[:at] + piece + blob[at + len(piece) :])[: len(blob)])

    def _truncate(self, folder: Path) -> None:
        path = self.random.choice(self._files(folder))
        path.write_bytes(path.read_bytes()[: self.random.randrange(max(1, self._used(path)))])

    def _swap(self, folder: Path) -> None:
        one, other = self.random.sample(self._segments(folder), 2)
        blob = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(blob)

    def _duplicate(self, folder: Path) -> None:
        one, other = self.random.sample(self._segments(folder), 2)
        other.write_bytes(one.read_bytes())

    def _remove(self, folder: Path) -> None:
        paths = self.random.choice((self._files(folder), self._segments(folder)))
        begin = self.random.randrange(len(paths))
        for path in paths[begin : begin + self.random.randint(1, 3)]:
            path.unlink()

    def _swap_records(self, folder: Path) -> None:
        found = places(folder)
        at = self.random.randrange(len(found) - 1)
        (path, one_at, one), (other_path, other_at, other) = found[at], found[at + 1]
        if path != other_path:
            return
        blob = path.read_bytes()
        first, second = blob[one_at : one_at + one], blob[other_at : other_at + other]
        swapped = (second.ljust(aligned(other), b"\0") + first).ljust(
            aligned(one) + aligned(other), b"\0"
        )
        path.write_bytes(blob[:one_at] + swapped + blob[one_at + len(swapped) :])


def places(folder: Path) -> list[tuple[Path, int, int]]:
    """Return file, offset and length of every record."""
    found = []
    for path in sorted(folder.glob("*.journal")):
        blob = path.read_bytes()
        opening = decode_opening(blob)
        if opening is None:
            continue
        seed, offset = journal_seed(decode_identity(blob, str(path)).journal_id), HEADER_BYTES
        begin = ChainEnd(offset, opening.first_seq, opening.previous_crc)
        for record in read_chain(blob, begin, seed):
            found.append((path, offset, RECORD_BYTES + len(record.raw)))
            offset += aligned(RECORD_BYTES + len(record.raw))
    return found


def judge(image: Image, root: Path) -> str:
    """Start on the journal in `root`; return what that came to, as a field of `Tally`."""
    try:
        with DataDirectory(root) as directory, Journal.open(directory, SMALL) as journal:
            recovery = recover_books(journal)
            last_seq = journal.last_seq
    except JournalError as error:
        told = str(error)
        has_remedy = str(root) in told and any(remedy in told for remedy in REMEDIES)
        return "refused" if has_remedy else "wrong_state"
    digest = state_digest(recovery.replay.core.state())
    if last_seq < image.synced_seq:
        return "lost_synced"
    if digest != image.digests[last_seq] or recovery.replay.divergences:
        return "wrong_state"
    return "recovered_whole" if last_seq == image.last_seq else "recovered_shorter"


def prove_damage(count: int, seed: int, *, verbose: bool = True) -> Tally:
    """Damage `count` copies of a journal, start on each, and return and print what came of it."""
    begun_s, outcomes, kinds = time.monotonic(), Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="damage") as name:
        image = make_image(Path(name) / "whole", seed)
        damages = Damages(image, seed)
        for number in range(count):
            root = Path(name) / "copy"
            shutil.copytree(image.folder, root / "journal")
            kind = damages.strike(root / "journal")
            outcome = judge(image, root)
            outcomes[outcome] += 1
            kinds[f"{kind} {outcome}"] += 1
            if outcome in ("wrong_state", "lost_synced"):
                print(f"seed {seed} damage {number} ({kind}): {outcome}")
            shutil.rmtree(root)
    tally = Tally(count, *(outcomes[name] for name in Tally._fields[1:]))
    if verbose:
        for name, figure in tally._asdict().items():
            print(f"{name:<24} {figure:>10,}")
        for name, figure in sorted(kinds.items()):
            print(f"  {name:<34} {figure:>6,}")
        print(f"{'seconds':<24} {time.monotonic() - begun_s:>10,.0f}")
    return tally
