"""How a journal is kept: what the configuration may choose."""

from __future__ import annotations

from enum import StrEnum

import msgspec

SCHEMA = b"riskd inputs 1"  # Changes when older inputs could no longer be replayed.
SEGMENT_BYTES = 16 << 20
SEGMENT_BYTES_MIN = 4096


class SyncMode(StrEnum):
    """When records are made to survive a loss of power; a kill they always survive."""

    ALWAYS = "always"  # As soon as possible, many at once; replies wait for `on_synced`.
    INTERVAL = "interval"
    NONE = "none"  # When a segment is full, and at close.


class JournalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to keep a journal. `schema` is the fingerprint of the messages, at most 64 bytes."""

    schema: bytes
    sync: SyncMode = SyncMode.INTERVAL
    interval_ms: int = 50
    segment_bytes: int = SEGMENT_BYTES
