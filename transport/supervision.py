"""What a supervisor such as systemd is told: that riskd is ready, alive, stopping."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping

USEC = 1_000_000


class Supervision:
    """Says `READY=1`, `WATCHDOG=1` and `STOPPING=1` over the datagram socket of `NOTIFY_SOCKET`.

    Without a supervisor it says nothing. A supervisor that does not listen is no reason to stop.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = f"\0{self._address[1:]}"  # An abstract one.
        wanted_usec = environ.get("WATCHDOG_USEC", "")
        is_ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        usec = int(wanted_usec) if is_ours and wanted_usec.isdigit() else 0
        self.watchdog_s = usec / USEC / 2  # Twice as often as is asked for; 0: not at all.
        self._timer: asyncio.TimerHandle | None = None

    def ready(self, loop: asyncio.AbstractEventLoop, status: str) -> None:
        """Say that riskd serves, and from now on that its loop turns."""
        self._say(f"READY=1\nSTATUS={status}\nMAINPID={os.getpid()}")
        if self.watchdog_s:
            self._beat(loop)

    def stopping(self) -> None:
        """Say that riskd ends."""
        if self._timer is not None:
            self._timer.cancel()
        self._say("STOPPING=1")

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(self.watchdog_s, self._beat, loop)
        self._say("WATCHDOG=1")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)  # A supervisor that hangs must not hang the loop.
            out.sendto(text.encode(), self._address)
