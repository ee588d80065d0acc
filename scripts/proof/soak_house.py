"""A whole riskd whose clocks a proof moves: a real process, in which days pass in seconds.

What state is measured by, what is kept how long and what is done how often go by the moved clocks;
the deadlines of threads and children, and how often the loop looks, go by the machine's.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path

from tests.end_to_end.process import ROOT, WIDE_SHARE, RiskdProcess

NS = 1_000_000_000
SEGMENTS_RETAINED, SEGMENT_BYTES_MIN = 4, 128 << 10
RETENTION_DAYS = 7
OFFSET = struct.Struct("<Q")
CLOCKED = """
import mmap
import os
import time
from struct import Struct
from types import SimpleNamespace

with open(os.environ["SOAK_CLOCK"], "r+b") as file:
    memory = mmap.mmap(file.fileno(), 8)
read, wall_ns, monotonic_ns = Struct("<Q").unpack_from, time.time_ns, time.monotonic_ns
time.time_ns = lambda: wall_ns() + read(memory)[0]
time.monotonic_ns = lambda: monotonic_ns() + read(memory)[0]
moved = SimpleNamespace(
    time_ns=time.time_ns, monotonic=lambda: time.monotonic_ns() / 1e9, sleep=time.sleep
)

import transport.audit
import transport.audit_writer
import transport.process_checkpoint

transport.audit.time = transport.audit_writer.time = moved
transport.process_checkpoint.monotonic = moved.monotonic
"""
CONFIG = f"""
env = "soak"
[orders]
reservation_ms = 86400000
[prices]
stale_after_ms = 7200000
mark_after_ms = 7200000
fx_stale_after_ms = 7200000
[sessions]
heartbeat_ms = 60000
instruction_ms = 7200000
[publish]
publish_ms = 100
heartbeat_ms = 100
[audit]
interval_s = 1800
retention_days = {RETENTION_DAYS}
lag_max_s = 3600
[snapshot]
every_s = 14400
keep = 3
[default]
order_quantity = 1000
order_notional = 1e6
position_quantity = 10000
open_orders = 1000
orders_per_second = 1000000
daily_loss = 5000
drawdown_max_pct = 50
duplicate_orders = {{count = 1000000, window_ms = 10000}}
[[group]]
id = "desk-1"
[[instrument]]
symbol = "X"
currency = "USD"
tick_size = "0.01"
[[instrument]]
symbol = "Y"
currency = "USD"
tick_size = "0.01"
[[instrument]]
symbol = "EURUSD"
kind = "fx"
base = "EUR"
currency = "USD"
tick_size = "0.00001"
[[account]]
id = "A1"
group = "desk-1"
currency = "USD"
balance = 10000000
response_mode = "automatic"
[[account]]
id = "A2"
group = "desk-1"
currency = "USD"
balance = 100000
cost_method = "fifo"
response_mode = "automatic"
[[account]]
id = "A3"
currency = "USD"
balance = 1000000
position_mode = "hedging"
[[account]]
id = "A4"
currency = "EUR"
balance = 1000000
[group.desk-1]
gross_exposure = 1e7
[[response]]
id = "daily-loss-high"
event = "daily_loss"
severity = "high"
action = "flatten"
breaker = "reduce_only"
cooling_ms = 3600000
"""


class Clock:
    """The clock that riskd reads: that of the machine and what it was moved by."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(OFFSET.size))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), OFFSET.size)

    def advance(self, span_s: int) -> None:
        """Let so much time pass."""
        OFFSET.pack_into(self._memory, 0, self._offset_ns + span_s * NS)

    def wall_ns(self) -> int:
        """Return what time it is, as riskd sees it."""
        return time.time_ns() + self._offset_ns

    @property
    def _offset_ns(self) -> int:
        (offset_ns,) = OFFSET.unpack_from(self._memory)
        return int(offset_ns)


def segment_bytes(retain_bytes: int) -> int:
    """Return how large a segment is where so much of the journal is retained."""
    return max(SEGMENT_BYTES_MIN, retain_bytes // SEGMENTS_RETAINED)


def make_house(folder: Path, retain_bytes: int) -> tuple[RiskdProcess, Clock]:
    """Return a riskd in `folder` that is still to be started, and its clock."""
    (folder / "clock").mkdir()
    (folder / "clock" / "sitecustomize.py").write_text(CLOCKED)
    (folder / "riskd.toml").write_text(CONFIG)
    settings = {
        **WIDE_SHARE,
        "PYTHONPATH": f"{folder / 'clock'}{os.pathsep}{ROOT}",
        "SOAK_CLOCK": str(folder / "offset"),
        "RISKD_JOURNAL__SEGMENT_BYTES": str(segment_bytes(retain_bytes)),
        "RISKD_JOURNAL__RETAIN_BYTES": str(retain_bytes),
    }
    clock = Clock(folder / "offset")
    config = folder / "riskd.toml"
    return RiskdProcess(folder, config=config, settings=settings, ipc=True), clock
