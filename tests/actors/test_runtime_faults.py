"""Actors that fail: who is told, what stops, what goes on."""

import logging
from typing import Any

import pykka
import pytest

from actors.runtime import ActorFault, LoopActor, MessageUndelivered

HANG_S = 60.0


@pytest.fixture(autouse=True)
def quiet_pykka():
    """pykka logs each failure with its traceback: wanted, but not in a test's output."""
    logger = logging.getLogger("pykka")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)


class Fragile(LoopActor):
    """Raises the exception it is told; answers anything else."""

    def __init__(self, log=None, run_queue=None):
        super().__init__(run_queue=run_queue)
        self.log = [] if log is None else log

    def on_receive(self, message):
        self.log.append(message)
        if isinstance(message, BaseException):
            raise message
        return message

    def on_failure(self, exception_type, exception_value, traceback):
        self.log.append(("on_failure", exception_type, exception_value, traceback is not None))

    def on_stop(self):
        self.log.append("on_stop")


class FailsToStart(Fragile):
    def on_start(self):
        raise LookupError("no start")


class FailsToStop(Fragile):
    def on_stop(self):
        raise LookupError("no stop")


class FailsToFail(Fragile):
    def on_failure(self, exception_type, exception_value, traceback):
        raise LookupError("no failure")


def test_exception_in_a_tell_stops_the_actor_and_tells_the_supervisor_once(loop_thread):
    ref = Fragile.start(run_queue=loop_thread.queue)
    log, error = ref.proxy().log.get(timeout=HANG_S), ValueError("bad")
    ref.tell(error)
    assert ref.actor_stopped.wait(HANG_S)
    loop_thread.settle()
    assert log == [error, ("on_failure", ValueError, error, True)]  # Never `on_stop`.
    assert loop_thread.faults == [ActorFault(ref, error, error)]
    assert not ref.is_alive()
    assert ref not in pykka.ActorRegistry.get_all()
    with pytest.raises(pykka.ActorDeadError):
        ref.tell("too late")
    assert loop_thread.errors == []


def test_exception_in_a_tell_of_none_is_a_failure_like_any(loop_thread):
    class Picky(Fragile):
        def on_receive(self, message):
            raise TypeError(f"{message}?")

    log: list[Any] = []
    ref = Picky.start(log, run_queue=loop_thread.queue)
    ref.tell(None)
    assert ref.actor_stopped.wait(HANG_S)
    loop_thread.settle()
    assert [entry[0] for entry in log] == ["on_failure"]
    assert [(fault.message, str(fault.exception)) for fault in loop_thread.faults] == [
        (None, "None?")
    ]


def test_exception_in_an_ask_goes_to_the_asker_alone(loop_thread):
    ref = Fragile.start(run_queue=loop_thread.queue)
    with pytest.raises(ValueError, match="bad"):
        ref.ask(ValueError("bad"), timeout=HANG_S)
    assert ref.ask("alive", timeout=HANG_S) == "alive"
    assert loop_thread.faults == []


@pytest.mark.parametrize(
    ("actor_class", "act", "expected_text"),
    [
        (FailsToStart, lambda ref: None, "no start"),
        (FailsToStop, lambda ref: ref.stop(timeout=HANG_S), "no stop"),
        (FailsToFail, lambda ref: ref.tell(ValueError("first")), "first"),
    ],
)
def test_exception_in_a_hook_is_told_once(loop_thread, actor_class, act, expected_text):
    ref = actor_class.start(run_queue=loop_thread.queue)
    act(ref)
    assert ref.actor_stopped.wait(HANG_S)
    loop_thread.settle()
    assert [str(fault.exception) for fault in loop_thread.faults] == [expected_text]
    assert loop_thread.faults[0].actor_ref is ref
    with pytest.raises(pykka.ActorDeadError):
        ref.ask("anything", timeout=HANG_S)


def test_failure_leaves_the_other_actors_and_the_rest_of_the_queue_running(loop_thread):
    def scenario():
        victim, other = Fragile.start(), Fragile.start()
        victim.tell(ValueError("bad"))
        victim.tell("never handled")
        asked, stopped = victim.ask("asked", block=False), victim.stop(block=False)
        answered = other.ask("answered", block=False)
        loop_thread.queue.drain()
        return victim, asked, stopped.get(), answered.get()

    victim, asked, stopped, answered = loop_thread.call(scenario)
    assert (stopped, answered) == (True, "answered")
    with pytest.raises(pykka.ActorDeadError):
        asked.get(timeout=HANG_S)
    assert loop_thread.undelivered == [MessageUndelivered(victim, "never handled")]
    assert len(loop_thread.faults) == 1


def test_supervisor_may_be_an_actor_and_may_be_an_actors_own(loop_thread):
    supervisor = Fragile.start(run_queue=loop_thread.queue)
    log = supervisor.proxy().log.get(timeout=HANG_S)

    class Supervised(Fragile):
        pass

    Supervised.supervisor = supervisor
    error = ValueError("bad")
    ref = Supervised.start(run_queue=loop_thread.queue)
    ref.tell(error)
    assert ref.actor_stopped.wait(HANG_S)
    supervisor.ask("barrier", timeout=HANG_S)
    assert log == [ActorFault(ref, error, error), "barrier"]
    assert loop_thread.faults == []  # The queue's is the default, not a second one.


def test_supervisor_that_fails_is_not_hidden_and_stops_nothing(loop_thread):
    def broken(_):
        raise LookupError("supervisor")

    loop_thread.queue.supervisor = broken

    def scenario():
        victim, other = Fragile.start(), Fragile.start()
        victim.tell(ValueError("bad"))
        answer = other.ask("goes on", block=False)
        with pytest.raises(LookupError, match="supervisor"):
            loop_thread.queue.drain()
        return answer

    assert loop_thread.call(scenario).get(timeout=HANG_S) == "goes on"
    Fragile.start(run_queue=loop_thread.queue).tell(ValueError("bad"))
    Fragile.start(run_queue=loop_thread.queue).ask("barrier", timeout=HANG_S)
    loop_thread.settle()
    assert [str(error) for error in loop_thread.errors] == ["supervisor"]


def test_message_behind_a_broken_supervisor_is_run_by_the_loop(loop_thread):
    def broken(_):
        raise LookupError("supervisor")

    class TellsAndFails(Fragile):
        def on_receive(self, message):
            message.tell("told before the failure")
            raise ValueError("bad")

    loop_thread.queue.supervisor = broken
    other = Fragile.start(run_queue=loop_thread.queue)
    log = other.proxy().log.get(timeout=HANG_S)
    TellsAndFails.start(run_queue=loop_thread.queue).tell(other)
    loop_thread.settle()
    loop_thread.settle()
    assert log == ["told before the failure"]


@pytest.mark.parametrize("asked", [True, False])
def test_exit_in_an_actor_stops_all_and_reaches_the_loop(loop_thread, asked):
    """pykka: what is no Exception ends the program, so every actor stops."""

    class Leave(BaseException):
        pass

    def scenario():
        log: list[Any] = []
        leaving, other = Fragile.start(log), Fragile.start(log)
        answer = None
        if asked:
            answer = leaving.ask(Leave(), block=False)
        else:
            leaving.tell(Leave())
        with pytest.raises(Leave):
            loop_thread.queue.drain()
        loop_thread.queue.drain()
        return log, answer, leaving.is_alive(), other.is_alive()

    log, answer, *alive = loop_thread.call(scenario)
    assert alive == [False, False]
    assert log[1:] == ["on_stop", "on_stop"]
    assert loop_thread.faults == []
    if asked:
        with pytest.raises(pykka.ActorDeadError):
            answer.get(timeout=HANG_S)
