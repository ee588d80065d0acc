"""Examples of the orders and the ticks port."""

from __future__ import annotations

from riskd import messages as m
from riskd.codes import CODES, RejectCode
from riskd.examples.moment import AT_NS, SECOND_NS

TOO_LARGE = m.Reject(
    code=RejectCode.ORDER_NOTIONAL,
    fix_code=CODES[RejectCode.ORDER_NOTIONAL].fix_code,
    scope="account",
    scope_id="A1",
    text="order_notional 937,500 > 1,000 USD",
    limit_type="order_notional",
    value=937_500.0,
    limit=250_000.0,
)

ORDERS = (
    m.Check(
        account="A1",
        client_order_id="o-1",
        symbol="AAPL",
        side=m.Side.BUY,
        quantity=100.0,
        price=187.5,
        strategy="opening",
        deadline_ns=AT_NS + SECOND_NS,
        request_id="r-1",
    ),
    m.Amend(
        account="A1",
        client_order_id="o-1",
        new_client_order_id="o-1b",
        quantity=120.0,
        price=187.45,
        request_id="g1-18205",
    ),
    m.Basket(
        basket_id="b-1",
        orders=[
            m.Check(
                account="A1",
                client_order_id=f"o-{number}",
                symbol=symbol,
                side=side,
                quantity=5.0,
                price=price,
            )
            for number, symbol, side, price in (
                (10, "AAPL", m.Side.BUY, 187.5),
                (11, "MSFT", m.Side.SELL, 411.2),
            )
        ],
    ),
    m.OrderReport(
        account="A1",
        client_order_id="o-1",
        status=m.OrderStatus.ACCEPTED,
        report_id="rep-1",
        leaves_quantity=100.0,
        venue_order_id="v-88",
        venue_ns=AT_NS + 2_000_000,
    ),
    m.Fill(
        account="A1",
        exec_id="x-1",
        symbol="AAPL",
        side=m.Side.BUY,
        quantity=60.0,
        price=187.48,
        client_order_id="o-1",
        fee=0.3,
        fee_currency="USD",
        venue_ns=AT_NS + 5_000_000,
    ),
    m.FillBust(account="A1", exec_id="x-1"),
    m.FillCorrect(account="A1", exec_id="x-1", quantity=50.0),
    m.Transfer(account="A1", transfer_id="t-1", amount=25_000.0, currency="USD"),
    m.Funding(account="A1", funding_id="f-1", symbol="AAPL", amount=-1.25, venue_ns=AT_NS),
    m.PositionReport(
        account="A1",
        as_of_ns=AT_NS,
        positions=(m.VenuePosition(symbol="AAPL", quantity=60.0),),
        balance=124_998.75,
    ),
    m.Ping(request_id="r-2"),
)

ANSWERS = (
    m.Verdict(
        client_order_id="o-2",
        account="A1",
        approved=False,
        seq=18_205,
        limits_version=17,
        checked_ns=AT_NS,
        duplicate=False,
        durability=1,
        rejects=(TOO_LARGE,),
        warnings=(),
        request_id="r-1",
        max_quantity=1333.0,
        binding_limit="order_notional",
        headroom=250_000.0,
        checks=(
            m.CheckResult(
                code=RejectCode.ORDER_NOTIONAL,
                passed=False,
                limit_type="order_notional",
                value=937_500.0,
                limit=250_000.0,
                utilization=3.75,
            ),
        ),
    ),
    m.BasketVerdict(
        basket_id="b-1",
        account="A1",
        approved=False,
        seq=18_207,
        verdicts=(),
    ),
    m.Ack(seq=18_206, ref="x-1", duplicate=False, flags=("late_fill",)),
    m.Pong(server_ns=AT_NS, last_seq=18_206, state="active", request_id="r-2"),
    m.Error(
        code="malformed",
        text="Expected `float`, got `str`",
        field="$.quantity",
        request_id="r-1",
    ),
)

_TICK = m.Tick(
    symbol="AAPL",
    bid=187.49,
    ask=187.51,
    last=187.5,
    bid_size=300.0,
    ask_size=200.0,
    venue_ns=AT_NS,
    seq=1,
    feed="sip",
)

TICKS = (
    _TICK,
    m.Ticks(ticks=[_TICK, m.Tick(symbol="EURUSD", bid=1.0951, ask=1.0952)]),
    m.MarketState(symbol="AAPL", state=m.MarketPhase.OPEN, previous_close=186.2),
)
