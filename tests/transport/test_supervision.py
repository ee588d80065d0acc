"""A supervisor hears that riskd is ready, that its loop turns, and that it ends."""

import asyncio
import os
import socket

import pytest

from transport.supervision import Supervision


def bound(address: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(address)
    listener.settimeout(10)
    return listener


@pytest.mark.parametrize("abstract", [False, True])
def test_supervisor_hears_ready_watchdog_and_stopping(tmp_path, abstract):
    name = f"riskd-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with bound(f"\0{name}" if abstract else name) as listener:
        environ = {
            "NOTIFY_SOCKET": f"@{name}" if abstract else name,
            "WATCHDOG_USEC": "2000",
            "WATCHDOG_PID": str(os.getpid()),
        }

        async def serve() -> None:
            supervision = Supervision(environ)
            assert supervision.watchdog_s == 0.001
            supervision.ready(asyncio.get_running_loop(), "serving")
            for _ in range(3):
                assert await asyncio.to_thread(listener.recv, 100) == expected.pop(0)
            supervision.stopping()

        ready = f"READY=1\nSTATUS=serving\nMAINPID={os.getpid()}".encode()
        expected = [ready, b"WATCHDOG=1", b"WATCHDOG=1"]
        asyncio.run(serve())
        last = b""
        while last != b"STOPPING=1":
            last = listener.recv(100)


@pytest.mark.parametrize(
    "environ",
    [{}, {"NOTIFY_SOCKET": "/nowhere/at/all"}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}],
)
def test_supervisor_that_is_absent_or_meant_another_is_no_trouble(environ):
    async def serve() -> None:
        supervision = Supervision(environ)
        assert supervision.watchdog_s == 0
        supervision.ready(asyncio.get_running_loop(), "serving")
        supervision.stopping()

    asyncio.run(serve())
