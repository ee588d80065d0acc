"""The actors equal the core: answers, publications and state, on faults as well."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core import Core
from engine.digest import state_digest
from engine.facts import Stamp
from riskd.codec import encode_msgpack
from riskd.messages import (
    Basket,
    Configure,
    Elapse,
    Error,
    Hello,
    Kill,
    LimitChange,
    LimitsSet,
    LimitsSpec,
    SessionLost,
    SessionRoll,
    Severity,
    Tick,
    Verdict,
)
from tests.builders import (
    MS,
    WALL_NS,
    a_core,
    a_fill,
    a_report,
    a_universe,
    an_order,
    codes_of,
)
from tests.engine.live import Live
from tests.engine.random_inputs import Inputs


@pytest.mark.parametrize("seed", range(6))
def test_live_system_equals_the_core_on_random_inputs(seed):
    """Equal answers and publications in order, byte for byte, and one state."""
    core = Core()
    with Live() as live:
        for number, (message, stamp) in enumerate(Inputs(seed).draw(1000)):
            expected = core.apply(message, stamp)
            answer = live.send(message, stamp)
            assert encode_msgpack(answer) == encode_msgpack(expected), message
            told = [(topical.topic, topical.message) for topical in core.published]
            assert encode_msgpack(live.published) == encode_msgpack(told), message
            assert live.said == [(said.session, said.message) for said in core.said], message
            assert live.system.due_ns() == core.due_ns()
            if number % 50 == 0:
                assert state_digest(live.system.state()) == state_digest(core.state())
        assert state_digest(live.system.state()) == state_digest(core.state())
        assert live.system.tick_counts == core.tick_counts
        assert live.failed == []
        assert live.fatal == []


class Both:
    """The core and the live system side by side: every input goes to both and must agree."""

    def __init__(self, live: Live, limits: LimitsSpec | None = None) -> None:
        self.core, self.live = Core(), live
        self.published: list[Any] = []
        self._seq, self._now_ns = 0, 0
        self.send(Configure(universe=a_universe(limits)))
        self.send(Tick(symbol="X", bid=100.0, ask=100.0))
        self.send(Tick(symbol="Y", bid=50.0, ask=50.0))

    def send(self, message: Any, after_ns: int = 1000) -> Any:
        self._seq += 1
        self._now_ns += after_ns
        stamp = Stamp(self._seq, WALL_NS + self._now_ns, self._now_ns)
        expected = self.core.apply(message, stamp)
        answer = self.live.send(message, stamp)
        assert encode_msgpack(answer) == encode_msgpack(expected)
        told = [(topical.topic, topical.message) for topical in self.core.published]
        assert encode_msgpack(self.live.published) == encode_msgpack(told)
        self.published = [message for _, message in told]
        return answer

    def accounts(self, account: str = "A1") -> tuple[Any, Any]:
        return self.core.accounts[account], self.live.system.accounts[account]

    def damage(self, name: str, broken: Any) -> None:
        """Put a broken object in the place of a part of the state of A1, in both."""
        for account in self.accounts():
            setattr(account.state, name, broken)


@pytest.fixture
def both():
    with Live() as live:
        yield Both(live)


def assert_others_go_on(both: Both, name: str) -> None:
    assert codes_of(both.send(an_order(f"other-{name}", account="A2"))) == []
    assert both.send(a_fill(f"other-{name}", account="A2")).flags == ("unknown_order",)


def test_fault_in_a_check_is_answered_freezes_the_account_and_nobody_else(both):
    both.damage("unbooked", [None])
    verdict = both.send(an_order("o-1"))
    assert codes_of(verdict) == ["INTERNAL_FAULT"]
    alerts = [x for x in both.published if x.alert_type == "account_frozen"]
    assert [alert.severity for alert in alerts] == [Severity.EXTREME]
    assert [account.state.frozen for account in both.accounts()] == ["fault at seq 4"] * 2
    assert both.live.failed == [("A1", "fault at seq 4")]
    assert_others_go_on(both, "first")
    again = both.send(an_order("o-2"))
    assert codes_of(again) == ["INTERNAL_FAULT"]
    assert [account.state.frozen for account in both.accounts()] == ["fault at seq 4"] * 2
    assert_others_go_on(both, "second")
    both.damage("unbooked", [])
    assert codes_of(both.send(an_order("o-3"))) == ["ACCOUNT_FROZEN"]
    assert codes_of(both.send(an_order("o-1"))) == ["INTERNAL_FAULT"]
    assert both.live.fatal == []


@pytest.mark.parametrize(
    "message",
    [
        a_fill("e-9", client_order_id="o-1"),
        a_report("o-1", "canceled"),
        SessionRoll(account="A1"),
    ],
    ids=lambda message: type(message).__name__,
)
def test_fault_in_a_fact_is_an_error_answer_and_freezes_the_account(both, message):
    both.send(an_order("o-1"))
    both.send(a_fill("e-1"))
    for account in both.accounts():
        account.state.positions["X"].books = None
        account.state.positions["X"].open_buy_lots = None
        account.valuation.position_changed("X")
    answer = both.send(message)
    assert isinstance(answer, Error)
    assert answer.code == "internal"
    both.send(message)
    assert all(account.state.frozen for account in both.accounts())
    assert_others_go_on(both, "fill")
    assert both.live.fatal == []


def test_fault_at_a_wake_up_freezes_one_account_and_wakes_the_others(both):
    for account in ("A1", "A2"):
        both.send(an_order("o-1", account=account))
    both.damage("orders", {"o-1": None})
    both.send(Elapse(), 40_000 * MS)
    core, live = both.accounts("A2")
    assert [x.state.orders["o-1"].state for x in (core, live)] == ["suspect", "suspect"]
    assert [bool(x.state.frozen) for x in both.accounts()] == [True, True]


def test_fault_in_one_account_of_a_roll_leaves_it_out_and_rolls_the_others(both):
    both.send(a_fill("e-1"))
    for account in both.accounts():
        account.state.positions["X"].books = None
        account.valuation.position_changed("X")
    answer = both.send(SessionRoll())
    assert not answer.ok
    assert answer.data["skipped"] == ["A1"]


def test_fault_answers_no_order_with_an_approval_it_never_had(both):
    """A known id keeps its verdict; another body, or a dry run, gets none of it."""
    first = both.send(an_order("o-1"))
    both.damage("unbooked", [None])
    repeated = both.send(an_order("o-1"))
    assert isinstance(repeated, Verdict)
    assert (repeated.approved, repeated.duplicate, repeated.seq) == (True, True, first.seq)
    assert codes_of(both.send(an_order("o-1", quantity=500))) == ["INTERNAL_FAULT"]
    assert codes_of(both.send(an_order("o-1", dry_run=True))) == ["INTERNAL_FAULT"]
    for account in both.accounts():
        assert account.state.orders["o-1"].verdict == first


def test_fault_does_not_forget_the_end_of_an_order(both):
    both.send(an_order("o-1"))
    both.send(a_report("o-1", "canceled"))
    both.damage("unbooked", [None])
    assert both.send(an_order("o-1")).approved
    for account in both.accounts():
        assert account.state.finished["o-1"].state == "canceled"


def test_fault_on_a_frozen_account_raises_no_second_alert(both):
    both.damage("unbooked", [None])
    both.send(an_order("o-1"))
    for number in range(3):
        both.send(an_order(f"o-{number + 2}"), 2000 * MS)
        assert both.published == []


def test_kill_reaches_every_account_at_once_in_both(both):
    both.send(Kill(scope="firm"))
    for account in ("A1", "A2"):
        assert codes_of(both.send(an_order("o", account=account))) == ["KILLED"]


def test_fault_at_a_lost_session_freezes_one_account_and_cancels_the_orders_of_others(both):
    session = both.send(Hello(gateway="G1", executes_responses=True)).session
    lost = both.send(Hello(gateway="G2", cancel_on_disconnect=True)).session
    for account in ("A1", "A2"):
        both.send(an_order("o-1", account=account))
        for one in both.accounts(account):
            one.state.orders["o-1"].session = lost
    for one in both.accounts():
        one.state.orders["o-1"].check = None
    both.send(SessionLost(session=lost, reason="drill"))
    core, live = both.accounts("A2")
    assert [x.state.orders["o-1"].state for x in (core, live)] == ["cancel_pending"] * 2
    assert [bool(x.state.frozen) for x in both.accounts()] == [True, True]
    ((number, instruction),) = both.live.said
    assert (number, instruction.account) == (session, "A2")
    assert both.live.fatal == []


def test_fault_in_a_leg_refuses_the_basket_and_takes_the_others_back(both):
    """A2 fails on its leg: it is frozen, A1 is free again and goes on."""
    for account in both.accounts("A2"):
        account.state.unbooked = [None]
    legs = [an_order("o-1", quantity=3), an_order("o-2", account="A2")]
    answer = both.send(Basket(basket_id="b-1", orders=legs))
    assert [codes_of(verdict) for verdict in answer.verdicts] == [["INTERNAL_FAULT"]] * 2
    assert [account.state.frozen != "" for account in both.accounts("A2")] == [True, True]
    assert [account.position("X").open_buy_lots for account in both.accounts()] == [0, 0]
    assert codes_of(both.send(an_order("o-3"))) == []
    assert both.live.fatal == []


def test_limit_that_ends_after_its_burst_of_alerts_is_told_alike():
    """Found by the simulator: the actors let time pass for the alerts first, the core last."""
    house = a_core(LimitsSpec(order_quantity=10))
    until_ns = house.stamp.recv_ns + 1200 * MS
    change = LimitChange(scope="firm", key="order_quantity", value=5, until_ns=until_ns)
    house.send(LimitsSet(changes=(change,), by="ann"))  # Its burst is over after a second.
    house.send(a_report("nobody", "accepted"), 500 * MS)  # The burst of this one is not.
    house.elapse(800 * MS)
    with Live() as live:
        for message, stamp in house.inputs:
            live.send(message, stamp)
        assert state_digest(live.system.state()) == house.digest()
