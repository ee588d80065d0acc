"""E78, E79: thresholds of limits that are given as a table, and limits that only warn."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.guards import KINDS
from engine.thresholds import GUARDED
from riskd.messages import (
    Alert,
    AlertAck,
    Amend,
    Basket,
    Configure,
    GroupSpec,
    LimitSet,
    LimitsSpec,
    LimitValue,
    Severity,
    Tick,
)
from tests.builders import (
    StampedCore,
    a_core,
    a_fill,
    a_report,
    a_universe,
    an_account,
    an_order,
    codes_of,
)

HARD = LimitValue(value=10)  # Warning from 8 on, critical from 9 on.
SOFT = LimitValue(value=10, hard=False)


def alerts(house: StampedCore) -> list[Alert]:
    """Return what was said of limits, in order."""
    found = [topical.message for topical in house.published]
    return [x for x in found if isinstance(x, Alert) and x.alert_type.startswith("limit_")]


def levels(house: StampedCore) -> list[str]:
    return [alert.alert_type.removeprefix("limit_") for alert in alerts(house)]


def warned(verdict: Any) -> list[str]:
    """Return the levels that an approval warns of."""
    assert verdict.approved
    return [found.text.rpartition(": ")[2] for found in verdict.warnings]


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [(7, []), (8, ["warning"]), (9, ["critical"]), (10, ["critical"])],
)
def test_e78_approval_warns_from_a_threshold_on_and_one_alert_says_so(quantity, expected):
    house = a_core(LimitsSpec(position_quantity=HARD))
    verdict = house.send(an_order("o", quantity=quantity))
    assert warned(verdict) == expected
    assert levels(house) == expected
    if expected:
        (found,), (alert,) = verdict.warnings, alerts(house)
        assert (found.code, found.limit_type) == ("POSITION_LIMIT", "position_quantity")
        assert (found.value, found.limit) == (quantity, 10)
        assert (alert.account, alert.symbol, alert.value) == ("A1", "X", quantity)
        assert alert.threshold == {"warning": 8, "critical": 9}[expected[0]]
        expected_severity = {"warning": Severity.MEDIUM, "critical": Severity.HIGH}
        assert alert.severity is expected_severity[expected[0]]


def test_limit_without_a_table_has_no_thresholds_and_a_refusal_no_alert():
    house = a_core(LimitsSpec(position_quantity=10, order_quantity=HARD))
    assert warned(house.send(an_order("o-1", quantity=7))) == []
    assert codes_of(house.send(an_order("o-2", quantity=11))) == ["ORDER_QUANTITY"]
    assert alerts(house) == []


def test_thresholds_are_those_of_the_table():
    told = LimitValue(value=10, warning=50, critical=70)
    house = a_core(LimitsSpec(position_quantity=told))
    for number, (quantity, expected) in enumerate(
        ((4, []), (1, ["warning"]), (1, ["warning"]), (1, ["critical"]))
    ):
        assert warned(house.send(an_order(f"o-{number}", quantity=quantity))) == expected
    assert levels(house) == ["warning", "critical"]


def test_e78_one_alert_per_crossing_and_none_while_the_limit_stays_there():
    """Up over 80 %, further within it, down below, up again: two crossings."""
    house = a_core(LimitsSpec(position_quantity=LimitValue(value=100)))
    assert warned(house.send(an_order("o-1", quantity=80))) == ["warning"]
    for number in range(5):
        assert warned(house.send(an_order(f"more-{number}"))) == ["warning"]
    assert levels(house) == ["warning"]
    house.send(a_report("o-1", "canceled"))
    assert warned(house.send(an_order("o-2", quantity=74))) == []
    assert warned(house.send(an_order("o-3"), after_ns=2 * 10**9)) == ["warning"]
    assert levels(house) == ["warning", "warning"]


def test_e78_soft_limit_accepts_with_a_warning_and_one_alert_per_crossing():
    house = a_core(LimitsSpec(position_quantity=SOFT))
    house.send(an_order("o-1", quantity=10))
    over = house.send(an_order("o-2"))
    assert over.approved
    assert [found.text for found in over.warnings] == ["position_quantity 11 > 10 units at worst"]
    house.send(an_order("o-3"))
    assert levels(house) == ["critical", "breached"]
    assert [alert.severity for alert in alerts(house)] == [Severity.HIGH, Severity.CRITICAL]


def test_e79_order_that_crosses_everything_sends_one_alert_of_the_highest_level_naming_the_rest():
    limits = LimitsSpec(
        position_quantity=SOFT,
        gross_exposure=LimitValue(value=1250),  # 1,100 are 88 %.
        open_orders=LimitValue(value=5),
    )
    house = a_core(limits)
    verdict = house.send(an_order("o", quantity=11))
    assert verdict.approved
    (alert,) = alerts(house)
    assert (alert.alert_type, alert.value, alert.threshold) == ("limit_breached", 11, 10)
    for named in ("position_quantity warning", "position_quantity critical"):
        assert named in alert.message
    assert "gross_exposure warning" in alert.message
    assert "open_orders" not in alert.message
    codes = [found.code for found in verdict.warnings]
    assert sorted(codes) == ["GROSS_EXPOSURE", "POSITION_LIMIT"]


def test_dry_run_warns_and_sends_no_alert():
    house = a_core(LimitsSpec(position_quantity=HARD))
    assert warned(house.send(an_order("o-1", quantity=9, dry_run=True))) == ["critical"]
    assert alerts(house) == []
    assert warned(house.send(an_order("o-2", quantity=9))) == ["critical"]
    assert levels(house) == ["critical"]


def test_order_that_reduces_neither_warns_nor_alerts():
    house = a_core(LimitsSpec(gross_exposure=LimitValue(value=1000)))
    house.send(a_fill(quantity=9))
    assert warned(house.send(an_order("o-1", "sell", 2))) == []
    assert alerts(house) == []


def test_limits_of_each_order_cross_anew_with_each():
    """Order size and price stand nowhere before their order."""
    limits = LimitsSpec(order_quantity=HARD, price_collar_pct=LimitValue(value=10))
    house = a_core(limits)
    for number in range(2):
        house.send(an_order(f"q-{number}", quantity=8), after_ns=2 * 10**9)
        house.send(an_order(f"p-{number}", price=108.5))
    types = [alert.message.partition(" ")[0] for alert in alerts(house)]
    assert types == ["order_quantity", "price_collar_pct"] * 2


def test_change_of_an_order_crosses_like_an_order():
    house = a_core(LimitsSpec(position_quantity=HARD))
    house.send(an_order("o", quantity=5))
    amend = Amend(account="A1", client_order_id="o", quantity=9.0)
    assert warned(house.send(amend)) == ["critical"]
    assert levels(house) == ["critical"]


def test_soft_limit_tighter_than_a_hard_one_warns_and_the_hard_one_has_its_own_thresholds():
    limits = LimitSet(
        default=LimitsSpec(position_quantity=SOFT),
        symbol={"X": LimitsSpec(position_quantity=LimitValue(value=20))},
    )
    house = a_core(limits)
    verdict = house.send(an_order("o", quantity=16))
    assert len(verdict.warnings) == 2
    (alert,) = alerts(house)
    assert alert.alert_type == "limit_breached"
    assert codes_of(house.send(an_order("over", quantity=5))) == ["POSITION_LIMIT"]


GROUPED = (an_account("A1", group="desk"), an_account("A2", group="desk"))


def a_desk(limit: LimitsSpec) -> StampedCore:
    universe = a_universe(LimitSet(group={"desk": limit}), accounts=GROUPED)
    house = a_core()
    house.send(Configure(universe=replace(universe, groups=(GroupSpec(id="desk"),))))
    return house


def test_e78_threshold_of_a_group_is_crossed_once_whoever_is_next():
    house = a_desk(LimitsSpec(position_quantity=HARD))
    assert warned(house.send(an_order("o-1", quantity=7))) == []
    assert warned(house.send(an_order("o-2", account="A2"))) == ["warning"]
    assert warned(house.send(an_order("o-3", price=99.0))) == ["critical"]
    assert warned(house.send(an_order("o-4", account="A2", price=99.0))) == ["critical"]
    assert levels(house) == ["warning", "critical"]
    assert all(alert.account is None for alert in alerts(house))
    assert codes_of(house.send(an_order("o-5"))) == ["GROUP_LIMIT"]


@pytest.mark.parametrize(("last", "expected"), [(1, ["critical", "warning"]), (100, [])])
def test_basket_says_what_its_legs_cross_once_it_stands_and_nothing_if_it_is_refused(
    last, expected
):
    limits = LimitsSpec(position_quantity=HARD, order_quantity=50)
    house = a_core(limits)
    legs = [
        an_order("o-1", quantity=9),
        an_order("o-2", quantity=8, account="A2"),
        an_order("o-3", quantity=last, symbol="Y", price=50.0),
    ]
    answer = house.send(Basket(basket_id="b", orders=legs))
    assert answer.approved is bool(expected)
    assert levels(house) == expected
    if not expected:
        house.send(Basket(basket_id="b-2", orders=[an_order("later", quantity=7)]))
        assert levels(house) == []


def test_e79_crossing_that_an_order_begins_and_its_fill_goes_on_with_is_one_alert():
    """8 X at 100 are 800 of 1,000, where an order is warned; at 101 the account itself is there."""
    house = a_core(LimitsSpec(gross_exposure=LimitValue(value=1000)))
    assert warned(house.send(an_order("o", quantity=8))) == ["warning"]
    house.send(a_fill("e", "buy", 8, 100.0, client_order_id="o"))
    house.send(Tick(symbol="X", bid=101.0, ask=101.0))
    found = [x.message for x in house.published if isinstance(x.message, Alert)]
    assert [(x.alert_id, x.severity) for x in found] == [(1, Severity.MEDIUM)]
    assert house.core.alerts.entries[1].count == 2
    house.send(Tick(symbol="X", bid=118.0, ask=118.0))  # 944: critical, by a price alone.
    house.send(Tick(symbol="X", bid=60.0, ask=60.0))
    house.elapse(60 * 10**9)
    told = [x.message for x in house.published if isinstance(x.message, Alert)]
    assert [(str(x.severity), x.status) for x in told if x.alert_id == 1] == [
        ("medium", "raised"),
        ("high", "raised"),
        ("high", "resolved"),
    ]
    assert {x.alert_type for x in told if x.alert_id > 1}.isdisjoint({"exposure", "limit_warning"})


def test_keys_that_orders_share_with_guards_are_those_that_an_order_can_move():
    assert set(GUARDED) == {kind.key for kind in KINDS if kind.update_type == "exposure"}


def test_e78_hard_limit_is_not_acknowledged_away():
    """What a person has seen and muted is refused as before, and by the same number."""
    house = a_core(LimitsSpec(daily_loss=100.0))
    house.send(a_fill("e-1", "buy", 10))
    house.send(Tick(symbol="X", bid=90.0, ask=90.0))
    (breached,) = house.alerts("daily_loss")
    refused = house.send(an_order("o-1", price=90.0))
    ack = AlertAck(alert_id=breached.alert_id, by="ann", note="seen", mute_ms=60_000)
    assert house.send(ack).data["status"] == "acknowledged"
    again = house.send(an_order("o-2", price=90.0))
    assert codes_of(again) == codes_of(refused) == ["DAILY_LOSS"]
    assert again.rejects[0].limit == refused.rejects[0].limit == 100


def test_e79_alert_is_of_the_worst_limit_though_a_milder_one_is_checked_before_it():
    """An order of 850, where 1,000 are the most, and a position of 800, which may be 500."""
    limits = LimitsSpec(
        order_notional=LimitValue(value=1000, hard=False),
        position_notional=LimitValue(value=500, hard=False),
    )
    house = a_core(limits)
    assert house.send(an_order("o", quantity=8, price=106.25)).rejects == ()
    (alert,) = [x.message for x in house.published if isinstance(x.message, Alert)]
    assert (alert.alert_type, alert.value, alert.threshold) == ("limit_breached", 800, 500)
    assert "position_notional critical" in alert.message
    assert "order_notional warning" in alert.message
