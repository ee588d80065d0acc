from __future__ import annotations

import gzip
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from riskd.feed import FeedError, detect, read
from riskd.feed.read import merge, symbol_of
from riskd.messages import (
    Check,
    Fill,
    MarketPhase,
    MarketState,
    OrderReport,
    OrderStatus,
    Side,
    Tick,
)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def messages(path: Path, **options):
    return [timed.message for timed in read(path, **options)]


def test_read_fx_ticks_with_a_scale_gives_the_nearest_float_to_the_exact_decimal(tmp_path):
    path = written(
        tmp_path,
        "eurusd_ticks_2019-01-01.csv.gz",
        "ts_event_ns,bid,ask,bid_size,ask_size\n"
        "1546383600078000128,114.60500,114.64300,100000000,100000000\n",
    )
    (timed,) = read(path, price_scale="0.01")
    assert timed.at_ns == 1546383600078000128
    assert timed.message == Tick(
        symbol="EURUSD",
        bid=1.14605,
        ask=1.14643,
        bid_size=1e8,
        ask_size=1e8,
        venue_ns=1546383600078000128,
        seq=1,
        feed="eurusd_ticks_2019-01-01",
    )


def test_read_scale_is_exact_where_floats_are_not(tmp_path):
    """0.07 * 100 is 7.000000000000001 in floats."""
    path = written(tmp_path, "x_2020-01-01.csv", "ms_of_day,bid,ask\n0,0.07,0.29\n")
    (tick,) = messages(path, price_scale=100)
    assert (tick.bid, tick.ask) == (7.0, 29.0)


def test_read_ms_of_day_counts_from_midnight_of_the_day_and_zone(tmp_path):
    text = "ms_of_day,bid,ask\n1,1.5,1.6\n"
    oanda = written(tmp_path, "oanda_eurusd_ticks_2014-05-08.csv", text)
    fxcm = written(tmp_path, "fxcm_eurusd_ticks_2014-05-08.csv", text)
    midnight_ns = 1_399_507_200 * 10**9  # 2014-05-08T00:00:00Z.
    assert next(read(oanda)).at_ns == midnight_ns + 1_000_000
    assert next(read(fxcm)).at_ns == midnight_ns + 5 * 3600 * 10**9 + 1_000_000


def test_read_equity_quotes_send_only_the_side_that_a_row_has(tmp_path):
    path = written(
        tmp_path,
        "ibm_quotes_2013-10-08.csv.gz",
        "ms_of_day,bid_x10000,bid_size,ask_x10000,ask_size,exchange,quote_condition_hex,"
        "suspicious\n"
        "14400640,1800100,200,0,0,P,1,0\n"
        "14400640,0,0,1826200,100,P,1,0\n"
        "14400641,0,0,0,0,P,1,0\n",
    )
    bid, ask = messages(path)
    at_ns = 1_381_204_800 * 10**9 + 14_400_640 * 10**6  # 04:00 UTC is midnight in New York.
    assert bid == Tick(symbol="IBM", bid=180.01, bid_size=200.0, venue_ns=at_ns, seq=1,
                       feed="ibm_quotes_2013-10-08")  # fmt: skip
    assert ask == Tick(symbol="IBM", ask=182.62, ask_size=100.0, venue_ns=at_ns, seq=2,
                       feed="ibm_quotes_2013-10-08")  # fmt: skip


def test_read_equity_trades_are_last_ticks(tmp_path):
    path = written(
        tmp_path,
        "bac_trades_2013-10-09.csv",
        "ms_of_day,price_x10000,size,exchange,sale_condition_hex,suspicious\n"
        "31669457,137401,300,P,2000,0\n",
    )
    (tick,) = messages(path, symbol="BAC.N")
    assert (tick.symbol, tick.last, tick.last_size) == ("BAC.N", 13.7401, 300.0)
    assert tick.bid is None
    assert tick.ask is None


def test_read_crypto_formats(tmp_path):
    quotes = written(
        tmp_path,
        "binance_coinm_btcusd_perp_2024-08-08_quotes.csv",
        "local_ts_ns,exch_event_ms,update_id,bid,bid_qty,ask,ask_qty\n"
        "1723161256207640365,1723161257476,1,61804.7,35,61804.8,1645\n",
    )
    trades = written(
        tmp_path,
        "binance_spot_btcusdt_2024-08-08_trades.csv",
        "local_ts_ns,exch_event_ms,exch_trade_ms,trade_id,price,qty,buyer_is_maker\n"
        "1723161254087896568,1,1,7,61837.63000000,0.02000000,1\n",
    )
    gox = written(
        tmp_path,
        "mtgox_btcusd_trades_2013-01-01.csv",
        "id,price,amount,type\n1356998659486096,13.51001,36.87430786,ask\n",
    )
    (quote,), (trade,), (old,) = messages(quotes), messages(trades), messages(gox)
    assert (quote.symbol, quote.bid, quote.ask_size) == ("BTCUSD_PERP", 61804.7, 1645.0)
    assert (trade.symbol, trade.last, trade.last_size) == ("BTCUSDT", 61837.63, 0.02)
    assert (old.symbol, old.last, old.venue_ns) == ("BTCUSD", 13.51001, 1356998659486096000)


LOBSTER = """time,type,order_id,size,price_x10000,direction
34200.004241176,1,16113575,18,5853300,1
34200.1,2,16113575,5,5853300,1
34200.2,4,16113575,10,5853300,1
34200.3,5,0,7,5854000,-1
34200.4,3,16113575,3,5853300,1
34200.5,2,777,4,5853000,-1
34200.6,7,0,0,-1,-1
"""


def test_read_lobster_becomes_what_a_gateway_would_send(tmp_path):
    path = written(tmp_path, "lobster_aapl_2012-06-21_messages.csv.gz", LOBSTER)
    timed = list(read(path, account="A9"))
    check, partial, fill, last, hidden, hidden_last, cancel, unknown, halt = (
        found.message for found in timed
    )
    nine_thirty_ns = 1_340_285_400 * 10**9  # 2012-06-21T13:30:00Z.
    assert timed[0].at_ns == nine_thirty_ns + 4_241_176
    assert check == Check(
        account="A9",
        client_order_id="AAPL-2012-06-21-16113575",
        symbol="AAPL",
        side=Side.BUY,
        quantity=18.0,
        price=585.33,
    )
    assert isinstance(partial, OrderReport)
    assert (partial.status, partial.leaves_quantity) == (OrderStatus.REPLACED, 13.0)
    assert isinstance(fill, Fill)
    assert (fill.client_order_id, fill.quantity, fill.price) == (
        check.client_order_id,
        10.0,
        585.33,
    )
    assert isinstance(last, Tick)
    assert (last.last, last.last_size) == (585.33, 10.0)
    assert isinstance(hidden, Fill)
    assert (hidden.client_order_id, hidden.side, hidden.quantity) == (None, Side.SELL, 7.0)
    assert isinstance(hidden_last, Tick)
    assert isinstance(cancel, OrderReport)
    assert (cancel.status, cancel.client_order_id) == (OrderStatus.CANCELED, check.client_order_id)
    assert isinstance(unknown, OrderReport)
    assert unknown.leaves_quantity is None
    assert halt == MarketState(symbol="AAPL", state=MarketPhase.HALTED)
    ids = [getattr(found, "exec_id", None) or getattr(found, "report_id", None)
           for found in (partial, fill, hidden, cancel, unknown)]  # fmt: skip
    assert len(set(ids)) == 5


def test_read_lobster_book_beside_it_gives_the_touch_when_it_moves(tmp_path):
    rows = LOBSTER.splitlines()[1:4]
    path = written(tmp_path, "lobster_aapl_2012-06-21_messages.csv", "\n".join(rows))
    written(
        tmp_path,
        "lobster_aapl_2012-06-21_book10.csv",
        "5859400,200,5853300,18,1,1\n5859400,200,5853300,18,2,2\n9999999999,0,5853300,3,1,1\n",
    )
    ticks = [found for found in messages(path) if isinstance(found, Tick)]
    assert [(tick.bid, tick.ask, tick.last) for tick in ticks] == [
        (585.33, 585.94, None),
        (None, None, 585.33),
        (585.33, None, None),
    ]


def order_event(at_ms, kind, order, side, *remaining):
    price, amount = remaining
    body = {"price": price, "amount": amount, "datetime": "1", "id": order, "order_type": side}
    return f"{at_ms} order_{kind} {json.dumps(body)}"


BITSTAMP = "".join(
    f"{line}\n"
    for line in (
        order_event(1000, "created", 1, 0, "236.47", "2.00000000"),
        order_event(1010, "created", 2, 1, "236.47", "0.21144331"),
        order_event(1020, "changed", 1, 0, "236.47", "1.78855669"),
        order_event(1025, "deleted", 2, 1, "236.47", "0.00000000"),
        '1030 trade {"price": 236.4, "amount": 0.21144331000000001, "id": 9}',
        order_event(1040, "changed", 1, 0, "236.40", "1.50000000"),
        order_event(1050, "deleted", 1, 0, "236.40", "1.50000000"),
        order_event(1055, "deleted", 1, 0, "236.40", "1.50000000"),
        order_event(1060, "deleted", 99, 1, "1.00", "0.00000000"),
        (
            '1070 order_book {"bids": [["236.20", "0.5"], ["236.10", "9"]], '
            '"asks": [["236.64", "3.7952"]]}'
        ),
    )
)


def test_read_bitstamp_falls_with_a_trade_are_fills_and_others_are_not(tmp_path):
    path = written(tmp_path, "bitstamp_btcusd_order_events_2015-05-01.log.gz", BITSTAMP)
    found = messages(path)
    buy, sell = "BTCUSD-2015-05-01-1", "BTCUSD-2015-05-01-2"
    assert [(message.client_order_id, message.quantity) for message in found[:2]] == [
        (buy, 2.0),
        (sell, 0.21144331),
    ]
    bid_fill, ask_fill, trade, replaced, canceled, touch = found[2:]
    for fill, order, side in ((bid_fill, buy, Side.BUY), (ask_fill, sell, Side.SELL)):
        assert isinstance(fill, Fill)
        assert (fill.client_order_id, fill.side, fill.quantity, fill.price) == (
            order,
            side,
            0.21144331,
            236.4,
        )
    assert (trade.last, trade.last_size) == (236.4, 0.21144331)
    assert (replaced.status, replaced.leaves_quantity) == (OrderStatus.REPLACED, 1.5)
    assert (canceled.status, canceled.client_order_id) == (OrderStatus.CANCELED, buy)
    assert (touch.bid, touch.bid_size, touch.ask, touch.ask_size) == (236.2, 0.5, 236.64, 3.7952)


def test_read_bitstamp_trade_fills_one_bid_and_one_ask_only(tmp_path):
    """Two bids fall by what one trade traded: the nearer one was filled, the other changed."""
    lines = (
        order_event(1000, "created", 1, 0, "10.00", "2.00000000"),
        order_event(1001, "created", 2, 0, "10.00", "3.00000000"),
        order_event(1500, "changed", 1, 0, "10.00", "1.50000000"),
        order_event(1600, "changed", 2, 0, "10.00", "2.50000000"),
        '1510 trade {"price": 9.5, "amount": 0.5, "id": 9}',
        order_event(9000, "changed", 1, 0, "10.00", "1.00000000"),
    )
    path = written(tmp_path, "bitstamp_btcusd_2015-05-01.log", "\n".join(lines))
    found = [type(message).__name__ for message in messages(path)]
    assert found == ["Check", "Check", "Fill", "OrderReport", "Tick", "OrderReport"]


def test_read_run_name_and_row_numbers_keep_ids_apart(tmp_path):
    path = written(tmp_path, "lobster_aapl_2012-06-21_messages.csv", LOBSTER)
    first, second = messages(path)[0], messages(path, run="again")[0]
    assert second.client_order_id == f"again-{first.client_order_id}"


def test_merge_orders_files_by_time_and_keeps_each_in_its_order(tmp_path):
    one = written(tmp_path, "a_2020-01-01.csv", "ms_of_day,bid,ask\n5,1,2\n5,3,4\n9,5,6\n")
    two = written(tmp_path, "b_2020-01-01.csv", "ms_of_day,bid,ask\n5,7,8\n6,9,9.5\n")
    bids = [getattr(timed.message, "bid", None) for timed in merge([read(one), read(two)])]
    assert bids == [1.0, 3.0, 7.0, 9.0, 5.0]


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("eurusd_ticks_2019-01-01.csv.gz", "EURUSD"),
        ("oanda_eurusd_ticks_2014-05-08.csv.gz", "EURUSD"),
        ("ibm_quotes_2013-10-08.csv.gz", "IBM"),
        ("binance_usdm_btcusdt_2024-08-08_quotes.csv.gz", "BTCUSDT"),
        ("binance_coinm_btcusd_perp_2024-08-08_trades.csv.gz", "BTCUSD_PERP"),
        ("lobster_aapl_2012-06-21_messages.csv.gz", "AAPL"),
        ("bitstamp_btcusd_order_events_2015-05-01_part1.log.gz", "BTCUSD"),
    ],
)
def test_symbol_is_found_in_the_file_name(name, symbol):
    assert symbol_of(Path(name)) == symbol


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a_2020-01-01.csv", "what,is,this\n1,2,3\n", "no known format"),
        ("a_2020-01-01.csv", "", "no known format"),
        ("a_2020-01-01.csv", "ms_of_day,bid,ask\n1,2,3\n2,x,4\n", r"a_2020-01-01.csv:3: 'x'"),
        ("a_2020-01-01.csv", "ms_of_day,bid,ask\n1,nan,3\n", "not finite"),
        ("a_2020-01-01.csv", "ms_of_day,bid,ask\n1\n", r"csv:2"),
        ("a.csv", "ms_of_day,bid,ask\n1,2,3\n", "a date"),
        ("a_2020-01-01.csv", "34200.1,1,5,10,100,1\n34200.1,1,5\n", r"csv:2: expected 6 columns"),
        ("a_2020-01-01.log", BITSTAMP + "nonsense\n", r"log:11"),
    ],
)
def test_read_bad_file_says_file_line_and_expectation(tmp_path, name, text, expected):
    path = written(tmp_path, name, text)
    with pytest.raises(FeedError, match=expected):
        list(read(path))


def test_read_missing_file_and_unknown_format_say_so(tmp_path):
    with pytest.raises(FeedError, match="No such file"):
        list(read(tmp_path / "none_2020-01-01.csv"))
    with pytest.raises(FeedError, match="unknown format 'x'"):
        read(tmp_path / "none.csv", file_format="x")
    broken = tmp_path / "eurusd_2020-01-01.csv.gz"
    broken.write_bytes(gzip.compress(b"ms_of_day,bid,ask\n1,2,3\n")[:-6])
    with pytest.raises(FeedError, match="eurusd_2020-01-01"):
        list(read(broken))


@pytest.mark.recorded
def test_read_recorded_order_flow_conserves_every_quantity(shared):
    """What is filled, cancelled and left of each order adds up to what was ordered."""
    for name in (
        "orders/lobster_aapl_2012-06-21_messages.csv.gz",
        "orders/bitstamp_btcusd_order_events_2015-05-01_part1.log.gz",
    ):
        ordered: dict[str, Decimal] = {}
        left: dict[str, Decimal] = {}
        kinds: Counter[str] = Counter()
        for timed in read(shared / "data" / name):
            message = timed.message
            kinds[type(message).__name__] += 1
            if isinstance(message, Check):
                assert message.client_order_id not in ordered
                ordered[message.client_order_id] = Decimal(repr(message.quantity))
                left[message.client_order_id] = ordered[message.client_order_id]
            elif isinstance(message, Fill) and message.client_order_id in left:
                left[message.client_order_id] -= Decimal(repr(message.quantity))
            elif isinstance(message, OrderReport) and message.client_order_id in left:
                if message.status is OrderStatus.REPLACED:
                    left[message.client_order_id] = Decimal(repr(message.leaves_quantity))
                else:
                    del left[message.client_order_id]
        assert min(left.values()) >= 0
        assert kinds["Check"] == len(ordered) > 400


@pytest.mark.recorded
def test_read_every_tick_file_is_detected_and_read(shared):
    """The row counts are those that the data's own README states."""
    rows = {
        "fx/eurusd_ticks_2019-01-01.csv.gz": ("fx-ns", 10_000),
        "fx/usdjpy_ticks_2019-01-01.csv.gz": ("fx-ns", 10_000),
        "equity/ibm_trades_2013-10-08.csv.gz": ("equity-trades", 33_381),
        "crypto/mtgox_btcusd_trades_2013-01-01.csv.gz": ("mtgox-trades", 2_331),
    }
    for name, (shape, count) in rows.items():
        path = shared / "data" / name
        assert detect(path) == shape
        assert sum(1 for _ in read(path)) == count
