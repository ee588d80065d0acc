"""E71, E72, E75, E76: limits change at one seq, whole or not at all, and looser ones need two."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from engine.core import Core
from engine.digest import decode_state, encode_state
from engine.limit_desk import PROPOSAL_NS, PROPOSALS_MAX
from riskd.messages import (
    Configure,
    DuplicateOrders,
    Error,
    LimitChange,
    LimitsApprove,
    LimitSet,
    LimitsPropose,
    LimitsReject,
    LimitsSet,
    LimitsSpec,
    LimitsUpdate,
    LimitValue,
    PriceMove,
    ResponseAction,
    ResponseEvent,
    ResponseMode,
    ResponsePolicy,
    Result,
    SelfMatch,
    Severity,
    Tick,
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
from tests.engine.gateway import Gateway
from tests.engine.live import Live

LIMITS = LimitSet(
    default=LimitsSpec(order_quantity=10.0, open_orders=5, margin_stopout_pct=50.0),
    account={"A1": LimitsSpec(order_quantity=8.0)},
)


def a_change(value: Any = 5, key: str = "order_quantity", **fields: Any) -> LimitChange:
    return LimitChange(**({"scope": "account:A1", "key": key, "value": value} | fields))


def set_limit(house: StampedCore, *changes: LimitChange, by: str = "ann") -> Any:
    return house.send(LimitsSet(changes=changes, by=by, reason="a drill"))


def propose(house: StampedCore, *changes: LimitChange, by: str = "ann") -> Any:
    return house.send(LimitsPropose(changes=changes, by=by, reason="a block"))


def approve(house: StampedCore, number: int = 1, by: str = "bob") -> Any:
    return house.send(LimitsApprove(proposal_id=number, by=by))


def largest(house: StampedCore) -> float:
    """Return the largest order that passes, found by trying, at a price of now."""
    house.send(Tick(symbol="X", bid=99.5, ask=100.5))
    tried = {
        size: house.send(an_order("dry", quantity=size, dry_run=True)) for size in range(1, 40)
    }
    return max(size for size, verdict in tried.items() if not codes_of(verdict))


def test_e71_every_verdict_names_the_limits_it_was_judged_by_and_all_changes_come_at_once():
    house = a_core(LIMITS)
    before = house.send(an_order("o-1", quantity=8))
    answer = set_limit(house, a_change(5), a_change(1, "open_orders"))
    after = house.send(an_order("o-2", quantity=6))
    assert answer.data["limits_version"] == before.limits_version + 1 == after.limits_version
    assert codes_of(before) == []
    assert codes_of(after) == ["ORDER_QUANTITY"]
    assert codes_of(house.send(an_order("o-3", quantity=1))) == ["OPEN_ORDERS"]
    told = [x.message for x in house.published if isinstance(x.message, LimitsUpdate)][-1]
    assert (told.limits_version, told.seq) == (after.limits_version, answer.data["seq"])


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"scope": "acount:A1"}, "scope", "'acount:A1' is no scope"),
        ({"scope": "account:A11"}, "scope", "there is no account A11; did you mean A1?"),
        ({"scope": "account:A1:XX"}, "scope", "there is no symbol XX; did you mean X?"),
        ({"scope": "group:desk"}, "scope", "there is no group desk"),
        ({"scope": "firm:A1"}, "scope", "'firm:A1' is no scope"),
        ({"key": "order_quantiy"}, "key", "did you mean order_quantity?"),
        ({"scope": "firm", "key": "fill_delay"}, "key", "'fill_delay' is no limit"),
        ({"scope": "session"}, "key", "order_quantity binds nothing in scope session"),
        ({"value": -1}, "value", "Expected `float` >= 0"),
        ({"value": float("nan")}, "value", "must be finite and in range"),
        ({"value": {"value": float("inf")}}, "value", "must be finite and in range"),
        ({"value": 1e19}, "value", "must be finite and in range"),
        ({"value": "five"}, "value", "got `str`"),
        ({"until_ns": 5}, "until_ns", "an end to come"),
    ],
)
def test_e72_change_that_is_wrong_is_refused_with_all_others_and_says_where(change, field, words):
    house = a_core(LIMITS)
    before = house.core.boards.limits
    for asked in (LimitsSet, LimitsPropose):
        wrong = asked(changes=(a_change(1, "open_orders"), a_change(**change)), by="ann")
        answer = house.send(wrong)
        assert isinstance(answer, Error)
        assert (answer.code, answer.field) == ("malformed", f"changes[1].{field}")
        assert words in answer.text
    assert house.core.boards.limits is before
    assert house.core.boards.limit_book.proposals == {}


def test_e72_numbers_that_contradict_each_other_are_refused_whole():
    house = a_core(LIMITS)
    stopout, critical = (f"margin_{level}_pct" for level in ("stopout", "critical"))
    answer = set_limit(house, a_change(120, stopout), a_change(110, critical))
    assert "at most margin_critical_pct" in answer.text
    twice = set_limit(house, a_change(4), a_change(3))
    assert (twice.field, twice.code) == ("changes[1].key", "malformed")
    assert house.core.boards.limits_version == 1


def test_e75_tightening_below_current_use_cancels_nothing_and_stops_increases():
    house = a_core(LimitsSpec(position_quantity=100))
    house.send(a_fill("e-1", "buy", 50))
    house.send(an_order("w-1", "buy", 20))
    assert set_limit(house, a_change(30, "position_quantity")).ok
    assert house.position().open_buy_lots == 20
    assert house.said == []
    assert codes_of(house.send(an_order("o-1", "buy", 1))) == ["POSITION_LIMIT"]
    assert codes_of(house.send(an_order("o-2", "sell", 50))) == []


def test_e75_limit_on_exposure_that_is_tightened_below_use_is_breached_at_once():
    house = a_core(LimitsSpec(gross_exposure=100_000))
    house.send(a_fill("e-1", "buy", 500))
    assert house.alerts("exposure") == []
    assert set_limit(house, a_change(40_000, "gross_exposure")).ok
    assert [alert.value for alert in house.alerts("exposure")] == [50_000.0]


def test_e75_limit_that_is_tightened_below_use_cancels_where_a_policy_says_so():
    """Forty lots held are past 3,000, so the order that works goes; without the row it stays."""
    cancels = ResponsePolicy(
        id="cancels",
        event=ResponseEvent.EXPOSURE,
        severity=Severity.CRITICAL,
        action=ResponseAction.CANCEL,
    )
    for policies, told in (((), []), ((cancels,), ["w-1"])):
        automatic = an_account("A1", response_mode=ResponseMode.AUTOMATIC)
        universe = a_universe(LimitsSpec(gross_exposure=100_000.0), accounts=(automatic,))
        house = StampedCore()
        house.send(Configure(universe=replace(universe, responses=policies)))
        house.send(Tick(symbol="X", bid=100.0, ask=100.0))
        house.send(a_fill("e-1", "buy", 40))
        house.send(an_order("w-1", "buy", 20))
        gateway = Gateway(house)
        assert set_limit(house, a_change(3000, "gross_exposure")).ok
        assert [one.client_order_id for one in gateway.told()] == told
        assert codes_of(house.send(an_order("o-1", "buy", 1))) == ["GROSS_EXPOSURE"]
        assert list(house.account().orders) == ["w-1"]  # Until the venue has said so.


def test_e76_one_person_tightens_and_two_loosen():
    house = a_core(LIMITS)
    assert set_limit(house, a_change(5)).ok
    looser = set_limit(house, a_change(6))
    assert (looser.code, largest(house)) == ("refused", 5)
    assert "account:A1 order_quantity from 5" in looser.text
    proposed = propose(house, a_change(6))
    assert (proposed.data["proposal_id"], largest(house)) == (1, 5)
    himself = approve(house, by="ann")
    assert (himself.code, largest(house)) == ("refused", 5)
    assert approve(house).ok
    assert largest(house) == 6
    assert approve(house).code == "not_found"  # It was used up.
    changed = house.alerts("limits_changed")[-1].message
    assert "from 5 to 6 by ann, approved by bob (a block)" in changed


def test_e76_change_that_mixes_tighter_and_looser_needs_two():
    house = a_core(LIMITS)
    answer = set_limit(house, a_change(2, "open_orders"), a_change(9))
    assert answer.code == "refused"
    assert house.core.boards.limits == LIMITS


def test_e76_increase_for_a_time_ends_and_the_old_value_stands_again():
    house = a_core(LIMITS)
    set_limit(house, a_change(5))
    until_ns = house.stamp.recv_ns + 60 * SECOND
    propose(house, a_change(20, until_ns=until_ns))
    approve(house)
    # The default of all accounts stays the tightest: a child never loosens its parent.
    assert largest(house) == 10
    house.elapse(59 * SECOND)
    assert largest(house) == 10
    house.elapse(2 * SECOND)
    assert largest(house) == 5
    assert "their time is over" in house.alerts("limits_changed")[-1].message


def test_e76_rejected_and_forgotten_proposals_change_nothing_and_their_alerts_end():
    house = a_core(LIMITS)
    propose(house, a_change(9))
    propose(house, a_change(None))
    assert house.send(LimitsReject(proposal_id=1, by="ann")).ok
    assert house.send(LimitsReject(proposal_id=1, by="ann")).code == "not_found"
    house.elapse(PROPOSAL_NS)
    assert approve(house, 2).code == "not_found"
    assert [alert.status for alert in house.alerts("limits_proposed")][-2:] == ["resolved"] * 2
    assert house.core.boards.limits == LIMITS


def test_proposal_is_tried_again_when_it_is_approved():
    house = a_core(LIMITS)
    assert propose(house, a_change(45, "margin_critical_pct", scope="default")).code == "refused"
    propose(house, a_change(60, "margin_critical_pct", scope="default"))
    assert set_limit(house, a_change(70, "margin_stopout_pct", scope="default")).ok
    assert approve(house).code == "refused"


def test_changes_stand_over_another_configuration_until_they_are_taken_back():
    house = a_core(LIMITS)
    set_limit(house, a_change(5))
    house.send(Configure(universe=a_universe(LIMITS)))
    assert (largest(house), house.core.boards.limits_version) == (5, 2)
    tighter = LimitSet(default=LimitsSpec(order_quantity=3))
    house.send(Configure(universe=a_universe(tighter)))
    assert largest(house) == 3
    house.send(Configure(universe=a_universe(LIMITS)))
    back = LimitChange(scope="account:A1", key="order_quantity")
    assert set_limit(house, back).code == "refused"  # Eight is looser than five.
    propose(house, back)
    approve(house)
    assert house.core.boards.limits == LIMITS


def test_changes_and_proposals_survive_a_restart_and_end_on_the_same_instant():
    house = a_core(LIMITS)
    set_limit(
        house,
        a_change(5),
        a_change(2, until_ns=house.stamp.recv_ns + 60 * SECOND, key="open_orders"),
    )
    propose(house, a_change(9))
    fresh = Core()
    fresh.restore(decode_state(encode_state(house.core.state())))
    after = StampedCore(fresh)
    after.stamp = house.stamp
    for each in (house, after):
        each.elapse(61 * SECOND)
        assert approve(each).ok
    assert after.digest() == house.digest()
    assert after.core.boards.limits.account["A1"] == LimitsSpec(order_quantity=9)


def test_live_house_does_what_the_pure_one_does():
    house = a_core(LIMITS)
    set_limit(house, a_change(5, until_ns=house.stamp.recv_ns + SECOND))
    propose(house, a_change(20, scope="default"))
    approve(house)
    house.send(an_order("o-1", quantity=7))
    house.elapse(2 * SECOND)
    house.send(an_order("o-2", quantity=7))
    with Live() as live:
        told = []
        for message, stamp in house.inputs:
            live.send(message, stamp)
            told += live.published
    assert told == [(topical.topic, topical.message) for topical in house.published]


def test_proposals_are_bounded():
    house = a_core(LIMITS)
    for _ in range(PROPOSALS_MAX):
        assert isinstance(propose(house, a_change(9)), Result)
    assert propose(house, a_change(9)).code == "overloaded"
    assert house.send(LimitsReject(proposal_id=7, by="ann")).ok
    assert propose(house, a_change(9)).data["proposal_id"] == PROPOSALS_MAX + 1


MOVE = PriceMove(window_ms=1000, pct=5)
MINUTE = DuplicateOrders(count=3, window_ms=60_000)


@pytest.mark.parametrize(
    ("key", "old", "new", "is_looser"),
    [
        ("order_quantity", 8, 8, False),
        ("order_quantity", 8, 7.5, False),
        ("order_quantity", 8, 8.5, True),
        ("order_quantity", 8, None, True),
        ("order_notional", None, 8, False),
        ("order_quantity", 8, LimitValue(value=8), False),
        ("order_quantity", 8, LimitValue(value=8, hard=False), True),
        ("order_quantity", LimitValue(value=8, hard=False), 8, False),
        ("order_quantity", 8, LimitValue(value=8, warning=85), True),
        ("order_quantity", 8, LimitValue(value=8, warning=70), False),
        ("order_quantity", 8, LimitValue(value=8, critical=95), True),
        ("margin_stopout_pct", 50, 60, False),
        ("margin_stopout_pct", 50, 40, True),
        ("concentration_floor", None, 5, True),
        ("concentration_floor", 5, None, False),
        ("concentration_floor", 5, 4, False),
        ("ratio_floor", None, 101, True),
        ("ratio_floor", None, 99, False),
        ("auction_collar_factor", None, 2, True),
        ("currency_exposure", {"EUR": 5}, {"EUR": 5, "JPY": 9}, False),
        ("currency_exposure", {"EUR": 5}, {"JPY": 9}, True),
        ("currency_exposure", {"EUR": 5}, {"EUR": 6}, True),
        ("price_move", MOVE, {"window_ms": 2000, "pct": 5}, False),
        ("price_move", MOVE, {"window_ms": 500, "pct": 5}, True),
        ("price_move", MOVE, {"window_ms": 1000, "pct": 6}, True),
        ("price_move", MOVE, {"window_ms": 1000, "ticks": 1}, True),
        ("price_move", MOVE, {"window_ms": 1000, "pct": 5, "ticks": 1}, False),
        ("duplicate_orders", MINUTE, {"count": 2, "window_ms": 60_000}, False),
        ("duplicate_orders", MINUTE, {"count": 3, "window_ms": 50_000}, True),
        ("duplicate_orders", MINUTE, {"count": 4, "window_ms": 60_000}, True),
        ("self_match", None, "reject", False),
        ("self_match", SelfMatch.REJECT, None, True),
        ("self_match", SelfMatch.REJECT, "cancel_both", True),
    ],
)
def test_change_is_looser_when_something_could_pass_that_did_not(key, old, new, is_looser):
    house = a_core(LimitSet(account={"A1": LimitsSpec(**{key: old})}))
    answer = set_limit(house, a_change(to_builtins(new), key))
    assert isinstance(answer, Error) is is_looser, answer
