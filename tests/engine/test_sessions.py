"""Sessions of gateways in the engine: who speaks, what is lost, and what must be compared first."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core import Core
from engine.digest import decode_state, encode_state
from engine.facts import Facts, Instructed, Said
from riskd.messages import (
    AccountUnfreeze,
    Ack,
    Amend,
    Basket,
    Error,
    Hello,
    Instruction,
    InstructionAction,
    InstructionReport,
    Resynced,
    SessionLost,
    Severity,
    Side,
    TimeInForce,
    Welcome,
)
from tests.builders import (
    SECOND,
    WALL_NS,
    StampedCore,
    a_core,
    a_fill,
    a_report,
    an_order,
    codes_of,
)


def opened(
    house: StampedCore,
    gateway: str = "G1",
    session: int = 0,
    continued: int | None = None,
    **fields: Any,
) -> Welcome:
    """Say hello on the connection of `session` and return the welcome."""
    welcome = house.send(Hello(gateway=gateway, session=continued, **fields), session=session)
    assert isinstance(welcome, Welcome), welcome
    return welcome


def executing(house: StampedCore, gateway: str = "G1", **fields: Any) -> int:
    """Open a session that carries out instructions and cancels when it is lost."""
    told = {"executes_responses": True, "cancel_on_disconnect": True} | fields
    return opened(house, gateway, **told).session


def lose(house: StampedCore, session: int) -> None:
    house.send(SessionLost(session=session, reason="its connection is gone"))


def states(house: StampedCore, account: str = "A1") -> dict[str, str]:
    return {key: str(order.state) for key, order in house.account(account).orders.items()}


def cancels(house: StampedCore) -> list[tuple[int, str | None]]:
    """Return which cancels were said, to which session."""
    return [
        (session, message.client_order_id)
        for session, message in house.said
        if isinstance(message, Instruction)
    ]


def test_hello_opens_a_session_whose_orders_are_tagged_and_others_are_not():
    house = a_core()
    session = opened(house).session
    assert session == house.stamp.seq
    house.send(an_order("o-1"), session=session)
    house.send(an_order("o-2"))
    assert [house.account().orders[key].session for key in ("o-1", "o-2")] == [session, 0]


def test_hello_of_an_unknown_account_is_refused_and_opens_nothing():
    house = a_core()
    answer = house.send(Hello(gateway="G1", accounts=("A1", "ghost")))
    assert isinstance(answer, Error)
    assert (answer.code, answer.text) == ("not_found", "no account ghost")
    assert house.core.boards.sessions.standing() == []


def test_hello_of_another_gateway_on_the_same_connection_is_refused():
    house = a_core()
    session = opened(house).session
    answer = house.send(Hello(gateway="G2"), session=session)
    assert isinstance(answer, Error)
    assert answer.code == "refused"
    assert [x.gateway for x in house.core.boards.sessions.standing()] == ["G1"]


def test_second_hello_of_a_gateway_ends_its_first_session_and_cancels_its_orders():
    house = a_core()
    first = executing(house)
    house.send(an_order("o-1"), session=first)
    second = executing(house)
    assert second != first
    assert [x.number for x in house.core.boards.sessions.standing()] == [second]
    assert states(house) == {"o-1": "cancel_pending"}
    assert cancels(house) == [(second, "o-1")]


def test_second_hello_on_the_same_connection_keeps_the_session_and_its_orders():
    house = a_core()
    first = executing(house)
    seq = house.send(an_order("o-1"), session=first).seq
    again = opened(house, session=first, last_seq=seq)
    assert (again.session, again.must_resync) == (first, False)
    assert states(house) == {"o-1": "pending"}
    assert house.alerts("session_lost") == []


def test_hello_that_names_its_session_continues_it_from_another_connection():
    house = a_core()
    first = executing(house)
    seq = house.send(an_order("o-1"), session=first).seq
    welcome = house.send(Hello(gateway="G1", session=first, last_seq=seq))
    assert (welcome.session, welcome.must_resync) == (first, False)
    assert states(house) == {"o-1": "pending"}


def test_order_of_a_lost_session_is_refused_until_its_connection_says_hello_again():
    """Otherwise what a gateway sends that was only slow would outlive it, and it would not know."""
    house = a_core()
    first = opened(house).session
    lose(house, first)
    verdict = house.send(an_order("o-1"), session=first)
    assert codes_of(verdict) == ["UNRECONCILED"]
    assert verdict.rejects[0].text == f"session {first} is lost: say hello again"
    assert house.send(a_fill("e-1"), session=first).flags == ("unknown_order",)
    second = opened(house, session=first).session
    assert second != first
    assert codes_of(house.send(an_order("o-2"), session=second)) == []


def test_hello_that_names_a_lost_session_gets_another_one():
    house = a_core()
    first = executing(house)
    lose(house, first)
    welcome = house.send(Hello(gateway="G1", session=first))
    assert welcome.session == house.stamp.seq
    assert house.alerts("session_lost")[0].severity is Severity.HIGH


def test_e69_lost_session_cancels_its_own_day_orders_and_they_stay_counted_until_acked():
    """E69: only orders of the lost session; what is instructed counts until the venue says so."""
    house = a_core()
    lost = executing(house)
    other = executing(house, "G2")
    house.send(an_order("own", quantity=3), session=lost)
    house.send(an_order("others", quantity=5), session=other)
    house.send(an_order("nobodys", quantity=7))
    house.send(an_order("own-a2", account="A2"), session=lost)
    lose(house, lost)
    assert states(house) == {"own": "cancel_pending", "others": "pending", "nobodys": "pending"}
    assert states(house, "A2") == {"own-a2": "cancel_pending"}
    assert cancels(house) == [(other, "own"), (other, "own-a2")]
    assert house.position().open_buy_lots == 15
    house.send(a_report("own", "canceled"), session=other)
    assert house.position().open_buy_lots == 12
    assert "own" not in house.account().orders


@pytest.mark.parametrize(
    ("time_in_force", "own", "flag", "cancelled"),
    [
        ("day", None, True, True),
        ("ioc", None, True, True),
        ("gtc", None, True, False),
        ("gtd", None, True, False),
        ("gtc", True, True, True),
        ("day", False, True, False),
        ("day", None, False, False),
        ("gtc", True, False, True),
    ],
)
def test_e69_policy_of_the_order_decides_before_that_of_its_session(
    time_in_force: str, own: bool | None, flag: bool, cancelled: bool
):
    house = a_core()
    lost = executing(house, cancel_on_disconnect=flag)
    executing(house, "G2")
    until_ns = 2 * WALL_NS if time_in_force == "gtd" else None
    told: dict[str, Any] = {"time_in_force": TimeInForce(time_in_force), "expire_ns": until_ns}
    order = an_order("o-1", cancel_on_disconnect=own, **told)
    house.send(order, session=lost)
    lose(house, lost)
    assert states(house) == {"o-1": "cancel_pending" if cancelled else "pending"}


def test_e69_without_a_gateway_the_instruction_is_published_with_an_alert_and_given_later():
    house = a_core()
    lost = executing(house)
    house.send(an_order("o-1"), session=lost)
    house.published.clear()
    lose(house, lost)
    assert cancels(house) == []
    posted = [x.message for x in house.published if x.topic == "response.A1"]
    assert [x.client_order_id for x in posted if isinstance(x, Instruction)] == ["o-1"]
    assert [x.severity for x in house.alerts("instruction_unassigned")] == [Severity.CRITICAL]
    back = executing(house)
    assert house.said == [(back, posted[0])]  # The same id: it is done once.


def test_e69_instruction_goes_to_the_gateway_that_names_the_account_before_one_of_all():
    house = a_core()
    lost = executing(house)
    named = executing(house, "G2", accounts=("A1",))
    executing(house, "G3")
    executing(house, "G4", accounts=("A2",))
    opened(house, "G5", accounts=("A1",))  # Executes nothing.
    house.send(an_order("o-1"), session=lost)
    lose(house, lost)
    assert cancels(house) == [(named, "o-1")]


def test_instruction_is_given_again_when_its_session_is_lost_but_not_once_it_is_done():
    house = a_core()
    lost = executing(house)
    house.send(an_order("o-1"), session=lost)
    house.send(an_order("o-2"), session=lost)
    second = executing(house, "G2")
    lose(house, lost)
    (_, one), (_, two) = house.said
    assert isinstance(one, Instruction)
    assert isinstance(two, Instruction)
    done = InstructionReport(instruction_id=one.instruction_id, status="done")
    assert house.send(done, session=second).flags == ()
    assert house.send(done, session=second).duplicate
    house.said.clear()
    third = executing(house, "G2")
    assert house.said == [(third, two)]


@pytest.mark.parametrize("status", ["accepted", "done", "failed"])
def test_instruction_is_ended_by_the_session_alone_that_it_was_given_to(status):
    house = a_core()
    lost = executing(house)
    house.send(an_order("o-1"), session=lost)
    second, third = executing(house, "G2", accounts=("A1",)), executing(house, "G3")
    lose(house, lost)
    ((to, one),) = house.said
    assert to == second
    assert isinstance(one, Instruction)
    said = InstructionReport(instruction_id=one.instruction_id, status=status)
    for stranger in (third, lost, 0):
        ack = house.send(said, 0, session=stranger)
        assert (ack.flags, ack.duplicate) == (("not_instructed",), False)
    assert list(house.core.boards.outbox.outstanding) == [one.instruction_id]
    assert house.alerts("instruction_failed") == []
    lose(house, second)
    assert house.said[1:] == [(third, one)]
    assert house.send(said, session=second).flags == ("not_instructed",)
    assert house.send(said, session=third).flags == ()


def test_instruction_that_nobody_was_given_may_be_ended_by_whoever_covers_its_account():
    house = a_core()
    lost = executing(house)
    house.send(an_order("o-1"), session=lost)
    other = opened(house, "G2", accounts=("A2",)).session
    covering = opened(house, "G3", accounts=("A1",)).session
    lose(house, lost)
    assert house.said == []
    (one,) = (entry.instruction for entry in house.core.boards.outbox.outstanding.values())
    done = InstructionReport(instruction_id=one.instruction_id, status="done")
    assert house.send(done, session=other).flags == ("not_instructed",)
    assert house.send(done, session=covering).flags == ()
    assert house.core.boards.outbox.outstanding == {}


def test_instruction_of_an_order_that_has_ended_is_not_given_again():
    house = a_core()
    lost = executing(house)
    house.send(an_order("o-1"), session=lost)
    lose(house, lost)
    house.send(a_fill("e-1", client_order_id="o-1"))
    executing(house)
    assert cancels(house) == []
    assert house.core.boards.outbox.outstanding == {}


def test_instruction_that_is_late_is_given_again_with_an_alert_until_its_order_ends():
    house = a_core()
    lost = executing(house)
    house.send(an_order("o-1"), session=lost)
    second = executing(house, "G2")
    lose(house, lost)
    house.elapse(5 * SECOND - 1)
    assert cancels(house) == [(second, "o-1")]
    house.elapse(1)
    assert cancels(house) == [(second, "o-1")] * 2
    assert len(house.alerts("instruction_late")) == 1
    house.send(a_report("o-1", "canceled"))
    house.elapse(20 * SECOND)
    assert cancels(house) == [(second, "o-1")] * 2
    assert house.core.boards.outbox.outstanding == {}


def test_instruction_that_failed_is_an_alert_and_its_order_stays_counted():
    house = a_core()
    lost = executing(house)
    house.send(an_order("o-1"), session=lost)
    second = executing(house, "G2")
    lose(house, lost)
    instruction = house.said[0][1]
    assert isinstance(instruction, Instruction)
    report = InstructionReport(
        instruction_id=instruction.instruction_id, status="failed", detail="the venue is closed"
    )
    assert isinstance(house.send(report, session=second), Ack)
    (alert,) = house.alerts("instruction_failed")
    assert "the venue is closed" in alert.message
    assert house.position().open_buy_lots == 1


def test_instruction_is_given_again_to_a_session_that_says_hello_again():
    """What was on its way over the connection that broke is lost, and is done once by its id."""
    house = a_core()
    lost = executing(house)
    house.send(an_order("o-1"), session=lost)
    second = executing(house, "G2")
    lose(house, lost)
    told = {"executes_responses": True, "cancel_on_disconnect": True}
    assert opened(house, "G2", session=0, **told, continued=second).session == second
    (first, again) = house.said
    assert first == again


def asked_to_reduce(house: StampedCore) -> None:
    """Have riskd ask for a reduction, as a response does."""
    fact = Instructed("A1", InstructionAction.REDUCE, "r-1", symbol="X", side=Side.SELL, quantity=5)
    facts: Facts = []
    house.core.sessions.settle(fact, house.stamp, facts)
    house.said += [(fact.session, fact.message) for fact in facts if isinstance(fact, Said)]


def test_instruction_of_a_session_that_is_lost_is_given_to_one_that_stands_by():
    house = a_core()
    standby = executing(house, "G2")
    first = executing(house)  # The newer of equals.
    asked_to_reduce(house)
    ((to, told),) = house.said
    assert to == first
    lose(house, first)
    assert house.said[1:] == [(standby, told)]


@pytest.mark.parametrize(
    ("accepted", "after_ns", "kept"),
    [(False, 0, True), (False, 1, False), (True, 1, True)],
    ids=["at its deadline", "past it", "accepted before"],
)
def test_instruction_to_reduce_is_void_past_its_deadline_unless_it_was_begun(
    accepted: bool, after_ns: int, kept: bool
):
    house = a_core()
    first = executing(house)
    asked_to_reduce(house)
    ((_, told),) = house.said
    assert isinstance(told, Instruction)
    assert told.deadline_ns == house.stamp.recv_ns + 5 * SECOND
    if accepted:
        report = InstructionReport(instruction_id=told.instruction_id, status="accepted")
        house.send(report, 0, session=first)
    house.said.clear()
    hello = Hello(gateway="G1", session=first, executes_responses=True)
    house.send(hello, 5 * SECOND + after_ns)
    assert (house.said == [(first, told)]) is kept
    assert (house.core.boards.outbox.outstanding != {}) is kept
    assert len(house.alerts("instruction_expired")) == (0 if kept else 1)


def test_instruction_report_of_an_unknown_instruction_is_flagged():
    house = a_core()
    ack = house.send(InstructionReport(instruction_id="nothing", status="done"))
    assert ack.flags == ("unknown_instruction",)


def test_e70_gateway_that_holds_less_is_refused_until_it_has_resynchronised():
    """E70: every kind of order of its session, also one that reduces; others go on."""
    house = a_core()
    first = opened(house).session
    held = house.send(an_order("o-1"), session=first).seq
    house.send(an_order("o-2"), session=first)
    lose(house, first)
    back = opened(house, last_seq=held)
    assert back.must_resync
    assert back.last_seq == held + 1
    number = back.session
    assert codes_of(house.send(an_order("o-3"), session=number)) == ["UNRECONCILED"]
    amend = Amend(account="A1", client_order_id="o-1", quantity=2.0)
    assert codes_of(house.send(amend, session=number)) == ["UNRECONCILED"]
    basket = house.send(Basket(basket_id="b", orders=[an_order("o-4")]), session=number)
    assert codes_of(basket.verdicts[0]) == ["UNRECONCILED"]
    assert codes_of(house.send(an_order("o-5"))) == []
    listed = house.core.sessions.working_orders(number, house.stamp.seq, None)
    assert not isinstance(listed, Error)
    assert [order.client_order_id for order in listed.orders] == ["o-1", "o-2", "o-5"]
    ahead = house.send(Resynced(seq=house.stamp.seq + 1), session=number)
    assert (ahead.code, "was never told" in ahead.text) == ("refused", True)
    stale = house.send(Resynced(seq=number - 1), session=number)
    assert isinstance(stale, Error)
    assert house.send(Resynced(seq=listed.seq), session=number).flags == ()
    assert codes_of(house.send(an_order("o-6"), session=number)) == []


def test_e70_gateway_that_holds_all_approvals_or_has_none_working_may_send_at_once():
    house = a_core()
    first = opened(house).session
    held = house.send(an_order("o-1"), session=first).seq
    lose(house, first)
    assert not opened(house, last_seq=held).must_resync
    assert not opened(house, "G2", accounts=("A2",)).must_resync
    house.send(a_report("o-1", "canceled"))
    assert not opened(house, "G3").must_resync


def test_e70_orders_that_another_gateway_looks_after_need_not_be_compared():
    house = a_core()
    first = opened(house).session
    house.send(an_order("o-1"), session=first)
    assert not opened(house, "G2").must_resync
    lose(house, first)
    assert opened(house, "G3").must_resync
    assert opened(house).must_resync
    assert not opened(house, "G4").must_resync  # It is back, and they are its own again.


def test_e70_gateway_that_holds_more_than_is_known_freezes_its_accounts():
    """E70: a new epoch. Books were lost: nothing may go until a person has looked."""
    house = a_core()
    held = house.send(an_order("o-1")).seq
    welcome = opened(house, accounts=("A1",), last_seq=held + 1)
    assert welcome.last_seq == held
    verdict = house.send(an_order("o-2"))
    assert codes_of(verdict) == ["ACCOUNT_FROZEN"]
    assert f"gateway G1 holds an approval of seq {held + 1}" in verdict.rejects[0].text
    assert codes_of(house.send(an_order("o-3", account="A2"))) == []
    (alert,) = house.alerts("account_frozen")
    assert (alert.account, alert.severity) == ("A1", Severity.EXTREME)
    house.send(AccountUnfreeze(account="A1"))
    house.send(Resynced(seq=house.stamp.seq), session=welcome.session)
    assert codes_of(house.send(an_order("o-4"), session=welcome.session)) == []


def test_e70_exactly_the_newest_approval_is_neither_more_nor_less():
    house = a_core()
    held = house.send(an_order("o-1")).seq
    changed = house.send(Amend(account="A1", client_order_id="o-1", quantity=2.0)).seq
    assert opened(house, "G1", last_seq=held).must_resync
    assert not opened(house, "G2", last_seq=changed).must_resync
    assert house.account().frozen == ""
    opened(house, "G3", last_seq=changed + 1)
    assert house.account().frozen != ""


def test_e23_gateway_dies_after_the_approval_and_the_reservation_stays_until_someone_knows():
    """E23: counted, suspect at its deadline, freed by the venue's word."""
    house = a_core()
    session = opened(house).session
    house.send(an_order("o-1", quantity=4), session=session)
    lose(house, session)
    assert states(house) == {"o-1": "pending"}
    house.elapse(31 * SECOND)
    assert states(house) == {"o-1": "suspect"}
    assert house.position().open_buy_lots == 4
    house.send(a_report("o-1", "rejected"))
    assert house.position().open_buy_lots == 0


def test_sessions_and_instructions_come_back_from_a_snapshot():
    house = a_core()
    lost = executing(house)
    house.send(an_order("o-1"), session=lost)
    lose(house, lost)
    restored = StampedCore(Core())
    restored.core.restore(decode_state(encode_state(house.core.state())))
    restored.stamp = house.stamp
    for one in (house, restored):
        one.said.clear()
        executing(one)
    assert restored.said == house.said != []
    assert restored.digest() == house.digest()
