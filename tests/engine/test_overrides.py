"""E77: an override is of one order, is used once, ends, has two names, and opens nothing shut."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.digest import state_digest
from engine.facts import BY_LOCAL, Stamp
from engine.overrides import OVERRIDES_MAX
from riskd.contract.order_hash import order_hash
from riskd.messages import (
    ActorFailed,
    Check,
    Elapse,
    Error,
    Kill,
    LimitSet,
    LimitsSpec,
    MarketPhase,
    MarketState,
    OrderRule,
    Override,
    Permissions,
    Trip,
    Verdict,
)
from tests.builders import SECOND, StampedCore, a_core, an_order, codes_of
from tests.engine.live import Live

LIMITS = LimitsSpec(order_quantity=10, position_quantity=15, order_notional=2000)
LARGE = an_order("block", quantity=50)


def an_override(house: StampedCore, order: Check = LARGE, **fields: Any) -> Override:
    told: dict[str, Any] = {
        "order_hash": order_hash(order),
        "expires_ns": house.stamp.recv_ns + 60 * SECOND,
        "requested_by": "ann",
        "approved_by": "bob",
        "reason": "agreed",
    }
    return Override(**(told | fields))


def test_e77_override_lets_its_order_past_every_limit_once_and_says_who():
    house = a_core(LIMITS)
    assert house.send(an_override(house)).ok
    approved = house.send(LARGE)
    assert codes_of(approved) == []
    assert [found.code for found in approved.warnings] == [
        "ORDER_QUANTITY",
        "ORDER_NOTIONAL",
        "POSITION_LIMIT",
    ]
    assert house.position().open_buy_lots == 50
    message = house.alerts("override_used")[0].message
    assert "requested by ann" in message
    assert "approved by bob" in message
    assert "ORDER_NOTIONAL" in message
    assert house.core.boards.overrides == {}


def test_e77_override_is_used_once_and_a_retry_gets_the_first_verdict():
    house = a_core(LIMITS)
    house.send(an_override(house))
    assert house.send(LARGE).approved
    again = house.send(LARGE)
    assert (again.approved, again.duplicate) == (True, True)
    assert house.position().open_buy_lots == 50
    assert codes_of(house.send(an_order("another", quantity=50))) == ["ORDER_QUANTITY"]


@pytest.mark.parametrize(
    "other",
    [
        {"quantity": 51},
        {"price": 100.01},
        {"side": "sell"},
        {"order_id": "block-2"},
        {"strategy": "mm"},
        {"account": "A2"},
    ],
)
def test_e77_override_is_of_exactly_its_order(other):
    house = a_core(LIMITS)
    house.send(an_override(house))
    fields: dict[str, Any] = {"order_id": "block", "quantity": 50} | other
    assert codes_of(house.send(an_order(**fields))) == ["ORDER_QUANTITY"]
    assert len(house.core.boards.overrides) == 1


def test_e77_override_ends_by_steady_time_and_an_id_refused_before_it_stays_refused():
    house = a_core(LIMITS)
    house.send(an_override(house, expires_ns=house.stamp.recv_ns + 1000 + 5000))
    assert codes_of(house.send(LARGE, after_ns=5000)) == ["ORDER_QUANTITY"]
    house.send(an_override(house))
    repeated = house.send(LARGE)  # E3: what was refused stays so; a new id is needed.
    assert (repeated.approved, repeated.duplicate) == (False, True)


SHUT = [
    (Kill(scope="firm"), "KILLED"),
    (Trip(scope="symbol", scope_id="X"), "BREAKER_OPEN"),
    (Trip(scope="symbol", scope_id="X", action="reduce_only"), "REDUCE_ONLY"),
    (ActorFailed(account="A1"), "ACCOUNT_FROZEN"),
    (MarketState(symbol="X", state=MarketPhase.HALTED), "MARKET_CLOSED"),
]


@pytest.mark.parametrize(("shut", "code"), SHUT)
def test_e77_override_opens_nothing_that_is_shut_and_is_kept_for_later(shut, code):
    house = a_core(LIMITS)
    house.send(an_override(house))
    house.send(shut)
    assert codes_of(house.send(LARGE))[0] == code
    assert len(house.core.boards.overrides) == 1


def test_e77_override_never_passes_a_restricted_list():
    house = a_core(LIMITS, permissions=Permissions(restricted=(OrderRule(symbol="X"),)))
    house.send(an_override(house))
    assert codes_of(house.send(LARGE)) == ["NOT_PERMITTED"]


def test_e77_override_covers_no_rate_no_margin_and_no_number_off_the_grid():
    house = a_core(LimitSet(default=LimitsSpec(order_quantity=10, orders_per_second=1)))
    house.send(an_override(house))
    house.send(an_order("first"))
    assert codes_of(house.send(LARGE)) == ["ORDER_QUANTITY"]
    off = an_order("off", quantity=50, price=100.001)
    house.send(an_override(house, off))
    assert codes_of(house.send(off))[0] == "PRICE_OFF_TICK"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"approved_by": "ann"}, "nobody approves"),
        ({"expires_ns": 1}, "is past"),
    ],
)
def test_e77_override_of_one_person_or_of_the_past_is_refused(wrong, says):
    house = a_core(LIMITS)
    answer = house.send(an_override(house, **wrong))
    assert isinstance(answer, Error)
    assert (answer.code, says in answer.text) == ("refused", True)
    assert house.core.boards.overrides == {}
    assert codes_of(house.send(LARGE)) == ["ORDER_QUANTITY"]


def test_e77_dry_run_uses_nothing_up_and_is_told_what_the_order_is_past():
    house = a_core(LIMITS)
    house.send(an_override(house, an_order("block", quantity=50)))
    dry = house.send(an_order("block", quantity=50, dry_run=True))
    assert codes_of(dry) == ["ORDER_QUANTITY"]
    assert len(house.core.boards.overrides) == 1


def test_overrides_standing_are_bounded_and_those_that_ended_make_room():
    house = a_core(LIMITS)
    soon_ns = house.stamp.recv_ns + SECOND
    for number in range(OVERRIDES_MAX):
        assert house.send(an_override(house, order_hash=f"{number:032x}", expires_ns=soon_ns)).ok
    assert house.send(an_override(house)).code == "refused"
    house.elapse(2 * SECOND)
    assert house.send(an_override(house)).ok


def test_override_is_state_and_the_live_system_uses_it_too():
    house = a_core(LIMITS)
    house.send(an_override(house))
    house.send(an_override(house, an_order("other")))
    house.send(LARGE)
    with Live() as live:
        answers = [live.send(message, stamp) for message, stamp in house.inputs]
        assert isinstance(answers[-1], Verdict)
        assert answers[-1].approved
        assert state_digest(live.system.state()) == house.digest()


class Signed:
    """A core whose commands come from people with keys; what it was told, with the names."""

    def __init__(self) -> None:
        self.house = a_core(LIMITS)
        self.told: list[tuple[Any, Stamp, str]] = [(*one, BY_LOCAL) for one in self.house.inputs]

    def send(self, message: Any, by: str = BY_LOCAL, after_ns: int = 1000) -> Any:
        seq, recv_ns, steady_ns, _ = self.house.stamp
        stamp = self.house.stamp = Stamp(seq + 1, recv_ns + after_ns, steady_ns + after_ns)
        self.told.append((message, stamp, by))
        return self.house.core.apply(message, stamp, by)


@pytest.mark.parametrize(("first", "second"), [("ann", "bob"), ("bob", "ann")])
def test_override_needs_both_of_two_people_where_they_have_keys(first, second):
    signed = Signed()
    waiting = signed.send(an_override(signed.house), first)
    assert waiting.data["waits_for"] == second
    assert codes_of(signed.send(an_order("block", quantity=50, dry_run=True))) == ["ORDER_QUANTITY"]
    assert codes_of(signed.send(replace(LARGE, client_order_id="other"))) == ["ORDER_QUANTITY"]
    granted = signed.send(an_override(signed.house), second)
    assert "waits_for" not in granted.data
    assert signed.send(LARGE).approved
    with Live() as live:
        for message, stamp, by in signed.told:
            live.send(message, stamp, by)
        assert state_digest(live.system.state()) == signed.house.digest()


def test_override_that_one_person_signs_again_and_again_opens_nothing():
    signed = Signed()
    for _ in range(3):
        assert signed.send(an_override(signed.house), "ann").data["waits_for"] == "bob"
    assert codes_of(signed.send(LARGE)) == ["ORDER_QUANTITY"]


def test_override_of_two_others_is_refused_to_whoever_is_neither():
    signed = Signed()
    answer = signed.send(an_override(signed.house), "mallory")
    assert (answer.code, "neither" in answer.text) == ("refused", True)
    assert signed.send(an_override(signed.house), "ann").ok
    assert signed.send(an_override(signed.house), "mallory").code == "refused"
    assert codes_of(signed.send(LARGE)) == ["ORDER_QUANTITY"]


def test_override_is_agreed_by_who_was_named_and_for_the_shorter_of_two_times():
    signed = Signed()
    soon_ns = signed.house.stamp.recv_ns + 2 * SECOND
    assert signed.send(an_override(signed.house, approved_by="eve"), "ann").ok
    # Another pair of people: its own first signature, not the second of the other pair.
    assert signed.send(an_override(signed.house), "bob").data["waits_for"] == "ann"
    assert signed.send(an_override(signed.house, expires_ns=soon_ns), "ann").ok
    signed.send(Elapse(), after_ns=3 * SECOND)
    assert codes_of(signed.send(LARGE)) == ["ORDER_QUANTITY"]
