"""Who may come in, of a running house: keys read again when they change, refusals told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from engine.facts import AlertFact, Raised, Resolved
from riskd.errors import KeysError
from riskd.messages import Severity
from transport.keyring import Keyring
from transport.refusals import Refusals

CAUSE = "keys_unreadable"

log = structlog.get_logger("riskd")


class Access:
    """Keeps the keyring current; without one riskd has no keys and everybody is local."""

    def __init__(self, keyring: Keyring | None, say: Callable[[AlertFact], None]) -> None:
        self.keyring = keyring
        self.refusals = Refusals(say)
        self._say = say

    def read(self) -> str:
        """Read the allow-list again; return why it cannot be, empty if it is in force."""
        assert self.keyring is not None
        return self._read(self.keyring.reload)

    def look(self) -> None:
        """Read the allow-list again if its file has changed. Called often."""
        if self.keyring is not None:
            self._read(self.keyring.reload_if_changed)

    def figures(self) -> dict[str, Any]:
        """Return what was refused, and how many keys are in force."""
        keys = len(self.keyring) if self.keyring is not None else 0
        return {"keys": keys, **self.refusals.counts}

    def _read(self, read: Callable[[], object]) -> str:
        """Read, and say what is wrong if it cannot be: then what was in force stays so."""
        assert self.keyring is not None
        try:
            if read():
                log.info("keys_reloaded", keys=len(self.keyring))
                self._say(Resolved(CAUSE))
        except KeysError as error:
            text = f"{error}; the keys of before stay in force"
            log.error(CAUSE, text=text)
            self._say(Raised(Severity.HIGH, "keys_unreadable", CAUSE, text, lasting=True))
            return text
        return ""
