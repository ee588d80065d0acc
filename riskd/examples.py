"""One example of every message: shown in docs/protocol.md, and round-tripped by the tests.

The examples tell one story: account A1 of desk-1 buys AAPL, and an operator looks after it.
"""

from __future__ import annotations

from msgspec import Struct

from riskd import messages as m
from riskd.codes import CODES, RejectCode

AT_NS = 1_767_623_400_000_000_000  # 2026-01-05T14:30:00Z, when the New York session opens.
SECOND_NS = 1_000_000_000

_TOO_LARGE = m.Reject(
    code=RejectCode.ORDER_NOTIONAL,
    fix_code=CODES[RejectCode.ORDER_NOTIONAL].fix_code,
    scope="account",
    scope_id="A1",
    text="order_notional 937,500 > 1,000 USD",
    limit_type="order_notional",
    value=937_500.0,
    limit=250_000.0,
)

_ORDERS = (
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
    m.Ping(request_id="r-2"),
)

_ANSWERS = (
    m.Verdict(
        client_order_id="o-2",
        account="A1",
        approved=False,
        seq=18_205,
        limits_version=17,
        checked_ns=AT_NS,
        duplicate=False,
        durability=1,
        rejects=(_TOO_LARGE,),
        warnings=(),
        request_id="r-1",
        max_quantity=1333.0,
        binding_limit="order_notional",
        headroom=250_000.0,
        checks=(
            m.CheckResult(
                code=RejectCode.ORDER_NOTIONAL,
                passed=False,
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

_TICKS = (
    _TICK,
    m.Ticks(ticks=[_TICK, m.Tick(symbol="EURUSD", bid=1.0951, ask=1.0952)]),
    m.MarketState(symbol="AAPL", state=m.MarketPhase.OPEN, previous_close=186.2),
)

_PUBLISHED = (
    m.Alert(
        alert_id=41,
        seq=18_207,
        severity=m.Severity.HIGH,
        alert_type="daily_loss",
        message="Account A1 has lost 4510.00 USD of the 5000.00 USD it may lose today.",
        value=4510.0,
        threshold=4500.0,
        status="raised",
        first_ns=AT_NS,
        count=1,
        account="A1",
        pub_seq=12,
    ),
    m.Breaker(
        breaker_id=3,
        scope="account",
        scope_id="A1",
        active=True,
        trigger_type="kill",
        action="halt",
        value=None,
        threshold=None,
        reason="The feed looks wrong.",
        by="operator",
        at_ns=AT_NS,
        pub_seq=4,
    ),
    m.VerdictEvent(
        account="A1",
        client_order_id="o-2",
        symbol="AAPL",
        side=m.Side.BUY,
        quantity=5000.0,
        approved=False,
        seq=18_205,
        limits_version=17,
        checked_ns=AT_NS,
        duplicate=False,
        durability=1,
        rejects=(_TOO_LARGE,),
        warnings=(),
        price=187.5,
        pub_seq=902,
    ),
    m.PnlUpdate(
        account="A1",
        currency="USD",
        equity=100_001.5,
        realized=0.0,
        unrealized=1.8,
        fees=0.3,
        day=1.5,
        complete=True,
        ts_ns=AT_NS,
        pub_seq=77,
    ),
    m.PositionUpdate(
        account="A1",
        symbol="AAPL",
        quantity=60.0,
        average_price=187.48,
        mark=187.51,
        mark_age_ns=120_000_000,
        realized=0.0,
        unrealized=1.8,
        fees=0.3,
        currency="USD",
        open_buy_quantity=40.0,
        open_sell_quantity=0.0,
        ts_ns=AT_NS,
        pub_seq=78,
    ),
    m.LimitsUpdate(limits_version=18, seq=18_300, at_ns=AT_NS, pub_seq=2),
    m.Heartbeat(
        seq=18_300,
        state="active",
        server_ns=AT_NS,
        queue_depths={"inbox": 0, "journal": 3},
        verdict_p50_ns=54_000,
        verdict_p99_ns=190_000,
        verdict_p999_ns=410_000,
        feed_ages_ns={"sip": 120_000_000},
        journal_lag=3,
        pub_seq=3600,
    ),
)

_AAPL = m.InstrumentSpec(
    symbol="AAPL",
    currency="USD",
    initial_margin=0.5,
    maintenance_margin=0.25,
    calendar="XNYS",
)
_A1 = m.AccountSpec(id="A1", group="desk-1", balance=100_000.0, calendar="XNYS")

_CONTROL = (
    m.Status(request_id="c-1"),
    m.Accounts(),
    m.AccountRequest(account="A1"),
    m.Instruments(request_id="c-8"),
    m.Positions(account="A1"),
    m.Orders(account="A1"),
    m.Limits(scope="account:A1"),
    m.Alerts(since=40, severity=m.Severity.HIGH),
    m.Breakers(),
    m.VerdictRequest(account="A1", client_order_id="o-2"),
    m.Metrics(),
    m.Kill(scope="account", scope_id="A1", reason="The feed looks wrong."),
    m.Unkill(scope="account", scope_id="A1", reason="The feed is right again."),
    m.Trip(
        scope="symbol",
        scope_id="AAPL",
        action="reduce_only",
        reason="A split is due.",
        until_ns=AT_NS + 3600 * SECOND_NS,
    ),
    m.Reset(breaker_id=3, reason="The split is done."),
    m.AccountAdd(account=_A1, request_id="c-2"),
    m.InstrumentAdd(instrument=_AAPL),
    m.OrderRelease(account="A1", client_order_id="o-1", reason="The venue never had it."),
    m.AccountUnfreeze(account="A1", reason="Its books were compared with the broker's."),
    m.SessionRoll(account="A1"),
    m.Stop(drain=False),
    m.Result(ok=True, data={"account": "A1", "killed": True}, request_id="c-1"),
)

_JOURNAL = (
    m.Configure(
        universe=m.Universe(
            instruments=(_AAPL,),
            groups=(m.GroupSpec(id="desk-1"),),
            accounts=(_A1,),
            limits=m.LimitSet(default=m.LimitsSpec(order_notional=250_000.0, open_orders=100)),
        )
    ),
    m.Elapse(),
    m.DayBegan(calendar="XNYS", day="2026-11-20"),
    m.VerdictVoid(account="A1", client_order_id="o-1"),
    m.ActorFailed(account="A1", reason="AssertionError in the ledger."),
)

EXAMPLES: tuple[m.Message, ...] = (
    *_ORDERS,
    *_ANSWERS,
    *_TICKS,
    *_PUBLISHED,
    *_CONTROL,
    *_JOURNAL,
)
_BY_TYPE: dict[type[Struct], m.Message] = {type(example): example for example in EXAMPLES}


def example_of(struct: type[Struct]) -> m.Message:
    """Return the example of a message type; raise `LookupError` that says what to add if none."""
    try:
        return _BY_TYPE[struct]
    except KeyError:
        raise LookupError(
            f"{struct.__module__}.{struct.__name__} has no example. "
            "Add one to riskd/examples.py; the protocol page shows it."
        ) from None
