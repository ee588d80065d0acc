"""`riskd reload`: let a running riskd read its configuration and its keys again."""

from __future__ import annotations

from typing import Any

from riskd.cli.connection import Connection
from riskd.cli.failure import DONE
from riskd.cli.limits import CHANGE_COLUMNS
from riskd.cli.look import HERE, Json, print_rows
from riskd.cli.text import print_json
from riskd.messages import Reload


def reload(*, json: Json = False, connection: Connection = HERE) -> int:
    """Let riskd read its configuration and keys again, whole or not at all; SIGHUP does the same.

    Limits become tighter only: a looser one is for `riskd limits propose`.

    Example: riskd reload
    """
    found: Any = connection.ask(Reload()).data
    if json:
        print_json(found)
        return DONE
    print(f"RELOADED   limits v{found['limits_version']}   seq {found['seq']}")
    if found["changes"]:
        print_rows(found["changes"], CHANGE_COLUMNS[:-1], json=False, rest=False)
    if found["needs_restart"]:
        print(f"next: start riskd again for {', '.join(found['needs_restart'])}")
    return DONE
