"""The folder of riskd's keys: its own pair, and the allow-list of everybody else's.

    server.key     riskd's own pair; it never leaves this folder
    allowed.toml   the public key, name, role and accounts of everybody who may come in
    NAME.key       a pair for somebody, until it has been handed over

Every file has mode 600 and the folder 700; what others could read is refused.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import zmq
from msgspec import Meta, Struct

from riskd.contract.base import AccountId
from riskd.contract.roles import Role
from riskd.errors import KeysError
from riskd.keys import FILE_MODE, FOLDER_MODE, Curve, read_private, require_private_folder

SERVER_FILE, ALLOWED_FILE = "server.key", "allowed.toml"
SUFFIX = ".key"
KEYS_MAX = 1000  # In an allow-list.
ALL_ACCOUNTS = "*"  # In the place of names: every account, those to come included.
KeyName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")]


class ServerKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """riskd's own pair."""

    public: Curve
    secret: Curve

    def __repr__(self) -> str:
        """Return it without the secret."""
        return f"ServerKey(public={self.public!r})"


class AllowedKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Somebody who may come in."""

    name: KeyName
    role: Role
    public: Curve
    accounts: tuple[AccountId, ...] = ()  # Of a gateway: what it may speak for; `*` is all.

    @property
    def is_bound(self) -> bool:
        """Return whether it may speak for its own accounts alone."""
        return self.role is Role.GATEWAY and ALL_ACCOUNTS not in self.accounts

    def covers(self, account: str) -> bool:
        """Return whether it may speak for an account."""
        return account in self.accounts or not self.is_bound


class AllowList(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everybody who may come in."""

    key: Annotated[tuple[AllowedKey, ...], Meta(max_length=KEYS_MAX)] = ()


def read_server_key(folder: Path) -> ServerKey:
    """Return riskd's own pair. Raises KeysError."""
    require_private_folder(folder)
    return read_private(folder / SERVER_FILE, ServerKey)


def read_allowed(folder: Path) -> tuple[AllowedKey, ...]:
    """Return the allow-list. Raises KeysError unless names and keys are unique and complete."""
    require_private_folder(folder)
    path = folder / ALLOWED_FILE
    keys = read_private(path, AllowList).key
    for what in ("name", "public"):
        values = [getattr(key, what) for key in keys]
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise KeysError(f"{path}: two keys have the {what} {twice}")
    for key in keys:
        if (key.role is Role.GATEWAY) != bool(key.accounts):
            verb = "needs" if key.role is Role.GATEWAY else "has no"
            raise KeysError(f"{path}: the {key.role} {key.name} {verb} accounts")
    return keys


def new_key(folder: Path, name: str, role: Role, accounts: Sequence[str] = ()) -> Path:
    """Let somebody in: make a pair, put it on the allow-list, return the file to hand over.

    The folder and riskd's own pair are made if need be. Raises KeysError for a name that is taken.
    """
    with _held(folder):
        server = _own_pair(folder)
        keys = read_allowed(folder) if (folder / ALLOWED_FILE).exists() else ()
        if any(key.name == name for key in keys):
            raise KeysError(f"{name} has a key already: revoke it first, or choose another name")
        public, secret = (half.decode() for half in zmq.curve_keypair())
        added = AllowedKey(name=name, role=role, public=public, accounts=tuple(accounts))
        path = folder / f"{name}{SUFFIX}"
        if path.name == SERVER_FILE:
            raise KeysError(f"{name} is what riskd's own key is called: choose another name")
        lines = {"name": name, "public": public, "secret": secret, "server": server.public}
        _write(path, "".join(f"{key} = {json.dumps(text)}\n" for key, text in lines.items()))
        try:
            _write_allowed(folder, (*keys, added))
        except KeysError:
            path.unlink()
            raise
        return path


def revoke_key(folder: Path, name: str) -> AllowedKey:
    """Take somebody off the allow-list, and their file out of the folder. Raises KeysError."""
    with _held(folder):
        keys = read_allowed(folder)
        gone = next((key for key in keys if key.name == name), None)
        if gone is None:
            raise KeysError(f"no key is called {name}; riskd keys list shows which there are")
        _write_allowed(folder, tuple(key for key in keys if key is not gone))
        (folder / f"{name}{SUFFIX}").unlink(missing_ok=True)
        return gone


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the folder, so that two who change it at once do not undo one another."""
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise KeysError(f"{folder} cannot be made: {error.strerror}") from None
    require_private_folder(folder)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _own_pair(folder: Path) -> ServerKey:
    if not (folder / SERVER_FILE).exists():
        public, secret = (half.decode() for half in zmq.curve_keypair())
        pair = f"public = {json.dumps(public)}\nsecret = {json.dumps(secret)}\n"
        _write(folder / SERVER_FILE, pair)
    return read_server_key(folder)


def _write_allowed(folder: Path, keys: tuple[AllowedKey, ...]) -> None:
    if len(keys) > KEYS_MAX:
        raise KeysError(f"an allow-list holds at most {KEYS_MAX:,} keys")
    blocks = []
    for key in keys:
        lines = [f"name = {json.dumps(key.name)}", f"role = {json.dumps(key.role)}"]
        lines += [f"public = {json.dumps(key.public)}"]
        if key.accounts:
            lines.append(f"accounts = {json.dumps(list(key.accounts), ensure_ascii=False)}")
        blocks.append("\n".join(("[[key]]", *lines)) + "\n")
    _write(folder / ALLOWED_FILE, "\n".join(blocks))


def _write(path: Path, text: str) -> None:
    """Put a file in place whole and on the disk, its owner's alone from its first byte on."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, FILE_MODE)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    beside.replace(path)
