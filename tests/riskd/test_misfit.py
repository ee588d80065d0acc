"""What a sender is told of a payload that is no message: what, where, expected."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskd.codec import Codec, control_codec, orders_codec, ticks_codec
from riskd.messages import Error
from riskd.misfit import SHOWN_MAX, error_for

CHECK: dict[str, Any] = {
    "type": "check",
    "account": "A1",
    "client_order_id": "o-1",
    "symbol": "X",
    "side": "buy",
    "quantity": 1,
}
BREAKER_SCOPES = "account, currency, firm, group, strategy, symbol"


def told(message: object, codec: Codec[Any] = orders_codec, *, packed: bool = False) -> Error:
    payload = msgspec.msgpack.encode(message) if packed else json.dumps(message).encode()
    with pytest.raises((msgspec.DecodeError, ValueError)) as raised:
        codec.decode(payload)
    return error_for(raised.value, payload, codec)


@pytest.mark.parametrize("payload", [b"garbage", b"[]", b"\xc0", b"5"])
def test_payload_that_is_no_map_is_told_what_a_message_is(payload):
    with pytest.raises(msgspec.DecodeError) as raised:
        orders_codec.decode(payload)
    error = error_for(raised.value, payload, orders_codec)
    assert error.text == "The message is neither a JSON object nor a msgpack map."


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("message", "codec", "code", "field", "text"),
    [
        (
            CHECK | {"side": "up"},
            orders_codec,
            "malformed",
            "$.side",
            "Invalid enum value 'up'; expected one of buy, sell",
        ),
        (
            {"type": "basket", "basket_id": "b", "orders": [CHECK, CHECK | {"side": "up"}]},
            orders_codec,
            "malformed",
            "$.orders[1].side",
            "Invalid enum value 'up'; expected one of buy, sell",
        ),
        (
            {"type": "kill", "scope": "world"},
            control_codec,
            "malformed",
            "$.scope",
            f"Invalid enum value 'world'; expected one of {BREAKER_SCOPES}",
        ),
        (
            CHECK | {"acount": "A1"},
            orders_codec,
            "malformed",
            None,
            "Object contains unknown field `acount`; did you mean `account`?",
        ),
        (
            {"type": "ticks", "ticks": [{"type": "tick", "symbol": "X", "bidd": 1.0}]},
            ticks_codec,
            "malformed",
            "$.ticks[0]",
            "Object contains unknown field `bidd`; did you mean `bid`?",
        ),
        (
            {"type": "ping", "colour": 1},
            orders_codec,
            "malformed",
            None,
            "Object contains unknown field `colour`; expected one of request_id",
        ),
        (
            CHECK | {"quantity": "1"},
            orders_codec,
            "malformed",
            "$.quantity",
            "Expected `float`, got `str`",
        ),
        (
            {"type": "tock", "symbol": "X"},
            ticks_codec,
            "unknown_type",
            "$.type",
            "Invalid value 'tock'; expected one of tick, ticks, market_state",
        ),
        (
            {"symbol": "X"},
            ticks_codec,
            "unknown_type",
            None,
            "Object missing required field `type`; expected one of tick, ticks, market_state",
        ),
    ],
)
def test_sender_is_told_what_where_and_what_was_expected(
    message, codec, code, field, text, *, packed
):
    error = told(message, codec, packed=packed)
    assert (error.code, error.field) == (code, field)
    assert error.text == text


def test_message_of_another_port_is_an_unknown_type_here():
    error = told({"type": "ping"}, control_codec)
    assert error.code == "unknown_type"
    assert "expected one of" in error.text
    assert "status" in error.text


def test_request_id_comes_back_unless_it_is_none():
    assert told(CHECK | {"side": "up", "request_id": "r-1"}).request_id == "r-1"
    assert told(CHECK | {"side": "up", "request_id": 5}).request_id is None
    assert told(CHECK | {"side": "up", "request_id": "r" * 65}).request_id is None


def test_long_nonsense_is_not_sent_back():
    error = told(CHECK | {"side": "x" * 100_000})
    assert len(error.text) < SHOWN_MAX + 100
    assert len(told(CHECK | {"y" * 100_000: 1}).text) < SHOWN_MAX + 500


leaves = st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=4)
keys = st.sampled_from(["type", "orders", "side", "account", "ticks", "request_id", "odd"])
values = st.recursive(
    leaves | st.sampled_from(["check", "basket", "tick", "ticks", "kill", "buy"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@given(values, st.sampled_from([orders_codec, ticks_codec, control_codec]))
def test_whatever_is_sent_gets_an_answer(message, codec):
    payload = msgspec.msgpack.encode(message)
    try:
        codec.decode(payload)
    except (msgspec.DecodeError, ValueError) as raised:
        error = error_for(raised, payload, codec)
        assert error.text
        assert error.code in ("malformed", "unknown_type")
