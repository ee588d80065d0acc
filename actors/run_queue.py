"""The loop's run queue: what every `LoopActor` is told, in order, each input to completion."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from threading import get_ident
from typing import Any, NoReturn, Protocol, TypeAlias

from pykka import ActorDeadError, ActorRef, Future
from pykka.messages import _ActorStop

from actors.registry import index_registry

OUTSIDE_BATCH_MAX = 256  # Messages of other threads taken before sockets get their turn.
OUTSIDE_DEPTH_MAX = 1_000_000  # Messages of other threads that may wait; one more is refused.

Listener: TypeAlias = Callable[[Any], object] | ActorRef[Any]
Schedule: TypeAlias = Callable[[Callable[[], None]], object]

_of_thread = threading.local()
_life_lock = threading.Lock()


class LoopWouldBlockError(RuntimeError):
    """Someone on the loop's own thread waits for what only that thread could do."""


class RunQueueFullError(RuntimeError):
    """Other threads sent faster than the loop takes: `OUTSIDE_DEPTH_MAX` messages wait."""


class Life(threading.Event):
    """An actor's stopped flag: an Event whose lock is made only when somebody waits on it."""

    __slots__ = ("_waited", "failed", "running", "stopped")

    def __init__(self) -> None:
        # The Event's own fields are left out on purpose: with 100,000 actors they cost most.
        self.running = False  # From `on_start` to the end of life.
        self.stopped = False
        self.failed = False
        self._waited: threading.Event | None = None

    def is_set(self) -> bool:
        """Return whether the actor has stopped."""
        return self.stopped

    def set(self) -> None:
        """Mark the actor stopped, for good."""
        with _life_lock:
            self.running, self.stopped = False, True
            waited = self._waited
        if waited is not None:
            waited.set()

    def clear(self) -> NoReturn:
        """Raise RuntimeError: an actor is never restarted."""
        raise RuntimeError("an actor that stopped may not be started again")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the actor has stopped, at most `timeout` seconds; return whether it has."""
        with _life_lock:
            if self.stopped:
                return True
            if self._waited is None:
                self._waited = threading.Event()
            waited = self._waited
        return waited.wait(timeout)


class Runnable(Protocol):
    """What the run queue asks of an actor."""

    actor_stopped: Life

    def on_receive(self, message: Any) -> Any:
        """Handle a message that was told."""

    def _deliver(self, message: Any, reply_to: Future[Any] | None) -> None:
        """Handle any message in any state of life: asks, pykka's own, before start, after stop."""

    def _raised(self, error: BaseException, message: Any, reply_to: Future[Any] | None) -> None:
        """Follow pykka's rules for `error`, from within the `except` clause that caught it."""


class RunQueue:
    """The one queue of all `LoopActor`s of a loop: first-in first-out, run to completion.

    What the loop's thread puts is run by the next `drain`, which the sequencer calls after each
    input; a drain is scheduled as well, so nothing stays behind when nobody calls. What another
    thread puts waits apart and wakes the loop: each such message is an input of its own, and
    never lands in the middle of what an earlier input causes.
    """

    def __init__(
        self,
        wake: Schedule,
        call_soon: Schedule | None = None,
        *,
        supervisor: Listener | None = None,
        undelivered: Listener | None = None,
    ) -> None:
        """Make a queue; `bind` it on the loop's thread before it runs anything.

        `wake` runs a callable on the loop's thread, from any thread (`loop.call_soon_threadsafe`);
        `call_soon` does it from the loop's thread (`loop.call_soon`) and is cheaper. `supervisor`
        gets an `ActorFault` for each failure, `undelivered` a `MessageUndelivered` for each message
        told to a failed actor too early to be refused and too late to be handled.
        """
        index_registry()
        self.supervisor = supervisor
        self.undelivered = undelivered
        self._wake = wake
        self.call_soon = wake if call_soon is None else call_soon
        self._thread_id: int | None = None
        self._inside: deque[tuple[Runnable, Any, Future[Any] | None]] = deque()
        self._outside: deque[tuple[Runnable, Any, Future[Any] | None]] = deque()
        self._draining = False
        self._scheduled = False
        self._woken = False
        self._closed = False

    def __len__(self) -> int:
        """Return how many messages wait, those of other threads included."""
        return len(self._inside) + len(self._outside)

    def bind(self) -> None:
        """Make the calling thread the loop's thread, and this its queue."""
        assert self._thread_id is None, "a run queue belongs to one thread"
        assert not self._closed, "a closed run queue runs nothing"
        assert bound_queue() is None, "this thread runs another queue"
        self._thread_id = get_ident()
        _of_thread.queue = self

    def is_own_thread(self) -> bool:
        """Return whether the caller is on the loop's thread."""
        return get_ident() == self._thread_id

    def holds_message_of(self, actor: Runnable) -> bool:
        """Return whether a message waits for `actor`. O(messages waiting)."""
        waiting = (*self._inside.copy(), *self._outside.copy())
        return any(waiting_actor is actor for waiting_actor, _, _ in waiting)

    def put(self, actor: Runnable, message: Any, reply_to: Future[Any] | None = None) -> None:
        """Queue `message` for `actor`; the answer, if asked for, goes to `reply_to`. O(1).

        Raises RunQueueFullError to a thread that floods it. When the queue is closed a tell raises
        ActorDeadError, and an ask is answered with it.
        """
        if get_ident() == self._thread_id:
            self._inside.append((actor, message, reply_to))
            if not self._draining and not self._scheduled:
                self._scheduled = True
                self.call_soon(self._run_scheduled)
            return
        if len(self._outside) >= OUTSIDE_DEPTH_MAX:
            raise RunQueueFullError(f"{OUTSIDE_DEPTH_MAX} messages wait for the loop")
        self._outside.append((actor, message, reply_to))
        # Appended first and looked second: either the loop sees the message, or we see its answer.
        if self._closed:
            self._refuse_outside()
            if reply_to is None:
                raise ActorDeadError(f"{actor} is gone: its loop has ended")
        elif not self._woken:
            self._ask_for_outside()

    def drain(self) -> None:
        """Run all that the loop's thread has put, and what that causes, until nothing is left.

        Call on the loop's thread; a call from within a drain returns at once. Exceptions of actors
        do not come out; those of a supervisor, and KeyboardInterrupt and SystemExit, do, and what
        was left is run by the loop.
        """
        if self._draining:
            return
        assert get_ident() == self._thread_id, "only the loop's thread drains its run queue"
        self._draining = True
        inside = self._inside
        popleft = inside.popleft
        try:
            while inside:
                actor, message, reply_to = popleft()
                # pykka's own messages are tuples: those, asks, and the dead take the long way.
                if (
                    reply_to is not None
                    or not actor.actor_stopped.running
                    or isinstance(message, tuple)
                ):
                    actor._deliver(message, reply_to)
                    continue
                try:
                    actor.on_receive(message)
                except BaseException as error:  # noqa: BLE001 - its rules are the actor's.
                    actor._raised(error, message, None)
        finally:
            self._draining = False
            if inside and not self._scheduled:
                self._scheduled = True
                self.call_soon(self._run_scheduled)

    def run(self, actor: Runnable, message: Any) -> None:
        """Tell an actor what is none of pykka's own messages, and drain: in fewer steps."""
        inside = self._inside
        if (
            self._draining
            or inside
            or not actor.actor_stopped.running
            or get_ident() != self._thread_id
        ):
            self.put(actor, message)
            self.drain()
            return
        self._draining = True
        try:
            actor.on_receive(message)
        except BaseException as error:  # noqa: BLE001 - its rules are the actor's.
            self._draining = False
            actor._raised(error, message, None)
        self._draining = False
        if inside:
            self.drain()

    def close(self) -> None:
        """Run what waits, then refuse for good: tells and asks meet ActorDeadError.

        Call on the loop's thread, when its actors have been asked to stop and the loop is ending.
        """
        self.drain()
        self._take_outside(len(self._outside))
        self._closed = True
        self._refuse_outside()
        self._thread_id = None
        _of_thread.queue = None

    def _run_scheduled(self) -> None:
        self._scheduled = False
        if self._inside:
            self.drain()

    def _ask_for_outside(self) -> None:
        self._woken = True
        try:
            self._wake(self._run_outside)
        except BaseException:
            self._woken = False  # The loop is closed, which the sender now learns.
            raise

    def _run_outside(self) -> None:
        self._woken = False  # Before looking, so that a later message wakes again.
        if self._closed:
            return
        try:
            self.drain()
            self._take_outside(OUTSIDE_BATCH_MAX)
        finally:
            if self._outside and not self._woken:
                self._ask_for_outside()

    def _take_outside(self, count_max: int) -> None:
        for _ in range(min(count_max, len(self._outside))):
            self._inside.append(self._outside.popleft())
            self.drain()

    def _refuse_outside(self) -> None:
        while self._outside:
            try:
                actor, _, reply_to = self._outside.popleft()
            except IndexError:  # The other thread that came too late has refused it.
                return
            if reply_to is not None:
                set_dead(reply_to, f"{actor} is gone: its loop has ended")


def bound_queue() -> RunQueue | None:
    """Return the run queue of the calling thread, or None when it is no loop's thread."""
    queue: RunQueue | None = getattr(_of_thread, "queue", None)
    return queue


def answer_stopped(message: Any, reply_to: Future[Any], text: str) -> None:
    """Answer an ask that a stopped actor left: None to a stop, else ActorDeadError with `text`."""
    if isinstance(message, _ActorStop):
        reply_to.set(None)
    else:
        set_dead(reply_to, text)


def set_dead(reply_to: Future[Any], text: str) -> None:
    """Make whoever waits for `reply_to` get ActorDeadError with `text`."""
    reply_to.set_exception((ActorDeadError, ActorDeadError(text), None))
