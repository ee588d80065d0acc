"""A real `riskd serve` of a test: a folder of its own, free addresses, and a deadline on all of it.

    with RiskdProcess(tmp_path) as riskd:
        with riskd.peer("orders") as gateway:
            verdict = gateway.ask({"type": "check", ...})
        riskd.kill()
        riskd.start()  # The same folder and addresses: the journal is replayed.

The first start binds ports that the system chooses; later starts bind the same ones, so that
clients find it again. `ipc=True` uses sockets in a short temporary folder instead.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import zmq

from tests.end_to_end.peer import Peer

ROOT = Path(__file__).resolve().parents[2]
PORTS = ("orders", "ticks", "alerts", "control")
SEGMENT_BYTES = 1 << 20  # Of the journal: small, so that a test makes several and little disk.
# Deadlines end what hangs and judge nothing: a busy machine may take its time.
START_S_MAX = 300.0
WIDE_SHARE = {  # For a test that sends more, or worse, than one connection may.
    "RISKD_SECURITY__MESSAGES_PER_SECOND": "1000000000",
    "RISKD_SECURITY__MESSAGES_BURST": "1000000000",
    "RISKD_SECURITY__TICKS_PER_SECOND": "1000000000",
}
STOP_S_MAX = 120.0
POLL_S = 0.005
OUTPUT_SHOWN_MAX = 4000  # Characters of the output that a failure shows.


class RiskdProcess:
    """One riskd, startable again and again on the same books. Ends with its `with` block.

    `folder` is where it is started and keeps its data; `config` is a riskd.toml, absent for the
    shipped defaults; `settings` are further variables such as `RISKD_JOURNAL__SYNC`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        config: Path | None = None,
        settings: Mapping[str, str] | None = None,
        ipc: bool = False,
    ) -> None:
        self.folder = folder
        self.books = folder / "books"
        self.output_path = folder / "output.log"
        self.addresses: dict[str, str] = {}
        self._config = config
        self._settings = dict(settings or {})
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._process: subprocess.Popen[bytes] | None = None
        self._output_from = 0  # Where the output of the present run begins.
        self._ipc_folder = tempfile.TemporaryDirectory(prefix="rd") if ipc else None
        if self._ipc_folder is not None:
            # A Unix socket's path has room for about 100 characters: pytest's folders are longer.
            within = self._ipc_folder.name
            self.addresses = {name: f"ipc://{within}/{name}" for name in PORTS}

    def start(self) -> Self:
        """Start riskd and return when it says `ready`; fail with its output if it does not."""
        self.spawn()
        self.wait_ready()
        return self

    def spawn(self) -> None:
        """Start riskd without waiting: for a start that is to fail, or to be killed."""
        assert not self.is_running, "it runs already"
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "riskd", "serve"]
        if self._config is not None:
            command += ["--config", str(self._config)]
        with self.output_path.open("ab") as output:
            self._output_from = output.tell()
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_ready(self, *, s_max: float = START_S_MAX) -> None:
        """Return when the present run has said `ready`, and learn where its ports are bound."""
        until_s = time.monotonic() + s_max
        while not any(line.startswith("ready") for line in self.output.splitlines()):
            assert self.is_running, f"riskd ended before it was ready:\n{self.output}"
            assert time.monotonic() < until_s, f"riskd is not ready:\n{self.output}"
            time.sleep(POLL_S)
        for line in self.output.splitlines():
            words = line.split()
            if len(words) > 1 and words[0] in PORTS and "://" in words[1]:
                self.addresses.setdefault(words[0], words[1])

    def send_signal(self, number: int) -> None:
        """Send a signal to the present run, such as `signal.SIGINT`, and do not wait."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> int:
        """Ask riskd to stop (SIGTERM) and return its exit code."""
        if self.is_running:
            self.send_signal(signal.SIGTERM)
        return self.wait_ended()

    def kill(self) -> None:
        """End riskd at once (SIGKILL): nothing is flushed, nothing is said."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(STOP_S_MAX)

    def wait_ended(self, *, s_max: float = STOP_S_MAX) -> int:
        """Return the exit code of a riskd that is ending by itself; end it after a deadline."""
        assert self._process is not None
        try:
            return self._process.wait(s_max)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"riskd did not end:\n{self._last_output}") from None

    def close(self) -> None:
        """End riskd however it is, and drop every socket of the test."""
        if self._process is not None and self.is_running:
            self.kill()
        self._context.destroy(linger=0)
        if self._ipc_folder is not None:
            self._ipc_folder.cleanup()

    @property
    def is_running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the present run."""
        assert self._process is not None
        return self._process.pid

    @property
    def output(self) -> str:
        """What the present run has printed so far, both streams."""
        with self.output_path.open("rb") as output:
            output.seek(self._output_from)
            return output.read().decode(errors="replace")

    def peer(
        self, port: str, kind: int = zmq.DEALER, options: Mapping[int, int | bytes] | None = None
    ) -> Peer:
        """A socket connected to one of the ports; close it, or use it in a `with`.

        `options` are set before it connects, such as `{zmq.RCVHWM: 1}`.
        """
        return Peer(self._context, self.addresses[port], kind, options)

    def control(self, type_: str, **fields: Any) -> Any:
        """Ask the control port and return the `data` of the result; fail on an error."""
        with self.peer("control", zmq.REQ) as operator:
            answer = operator.ask({"type": type_, **fields})
        assert answer["type"] == "result", answer
        return answer["data"]

    def status(self) -> dict[str, Any]:
        """The status with `state_hash` and `books_hash`."""
        shown: dict[str, Any] = self.control("status", digest=True)
        return shown

    def wait_until(self, condition: Callable[[], object], *, s_max: float = START_S_MAX) -> None:
        """Return as soon as `condition` holds; fail after a deadline, or when riskd has ended."""
        until_s = time.monotonic() + s_max
        while not condition():
            self.require_running()
            assert time.monotonic() < until_s, "the condition did not come true in time"
            time.sleep(POLL_S)

    def require_running(self) -> None:
        """Fail with the output if riskd has ended."""
        assert self._process is not None
        code = self._process.poll()
        assert code is None, f"riskd ended with {code}:\n{self._last_output}"

    def __enter__(self) -> Self:
        try:
            return self if self.is_running else self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _last_output(self) -> str:
        return self.output[-OUTPUT_SHOWN_MAX:]

    def _environment(self) -> dict[str, str]:
        """Ours without the settings of whoever runs the tests."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith("RISKD_")}
        ports = {name: self.addresses.get(name, "tcp://127.0.0.1:*") for name in PORTS}
        return {
            **kept,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",  # So that a kill loses none of its output.
            "RISKD_DATA_DIR": str(self.books),
            "RISKD_JOURNAL__SEGMENT_BYTES": str(SEGMENT_BYTES),
            **{f"RISKD_PORTS__{name.upper()}": json.dumps([at]) for name, at in ports.items()},
            **self._settings,
        }
