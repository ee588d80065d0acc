"""Alerts are one per cause, and account timers wake nobody early, late or for nothing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.alerts import ALERTS_MAX, REPEAT_NS, AlertBook, topic_of
from engine.facts import Raised, Stamp
from engine.timers import Timers
from riskd.messages import Severity

PROPERTY = settings(max_examples=200, deadline=None, database=None)


def raised(cause: str, severity: Severity = Severity.HIGH, message: str = "m") -> Raised:
    return Raised(severity, "kind", cause, message, "A1")


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
    assert book.apply(raised("c"), at(2 * REPEAT_NS - 1)) is None
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
    assert next(iter(book.entries)) == "c-2"


def test_alert_topic_names_the_severity_and_the_account_or_the_firm():
    alert = AlertBook().apply(raised("c"), at(0))
    firm = AlertBook().apply(Raised(Severity.LOW, "kind", "c", "m"), at(0))
    assert alert is not None
    assert firm is not None
    assert (topic_of(alert), topic_of(firm)) == ("alert.high.A1", "alert.low.firm")


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
