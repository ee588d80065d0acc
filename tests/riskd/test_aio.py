from __future__ import annotations

import asyncio
import threading

import pytest
import uvloop

from riskd.aio import AsyncRiskClient
from riskd.denial import NO_ANSWER
from riskd.errors import BadAnswer, NoAnswer, Refused
from riskd.messages import Check, Error, Fill, Side, Transfer, Verdict
from tests.riskd.fake import FakeRiskd, agreeable, approval

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
LONG_MS = 20_000
SHORT_MS = 150
MANY = 500


@pytest.fixture(params=sorted(LOOPS))
def run(request):
    """Run a coroutine on each kind of loop."""

    def runner(coroutine):
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as loop:
            return loop.run(asyncio.wait_for(coroutine, 60))

    return runner


def order_of(number: int) -> Check:
    return Check(
        account="A1",
        client_order_id=f"o-{number}",
        symbol="AAPL",
        side=Side.BUY,
        quantity=float(number + 1),
        price=10.0,
    )


def test_aio_pipelined_checks_each_get_their_own_verdict_though_shuffled(run):
    async def ask(address):
        async with AsyncRiskClient(address, timeout_ms=LONG_MS, attempt_ms=LONG_MS) as client:
            futures = [await client.submit(order_of(number)) for number in range(MANY)]
            return await asyncio.gather(*futures)

    with FakeRiskd(shuffle=7) as fake:
        answers = run(ask(fake.addresses["orders"]))
    assert answers == [approval(order_of(number)) for number in range(MANY)]
    assert fake.requests == [order_of(number) for number in range(MANY)]


def test_aio_errors_without_any_id_reach_the_request_that_caused_them(run):
    def refuse_odd(message):
        odd = int(message.quantity) % 2
        return Error(code="malformed", text=str(message.quantity)) if odd else approval(message)

    async def ask(address):
        async with AsyncRiskClient(address, timeout_ms=LONG_MS, attempt_ms=LONG_MS) as client:
            futures = [await client.submit(order_of(number)) for number in range(20)]
            return await asyncio.gather(*futures)

    with FakeRiskd(answer=refuse_odd, shuffle=5) as fake:
        answers = run(ask(fake.addresses["orders"]))
    for number, answer in enumerate(answers):
        if (number + 1) % 2:
            assert answer == Error(code="malformed", text=str(float(number + 1)))
        else:
            assert answer == approval(order_of(number))


def test_aio_submit_waits_when_too_many_are_in_flight(run):
    gate = threading.Event()

    def when_open(message):
        assert gate.wait(30)
        return approval(message)

    async def ask(address):
        async with AsyncRiskClient(
            address, timeout_ms=LONG_MS, attempt_ms=LONG_MS, in_flight_max=3
        ) as client:
            for number in range(3):
                await client.submit(order_of(number))
            fourth = asyncio.ensure_future(client.submit(order_of(3)))
            await asyncio.sleep(0)
            was_waiting = not fourth.done() and client.in_flight == 3
            gate.set()
            verdict = await (await fourth)
            await client.drained()
            return was_waiting, verdict, client.in_flight

    with FakeRiskd(answer=when_open) as fake:
        assert run(ask(fake.addresses["orders"])) == (True, approval(order_of(3)), 0)


def test_aio_silence_denies_a_check_and_fails_a_fact(run):
    async def ask(address):
        async with AsyncRiskClient(address, timeout_ms=SHORT_MS, attempt_ms=50) as client:
            verdict = await client.check(order_of(0))
            with pytest.raises(NoAnswer):
                await client.transfer(Transfer(account="A1", transfer_id="t", amount=1.0))
            return verdict, client.in_flight

    with FakeRiskd(answer=lambda message: None) as fake:
        verdict, in_flight = run(ask(fake.addresses["orders"]))
    assert not verdict.approved
    assert verdict.rejects[0].code == NO_ANSWER
    assert in_flight == 0


def test_aio_close_fails_what_is_unanswered(run):
    async def ask(address):
        client = AsyncRiskClient(address, timeout_ms=LONG_MS, attempt_ms=LONG_MS)
        client.open()
        future = await client.submit(order_of(0))
        client.close()
        with pytest.raises(NoAnswer, match="closed"):
            await future
        with pytest.raises(NoAnswer, match="closed"):
            await client.submit(order_of(1))

    with FakeRiskd(answer=lambda message: None) as fake:
        run(ask(fake.addresses["orders"]))


def test_aio_server_that_dies_and_returns_answers_everything_once_in_order(run):
    """The first riskd answers ten and dies with the rest unanswered; the second has the rest."""
    first_answers = 10

    def ten_only(message):
        return approval(message) if int(message.quantity) <= first_answers else None

    async def ask(address, restart):
        async with AsyncRiskClient(
            address, timeout_ms=LONG_MS, attempt_ms=100, in_flight_max=64
        ) as client:
            futures = [await client.submit(order_of(number)) for number in range(40)]
            await asyncio.wait(futures[:first_answers])
            second = await asyncio.to_thread(restart)
            answers = await asyncio.gather(*futures)
            return answers, second, client.resends

    fake = FakeRiskd(answer=ten_only)

    def restart():
        fake.stop()
        return FakeRiskd(addresses=fake.addresses)

    answers, second, resends = run(ask(fake.addresses["orders"], restart))
    second.stop()
    assert answers == [approval(order_of(number)) for number in range(40)]
    assert resends >= 30
    first_seen = list(dict.fromkeys(second.requests))
    assert first_seen == [order_of(number) for number in range(first_answers, 40)]


def test_aio_facts_raise_what_riskd_refused(run):
    async def ask(address):
        async with AsyncRiskClient(address, timeout_ms=LONG_MS) as client:
            fill = Fill(
                account="A", exec_id="x", symbol="S", side=Side.BUY, quantity=1.0, price=1.0
            )
            with pytest.raises(Refused, match="malformed"):
                await client.fill(fill)

    with FakeRiskd(answer=lambda message: Error(code="malformed", text="no")) as fake:
        run(ask(fake.addresses["orders"]))


def test_aio_rubbish_denies_a_check_and_the_client_goes_on(run):
    answers = iter([b"\xff", approval(order_of(1))])

    async def ask(address):
        async with AsyncRiskClient(address, timeout_ms=LONG_MS, attempt_ms=LONG_MS) as client:
            with pytest.raises(BadAnswer):
                await client.request(order_of(0))
            return await client.check(order_of(1))

    with FakeRiskd(answer=lambda message: next(answers)) as fake:
        verdict = run(ask(fake.addresses["orders"]))
    assert isinstance(verdict, Verdict)
    assert verdict.approved


def test_aio_concurrent_tasks_share_one_client(run):
    async def ask(address):
        async with AsyncRiskClient(address, timeout_ms=LONG_MS, in_flight_max=4) as client:
            return await asyncio.gather(*(client.check(order_of(n)) for n in range(50)))

    with FakeRiskd(answer=agreeable, shuffle=3) as fake:
        verdicts = run(ask(fake.addresses["orders"]))
    assert [verdict.client_order_id for verdict in verdicts] == [f"o-{n}" for n in range(50)]
