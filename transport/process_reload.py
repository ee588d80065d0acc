"""Keys and configuration read again while riskd runs: taken whole, or refused and said why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from msgspec.structs import asdict, replace

from actors.system import System
from config.errors import ConfigError
from config.load import Configuration
from config.settings import Settings
from engine.desk import Answer
from engine.facts import AlertFact, Raised, Resolved
from engine.limit_desk import differences
from engine.universe import universe_conflicts
from riskd.messages import Error, Reload, Result, Severity, Universe
from transport.process_access import Access
from transport.process_door import Door

CAUSE = "configuration_refused"
SHOWN_MAX = 5  # Limits that became looser, named in a refusal.
OF_THE_RULES = (  # Sections whose settings are an input; those of others are read at a start.
    "prices",
    "orders",
    "sessions",
    "guards",
    "sweep",
    "correlation",
    "alerts",
    "permissions",
)
Reply = Callable[[Answer], None]

log = structlog.get_logger("riskd")


class Reloads:
    """Reads again what riskd was started with, one reading at a time.

    Files are read on another thread, because long ones take a while; what they say is put in force
    between two inputs.
    """

    def __init__(
        self,
        settings: Settings,
        system: System,
        door: Door,
        access: Access,
        *,
        read: Callable[[], Configuration],
        loop: asyncio.AbstractEventLoop,
        say: Callable[[AlertFact], None],
    ) -> None:
        self._settings, self._system, self._door, self._access = settings, system, door, access
        self._read, self._loop, self._say = read, loop, say
        self._is_reading = False

    def ask(self, request: Reload, reply: Reply) -> None:
        """Read again what is asked for; answer when it is in force, or why it is not."""
        shown: dict[str, Any] = {}
        if request.what != "configuration" and self._access.keyring is not None:
            wrong = self._access.read()
            if wrong:
                reply(Error(code="refused", text=wrong, request_id=request.request_id))
                return
            shown["keys"] = len(self._access.keyring)
        elif request.what == "keys":
            text = "riskd was started without keys: set [security] keys and start it again"
            reply(Error(code="refused", text=text, request_id=request.request_id))
            return
        if request.what == "keys":
            reply(Result(ok=True, data=shown, request_id=request.request_id))
        elif self._is_reading:
            text = "the configuration is being read already"
            reply(Error(code="overloaded", text=text, request_id=request.request_id))
        else:
            self._is_reading = True
            reading = self._loop.run_in_executor(None, self._read)
            reading.add_done_callback(lambda done: self._on_read(request, done, shown, reply))

    def by_signal(self) -> None:
        """Read everything again because of a signal; the log and an alert say what came of it."""
        self.ask(Reload(), lambda _: None)

    def _on_read(
        self,
        request: Reload,
        done: asyncio.Future[Configuration],
        shown: dict[str, Any],
        reply: Reply,
    ) -> None:
        self._is_reading = False
        try:
            configuration = done.result()
        except (ConfigError, OSError) as error:
            wrong = str(error)
        except Exception:
            text = "riskd had a fault while it read; nothing was changed"
            reply(Error(code="internal", text=text, request_id=request.request_id))
            raise
        else:
            wrong = self._take(configuration, shown)
        if wrong:
            text = f"{wrong}; what was in force stays so"
            log.error("configuration_refused", text=text)
            brief = text[:1000]
            self._say(Raised(Severity.HIGH, "configuration_refused", CAUSE, brief, lasting=True))
            reply(Error(code="refused", text=text, request_id=request.request_id))
            return
        log.info("configuration_reloaded", **shown)
        self._say(Resolved(CAUSE))
        reply(Result(ok=True, data=shown, request_id=request.request_id))

    def _take(self, configuration: Configuration, shown: dict[str, Any]) -> str:
        """Put a configuration in force; return why it cannot be, empty if it is."""
        boards = self._system.boards
        universe = self._with_durability(configuration.universe)
        accounts = {key: account.state.spec for key, account in self._system.accounts.items()}
        conflicts = universe_conflicts(boards, accounts, universe)
        if conflicts:
            return "\n".join(conflicts)
        before = boards.limit_book.configured
        changed = list(differences(before, universe.limits))
        looser = [str(each) for each in changed if each.loosens]
        if looser:
            named = "; ".join(looser[:SHOWN_MAX])
            return f"{len(looser)} looser, which is for riskd limits propose: {named}"
        self._door.put_in_force(universe)
        if self._door.refusal:
            return self._door.refusal
        shown["seq"] = self._door.last_seq
        shown["limits_version"] = boards.limits_version
        shown["changes"] = [asdict(each) for each in changed]
        shown["needs_restart"] = list(_of_a_start(self._settings, configuration.settings))
        return ""

    def _with_durability(self, universe: Universe) -> Universe:
        """Return a universe that promises what the journal does, however it is written now."""
        promised = self._system.boards.settings.durability
        return replace(universe, settings=replace(universe.settings, durability=promised))


def _of_a_start(before: Settings, after: Settings) -> Iterator[str]:
    """Yield the settings that differ and that only a start reads, as `journal.sync`."""
    for section in Settings.__struct_fields__:
        old, new = getattr(before, section), getattr(after, section)
        if old == new or section in OF_THE_RULES or section == "include":
            continue
        fields = getattr(old, "__struct_fields__", None)
        if fields is None:
            yield section
            continue
        yield from (f"{section}.{x}" for x in fields if getattr(old, x) != getattr(new, x))
