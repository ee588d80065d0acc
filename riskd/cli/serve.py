"""`riskd serve`: loads the engine only when it runs."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def serve(
    *,
    config: Annotated[
        Path | None, Parameter(help="riskd.toml; without it shipped defaults.")
    ] = None,
) -> int:
    """Run riskd in the foreground until it is stopped.

    It prints where each port is bound and a last line that begins `ready`. Every key of the
    configuration can also be set by environment: RISKD_PORTS__ORDERS='["ipc://orders.sock"]'.

    Example: riskd serve --config riskd.toml
    """
    process = importlib.import_module("transport.process")
    code: int = process.serve(config)
    return code
