"""The client of a gateway with a session, against a riskd whose answers the test chooses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from riskd.gateway import AsyncGateway
from riskd.messages import (
    Ack,
    Check,
    Hello,
    Instruction,
    InstructionAction,
    InstructionReport,
    Ping,
    Pong,
    Side,
    Welcome,
)
from tests.riskd.fake import Answerer, FakeRiskd, agreeable, approval

SESSION = 7
HEARTBEAT_MS = 30
DEADLINE_S = 30.0
POLL_S = 0.002
INSTRUCTION = Instruction(
    instruction_id="i-1",
    response_id="r-1",
    account="A1",
    action=InstructionAction.CANCEL,
    client_order_id="o-1",
    deadline_ns=1,
)


def answering(to_ping: Callable[[Ping], Any]) -> Answerer:
    """Welcome every hello, and answer a ping as the test says."""

    def answer(message: Any) -> Any:
        match message:
            case Hello():
                return Welcome(
                    session=SESSION,
                    server_ns=1,
                    heartbeat_ms=HEARTBEAT_MS,
                    last_seq=0,
                    must_resync=False,
                )
            case Ping():
                return to_ping(message)
            case InstructionReport():
                return Ack(seq=1, ref=message.instruction_id, duplicate=False, flags=())
            case Check():
                reserved = None if message.dry_run else "r"
                return replace(approval(message, int(message.quantity)), reservation_id=reserved)
            case _:
                return agreeable(message)

    return answer


def order(name: str, seq: int, account: str = "A1", *, dry_run: bool = False) -> Check:
    """Return an order whose approval the fake gives this seq."""
    return Check(
        account=account,
        client_order_id=name,
        symbol="X",
        side=Side.BUY,
        quantity=float(seq),
        dry_run=dry_run,
    )


def asked(fake: FakeRiskd, kind: type) -> list[Any]:
    return [message for message in list(fake.requests) if isinstance(message, kind)]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(POLL_S)


def test_gateway_gives_an_instruction_on_once_and_reports_again_on_a_repeat():
    seen: list[Instruction] = []

    async def serve(fake: FakeRiskd) -> None:
        hello = Hello(gateway="G1", executes_responses=True)
        address = fake.addresses["orders"]
        async with AsyncGateway(hello, address, on_instruction=seen.append) as gateway:
            await until(lambda: seen)
            report = InstructionReport(instruction_id="i-1", status="done")
            await gateway.report_instruction(report)
            await until(lambda: len(asked(fake, InstructionReport)) >= 3)

    with FakeRiskd(answering(lambda ping: INSTRUCTION)) as fake:
        asyncio.run(serve(fake))
    assert seen == [INSTRUCTION]


def test_gateway_says_hello_again_when_its_session_is_not_known_any_more():
    """It names the session and the newest approval it holds, so that both sides can compare."""

    def forgotten(ping: Ping) -> Pong:
        return Pong(server_ns=1, last_seq=9, state="active", request_id=ping.request_id)

    async def serve(fake: FakeRiskd) -> None:
        hello = Hello(gateway="G1", last_seq=0)
        address = fake.addresses["orders"]
        async with AsyncGateway(hello, address, attempt_ms=20) as gateway:
            await gateway.check(order("o-1", seq=5))
            await until(lambda: asked(fake, Hello)[-1].last_seq)
            assert gateway.reconnects == 0

    with FakeRiskd(answering(forgotten)) as fake:
        asyncio.run(serve(fake))
    first, *_, last = asked(fake, Hello)
    assert (first.session, first.last_seq) == (None, 0)
    assert (last.session, last.last_seq) == (SESSION, 5)


def test_gateway_holds_the_newest_approval_of_its_accounts_that_reserved():
    async def serve(fake: FakeRiskd) -> int:
        hello = Hello(gateway="G1", accounts=("A1",), last_seq=2)
        async with AsyncGateway(hello, fake.addresses["orders"]) as gateway:
            await gateway.check(order("o-1", seq=1))
            await gateway.check(order("o-2", seq=4))
            await gateway.check(order("o-3", seq=9, account="A2"))
            await gateway.check(order("o-4", seq=8, dry_run=True))
            await gateway.check(order("o-1", seq=1))
            return gateway.last_seq

    with FakeRiskd(answering(lambda ping: None)) as fake:
        assert asyncio.run(serve(fake)) == 4


def test_gateway_makes_its_connection_anew_when_nothing_is_heard_and_says_hello_first():
    async def serve(fake: FakeRiskd) -> None:
        hello = Hello(gateway="G1")
        async with AsyncGateway(hello, fake.addresses["orders"], attempt_ms=20) as gateway:
            await until(lambda: gateway.reconnects)
            await until(lambda: len(asked(fake, Hello)) > 1)

    with FakeRiskd(answering(lambda ping: None)) as fake:
        asyncio.run(serve(fake))
