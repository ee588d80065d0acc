"""E14 to E18, E20, E23, E24: what is reserved, and when it is released."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.core import Core
from engine.digest import decode_state, encode_state
from engine.orders import OrderState
from riskd.messages import (
    ActorFailed,
    LimitsSpec,
    OrderRelease,
    RiskSettings,
    TimeInForce,
    VerdictVoid,
)
from tests.builders import (
    MONEY,
    MS,
    SECOND,
    WALL_NS,
    StampedCore,
    a_core,
    a_fill,
    a_report,
    an_order,
    codes_of,
)

PROPERTY = settings(max_examples=150, deadline=None, database=None)


def leaves(house: StampedCore, symbol: str = "X") -> tuple[int, int]:
    """What is reserved for buying and for selling."""
    position = house.position(symbol)
    return position.open_buy_lots, position.open_sell_lots


def test_e14_burst_without_waiting_cannot_pass_together():
    house = a_core(LimitsSpec(position_quantity=10))
    verdicts = [house.send(an_order(f"o-{x}", quantity=4), after_ns=0) for x in range(3)]
    assert [codes_of(verdict) for verdict in verdicts] == [[], [], ["POSITION_LIMIT"]]
    assert leaves(house) == (8, 0)


def test_e14_dry_run_reserves_nothing_and_is_not_remembered():
    house = a_core(LimitsSpec(position_quantity=10, orders_per_second=1))
    books = house.books()
    for _ in range(3):
        assert codes_of(house.send(an_order(quantity=10, dry_run=True))) == []
    assert house.books() == books
    assert codes_of(house.send(an_order(quantity=9))) == []


@pytest.mark.parametrize(("side", "sign"), [("buy", 1), ("sell", -1)])
def test_e15_partial_fill_moves_from_leaves_to_position_and_the_worst_case_stays(side, sign):
    house = a_core(LimitsSpec(position_quantity=10))
    house.send(an_order(side=side, quantity=10))
    for filled, quantity in ((3, 3), (4, 1), (10, 6)):
        exec_id = f"e-{filled}"
        ack = house.send(a_fill(exec_id, side, quantity, 100.0, client_order_id="o-1"))
        assert ack.flags == ()
        position = house.position()
        assert position.books.lots == sign * filled
        assert leaves(house) == ((10 - filled, 0) if sign > 0 else (0, 10 - filled))
        worst = position.worst_long_lots() if sign > 0 else -position.worst_short_lots()
        assert worst == 10
        assert codes_of(house.send(an_order(f"n-{filled}", side))) == ["POSITION_LIMIT"]
    assert house.account().finished["o-1"].state is OrderState.FILLED


@pytest.mark.parametrize("ending", ["canceled", "rejected", "expired"])
@pytest.mark.parametrize("second", ["canceled", "rejected", "expired"])
def test_e16_end_releases_the_leaves_once_and_a_second_end_only_alerts(ending, second):
    house = a_core()
    house.send(an_order("o-0", quantity=5))
    house.send(an_order("o-1", quantity=10))
    house.send(a_fill(quantity=3, client_order_id="o-1"))
    assert leaves(house) == (12, 0)
    assert house.send(a_report("o-1", ending, "r-1")).flags == ()
    assert leaves(house) == (5, 0)
    assert house.position().books.lots == 3
    books = house.books()
    assert house.send(a_report("o-1", second, "r-2")).flags == ("already_terminal",)
    assert house.books() == books
    assert len(house.alerts("already_terminal")) == 1
    again = house.send(a_report("o-1", second, "r-2"))
    assert again.duplicate
    assert len(house.alerts("already_terminal")) == 1


def test_e16_remainder_of_an_immediate_order_is_released_after_its_fills():
    house = a_core()
    house.send(an_order(quantity=10, time_in_force=TimeInForce.IOC))
    house.send(a_fill(quantity=4, client_order_id="o-1"))
    house.send(a_report("o-1", "expired", leaves_quantity=0.0))
    assert leaves(house) == (0, 0)
    assert house.position().books.lots == 4


def test_e16_end_of_a_filled_order_is_a_no_op():
    house = a_core()
    house.send_all(an_order(quantity=2), a_fill(quantity=2, client_order_id="o-1"))
    assert house.send(a_report("o-1", "canceled")).flags == ("already_terminal",)
    assert leaves(house) == (0, 0)


def test_e16_report_of_an_order_that_never_was_changes_nothing_and_alerts():
    house = a_core()
    books = house.books()
    assert house.send(a_report("nobody", "canceled")).flags == ("unknown_order",)
    assert house.books() == books
    assert len(house.alerts("unknown_order")) == 1


def test_e17_fill_before_the_ack_is_applied_and_nothing_is_negative():
    house = a_core()
    house.send(an_order(quantity=5))
    assert house.send(a_fill("e-1", quantity=5, client_order_id="o-1")).flags == ()
    assert leaves(house) == (0, 0)
    assert house.send(a_report("o-1", "accepted")).flags == ("already_terminal",)
    assert leaves(house) == (0, 0)
    assert house.position().books.lots == 5


def test_e17_fill_before_our_own_verdict_is_booked_and_the_order_is_judged_after_it():
    house = a_core(LimitsSpec(position_quantity=8))
    assert house.send(a_fill(quantity=5, client_order_id="o-1")).flags == ("unknown_order",)
    assert leaves(house) == (0, 0)
    assert codes_of(house.send(an_order(quantity=5))) == ["POSITION_LIMIT"]


@pytest.mark.parametrize("ending", ["canceled", "rejected", "expired"])
def test_e18_fill_after_the_end_is_booked_in_full_and_flagged(ending):
    house = a_core()
    house.send_all(an_order(quantity=10), a_report("o-1", ending))
    ack = house.send(a_fill(quantity=4, price=99.0, client_order_id="o-1", fee=0.5))
    assert ack.flags == ("late_fill",)
    assert leaves(house) == (0, 0)
    books = house.position().books
    assert (books.lots, books.cost_money, books.fees_money) == (4, 396 * MONEY, -MONEY // 2)
    assert house.account().cash["USD"] == 1_000_000 * MONEY - MONEY // 2
    assert len(house.alerts("late_fill")) == 1


def test_e18_late_fills_beyond_the_quantity_are_over_fills_too():
    house = a_core()
    house.send_all(an_order(quantity=3), a_report("o-1", "canceled"))
    assert house.send(a_fill("e-1", quantity=3, client_order_id="o-1")).flags == ("late_fill",)
    flags = house.send(a_fill("e-2", quantity=1, client_order_id="o-1")).flags
    assert flags == ("late_fill", "over_fill")


def test_e20_fill_beyond_the_quantity_is_booked_flagged_and_not_clamped():
    house = a_core(LimitsSpec(position_quantity=10))
    house.send_all(an_order("o-0", quantity=2), an_order(quantity=8))
    assert house.send(a_fill("e-1", quantity=7, client_order_id="o-1")).flags == ()
    assert house.send(a_fill("e-2", quantity=9, client_order_id="o-1")).flags == ("over_fill",)
    assert house.position().books.lots == 16
    assert leaves(house) == (2, 0)
    assert house.send(a_fill("e-3", quantity=1, client_order_id="o-1")).flags == ("over_fill",)
    assert house.position().books.lots == 17
    over = house.send(an_order("o-2"))
    assert codes_of(over) == ["POSITION_LIMIT"]
    assert over.rejects[0].value == 20
    assert codes_of(house.send(an_order("o-3", "sell", 17))) == []
    assert house.alerts("over_fill")


def test_e20_order_that_was_replaced_upwards_is_not_over_filled_by_its_new_quantity():
    house = a_core()
    house.send(an_order(quantity=4))
    house.send(a_fill("e-1", quantity=1, client_order_id="o-1"))
    assert house.send(a_report("o-1", "replaced", leaves_quantity=9.0)).flags == ()
    assert leaves(house) == (9, 0)
    assert house.send(a_fill("e-2", quantity=9, client_order_id="o-1")).flags == ()
    assert leaves(house) == (0, 0)
    assert house.send(a_fill("e-3", quantity=1, client_order_id="o-1")).flags == ("over_fill",)


def test_e20_order_that_was_replaced_downwards_is_over_filled_by_its_old_quantity():
    house = a_core()
    house.send(an_order(quantity=9))
    house.send(a_report("o-1", "replaced", leaves_quantity=2.0))
    assert house.send(a_fill("e-2", quantity=3, client_order_id="o-1")).flags == ("over_fill",)


RESERVED_MS = 30_000


def test_e23_reservation_without_news_becomes_suspect_at_its_deadline_and_stays_counted():
    house = a_core(LimitsSpec(position_quantity=10), settings=RiskSettings(stale_after_ms=10**9))
    verdict = house.send(an_order(quantity=6))
    assert verdict.valid_until_ns == verdict.checked_ns + RESERVED_MS * MS
    assert house.core.due_ns() == house.stamp.steady_ns + RESERVED_MS * MS
    house.elapse(RESERVED_MS * MS - 1)
    assert house.account().orders["o-1"].state is OrderState.PENDING
    house.elapse(1)
    assert house.account().orders["o-1"].state is OrderState.SUSPECT
    assert len(house.alerts("reservation_suspect")) == 1
    house.elapse(3600 * SECOND)
    assert leaves(house) == (6, 0)
    assert codes_of(house.send(an_order("o-2", quantity=5))) == ["POSITION_LIMIT"]
    told = house.alerts("reservation_suspect")
    assert {alert.alert_id for alert in told} == {1}  # One, which grows louder while nobody looks.
    assert [alert.status for alert in told[1:]] == ["escalated"] * (len(told) - 1)


def test_e23_each_reservation_becomes_suspect_at_its_own_deadline():
    house = a_core(settings=RiskSettings(stale_after_ms=10**9))
    house.send(an_order("o-1"))
    house.send(an_order("o-2"), 10 * SECOND)
    house.send(an_order("o-3", account="A2"), 5 * SECOND)
    states = []
    for step_s in (15, 10, 5):  # 30 s after each: o-1, o-2, o-3.
        house.elapse(step_s * SECOND)
        orders = house.account().orders | house.account("A2").orders
        states.append([key for key, order in orders.items() if order.state is OrderState.SUSPECT])
    assert states == [["o-1"], ["o-1", "o-2"], ["o-1", "o-2", "o-3"]]
    assert house.core.timers.next_ns() is None


@pytest.mark.parametrize("news", ["accepted", "cancel_pending", "fill"])
def test_e23_news_before_the_deadline_keeps_it_from_becoming_suspect(news):
    house = a_core()
    house.send(an_order(quantity=2))
    if news == "fill":
        house.send(a_fill(client_order_id="o-1"))
    else:
        house.send(a_report("o-1", news))
    house.elapse(3600 * SECOND)
    assert house.account().orders["o-1"].state is not OrderState.SUSPECT
    assert house.alerts("reservation_suspect") == []


@pytest.mark.parametrize("ending", ["canceled", "rejected", "expired", "operator", "fill"])
def test_e23_suspect_is_freed_by_an_authoritative_message_or_an_operator(ending):
    house = a_core()
    house.send(an_order(quantity=2))
    house.elapse(RESERVED_MS * MS)
    assert house.send(a_report("o-1", "accepted", "r-0")).flags == ()
    assert leaves(house) == (2, 0)
    if ending == "operator":
        release = OrderRelease(account="A1", client_order_id="o-1", reason="gateway is gone")
        assert house.send(release).ok
        assert house.send(release).code == "refused"
    elif ending == "fill":
        house.send(a_fill(quantity=2, client_order_id="o-1"))
    else:
        house.send(a_report("o-1", ending))
    assert leaves(house) == (0, 0)
    assert "o-1" not in house.account().orders


def test_e24_verdict_past_the_deadline_of_the_order_is_a_denial_that_reserves_nothing():
    house = a_core()
    now_ns = house.stamp.recv_ns
    at = house.send(an_order("at", deadline_ns=now_ns + 1000), 1000)
    late = house.send(an_order("late", deadline_ns=now_ns + 1999), 1000)
    assert codes_of(at) == []
    assert codes_of(late) == ["DEADLINE"]
    assert leaves(house) == (1, 0)
    assert house.send(a_fill(client_order_id="late")).flags == ("unknown_order",)


def test_e24_approval_that_could_not_leave_in_time_is_void_and_sending_it_is_an_unknown_order():
    house = a_core()
    first = house.send(an_order(quantity=5, deadline_ns=WALL_NS + SECOND))
    assert first.approved
    assert house.send(VerdictVoid(account="A1", client_order_id="o-1")) is None
    assert leaves(house) == (0, 0)
    assert house.core.due_ns() is not None
    house.elapse(60 * SECOND)
    assert house.alerts("reservation_suspect") == []
    again = house.send(an_order(quantity=5))
    assert codes_of(again) == ["DEADLINE"]
    assert again.duplicate
    assert again.seq == first.seq
    assert leaves(house) == (0, 0)
    assert house.send(a_report("o-1", "accepted")).flags == ("unknown_order",)
    assert house.send(a_fill(quantity=5, client_order_id="o-1")).flags == ("unknown_order",)
    assert house.position().books.lots == 5
    assert len(house.alerts("unknown_order")) == 2


def test_e24_order_of_which_the_venue_has_spoken_is_not_void():
    house = a_core()
    house.send_all(an_order("o-1"), an_order("o-2", quantity=2))
    house.send(a_report("o-1", "accepted"))
    house.send(a_fill(client_order_id="o-2"))
    for order_id in ("o-1", "o-2", "nobody"):
        house.send(VerdictVoid(account="A1", client_order_id=order_id))
    assert leaves(house) == (2, 0)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["check", "fill", "end", "replace", "accept", "wait", "void", "freeze"]),
        st.integers(0, 5),  # Which order.
        st.sampled_from(["buy", "sell"]),
        st.integers(1, 4),
    ),
    max_size=40,
)


@PROPERTY
@given(steps=STEPS)
def test_reservations_equal_the_sum_of_working_leaves_and_are_never_negative(steps):
    """The two running sums agree with a slow sum over the working orders, after each input."""
    house = a_core(LimitsSpec(position_quantity=30))
    told: dict[str, dict[str, int]] = {}
    for number, (what, which, side, lots) in enumerate(steps):
        order_id = f"o-{which}"
        order = an_order(order_id, side, lots, symbol="XY"[which % 2])
        known = told.get(order_id)
        if what == "check" and known is None:
            verdict = house.send(order)
            if verdict.approved:
                told[order_id] = {"side": side == "buy", "leaves": lots, "symbol": which % 2}
        elif what == "fill" and known is not None:
            fill_side = "buy" if known["side"] else "sell"
            symbol = "XY"[known["symbol"]]
            house.send(
                a_fill(f"e-{number}", fill_side, lots, client_order_id=order_id, symbol=symbol)
            )
            known["leaves"] = max(0, known["leaves"] - lots)
        elif what == "end":
            house.send(a_report(order_id, "canceled", f"r-{number}"))
            if known is not None:
                known["leaves"] = 0
        elif what == "replace" and known is not None and known["leaves"]:
            house.send(a_report(order_id, "replaced", f"r-{number}", leaves_quantity=float(lots)))
            known["leaves"] = lots
        elif what == "accept":
            house.send(a_report(order_id, "accepted", f"r-{number}"))
        elif what == "wait":
            house.elapse(lots * 10 * SECOND)
        elif what == "freeze":
            house.send(ActorFailed(account="A1", reason="drill"))
        slow: dict[tuple[int, bool], int] = defaultdict(int)
        for known in told.values():
            slow[known["symbol"], bool(known["side"])] += known["leaves"]
        for at, symbol in enumerate("XY"):
            assert leaves(house, symbol) == (slow[at, True], slow[at, False])
            assert min(leaves(house, symbol)) >= 0
        working = sum(order.leaves_lots for order in house.account().orders.values())
        assert working == sum(slow.values())


def test_reservations_repeated_report_changes_nothing():
    house = a_core()
    house.send(an_order(quantity=9))
    report = a_report("o-1", "replaced", "r-1", leaves_quantity=4.0)
    house.send(report)
    house.send(a_report("o-1", "replaced", "r-2", leaves_quantity=7.0))
    assert house.send(report).duplicate
    assert leaves(house) == (7, 0)
    assert house.send(replace(report, report_id="r-3")).flags == ()
    assert leaves(house) == (4, 0)


def a_dated_order(house: StampedCore, order_id: str = "o-1", after_ns: int = 10 * SECOND, **fields):
    told: dict[str, Any] = {"time_in_force": TimeInForce.GTD}
    told["expire_ns"] = house.stamp.recv_ns + after_ns
    return an_order(order_id, **(told | fields))


def test_order_good_till_a_date_is_released_then_and_a_fill_after_it_is_late():
    house = a_core()
    house.send(a_dated_order(house, "o-1", 10 * SECOND, quantity=5))
    house.send(a_dated_order(house, "o-2", 5 * SECOND, quantity=3))
    house.send(a_report("o-1", "accepted"))
    house.elapse(5 * SECOND)
    assert leaves(house) == (5, 0)
    assert house.account().finished["o-2"].state == "expired"
    house.elapse(4 * SECOND)
    assert leaves(house) == (5, 0)
    house.elapse(2 * SECOND)
    assert leaves(house) == (0, 0)
    late = house.send(a_fill(quantity=2, client_order_id="o-1"))
    assert late.flags == ("late_fill",)
    assert house.position().books.lots == 2


def test_order_good_till_a_date_waits_for_it_after_a_restart():
    house = a_core()
    house.send(a_dated_order(house, quantity=5))
    house.send(a_report("o-1", "accepted"))
    restored = Core()
    restored.restore(decode_state(encode_state(house.core.state())))
    assert restored.due_ns() == house.core.due_ns()
    again = StampedCore(restored)
    again.stamp = house.stamp
    again.elapse(11 * SECOND)
    assert leaves(again) == (0, 0)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"expire_ns": None}, "MALFORMED"),
        ({"time_in_force": TimeInForce.DAY}, "MALFORMED"),
        ({"expire_ns": 1}, "VALUE_INVALID"),
    ],
)
def test_order_good_till_a_date_needs_one_that_is_to_come(fields, code):
    house = a_core()
    assert codes_of(house.send(a_dated_order(house, **fields))) == [code]
    assert leaves(house) == (0, 0)


@pytest.mark.parametrize("life", ["ioc", "fok"])
def test_e23_immediate_order_without_an_end_is_suspect_though_it_was_accepted(life):
    house = a_core()
    house.send(an_order("o-1", quantity=5, time_in_force=TimeInForce(life)))
    house.send(an_order("o-2", quantity=5))
    house.send_all(a_report("o-1", "accepted"), a_report("o-2", "accepted"))
    house.send(a_fill(quantity=2, client_order_id="o-1"))
    house.elapse(31 * SECOND)
    states = {key: order.state for key, order in house.account().orders.items()}
    assert states == {"o-1": "suspect", "o-2": "accepted"}
    assert leaves(house) == (8, 0)
    house.send(a_report("o-1", "expired", "r-2"))
    assert leaves(house) == (5, 0)
