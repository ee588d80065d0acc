"""Commands about riskd itself: ping, info, version."""

from __future__ import annotations

import os
import platform
import sys
import time
from typing import Any

import riskd
from riskd.cli.connection import DEFAULTS, KEY_VARIABLE, Connection
from riskd.cli.failure import DONE, CommandError
from riskd.cli.look import HERE, Json
from riskd.cli.text import print_json
from riskd.messages import Status

RUNNING = ("env", "state", "pid", "ports", "data_dir", "limits_version")


def ping(*, json: Json = False, connection: Connection = HERE) -> int:
    """Ask the orders port whether riskd is alive, and how long the answer takes.

    Example: riskd ping
    """
    begun_ns = time.perf_counter_ns()
    pong = connection.told(lambda client: client.ping())
    took_ns = time.perf_counter_ns() - begun_ns
    if json:
        shown = {"state": pong.state, "last_seq": pong.last_seq, "server_ns": pong.server_ns}
        print_json(shown | {"took_ns": took_ns})
        return DONE
    print(f"{pong.state}   seq {pong.last_seq:,}   {took_ns / 1e6:.2f} ms")
    return DONE


def about(*, json: Json = False, connection: Connection = HERE) -> int:
    """Show the versions, addresses, files and variables that this command uses, and riskd's own.

    Beside each address is where it comes from: an option, a variable, or the default.

    Example: riskd info
    """
    shown: dict[str, Any] = {
        "version": riskd.__version__,
        "python": platform.python_version(),
        "command": sys.argv[0],
        "addresses": {port: _address(connection, port) for port in DEFAULTS},
        "key": str(connection.key or os.environ.get(KEY_VARIABLE) or "") or None,
        "environment": {
            name: value for name, value in sorted(os.environ.items()) if name.startswith("RISKD_")
        },
    }
    try:
        status: Any = connection.ask(Status()).data
        shown["running"] = {name: status[name] for name in RUNNING if name in status}
    except CommandError as error:
        shown["running"] = None
        shown["why"] = str(error)
    if json:
        print_json(shown)
        return DONE
    print(f"riskd {shown['version']}   python {shown['python']}   {shown['command']}")
    for port, address in shown["addresses"].items():
        print(f"  {port:<9} {address['address']}   ({address['source']})")
    if shown["key"]:
        print(f"  key       {shown['key']}")
    for name, value in shown["environment"].items():
        print(f"  {name}={value}")
    if shown["running"] is None:
        print(f"not running: {shown['why']}")
        return DONE
    for name, value in shown["running"].items():
        print(f"  {name:<14} {value}")
    return DONE


def version() -> int:
    """Print the version.

    Example: riskd version
    """
    print(f"riskd {riskd.__version__}")
    return DONE


def _address(connection: Connection, port: str) -> dict[str, str]:
    source = "default"
    if getattr(connection, port):
        source = f"--{port}"
    elif os.environ.get(f"RISKD_PORTS__{port.upper()}"):
        source = f"RISKD_PORTS__{port.upper()}"
    return {"address": connection.address(port), "source": source}
