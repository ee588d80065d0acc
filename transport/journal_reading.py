"""Reading a journal on disk without changing it, whether a riskd runs on it or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transport.data_directory import DataDirectory
from transport.journal import DIRECTORY_NAME
from transport.journal_format import JournalDamaged, JournalError, JournalRecord
from transport.journal_recovery import Recovered, list_segments, recover, replay_segments
from transport.journal_retention import first_seq_of, trim_journal
from transport.snapshot import (
    SnapshotError,
    list_snapshots,
    read_header,
    read_snapshot,
    require_claims,
)

READS_MAX = 3  # A record that is being written may look damaged once.


class JournalReader:
    """What `Journal` is to a process that does not own it: the same records, nothing to append."""

    def __init__(self, data_dir: Path, schema: bytes) -> None:
        """Find out what `data_dir` holds. Raises JournalError when that is no whole journal."""
        self.directory = data_dir / DIRECTORY_NAME
        self.schema = schema
        if not self.directory.is_dir():
            text = f"{data_dir} holds no journal: name the data_dir of a riskd"
            raise JournalError(text)
        self.recovered = self._recover()
        self.last_seq = self.recovered.report.last_seq

    @property
    def first_seq(self) -> int:
        """Return the seq of the oldest record that is kept, 0 when there is none."""
        opened = [seq for path in self._paths() if (seq := first_seq_of(path)) is not None]
        return min(opened, default=0)

    def replay(self, from_seq: int = 1, *, after_crc: int | None = None) -> Iterator[JournalRecord]:
        """Yield the records from `from_seq` to the newest. Raises JournalDamaged at a break."""
        segments = list_segments(self.directory, self.schema)
        return replay_segments(segments, from_seq, self.last_seq, after_crc=after_crc)

    def stat(self) -> dict[str, Any]:
        """Return what is there, read from headers alone."""
        paths = self._paths()
        segments = [
            {"file": path.name, "first_seq": first_seq_of(path), "bytes": path.stat().st_size}
            for path in paths
        ]
        report = self.recovered.report
        return {
            "directory": str(self.directory),
            "first_seq": self.first_seq,
            "last_seq": self.last_seq,
            "bytes": sum(path.stat().st_size for path in paths),
            "torn_bytes": report.bytes_cut,
            "segments": segments,
            "snapshots": [self._stat_snapshot(path) for path in list_snapshots(self.directory)],
        }

    def verify(self) -> dict[str, Any]:
        """Read every byte of records and snapshots. Raises JournalDamaged at the first break.

        A damaged snapshot is no such break: a start tries another. They are told by name.
        """
        count = sum(1 for _ in self.replay(self.first_seq or 1))
        damaged = []
        for path in list_snapshots(self.directory):
            try:
                mark = read_snapshot(path).header.mark
            except SnapshotError as error:
                damaged.append(str(error))
                continue
            for _ in self.replay(mark.seq + 1, after_crc=mark.record_crc):
                break  # The first one has named its crc by now.
        return {
            "records": count,
            "first_seq": self.first_seq,
            "last_seq": self.last_seq,
            "torn_bytes": self.recovered.report.bytes_cut,
            "snapshots": len(list_snapshots(self.directory)),
            "snapshots_damaged": damaged,
        }

    def _recover(self) -> Recovered:
        for left in reversed(range(READS_MAX)):
            try:
                recovered = recover(self.directory, self.schema)
                require_claims(self.directory, recovered)
                if recovered is not None:
                    return recovered
            except JournalDamaged:
                if not left:
                    raise
        raise JournalError(f"{self.directory} holds no segment")

    def _paths(self) -> list[Path]:
        return [segment.path for segment in list_segments(self.directory, self.schema)]

    def _stat_snapshot(self, path: Path) -> dict[str, Any]:
        shown: dict[str, Any] = {"file": path.name, "bytes": path.stat().st_size}
        try:
            header = read_header(path)
        except SnapshotError as error:
            return {**shown, "wrong": str(error)}
        mark = header.mark
        return {**shown, "seq": mark.seq, "at_ns": mark.recv_ns, "state_hash": header.state_hash}


def trim(data_dir: Path, schema: bytes, retain_bytes: int) -> list[str]:
    """Remove what no snapshot needs beyond `retain_bytes`; no riskd may run on it.

    Every snapshot that is relied on is read whole first. Raises DataDirectoryBusyError,
    JournalError.
    """
    with DataDirectory(data_dir):
        reader = JournalReader(data_dir, schema)
        damaged = reader.verify()["snapshots_damaged"]
        if damaged:
            raise JournalError(f"nothing is trimmed behind a damaged snapshot: {damaged[0]}")
        return trim_journal(reader.directory, retain_bytes)
