"""A bug while files are read again is answered, said, and stops no later reading."""

from __future__ import annotations

import asyncio
from typing import Any

from config.load import Configuration
from riskd.messages import Error, Reload
from transport.process_reload import Reloads

UNUSED: Any = None


def test_a_reading_that_fails_by_a_bug_is_answered_each_time_and_told_to_the_loop():
    async def ask_twice() -> tuple[list[Any], list[BaseException]]:
        def read() -> Configuration:
            raise ValueError("a bug")

        loop = asyncio.get_running_loop()
        answers: list[Any] = []
        faults: list[BaseException] = []
        loop.set_exception_handler(lambda _, context: faults.append(context["exception"]))
        reloads = Reloads(UNUSED, UNUSED, UNUSED, UNUSED, read=read, loop=loop, say=UNUSED)
        for request_id in ("r-1", "r-2"):
            answered = asyncio.Event()

            def reply(answer: Any, answered: asyncio.Event = answered) -> None:
                answers.append(answer)
                answered.set()

            reloads.ask(Reload(what="configuration", request_id=request_id), reply)
            await asyncio.wait_for(answered.wait(), 10)
            await asyncio.sleep(0)  # What is raised behind an answer reaches the loop.
        return answers, faults

    answers, faults = asyncio.run(ask_twice())
    text = "riskd had a fault while it read; nothing was changed"
    assert answers == [Error(code="internal", text=text, request_id=f"r-{n}") for n in (1, 2)]
    assert [str(fault) for fault in faults] == ["a bug", "a bug"]
