"""Questions to a journal: does it replay, why was this answered, what would other limits say."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from traceback import format_exception
from typing import Any

import msgspec
from msgspec.structs import replace

from config.errors import ConfigError
from config.load import load
from engine.core import Core
from engine.digest import decode_state, encode_state, state_digest
from engine.facts import Stamp
from riskd.messages import (
    Basket,
    BasketVerdict,
    Check,
    Configure,
    LimitSet,
    Universe,
    Verdict,
)
from transport.data_directory import DataDirectoryBusyError
from transport.journal_format import JournalError, JournalRecord
from transport.journal_reading import JournalReader, trim
from transport.journal_settings import SCHEMA
from transport.process_replay import Divergence, begin, decode_record, stamp_of
from transport.snapshot import SnapshotError, list_snapshots, read_snapshot

ERRORS = (JournalError, ConfigError, DataDirectoryBusyError, OSError)  # What a question may meet.
DIFFERENCES_MAX = 10_000  # Shown one by one; all are counted.
PROGRESS_S = 1.0


def stat(data_dir: Path) -> dict[str, Any]:
    """Return what a data directory holds."""
    return JournalReader(data_dir, SCHEMA).stat()


def verify(data_dir: Path) -> dict[str, Any]:
    """Read every byte of a journal and its snapshots. Raises JournalError."""
    return JournalReader(data_dir, SCHEMA).verify()


def trim_segments(data_dir: Path, retain_bytes: int) -> dict[str, Any]:
    """Remove segments that no snapshot needs. Raises JournalError, DataDirectoryBusyError."""
    return {"removed": trim(data_dir, SCHEMA, retain_bytes)}


def compare(data_dir: Path) -> dict[str, Any]:
    """Replay everything that is kept; return where it first differs from what was recorded.

    Hashes of answers and states are compared at every checkpoint, and the state's at each snapshot.
    """
    reader = JournalReader(data_dir, SCHEMA)
    replay, records, _ = begin(reader)
    recorded = dict(_snapshot_hashes(reader))
    compared, begun_s = 0, monotonic()
    for record in _with_progress(records, reader.last_seq):
        replay.take(record)
        if record.seq in recorded:
            compared += 1
            found = state_digest(replay.core.state())
            if found != recorded[record.seq]:
                what = Divergence(record.seq, "state", recorded[record.seq], found)
                replay.divergences.append(what)
    spent_s = monotonic() - begun_s
    first = min(replay.divergences, key=lambda found: found.seq, default=None)
    return {
        "records": replay.count,
        "base_seq": replay.base_seq,
        "last_seq": reader.last_seq,
        "seconds": spent_s,
        "answers_hash": replay.chain.value(),
        "state_hash": state_digest(replay.core.state()),
        "hashes_compared": replay.hashes_compared + compared,
        "divergences": len(replay.divergences),
        "first_divergence": None if first is None else {**first._asdict(), "text": str(first)},
    }


def why(
    data_dir: Path, *, seq: int | None, client_order_id: str, account: str
) -> list[dict[str, Any]]:
    """Return the answers to one record or order, derived again, each with every check's numbers.

    Where a bug struck, it strikes again, and `bugs` says what it was and where.
    Orders of a basket are answered one by one; with `seq` and an id only that one of the record.
    """
    reader = JournalReader(data_dir, SCHEMA)
    replay, records, _ = begin(reader, seq)
    found = []
    for record in _with_progress(records, reader.last_seq if seq is None else seq):
        message = decode_record(record)
        places = []
        if seq in (None, record.seq):
            places = [
                place
                for place, asked in enumerate(_asked_in(message))
                if (seq is not None and not client_order_id)
                or _is_of(asked, client_order_id, account)
            ]
        checks = _explained(replay.core, record, message) if places else ()
        answers = _answers_in(replay.take(record, message))
        if len(answers) < len(places):
            answers *= len(places)  # A record that is left out has no answer.
        found += [
            {
                "seq": record.seq,
                "recv_ns": record.recv_ns,
                "request": msgspec.to_builtins(_asked_in(message)[place]),
                "answer": msgspec.to_builtins(answers[place]),
                "checks": checks[place] if checks else None,
                "bugs": ["".join(format_exception(error)) for error in replay.core.raised],
            }
            for place in places
        ]
        if record.seq == seq:
            break
    return found


def under_limits(data_dir: Path, config: Path) -> dict[str, Any]:
    """Run the same journal under the limits of another configuration, as `judged_under` does.

    Raises ConfigError.
    """
    limits = load(config, {}).universe.limits
    return judged_under(data_dir, limits, shown_max=DIFFERENCES_MAX, shows=sys.stderr.isatty())


def judged_under(
    data_dir: Path, limits: LimitSet, *, shown_max: int, shows: bool = False
) -> dict[str, Any]:
    """Run all that is kept of a journal under other limits; return which verdicts would differ.

    They take the place of the configuration's; what people changed since lies on top of them.
    Facts stay what they were: a fill of an order that would have been refused is still booked.
    """
    reader = JournalReader(data_dir, SCHEMA)
    as_was, records, snapshot = begin(reader)
    other = Core()
    if snapshot is not None:
        other.restore(read_snapshot(snapshot.header.path).state)
        other.apply(_limits_alone(other, limits), Stamp(*other.stamp))
    verdicts, counts = 0, Counter[str]()
    differing: list[dict[str, Any]] = []
    for record in _with_progress(records, reader.last_seq) if shows else records:
        message = decode_record(record)
        was = as_was.take(record, message)
        if record.seq in as_was.skipped:
            continue
        if isinstance(message, Configure):
            message = replace(message, universe=replace(message.universe, limits=limits))
        now = other.apply(message, stamp_of(record))
        for before, after in zip(_answers_in(was), _answers_in(now), strict=False):
            if not isinstance(before, Verdict) or not isinstance(after, Verdict):
                continue
            verdicts += 1
            if _code(before) != _code(after):
                counts[f"{_code(before)} to {_code(after)}"] += 1
                if len(differing) < shown_max:
                    differing.append(_difference(before, after, record))
    return {
        "verdicts": verdicts,
        "differ": sum(counts.values()),
        "changes": dict(counts.most_common()),
        "differences": differing,
    }


def _snapshot_hashes(reader: JournalReader) -> Iterator[tuple[int, str]]:
    for path in list_snapshots(reader.directory):
        try:
            snapshot = read_snapshot(path)
        except SnapshotError:
            continue
        if not snapshot.is_upgraded:
            yield snapshot.header.mark.seq, snapshot.header.state_hash


def _asked_in(message: Any) -> list[Any]:
    """Return the orders of a basket; any other message is all that it asks."""
    return message.orders if isinstance(message, Basket) else [message]


def _answers_in(answer: Any) -> tuple[Any, ...]:
    """Return the verdict of each order of a basket; any other answer is the only one."""
    return answer.verdicts if isinstance(answer, BasketVerdict) else (answer,)


def _explained(core: Core, record: JournalRecord, message: Any) -> list[Any]:
    """Return every check of each order with its numbers, for the state just before the record.

    Of a basket each order sees what those before it reserved, so a copy of the state judges it.
    """
    if isinstance(message, Check):
        asked: Any = replace(message, dry_run=True, explain=True)
        judge = core
    elif isinstance(message, Basket):
        asked = replace(message, orders=[replace(one, explain=True) for one in message.orders])
        judge = Core()
        judge.restore(decode_state(encode_state(core.state())))
    else:
        return []
    answers = _answers_in(judge.apply(asked, stamp_of(record)))
    return [
        msgspec.to_builtins(answer.checks) if isinstance(answer, Verdict) else None
        for answer in answers
    ]


def _is_of(message: Any, client_order_id: str, account: str) -> bool:
    named = client_order_id in (
        getattr(message, "client_order_id", None),
        getattr(message, "new_client_order_id", None),
    )
    return named and account in ("", getattr(message, "account", ""))


def _limits_alone(core: Core, limits: LimitSet) -> Configure:
    return Configure(universe=Universe(settings=core.boards.settings, limits=limits))


def _code(verdict: Verdict) -> str:
    return verdict.rejects[0].code if verdict.rejects else "APPROVED"


def _difference(was: Verdict, now: Verdict, record: JournalRecord) -> dict[str, Any]:
    return {
        "seq": record.seq,
        "recv_ns": record.recv_ns,
        "account": was.account,
        "client_order_id": was.client_order_id,
        "was": _code(was),
        "would_be": _code(now),
        "text": now.rejects[0].text if now.rejects else "",
    }


def _with_progress(records: Iterator[JournalRecord], last_seq: int) -> Iterator[JournalRecord]:
    """Yield the records, saying on a terminal how far it is when it takes long."""
    begun_s = said_s = monotonic()
    shows = sys.stderr.isatty()
    for count, record in enumerate(records, 1):
        yield record
        if shows and not count % 1000 and monotonic() - said_s > PROGRESS_S:
            said_s = monotonic()
            rate = count / (said_s - begun_s)
            left_s = (last_seq - record.seq) / rate
            sys.stderr.write(
                f"\rseq {record.seq:,} of {last_seq:,}, {rate:,.0f}/s, {left_s:.0f} s "
            )
            sys.stderr.flush()
