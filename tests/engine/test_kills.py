"""E61, E62, E64, E65, E76, and what a kill or a breaker covers."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from riskd.messages import (
    Breaker,
    Configure,
    GroupSpec,
    Kill,
    Reset,
    Result,
    Severity,
    Trip,
    Unkill,
)
from tests.builders import (
    SECOND,
    StampedCore,
    a_core,
    a_fill,
    a_universe,
    an_account,
    an_order,
    codes_of,
)


def a_house_of_desks() -> StampedCore:
    """A1 at a desk of a region, A2 directly under the firm."""
    accounts = (an_account(group="desk"), an_account("A2"))
    groups = (GroupSpec(id="desk", parent="region"), GroupSpec(id="region"))
    house = a_core()
    house.send(Configure(universe=replace(a_universe(accounts=accounts), groups=groups)))
    return house


def test_e61_no_order_is_accepted_with_a_seq_after_the_kill():
    house = a_core()
    before = house.send(an_order("before"), after_ns=0)
    kill = house.send(Kill(scope="firm", reason="drill"), after_ns=0)
    after = house.send(an_order("after"), after_ns=0)
    assert before.seq < kill.data["seq"] < after.seq
    assert codes_of(before) == []
    assert codes_of(after) == ["KILLED"]
    retried = house.send(an_order("before"))
    assert (retried.approved, retried.duplicate, retried.seq) == (True, True, before.seq)
    lifted = house.send(Unkill(scope="firm"))
    again = house.send(an_order("again"))
    assert again.seq > lifted.data["seq"]
    assert codes_of(again) == []


def test_e61_kill_refuses_reducing_orders_too_and_takes_fills_and_reports():
    house = a_core()
    house.send_all(a_fill(quantity=5), an_order("w"))
    house.send(Kill(scope="account", scope_id="A1"))
    assert codes_of(house.send(an_order("o", "sell", 5, reduce_only=True))) == ["KILLED"]
    assert house.send(a_fill("e-2", client_order_id="w")).flags == ()
    assert house.position().books.lots == 6


SCOPES = [
    ("firm", "", True, True),
    ("firm", "anything", True, True),
    ("group", "desk", True, False),
    ("group", "region", True, False),
    ("account", "A1", True, False),
    ("account", "A2", False, True),
    ("strategy", "s", True, True),
    ("strategy", "other", False, False),
    ("symbol", "EURUSD", True, True),
    ("symbol", "X", False, False),
    ("currency", "EUR", True, True),
    ("currency", "USD", True, True),
    ("currency", "JPY", False, False),
]


@pytest.mark.parametrize(("scope", "scope_id", "stops_a1", "stops_a2"), SCOPES)
@pytest.mark.parametrize("kind", [Kill, Trip])
def test_kill_and_trip_cover_exactly_their_scope(kind, scope, scope_id, stops_a1, stops_a2):
    house = a_house_of_desks()
    assert house.send(kind(scope=scope, scope_id=scope_id, reason="drill")).ok
    for account, stops in (("A1", stops_a1), ("A2", stops_a2)):
        order = an_order("o", account=account, symbol="EURUSD", price=1.25, strategy="s")
        code = "KILLED" if kind is Kill else "BREAKER_OPEN"
        verdict = house.send(order)
        assert codes_of(verdict) == ([code] if stops else [])
        if stops:
            assert verdict.rejects[0].scope == scope
            assert "drill" in verdict.rejects[0].text
            assert "local operator" in verdict.rejects[0].text


@pytest.mark.parametrize("kind", [Kill, Trip, Unkill])
@pytest.mark.parametrize("scope", ["group", "account", "strategy", "symbol", "currency"])
def test_kill_of_nobody_is_refused_so_that_nobody_believes_in_it(kind, scope):
    house = a_core()
    refused = house.send(kind(scope=scope))
    assert (refused.code, refused.field) == ("malformed", "scope_id")
    assert not house.core.boards.breakers.book.open


@pytest.mark.parametrize("kind", [Kill, Trip])
@pytest.mark.parametrize(
    ("scope", "scope_id", "is_known"),
    [
        ("firm", "", True),
        ("group", "desk", True),
        ("group", "region", True),
        ("group", "TYPO", False),
        ("account", "A1", True),
        ("account", "TYPO", False),
        ("symbol", "X", True),
        ("symbol", "TYPO", False),
        ("currency", "JPY", True),
        ("currency", "TYPO", False),
        ("strategy", "never seen", True),  # Nobody declares strategies.
    ],
)
def test_kill_of_what_is_not_declared_is_done_and_its_answer_warns(kind, scope, scope_id, is_known):
    house = a_house_of_desks()
    answer = house.send(kind(scope=scope, scope_id=scope_id, reason="drill"))
    assert answer.ok
    told = f"riskd knows no {scope} {scope_id}; this stops nothing that trades now"
    assert answer.data.get("warning") == (None if is_known else told)
    assert len(house.core.boards.breakers.book.open) == 1  # Who is declared later is stopped.


@pytest.mark.parametrize(
    ("asked", "warned"),
    [
        (Kill(scope="strategy", scope_id="s", flatten=True), True),
        (Trip(scope="strategy", scope_id="s", action="halt_flatten"), True),
        (Kill(scope="strategy", scope_id="s", cancel=True), False),
        (Kill(scope="account", scope_id="A1", flatten=True), False),
    ],
)
def test_strategy_has_no_positions_that_a_kill_could_close_and_its_answer_says_so(asked, warned):
    assert ("warning" in a_core().send(asked).data) is warned


def test_verdict_and_alert_name_what_is_killed_once():
    house = a_core()
    house.send(Kill(scope="firm", reason="drill"))
    assert house.send(an_order()).rejects[0].text == "kill of firm by local operator: drill"
    assert house.alerts("breaker_stopped")[0].message == "kill of firm set by local operator: drill"


@pytest.mark.parametrize(
    ("parent", "child"),
    [(("firm", ""), ("group", "desk")), (("group", "region"), ("account", "A1"))],
)
def test_e62_child_stays_killed_when_its_parent_is_released(parent, child):
    house = a_house_of_desks()
    house.send(Kill(scope=parent[0], scope_id=parent[1]))
    house.send(Kill(scope=child[0], scope_id=child[1]))
    assert house.send(Unkill(scope=parent[0], scope_id=parent[1])).ok
    assert codes_of(house.send(an_order("o-1"))) == ["KILLED"]
    assert codes_of(house.send(an_order("o-1", account="A2"))) == []
    assert house.send(Unkill(scope=child[0], scope_id=child[1])).ok
    assert codes_of(house.send(an_order("o-2"))) == []


def test_e62_unkill_of_the_child_does_not_lift_the_parent():
    house = a_house_of_desks()
    house.send(Kill(scope="firm"))
    assert house.send(Unkill(scope="account", scope_id="A1")).code == "not_found"
    assert codes_of(house.send(an_order())) == ["KILLED"]


def test_kill_twice_is_one_kill():
    house = a_core()
    first, second = house.send(Kill(scope="firm")), house.send(Kill(scope="firm"))
    assert first.data["breaker_id"] == second.data["breaker_id"]
    assert (first.data["changed"], second.data["changed"]) == (True, False)
    events = [x.message for x in house.published if isinstance(x.message, Breaker)]
    assert len(events) == 1
    assert house.alerts("breaker_stopped")[0].severity is Severity.CRITICAL
    house.send(Unkill(scope="firm"))
    assert codes_of(house.send(an_order())) == []
    assert house.send(Unkill(scope="firm")).code == "not_found"


def test_e64_trip_overlapping_shorter_ends_and_longer_stays():
    house = a_core()
    now_ns = house.stamp.recv_ns + 1000
    house.send(Trip(scope="firm", until_ns=now_ns + 2 * SECOND))
    house.send(Trip(scope="firm", until_ns=now_ns + 1000 + SECOND))
    house.elapse(SECOND)
    assert len(house.core.boards.breakers.book.open) == 1
    assert codes_of(house.send(an_order("o-1"))) == ["BREAKER_OPEN"]
    house.elapse(SECOND)
    assert codes_of(house.send(an_order("o-2"))) == []
    assert house.core.due_ns() is not None  # Of the reservation alone.


@pytest.mark.parametrize("kill_first", [True, False])
@pytest.mark.parametrize("manual", [Kill, Trip])
def test_e65_timed_breaker_that_ends_lifts_nothing_manual_of_its_scope(manual, kill_first):
    """Nor does it end sooner for it; days later the manual one stands until a person lifts it."""
    house = a_core()
    timed = Trip(scope="account", scope_id="A1", until_ns=house.stamp.recv_ns + 3 * SECOND)
    by_hand = manual(scope="account", scope_id="A1", reason="by hand")
    house.send_all(*((by_hand, timed) if kill_first else (timed, by_hand)))
    assert len(house.core.boards.breakers.book.open) == 2
    house.elapse(3 * SECOND)
    (left,) = house.core.boards.breakers.book.open.values()
    assert (left.reason, left.until_ns) == ("by hand", None)
    code = "KILLED" if manual is Kill else "BREAKER_OPEN"
    assert codes_of(house.send(an_order("o-1"))) == [code]
    house.elapse(3 * 86_400 * SECOND)
    assert list(house.core.boards.breakers.book.open.values()) == [left]
    unkill, reset = Unkill(scope="account", scope_id="A1"), Reset(breaker_id=left.breaker_id)
    assert house.send(unkill if manual is Kill else reset).ok
    assert house.core.boards.breakers.book.open == {}


def test_e76_kill_and_breaker_need_one_person_and_stand_at_once():
    """Nobody is asked a second time, whoever asked for something before."""
    house = a_core()
    for asked in (Kill(scope="firm", reason="odd"), Trip(scope="symbol", scope_id="X")):
        seq = house.stamp.seq + 1
        stamp = house.stamp._replace(seq=seq, steady_ns=house.stamp.steady_ns + 1)
        house.stamp = stamp
        assert isinstance(house.core.apply(asked, stamp, "ann"), Result)
    told = house.send(an_order("o", explain=True))
    assert codes_of(told)[:2] == ["KILLED", "BREAKER_OPEN"]
    assert all("by ann" in found.text for found in told.rejects[:2])


def test_trip_ends_at_its_instant_even_before_an_elapse():
    house = a_core()
    house.send(Trip(scope="firm", until_ns=house.stamp.recv_ns + 1000 + SECOND))
    assert codes_of(house.send(an_order("o-1"), SECOND - 1)) == ["BREAKER_OPEN"]
    assert codes_of(house.send(an_order("o-2"), 1)) == []


def test_reset_closes_one_breaker_and_leaves_the_kill():
    house = a_core()
    house.send(Kill(scope="account", scope_id="A1"))
    breaker = house.send(Trip(scope="account", scope_id="A1")).data["breaker_id"]
    assert house.send(Reset(breaker_id=breaker)).ok
    assert house.send(Reset(breaker_id=breaker)).code == "not_found"
    assert codes_of(house.send(an_order())) == ["KILLED"]


def test_trip_that_only_alerts_stops_nothing():
    house = a_core()
    house.send(Trip(scope="firm", action="alert"))
    assert codes_of(house.send(an_order())) == []


@pytest.mark.parametrize("kill_first", [True, False])
def test_kill_of_a_narrow_scope_comes_before_a_breaker_of_a_wide_one(kill_first):
    house = a_core()
    house.send(a_fill(quantity=5))
    commands: list[Kill | Trip] = [Kill(scope="account", scope_id="A1"), Trip(scope="firm")]
    house.send_all(*(commands if kill_first else commands[::-1]))
    assert codes_of(house.send(an_order("o-1"))) == ["KILLED"]
    assert codes_of(house.send(an_order("o-2", "sell", 5))) == ["KILLED"]


def test_explain_names_a_kill_and_an_open_breaker_that_both_hold():
    house = a_core()
    house.send(Kill(scope="firm"))
    house.send(Trip(scope="account", scope_id="A1", action="halt"))
    verdict = house.send(an_order("o-1", explain=True))
    assert [reject.code for reject in verdict.rejects][:2] == ["KILLED", "BREAKER_OPEN"]
