"""msgpack and JSON are two spellings of one message: the same answers and the same books."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq
from msgspec.structs import replace

from riskd.codec import answers_codec
from riskd.messages import Ack, Error, OrdersAnswer, Verdict
from tests.end_to_end.process import RiskdProcess

pytestmark = pytest.mark.end_to_end

AGE = re.compile(r"[0-9.]+ (s old|ns after)")
CHECK = {
    "type": "check",
    "account": "A1",
    "symbol": "AAPL",
    "side": "buy",
    "quantity": 5.0,
    "price": 187.51,
}
BOOKED = {
    "type": "fill",
    "account": "A1",
    "symbol": "AAPL",
    "side": "buy",
    "quantity": 2.0,
    "price": 187.5,
    "fee": 0.1,
    "client_order_id": "1",
}
REPORTED = {"type": "order_report", "account": "A1", "client_order_id": "1"}
REQUESTS: tuple[dict[str, Any], ...] = (
    {**CHECK, "client_order_id": "1", "request_id": "r-1"},
    {**CHECK, "client_order_id": "1", "request_id": "r-2"},  # A repeat.
    {**CHECK, "client_order_id": "1", "quantity": 4.0},  # The same id for another order.
    {**CHECK, "client_order_id": "2", "quantity": 6.0},  # Over the notional.
    {**CHECK, "client_order_id": "3", "quantity": 6.0, "explain": True},
    {**CHECK, "client_order_id": "4", "price": 187.505},  # Off the tick.
    {**CHECK, "client_order_id": "5", "price": 300.0, "quantity": 1.0},  # Off the collar.
    {**CHECK, "client_order_id": "6", "price": None},  # A limit order without its price.
    {**CHECK, "client_order_id": "7", "quantity": 0.5},
    {**CHECK, "client_order_id": "8", "quantity": -1.0},
    {**CHECK, "client_order_id": "9", "symbol": "NOTHING"},
    {**CHECK, "client_order_id": "10", "account": "NOBODY"},
    {**CHECK, "client_order_id": "11", "dry_run": True, "explain": True},
    {**CHECK, "client_order_id": "12", "deadline_ns": 1},
    {**CHECK, "client_order_id": "é🏦", "quantity": 1, "price": 187},  # Integers are numbers too.
    {**REPORTED, "report_id": "r-1", "status": "accepted"},
    {**BOOKED, "exec_id": "x-1"},
    {**BOOKED, "exec_id": "x-1"},
    {**BOOKED, "exec_id": "x-1", "quantity": 1.0},
    {**BOOKED, "exec_id": "x-2", "price": 0.0},
    {**REPORTED, "report_id": "r-2", "status": "canceled"},
    {**BOOKED, "exec_id": "x-3"},  # Late.
    {"type": "fill_correct", "account": "A1", "exec_id": "x-1", "price": 187.4},
    {"type": "fill_bust", "account": "A1", "exec_id": "x-3"},
    {"type": "transfer", "account": "A1", "transfer_id": "t-1", "amount": 0.1},
    {"type": "transfer", "account": "A1", "transfer_id": "t-1", "amount": 0.2},
    {**CHECK, "client_order_id": "13", "no_such_field": 1},
    {"type": "no_such_type"},
)


def test_encodings_give_equal_answers_and_equal_books_on_two_fresh_processes(tmp_path):
    as_json, books_json = answers_of(tmp_path / "json", packed=False)
    as_msgpack, books_msgpack = answers_of(tmp_path / "msgpack", packed=True)
    assert as_json == as_msgpack
    assert books_json == books_msgpack
    # It is worth something only if every kind of answer is among them.
    assert {type(answer) for answer in as_json} == {Verdict, Ack, Error}
    verdicts = [answer for answer in as_json if isinstance(answer, Verdict)]
    assert {verdict.approved for verdict in verdicts} == {True, False}
    assert len({x.code for verdict in verdicts for x in verdict.rejects}) >= 9


def answers_of(folder: Path, *, packed: bool) -> tuple[list[OrdersAnswer], str]:
    """Send every request in one encoding to a fresh riskd; return answers and the books' hash."""
    settings = {
        "RISKD_DEFAULT__ORDERS_PER_SECOND": "1000",
        # A price that ages between two runs would make them differ.
        "RISKD_PRICES__STALE_AFTER_MS": "3600000",
    }
    with RiskdProcess(folder, settings=settings) as riskd:
        with riskd.peer("ticks", zmq.PUSH) as feed:
            feed.tell({"type": "tick", "symbol": "AAPL", "bid": 187.49, "ask": 187.51})
            riskd.wait_until(lambda: riskd.control("metrics")["ticks"].get("applied"))
        encode = msgspec.msgpack.encode if packed else msgspec.json.encode
        with riskd.peer("orders") as gateway:
            answers = [gateway.ask_bytes(encode(request)) for request in REQUESTS]
        assert all((answer[:1] == b"{") is not packed for answer in answers)
        return [timeless(answers_codec.decode(x)) for x in answers], riskd.status()["books_hash"]


def timeless(answer: OrdersAnswer) -> OrdersAnswer:
    """The answer without instants and ages."""
    if not isinstance(answer, Verdict):
        return answer
    checks = tuple(
        replace(x, value=None, utilization=None) if x.code == "STALE_PRICE" else x
        for x in answer.checks or ()
    )
    valid_ns, reference = answer.valid_until_ns, answer.reference
    return replace(
        answer,
        checked_ns=0,
        valid_until_ns=None if valid_ns is None else valid_ns - answer.checked_ns,
        rejects=tuple(replace(x, text=AGE.sub("some time", x.text)) for x in answer.rejects),
        checks=None if answer.checks is None else checks,
        reference=None if reference is None else replace(reference, age_ns=0),
    )
