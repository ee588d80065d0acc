"""What a journal on disk says, folded by the pure engine: what a live riskd must equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from actors.sequencer import Source, sent_in
from engine.core import Core
from engine.digest import state_digest
from engine.facts import Stamp
from riskd.codec import control_codec, internal_codec, orders_codec, ticks_codec
from tests.end_to_end.process import SEGMENT_BYTES
from transport.data_directory import DataDirectory
from transport.journal import Journal
from transport.journal_settings import SCHEMA, JournalSettings

CODECS: dict[int, Any] = {
    Source.ORDERS: orders_codec,
    Source.TICKS: ticks_codec,
    Source.CONTROL: control_codec,
    Source.INTERNAL: internal_codec,
}


def replayed(data_dir: Path, seq_last: int) -> Core:
    """Return the engine after record `seq_last` of the journal. No riskd may run on it."""
    core = Core()
    settings = JournalSettings(schema=SCHEMA, segment_bytes=SEGMENT_BYTES)
    with DataDirectory(data_dir) as directory, Journal.open(directory, settings) as journal:
        for seq, recv_ns, steady_ns, source, raw in journal.replay():
            if seq > seq_last:
                break
            port, session, by, sent = sent_in(source, raw)
            stamp = Stamp(seq, recv_ns, steady_ns, session)
            core.apply(CODECS[port].decode(sent), stamp, by)
    return core


def replayed_hash(data_dir: Path, seq_last: int) -> str:
    """Return the state hash after record `seq_last` of the journal."""
    return state_digest(replayed(data_dir, seq_last).state())
