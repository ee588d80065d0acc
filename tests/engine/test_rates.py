"""E56, E57: every scope's rate has a window; cancels have their own; breakers that slow space."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.digest import state_digest
from engine.throttle import (
    CONTENT_NS_MAX,
    CONTENTS_MAX,
    Window,
    charge_content,
    content_wait_ns,
)
from riskd.messages import (
    Amend,
    Configure,
    DuplicateOrders,
    GroupSpec,
    Hello,
    LimitSet,
    LimitsSpec,
    Reset,
    Tick,
    Trip,
    Universe,
)
from tests.builders import (
    INSTRUMENTS,
    MS,
    QUOTES,
    SECOND,
    StampedCore,
    a_core,
    a_fill,
    a_report,
    an_account,
    an_order,
    codes_of,
)
from tests.engine.live import Live

TWO = LimitsSpec(orders_per_second=2)
ACCOUNTS = (an_account("A1", group="desk"), an_account("A2", group="desk"), an_account("A3"))


def a_desk(limits: LimitSet) -> StampedCore:
    """A1 and A2 of one desk, A3 of none, and fresh prices."""
    house = StampedCore()
    universe = Universe(
        instruments=INSTRUMENTS,
        groups=(GroupSpec(id="desk"),),
        accounts=ACCOUNTS,
        limits=limits,
    )
    house.send(Configure(universe=universe))
    for symbol, (bid, ask) in QUOTES.items():
        house.send(Tick(symbol=symbol, bid=bid, ask=ask))
    return house


def sent(house: StampedCore, *orders: tuple[str, dict[str, Any]]) -> list[list[str]]:
    """Return the codes of orders of the accounts, in turn."""
    told = []
    for number, (account, fields) in enumerate(orders):
        told.append(codes_of(house.send(an_order(f"o-{number}", account=account, **fields))))
    return told


@pytest.mark.parametrize(
    ("limits", "fields"),
    [
        (LimitSet(firm=TWO), {}),
        (LimitSet(group={"desk": TWO}), {}),
        (LimitSet(trader={"ann": TWO}), {"trader": "ann"}),
        (LimitSet(strategy={"mm": TWO}), {"strategy": "mm"}),
        (LimitSet(symbol={"X": TWO}), {}),
    ],
)
def test_e57_rate_of_a_wider_scope_counts_what_all_its_accounts_send(limits, fields):
    house = a_desk(limits)
    told = sent(house, ("A1", fields), ("A2", fields), ("A1", fields), ("A2", fields))
    assert told == [[], [], ["RATE_LIMIT"], ["RATE_LIMIT"]]
    house.elapse(SECOND)
    assert codes_of(house.send(an_order("later", account="A2", **fields))) == []


@pytest.mark.parametrize(
    ("limits", "fields", "others"),
    [
        (LimitSet(group={"desk": TWO}), {}, {"account": "A3"}),
        (LimitSet(trader={"ann": TWO}), {"trader": "ann"}, {"trader": "bob"}),
        (LimitSet(strategy={"mm": TWO}), {"strategy": "mm"}, {"strategy": "arb"}),
        (LimitSet(symbol={"X": TWO}), {}, {"symbol": "Y", "price": 50.0}),
        (LimitSet(account={"A1": TWO}), {}, {"account": "A2"}),
    ],
)
def test_e57_what_is_outside_the_scope_is_not_held_against_it(limits, fields, others):
    house = a_desk(limits)
    assert sent(house, *[("A1", fields)] * 3) == [[], [], ["RATE_LIMIT"]]
    assert codes_of(house.send(an_order("other", **(fields | others)))) == []


def test_e57_every_scope_is_charged_although_another_one_is_full():
    """The account's window is full; the trader's goes on counting, and shields nobody."""
    limits = LimitSet(
        account={"A1": LimitsSpec(orders_per_second=1)},
        trader={"ann": LimitsSpec(orders_per_second=3)},
    )
    house = a_desk(limits)
    ann: dict[str, Any] = {"trader": "ann"}
    assert sent(house, *[("A1", ann)] * 3) == [[], ["RATE_LIMIT"], ["RATE_LIMIT"]]
    refused = house.send(an_order("a2", account="A2", **ann))
    assert [(x.code, x.scope, x.scope_id) for x in refused.rejects] == [
        ("RATE_LIMIT", "trader", "ann")
    ]


def test_e57_dry_run_is_told_the_same_and_charges_nothing():
    house = a_desk(LimitSet(firm=LimitsSpec(orders_per_second=1)))
    digest = house.digest()
    assert codes_of(house.send_at(an_order("dry", dry_run=True), house.stamp)) == []
    assert house.digest() == digest
    assert sent(house, ("A1", {})) == [[]]
    assert codes_of(house.send(an_order("again", dry_run=True))) == ["RATE_LIMIT"]
    house.elapse(SECOND)
    assert sent(house, ("A2", {})) == [[]]


GAPS = st.one_of(st.sampled_from([0, 1, 999, 1000, 1001]), st.integers(0, 3000))


@settings(max_examples=200, deadline=None, database=None)
@given(gaps=st.lists(GAPS, max_size=80), count_max=st.integers(0, 4))
def test_wait_of_a_window_is_what_a_charge_would_return_and_changes_nothing(gaps, count_max):
    window, contents, now_ns = Window(), dict[str, list[int]](), 0
    limits = {"count_max": max(1, count_max), "window_ns": 1000}
    for gap_ns in gaps:
        now_ns += gap_ns
        before = list(window.charges), {key: list(x) for key, x in contents.items()}
        wait_ns = window.wait_ns(count_max, 1000, now_ns)
        content_ns = content_wait_ns(contents, "c", now_ns, **limits)
        assert before == (window.charges, contents)
        assert wait_ns == window.charge(count_max, 1000, now_ns)
        assert content_ns == charge_content(contents, "c", now_ns, **limits)


def test_e56_cancels_pass_whatever_the_rate_of_orders_and_their_own_rate_only_alerts():
    limits = LimitsSpec(orders_per_second=3, cancels_per_second=2)
    house = a_core(limits)
    for number in range(3):
        assert codes_of(house.send(an_order(f"o-{number}"))) == []
    assert codes_of(house.send(an_order("one more"))) == ["RATE_LIMIT"]
    for number in range(3):
        assert house.send(a_report(f"o-{number}", "cancel_pending")).flags == ()
        assert house.account().orders[f"o-{number}"].state == "cancel_pending"
        assert len(house.alerts("cancel_rate")) == (1 if number == 2 else 0)
    alert = house.alerts("cancel_rate")[0]
    assert (alert.value, alert.threshold) == (3, 2)


def test_e56_cancels_exactly_at_their_rate_raise_nothing_and_an_edge_later_there_is_room():
    house = a_core(LimitsSpec(cancels_per_second=1))
    for number in range(3):
        house.send(an_order(f"o-{number}"))
    house.send(a_report("o-0", "cancel_pending"), after_ns=SECOND)
    house.send(a_report("o-1", "cancel_pending"), after_ns=SECOND)
    assert house.alerts("cancel_rate") == []
    house.send(a_report("o-2", "cancel_pending"), after_ns=SECOND - 1)
    assert len(house.alerts("cancel_rate")) == 1


def test_slow_breaker_keeps_each_account_s_orders_its_spacing_apart():
    house = a_core()
    house.send(Trip(scope="symbol", scope_id="X", action="slow", spacing_ms=10, reason="odd"))
    assert codes_of(house.send(an_order("o-1"))) == []
    refused = house.send(an_order("o-2"), after_ns=10 * MS - 1)
    assert codes_of(refused) == ["SLOWED"]
    assert (refused.rejects[0].retry_after_ns, refused.rejects[0].scope) == (1, "symbol")
    assert codes_of(house.send(an_order("other", account="A2"))) == []
    assert codes_of(house.send(an_order("y", symbol="Y", price=50.0))) == []
    assert codes_of(house.send(an_order("o-3"), after_ns=1)) == []  # A refusal is not charged.
    assert codes_of(house.send(an_order("o-4"), after_ns=10 * MS)) == []


def test_slow_breaker_lets_reducing_orders_pass_and_is_forgotten_when_it_closes():
    house = a_core()
    house.send(a_fill("e-1", "buy", 10))
    tripped = house.send(Trip(scope="firm", action="slow"))
    assert codes_of(house.send(an_order("o-1"))) == []
    assert codes_of(house.send(an_order("o-2"))) == ["SLOWED"]
    assert codes_of(house.send(an_order("exit", "sell", 4))) == []
    assert codes_of(house.send(an_order("exit-2", "sell", 7))) == ["SLOWED"]  # More than is left.
    house.send(Reset(breaker_id=tripped.data["breaker_id"]))
    assert codes_of(house.send(an_order("o-3"))) == []
    house.send(Trip(scope="firm", action="slow"))
    house.send(an_order("o-4"))
    assert [name for name in house.account().windows if name.startswith("slow")] == ["slow 2"]


def test_reduce_only_breaker_is_named_and_says_how_much_would_reduce():
    house = a_core()
    house.send(a_fill("e-1", "buy", 10))
    house.send(Trip(scope="account", scope_id="A1", action="reduce_only", reason="calm down"))
    assert codes_of(house.send(an_order("exit", "sell", 4))) == []
    refused = house.send(an_order("too much", "sell", 7))
    assert codes_of(refused) == ["REDUCE_ONLY"]
    assert "at most 6 would reduce" in refused.rejects[0].text
    assert "calm down" in refused.rejects[0].text
    assert refused.max_quantity == 6
    assert codes_of(house.send(an_order("more", "buy", 1))) == ["REDUCE_ONLY"]


def test_live_system_and_core_agree_on_shared_windows_to_the_digest():
    limits = LimitSet(
        firm=LimitsSpec(orders_per_second=3),
        trader={"ann": LimitsSpec(orders_per_second=2, cancels_per_second=1)},
        default=LimitsSpec(duplicate_orders=DuplicateOrders(count=5, window_ms=1000)),
    )
    house = a_desk(limits)
    orders = [
        an_order(f"o-{n}", account=f"A{n % 3 + 1}", trader="ann" if n % 2 else "") for n in range(8)
    ]
    for order in orders:
        house.send(order)
    house.send(Trip(scope="firm", action="slow"))
    for order in orders:
        house.send(an_order(f"s-{order.client_order_id}", account=order.account))
    with Live() as live:
        for message, stamp in house.inputs:
            live.send(message, stamp)
        assert state_digest(live.system.state()) == house.digest()


def test_e57_session_of_every_gateway_has_a_window_that_a_new_session_does_not_empty():
    house = a_desk(LimitSet(session=LimitsSpec(orders_per_second=2)))
    first = house.send(Hello(gateway="G1")).session
    other = house.send(Hello(gateway="G2")).session
    told = [
        codes_of(house.send(an_order(f"o-{n}", account=f"A{n + 1}"), session=first))
        for n in range(3)
    ]
    assert told == [[], [], ["RATE_LIMIT"]]
    assert codes_of(house.send(an_order("g2"), session=other)) == []
    again = house.send(Hello(gateway="G1", accounts=("A1",), last_seq=house.stamp.seq)).session
    assert again != first
    refused = house.send(an_order("again"), session=again)
    assert [(x.code, x.scope, x.scope_id) for x in refused.rejects] == [
        ("RATE_LIMIT", "session", "G1")
    ]
    assert codes_of(house.send(an_order("no session"))) == []
    house.elapse(SECOND)
    assert codes_of(house.send(an_order("later"), session=again)) == []


def test_windows_of_gateways_that_went_silent_are_dropped():
    house = a_desk(LimitSet(session=LimitsSpec(orders_per_second=2)))
    for number in range(3):
        session = house.send(Hello(gateway=f"G{number}")).session
        house.send(an_order(f"o-{number}"), session=session)
        house.elapse(SECOND)
    assert list(house.core.boards.windows) == ["session G2"]


def test_slow_breaker_charges_no_change_that_adds_no_risk():
    house = a_core()
    house.send(an_order("o-1", quantity=5))
    house.send(Trip(scope="firm", action="slow", spacing_ms=100))
    smaller = Amend(account="A1", client_order_id="o-1", quantity=4.0)
    assert codes_of(house.send(smaller)) == []
    assert codes_of(house.send(an_order("o-2"))) == []
    larger = Amend(account="A1", client_order_id="o-1", quantity=6.0)
    assert codes_of(house.send(larger)) == ["SLOWED"]


def test_contents_that_no_window_reaches_are_forgotten_and_never_are_there_more_than_their_most():
    contents, now_ns = dict[str, list[int]](), 0
    limits = {"count_max": 2, "window_ns": 1}
    for number in range(CONTENTS_MAX + 100):
        charge_content(contents, f"c{number}", now_ns, **limits)
        assert len(contents) <= CONTENTS_MAX
    assert f"c{CONTENTS_MAX + 99}" in contents
    now_ns = CONTENT_NS_MAX
    for number in range(2 * CONTENTS_MAX):
        charge_content(contents, f"d{number % 20}", now_ns, **limits)
        charge_content(contents, f"e{number}", now_ns, **limits)
    assert not [content for content in contents if content.startswith("c")]
