"""E6, E8, E9, E10, E13: what may not pass the boundary, and what must."""

from __future__ import annotations

from math import inf, nan

import msgspec
import pytest
from msgspec.structs import replace

from config.errors import ConfigError
from config.load import load
from engine.boards import Boards
from engine.universe import instrument_conflict
from riskd.codec import (
    control_codec,
    encode_json,
    encode_msgpack,
    orders_codec,
    ticks_codec,
)
from riskd.messages import (
    AccountAdd,
    Check,
    FillCorrect,
    InstrumentAdd,
    InstrumentKind,
    LimitsSpec,
    MarketPhase,
    MarketState,
    OrderType,
    Tick,
    Transfer,
)
from riskd.misfit import error_for
from tests.builders import (
    EURUSD,
    MS,
    PERPETUAL,
    SECOND,
    STOCK,
    a_core,
    a_fill,
    a_report,
    an_account,
    an_order,
    codes_of,
)

NOT_FINITE = (nan, inf, -inf)
OVER_RANGE = (1e300, -1e300, 1e17)


def on_the_wire(message):
    """The message as it arrives: msgpack carries what JSON cannot, such as NaN."""
    return orders_codec.decode(encode_msgpack(message))


MALFORMED = [
    b"",
    b"{",
    b"\xc1",
    b"[]",
    b"null",
    b"{}",
    b'{"type":"check"}',
    b'{"type":"nonsense"}',
    b'{"type":"check","account":5}',
    encode_json(an_order()).replace(b'"buy"', b'"both"'),
    encode_json(an_order()).replace(b'"quantity":1.0', b'"quantity":"1"'),
    encode_json(an_order()).replace(b'"quantity":1.0', b'"quantity":NaN'),
    encode_json(an_order()).replace(b'"quantity":1.0', b'"quantity":1e999'),
    encode_json(an_order()).replace(b"}", b',"odd":1}'),
    encode_json(an_order(account="A" * 65)),
    encode_msgpack(an_order())[:-1],
    encode_msgpack([1, 2]),
]


@pytest.mark.parametrize("payload", MALFORMED)
def test_e06_bytes_that_are_no_message_get_a_typed_error(payload):
    with pytest.raises((msgspec.DecodeError, ValueError)) as raised:
        orders_codec.decode(payload)
    answer = error_for(raised.value, payload, orders_codec)
    assert answer.code in ("malformed", "unknown_type")
    assert answer.text


WRONG_NUMBERS = [
    *(a_fill(quantity=x) for x in (*NOT_FINITE, *OVER_RANGE, 0.0, -0.0, -1.0, 1.5)),
    *(a_fill(price=x) for x in (*NOT_FINITE, *OVER_RANGE, 0.0, -0.0, -1.0)),
    *(replace(a_fill(), fee=x) for x in (*NOT_FINITE, 1e19, -1e19)),
    *(a_fill(symbol="P", price=x) for x in (*NOT_FINITE, 0.0, 1e-300, 5e-324)),
    *(a_report("o-1", "accepted", leaves_quantity=x) for x in (*NOT_FINITE, *OVER_RANGE, -1.0)),
    *(a_report("o-1", "replaced", leaves_quantity=x) for x in (*NOT_FINITE, 1.5, None)),
    *(a_report("gone", "canceled", leaves_quantity=x) for x in (*NOT_FINITE, -1.0)),
    *(Transfer(account="A1", transfer_id="t", amount=x) for x in (*NOT_FINITE, 0.0, -0.0, 1e300)),
    *(FillCorrect(account="A1", exec_id="e-0", quantity=x) for x in (*NOT_FINITE, 0.0, -1.0, 1.5)),
    *(FillCorrect(account="A1", exec_id="e-0", price=x) for x in (*NOT_FINITE, 0.0, 1e300)),
]


@pytest.mark.parametrize("message", WRONG_NUMBERS, ids=str)
def test_e06_e08_wrong_number_in_a_fact_gets_a_typed_error_and_changes_no_books(message):
    house = a_core()
    house.send_all(an_order(quantity=5), a_fill("e-0"))
    books = house.books()
    answer = house.send(on_the_wire(message))
    assert type(answer).__name__ == "Error"
    assert answer.code == "malformed"
    assert answer.field is not None
    assert answer.field.startswith("$.")
    assert house.books() == books
    assert codes_of(house.send(an_order("o-2"))) == []


@pytest.mark.parametrize("value", [*NOT_FINITE, *OVER_RANGE, 0.0, -0.0, -1.0])
@pytest.mark.parametrize("field", ["quantity", "price", "stop_price", "stop_loss", "take_profit"])
def test_e08_wrong_number_in_an_order_is_refused(field, value):
    house = a_core()
    order = replace(an_order(order_type=OrderType.STOP_LIMIT, stop_price=100.0), **{field: value})
    verdict = house.send(on_the_wire(order))
    assert codes_of(verdict) == ["VALUE_INVALID"]
    assert verdict.rejects[0].text.startswith(f"{field} ")
    assert house.position().open_buy_lots == 0


@pytest.mark.parametrize("field", ["price", "stop_price", "stop_loss", "take_profit"])
@pytest.mark.parametrize("symbol", ["X", "P"])
def test_e08_price_of_an_order_too_small_to_count_is_refused(symbol, field):
    house = a_core(LimitsSpec(risk_per_trade_pct=5))
    order = an_order(symbol=symbol, order_type=OrderType.STOP_LIMIT, stop_price=1.0, price=1.0)
    verdict = house.send(replace(order, **{field: 1e-300}))
    assert codes_of(verdict) == ["VALUE_INVALID"]
    assert house.account().frozen == ""


SPEC_FIELDS = ("tick_size", "lot_size", "multiplier")


@pytest.mark.parametrize("size", ["0", "-1", "-0", "1e99", "1e-99", "0.00"])
@pytest.mark.parametrize("field", SPEC_FIELDS)
@pytest.mark.parametrize("spec", [STOCK, PERPETUAL])
def test_e08_wrong_size_of_an_instrument_is_refused(spec, field, size):
    house = a_core()
    books = house.digest()
    fresh = replace(spec, symbol="N", **{field: size})
    assert instrument_conflict(Boards(), fresh) is not None
    answer = house.send(InstrumentAdd(instrument=fresh))
    assert answer.code == "refused"
    assert field in answer.text
    assert "N" not in house.core.boards.instruments
    assert house.digest() != books  # The input is numbered all the same.


@pytest.mark.parametrize("text", ["nan", "inf", "1e", "", "0x1", "1_0", "\u0661"])
def test_e08_size_that_is_no_decimal_does_not_decode(text):
    payload = encode_msgpack(InstrumentAdd(instrument=replace(STOCK, tick_size=text)))
    with pytest.raises(msgspec.ValidationError):
        control_codec.decode(payload)


@pytest.mark.parametrize("field", ["initial_margin", "maintenance_margin", "hedged_margin"])
@pytest.mark.parametrize("value", [*NOT_FINITE, -1.0, 1e300])
def test_e08_wrong_margin_of_an_instrument_is_refused(field, value):
    payload = encode_msgpack(InstrumentAdd(instrument=replace(STOCK, symbol="N", **{field: value})))
    assert_refused(payload)


@pytest.mark.parametrize("field", ["balance", "leverage"])
@pytest.mark.parametrize("value", [*NOT_FINITE, 1e300])
def test_e08_wrong_number_of_an_account_is_refused(field, value):
    spec = replace(an_account("A9"), **{field: value})
    assert_refused(encode_msgpack(AccountAdd(account=spec)))


def assert_refused(payload):
    """Refused by the codec, or by the engine with nothing changed."""
    house = a_core()
    try:
        message = control_codec.decode(payload)
    except msgspec.ValidationError:
        return
    assert isinstance(message, InstrumentAdd | AccountAdd)
    books = house.books()
    assert house.send(message).code == "refused"
    assert house.books() == books


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1", "-0.5"])
@pytest.mark.parametrize("key", sorted({*LimitsSpec.__struct_fields__} - {"duplicate_orders"}))
def test_e08_wrong_limit_in_a_configuration_is_refused(tmp_path, key, value):
    told = f"{{EUR = {value}}}" if key == "currency_exposure" else value
    path = tmp_path / "riskd.toml"
    path.write_text(f"[default]\n{key} = {told}\n")
    with pytest.raises(ConfigError) as raised:
        load(path, {})
    assert key in str(raised.value)


@pytest.mark.parametrize("value", [*NOT_FINITE, *OVER_RANGE, 0.0, -0.0, -1.0])
@pytest.mark.parametrize("field", ["bid", "ask", "last"])
@pytest.mark.parametrize("symbol", ["X", "EURUSD", "P"])
def test_e08_wrong_price_or_rate_in_a_tick_is_refused(symbol, field, value):
    house = a_core()
    before = house.core.state().quotes[symbol]
    kept = (before.bid, before.ask, before.last, before.mark_long, before.touch_steady_ns)
    tick = ticks_codec.decode(encode_msgpack(Tick(symbol=symbol, **{field: value})))
    house.send(tick)
    after = house.core.state().quotes[symbol]
    assert kept == (after.bid, after.ask, after.last, after.mark_long, after.touch_steady_ns)
    assert house.core.tick_counts["value_invalid"] == 1


@pytest.mark.parametrize("symbol", ["EURUSD", "P", "X"])
def test_e08_price_too_small_to_count_is_refused_and_divides_by_nothing(symbol):
    house = a_core(accounts=(an_account("A1", 1e6, currency="EUR"),))
    house.send(a_fill(symbol="P", price=50_000.0))
    house.send(Tick(symbol=symbol, bid=1e-300, ask=1e-300))
    assert house.core.tick_counts["value_invalid"] == 1
    assert codes_of(house.send(an_order())) == []


@pytest.mark.parametrize("field", ["previous_close", "settlement"])
@pytest.mark.parametrize("value", [*NOT_FINITE, 0.0, -1.0, 1e300])
def test_e08_wrong_price_in_a_market_state_is_refused_whole(field, value):
    house = a_core()
    wrong = MarketState(symbol="X", state=MarketPhase.CLOSED, **{field: value})
    house.send(ticks_codec.decode(encode_msgpack(wrong)))
    assert codes_of(house.send(an_order())) == []


@pytest.mark.parametrize("field", ["bid_size", "ask_size", "last_size"])
@pytest.mark.parametrize("value", [*NOT_FINITE, -1.0])
def test_e08_wrong_size_in_a_tick_is_refused_whole(field, value):
    house = a_core()
    house.send(ticks_codec.decode(encode_msgpack(Tick(symbol="X", bid=90.0, **{field: value}))))
    assert house.core.state().quotes["X"].bid == 100_00 * 1000


@pytest.mark.parametrize("value", NOT_FINITE)
def test_e09_non_finite_tick_leaves_the_last_good_price_ages_it_and_raises_one_alert(value):
    house = a_core(settings=None)
    for _ in range(30):  # Three seconds of nonsense, then two of it and one instant.
        house.send(Tick(symbol="X", bid=value, ask=value), 100 * MS)
    quote = house.core.state().quotes["X"]
    assert (quote.bid, quote.ask) == (100_00 * 1000, 100_00 * 1000)
    assert codes_of(house.send(an_order("fresh"))) == []
    raised = house.alerts("tick_value_invalid")
    assert {alert.alert_id for alert in raised} == {raised[0].alert_id}
    assert [alert.status for alert in raised].count("raised") == 1
    assert house.core.alerts.newest(10)[-1].count == 30
    house.send(Tick(symbol="X", bid=value), 2 * SECOND)
    assert codes_of(house.send(an_order("stale"))) == ["STALE_PRICE"]


@pytest.mark.parametrize("size", ["0.1", "0.05", "1e-8", "0.25", "1", "5"])
def test_e10_every_multiple_of_the_tick_passes_and_nothing_between(size):
    tick = float(size)
    instrument = replace(STOCK, tick_size=size)
    house = a_core(instruments=(instrument,), quotes={"X": (1000 * tick, 1000 * tick)})
    digits = max(0, len(size.partition(".")[2])) if "e" not in size else 8
    for count in (1, 3, 7, 1001, 12345, 999_999, 33_333_333):
        price = round(count * tick, digits)
        assert codes_of(house.send(an_order(f"on-{count}", price=price))) == []
        for part in (price + tick / 2, price + tick / 100, price - tick / 3):
            if part > 0:
                verdict = house.send(an_order(f"off-{part!r}", price=part))
                assert codes_of(verdict) == ["PRICE_OFF_TICK"]


@pytest.mark.parametrize("size", ["0.1", "0.05", "1e-8"])
def test_e10_every_multiple_of_the_lot_passes_and_nothing_between(size):
    lot = float(size)
    house = a_core(instruments=(replace(STOCK, lot_size=size),), quotes={"X": (100.0, 100.0)})
    digits = 8 if "e" in size else len(size.partition(".")[2])
    for count in (1, 3, 7, 9, 1001, 33_333_333):
        quantity = round(count * lot, digits)
        assert codes_of(house.send(an_order(f"on-{count}", quantity=quantity))) == []
        verdict = house.send(an_order(f"off-{count}", quantity=quantity + lot / 4))
        assert codes_of(verdict) == ["QUANTITY_OFF_LOT"]
    assert house.position().open_buy_lots == 1 + 3 + 7 + 9 + 1001 + 33_333_333


def test_e13_negative_prices_work_through_zero():
    """Long 10 spreads from 2.0, sold at -3.0: a loss of 5 each. No collar on the way."""
    house = a_core(LimitsSpec(price_collar_pct=5, order_notional=1000, leverage=2, daily_loss=1000))
    house.send(Tick(symbol="S", bid=2.0, ask=2.0))
    house.send(an_order("o-1", quantity=10, symbol="S", price=2.0))
    house.send(a_fill("e-1", quantity=10, symbol="S", price=2.0, client_order_id="o-1"))
    for price in (0.1, 0.0, -0.1, -3.0):
        house.send(Tick(symbol="S", bid=price, ask=price))
        assert codes_of(house.send(an_order(f"b{price}", symbol="S", price=price))) == []
        market = an_order(f"m{price}", symbol="S", order_type=OrderType.MARKET, price=None)
        assert codes_of(house.send(market)) == []
        sell = an_order(f"s{price}", "sell", symbol="S", price=price - 7)
        assert codes_of(house.send(sell)) == []
    house.send(a_fill("e-2", "sell", 10, -3.0, symbol="S"))
    assert house.position("S").books.lots == 0
    assert house.position("S").books.realized_money == -50 * 10**12


def test_e13_limits_count_the_size_of_a_negative_price():
    house = a_core(LimitsSpec(order_notional=30))
    house.send(Tick(symbol="S", bid=-3.0, ask=-3.0))
    assert codes_of(house.send(an_order("at", quantity=10, symbol="S", price=-3.0))) == []
    over = house.send(an_order("over", quantity=10, symbol="S", price=-3.1))
    assert codes_of(over) == ["ORDER_NOTIONAL"]
    assert over.rejects[0].value == 31


def test_e13_slippage_of_a_negative_price_counts_where_it_makes_the_order_larger():
    """A hundred at -3: ten basis points lower is 3.003 each to a seller; to a buyer it is 3."""
    house = a_core(LimitsSpec(order_notional=300))
    house.send(Tick(symbol="S", bid=-3.0, ask=-3.0))
    market = {"symbol": "S", "order_type": OrderType.MARKET, "price": None}
    assert codes_of(house.send(an_order("buy", "buy", 100, **market))) == []
    over = house.send(an_order("sell", "sell", 100, **market))
    assert codes_of(over) == ["ORDER_NOTIONAL"]
    assert over.rejects[0].value == pytest.approx(300.3)


@pytest.mark.parametrize("spec", [PERPETUAL, EURUSD])
def test_e13_only_linear_instruments_may_go_negative(spec):
    assert spec.kind is not InstrumentKind.LINEAR
    wrong = instrument_conflict(Boards(), replace(spec, symbol="N", allow_negative=True))
    assert wrong is not None
    assert "allow_negative" in wrong


def test_e13_others_refuse_zero_and_below():
    house = a_core()
    for price in (0.0, -1.0):
        assert codes_of(house.send(an_order(f"o{price}", price=price))) == ["VALUE_INVALID"]


def test_boundary_check_without_or_with_too_many_prices_is_malformed():
    house = a_core()
    needs = {"limit": (1, 0), "market": (0, 0), "stop": (0, 1), "stop_limit": (1, 1)}
    for kind, (price, stop) in needs.items():
        for given in ((0, 0), (0, 1), (1, 0), (1, 1)):
            order: Check = an_order(
                f"{kind}{given}",
                order_type=OrderType(kind),
                price=100.0 if given[0] else None,
                stop_price=100.0 if given[1] else None,
            )
            expected = [] if given == (price, stop) else ["MALFORMED"]
            assert codes_of(house.send(order)) == expected
