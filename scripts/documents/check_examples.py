"""One refused order for every check: played through the engine whenever the page is made."""

from __future__ import annotations

from typing import Any, NamedTuple

from engine.core import Core, Input
from engine.facts import Stamp
from riskd.messages import (
    AccountSpec,
    ActorFailed,
    Check,
    Configure,
    DuplicateOrders,
    Fill,
    GroupSpec,
    Hello,
    InstrumentKind,
    InstrumentSpec,
    Kill,
    LimitSet,
    LimitsSpec,
    LimitValue,
    MarginModel,
    MarketPhase,
    MarketState,
    OrderReport,
    OrderRule,
    OrderStatus,
    Permissions,
    PositionReport,
    PriceMove,
    Reject,
    SelfMatch,
    Side,
    Tick,
    Trip,
    Universe,
    Verdict,
)

WALL_NS = 1_700_000_000_000_000_000
LATER_NS = 61_000_000_000  # Longer than a touch or a mark is fresh.
INSTRUMENTS = (
    InstrumentSpec(symbol="X", currency="USD"),
    InstrumentSpec(symbol="Z", currency="USD"),
    InstrumentSpec(
        symbol="EURUSD", kind=InstrumentKind.FX, base="EUR", currency="USD", tick_size="0.0001"
    ),
)
TICKS = (Tick(symbol="X", bid=99.98, ask=100.0), Tick(symbol="EURUSD", bid=1.25, ask=1.25))
CASH = {"margin_model": MarginModel.NONE}
RATED = {"margin_model": MarginModel.RATE}


class Example(NamedTuple):
    """What the account may do, what happened before, and the order that is refused."""

    order: dict[str, Any]  # Differences from a buy of one X at 100.
    limits: dict[str, Any] = {}
    before: tuple[Input, ...] = ()
    account: dict[str, Any] = {}
    after_ns: int = 1000  # From what was before to the order.
    group_limits: dict[str, Any] = {}
    permissions: Permissions = Permissions()
    in_session: bool = False  # Of the hello that comes last before it.


def an_order(order_id: str = "o-1", **fields: Any) -> Check:
    """Return a buy of one X at 100, but for `fields`."""
    told: dict[str, Any] = {
        "symbol": "X",
        "side": Side.BUY,
        "quantity": 1.0,
        "price": 100.0,
    } | fields
    return Check(client_order_id=order_id, account="A1", **told)


def _bought(quantity: float, price: float) -> Fill:
    return Fill(
        exec_id="e-1", account="A1", symbol="X", side=Side.BUY, quantity=quantity, price=price
    )


def _filled(order_id: str) -> Fill:
    return Fill(
        exec_id="e-1",
        account="A1",
        client_order_id=order_id,
        symbol="X",
        side=Side.BUY,
        quantity=1.0,
        price=100.0,
    )


def _canceling(order_id: str) -> OrderReport:
    return OrderReport(
        account="A1",
        client_order_id=order_id,
        status=OrderStatus.CANCEL_PENDING,
        report_id="r-1",
    )


REPEATS = DuplicateOrders(count=1, window_ms=1000)
BEFORE = (an_order("o-0"),)
FALLEN = (_bought(10, 110.0),)  # Ten at 110, worth 100: a tenth of the equity is lost.
EXAMPLES: dict[str, Example] = {
    "check_not_permitted": Example(
        {},
        permissions=Permissions(
            restricted=(OrderRule(symbol="X", side=Side.BUY, reason="insider list"),)
        ),
    ),
    "check_killed": Example({}, before=(Kill(scope="firm", reason="drill"),)),
    "check_breaker_open": Example({}, before=(Trip(scope="symbol", scope_id="X"),)),
    "check_price_move": Example(
        {},
        {"price_move": PriceMove(window_ms=60_000, pct=1)},
        (Tick(symbol="X", bid=98.0, ask=99.0), TICKS[0]),
    ),
    "check_account_frozen": Example({}, before=(ActorFailed(account="A1", reason="drill"),)),
    "check_market_closed": Example({}, before=(MarketState(symbol="X", state=MarketPhase.HALTED),)),
    "check_reduce_only": Example({"reduce_only": True}),
    "check_slowed": Example(
        {"price": 99.0},
        before=(Trip(scope="symbol", scope_id="X", action="slow"), an_order("o-0")),
    ),
    "check_daily_loss": Example({}, {"daily_loss": 100}, FALLEN),
    "check_drawdown_day": Example({}, {"drawdown_day_pct": 10}, FALLEN),
    "check_drawdown_week": Example({}, {"drawdown_week_pct": 10}, FALLEN),
    "check_drawdown_max": Example({}, {"drawdown_max_pct": 10}, FALLEN),
    "check_price_off_tick": Example({"price": 100.001}),
    "check_quantity_off_lot": Example({"quantity": 1.5}),
    "check_no_reference_price": Example({"symbol": "Z"}),
    "check_stale_price": Example({}, after_ns=LATER_NS),
    "check_price_collar": Example({"price": 105.01}, {"price_collar_pct": 5}),
    "check_tick_collar": Example({"price": 100.11}, {"price_collar_ticks": 10}),
    "check_money_collar": Example({"price": 100.26}, {"price_collar_money": 0.25}),
    "check_order_quantity": Example({"quantity": 11.0}, {"order_quantity": 10}),
    "check_order_notional": Example({"quantity": 11.0}, {"order_notional": 1000}),
    "check_position_quantity": Example({"quantity": 11.0}, {"position_quantity": 10}),
    "check_position_notional": Example({"quantity": 11.0}, {"position_notional": 1000}),
    "check_gross_exposure": Example({"quantity": 11.0}, {"gross_exposure": 1000}),
    "check_net_exposure": Example({"quantity": 11.0}, {"net_exposure": 1000}),
    "check_currency_exposure": Example(
        {"symbol": "EURUSD", "quantity": 101.0, "price": 1.25},
        {"currency_exposure": {"EUR": 125.0}},
    ),
    "check_currency_warning": Example(
        {"symbol": "EURUSD", "quantity": 101.0, "price": 1.25},
        {"currency_exposure": {"EUR": LimitValue(value=125.0, hard=False)}},
    ),
    "check_open_orders": Example({"price": 99.0}, {"open_orders": 1}, BEFORE),
    "check_turnover": Example({"quantity": 2.0}, {"turnover": 1100}, (_bought(10, 100.0),)),
    "check_concentration": Example({"quantity": 3.0}, {"concentration_pct": 25}),
    "check_correlated_exposure_pct": Example({"quantity": 3.0}, {"correlated_exposure_pct": 25}),
    "check_correlated_exposure": Example({"quantity": 3.0}, {"correlated_exposure": 250}),
    "check_leverage": Example({"quantity": 21.0}, {"leverage": 2}),
    "check_margin": Example({"quantity": 11.0}, account=RATED),
    "check_buying_power": Example({"quantity": 11.0}, account=CASH),
    "check_risk_per_trade": Example(
        {"quantity": 6.0, "stop_loss": 90.0}, {"risk_per_trade_pct": 5}
    ),
    "check_self_match": Example({"side": Side.SELL}, {"self_match": SelfMatch.REJECT}, BEFORE),
    "check_duplicate_content": Example({}, {"duplicate_orders": REPEATS}, BEFORE),
    "check_repeated_execution": Example(
        {"strategy": "mm"},
        {"repeated_executions": 1},
        (an_order("o-0", strategy="mm"), _filled("o-0")),
    ),
    "check_fill_velocity": Example({}, {"fills_per_second": 0}, (an_order("o-0"), _filled("o-0"))),
    "check_order_to_trade": Example({}, {"order_to_trade": 1, "ratio_floor": 1}, BEFORE),
    "check_cancel_ratio": Example(
        {"price": 99.0},
        {"cancel_ratio_pct": 40, "ratio_floor": 0},
        (*BEFORE, _canceling("o-0")),
    ),
    "check_rate_limit": Example({"price": 99.0}, {"orders_per_second": 1}, BEFORE),
    "check_rate_warning": Example(
        {"price": 99.0}, {"orders_per_second": LimitValue(value=1, hard=False)}, BEFORE
    ),
    "check_group_limit": Example({"quantity": 11.0}, group_limits={"gross_exposure": 1000}),
    "check_group_warning": Example(
        {"quantity": 11.0}, group_limits={"gross_exposure": LimitValue(value=1000, hard=False)}
    ),
    "check_fx_missing": Example({}, {"order_notional": 1000}, account={"currency": "CHF"}),
    "check_unsynced": Example(
        {"price": 99.0}, before=(*BEFORE, Hello(gateway="G1")), in_session=True
    ),
    "check_unreconciled": Example(
        {}, before=(PositionReport(account="A1", as_of_ns=WALL_NS, failed=True),)
    ),
    "check_deadline": Example({"deadline_ns": 1}),
}


def play(example: Example) -> Verdict:
    """Return what a new engine says of the example's order."""
    account: dict[str, Any] = {
        "margin_model": MarginModel.LEVERAGE,
        "leverage": 1e9,
    } | example.account
    universe = Universe(
        instruments=INSTRUMENTS,
        accounts=(AccountSpec(id="A1", balance=1000.0, group="desk", **account),),
        groups=(GroupSpec(id="desk"),),
        limits=LimitSet(
            account={"A1": LimitsSpec(**example.limits)},
            group={"desk": LimitsSpec(**example.group_limits)},
        ),
        permissions=example.permissions,
    )
    core = Core()
    stamp = Stamp(0, WALL_NS, WALL_NS)
    for message in (Configure(universe=universe), *TICKS, *example.before):
        stamp = Stamp(stamp.seq + 1, stamp.recv_ns + 1000, stamp.steady_ns + 1000)
        core.apply(message, stamp)
    at_ns = stamp.recv_ns + example.after_ns
    session = stamp.seq if example.in_session else 0
    verdict = core.apply(an_order(**example.order), Stamp(stamp.seq + 1, at_ns, at_ns, session))
    assert isinstance(verdict, Verdict)
    return verdict


def finding_of(name: str, code: str) -> tuple[Verdict, Reject]:
    """Return the verdict of a check's example and what the check found; it must be first."""
    if name not in EXAMPLES:
        raise LookupError(f"{name} has no example: add one to scripts/documents/check_examples.py")
    verdict = play(EXAMPLES[name])
    found = verdict.rejects or verdict.warnings
    if not found or found[0].code != code:
        raise LookupError(f"the example of {name} is not refused by it but says {found}")
    return verdict, found[0]
