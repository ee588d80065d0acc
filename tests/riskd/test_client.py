from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
import zmq

import riskd
from riskd.client import RiskClient
from riskd.codec import encode_msgpack, orders_codec
from riskd.denial import BAD_ANSWER, NO_ANSWER
from riskd.errors import BadAnswer, NoAnswer, Refused, WrongThread
from riskd.messages import (
    Amend,
    Basket,
    BasketVerdict,
    Check,
    Error,
    Fill,
    FillBust,
    Ping,
    Side,
    Transfer,
)
from tests.riskd.fake import FakeRiskd, agreeable, approval

ORDER = Check(
    account="A1", client_order_id="o-1", symbol="AAPL", side=Side.BUY, quantity=5.0, price=187.5
)
SHORT_MS = 100
LONG_MS = 10_000


def test_client_check_answered_returns_the_verdict_of_riskd():
    with FakeRiskd() as fake, RiskClient(fake.addresses["orders"], timeout_ms=LONG_MS) as client:
        assert client.check(ORDER) == approval(ORDER)
        assert fake.requests == [ORDER]


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
def test_client_check_given_as_fields_sends_the_same_message(encoding):
    with (
        FakeRiskd() as fake,
        RiskClient(fake.addresses["orders"], timeout_ms=LONG_MS, encoding=encoding) as client,
    ):
        verdict = client.check(
            account="A1",
            client_order_id="o-1",
            symbol="AAPL",
            side="buy",
            quantity=5.0,
            price=187.5,
        )
    assert verdict.approved
    assert fake.requests == [ORDER]


def test_client_check_unanswered_is_a_denial_after_every_attempt():
    with (
        FakeRiskd(answer=lambda message: None) as fake,
        RiskClient(fake.addresses["orders"], timeout_ms=SHORT_MS, retries=2) as client,
    ):
        verdict = client.check(ORDER)
    assert not verdict.approved
    assert [reject.code for reject in verdict.rejects] == [NO_ANSWER]
    assert (verdict.client_order_id, verdict.account, verdict.seq) == ("o-1", "A1", 0)
    assert fake.requests == [ORDER] * 3


def test_client_check_answered_on_the_second_attempt_is_approved():
    seen = []

    def second_time(message):
        seen.append(message)
        return approval(message, seq=7) if len(seen) == 2 else None

    with (
        FakeRiskd(answer=second_time) as fake,
        RiskClient(fake.addresses["orders"], timeout_ms=SHORT_MS, retries=1) as client,
    ):
        verdict = client.check(ORDER)
    assert verdict.approved
    assert verdict.seq == 7
    assert seen == [ORDER, ORDER]


def test_client_check_retried_by_the_caller_after_silence_works():
    answers = iter([None, approval(ORDER)])
    with (
        FakeRiskd(answer=lambda message: next(answers)) as fake,
        RiskClient(fake.addresses["orders"], timeout_ms=SHORT_MS, retries=0) as client,
    ):
        assert not client.check(ORDER).approved
        assert client.check(ORDER).approved


def test_client_check_answered_by_an_error_is_a_denial_with_its_code():
    overloaded = Error(code="overloaded", text="Too much waits.")
    with (
        FakeRiskd(answer=lambda message: overloaded) as fake,
        RiskClient(fake.addresses["orders"], timeout_ms=LONG_MS) as client,
    ):
        verdict = client.check(ORDER)
    assert not verdict.approved
    assert verdict.rejects[0].code == "OVERLOADED"
    assert verdict.rejects[0].text == "Too much waits."


@pytest.mark.parametrize(
    "other",
    [
        {"client_order_id": "o-2"},
        {"account": "A2"},
    ],
)
def test_client_check_answered_for_another_order_is_a_denial(other):
    wrong = Check(**({"account": "A1", "client_order_id": "o-1"} | other), symbol="AAPL",
                  side=Side.BUY, quantity=5.0)  # fmt: skip
    with (
        FakeRiskd(answer=lambda message: approval(wrong)) as fake,
        RiskClient(fake.addresses["orders"], timeout_ms=LONG_MS) as client,
    ):
        verdict = client.check(ORDER)
    assert not verdict.approved
    assert verdict.rejects[0].code == BAD_ANSWER


@pytest.mark.parametrize("raw", [b"", b"\xff\xff", b"{", b'{"type":"verdict"}'])
def test_client_check_answered_by_rubbish_is_a_denial(raw):
    with (
        FakeRiskd(answer=lambda message: raw) as fake,
        RiskClient(fake.addresses["orders"], timeout_ms=LONG_MS) as client,
    ):
        assert client.check(ORDER).rejects[0].code == BAD_ANSWER


def test_client_late_answer_is_not_taken_for_the_next_request():
    """The answer to the first, abandoned request arrives just before that to the second."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        port = router.bind_to_random_port("tcp://127.0.0.1")

        def ask_twice():
            address = f"tcp://127.0.0.1:{port}"
            with RiskClient(address, timeout_ms=LONG_MS, retries=0) as client:
                # The socket itself is asked, since the client would open a new one by itself.
                client._socket._open().send(encode_msgpack(ORDER))
                return client.check(second)

        second = Check(
            account="A1", client_order_id="o-2", symbol="AAPL", side=Side.BUY, quantity=5.0
        )
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask_twice)
            *first_envelope, first_payload = router.recv_multipart()
            *second_envelope, second_payload = router.recv_multipart()
            assert orders_codec.decode(first_payload) == ORDER
            assert orders_codec.decode(second_payload) == second
            router.send_multipart([*first_envelope, encode_msgpack(approval(ORDER))])
            router.send_multipart([*second_envelope, encode_msgpack(approval(second, seq=2))])
            assert asked.result(30) == approval(second, seq=2)


def test_client_message_that_was_given_up_never_leaves_later():
    with FakeRiskd() as fake:
        addresses = dict(fake.addresses)
    with RiskClient(addresses["orders"], timeout_ms=SHORT_MS, retries=1) as client:
        assert not client.check(ORDER).approved
        with FakeRiskd(addresses=addresses) as fake:
            client._socket.timeout_ms = LONG_MS
            client.ping()
            assert fake.requests == [Ping()]


def test_client_fact_unanswered_raises_no_answer():
    with (
        FakeRiskd(answer=lambda message: None) as fake,
        RiskClient(fake.addresses["orders"], timeout_ms=SHORT_MS, retries=0) as client,
        pytest.raises(NoAnswer, match=str(SHORT_MS)),
    ):
        client.fill(account="A1", exec_id="x", symbol="AAPL", side="buy", quantity=1.0, price=1.0)


def test_client_fact_refused_raises_with_code_and_field():
    malformed = Error(code="malformed", text="Expected a number.", field="$.quantity")
    with (
        FakeRiskd(answer=lambda message: malformed) as fake,
        RiskClient(fake.addresses["orders"], timeout_ms=LONG_MS) as client,
        pytest.raises(Refused) as refused,
    ):
        client.transfer(Transfer(account="A1", transfer_id="t", amount=1.0))
    assert (refused.value.code, refused.value.field) == ("malformed", "$.quantity")


def test_client_fact_answered_by_a_verdict_raises_bad_answer():
    with (
        FakeRiskd(answer=lambda message: approval(ORDER)) as fake,
        RiskClient(fake.addresses["orders"], timeout_ms=LONG_MS) as client,
        pytest.raises(BadAnswer),
    ):
        client.bust(FillBust(account="A1", exec_id="x"))


def test_client_facts_return_the_ack_of_each():
    with FakeRiskd() as fake, RiskClient(fake.addresses["orders"], timeout_ms=LONG_MS) as client:
        assert client.report(
            account="A1", client_order_id="o-1", status="canceled", report_id="r-1"
        ).ref == "r-1"  # fmt: skip
        fill = Fill(account="A1", exec_id="x-1", symbol="S", side=Side.BUY, quantity=1.0, price=2.0)
        assert client.fill(fill).ref == "x-1"
        assert client.bust(account="A1", exec_id="x-1").ref == "x-1"
        assert client.correct(account="A1", exec_id="x-1", price=3.0).ref == "x-1"
        assert client.transfer(account="A1", transfer_id="t-1", amount=-5.0).ref == "t-1"
        assert client.ping().state == "active"
    assert [type(request).__name__ for request in fake.requests] == [
        "OrderReport",
        "Fill",
        "FillBust",
        "FillCorrect",
        "Transfer",
        "Ping",
    ]


def test_client_used_from_another_thread_raises():
    with RiskClient("tcp://127.0.0.1:1", timeout_ms=SHORT_MS) as client:
        caught = []

        def ask():
            try:
                client.ping()
            except WrongThread as error:
                caught.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    assert len(caught) == 1


def test_client_given_nonsense_says_what_is_wrong():
    with pytest.raises(ValueError, match="timeout_ms"):
        RiskClient(timeout_ms=0)
    with pytest.raises(ValueError, match="retries"):
        RiskClient(retries=-1)
    with pytest.raises(ValueError, match="encoding"):
        RiskClient(encoding="xml")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no address"):
        RiskClient("carrier-pigeon").check(ORDER)
    with pytest.raises(TypeError, match="not both"):
        RiskClient().check(ORDER, account="A2")


def test_package_public_names_all_resolve():
    for name in riskd.__all__:
        assert getattr(riskd, name) is not None
    assert set(riskd.__all__) <= set(dir(riskd))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = riskd.no_such_name


def test_fake_agrees_with_every_request():
    """The stand-in itself must not answer by accident with something that is no message."""
    assert agreeable(ORDER) == approval(ORDER)


@pytest.mark.parametrize("answer", [None, Error(code="overloaded", text="later"), approval(ORDER)])
def test_client_amend_and_basket_without_a_verdict_of_their_own_are_denials(answer):
    change = Amend(account="A1", client_order_id="o-1", new_client_order_id="o-2", quantity=1)
    basket = Basket(basket_id="b", orders=[ORDER, msgspec.structs.replace(ORDER, account="A2")])
    with (
        FakeRiskd(answer=lambda message: answer) as fake,
        RiskClient(fake.addresses["orders"], timeout_ms=SHORT_MS, retries=0) as client,
    ):
        verdict, together = client.amend(change), client.basket(basket)
    code = BAD_ANSWER if answer is not None else NO_ANSWER
    code = "OVERLOADED" if isinstance(answer, Error) else code
    assert (verdict.approved, verdict.client_order_id, verdict.account) == (False, "o-2", "A1")
    assert (together.approved, together.basket_id) == (False, "b")
    assert [one.account for one in together.verdicts] == ["A1", "A2"]
    assert {one.rejects[0].code for one in (verdict, *together.verdicts)} == {code}


def test_client_basket_answered_for_other_orders_is_a_denial():
    other = BasketVerdict(
        basket_id="b", account="A1", approved=True, seq=1, verdicts=(approval(ORDER),)
    )
    asked = msgspec.structs.replace(ORDER, client_order_id="o-7")
    with (
        FakeRiskd(answer=lambda message: other) as fake,
        RiskClient(fake.addresses["orders"], timeout_ms=SHORT_MS, retries=0) as client,
    ):
        verdict = client.basket(basket_id="b", orders=[asked])
    assert not verdict.approved
    assert verdict.verdicts[0].rejects[0].code == BAD_ANSWER
