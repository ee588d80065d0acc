"""Where riskd is: options, then environment, then defaults. And the clients made from that."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypeVar

from cyclopts import Parameter

from riskd.cli.failure import FAILED, NOT_ALLOWED, USAGE, CommandError, unreachable
from riskd.client import ORDERS_ADDRESS, RiskClient
from riskd.control import CONTROL_ADDRESS, ControlClient
from riskd.errors import ControlError, KeysError, NoAnswer, RiskdError
from riskd.keys import ClientKey, client_key
from riskd.messages import ControlMessage, Result
from riskd.subscriber import ALERTS_ADDRESS

TICKS_ADDRESS = "tcp://127.0.0.1:5702"
KEY_VARIABLE = "RISKD_KEY"
Told = TypeVar("Told")
BESIDE_TIMEOUT_MS = 60_000  # A hundred thousand accounts are a file of a gigabyte.
DEFAULTS = {
    "orders": ORDERS_ADDRESS,
    "ticks": TICKS_ADDRESS,
    "alerts": ALERTS_ADDRESS,
    "control": CONTROL_ADDRESS,
}


@Parameter(name="*")
@dataclass(frozen=True)
class Connection:
    """Options that every client command has."""

    orders: Annotated[str | None, Parameter(help="Address of the orders port.")] = None
    ticks: Annotated[str | None, Parameter(help="Address of the ticks port.")] = None
    alerts: Annotated[str | None, Parameter(help="Address of the alerts port.")] = None
    control: Annotated[str | None, Parameter(help="Address of the control port.")] = None
    key: Annotated[
        Path | None, Parameter(help=f"File of your key, where riskd has keys; or {KEY_VARIABLE}.")
    ] = None
    timeout_ms: Annotated[int, Parameter(help="How long to wait for an answer.")] = 3000

    def address(self, port: str) -> str:
        """Return the address of a port; raise CommandError if it is none."""
        return address_of(port, getattr(self, port), os.environ)

    def patient(self) -> Connection:
        """Return the same for what riskd does beside its loop: that takes longer."""
        return replace(self, timeout_ms=max(self.timeout_ms, BESIDE_TIMEOUT_MS))

    def client(self) -> RiskClient:
        """Return a client of the orders port."""
        self._check_timeout()
        key = self.client_key()
        return RiskClient(self.address("orders"), timeout_ms=self.timeout_ms, retries=0, key=key)

    def told(self, tell: Callable[[RiskClient], Told]) -> Told:
        """Return what the orders port answers; raise CommandError if it refuses or is silent."""
        address = self.address("orders")
        try:
            with self.client() as client:
                return tell(client)
        except NoAnswer as silence:
            raise unreachable(address, "orders", str(silence)) from silence
        except RiskdError as error:
            where = f"orders port, {address}"
            raise CommandError(f"refused: {error}", exit_code=FAILED, where=where) from error

    def ask(self, message: ControlMessage) -> Result:
        """Return riskd's result of a control request; raise CommandError otherwise."""
        self._check_timeout()
        address = self.address("control")
        try:
            key = self.client_key()
            with ControlClient(address, timeout_ms=self.timeout_ms, key=key) as control:
                return control.request(message)
        except NoAnswer as silence:
            raise unreachable(address, "control", str(silence)) from silence
        except ControlError as error:
            is_right = error.code == "not_authorized"
            raise CommandError(
                f"refused: {error.text}",
                exit_code=NOT_ALLOWED if is_right else FAILED,
                where=f"control port, {address}" + (f", at {error.field}" if error.field else ""),
                next_step="use a key with the role for it" if is_right else "",
            ) from error
        except ValueError as error:
            expected = "tcp://HOST:PORT or ipc://PATH"
            raise CommandError(str(error), exit_code=USAGE, expected=expected) from error

    def client_key(self) -> ClientKey | None:
        """Return the key to come in with, if one is named; raise CommandError if it is unusable."""
        named = self.key or os.environ.get(KEY_VARIABLE)
        try:
            return client_key(named) if named else None
        except KeysError as error:
            where = "--key" if self.key else KEY_VARIABLE
            raise CommandError(str(error), exit_code=NOT_ALLOWED, where=where) from error

    def _check_timeout(self) -> None:
        if self.timeout_ms <= 0:
            raise CommandError(
                f"--timeout-ms is {self.timeout_ms}.",
                exit_code=USAGE,
                expected="a positive number of milliseconds",
            )


def address_of(port: str, option: str | None, environ: Mapping[str, str]) -> str:
    """Return where to connect to for a port: the option, RISKD_PORTS__<PORT>, or the default.

    The variable is what `riskd serve` binds: a JSON list, of which the first counts; an address
    that means every interface is connected to by loopback.
    """
    variable = f"RISKD_PORTS__{port.upper()}"
    written, source = (option, f"--{port}") if option else (environ.get(variable), variable)
    if not written:
        return DEFAULTS[port]
    address = written
    if written.lstrip().startswith("["):
        try:
            listed = json.loads(written)
        except json.JSONDecodeError:
            listed = None
        if not isinstance(listed, list) or not listed or not isinstance(listed[0], str):
            raise _no_address(port, source, written)
        address = listed[0]
    if not address.startswith(("tcp://", "ipc://")):
        raise _no_address(port, source, written)
    return address.replace("tcp://*:", "tcp://127.0.0.1:").replace(
        "tcp://0.0.0.0:", "tcp://127.0.0.1:"
    )


def _no_address(port: str, source: str, written: str) -> CommandError:
    return CommandError(
        f"{written!r} is no address to connect to.",
        exit_code=USAGE,
        where=source,
        expected='tcp://HOST:PORT, ipc://PATH, or a JSON list such as ["ipc://orders.sock"]',
        next_step=f"write it as in {DEFAULTS[port]}",
    )
