"""A real uvloop on a real thread, with a run queue on it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pykka
import pytest
import uvloop

from actors.runtime import RunQueue

HANG_S = 60.0


class LoopThread:
    """Runs a uvloop and its run queue on a thread; `call` runs a function there and waits."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self.errors: list[BaseException | None] = []
        self.loop.set_exception_handler(
            lambda _, context: self.errors.append(context.get("exception"))
        )
        self.faults: list[Any] = []
        self.undelivered: list[Any] = []
        self.queue = RunQueue(
            self.loop.call_soon_threadsafe,
            self.loop.call_soon,
            supervisor=self.faults.append,
            undelivered=self.undelivered.append,
        )
        self._thread = threading.Thread(target=self._run, name="loop")
        self._thread.start()
        self.call(lambda: None)

    def _run(self) -> None:
        self.queue.bind()
        self.loop.run_forever()
        self.queue.close()
        self.loop.close()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        answer: Future[Any] = Future()

        def run() -> None:
            try:
                answer.set_result(function(*arguments))
            except BaseException as error:  # noqa: BLE001 - it goes to the caller.
                answer.set_exception(error)

        self.loop.call_soon_threadsafe(run)
        return answer.result(HANG_S)

    def settle(self) -> None:
        """Wait until all that was told before has run."""
        self.call(lambda: None)
        self.call(lambda: None)

    def close(self) -> None:
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(HANG_S)


@pytest.fixture
def loop_thread() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    pykka.ActorRegistry.stop_all(timeout=HANG_S)
    thread.close()
    assert pykka.ActorRegistry.get_all() == []
