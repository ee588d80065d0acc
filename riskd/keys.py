"""Keys of CURVE: the file that lets its holder in, and files that nobody else may read.

A key file holds a key pair and the public key of the riskd that it is for. Secrets are read from
files alone, never printed, and files that others could read are refused.
"""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import zmq
from msgspec import Meta, Struct

from riskd.errors import KeysError

FILE_MODE, FOLDER_MODE = 0o600, 0o700
OTHERS = 0o077  # Any right of the group or of everybody.
KEY_BYTES_MAX = 1 << 20  # Of a file of keys: a thousand keys are a quarter of it.

Curve = Annotated[str, Meta(pattern=r"^[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}\Z")]  # Z85.

Parsed = TypeVar("Parsed", bound=Struct)


class ClientKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client needs to be let in: its own pair, and whom it expects at the other end."""

    public: Curve
    secret: Curve
    server: Curve  # The public key of riskd.
    name: str = ""  # For people: riskd knows a key by its public half.

    def __repr__(self) -> str:
        """Return it without the secret, which must not come into a log."""
        return f"ClientKey(name={self.name!r}, public={self.public!r})"

    def apply(self, socket: zmq.Socket[bytes]) -> None:
        """Let `socket` authenticate itself, and riskd, on whatever it connects to from now on."""
        socket.setsockopt(zmq.CURVE_SERVERKEY, self.server.encode())
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self.public.encode())
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.secret.encode())


Key = ClientKey | str | os.PathLike[str] | None  # A key, the file of one, or none.


def client_key(key: Key) -> ClientKey | None:
    """Return the key that is meant. Raises KeysError if its file cannot be trusted or read."""
    if key is None or isinstance(key, ClientKey):
        return key
    return read_private(Path(key), ClientKey)


def apply_key(key: Key, socket: zmq.Socket[bytes]) -> None:
    """Let `socket` authenticate itself by `key`, if there is one. Raises KeysError."""
    found = client_key(key)
    if found is not None:
        found.apply(socket)


def read_private(path: Path, shape: type[Parsed]) -> Parsed:
    """Return what a TOML file of keys says. Raises KeysError unless it is its owner's alone.

    What is wrong with the contents is said without quoting them: they may be secret.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise KeysError(f"{path} cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        _require_own(path, os.fstat(descriptor), FILE_MODE)
        text = file.read(KEY_BYTES_MAX + 1)
    if len(text) > KEY_BYTES_MAX:
        raise KeysError(f"{path} has more than {KEY_BYTES_MAX:,} bytes: it is no file of keys")
    try:
        return msgspec.convert(tomllib.loads(text.decode()), shape)
    except msgspec.ValidationError as error:
        where = str(error).rpartition(" - at ")[2].strip("`") if " - at " in str(error) else "$"
        raise KeysError(f"{path} is not as `riskd keys new` writes it, at {where}") from None
    except ValueError:
        raise KeysError(f"{path} is no TOML") from None


def require_private_folder(path: Path) -> None:
    """Raise KeysError unless a folder of keys is there and its owner's alone."""
    try:
        found = path.stat()
    except OSError as error:
        raise KeysError(
            f"{path} cannot be read: {error.strerror}; make it with: riskd keys new admin"
        ) from None
    if not stat.S_ISDIR(found.st_mode):
        raise KeysError(f"{path} is no folder")
    _require_own(path, found, FOLDER_MODE)


def _require_own(path: Path, found: os.stat_result, mode: int) -> None:
    if found.st_uid not in (os.geteuid(), 0):
        raise KeysError(f"{path} belongs to user {found.st_uid}: it must be your own")
    held = stat.S_IMODE(found.st_mode)
    if held & OTHERS:
        raise KeysError(
            f"{path} has mode {held:04o}, so that others reach it: chmod {mode:o} {path}"
        )
