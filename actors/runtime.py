"""The actors of the loop, behind pykka's own interface."""

from __future__ import annotations

import itertools
import logging
import sys
import uuid
import weakref
from typing import Any, NoReturn, TypeVar

import msgspec
import pykka
from pykka import ActorDeadError, ActorRef, ActorRegistry, Future, ThreadingFuture
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from actors.run_queue import (
    Life,
    Listener,
    LoopWouldBlockError,
    RunQueue,
    RunQueueFullError,
    answer_stopped,
    bound_queue,
)

__all__ = [
    "ActorFault",
    "LoopActor",
    "LoopFuture",
    "LoopRef",
    "LoopWouldBlockError",
    "MessageUndelivered",
    "RunQueue",
    "RunQueueFullError",
    "bound_queue",
]

logger = logging.getLogger("pykka")  # Failures are logged where pykka logs its own.

_urn_prefix = uuid.uuid4().urn[:-12]  # Drawn once: a uuid4 per actor costs more than the rest.
_urn_numbers = itertools.count(1)


class ActorFault(msgspec.Struct, frozen=True):
    """Tell a supervisor that an actor failed and is dead. Sent exactly once per failure.

    `message` made it fail: what it was told, pykka's stop if `on_stop` raised, None for `on_start`.
    """

    actor_ref: ActorRef[Any]
    message: Any
    exception: BaseException


class MessageUndelivered(msgspec.Struct, frozen=True):
    """Tell that `message` was waiting for an actor when it failed, so nobody has handled it."""

    actor_ref: ActorRef[Any]
    message: Any


class LoopFuture(ThreadingFuture[Any]):
    """The answer of a `LoopActor`; waiting for it on a loop's thread raises LoopWouldBlockError."""

    def get(self, *, timeout: float | None = None) -> Any:
        """Return or raise the answer, waiting at most `timeout` seconds for it (pykka.Timeout)."""
        if self._result is None and self._get_hook is None and bound_queue() is not None:
            _refuse_to_block("get() of an answer that is not there yet")
        return super().get(timeout=timeout)


class LoopInbox:
    """The face of the run queue that pykka expects each actor to have."""

    __slots__ = ("_actor", "_queue")

    def __init__(self, actor: LoopActor, queue: RunQueue) -> None:
        self._actor, self._queue = actor, queue

    def put(self, envelope: Envelope[Any], /) -> None:
        """Queue the message of `envelope`. Errors as `RunQueue.put`."""
        self._queue.put(self._actor, envelope.message, envelope.reply_to)

    def get(self) -> NoReturn:
        """Raise LoopWouldBlockError: the run queue delivers, an actor never fetches."""
        raise LoopWouldBlockError("a LoopActor does not fetch its messages: RunQueue.drain does")

    def empty(self) -> bool:
        """Return whether no message waits for this actor. O(messages waiting)."""
        return not self._queue.holds_message_of(self._actor)


A = TypeVar("A", bound="LoopActor")


class LoopRef(ActorRef[A]):
    """pykka's reference, with a `tell` that goes straight to the run queue.

    What pykka keeps of the actor beside it is asked of the actor: there may be 100,000.
    """

    actor_stopped: Life

    def __init__(self, actor: A) -> None:
        # The base class is not called, for what it would keep.
        self._actor = actor
        self._queue = actor._queue
        self.actor_stopped = actor.actor_stopped

    @property
    def actor(self) -> A:
        """Return the actor itself, for whoever takes its place when it is dead."""
        return self._actor

    @property
    def actor_class(self) -> type[A]:  # type: ignore[override]
        """Return the class of the actor."""
        return self._actor.__class__

    @property
    def actor_urn(self) -> str:  # type: ignore[override]
        """Return the name of the actor that no other has."""
        return self._actor.actor_urn

    @property
    def actor_inbox(self) -> LoopInbox:  # type: ignore[override]
        """Return the face of the run queue for the actor."""
        return self._actor.actor_inbox

    @property
    def _actor_weakref(self) -> weakref.ref[A]:  # type: ignore[override]
        """Return what pykka's proxies ask for."""
        return weakref.ref(self._actor)

    def tell(self, message: Any) -> None:
        """Send `message` without waiting, from any thread.

        Raises ActorDeadError when the actor has stopped, and as `RunQueue.put`.
        """
        if self.actor_stopped.stopped:
            raise ActorDeadError(f"{self} not found")
        self._queue.put(self._actor, message)

    def run(self, message: Any) -> None:
        """Tell `message` and drain the run queue; on the loop's thread alone. Errors as `tell`."""
        if self.actor_stopped.stopped:
            raise ActorDeadError(f"{self} not found")
        self._queue.run(self._actor, message)

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any:
        """Send `message` and return its answer, or with `block=False` a future of it.

        Raises LoopWouldBlockError, with nothing sent, for `block=True` on the loop's own thread.
        """
        if block and self._queue.is_own_thread():
            _refuse_to_block("ask(block=True)")
        return super().ask(message, block=block, timeout=timeout)

    def stop(self, *, block: bool = True, timeout: float | None = None) -> Any:
        """Ask the actor to stop; return whether it was alive, or with `block=False` a future of it.

        Raises LoopWouldBlockError, with nothing sent, for `block=True` on the loop's own thread.
        """
        if block and self._queue.is_own_thread():
            _refuse_to_block("stop(block=True)")
        return super().stop(block=block, timeout=timeout)


class LoopActor(pykka.Actor):
    """A pykka actor whose messages are run on the loop's thread, from the shared `RunQueue`.

    As pykka documents: an exception while handling a `tell` stops the actor and calls `on_failure`;
    one while handling an `ask` goes to the asker. `on_start`, `on_receive`, `on_stop` and
    `on_failure` run on the loop's thread. A failure is told to `supervisor`, or when that is None
    to the run queue's, after `on_failure` and exactly once.
    """

    actor_stopped: Life
    supervisor: Listener | None = None

    def __init__(self, *, run_queue: RunQueue | None = None) -> None:
        """Make an actor of `run_queue`, or of the calling thread's when it is a loop's thread."""
        queue = bound_queue() if run_queue is None else run_queue
        assert queue is not None, "no run queue: start on the loop's thread, or give `run_queue`"
        # The base class is not called: it would draw a uuid and make a condition for each actor.
        self._queue = queue
        self._number = next(_urn_numbers)
        self.actor_stopped = Life()
        self._actor_ref = LoopRef(self)

    @property
    def actor_urn(self) -> str:  # type: ignore[override]
        """Return the name of the actor that no other has."""
        return f"{_urn_prefix}{self._number:012x}"

    @property
    def actor_inbox(self) -> LoopInbox:  # type: ignore[override]
        """Return the face of the run queue for the actor."""
        return LoopInbox(self, self._queue)

    @staticmethod
    def _create_actor_inbox() -> NoReturn:
        raise TypeError("a LoopActor gets its inbox from its run queue")

    @staticmethod
    def _create_future() -> Future[Any]:
        return LoopFuture()

    def _start_actor_loop(self) -> None:
        if type(self).on_start is pykka.Actor.on_start:
            self.actor_stopped.running = True  # Nothing to run first, so nothing to queue.
        else:
            self._queue.put(self, _Start())

    def _deliver(self, message: Any, reply_to: Future[Any] | None) -> None:
        life = self.actor_stopped
        if not life.running and not life.stopped:
            # Its first message may overtake `_Start` when another thread started it.
            self._run_on_start()
        if isinstance(message, _Start):
            return
        if life.stopped:
            self._leave(message, reply_to)
            return
        try:
            answer = self._handle_receive(message)
        except BaseException as error:  # noqa: BLE001 - sorted there.
            self._raised(error, message, reply_to)
        else:
            if reply_to is not None:
                reply_to.set(answer)

    def _run_on_start(self) -> None:
        self.actor_stopped.running = True
        try:
            self.on_start()
        except Exception as error:  # noqa: BLE001 - the supervisor is told.
            self._die_of(error)
            self._report(error, None)

    def _leave(self, message: Any, reply_to: Future[Any] | None) -> None:
        """Settle a message that was left in the queue when the actor stopped."""
        if reply_to is not None:
            answer_stopped(message, reply_to, f"{self._actor_ref} stopped before handling it")
        elif self.actor_stopped.failed and not isinstance(message, _ActorStop):
            _hand_over(MessageUndelivered(self._actor_ref, message), self._queue.undelivered)

    def _raised(self, error: BaseException, message: Any, reply_to: Future[Any] | None) -> None:
        if not isinstance(error, Exception):
            # As in pykka the process is ending. There it ends with the thread, here the loop
            # must see the exception too.
            logger.debug("%r in %s. Stopping all actors.", error, self)
            if reply_to is not None:
                answer_stopped(message, reply_to, f"{self._actor_ref} met {error!r}")
            self._stop()
            ActorRegistry.stop_all(block=False)
            raise error
        if reply_to is not None:
            logger.info("Exception returned from %s to caller:", self, exc_info=error)
            reply_to.set_exception()
            return
        self._die_of(error)
        try:
            self.on_failure(type(error), error, error.__traceback__)
        except Exception:  # noqa: BLE001 - pykka's rule: logged, and the first one is reported.
            self._handle_failure(*sys.exc_info())
        self._report(error, message)

    def _stop(self) -> None:
        ActorRegistry.unregister(self._actor_ref)
        self.actor_stopped.set()
        try:
            self.on_stop()
        except Exception as error:  # noqa: BLE001 - the supervisor is told.
            self._die_of(error)
            self._report(error, _ActorStop())

    def _die_of(self, error: Exception) -> None:
        self.actor_stopped.failed = True
        self._handle_failure(type(error), error, error.__traceback__)

    def _report(self, error: Exception, message: Any) -> None:
        listener = self._queue.supervisor if self.supervisor is None else self.supervisor
        _hand_over(ActorFault(self._actor_ref, message, error), listener)


class _Start(tuple[()]):
    """Queued by an actor that has an `on_start`, so that it runs in its turn on the loop."""

    __slots__ = ()


def _hand_over(message: ActorFault | MessageUndelivered, listener: Listener | None) -> None:
    """Tell `listener`. Its errors come out: a fault that reaches nobody must not be hidden."""
    if isinstance(listener, ActorRef):
        listener.tell(message)
    elif listener is not None:
        listener(message)


def _refuse_to_block(what: str) -> NoReturn:
    raise LoopWouldBlockError(
        f"{what} on the loop's own thread would wait for itself for ever: "
        "tell, or ask with block=False and take the answer later"
    )
