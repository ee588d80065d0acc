"""The client of a gateway with a session, against a real riskd that is killed and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from riskd import Amend, AsyncGateway, AsyncRiskClient, Basket, RiskClient
from riskd.cli.app import run as run_command
from riskd.cli.example import SESSION
from riskd.errors import NoAnswer, Refused
from riskd.messages import (
    Certificate,
    Check,
    Fill,
    Hello,
    Instruction,
    InstructionReport,
    OrderReport,
    OrderStatus,
    Side,
    Welcome,
)
from tests.end_to_end.process import RiskdProcess
from tests.end_to_end.test_sessions import SHORT, quote, sessions, started, working

pytestmark = pytest.mark.end_to_end

DEADLINE_S = 60.0
POLL_S = 0.005


@pytest.fixture
def riskd(tmp_path: Path):
    """A riskd that notices soon what is lost."""
    with RiskdProcess(tmp_path, settings=SHORT) as process:
        quote(process)
        yield process


def order(name: str, side: Side = Side.BUY, quantity: float = 1.0, **fields: Any) -> Check:
    told = {"price": 100.0} | fields
    return Check(
        account="A1", client_order_id=name, symbol="AAPL", side=side, quantity=quantity, **told
    )


async def until(condition: Callable[[], object]) -> None:
    """Return as soon as `condition` holds; fail after a deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(POLL_S)


def a_gateway(riskd: RiskdProcess, name: str = "G1", **told: Any) -> AsyncGateway:
    hello = Hello(gateway=name, executes_responses=True, cancel_on_disconnect=True)
    return AsyncGateway(hello, riskd.addresses["orders"], timeout_ms=30_000, **told)


def test_gateway_keeps_its_session_by_itself_and_tells_what_became_of_instructions(
    riskd: RiskdProcess,
):
    """E69: two gateways of one account; the orders of the one that goes are cancelled."""
    seen: list[Instruction] = []

    async def trade() -> None:
        async with a_gateway(riskd, "G2", on_instruction=seen.append) as second:
            async with a_gateway(riskd) as first:
                assert (await first.check(order("o-1"))).approved
            await until(lambda: seen)
            report = InstructionReport(instruction_id=seen[0].instruction_id, status="done")
            assert (await second.report_instruction(report)).flags == ()
            canceled = OrderReport(
                account="A1",
                client_order_id="o-1",
                status=OrderStatus.CANCELED,
                report_id="r-1",
            )
            await second.report(canceled)
            assert second.reconnects == 0

    asyncio.run(trade())
    assert [told.client_order_id for told in seen] == ["o-1"]
    assert working(riskd) == {}


def test_gateway_hears_that_its_exit_reduces_less(riskd: RiskdProcess):
    """E38: a fill that nobody asked for turns the position while an exit works."""
    certificates: list[Certificate] = []

    def fill(name: str, side: Side, quantity: float) -> Fill:
        return Fill(
            account="A1", exec_id=name, symbol="AAPL", side=side, quantity=quantity, price=100.0
        )

    async def trade() -> None:
        async with a_gateway(riskd, on_certificate=certificates.append) as gateway:
            await gateway.fill(fill("e-1", Side.BUY, 5.0))
            verdict = await gateway.check(order("exit", Side.SELL, 900.0, close_position=True))
            assert verdict.certified_quantity == 5.0
            await gateway.fill(fill("e-2", Side.SELL, 8.0))
            await until(lambda: certificates)

    asyncio.run(trade())
    ((name, quantity),) = [(told.client_order_id, told.quantity) for told in certificates]
    assert (name, quantity) == ("exit", 0.0)


def test_gateway_says_hello_again_when_riskd_was_killed_and_its_orders_stay(riskd: RiskdProcess):
    """E70: it names its session and what it holds, so there is nothing to compare."""
    welcomes: list[Welcome] = []

    async def trade() -> None:
        async with a_gateway(riskd, on_welcome=welcomes.append) as gateway:
            verdict = await gateway.check(order("o-1"))
            assert gateway.last_seq == verdict.seq
            riskd.kill()
            await asyncio.to_thread(riskd.start)
            await until(lambda: len(welcomes) > 1)
            await asyncio.to_thread(quote, riskd)
            assert (await gateway.check(order("o-2"))).approved

    asyncio.run(trade())
    assert {welcome.session for welcome in welcomes} == {welcomes[0].session}
    assert not any(welcome.must_resync for welcome in welcomes)


def test_gateway_that_forgot_everything_resynchronises_before_its_first_order(
    riskd: RiskdProcess,
):
    async def trade() -> None:
        async with a_gateway(riskd) as gateway:
            await gateway.check(order("o-1", cancel_on_disconnect=False))
        async with a_gateway(riskd) as fresh:
            assert fresh.welcome is not None
            assert fresh.welcome.must_resync
            refused = await fresh.check(order("o-2"))
            assert [reject.code for reject in refused.rejects] == ["UNRECONCILED"]
            listed = await fresh.resync()
            assert [one.client_order_id for one in listed.orders] == ["o-1"]
            await fresh.resynced(listed.seq)
            assert (await fresh.check(order("o-3"))).approved

    asyncio.run(trade())


def test_example_of_a_session_runs_and_carries_out_what_it_is_told(riskd: RiskdProcess):
    with riskd.peer("ticks", zmq.PUSH) as feed:
        feed.tell({"type": "tick", "symbol": "AAPL", "bid": 187.5, "ask": 187.5})
        riskd.wait_until(lambda: riskd.status()["ticks"].get("applied", 0) > 1)
    program = SESSION.replace("tcp://127.0.0.1:5701", riskd.addresses["orders"])
    with started(program) as example:
        assert example.stdout is not None
        assert example.stdout.readline() == b"ACCEPT\n"

        async def come_and_go() -> None:
            async with a_gateway(riskd, "G2") as gateway:
                await gateway.check(order("o-1", price=187.5))

        asyncio.run(come_and_go())
        assert example.stdout.readline() == b"INSTRUCTION cancel o-1\n"


def test_gateway_that_is_refused_or_not_answered_raises(riskd: RiskdProcess):
    async def say(hello: Hello, address: str) -> None:
        async with AsyncGateway(hello, address, timeout_ms=300):
            raise AssertionError("it was welcomed")

    with pytest.raises(Refused, match="no account ghost"):
        asyncio.run(say(Hello(gateway="G1", accounts=("ghost",)), riskd.addresses["orders"]))
    with pytest.raises(NoAnswer):
        asyncio.run(say(Hello(gateway="G1"), "ipc:///nonexistent/nobody"))


def test_sync_client_has_a_session_that_its_pings_keep(riskd: RiskdProcess):
    with RiskClient(riskd.addresses["orders"], timeout_ms=20_000) as client:
        with pytest.raises(Refused, match="DEALER"):
            client.hello(gateway="G1", executes_responses=True)
        welcome = client.hello(gateway="G1")
        assert client.ping().session == welcome.session
        assert client.resync().orders == ()
        assert client.resynced(client.resync().seq).duplicate


def test_sessions_are_listed_for_people_and_as_json(riskd: RiskdProcess, capsys):
    async def trade() -> None:
        async with a_gateway(riskd) as gateway:
            await gateway.check(order("o-1"))
            await asyncio.to_thread(
                riskd.wait_until, lambda: sessions(riskd)["G1"]["heard_ns"] is not None
            )
            command = ["sessions", "--control", riskd.addresses["control"]]
            assert await asyncio.to_thread(run_command, command) == 0

    asyncio.run(trade())
    printed = capsys.readouterr().out
    assert "G1" in printed
    assert sessions(riskd)["G1"]["working_orders"] == 1


def test_client_changes_orders_and_asks_for_baskets(riskd: RiskdProcess):
    with RiskClient(riskd.addresses["orders"], timeout_ms=10_000) as client:
        assert client.check(order("o-1")).approved
        changed = client.amend(
            account="A1", client_order_id="o-1", new_client_order_id="o-2", quantity=2.0
        )
        assert (changed.approved, changed.client_order_id) == (True, "o-2")
        unknown = client.amend(
            account="A1", client_order_id="o-9", new_client_order_id="o-10", quantity=2.0
        )
        assert (unknown.client_order_id, unknown.rejects[0].scope) == ("o-10", "account")
        legs = [order("b-1"), order("b-2", quantity=100_000.0)]
        refused = client.basket(basket_id="b", orders=legs)
        assert (refused.approved, refused.seq > 0) == (False, True)
        assert client.basket(basket_id="c", orders=[order("c-1"), order("c-2")]).approved


def test_asynchronous_client_changes_orders_and_asks_for_baskets(riskd: RiskdProcess):
    async def trade() -> None:
        async with AsyncRiskClient(riskd.addresses["orders"]) as client:
            assert (await client.check(order("o-1"))).approved
            change = Amend(account="A1", client_order_id="o-1", quantity=2.0)
            assert (await client.amend(change)).approved
            asked = Basket(basket_id="b", orders=[order("b-1"), order("b-2")])
            assert (await client.basket(asked)).approved

    asyncio.run(trade())
