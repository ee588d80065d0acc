"""Refusals: counted always, told when they repeat, and never more of a log than is bearable."""

from __future__ import annotations

from engine.facts import AlertFact, Raised
from transport.refusals import LINES_MAX, LogIn, NotAllowed, Refusals


def test_refusals_are_counted_and_told_from_the_third_on():
    said: list[AlertFact] = []
    refusals = Refusals(said.append)
    for _ in range(2):
        refusals.take(NotAllowed("control", "ann", "kill", "ann is viewer; this needs operator"))
        refusals.take(LogIn("orders", "10.0.0.9", "x" * 40, "the key is not on the allow-list"))
    assert said == []
    refusals.take(NotAllowed("control", "bob", "kill", "bob is viewer; this needs operator"))
    assert said == []
    refusals.take(NotAllowed("control", "ann", "stop", "ann is viewer; this needs admin"))
    refusals.take(LogIn("orders", "10.0.0.9", "x" * 40, "the key is not on the allow-list"))
    told = [fact for fact in said if isinstance(fact, Raised)]
    assert [fact.alert_type for fact in told] == ["not_authorized", "login_refused"]
    assert refusals.counts == {"not_authorized": 4, "login_refused": 3}


def test_refusals_beyond_what_a_log_bears_are_counted_alone(capsys):
    refusals = Refusals(lambda _: None)
    for _ in range(50):
        refusals.take(LogIn("orders", "10.0.0.9", "x" * 40, "the key is not on the allow-list"))
    assert refusals.counts["not_logged"] >= 50 - 2 * LINES_MAX
    assert capsys.readouterr().out.count("login_refused") <= 2 * LINES_MAX
