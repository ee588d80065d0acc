"""The machine a figure belongs to."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import zmq

CPUINFO = Path("/proc/cpuinfo")
PACKAGES = ("pyzmq", "uvloop", "pykka", "msgspec", "numpy")  # What the figures rest on.


def cores() -> tuple[int, ...]:
    """Return the cores this process may use; empty where the system cannot pin."""
    if not hasattr(os, "sched_getaffinity"):
        return ()
    return tuple(sorted(os.sched_getaffinity(0)))


def resident_bytes(pid: int | None = None) -> int | None:
    """Return the memory that this process or another occupies, None if the system does not say."""
    pages = Path(f"/proc/{'self' if pid is None else pid}/statm")
    if not pages.exists():
        return None
    return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def describe(timer_ns: float) -> dict[str, str]:
    """Return what a reader needs to know of the machine."""
    return {
        "cpu": _cpu_model(),
        "cores": str(len(cores()) or os.cpu_count() or 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libzmq": zmq.zmq_version(),
        **{name: version(name) for name in PACKAGES},
        "load": load_text(),
        "timer_ns": f"{timer_ns:.0f}",
    }


def load_text() -> str:
    """Return how many processes wanted a core in the last minute."""
    return f"{os.getloadavg()[0]:.2f}"


def _cpu_model() -> str:
    if CPUINFO.exists():
        for line in CPUINFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
