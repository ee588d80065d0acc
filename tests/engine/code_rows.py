"""Every reject code just under, at and over its limit: one table, for the engine and the socket.

A row is an account of its own with limits of its own, and what happens to it in order. To add a
code, add a row: `passes` just under and exactly at its limit (or without its cause), then `refused`
one unit over it (or with it). `tests/engine/test_code_rows.py` runs the table against the core,
`tests/end_to_end/test_code_rows.py` against a real riskd; both fail while a code has no row.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from riskd.codes import RejectCode as R
from riskd.messages import (
    Amend,
    Basket,
    DrawdownStep,
    DuplicateOrders,
    GroupSpec,
    Hello,
    InstrumentSpec,
    Kill,
    LimitSet,
    LimitsSpec,
    MarginModel,
    MarketPhase,
    MarketState,
    OrderRule,
    OrderType,
    Permissions,
    Reset,
    Resync,
    Resynced,
    RiskSettings,
    SelfMatch,
    Tick,
    Trip,
    Universe,
    Unkill,
)
from tests.builders import INSTRUMENTS, QUOTES, STOCK, a_fill, an_account, an_order
from tests.engine.code_steps import (
    ACCOUNT,
    AMENDS_MAX,
    CLOSED,
    EURO,
    FINISHED_MAX,
    HELD,
    HOUR_MS,
    OLD,
    POOR,
    RICH,
    SHORT,
    STOPPED,
    TOKEN,
    UNQUOTED,
    Row,
    Step,
    amends,
    basket,
    buys,
    canceled,
    canceling,
    collared,
    ended,
    flagged,
    limited,
    losses,
    over,
    passes,
    refused,
    sells,
    told,
)

NUMBERS = (  # Codes with a limit: just under it, exactly at it, and a unit over it.
    Row(
        "order-quantity",
        R.ORDER_QUANTITY,
        buys(0.09999999, 0.1, **TOKEN)
        + over(R.ORDER_QUANTITY, 0.10000001, 0.10000001, 0.1, **TOKEN),
        LimitsSpec(order_quantity=0.1),
    ),
    Row(
        "order-notional",
        R.ORDER_NOTIONAL,
        passes(an_order("u", quantity=10, price=99.99, dry_run=True))
        + passes(an_order("a", quantity=10, dry_run=True))
        + over(R.ORDER_NOTIONAL, 10, 1000.1, 1000, price=100.01),
        LimitsSpec(order_notional=1000),
    ),
    Row(
        "basket-notional",
        R.BASKET_NOTIONAL,
        passes(basket("under", 5, 4))
        + passes(basket("at", 5, 5))
        + refused(R.BASKET_NOTIONAL, basket("over", 5, 6), 1100, 1000),
        LimitsSpec(basket_notional=1000),
    ),
    Row(
        "position-quantity",
        R.POSITION_LIMIT,
        HELD + buys(1, 2) + over(R.POSITION_LIMIT, 3, 12, 11),
        LimitsSpec(position_quantity=11),
    ),
    Row(
        "position-quantity-short",
        R.POSITION_LIMIT,
        SHORT + sells(1, 2) + over(R.POSITION_LIMIT, 3, 12, 11, side="sell"),
        LimitsSpec(position_quantity=11),
    ),
    Row(
        "position-notional",
        R.POSITION_LIMIT,
        HELD + buys(1, 2, price=90.0) + over(R.POSITION_LIMIT, 3, 1200, 1100, price=90.0),
        LimitsSpec(position_notional=1100),
    ),
    Row(
        "gross-exposure",
        R.GROSS_EXPOSURE,
        HELD
        + told(a_fill("e-2", "sell", 2, 50.0, symbol="Y"))
        + buys(1, 2)
        + over(R.GROSS_EXPOSURE, 3, 1300, 1200),
        LimitsSpec(gross_exposure=1200),
    ),
    Row(
        "net-exposure",
        R.NET_EXPOSURE,
        HELD
        + told(a_fill("e-2", "sell", 2, 50.0, symbol="Y"))
        + buys(1, 2)
        + over(R.NET_EXPOSURE, 3, 1100, 1000),
        LimitsSpec(net_exposure=1000),
    ),
    Row(
        "currency-exposure",
        R.CURRENCY_EXPOSURE,
        buys(99, 100, **EURO) + over(R.CURRENCY_EXPOSURE, 101, 126.25, 125, **EURO),
        LimitsSpec(currency_exposure={"EUR": 125.0}),
    ),
    Row(
        "open-orders",
        R.OPEN_ORDERS,
        passes(an_order("1"), an_order("2"), an_order("3"))
        + refused(R.OPEN_ORDERS, an_order("4"), 4, 3),
        LimitsSpec(open_orders=3),
    ),
    Row(
        "turnover",
        R.TURNOVER,
        told(a_fill("e-1", "buy", 10, 110.0)) + buys(1, 2) + over(R.TURNOVER, 3, 1400, 1300),
        LimitsSpec(turnover=1300),
    ),
    Row(
        "concentration",
        R.CONCENTRATION,
        buys(24, 25) + over(R.CONCENTRATION, 26, 26, 25),
        LimitsSpec(concentration_pct=25),
        an_account(balance=10_000.0),
    ),
    Row(
        "concentration-floor",
        R.CONCENTRATION,
        buys(2, 3) + over(R.CONCENTRATION, 4, 40, 10),
        LimitsSpec(concentration_pct=10, concentration_floor=300),
        POOR,
    ),
    Row(  # Nothing is known to move with it yet: it counts alone.
        "correlated-exposure",
        R.CORRELATED_EXPOSURE,
        buys(24, 25) + over(R.CORRELATED_EXPOSURE, 26, 2600, 2500),
        LimitsSpec(correlated_exposure=2500),
    ),
    Row(
        "correlated-exposure-pct",
        R.CORRELATED_EXPOSURE,
        buys(24, 25) + over(R.CORRELATED_EXPOSURE, 26, 26, 25),
        LimitsSpec(correlated_exposure_pct=25),
        RICH,
    ),
    Row(
        "leverage",
        R.LEVERAGE,
        buys(19, 20) + over(R.LEVERAGE, 21, 2.1, 2),
        LimitsSpec(leverage=2),
        POOR,
    ),
    Row(
        "margin",
        R.MARGIN,
        sells(9, 10) + over(R.MARGIN, 11, 1100, 1000, side="sell"),
        account=an_account(balance=1000.0, margin_model=MarginModel.RATE),
    ),
    Row(
        "buying-power",
        R.BUYING_POWER,
        buys(9, 10) + over(R.BUYING_POWER, 11, 1100, 1000),
        account=an_account(balance=1000.0, margin_model=MarginModel.NONE),
    ),
    Row(
        "risk-per-trade",
        R.RISK_PER_TRADE,
        buys(4, 5, **STOPPED) + over(R.RISK_PER_TRADE, 6, 6, 5, **STOPPED),
        LimitsSpec(risk_per_trade_pct=5),
        POOR,
    ),
    Row(  # Ten percent are lost, so that nine of 900 may be: nine lots that stop a point away.
        "risk-per-trade-drawdown",
        R.RISK_PER_TRADE,
        told(a_fill("e-1", "buy", 1, 200.0))
        + buys(8, 9, stop_loss=99.0)
        + over(R.RISK_PER_TRADE, 10, 1000 / 900, 1, stop_loss=99.0),
        LimitsSpec(
            risk_per_trade_pct=5,
            risk_per_trade_drawdown=(DrawdownStep(drawdown_pct=10, risk_pct=1),),
        ),
        POOR,
    ),
    Row(
        "daily-loss",
        R.DAILY_LOSS,
        losses(R.DAILY_LOSS, 1),
        LimitsSpec(daily_loss=100),
    ),
    *(  # The same in percent of the highest equity, 10,000, since then.
        Row(key, R.DRAWDOWN, losses(R.DRAWDOWN, 100), limited(key, 1.0), RICH)
        for key in ("drawdown_day_pct", "drawdown_week_pct", "drawdown_max_pct")
    ),
    Row(
        "price-collar",
        R.PRICE_COLLAR,
        passes(*(an_order(f"b-{x}", price=x) for x in (104.99, 105.0, 1.0)))
        + refused(R.PRICE_COLLAR, an_order("b", price=105.01), 5.01, 5)
        + passes(*(an_order(f"s-{x}", "sell", price=x) for x in (95.01, 95.0, 999.0)))
        + refused(R.PRICE_COLLAR, an_order("s", "sell", price=94.99), 5.01, 5),
        LimitsSpec(price_collar_pct=5),
    ),
    Row(
        "price-collar-ticks",
        R.PRICE_COLLAR,
        collared(0.05, 6, 5),
        LimitsSpec(price_collar_ticks=5),
    ),
    Row(
        "price-collar-money",
        R.PRICE_COLLAR,
        collared(0.05, 0.06, 0.05),
        LimitsSpec(price_collar_money=0.05),
    ),
    Row(
        "duplicate-content",
        R.DUPLICATE_CONTENT,
        passes(an_order("1"), an_order("2")) + refused(R.DUPLICATE_CONTENT, an_order("3"), 3, 2),
        LimitsSpec(duplicate_orders=DuplicateOrders(count=2, window_ms=HOUR_MS)),
    ),
    Row(
        "repeated-execution",
        R.REPEATED_EXECUTION,
        passes(an_order("1", strategy="s"))
        + told(a_fill("e-1", client_order_id="1"))
        + passes(an_order("2", strategy="s"))
        + told(a_fill("e-2", client_order_id="2"))
        + refused(R.REPEATED_EXECUTION, an_order("3", strategy="s"), 3, 2),
        LimitsSpec(repeated_executions=2),
    ),
    Row(  # Three within the second that they are sent in.
        "rate-limit",
        R.RATE_LIMIT,
        passes(an_order("1"), an_order("2"), an_order("3"))
        + refused(R.RATE_LIMIT, an_order("4"), 4, 3),
        LimitsSpec(orders_per_second=3),
    ),
    Row(
        "group-limit",
        R.GROUP_LIMIT,
        HELD + buys(1, 2) + over(R.GROUP_LIMIT, 3, 1200, 1100),
        group_limits=LimitsSpec(gross_exposure=1100),
    ),
    *(  # Nine long at worst, 600 traded and 800 working.
        Row(
            f"group-{key}",
            R.GROUP_LIMIT,
            HELD + buys(1, 2) + over(R.GROUP_LIMIT, 3, value, limit),
            group_limits=limited(key, limit),
        )
        for key, value, limit in (
            ("position_quantity", 12.0, 11.0),
            ("position_notional", 1200.0, 1100.0),
            ("net_exposure", 1200.0, 1100.0),
            ("turnover", 1700.0, 1600.0),
        )
    ),
    Row(
        "group-open_orders",
        R.GROUP_LIMIT,
        passes(an_order("1"), an_order("2"), an_order("3"))
        + refused(R.GROUP_LIMIT, an_order("4"), 4, 3),
        group_limits=LimitsSpec(open_orders=3),
    ),
    Row(
        "group-daily_loss",
        R.GROUP_LIMIT,
        losses(R.GROUP_LIMIT, 1),
        group_limits=LimitsSpec(daily_loss=100),
    ),
    *(
        Row(
            f"group-{key}",
            R.GROUP_LIMIT,
            losses(R.GROUP_LIMIT, 100),
            LimitsSpec(),
            RICH,
            limited(key, 1.0),
        )
        for key in ("drawdown_day_pct", "drawdown_week_pct", "drawdown_max_pct")
    ),
    Row(  # Of the messages of a day, where no floor is.
        "order-to-trade",
        R.RATE_LIMIT,
        passes(an_order("1"), an_order("2")) + refused(R.RATE_LIMIT, an_order("3"), 3, 2),
        LimitsSpec(order_to_trade=2, ratio_floor=0),
    ),
    Row(  # One cancel of three orders, two of four, three of five.
        "cancel-ratio",
        R.RATE_LIMIT,
        passes(an_order("1"), an_order("2"))
        + told(canceling("1"))
        + passes(an_order("3"))
        + told(canceling("2"))
        + passes(an_order("4"))
        + told(canceling("3"))
        + refused(R.RATE_LIMIT, an_order("5"), 60, 50),
        LimitsSpec(cancel_ratio_pct=50, ratio_floor=0),
    ),
    Row(
        "overloaded",
        R.OVERLOADED,
        passes(an_order("o"))
        + amends(1, AMENDS_MAX)
        + refused(R.OVERLOADED, Amend(account=ACCOUNT, client_order_id="o", price=90.0)),
    ),
    Row(  # The last that is remembered, and the first that is not.
        "id-expired",
        R.ID_EXPIRED,
        passes(an_order("old"))
        + told(canceled("old"))
        + ended(FINISHED_MAX - 1, "x")
        + passes(an_order("old"))
        + ended(1, "y")
        + refused(R.ID_EXPIRED, an_order("old")),
    ),
    Row(
        "value-invalid",
        R.VALUE_INVALID,
        passes(an_order("least", quantity=1e-8, **TOKEN))
        + refused(R.VALUE_INVALID, an_order("none", quantity=0.0, **TOKEN))
        + refused(R.VALUE_INVALID, an_order("less", quantity=-1.0, **TOKEN)),
    ),
    Row(
        "price-off-tick",
        R.PRICE_OFF_TICK,
        passes(an_order("on", price=100.01))
        + refused(R.PRICE_OFF_TICK, an_order("off", price=100.011)),
    ),
    Row(
        "quantity-off-lot",
        R.QUANTITY_OFF_LOT,
        passes(an_order("on", quantity=2))
        + refused(R.QUANTITY_OFF_LOT, an_order("off", quantity=1.5)),
    ),
    Row(  # Four held and three on their way out: one more reduces, two do not.
        "reduce-only",
        R.REDUCE_ONLY,
        told(a_fill("e-1", "buy", 4))
        + passes(an_order("exit", "sell", 3))
        + refused(R.REDUCE_ONLY, an_order("over", "sell", 2, reduce_only=True))
        + passes(an_order("at", "sell", 1, reduce_only=True)),
    ),
    Row(
        "deadline",
        R.DEADLINE,
        passes(an_order("in-time", deadline_ns=2**62))
        + refused(R.DEADLINE, an_order("late", deadline_ns=1)),
    ),
)

CAUSES = (  # Codes without a limit: the same order with the cause and without it.
    Row(
        "malformed",
        R.MALFORMED,
        passes(an_order("limit"))
        + refused(R.MALFORMED, an_order("no-price", price=None))
        + refused(R.MALFORMED, an_order("a-price", order_type=OrderType.MARKET)),
    ),
    Row(
        "id-reused",
        R.ID_REUSED,
        passes(an_order("o"), an_order("o")) + refused(R.ID_REUSED, an_order("o", quantity=2)),
    ),
    Row(
        "unknown-account",
        R.UNKNOWN_ACCOUNT,
        passes(an_order("o")) + refused(R.UNKNOWN_ACCOUNT, an_order("o", account="nobody")),
    ),
    Row(
        "unknown-symbol",
        R.UNKNOWN_SYMBOL,
        passes(an_order("known")) + refused(R.UNKNOWN_SYMBOL, an_order("unknown", symbol="NOPE")),
    ),
    Row(
        "unknown-order",
        R.UNKNOWN_ORDER,
        passes(an_order("o"), Amend(account=ACCOUNT, client_order_id="o", quantity=2))
        + refused(R.UNKNOWN_ORDER, Amend(account=ACCOUNT, client_order_id="p", quantity=2))
        + told(canceled("o"))
        + refused(R.UNKNOWN_ORDER, Amend(account=ACCOUNT, client_order_id="o", quantity=3)),
    ),
    Row(
        "not-permitted",
        R.NOT_PERMITTED,
        passes(an_order("x")) + refused(R.NOT_PERMITTED, an_order("y", symbol="Y", price=50.0)),
        restricted=(OrderRule(account=ACCOUNT, symbol="Y"),),
    ),
    Row(
        "killed",
        R.KILLED,
        flagged(
            R.KILLED,
            Kill(scope="account", scope_id=ACCOUNT),
            lifted=(Unkill(scope="account", scope_id=ACCOUNT),),
        ),
    ),
    Row(
        "breaker-open",
        R.BREAKER_OPEN,
        flagged(
            R.BREAKER_OPEN, Trip(scope="account", scope_id=ACCOUNT), lifted=(Reset(breaker_id=0),)
        ),
    ),
    Row(
        "breaker-reduce-only",
        R.REDUCE_ONLY,
        flagged(R.REDUCE_ONLY, Trip(scope="account", scope_id=ACCOUNT, action="reduce_only")),
    ),
    Row(
        "slowed",
        R.SLOWED,
        told(Trip(scope="account", scope_id=ACCOUNT, action="slow", spacing_ms=HOUR_MS))
        + passes(an_order("first"))
        + refused(R.SLOWED, an_order("second")),
    ),
    Row(
        "account-frozen",
        R.ACCOUNT_FROZEN,
        flagged(R.ACCOUNT_FROZEN, a_fill("e-1", symbol="NOBODY-KNOWS")),
    ),
    Row(
        "market-closed",
        R.MARKET_CLOSED,
        passes(an_order("open")) + refused(R.MARKET_CLOSED, an_order("closed", symbol=CLOSED)),
    ),
    Row(
        "no-reference-price",
        R.NO_REFERENCE_PRICE,
        passes(an_order("quoted"))
        + refused(R.NO_REFERENCE_PRICE, an_order("unquoted", symbol=UNQUOTED)),
    ),
    Row(
        "stale-price",
        R.STALE_PRICE,
        passes(an_order("fresh")) + refused(R.STALE_PRICE, an_order("old", symbol=OLD)),
    ),
    Row(
        "self-match",
        R.SELF_MATCH,
        passes(an_order("resting", "sell", price=101.0), an_order("below", price=100.99))
        + refused(R.SELF_MATCH, an_order("crosses", price=101.0)),
        LimitsSpec(self_match=SelfMatch.REJECT),
    ),
    Row(
        "fx-missing",
        R.FX_MISSING,
        passes(an_order("own", symbol="UNRATED", price=100.0))
        + refused(R.FX_MISSING, an_order("foreign")),
        LimitsSpec(order_notional=1e9),
        an_account(currency="NOK"),
    ),
    Row(
        "unreconciled",
        R.UNRECONCILED,
        passes(an_order("before"))
        + told(Hello(gateway="unreconciled", accounts=(ACCOUNT,)))
        + refused(R.UNRECONCILED, an_order("early"))
        + told(Resync(), Resynced(seq=0))
        + passes(an_order("after")),
    ),
)

ROWS = (*NUMBERS, *CAUSES)
ELSEWHERE = {  # Codes that no peer can cause, and where they are tested.
    R.INTERNAL_FAULT: "tests/engine/test_live.py: a fault in a check is answered",
}

KEYS_ELSEWHERE = {  # Limits that need another market or another second, and where they are tested.
    "price_move": "tests/engine/test_moves.py",
    "auction_collar_factor": "tests/engine/test_collar.py",
    "fills_per_second": "tests/engine/test_conduct.py",
}
KEYS_OF_NO_ORDER = (  # States of margin, and what is only said.
    *("margin_warning_pct", "margin_critical_pct", "margin_stopout_pct"),
    "cancels_per_second",
)

ODD_INSTRUMENTS = (
    replace(STOCK, symbol=CLOSED),
    replace(STOCK, symbol=UNQUOTED),
    replace(STOCK, symbol=OLD, stale_after_ms=1),
    InstrumentSpec(symbol="UNRATED", currency="NOK"),
)
MARKET: tuple[Any, ...] = (  # Said once, before any row.
    *(Tick(symbol=symbol, bid=bid, ask=ask) for symbol, (bid, ask) in QUOTES.items()),
    *(Tick(symbol=spec.symbol, bid=100.0, ask=100.0) for spec in ODD_INSTRUMENTS[2:]),
    Tick(symbol=CLOSED, bid=100.0, ask=100.0),
    MarketState(symbol=CLOSED, state=MarketPhase.CLOSED),
)
SETTINGS = RiskSettings(
    stale_after_ms=HOUR_MS, last_after_ms=1, mark_after_ms=1, heartbeat_ms=60_000
)


def universe() -> Universe:
    """Return the world of all rows together."""
    accounts = tuple(replace(row.account, id=row.name, group=row.name) for row in ROWS)
    limits = LimitSet(
        account={row.name: row.limits for row in ROWS},
        group={row.name: row.group_limits for row in ROWS if row.group_limits is not None},
    )
    restricted = tuple(replace(rule, account=row.name) for row in ROWS for rule in row.restricted)
    return Universe(
        settings=SETTINGS,
        instruments=(*INSTRUMENTS, *ODD_INSTRUMENTS),
        groups=tuple(GroupSpec(id=row.name) for row in ROWS),
        accounts=accounts,
        limits=limits,
        permissions=Permissions(restricted=restricted),
    )


def addressed(message: Any, row: Row, last: dict[str, Any]) -> Any:
    """Return a message of the row's own account, going by what the last answer named."""
    changed: dict[str, Any] = {}
    if isinstance(message, Reset):
        return replace(message, breaker_id=last["breaker_id"])
    if isinstance(message, Resynced):
        return replace(message, seq=last["seq"])
    for name in ("account", "scope_id"):
        if getattr(message, name, None) == ACCOUNT:
            changed[name] = row.name
    if isinstance(message, Basket):
        changed["orders"] = [addressed(order, row, last) for order in message.orders]
    if isinstance(message, Hello):
        changed["accounts"] = (row.name,)
    return replace(message, **changed)


def verdict_of(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the verdict in an answer; of a basket the last one."""
    verdict: dict[str, Any] = answer["verdicts"][-1] if "verdicts" in answer else answer
    return verdict


def named_in(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of an answer that a later message refers to."""
    shown = answer.get("data", answer)
    return {name: shown[name] for name in ("seq", "breaker_id", "session") if name in shown}


def check_answer(step: Step, answer: dict[str, Any]) -> None:
    """The answer is what the step says: approved, or refused by that code and no other."""
    assert answer["type"] != "error", answer
    if step.code is None:
        return
    verdict = verdict_of(answer)
    rejects = verdict.get("rejects", ())
    assert [reject["code"] for reject in rejects] == ([step.code] if step.code else []), step
    assert verdict["approved"] is not bool(step.code)
    for name in ("value", "limit"):
        expected = getattr(step, name)
        if expected is not None:
            assert abs(rejects[0][name] - expected) <= 1e-9 * abs(expected), (name, step, rejects)
