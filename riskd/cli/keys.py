"""`riskd keys`: who may come in over tcp, and as what."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from riskd.cli.connection import Connection
from riskd.cli.failure import DONE, FAILED, NOT_ALLOWED, USAGE, CommandError
from riskd.cli.look import HERE, Json, print_rows
from riskd.cli.text import print_json
from riskd.contract.roles import Role
from riskd.errors import KeysError
from riskd.key_folder import ALL_ACCOUNTS, KeyName, new_key, read_allowed, revoke_key
from riskd.messages import Reload

FOLDER_VARIABLE = "RISKD_SECURITY__KEYS"  # What `riskd serve` reads too.
FOLDER = "keys"
Folder = Annotated[
    Path | None, Parameter(help=f"Of the keys; absent: {FOLDER_VARIABLE}, else {FOLDER}.")
]

_USES = {
    Role.GATEWAY: 'RiskClient(address, key="{key}")',
    Role.FEED: "riskd feed FILE --key {key}",
}  # How a holder names its key, where it may not ask for the status.

HELP = """Make, list and revoke keys: who may come in over tcp, and as what.

Example: riskd keys new gw-1 --role gateway --accounts A1,A2
"""

app = App(name="keys", help=HELP)


@app.command
def new(
    name: str,
    /,
    *,
    role: Annotated[Role | None, Parameter(help="Absent: NAME itself, as in `new admin`.")] = None,
    accounts: Annotated[str, Parameter(help="Of a gateway: A1,A2 or * for every account.")] = "",
    folder: Folder = None,
    json: Json = False,
) -> int:
    """Make a key for NAME and let it in. The first call makes the folder and riskd's own key.

    Hand the file over on a way that nobody else reads, and remove it here: it is what lets NAME in.
    A gateway says hello under NAME and speaks for its accounts alone.

    Example: riskd keys new admin

    Example: riskd keys new gw-1 --role gateway --accounts A1,A2
    """
    found = role or next((one for one in Role if one.value == name), None)
    listed = tuple(part.strip() for part in accounts.split(",") if part.strip())
    if found is None:
        raise _usage(f"{name} has no role", "--role " + ", ".join(Role))
    if (found is Role.GATEWAY) != bool(listed):
        verb = "needs" if found is Role.GATEWAY else "has no"
        raise _usage(f"a {found} {verb} accounts", "--accounts with --role gateway, and only then")
    try:
        msgspec.convert(name, KeyName)
    except msgspec.ValidationError:
        raise _usage(f"{name!r} is no name", "letters, digits and . _ @ -, 64 at most") from None
    at = _folder(folder)
    try:
        path = new_key(at, name, found, listed)
    except KeysError as error:
        raise _refused(error) from error
    shown = {"name": name, "role": found, "accounts": list(listed), "file": str(path)}
    if json:
        print_json(shown)
        return DONE
    print(f"NEW {found} {name}   {path}")
    used = _USES.get(found, "riskd status --key {key}").format(key=path.name)
    print(f"hand the file to {name}, who names it: {used}")
    print(f'riskd serves with keys once riskd.toml has:  [security] keys = "{at}"')
    return DONE


@app.command(name="list")
def list_(*, folder: Folder = None, json: Json = False) -> int:
    """Show who may come in. Public keys are no secret; secret ones are not shown.

    Example: riskd keys list
    """
    try:
        keys = read_allowed(_folder(folder))
    except KeysError as error:
        raise _refused(error) from error
    rows = [
        {
            "name": key.name,
            "role": str(key.role),
            "accounts": ["every"] if ALL_ACCOUNTS in key.accounts else list(key.accounts),
            "public": key.public,
        }
        for key in keys
    ]
    return print_rows(rows, (), json=json)


@app.command
def revoke(name: str, /, *, folder: Folder = None, json: Json = False) -> int:
    """Let NAME in no more. A riskd that runs cuts its connections within a second.

    Example: riskd keys revoke gw-1
    """
    try:
        gone = revoke_key(_folder(folder), name)
    except KeysError as error:
        raise _refused(error) from error
    if json:
        print_json({"name": gone.name, "role": gone.role, "public": gone.public})
    else:
        print(f"REVOKED {gone.role} {gone.name}")
    return DONE


@app.command
def reload(*, json: Json = False, connection: Connection = HERE) -> int:
    """Let a running riskd read its allow-list again at once; it does so by itself within a second.

    Example: riskd keys reload --key admin.key
    """
    found: Any = connection.ask(Reload(what="keys")).data
    if json:
        print_json(found)
    else:
        print(f"RELOADED {found['keys']} keys")
    return DONE


def _folder(given: Path | None) -> Path:
    return given or Path(os.environ.get(FOLDER_VARIABLE) or FOLDER)


def _refused(error: KeysError) -> CommandError:
    is_mode = "chmod" in str(error)
    return CommandError(str(error), exit_code=NOT_ALLOWED if is_mode else FAILED)


def _usage(what: str, expected: str) -> CommandError:
    return CommandError(what, exit_code=USAGE, expected=expected)
