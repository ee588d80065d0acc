"""Who may come in, of a running house: keys read again when they change, refusals told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from engine.facts import AlertFact, Raised, Resolved
from riskd.errors import KeysError
from riskd.messages import Error, Reload, Result, Severity
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

    def reload(self, request: Reload) -> Result | Error:
        """Read the allow-list again because somebody asks for it."""
        if self.keyring is None:
            text = "riskd was started without keys: set [security] keys and start it again"
            return Error(code="refused", text=text, request_id=request.request_id)
        wrong = self._read(self.keyring.reload)
        if wrong:
            return Error(code="refused", text=wrong, request_id=request.request_id)
        shown = {"keys": len(self.keyring)}
        return Result(ok=True, data=shown, request_id=request.request_id)

    def look(self) -> None:
        """Read the allow-list again if its file has changed. Called often."""
        if self.keyring is not None:
            self._read(self.keyring.reload_if_changed)

    def reload_by_signal(self) -> None:
        """Read the allow-list again because of a signal."""
        if self.keyring is not None:
            self._read(self.keyring.reload)

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
