"""The live system on the test's own thread: actors, run queue and all, without sockets."""

from __future__ import annotations

from typing import Any, Self

import pykka

from actors.inputs import Input as Envelope
from actors.runtime import ActorFault, RunQueue
from actors.system import System
from engine.core import Core, Input
from engine.facts import BY_LOCAL, Stamp
from riskd.messages import OrdersPush, Published


class Live:
    """A system whose inputs are run to completion by `send`; use it as a context."""

    def __init__(self, core: Core | None = None) -> None:
        """Start over what `core` holds, or over nothing."""
        self.published: list[tuple[str, Published]] = []
        self.said: list[tuple[int, OrdersPush]] = []
        self.failed: list[tuple[str, str]] = []
        self.fatal: list[ActorFault] = []
        self._scheduled: list[Any] = []
        self._queue = RunQueue(self._scheduled.append)
        self._queue.bind()
        self.system = System(
            self._queue,
            publish=lambda topic, message: self.published.append((topic, message)),
            say=lambda session, message: self.said.append((session, message)),
            failed=lambda account, reason, _: self.failed.append((account, reason)),
            fatal=self.fatal.append,
            core=core,
        )
        self._queue.drain()

    def send(self, message: Input, stamp: Stamp, by: str = BY_LOCAL) -> Any:
        """Dispatch one input and return its answer; None if it has none."""
        self.published.clear()
        self.said.clear()
        answers: list[Any] = []
        self.system.dispatch(Envelope(message, stamp, answers.append, by))
        told = [answer for answer in answers if answer is not None]  # A day has many that are none.
        assert len(told) <= 1
        return told[0] if told else None

    def close(self) -> None:
        """Stop every actor."""
        for ref in pykka.ActorRegistry.get_all():
            ref.stop(block=False)
        self._queue.drain()
        self._queue.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()
