"""The keys in force: riskd's own, and who may come in as what. Read again without a restart."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from engine.core import BY_LOCAL
from riskd.contract.roles import Role
from riskd.key_folder import ALLOWED_FILE, AllowedKey, read_allowed, read_server_key

# Who comes in over ipc, or over loopback where there are no keys: the file system let them.
LOCAL = AllowedKey(name=BY_LOCAL, role=Role.ADMIN, public="")
LOCAL_ID = "local"  # As a User-Id: no public key is so short.


class Keyring:
    """The allow-list of a folder, by public key. An entry that changed is another entry."""

    def __init__(self, folder: Path) -> None:
        """Read everything. Raises KeysError."""
        self.server = read_server_key(folder)
        self._folder = folder
        self.on_revoked: Callable[[], None] = lambda: None  # A key is gone, or another than before.
        self._by_id: dict[str, AllowedKey] = {LOCAL_ID: LOCAL}
        self.reload()

    def holder(self, user_id: str) -> AllowedKey | None:
        """Return who a User-Id, a public key, belongs to; None if nobody who may come in."""
        return self._by_id.get(user_id)

    def __len__(self) -> int:
        """Return how many keys may come in."""
        return len(self._by_id) - 1

    def reload(self) -> bool:
        """Put the allow-list as it is now in force, whole; return True.

        Raises KeysError; then what was in force stays so.
        """
        self._seen = self._signature()
        before = self._by_id
        read = {LOCAL_ID: LOCAL} | {key.public: key for key in read_allowed(self._folder)}
        # What did not change stays the same object: a connection holds on to the one it came with.
        self._by_id = {x: before[x] if before.get(x) == key else key for x, key in read.items()}
        if any(self._by_id.get(x) is not key for x, key in before.items()):
            self.on_revoked()
        return True

    def reload_if_changed(self) -> bool:
        """Put the allow-list in force if its file changed; return whether it did. As `reload`."""
        return self._signature() != self._seen and self.reload()

    def _signature(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._folder / ALLOWED_FILE)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
