"""The journal of inputs: every input that can change state, in order, before it is acted upon.

One thread appends (the loop's); a second one syncs and makes the next segment ahead of need. The
bytes are described in `journal_format`, the start after a crash in `journal_recovery`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import NoReturn, Self
from zlib import crc32

from transport.data_directory import DataDirectory, make_directory
from transport.journal_format import (
    ALIGN_BYTES,
    CRC,
    FIELDS,
    HEADER_BYTES,
    RAW_BYTES_MAX,
    RECORD_BYTES,
    SEQ_FIRST,
    ChainEnd,
    JournalDamaged,
    JournalError,
    JournalFailed,
    JournalFull,
    JournalMismatch,
    JournalRecord,
    Opening,
    journal_seed,
)
from transport.journal_recovery import (
    Recovered,
    list_segments,
    next_identity,
    recover,
    replay_segments,
    settle,
)
from transport.journal_segment import MAKING_SUFFIX, Segment, make_segment
from transport.journal_settings import SEGMENT_BYTES_MIN, JournalSettings, SyncMode
from transport.journal_spares import SPARE_RETRY_S, Spares
from transport.snapshot import require_claims

__all__ = [
    "Journal",
    "JournalDamaged",
    "JournalError",
    "JournalFailed",
    "JournalFull",
    "JournalMismatch",
    "JournalRecord",
    "JournalSettings",
    "SyncMode",
]

DIRECTORY_NAME = "journal"
OnSynced = Callable[[int], object] | None
OnFailure = Callable[[JournalFailed], object] | None


class Journal:
    """Appends inputs, and replays them. All methods belong to one thread, but for the readings.

    `directory` holds the segments, and the snapshots that belong to them; a record holds at most
    `raw_bytes_max` of an input. `report` says what was recovered and `last_record` is the newest of
    it; both are None for a new journal. `failure` is the first error of writing or syncing; once it
    is set, every append raises it. `on_synced` gets the highest seq on disk after each sync, and
    `on_failure` the failure, on the sync thread or within `sync` and `close`: only pass it on.
    """

    def __init__(
        self,
        directory: Path,
        settings: JournalSettings,
        recovered: Recovered | None,
        *,
        on_synced: OnSynced = None,
        on_failure: OnFailure = None,
    ) -> None:
        """Begin a fresh segment after what `recover` found; use `Journal.open`."""
        self.failure: JournalFailed | None = None
        self.report = None if recovered is None else recovered.report
        self.last_record = None if recovered is None else recovered.last_record
        self.uses_reserve = False  # Set while an input is appended that must not be lost.
        self.directory, self._settings = directory, settings
        self._on_synced, self._on_failure = on_synced, on_failure
        self._identity = next_identity(recovered, settings.segment_bytes, settings.schema)
        self._seed = journal_seed(self._identity.journal_id)
        segment = self._make_segment(self._identity.number)
        end = ChainEnd(HEADER_BYTES, SEQ_FIRST, self._seed) if recovered is None else recovered.end
        self._last_seq = self._synced_seq = end.next_seq - 1
        self._previous_crc = end.previous_crc
        self.raw_bytes_max = settings.segment_bytes - HEADER_BYTES - RECORD_BYTES
        self.raw_bytes_max = min(self.raw_bytes_max, RAW_BYTES_MAX)
        self._memory, self._position, self._segment_end = segment.memory, 0, 0
        self._in_reserve = False  # Then every append is judged before it is taken.
        self._enter(segment)
        self._rolled: list[tuple[Segment, int]] = []
        self._spares = Spares(self._make_segment, self._identity.number + 1)
        self._segments_changed, self._sync_lock = threading.Lock(), threading.RLock()
        self._signals: SimpleQueue[None] = SimpleQueue()
        self._signaled = self._closing = False
        self._always = settings.sync is SyncMode.ALWAYS
        self._thread = threading.Thread(target=self._run_thread, name="journal-sync", daemon=True)
        self._thread.start()

    @classmethod
    def open(
        cls,
        data_directory: DataDirectory,
        settings: JournalSettings,
        *,
        on_synced: OnSynced = None,
        on_failure: OnFailure = None,
    ) -> Journal:
        """Recover the journal in `data_directory`, or begin one, and be ready to replay and append.

        A torn tail is left out and told by `report`. Raises JournalDamaged, JournalMismatch,
        JournalFull, or OSError; then nothing that was recorded has been changed.
        """
        assert data_directory.is_held, "the data directory is locked before its journal is opened"
        assert settings.segment_bytes >= SEGMENT_BYTES_MIN, "a segment has at least 4096 bytes"
        assert not settings.segment_bytes % ALIGN_BYTES, "a segment is a multiple of 8 bytes"
        directory = data_directory.path / DIRECTORY_NAME
        make_directory(directory)
        recovered = recover(directory, settings.schema)
        require_claims(directory, recovered)
        for making in directory.glob(f"*{MAKING_SUFFIX}"):
            making.unlink()
        if recovered is not None:
            recovered = settle(directory, recovered)
        return cls(directory, settings, recovered, on_synced=on_synced, on_failure=on_failure)

    @property
    def last_seq(self) -> int:
        """The seq of the newest record, 0 when there is none."""
        return self._last_seq

    @property
    def synced_seq(self) -> int:
        """The highest seq known to be on disk, with all before it."""
        return self._synced_seq

    @property
    def id(self) -> bytes:
        """The random number that tells this journal from every other."""
        return self._identity.journal_id

    @property
    def last_crc(self) -> int:
        """The crc of the newest record."""
        return self._previous_crc

    def unsynced_paths(self) -> list[Path]:
        """Return the files that hold records which may not be on disk yet, oldest first."""
        with self._segments_changed:
            return [segment.path for segment, _ in self._rolled] + [self._segment.path]

    def append(self, seq: int, recv_ns: int, steady_ns: int, source: int, raw: bytes) -> None:
        """Record one input; when this returns, it survives the death of the process. O(bytes).

        `seq` is the one after the last; `source` 0 to 255; `raw` at most `RAW_BYTES_MAX` bytes,
        and no more than fit in a segment (ValueError). Raises JournalFull and JournalFailed. In all
        cases of an error the journal is as it was.
        """
        raw_bytes = len(raw)
        start = self._position
        end = start + RECORD_BYTES + raw_bytes
        if (
            end > self._segment_end
            or raw_bytes > self.raw_bytes_max
            or seq != self._last_seq + 1
            or self.failure is not None
        ):
            start = self._make_room(seq, raw_bytes)
            end = start + RECORD_BYTES + raw_bytes
        memory, fields = self._memory, start + CRC.size
        before, synced = self._previous_crc, self._synced_seq
        FIELDS.pack_into(memory, fields, raw_bytes, before, seq, synced, recv_ns, steady_ns, source)
        memory[start + RECORD_BYTES : end] = raw
        crc = crc32(memory[fields:end], self._seed)
        CRC.pack_into(memory, start, crc)  # Last: until then the record does not join the chain.
        self._previous_crc = crc
        self._last_seq = seq
        self._position = (end + ALIGN_BYTES - 1) & -ALIGN_BYTES
        if self._always and not self._signaled:
            self._signal()

    def replay(self, from_seq: int = 1, *, after_crc: int | None = None) -> Iterator[JournalRecord]:
        """Yield records to the newest; `after_crc` is what the first must name. JournalDamaged."""
        segments = list_segments(self.directory, self._settings.schema)
        return replay_segments(segments, from_seq, self._last_seq, after_crc=after_crc)

    def sync(self) -> None:
        """Wait until every record is on disk. Raises JournalFailed."""
        if self.failure is not None:
            self._refuse(self.failure)
        try:
            self._sync_records(with_current=True)
        except OSError as error:
            self._refuse(self._fail(error))

    def close(self) -> None:
        """Sync and let go of the files. Raises JournalFailed if that fails. Idempotent."""
        if self._closing:
            return
        self._closing = True
        self._spares.give_up()
        self._signals.put(None)
        self._thread.join()
        try:
            if self.failure is None:
                self.sync()
        finally:
            self._segment_end = 0
            for segment in (*(old for old, _ in self._rolled), self._segment):
                segment.close()
            self._spares.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _enter(self, segment: Segment) -> None:
        """Make `segment` the one that is written, joined to the last record."""
        opening = Opening(self._last_seq + 1, self._previous_crc, self._synced_seq)
        self._position = segment.open_at(opening)
        self._segment, self._memory = segment, segment.memory
        self._segment_end = segment.segment_bytes

    def _make_room(self, seq: int, raw_bytes: int) -> int:
        """Return where a record of `raw_bytes` goes, or raise why it may not be appended."""
        if self.failure is not None:
            self._refuse(self.failure)
        if self._closing:
            raise JournalFailed("the journal is closed")
        assert seq == self._last_seq + 1, f"seq {seq} does not follow {self._last_seq}"
        if raw_bytes > self.raw_bytes_max:
            raise ValueError(f"a record of {raw_bytes} bytes is over {self.raw_bytes_max}")
        byte_count = RECORD_BYTES + raw_bytes
        if self._in_reserve:
            if self._spares.count:
                self._in_reserve, self._segment_end = False, self._segment.segment_bytes
            elif not self.uses_reserve:
                raise self._spares.refusal()
        if self._position + byte_count > self._segment.segment_bytes:
            self._roll()
        return self._position

    def _roll(self) -> None:
        self._signal()
        try:
            spare = self._spares.take(with_reserve=self.uses_reserve)
        except JournalFull:
            if self.failure is not None:
                self._refuse(self.failure)
            raise
        with self._segments_changed:
            self._rolled.append((self._segment, self._last_seq))
            self._enter(spare)
        self._signal()
        if not self._spares.count:
            self._in_reserve, self._segment_end = True, 0

    def _signal(self) -> None:
        if not self._signaled:
            self._signaled = True
            self._signals.put(None)

    def _run_thread(self) -> None:
        try:
            while not self._closing:
                self._spares.fill()
                if self._wait_for_work():
                    self._sync_records(with_current=self._settings.sync is not SyncMode.NONE)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing is acknowledged again.
            self._fail(error)

    def _make_segment(self, number: int) -> Segment:
        return make_segment(self.directory, self._identity._replace(number=number))

    def _wait_for_work(self) -> bool:
        """Wait for a signal or the interval; return False to make a spare first, or to end."""
        interval_s = self._settings.interval_ms / 1000
        timeout_s = interval_s if self._settings.sync is SyncMode.INTERVAL else None
        if not self._spares.is_complete:
            timeout_s = SPARE_RETRY_S if timeout_s is None else min(timeout_s, SPARE_RETRY_S)
        try:
            self._signals.get(timeout=timeout_s)
        except Empty:
            return not self._closing
        # Before the seq to sync is read: a later record then signals again.
        self._signaled = False
        return not self._closing

    def _sync_records(self, *, with_current: bool) -> None:
        """Sync full segments, and the current one if asked; then tell. Raises OSError."""
        with self._sync_lock:
            with self._segments_changed:
                rolled, current = tuple(self._rolled), self._segment
                synced_seq = rolled[-1][1] if rolled else self._synced_seq
                synced_seq = self._last_seq if with_current else synced_seq
            if synced_seq == self._synced_seq and not rolled:
                return
            for segment, _ in rolled:
                segment.sync()
            if with_current:
                current.sync()
            self._synced_seq = synced_seq
            with self._segments_changed:
                del self._rolled[: len(rolled)]
            for segment, _ in rolled:
                segment.close()
            if self._on_synced is not None:
                self._on_synced(synced_seq)

    def _fail(self, error: Exception) -> JournalFailed:
        """Keep the first error for good, and tell it once."""
        with self._segments_changed:
            if self.failure is not None:
                return self.failure
            self.failure = JournalFailed(
                f"the journal in {self.directory} cannot be written: {error}. Nothing is "
                f"acknowledged after seq {self._synced_seq} synced, {self._last_seq} written: "
                "repair the disk and start riskd again"
            )
            self.failure.__cause__ = error
        self._spares.give_up()
        if self._on_failure is not None:
            self._on_failure(self.failure)
        return self.failure

    def _refuse(self, failure: JournalFailed) -> NoReturn:
        # A new one each time: an exception that is raised over and over grows its traceback.
        raise JournalFailed(str(failure)) from failure.__cause__
