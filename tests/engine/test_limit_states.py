"""Every limit has states with thresholds of its own: warning, critical, breached, one alert each.

A row brings the use of one limit up in steps of a quarter: half of it is its warning here, three
quarters are critical, five are past it. Each limit is soft, so that nothing is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from riskd.messages import (
    Alert,
    Basket,
    DuplicateOrders,
    Hello,
    LimitSet,
    LimitsSpec,
    LimitValue,
    PriceMove,
    Tick,
)
from tests.builders import (
    StampedCore,
    a_core,
    a_fill,
    a_report,
    an_account,
    an_order,
    codes_of,
)

WARNING, CRITICAL = 50.0, 75.0
PARAMETERS = {  # No limits: what another one begins from, how it widens, what is done at it.
    "concentration_floor",
    "auction_collar_factor",
    "ratio_floor",
    "risk_per_trade_drawdown",
    "self_match",
}
LEVELS = {"margin_warning_pct", "margin_critical_pct", "margin_stopout_pct"}  # Are thresholds.
Use = Callable[[StampedCore, int], None]  # Brings the use to so many quarters, from one less.


class Row(NamedTuple):
    """How a limit of this value comes to be used by a quarter more."""

    value: float
    use: Use
    beside: dict[str, Any] = {}  # Other limits.
    balance: float = 1000.0


def orders(**fields: Any) -> Use:
    """One more order that stays."""

    def use(house: StampedCore, quarters: int) -> None:
        told = {"quantity": 1} | fields
        assert house.send(an_order(f"o-{quarters}", "buy", **told)).approved

    return use


def one_order(*by_quarters: dict[str, Any]) -> Use:
    """An order that alone uses so many quarters."""

    def use(house: StampedCore, quarters: int) -> None:
        fields = by_quarters[quarters - 1]
        assert house.send(an_order(f"o-{quarters}", **fields)).approved
        house.send(a_report(f"o-{quarters}", "canceled", f"r-{quarters}"))

    return use


def quantities() -> Use:
    return one_order(*({"quantity": quarters} for quarters in range(1, 6)))


def prices(*ticks: float) -> Use:
    """The price falls, and ten lots are held."""

    def use(house: StampedCore, quarters: int) -> None:
        if quarters == 1:
            house.send(a_fill("e", "buy", 10))
        house.send(Tick(symbol="X", bid=ticks[quarters - 1], ask=ticks[quarters - 1]))

    return use


def baskets(house: StampedCore, quarters: int) -> None:
    legs = [an_order(f"b-{quarters}", quantity=quarters, price=100.0)]
    verdict = house.send(Basket(basket_id=f"basket-{quarters}", account="A1", orders=legs))
    assert verdict.approved
    house.send(a_report(f"b-{quarters}", "canceled", f"r-{quarters}"))


def cancels(house: StampedCore, quarters: int) -> None:
    house.send(an_order(f"o-{quarters}"), 0)
    house.send(a_report(f"o-{quarters}", "cancel_pending", f"r-{quarters}"), 0)


def messages(house: StampedCore, quarters: int) -> None:
    """Each is answered by no fill."""
    assert house.send(an_order(f"o-{quarters}")).approved


def cancel_share(house: StampedCore, quarters: int) -> None:
    """Of twenty orders two more are cancelled, which is a tenth of them."""
    for number in range(20 if quarters == 1 else 0):
        house.send(an_order(f"o-{number}"))
    for number in range(2 * quarters - 2, 2 * quarters):
        house.send(a_report(f"o-{number}", "cancel_pending", f"r-{number}"))


def repeats(house: StampedCore, quarters: int) -> None:
    """The same order once more; one too many is refused, for this limit is never soft."""
    told = house.send(an_order(f"o-{quarters}"))
    assert codes_of(told) == (["DUPLICATE_CONTENT"] if quarters > 4 else [])


def fills(house: StampedCore, quarters: int) -> None:
    house.send(a_fill(f"e-{quarters}"), 0)


def executions(house: StampedCore, quarters: int) -> None:
    assert house.send(an_order(f"o-{quarters}", strategy="s")).approved
    house.send(a_fill(f"e-{quarters}", client_order_id=f"o-{quarters}"))


DRAWDOWNS = ("drawdown_day_pct", "drawdown_week_pct", "drawdown_max_pct")
LOSS = (97.5, 95.0, 92.5, 91.0, 90.0)  # Of ten lots from 100: 25, 50, 75, 90, 100: at the limit.
RISK = one_order(*({"quantity": 1, "stop_loss": 100.0 - 10 * x} for x in (1, 2, 3, 4, 5)))
COLLAR = one_order(*({"price": 100.0 + x} for x in (1.0, 2.0, 3.0, 4.0, 5.0)))
ROWS: dict[str, Row] = {
    "order_quantity": Row(4, quantities()),
    "order_notional": Row(400, quantities()),
    "basket_notional": Row(400, baskets),
    "position_quantity": Row(4, orders()),
    "position_notional": Row(400, orders()),
    "gross_exposure": Row(400, orders()),
    "net_exposure": Row(400, orders()),
    "currency_exposure": Row(500, orders(symbol="EURUSD", price=1.25, quantity=100)),
    "daily_loss": Row(100, prices(*LOSS)),
    "drawdown_day_pct": Row(10, prices(*LOSS)),
    "drawdown_week_pct": Row(10, prices(*LOSS)),
    "drawdown_max_pct": Row(10, prices(*LOSS)),
    "concentration_pct": Row(40, orders()),
    "correlated_exposure_pct": Row(40, orders()),
    "correlated_exposure": Row(400, orders()),
    "leverage": Row(0.4, orders()),
    "risk_per_trade_pct": Row(4, RISK),
    "open_orders": Row(4, orders()),
    "turnover": Row(400, orders()),
    "price_collar_pct": Row(4, COLLAR),
    "price_collar_ticks": Row(400, COLLAR),
    "price_collar_money": Row(4, COLLAR),
    "price_move": Row(0, prices(99.0, 98.0, 97.0, 96.0, 95.0)),
    "duplicate_orders": Row(4, repeats),
    "orders_per_second": Row(4, orders()),
    "cancels_per_second": Row(4, cancels),
    "order_to_trade": Row(4, messages, {"ratio_floor": 0}),
    "cancel_ratio_pct": Row(40, cancel_share, {"ratio_floor": 0}),
    "fills_per_second": Row(4, fills),
    "repeated_executions": Row(4, executions),
}


Told = list[str | None]
TYPES = dict.fromkeys(DRAWDOWNS, "drawdown") | {key: key for key in ("daily_loss", "price_move")}
ENDS: dict[str, Told] = {  # At the last two steps, where it is another alert, or a refusal.
    "duplicate_orders": [None, None],
    "cancels_per_second": [None, "cancel_rate medium"],
    "fills_per_second": [None, "fill_velocity high"],
    "repeated_executions": ["repeated_execution high", None],  # At it: the next is refused.
}


def limit_of(key: str) -> dict[str, Any]:
    row, steps = ROWS[key], {"warning": WARNING, "critical": CRITICAL}
    value: Any = LimitValue(value=row.value, hard=False, **steps)
    match key:
        case "currency_exposure":
            value = {"EUR": value}
        case "price_move":
            value = PriceMove(window_ms=60_000, ticks=400, **steps)
        case "duplicate_orders":
            value = DuplicateOrders(count=4, window_ms=60_000, **steps)
    return {key: value} | row.beside


def test_every_limit_has_a_row_here_or_is_none():
    assert set(LimitsSpec.__struct_fields__) == set(ROWS) | PARAMETERS | LEVELS


@pytest.mark.parametrize("key", ROWS)
def test_limit_is_at_its_warning_critical_and_breached_once_each(key):
    row = ROWS[key]
    house = a_core(LimitsSpec(**limit_of(key)), accounts=(an_account(balance=row.balance),))
    told: Told = []
    for quarters in range(1, 6):
        house.published.clear()
        row.use(house, quarters)
        alerts = [x.message for x in house.published if isinstance(x.message, Alert)]
        named = [f"{x.alert_type} {x.severity}" for x in alerts if x.alert_type != "unknown_order"]
        assert len(named) <= 1
        told.append(named[0] if named else None)
    kinds = [TYPES.get(key, f"limit_{level}") for level in ("warning", "critical", "breached")]
    warned: Told = [f"{kinds[0]} medium", f"{kinds[1]} high"]
    assert told == [None, *warned, *ENDS.get(key, [None, f"{kinds[2]} critical"])]


@pytest.mark.parametrize("key", ROWS)
def test_limit_that_is_no_table_tells_of_no_threshold_but_where_prices_are_watched(key):
    row = ROWS[key]
    plain: Any = {
        "currency_exposure": {"EUR": row.value},
        "price_move": PriceMove(window_ms=60_000, ticks=100_000),
        "duplicate_orders": DuplicateOrders(count=4, window_ms=60_000),
    }.get(key, row.value)
    told: dict[str, Any] = {key: plain} | row.beside
    house = a_core(LimitsSpec(**told), accounts=(an_account(),))
    house.published.clear()
    for quarters in range(1, 4):
        row.use(house, quarters)
    alerts = [x.message for x in house.published if isinstance(x.message, Alert)]
    assert [x for x in alerts if x.alert_type.startswith("limit_")] == []


def test_currency_limit_that_only_warns_never_loosens_a_hard_one_that_is_wider():
    limits = LimitSet(
        default=LimitsSpec(currency_exposure={"EUR": LimitValue(value=125.0, hard=False)}),
        firm=LimitsSpec(currency_exposure={"EUR": 250.0}),
    )
    house = a_core(limits)
    euros: dict[str, Any] = {"symbol": "EURUSD", "price": 1.25, "dry_run": True}
    assert house.send(an_order("o", quantity=79, **euros)).warnings == ()
    past = house.send(an_order("o", quantity=101, **euros))
    assert codes_of(past) == []
    (warning,) = past.warnings
    assert (warning.limit_type, warning.value, warning.limit) == ("currency_exposure", 126.25, 125)
    assert codes_of(house.send(an_order("o", quantity=201, **euros))) == ["CURRENCY_EXPOSURE"]


def test_rate_of_a_session_has_thresholds_too():
    limits = LimitSet(session=LimitsSpec(orders_per_second=LimitValue(value=4, warning=50)))
    house = a_core(limits)
    session = house.send(Hello(gateway="G1")).session
    for number in range(3):
        assert house.send(an_order(f"o-{number}"), session=session).approved
    (alert,) = house.alerts("limit_warning")
    assert (alert.value, alert.threshold) == (2, 2)
    assert alert.message.startswith("orders_per_second 2 of 4")
