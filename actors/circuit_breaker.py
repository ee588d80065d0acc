"""The breaker board behind an inbox: its only writer."""

from __future__ import annotations

from actors.inputs import BreakerFactAt, Input, Publish, WakeAccounts
from actors.mail import Mail
from actors.runtime import LoopActor, RunQueue
from engine.breakers import BreakerBoard
from engine.facts import Facts
from engine.operator import apply_command, apply_expiry, apply_measured
from riskd.messages import Breaker, Kill, Reset, Trip, Unkill


class CircuitBreakerActor(LoopActor):
    """Carries out kills, trips and resets, and ends timed breakers."""

    def __init__(
        self,
        board: BreakerBoard,
        *,
        mail: Mail,
        publish: Publish,
        run_queue: RunQueue,
    ) -> None:
        super().__init__(run_queue=run_queue)
        self._board = board
        self._mail = mail
        self._publish = publish

    def on_receive(self, message: Input | BreakerFactAt | WakeAccounts) -> None:
        """Carry out one command, or end what is due."""
        facts: Facts = []
        if isinstance(message, WakeAccounts):
            for event in apply_expiry(self._board, message.stamp, facts):
                self._tell_world(event)
            self._mail.post(facts, message.stamp)
            return
        if isinstance(message, BreakerFactAt):
            measured = apply_measured(self._board, message.fact, message.stamp, facts)
            if measured is not None:
                self._tell_world(measured)
            self._mail.post(facts, message.stamp)
            return
        command = message.message
        assert isinstance(command, Kill | Unkill | Trip | Reset)
        reply, changed = apply_command(self._board, command, message.stamp, message.by, facts)
        if changed is not None:
            self._tell_world(changed)
        self._mail.post(facts, message.stamp)
        if message.reply is not None:
            message.reply(reply)

    def _tell_world(self, event: Breaker) -> None:
        self._publish(f"breaker.{event.scope}.{event.scope_id}", event)
