"""The alert book behind an inbox."""

from __future__ import annotations

from actors.inputs import FactAt, Input, Publish, WakeAccounts
from actors.runtime import LoopActor, RunQueue
from engine.alerts import AlertBook, topic_of
from engine.boards import Boards
from engine.facts import Posted
from riskd.messages import Alert, AlertAck


class AlertActor(LoopActor):
    """Numbers alerts, joins repeats, escalates, ends, and publishes."""

    def __init__(
        self, book: AlertBook, boards: Boards, *, publish: Publish, run_queue: RunQueue
    ) -> None:
        super().__init__(run_queue=run_queue)
        self._book = book
        self._boards = boards
        self._publish = publish

    def on_receive(self, message: FactAt | Posted | WakeAccounts | Input) -> None:
        """Take one cause or one end, let time pass, or publish what others ask for."""
        settings = self._boards.settings.alerts
        match message:
            case FactAt():
                self._tell_world(self._book.apply(message.fact, message.stamp, settings))
            case Posted():
                self._publish(message.topic, message.message)
            case WakeAccounts():
                for alert in self._book.elapse(message.stamp, settings):
                    self._tell_world(alert)
            case Input():
                asked = message.message
                assert isinstance(asked, AlertAck)
                answered, told = self._book.acknowledge(asked, message.stamp, message.by)
                self._tell_world(told)
                if message.reply is not None:
                    message.reply(answered)

    def _tell_world(self, alert: Alert | None) -> None:
        if alert is not None:
            self._publish(topic_of(alert), alert)
