"""`riskd notify test`: whether a notification reaches anybody."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import App, Parameter

from riskd.cli.connection import Connection
from riskd.cli.failure import DONE, FAILED, CommandError
from riskd.cli.look import HERE, Json
from riskd.cli.text import print_json
from riskd.messages import Metrics, NotifyTest

POLL_S = 0.1

HELP = """Try out notifications by mail and webhook.

Example: riskd notify test
"""

app = App(name="notify", help=HELP)


@app.command(name="test")
def try_out(
    *,
    wait_s: Annotated[float, Parameter(help="How long to wait for the servers.")] = 30.0,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Tell a test to every channel, and say of each whether it left.

    Example: riskd notify test
    """
    before: Any = connection.ask(NotifyTest()).data
    if not before:
        raise CommandError(
            "no channel of notifications is configured.",
            exit_code=FAILED,
            expected="smtp_host with mail_to, or webhook_url, in [notify]",
            next_step="riskd serve again once it is",
        )
    until_s = time.monotonic() + wait_s
    now = before
    while not all(_is_over(before[name], now[name]) for name in before):
        if time.monotonic() >= until_s:
            break
        time.sleep(POLL_S)
        now = connection.ask(Metrics()).data["notify"]
    if json:
        print_json(now)
    for name in now if not json else ():
        print(f"{name:<8}  {_said(before[name], now[name])}")
    return DONE if all(_is_sent(before[name], now[name]) for name in before) else FAILED


def _is_sent(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    return bool(now["messages"] > before["messages"])


def _is_over(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    return _is_sent(before, now) or bool(now["failures"] > before["failures"])


def _said(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    if _is_sent(before, now):
        return "SENT"
    return f"FAILED  {now['failure']}" if now["failure"] else "no answer from the server yet"
