"""Commands about what riskd keeps: snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from riskd.cli.connection import Connection
from riskd.cli.failure import DONE
from riskd.cli.look import HERE, Json
from riskd.cli.text import cell, print_json
from riskd.messages import Snapshot

SNAPSHOT_TIMEOUT_MS = 60_000  # A hundred thousand accounts are a file of a gigabyte.


def snapshot(*, json: Json = False, connection: Connection = HERE) -> int:
    """Write the whole state to a file now, so that a restart replays little. Trading goes on.

    Example: riskd snapshot
    """
    patient = replace(connection, timeout_ms=max(connection.timeout_ms, SNAPSHOT_TIMEOUT_MS))
    found = patient.ask(Snapshot()).data
    if json or not isinstance(found, Mapping):
        print_json(found)
        return DONE
    pause = f"verdicts paused {found.get('pause_ns', 0) / 1e6:.1f} ms"
    print(f"WRITTEN {found.get('file')}   seq {cell('seq', found.get('seq'))}   {pause}")
    return DONE
