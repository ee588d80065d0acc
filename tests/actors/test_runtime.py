"""The run queue and its actors: order, threads, pykka's interface, many of them."""

import asyncio
import threading
from typing import Any

import pykka
import pytest
import uvloop

from actors.registry import RefSequence, index_registry
from actors.runtime import LoopActor, LoopWouldBlockError, RunQueue, bound_queue

HANG_S = 60.0


class Recorder(LoopActor):
    """Writes what it is told into a list it shares, with its name and thread."""

    def __init__(self, log, name="", *, forward=(), run_queue=None):
        super().__init__(run_queue=run_queue)
        self.log, self.name, self.forward = log, name, forward

    def on_receive(self, message):
        self.log.append((self.name, message, threading.get_ident()))
        for target, sent in self.forward:
            target.tell(sent)
        return message


class Lively(LoopActor):
    """Uses all that pykka offers: hooks, attributes, methods."""

    def __init__(self, log, run_queue=None):
        super().__init__(run_queue=run_queue)
        self.log, self.value = log, 7

    def on_start(self):
        self.log.append(("start", threading.get_ident()))

    def on_stop(self):
        self.log.append(("stop", threading.get_ident()))

    def double(self, number):
        return number * 2

    def fail(self):
        raise KeyError("asked for it")

    def on_receive(self, message):
        self.log.append((message, threading.get_ident()))
        return f"got {message}"


class Echo(pykka.ThreadingActor):
    use_daemon_thread = True

    def on_receive(self, message):
        reply_to, text = message
        reply_to.tell(text)


def said(log):
    return [(name, message) for name, message, _ in log]


def test_tell_runs_first_in_first_out_and_to_completion(loop_thread):
    def scenario():
        log: list[Any] = []
        leaf = Recorder.start(log, "leaf")
        middle = Recorder.start(log, "middle", forward=[(leaf, "from middle")])
        top = Recorder.start(log, "top", forward=[(middle, "a"), (leaf, "from top")])
        top.tell("first")
        top.tell("second")
        assert log == []  # Nothing runs inside a tell.
        loop_thread.queue.drain()
        return said(log)

    assert loop_thread.call(scenario) == [
        ("top", "first"),
        ("top", "second"),
        ("middle", "a"),
        ("leaf", "from top"),
        ("middle", "a"),
        ("leaf", "from top"),
        ("leaf", "from middle"),
        ("leaf", "from middle"),
    ]


def test_drain_within_a_drain_returns_at_once(loop_thread):
    order = []

    class Draining(LoopActor):
        def on_receive(self, message):
            order.append(("enter", message))
            if message == "outer":
                self.actor_ref.tell("inner")
                loop_thread.queue.drain()
            order.append(("leave", message))

    def scenario():
        Draining.start().tell("outer")
        loop_thread.queue.drain()

    loop_thread.call(scenario)
    assert order == [("enter", "outer"), ("leave", "outer"), ("enter", "inner"), ("leave", "inner")]


def test_tell_on_the_loop_that_nobody_drains_is_run_by_the_loop(loop_thread):
    log: list[Any] = []

    def scenario():
        Recorder.start(log).tell("left behind")
        assert log == []

    loop_thread.call(scenario)
    loop_thread.settle()
    assert [message for _, message, _ in log] == ["left behind"]


def test_tell_from_a_thread_never_lands_in_what_another_input_causes(loop_thread):
    """A thread tells while an input is being run: its message waits until that is complete."""
    log: list[Any] = []

    class Waiting(LoopActor):
        def on_receive(self, message):
            told.wait(HANG_S)  # Until the other thread has told: it cannot have been too late.
            leaf.tell("caused by the input")

    told = threading.Event()
    leaf = Recorder.start(log, run_queue=loop_thread.queue)
    waiting = Waiting.start(run_queue=loop_thread.queue)
    waiting.tell("input")
    leaf.tell("from the thread")
    told.set()
    leaf.ask("last", timeout=HANG_S)
    assert [message for _, message, _ in log] == ["caused by the input", "from the thread", "last"]


def test_tell_from_many_threads_loses_nothing_and_keeps_each_ones_order(loop_thread):
    log: list[Any] = []
    ref = Recorder.start(log, run_queue=loop_thread.queue)

    def send(name):
        for number in range(2_000):
            ref.tell((name, number))

    threads = [threading.Thread(target=send, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_S)
    ref.ask("barrier", timeout=HANG_S)
    received = [message for _, message, _ in log if message != "barrier"]
    for name in range(4):
        assert [number for sender, number in received if sender == name] == list(range(2_000))
    assert len({thread_id for _, _, thread_id in log}) == 1
    assert len(loop_thread.queue) == 0


def test_threading_actor_and_loop_actor_talk_to_each_other(loop_thread):
    log: list[Any] = []
    on_loop, on_thread = Recorder.start(log, run_queue=loop_thread.queue), Echo.start()
    for number in range(100):
        on_thread.tell((on_loop, number))
    on_thread.stop(timeout=HANG_S)
    assert on_loop.ask("last", timeout=HANG_S) == "last"
    assert [message for _, message, _ in log] == [*range(100), "last"]


def test_actor_of_another_thread_uses_all_of_pykka(loop_thread):
    log: list[Any] = []
    ref = Lively.start(log, run_queue=loop_thread.queue)
    proxy = ref.proxy()
    assert isinstance(ref, pykka.ActorRef)
    assert ref.ask("hello", timeout=HANG_S) == "got hello"
    assert ref.ask("later", block=False).get(timeout=HANG_S) == "got later"
    assert proxy.double(21).get(timeout=HANG_S) == 42
    assert proxy.value.get(timeout=HANG_S) == 7
    proxy.value = 8
    assert proxy.value.get(timeout=HANG_S) == 8
    with pytest.raises(KeyError, match="asked for it"):
        proxy.fail().get(timeout=HANG_S)
    assert pykka.ActorRegistry.get_by_urn(ref.actor_urn) is ref
    assert pykka.ActorRegistry.get_by_class(Lively) == [ref]
    pykka.ActorRegistry.broadcast("all", Lively)
    assert ref.ask("barrier", timeout=HANG_S) == "got barrier"
    assert ref.actor_inbox.empty()
    assert ref.is_alive()
    assert ref.stop(timeout=HANG_S) is True
    assert not ref.is_alive()
    assert ref.actor_stopped.wait(HANG_S)
    assert ref.stop(timeout=HANG_S) is False
    with pytest.raises(pykka.ActorDeadError):
        ref.tell("too late")
    with pytest.raises(pykka.ActorDeadError):
        ref.ask("too late", timeout=HANG_S)
    assert [what for what, _ in log] == ["start", "hello", "later", "all", "barrier", "stop"]
    assert {thread_id for _, thread_id in log} == {loop_thread.call(threading.get_ident)}


def test_stop_answers_what_is_left_in_the_queue(loop_thread):
    def scenario():
        ref = Lively.start([])
        first_stop = ref.stop(block=False)
        second_stop, asked = ref.stop(block=False), ref.ask("left", block=False)
        ref.tell("left")
        loop_thread.queue.drain()
        return first_stop.get(), second_stop.get(), asked, ref.is_alive()

    first_stopped, second_stopped, asked, alive = loop_thread.call(scenario)
    assert (first_stopped, second_stopped, alive) == (True, True, False)
    with pytest.raises(pykka.ActorDeadError, match="stopped before"):
        asked.get(timeout=HANG_S)
    assert loop_thread.undelivered == []  # It was asked to stop; nothing went wrong.


def test_wait_for_the_end_of_an_actor_wakes_when_it_stops(loop_thread):
    ref = Lively.start([], run_queue=loop_thread.queue)
    assert ref.actor_stopped.wait(0.001) is False
    seen = []
    waiting = threading.Thread(target=lambda: seen.append(ref.actor_stopped.wait(HANG_S)))
    waiting.start()
    ref.stop(block=False)
    waiting.join(HANG_S)
    assert seen == [True]


def test_blocking_on_the_loops_own_thread_is_refused_and_sends_nothing(loop_thread):
    log: list[Any] = []

    def scenario():
        ref = Lively.start(log)
        for block in (lambda: ref.ask("me"), ref.stop, ref.proxy().value.get):
            with pytest.raises(LoopWouldBlockError, match="block=False"):
                block()
        answer = ref.ask("free", block=False)
        loop_thread.queue.drain()
        return answer.get(), ref.is_alive()

    assert loop_thread.call(scenario) == ("got free", True)
    assert [what for what, _ in log] == ["start", "free"]


def test_actor_started_by_an_actor_starts_in_its_turn_before_its_messages(loop_thread):
    log: list[Any] = []

    class Parent(LoopActor):
        def on_receive(self, message):
            child = Lively.start(log)
            child.tell("for the child")
            log.append(("parent done", 0))

    Parent.start(run_queue=loop_thread.queue).ask("go", timeout=HANG_S)
    loop_thread.settle()
    assert [what for what, _ in log] == ["parent done", "start", "for the child"]


def test_actor_without_a_loop_says_what_is_missing():
    assert bound_queue() is None
    with pytest.raises(AssertionError, match="run_queue"):
        Recorder.start([])


def test_queue_of_an_ended_loop_refuses_and_answers(loop_thread):
    ref = Recorder.start([], run_queue=loop_thread.queue)
    loop_thread.close()
    with pytest.raises(pykka.ActorDeadError, match="loop has ended"):
        ref.tell("nobody")
    with pytest.raises(pykka.ActorDeadError, match="loop has ended"):
        ref.ask("nobody", timeout=HANG_S)
    pykka.ActorRegistry.unregister(ref)


def test_queue_put_before_the_loop_runs_waits_for_it():
    log: list[Any] = []

    async def main():
        loop = asyncio.get_running_loop()
        queue = RunQueue(loop.call_soon_threadsafe)  # `call_soon` may be left out.
        ref = Recorder.start(log, run_queue=queue)
        ref.tell("early")
        queue.bind()
        ref.tell("bound")
        answer = ref.ask("asked", block=False)
        while not ref.actor_inbox.empty():
            await asyncio.sleep(0)
        ref.stop(block=False)
        queue.close()
        return answer.get()

    assert uvloop.run(main()) == "asked"
    assert sorted(message for _, message, _ in log) == ["asked", "bound", "early"]


@pytest.mark.parametrize(("from_loop", "count"), [(True, 100_000), (False, 10_000)])
def test_hundred_thousand_actors_start_and_stop(loop_thread, from_loop, count):
    log: list[Any] = []

    def start():
        return [Recorder.start(log, run_queue=loop_thread.queue) for _ in range(count)]

    def stop():
        stops = pykka.ActorRegistry.stop_all(block=False)
        loop_thread.queue.drain()
        return [stop.get() for stop in stops]

    refs = loop_thread.call(start) if from_loop else start()
    assert len({ref.actor_urn for ref in refs}) == count
    assert pykka.ActorRegistry.get_all() == refs
    stopped = loop_thread.call(stop) if from_loop else pykka.ActorRegistry.stop_all(timeout=HANG_S)
    assert stopped == [True] * count
    assert pykka.ActorRegistry.get_all() == []
    assert not any(ref.is_alive() for ref in refs)


def test_registry_sequence_answers_as_the_list_it_replaces(loop_thread):
    index_registry()
    index_registry()
    refs = [Recorder.start([], run_queue=loop_thread.queue) for _ in range(5)]
    listed, sequence = list(refs), RefSequence(refs)
    for victim in (refs[2], refs[0]):
        listed.remove(victim)
        sequence.remove(victim)
        with pytest.raises(ValueError, match="not registered"):
            sequence.remove(victim)
    listed.append(refs[0])
    sequence.append(refs[0])
    assert list(sequence) == sequence[:] == listed
    assert list(reversed(sequence)) == listed[::-1]
    assert (len(sequence), sequence[0], sequence[-1], sequence[1:]) == (
        len(listed),
        listed[0],
        listed[-1],
        listed[1:],
    )
    assert refs[2] not in sequence
    assert refs[0] in sequence
