"""Bad input of every kind on the orders and control ports: refused, and nothing else happens.

One process takes all of it. What is no message leaves its state hash as it was; what is one and
says something impossible leaves positions, money and working orders as they were. At the end it
still trades, and its journal replays to the same state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import zmq

from riskd.messages import ControlMessage, OrdersRequest
from tests.end_to_end.bad_values import (
    IMPOSSIBLE_NUMBERS,
    UNLIKELY_NUMBERS,
    Payload,
    encodings,
    example_tree,
    odd_names,
    odd_numbers,
    shapeless,
    structs_of,
    undecodable,
)
from tests.end_to_end.books import replayed_hash
from tests.end_to_end.peer import Peer, read_answer
from tests.end_to_end.process import WIDE_SHARE, RiskdProcess

pytestmark = pytest.mark.end_to_end

STRUCTS = {"orders": structs_of(OrdersRequest), "control": structs_of(ControlMessage)}
MESSAGES = [(port, type_) for port, structs in STRUCTS.items() for type_ in structs]
QUERIES = {"orders": {"type": "ping"}, "control": {"type": "breakers"}}
CHECK = STRUCTS["orders"]["check"]
FACTS = ("order_report", "fill", "fill_bust", "fill_correct", "transfer")
ORDER = {"type": "check", "symbol": "AAPL", "side": "buy", "quantity": 1, "price": 187.51}
REFUSALS = ("malformed", "unknown_type", "too_large")
AT_ONCE = 50  # Under half of every high-water mark: answers beyond it would be dropped.
MIB = 1 << 20


@pytest.fixture(scope="module")
def riskd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RiskdProcess]:
    """A riskd with a fill booked and an order working, so that there is something to spoil."""
    # The limit on orders a second is lifted: the last test's order must not be the eleventh.
    # A hello among the messages would be sent heartbeats unasked, which answer nothing.
    settings = {
        "RISKD_DEFAULT__ORDERS_PER_SECOND": "100000",
        "RISKD_SESSIONS__HEARTBEAT_MS": "3600000",
        **WIDE_SHARE,
    }
    with RiskdProcess(tmp_path_factory.mktemp("riskd"), settings=settings) as process:
        quote(process)
        with process.peer("orders") as gateway:
            filled = gateway.ask({**example_tree(STRUCTS["orders"]["fill"]), "quantity": 10})
            verdict = gateway.ask({**ORDER, "account": "A1", "client_order_id": "o-1"})
            # A venue has accepted it: without news it would become suspect in the middle.
            accepted = gateway.ask(example_tree(STRUCTS["orders"]["order_report"]))
        assert (filled["type"], verdict["approved"], accepted["type"]) == ("ack", True, "ack")
        yield process
        process.require_running()


def quote(riskd: RiskdProcess) -> None:
    """Give AAPL a fresh price."""
    applied = riskd.control("metrics")["ticks"].get("applied", 0)
    with riskd.peer("ticks", zmq.PUSH) as feed:
        feed.tell({"type": "tick", "symbol": "AAPL", "bid": 187.49, "ask": 187.51})
        riskd.wait_until(lambda: riskd.control("metrics")["ticks"].get("applied", 0) > applied)


def answers_of(peer: Peer, port: str, payloads: Iterable[Payload]) -> Iterator[tuple[Payload, Any]]:
    """Send everything; yield each with its answer. Exactly one answer each: a query that is sent
    after them gets the very next one."""
    waiting = list(payloads)
    while waiting:
        sent, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
        for payload in sent:
            peer.send(payload.content)
        for payload in sent:
            answer = peer.receive()
            assert (answer[:1] == b"{") == (payload.content[:1] == b"{"), payload
            yield payload, read_answer(answer)
    last = peer.ask({**QUERIES[port], "request_id": "the-last"})
    assert last["request_id"] == "the-last"
    assert last["type"] in ("pong", "result")


def require_refused(riskd: RiskdProcess, port: str, payloads: Iterable[Payload]) -> None:
    """Each payload gets one typed error, and the state is what it was, sequence number included."""
    before = riskd.status()
    with riskd.peer(port) as peer:
        for payload, answer in answers_of(peer, port, payloads):
            shown = (payload.why, payload.content[:300], answer)
            assert answer["type"] == "error", shown
            assert answer["code"] in REFUSALS, shown
            assert answer["text"], shown
    after = riskd.status()
    assert (after["seq"], after["state_hash"]) == (before["seq"], before["state_hash"])


def books_of(riskd: RiskdProcess, account: str) -> Any:
    """What the account owns and what works for it, without prices and ages."""
    shown = riskd.control("account", account=account)
    positions = riskd.control("positions", account=account)
    orders = riskd.control("orders", account=account)
    held = [(x["symbol"], x["quantity"], x["realized"], x["fees"]) for x in positions]
    return shown["cash"], shown["transfers"], held, orders


@pytest.mark.parametrize(("port", "type_"), MESSAGES)
def test_bad_input_that_is_no_message_is_refused_and_changes_nothing(riskd, port, type_):
    require_refused(riskd, port, undecodable(STRUCTS[port][type_]))


@pytest.mark.parametrize("port", ["orders", "control"])
def test_bad_input_without_shape_is_refused_and_changes_nothing(riskd, port):
    require_refused(riskd, port, shapeless())


@pytest.mark.parametrize(("port", "other"), [("orders", "control"), ("control", "orders")])
def test_bad_input_of_another_port_is_refused_and_changes_nothing(riskd, port, other):
    strangers = [example_tree(struct) for struct in STRUCTS[other].values()]
    payloads = [payload for tree in strangers for payload in encodings("stranger", tree)]
    require_refused(riskd, port, payloads)


@pytest.mark.parametrize("port", ["orders", "control"])
@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([b""], "malformed"),
        ([b"", b""], "malformed"),
        ([b"", b"{}"], "unknown_type"),
        ([b"", b"", b"{}"], "malformed"),
        ([b"{}", b""], "malformed"),
        ([b"{}", b"{}"], "malformed"),
        ([b"{}"] * 100, "malformed"),
        ([b""] * 100, "malformed"),
        ([b"{" * (10 * MIB)], "too_large"),
        ([b"", b"\x81" * (10 * MIB)], "too_large"),
        ([b"x" * MIB] * 9, "malformed"),
    ],
    ids=lambda x: (
        x if isinstance(x, str) else f"{len(x)} of {','.join(str(len(y)) for y in x[:3])}"
    ),
)
def test_bad_input_odd_frames_get_one_error(riskd, port, frames, code):
    before = riskd.status()
    with riskd.peer(port) as peer:
        peer.send(*frames)
        answer = read_answer(peer.receive())
        assert (answer["type"], answer["code"]) == ("error", code)
        again = peer.ask({**QUERIES[port], "request_id": "next"})
        assert again["request_id"] == "next"
    assert riskd.status()["state_hash"] == before["state_hash"]


@pytest.mark.parametrize("port", ["orders", "control"])
@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"[" * 10 * MIB, "too_large"),
        (b"{}", "unknown_type"),
    ],
    ids=["empty", "half", "10 MiB", "no type"],
)
def test_bad_input_of_a_plain_req_gets_one_error(riskd, port, content, code):
    with riskd.peer(port, zmq.REQ) as peer:
        answer = read_answer(peer.ask_bytes(content))
        assert (answer["type"], answer["code"]) == ("error", code)
        assert peer.ask(QUERIES[port])["type"] in ("pong", "result")


@pytest.mark.parametrize("port", ["orders", "control", "ticks"])
def test_bad_input_frame_beyond_all_measure_cuts_its_sender_only(riskd, port):
    before = riskd.status()
    with riskd.peer(port, zmq.PUSH if port == "ticks" else zmq.DEALER) as flood:
        flood.send(b"x" * (17 * MIB))
        with riskd.peer("orders") as other:
            assert other.ask({"type": "ping"})["type"] == "pong"
    assert riskd.status()["state_hash"] == before["state_hash"]


@pytest.mark.parametrize("packed", [False, True])
def test_bad_input_error_carries_the_request_id_where_it_can_be_read(riskd, packed):
    with riskd.peer("orders") as peer:
        answer = peer.ask({"type": "no_such", "request_id": "r-7"}, packed=packed)
        assert (answer["code"], answer["request_id"]) == ("unknown_type", "r-7")
        answer = peer.ask({"type": "ping", "request_id": "r-8", "odd": 1}, packed=packed)
        assert (answer["code"], answer["request_id"]) == ("malformed", "r-8")


def test_bad_input_error_names_the_field(riskd):
    tree = example_tree(CHECK)
    with riskd.peer("orders") as peer:
        answer = peer.ask({**tree, "quantity": "many"})
    assert (answer["code"], answer["field"]) == ("malformed", "$.quantity")


def test_bad_input_impossible_numbers_in_checks_are_denied(riskd):
    before = books_of(riskd, "A1")
    with riskd.peer("orders") as peer:
        for number, (why, tree) in enumerate(odd_numbers(CHECK, IMPOSSIBLE_NUMBERS)):
            order = {**tree, "client_order_id": f"impossible-{number}"}
            verdict = peer.ask(order, packed=True)
            assert (verdict["type"], verdict["approved"]) == ("verdict", False), (why, verdict)
            # A limit order has no stop price, whatever it is.
            expected = "MALFORMED" if why.startswith("stop_price") else "VALUE_INVALID"
            assert verdict["rejects"][0]["code"] == expected, (why, verdict)
            again = peer.ask({**order, "dry_run": True}, packed=True)
            assert again["rejects"][0]["code"] == expected, (why, again)
    assert books_of(riskd, "A1") == before


def test_bad_input_unlikely_numbers_in_checks_are_denied(riskd):
    before = books_of(riskd, "A1")
    with riskd.peer("orders") as peer:
        for number, (why, tree) in enumerate(odd_numbers(CHECK, UNLIKELY_NUMBERS)):
            for packed in (False, True):
                order = {**tree, "client_order_id": f"unlikely-{number}-{packed}"}
                verdict = peer.ask(order, packed=packed)
                assert (verdict["type"], verdict["approved"]) == ("verdict", False), (why, verdict)
                assert verdict["rejects"][0]["code"] != "INTERNAL_FAULT", (why, verdict)
    assert books_of(riskd, "A1") == before


@pytest.mark.parametrize("type_", FACTS)
def test_bad_input_impossible_numbers_in_facts_are_errors_and_change_nothing(riskd, type_):
    before = books_of(riskd, "A1")
    with riskd.peer("orders") as peer:
        for why, tree in odd_numbers(STRUCTS["orders"][type_], IMPOSSIBLE_NUMBERS):
            answer = peer.ask(tree, packed=True)
            shown = (answer["type"], answer.get("code"), answer.get("field"))
            assert shown == ("error", "malformed", f"$.{why.partition(' ')[0]}"), (why, answer)
    assert books_of(riskd, "A1") == before


@pytest.mark.parametrize("type_", FACTS)
def test_bad_input_unlikely_numbers_in_facts_get_one_answer(riskd, type_):
    """Zero with a sign, the least float, the first beyond 64 bits: an error, or taken exactly."""
    with riskd.peer("orders") as peer:
        for why, tree in odd_numbers(STRUCTS["orders"][type_], UNLIKELY_NUMBERS):
            for packed in (False, True):
                answer = peer.ask(tree, packed=packed)
                assert answer["type"] in ("ack", "error"), (why, answer)
                assert answer.get("code") in (None, "malformed"), (why, answer)


@pytest.mark.parametrize("type_", ["check", *FACTS])
def test_bad_input_strange_names_get_one_answer_that_repeats_them(riskd, type_):
    """Line ends, NUL, emoji, 64 characters: ids are whatever the gateway says. Accounts and
    symbols that do not exist are said to be unknown."""
    refs = {"order_report": "report_id", "transfer": "transfer_id", "check": "client_order_id"}
    ref = refs.get(type_, "exec_id")
    with riskd.peer("orders") as peer:
        for why, tree in odd_names(STRUCTS["orders"][type_]):
            for packed in (False, True):
                answer = peer.ask(tree, packed=packed)
                assert answer.get("code") != "internal", (why, answer)
                if answer["type"] == "verdict":
                    assert answer["client_order_id"] == tree[ref], (why, answer)
                    assert not answer["approved"], (why, answer)
                    assert answer["rejects"][0]["code"] != "INTERNAL_FAULT", (why, answer)
                elif answer["type"] == "ack":
                    assert answer["ref"] == tree[ref], (why, answer)
                else:
                    assert (answer["type"], answer["code"]) == ("error", "not_found"), (why, answer)


@pytest.mark.parametrize("type_", [x for x in STRUCTS["control"] if x != "stop"])
def test_bad_input_strange_names_of_operators_get_one_answer(riskd, type_):
    with riskd.peer("control") as peer:
        for why, tree in odd_names(STRUCTS["control"][type_]):
            for packed in (False, True):
                answer = peer.ask(tree, packed=packed)
                assert answer["type"] in ("result", "error"), (why, answer)
                assert answer.get("code") != "internal", (why, answer)
        for breaker in riskd.control("breakers"):
            # A timed one may close by itself before this.
            peer.ask({"type": "reset", "breaker_id": breaker["breaker_id"]})
    assert riskd.control("breakers") == []


SCOPES = (
    "default",
    "default:A1",
    "firm",
    "firm:x",
    "group",
    "account",
    "account:A1:AAPL",
    "symbol",
)
OTHER_SCOPES = (
    "account_symbol:A1",
    "strategy:x",
    "trader:",
    "__class__:x",
    "currency:USD",
    "::",
    "",
)


@pytest.mark.parametrize("scope", [*SCOPES, *OTHER_SCOPES])
def test_bad_input_limits_of_any_scope_get_one_answer(riskd, scope):
    with riskd.peer("control") as peer:
        answer = peer.ask({"type": "limits", "scope": scope})
    assert (answer["type"], answer.get("code")) in (("result", None), ("error", "not_found"))


@pytest.mark.parametrize("field", ["tick_size", "lot_size", "multiplier"])
@pytest.mark.parametrize("kind", ["linear", "fx", "inverse"])
def test_bad_input_instrument_of_odd_sizes_is_refused(riskd, field, kind):
    """The largest and smallest decimals that the pattern lets through, and what is no size."""
    before = [x["symbol"] for x in riskd.control("instruments")]
    spec = {"symbol": f"ODD-{kind}-{field}", "currency": "USD", "kind": kind}
    if kind != "linear":
        spec |= {"base": "BTC", "settlement": "BTC"} if kind == "inverse" else {"base": "EUR"}
    with riskd.peer("control") as peer:
        for size in (
            "0",
            "-1",
            "0.0",
            "-0.01",
            "0e99",
            "0e-99",
            "1/3",
            "1_0",
            "NaN",
            "1e",
            "\u0661",
        ):
            tree = {"type": "instrument_add", "instrument": {**spec, field: size}}
            answer = peer.ask(tree)
            assert (answer["type"], answer["code"] != "internal") == ("error", True), (size, answer)
    assert [x["symbol"] for x in riskd.control("instruments")] == before


@pytest.mark.parametrize("number", IMPOSSIBLE_NUMBERS)
def test_bad_input_account_of_impossible_balance_is_refused(riskd, number):
    before = riskd.status()["accounts"]
    with riskd.peer("control") as peer:
        asked = {"type": "account_add", "account": {"id": "ODD", "balance": number}}
        answer = peer.ask(asked, packed=True)
    assert (answer["type"], answer["code"]) == ("error", "refused")
    assert riskd.status()["accounts"] == before


def test_bad_input_repeated_keys_are_one_message_with_one_answer(riskd):
    twice = [
        Payload("json", b'{"type":"ping","type":"ping","request_id":"a","request_id":"b"}'),
        Payload("msgpack", b"\x82\xa4type\xa4ping\xa4type\xa4ping"),
        Payload("types", b'{"type":"check","type":"ping"}'),
    ]
    with riskd.peer("orders") as peer:
        for payload, answer in answers_of(peer, "orders", twice):
            assert answer["type"] in ("pong", "error"), (payload, answer)


def test_bad_input_unknown_account_and_symbol_are_verdicts(riskd):
    tree = example_tree(CHECK)
    with riskd.peer("orders") as peer:
        nobody = peer.ask({**tree, "account": "NOBODY"})
        nothing = peer.ask({**tree, "account": "A3", "symbol": "NOTHING"})
    assert [x["code"] for x in nobody["rejects"]] == ["UNKNOWN_ACCOUNT"]
    assert [x["code"] for x in nothing["rejects"]] == ["UNKNOWN_SYMBOL"]


def test_bad_input_at_the_end_a_good_order_passes_and_the_journal_replays_to_the_same(riskd):
    quote(riskd)
    with riskd.peer("orders") as gateway:
        verdict = gateway.ask({**ORDER, "account": "A3", "client_order_id": "good"})
    assert verdict["approved"], verdict
    status = riskd.status()
    assert status["state"] == "active"
    riskd.kill()
    assert replayed_hash(riskd.books, status["seq"]) == status["state_hash"]
    riskd.start()
    assert riskd.status()["books_hash"] == status["books_hash"]
