"""Work in a forked child: its result comes back, and so does every way in which it can fail."""

import asyncio
import errno
import os
import signal
import threading
import time

import pytest

from transport.aside import Aside, AsideError, Child, run_aside

HANG_S = 30


def told(work) -> bytes | AsideError:
    """What the loop is told of some work."""

    async def wait() -> bytes | AsideError:
        loop = asyncio.get_running_loop()
        found: asyncio.Future[bytes | AsideError] = loop.create_future()
        aside = Aside(loop)
        aside.start(work, found.set_result)
        result: bytes | AsideError = await asyncio.wait_for(found, HANG_S)
        assert not aside.is_busy
        return result

    return asyncio.run(wait())


def fail() -> bytes:
    raise ValueError("as it should")


def hang() -> bytes:
    time.sleep(HANG_S)
    return b""


def test_aside_work_comes_back_whole_however_large():
    assert told(lambda: b"x" * 5_000_000) == b"x" * 5_000_000
    assert told(lambda: b"") == b""
    assert run_aside(lambda: str(os.getpid()).encode()) != str(os.getpid()).encode()


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (fail, "ValueError: as it should"),
        (os.abort, "ended with -6"),
        (lambda: os._exit(3), "ended with 3"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "ended with -9"),
    ],
)
def test_aside_work_that_fails_or_dies_is_told_as_a_failure(work, expected):
    for found in (told(work), run_aside(work)):
        assert isinstance(found, AsideError)
        assert expected in str(found)


def test_aside_child_sees_one_instant_and_changes_nothing_here():
    held = {"value": 1}

    def work() -> bytes:
        held["value"] += 1
        return b"%d" % held["value"]

    child = Child(work)
    held["value"] = 10
    os.set_blocking(child.reading, True)
    child.read()
    assert child.result() == b"2"
    assert held == {"value": 10}


def test_aside_child_beside_threads_that_hold_locks_does_its_work():
    stop, lock = threading.Event(), threading.Lock()

    def hold() -> None:
        while not stop.is_set():
            with lock:
                time.sleep(0)

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        assert [run_aside(lambda: b"done") for _ in range(30)] == [b"done"] * 30
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_aside_child_has_no_descriptor_of_the_parent_but_its_pipe(tmp_path):
    with (tmp_path / "held").open("w") as held:
        number = held.fileno()
        found = run_aside(lambda: str(os.fstat(number)).encode())
    assert isinstance(found, AsideError)
    assert "Bad file descriptor" in str(found)


def test_aside_that_cannot_fork_says_so_and_leaks_nothing(monkeypatch):
    before = len(os.listdir("/proc/self/fd"))

    def refuse() -> int:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fork", refuse)
        found = told(lambda: b"never")
    assert "Cannot allocate memory" in str(found)
    assert len(os.listdir("/proc/self/fd")) == before


def test_aside_that_is_closed_ends_its_child_and_tells_nobody():
    async def close() -> None:
        aside = Aside(asyncio.get_running_loop())
        aside.start(hang, lambda _: pytest.fail("told"))
        assert aside.is_busy
        aside.close()
        assert not aside.is_busy

    begun_s = time.monotonic()
    asyncio.run(close())
    assert time.monotonic() - begun_s < HANG_S


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="nothing can be told apart on one core",
)
def test_aside_child_leaves_the_core_that_the_loop_has_for_itself():
    allowed = os.sched_getaffinity(0)
    own = max(allowed)
    os.sched_setaffinity(0, {own})
    try:
        found = told(lambda: repr(sorted(os.sched_getaffinity(0))).encode())
    finally:
        os.sched_setaffinity(0, allowed)
    assert found == repr(sorted(allowed - {own})).encode()
