"""Ratios of messages to trades, velocity of fills, executions that repeat without a person."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.digest import state_digest
from engine.throttle import NOTES_MAX, Window
from riskd.messages import Amend, DayBegan, LimitSet, LimitsSpec, LimitValue, Rearm
from tests.builders import StampedCore, a_core, a_fill, a_report, an_order, codes_of
from tests.engine.live import Live

GAPS = st.one_of(st.sampled_from([0, 1, 999, 1000, 1001]), st.integers(0, 3000))


def test_order_to_trade_counts_orders_changes_and_cancels_for_each_fill():
    house = a_core(LimitsSpec(order_to_trade=2, ratio_floor=0))
    assert codes_of(house.send(an_order("o-1"))) == []
    house.send(Amend(account="A1", client_order_id="o-1", price=99.0))
    refused = house.send(an_order("o-2"))  # The third message, and nothing was filled.
    assert codes_of(refused) == ["RATE_LIMIT"]
    assert refused.rejects[0].limit_type == "order_to_trade"
    assert (refused.rejects[0].value, refused.rejects[0].limit) == (3, 2)
    house.send(a_fill("e-1", client_order_id="o-1"))
    assert codes_of(house.send(an_order("o-3", quantity=2))) == ["RATE_LIMIT"]
    house.send(a_fill("e-2"))
    assert codes_of(house.send(an_order("o-4"))) == ["RATE_LIMIT"]  # Five for two fills.
    house.send(a_fill("e-3"))
    assert codes_of(house.send(an_order("o-5"))) == []  # Exactly two for each.
    house.send(a_report("o-5", "cancel_pending"))
    assert codes_of(house.send(an_order("o-6"))) == ["RATE_LIMIT"]


def test_order_to_trade_is_not_judged_up_to_the_floor_and_exits_pass():
    house = a_core(LimitsSpec(order_to_trade=0.5, ratio_floor=3))
    house.send(a_fill("e-1", "buy", 10))
    assert [codes_of(house.send(an_order(f"o-{n}"))) for n in range(4)] == [
        [],
        [],
        [],
        ["RATE_LIMIT"],
    ]
    assert codes_of(house.send(an_order("exit", "sell", 10))) == []


def test_order_to_trade_begins_anew_with_the_day():
    house = a_core(LimitsSpec(order_to_trade=1, ratio_floor=0))
    told = [codes_of(house.send(an_order(f"o-{n}"))) for n in range(2)]
    assert told == [[], ["RATE_LIMIT"]]
    house.send(DayBegan(calendar="UTC", day="2026-01-01"))
    assert codes_of(house.send(an_order("new"))) == []


def test_ratio_of_a_retried_id_and_of_a_dry_run_costs_nothing():
    house = a_core(LimitsSpec(order_to_trade=2, ratio_floor=0))
    order = an_order("o-1")
    house.send_all(order, order, order)
    assert house.account().conduct.messages == 1
    assert codes_of(house.send(an_order("dry", dry_run=True))) == []
    assert codes_of(house.send(an_order("o-2"))) == []
    assert codes_of(house.send(an_order("dry-2", dry_run=True))) == ["RATE_LIMIT"]
    assert house.account().conduct.messages == 2


def test_cancel_ratio_refuses_new_orders_past_it_and_never_a_cancel():
    house = a_core(LimitsSpec(cancel_ratio_pct=50, ratio_floor=0))
    for number in range(3):
        assert codes_of(house.send(an_order(f"o-{number}"))) == []
    for number in range(2):
        assert house.send(a_report(f"o-{number}", "cancel_pending")).flags == ()
    assert codes_of(house.send(an_order("o-3"))) == []  # Two of four: exactly at.
    house.send(a_report("o-2", "cancel_pending"))
    refused = house.send(an_order("o-4"))  # Three of five.
    assert codes_of(refused) == ["RATE_LIMIT"]
    assert (refused.rejects[0].value, refused.rejects[0].limit) == (60, 50)


def test_fill_velocity_stops_increases_while_it_lasts_and_books_every_fill():
    house = a_core(LimitsSpec(fills_per_second=2))
    house.send(an_order("o-1", quantity=10))
    for number in range(2):
        house.send(a_fill(f"e-{number}", client_order_id="o-1"))
    assert codes_of(house.send(an_order("o-2"))) == []  # Exactly at.
    house.send(a_fill("e-2", client_order_id="o-1"))
    assert [alert.value for alert in house.alerts("fill_velocity")] == [3]
    assert house.position().books.lots == 3
    refused = house.send(an_order("o-3"))
    assert codes_of(refused) == ["RATE_LIMIT"]
    assert refused.rejects[0].limit_type == "fills_per_second"
    assert codes_of(house.send(an_order("exit", "sell", 2))) == []
    wait_ns = refused.rejects[0].retry_after_ns
    house.elapse(wait_ns - 2001)
    assert codes_of(house.send(an_order("o-4"), after_ns=1000)) == ["RATE_LIMIT"]
    assert codes_of(house.send(an_order("o-5"), after_ns=1000)) == []


def test_fill_velocity_of_a_firm_counts_every_account_and_a_soft_one_only_alerts():
    house = a_core(LimitSet(firm=LimitsSpec(fills_per_second=1)))
    house.send(a_fill("e-1"))
    house.send(a_fill("e-2", account="A2"))
    assert codes_of(house.send(an_order("o-1"))) == ["RATE_LIMIT"]
    house = a_core(LimitsSpec(fills_per_second=LimitValue(value=0, hard=False)))
    house.send(a_fill("e-1"))
    assert len(house.alerts("fill_velocity")) == 1
    assert codes_of(house.send(an_order("o-1"))) == []


@settings(max_examples=200, deadline=None, database=None)
@given(gaps=st.lists(GAPS, max_size=60), count_max=st.integers(0, 4))
def test_noted_window_overruns_exactly_while_more_than_the_count_are_in_it(gaps, count_max):
    window, now_ns = Window(), 0
    noted: list[int] = []
    for gap_ns in gaps:
        now_ns += gap_ns
        inside = sum(1 for at_ns in noted if at_ns > now_ns - 1000)
        wait_ns = window.overrun_ns(count_max, 1000, now_ns)
        assert (wait_ns > 0) is (inside > count_max)
        if wait_ns:
            later = sum(1 for at_ns in noted if at_ns > now_ns + wait_ns - 1000)
            sooner = sum(1 for at_ns in noted if at_ns > now_ns + wait_ns - 1001)
            assert later <= count_max < sooner
        window.note(1000, now_ns)
        noted.append(now_ns)


def test_noted_window_keeps_no_more_than_its_maximum():
    window = Window()
    for _ in range(NOTES_MAX + 5):
        window.note(1000, 0)
    assert len(window.charges) == NOTES_MAX


def executed(house: StampedCore, number: int, **fields: Any) -> list[str]:
    """Send an order and fill it; return the codes of its verdict."""
    verdict = house.send(an_order(f"x-{number}", quantity=2, **fields))
    if verdict.approved:
        for part in (1, 2):  # Two fills of one order are one execution.
            house.send(a_fill(f"x-{number}-{part}", client_order_id=f"x-{number}"))
    return codes_of(verdict)


def test_repeated_execution_stops_a_strategy_until_a_person_rearms_it():
    house = a_core(LimitsSpec(repeated_executions=2))
    mm: dict[str, Any] = {"strategy": "mm"}
    assert [executed(house, n, **mm) for n in range(3)] == [[], [], ["REPEATED_EXECUTION"]]
    assert [alert.value for alert in house.alerts("repeated_execution")] == [2]
    assert executed(house, 10, strategy="arb") == []
    house.send(DayBegan(calendar="UTC", day="2026-01-01"))  # A day is no person.
    assert codes_of(house.send(an_order("again", **mm))) == ["REPEATED_EXECUTION"]
    answer = house.send(Rearm(account="A1", strategy="mm", reason="looked at it"))
    assert answer.data["executions"] == 2
    assert house.account().conduct.executions == {"arb": 1}


def test_repeated_execution_counts_what_was_filled_and_not_what_was_only_sent():
    house = a_core(LimitsSpec(repeated_executions=1))
    for number in range(3):
        assert codes_of(house.send(an_order(f"o-{number}", strategy="mm"))) == []
    house.send(a_fill("e-1", client_order_id="o-0"))
    assert codes_of(house.send(an_order("o-3", strategy="mm"))) == ["REPEATED_EXECUTION"]
    house.send(Rearm(account="A1", reason="looked"))
    assert codes_of(house.send(an_order("o-4", strategy="mm"))) == []


def test_conduct_is_state_and_the_live_system_counts_the_same():
    limits = LimitsSpec(
        repeated_executions=2, fills_per_second=3, order_to_trade=5, cancels_per_second=1
    )
    house = a_core(limits)
    for number in range(4):
        executed(house, number, strategy="mm" if number % 2 else "")
    house.send(an_order("o-1"))
    house.send(a_report("o-1", "cancel_pending"))
    house.send(Rearm(account="A1", strategy=""))
    with Live() as live:
        for message, stamp in house.inputs:
            live.send(message, stamp)
        assert state_digest(live.system.state()) == house.digest()
