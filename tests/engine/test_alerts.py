"""Alerts are one per cause, and account timers wake nobody early, late or for nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.alert_views import alert_view, alerts_view
from engine.alerts import ALERTS_MAX, REPEAT_NS, STEPS_MAX, AlertBook, topic_of
from engine.digest import decode_state, encode_state
from engine.facts import Raised, Resolved, Stamp
from engine.timers import Timers
from riskd.messages import (
    AccountUnfreeze,
    ActorFailed,
    AlertAck,
    Alerts,
    AlertSettings,
    Error,
    Hello,
    Kill,
    Result,
    RiskSettings,
    SessionLost,
    Severity,
    Trip,
)
from tests.builders import SECOND, StampedCore, a_core

PROPERTY = settings(max_examples=200, deadline=None, database=None)


SPANS = AlertSettings(escalate_high_ms=60_000, escalate_critical_ms=30_000)


def raised(
    cause: str, severity: Severity = Severity.HIGH, message: str = "m", *, lasting: bool = False
) -> Raised:
    return Raised(severity, "kind", cause, message, "A1", lasting=lasting)


def at(steady_ns: int) -> Stamp:
    return Stamp(steady_ns, steady_ns, steady_ns)


def test_alert_of_a_cause_is_published_at_once_then_once_a_second_with_its_count():
    book = AlertBook()
    first = book.apply(raised("c"), at(0))
    assert first is not None
    assert (first.alert_id, first.status, first.count) == (1, "raised", 1)
    assert book.apply(raised("c"), at(REPEAT_NS - 1)) is None
    again = book.apply(raised("c", Severity.LOW, "later"), at(REPEAT_NS))
    assert again is not None
    assert (again.alert_id, again.status, again.count) == (1, "repeated", 3)
    assert (again.severity, again.message, again.first_ns) == (Severity.LOW, "later", 0)
    assert book.apply(raised("c", Severity.LOW), at(2 * REPEAT_NS - 1)) is None
    assert [alert.count for alert in book.newest(10)] == [4]


def test_alerts_of_other_causes_are_other_alerts():
    book = AlertBook()
    alerts = [book.apply(raised(f"c-{x}"), at(0)) for x in range(3)]
    assert [alert and alert.alert_id for alert in alerts] == [1, 2, 3]
    assert [alert.alert_id for alert in book.newest(2)] == [2, 3]
    assert book.newest(0) == []


def test_alerts_beyond_the_greatest_number_forget_the_oldest():
    book = AlertBook()
    for number in range(ALERTS_MAX + 2):
        book.apply(raised(f"c-{number}"), at(0))
    assert len(book.entries) == ALERTS_MAX
    assert next(iter(book.entries)) == 3
    assert len(book.open) == ALERTS_MAX


def test_alert_topic_names_the_severity_and_the_account_or_the_firm():
    alert = AlertBook().apply(raised("c"), at(0))
    firm = AlertBook().apply(Raised(Severity.LOW, "kind", "c", "m"), at(0))
    assert alert is not None
    assert firm is not None
    assert (topic_of(alert), topic_of(firm)) == ("alert.high.A1", "alert.low.firm")


def test_alert_whose_severity_changes_is_published_at_once_however_recent():
    """A cause that gets worse, or less bad, must not wait for the next repeat."""
    book = AlertBook()
    book.apply(raised("c", Severity.MEDIUM), at(0))
    worse = book.apply(raised("c", Severity.CRITICAL), at(1))
    assert worse is not None
    assert (worse.alert_id, worse.severity, worse.status, worse.count) == (
        1,
        "critical",
        "raised",
        2,
    )
    better = book.apply(raised("c", Severity.HIGH), at(2))
    assert better is not None
    assert (better.severity, better.status) == ("high", "repeated")
    assert book.apply(raised("c", Severity.HIGH), at(2 + REPEAT_NS - 1)) is None


def test_alert_that_nobody_acknowledges_escalates_in_time_and_no_further_than_extreme():
    book = AlertBook()
    book.apply(raised("c"), at(0), SPANS)
    assert book.due_steady_ns() == 60 * SECOND
    assert book.elapse(at(60 * SECOND - 1), SPANS) == []
    [critical] = book.elapse(at(60 * SECOND), SPANS)
    assert (critical.severity, critical.status, critical.alert_id) == ("critical", "escalated", 1)
    assert book.due_steady_ns() == 90 * SECOND
    [extreme] = book.elapse(at(90 * SECOND), SPANS)
    assert (extreme.severity, extreme.status) == ("extreme", "escalated")
    assert book.due_steady_ns() is None
    assert book.elapse(at(10_000 * SECOND), SPANS) == []
    again = book.apply(raised("c"), at(10_001 * SECOND), SPANS)
    assert again is not None
    assert again.severity is Severity.EXTREME  # A repeat does not make it less loud.


def test_alert_of_a_severity_without_a_span_never_escalates():
    book = AlertBook()
    book.apply(raised("c", Severity.MEDIUM), at(0), SPANS)
    assert book.due_steady_ns() is None
    assert book.elapse(at(10_000 * SECOND), SPANS) == []


def test_acknowledged_alert_neither_repeats_nor_escalates_until_it_gets_worse():
    book = AlertBook()
    book.apply(raised("c", lasting=True), at(0), SPANS)
    answer, told = book.acknowledge(AlertAck(alert_id=1, by="ann", note="seen"), at(5), "local")
    assert isinstance(answer, Result)
    assert told is not None
    assert (told.status, told.by, told.note) == ("acknowledged", "ann", "seen")
    assert book.due_steady_ns() is None
    assert book.apply(raised("c", lasting=True), at(2 * REPEAT_NS), SPANS) is None
    [kept] = book.newest(1)
    assert (kept.count, kept.status, kept.by) == (2, "acknowledged", "ann")
    worse = book.apply(raised("c", Severity.CRITICAL, lasting=True), at(3 * REPEAT_NS), SPANS)
    assert worse is not None
    assert (worse.alert_id, worse.status, worse.by, worse.note) == (1, "raised", None, None)
    assert book.due_steady_ns() == 3 * REPEAT_NS + 30 * SECOND


def test_acknowledged_event_is_another_alert_when_it_happens_again():
    book = AlertBook()
    book.apply(raised("c"), at(0))
    book.acknowledge(AlertAck(alert_id=1), at(1), "local")
    second = book.apply(raised("c"), at(2))
    assert second is not None
    assert (second.alert_id, second.status, second.count) == (2, "raised", 1)


def test_acknowledgement_twice_or_of_a_stranger_changes_nothing():
    book = AlertBook()
    book.apply(raised("c"), at(0))
    book.acknowledge(AlertAck(alert_id=1, by="ann"), at(1), "local")
    answer, told = book.acknowledge(AlertAck(alert_id=1, by="bob"), at(2), "local")
    assert isinstance(answer, Result)
    assert (answer.data["changed"], told) == (False, None)
    assert book.newest(1)[0].by == "ann"
    answer, told = book.acknowledge(AlertAck(alert_id=7), at(3), "local")
    assert isinstance(answer, Error)
    assert (answer.code, told) == ("not_found", None)


def test_resolved_cause_ends_its_alert_and_the_next_one_is_another():
    book = AlertBook()
    book.apply(raised("c", lasting=True), at(0), SPANS)
    ended = book.apply(Resolved("c"), at(7), SPANS)
    assert ended is not None
    assert (ended.alert_id, ended.status, ended.seq) == (1, "resolved", 7)
    assert book.due_steady_ns() is None
    assert book.apply(Resolved("c"), at(8), SPANS) is None
    next_one = book.apply(raised("c", lasting=True), at(9), SPANS)
    assert next_one is not None
    assert next_one.alert_id == 2


def test_muted_cause_is_kept_unsaid_until_the_mute_ends_or_it_is_worse():
    book = AlertBook()
    book.apply(raised("c", lasting=True), at(0), SPANS)
    book.acknowledge(AlertAck(alert_id=1, by="ann", mute_ms=10_000), at(0), "local")
    book.apply(Resolved("c"), at(1), SPANS)
    assert book.apply(raised("c", lasting=True), at(10 * SECOND - 1), SPANS) is None
    assert (book.newest(1)[0].status, book.newest(1)[0].by) == ("muted", "ann")
    assert book.due_steady_ns() is None
    assert book.apply(Resolved("c"), at(10 * SECOND - 1), SPANS) is None
    assert book.apply(raised("c", Severity.EXTREME), at(10 * SECOND - 1), SPANS) is not None
    book.acknowledge(AlertAck(alert_id=3), at(10 * SECOND - 1), "local")
    assert book.apply(raised("c"), at(10 * SECOND), SPANS) is not None


def test_alert_tells_its_life_in_steps():
    book = AlertBook()
    book.apply(raised("c", lasting=True), at(1), SPANS)
    book.elapse(at(61 * SECOND), SPANS)
    book.acknowledge(AlertAck(alert_id=1, by="ann", note="on it"), at(62 * SECOND), "local")
    book.apply(Resolved("c"), at(63 * SECOND), SPANS)
    life = alert_view(book, 1)
    assert life is not None
    told = [(step.status, step.severity, step.at_ns, step.by) for step in life["steps"]]
    assert told == [
        ("raised", "high", 1, None),
        ("escalated", "critical", 61 * SECOND, None),
        ("acknowledged", "critical", 62 * SECOND, "ann"),
        ("resolved", "critical", 63 * SECOND, None),
    ]
    assert alert_view(book, 2) is None


def test_steps_of_an_alert_are_bounded_and_keep_the_first():
    book = AlertBook()
    for number in range(STEPS_MAX * 2):
        severity = Severity.HIGH if number % 2 == 0 else Severity.LOW
        book.apply(raised("c", severity), at(number))
    life = alert_view(book, 1)
    assert life is not None
    assert (len(life["steps"]), life["steps"][0].at_ns) == (STEPS_MAX, 0)
    assert life["steps"][-1].at_ns == STEPS_MAX * 2 - 1


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (Alerts(), [1, 2, 3]),
        (Alerts(since=1), [2, 3]),
        (Alerts(severity=Severity.LOW), [2]),
        (Alerts(account="A2"), [3]),
        (Alerts(from_ns=20), [1, 2, 3]),
        (Alerts(from_ns=21), [1, 3]),
        (Alerts(to_ns=20), [1, 2]),
        (Alerts(to_ns=19), [1]),
        (Alerts(status="acknowledged"), [2]),
        (Alerts(status="open"), [1, 3]),
        (Alerts(limit=2), [2, 3]),
        (Alerts(limit=0), []),
    ],
)
def test_alerts_are_found_by_severity_time_account_and_status(asked, found):
    book = AlertBook()
    book.apply(raised("a"), at(10))
    book.apply(raised("b", Severity.LOW), at(20))
    book.acknowledge(AlertAck(alert_id=2), at(20), "local")
    book.apply(Raised(Severity.HIGH, "kind", "c", "m", "A2"), at(30))
    book.apply(raised("a"), at(40))
    assert [alert.alert_id for alert in alerts_view([book], asked)] == found


def test_breaker_that_opens_and_closes_is_one_alert_that_ends():
    core = a_core()
    core.send(Trip(scope="account", scope_id="A1", until_ns=core.stamp.recv_ns + SECOND))
    core.elapse(2 * SECOND)
    told = [(x.status, x.severity) for x in core.alerts("breaker_stopped")]
    assert told == [("raised", "critical"), ("resolved", "critical")]


def test_kill_that_nobody_acknowledges_escalates_when_time_passes_in_the_engine():
    core = a_core(settings=RiskSettings(alerts=SPANS))
    core.send(Kill(scope="account", scope_id="A1"))
    core.elapse(30 * SECOND)
    told = [(x.status, x.severity) for x in core.alerts("breaker_stopped")]
    assert told == [("raised", "critical"), ("escalated", "extreme")]


def test_frozen_account_that_is_let_trade_again_ends_its_alert():
    core = a_core()
    core.send(ActorFailed(account="A1", reason="r"))
    core.send(AccountUnfreeze(account="A1"))
    assert [x.status for x in core.alerts("account_frozen")] == ["raised", "resolved"]


def test_lost_session_is_resolved_by_the_next_hello_of_its_gateway():
    core = a_core()
    first = core.send(Hello(gateway="g", accounts=("A1",)))
    core.send(SessionLost(session=first.session, reason="silent"))
    core.send(Hello(gateway="g", accounts=("A1",)), session=0)
    assert [x.status for x in core.alerts("session_lost")] == ["raised", "resolved"]


def test_restored_alerts_go_on_where_they_were():
    """Escalation, counts and mutes are state: a restored core does what the first does."""
    core = a_core(settings=RiskSettings(alerts=SPANS))
    core.send(Kill(scope="account", scope_id="A1"))
    core.send(Trip(scope="account", scope_id="A2"))
    core.send(AlertAck(alert_id=2, by="ann", mute_ms=1000))
    restored = StampedCore()
    restored.core.restore(decode_state(encode_state(core.core.state())))
    restored.stamp = core.stamp
    for one in (core, restored):
        one.published.clear()
        one.elapse(60 * SECOND)
    assert [x.message for x in restored.published] == [x.message for x in core.published]
    assert restored.digest() == core.digest()


WISHES = st.lists(
    st.tuples(st.booleans(), st.sampled_from(["A", "B", "C"]), st.integers(0, 50)), max_size=40
)


@PROPERTY
@given(wishes=WISHES)
def test_timers_agree_with_the_earliest_wish_of_each_account(wishes):
    timers, wanted = Timers(), dict[str, int]()
    for is_wish, account, at_ns in wishes:
        if is_wish:
            timers.ask(account, at_ns)
            wanted[account] = min(at_ns, wanted.get(account, at_ns))
            continue
        due = sorted(key for key, value in wanted.items() if value <= at_ns)
        assert timers.take_due(at_ns) == due
        for key in due:
            del wanted[key]
    next_ns = timers.next_ns()
    assert next_ns is None or not wanted or next_ns <= min(wanted.values())
    assert next_ns is not None or not wanted
