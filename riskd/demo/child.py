"""`riskd serve` as a child process, on addresses that are free."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import IO, Self

DEFAULT_PORTS = {"orders": 5701, "ticks": 5702, "alerts": 5703, "control": 5704}
READY_S_MAX = 30.0
STOP_S_MAX = 10.0
LAST_LINES_MAX = 20


class ChildError(Exception):
    """riskd did not start; the text is what it said."""


def free_addresses() -> dict[str, str]:
    """Return an address a port: the default where it is free, else any free one."""
    return {name: f"tcp://127.0.0.1:{_free(port)}" for name, port in DEFAULT_PORTS.items()}


class ServeChild:
    """Starts riskd on `addresses`, waits until it is ready, and stops it at the end."""

    def __init__(self, addresses: dict[str, str], data_dir: Path) -> None:
        self.addresses = addresses
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES_MAX)
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        ports = {f"RISKD_PORTS__{name.upper()}": json.dumps([at]) for name, at in addresses.items()}
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("RISKD_")
        }
        environment |= {**ports, "RISKD_DATA_DIR": str(data_dir), "RISKD_ENV": "demo"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "riskd", "serve"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Ctrl-C reaches a terminal's whole process group: the child is stopped by us, after
            # the gateways have had their last answers.
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stdout,), daemon=True, name="riskd-output"
        )
        self._reader.start()

    @property
    def is_running(self) -> bool:
        """Whether the process is alive."""
        return self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Return when riskd printed `ready`; raise ChildError if it ends or takes too long."""
        until_s = time.monotonic() + READY_S_MAX
        while (left_s := until_s - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=left_s)
            except queue.Empty:
                break
            if line is None:
                raise ChildError("\n".join(self.last_lines) or "It ended without a word.")
            if line.startswith("ready"):
                return
        raise ChildError(
            f"It was not ready within {READY_S_MAX:g} s.\n" + "\n".join(self.last_lines)
        )

    def stop(self) -> None:
        """End the process: ask, then insist."""
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(STOP_S_MAX)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _read(self, output: IO[str]) -> None:
        """Keep the pipe empty, or riskd would wait for us when it is full."""
        for line in output:
            self.last_lines.append(line.rstrip())
            self._lines.put(line)
        self._lines.put(None)


def _free(port: int) -> int:
    for wanted in (port, 0):
        with socket.socket() as probe:
            # As libzmq binds: a port whose old connections linger is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ChildError("No port is free on 127.0.0.1.")
