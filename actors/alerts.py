"""The alert book behind an inbox."""

from __future__ import annotations

from actors.inputs import Publish, RaisedAt
from actors.runtime import LoopActor, RunQueue
from engine.alerts import AlertBook, topic_of
from engine.facts import Posted


class AlertActor(LoopActor):
    """Numbers alerts, joins repeats, and publishes."""

    def __init__(self, book: AlertBook, *, publish: Publish, run_queue: RunQueue) -> None:
        super().__init__(run_queue=run_queue)
        self._book = book
        self._publish = publish

    def on_receive(self, message: RaisedAt | Posted) -> None:
        """Count one cause, or publish what others ask for, in its turn."""
        if isinstance(message, Posted):
            self._publish(message.topic, message.message)
            return
        alert = self._book.apply(message.raised, message.stamp)
        if alert is not None:
            self._publish(topic_of(alert), alert)
