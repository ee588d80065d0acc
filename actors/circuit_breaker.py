"""The breaker board behind an inbox: its only writer."""

from __future__ import annotations

from collections.abc import Container

from actors.inputs import FactAt, Input, Publish, WakeAccounts
from actors.mail import Mail
from actors.runtime import LoopActor, RunQueue
from engine.boards import Boards
from engine.facts import Facts
from engine.operator import apply_command, apply_expiry, apply_measured
from riskd.messages import Breaker, Kill, Reset, Trip, Unkill


class CircuitBreakerActor(LoopActor):
    """Carries out kills, trips and resets, and ends timed breakers."""

    def __init__(
        self,
        boards: Boards,
        accounts: Container[str],
        *,
        mail: Mail,
        publish: Publish,
        run_queue: RunQueue,
    ) -> None:
        super().__init__(run_queue=run_queue)
        self._boards = boards
        self._accounts = accounts
        self._mail = mail
        self._publish = publish

    def on_receive(self, message: Input | FactAt | WakeAccounts) -> None:
        """Carry out one command, take what a measure did, or end what is due."""
        facts: Facts = []
        stamp = message.stamp
        match message:
            case WakeAccounts():
                for event in apply_expiry(self._boards.breakers, stamp, facts):
                    self._tell_world(event)
            case FactAt():
                self._tell_world(apply_measured(self._boards.breakers, message.fact, stamp, facts))
            case Input(message=command):
                assert isinstance(command, Kill | Unkill | Trip | Reset)
                answered, changed = apply_command(
                    self._boards, command, stamp, message.by, facts, accounts=self._accounts
                )
                self._tell_world(changed)
                if message.reply is not None:
                    message.reply(answered)
        self._mail.post(facts, stamp)

    def _tell_world(self, event: Breaker | None) -> None:
        if event is not None:
            self._publish(f"breaker.{event.scope}.{event.scope_id}", event)
