from __future__ import annotations

from riskd.gaps import Gap, GapDetector, class_of


def seen(prefixes, *arrivals):
    detector = GapDetector(prefixes)
    return [detector.see(topic, pub_seq) for topic, pub_seq in arrivals]


def test_gaps_consecutive_messages_are_none():
    assert seen(("",), ("verdict.A1", 7), ("verdict.A2", 8), ("verdict.A1", 9)) == [None] * 3


def test_gaps_missing_messages_are_counted_between_the_neighbours():
    assert seen(("",), ("alert.low.A1", 7), ("alert.low.A1", 11)) == [None, Gap("alert", 3)]


def test_gaps_classes_count_apart():
    arrivals = (("verdict.A1", 1), ("alert.low.A1", 50), ("verdict.A1", 2), ("alert.low.A1", 52))
    assert seen(("",), *arrivals) == [None, None, None, Gap("alert", 1)]


def test_gaps_last_values_on_subscribing_do_not_count():
    """Four accounts' last values with the old counts, in any order; then live messages."""
    last_values = (("pnl.A1", 90), ("pnl.A2", 40), ("pnl.A3", 97), ("pnl.A4", 95))
    live = (("pnl.A2", 98), ("pnl.A1", 99), ("pnl.A1", 101))
    assert seen(("pnl.",), *last_values, *live) == [None] * 6 + [Gap("pnl", 1)]


def test_gaps_new_state_topic_after_the_last_values_counts():
    arrivals = (("pnl.A1", 5), ("pnl.A1", 6), ("pnl.A9", 9))
    assert seen(("",), *arrivals) == [None, None, Gap("pnl", 2)]


def test_gaps_last_values_sent_again_after_a_reconnect_do_not_count():
    arrivals = (("pnl.A1", 5), ("pnl.A2", 6), ("pnl.A1", 7), ("pnl.A1", 7), ("pnl.A2", 6))
    assert seen(("",), *arrivals, ("pnl.A2", 8)) == [None] * 6


def test_gaps_messages_lost_over_a_reconnect_count_when_the_last_values_come():
    arrivals = (("pnl.A1", 5), ("pnl.A1", 6), ("pnl.A1", 10))
    assert seen(("",), *arrivals) == [None, None, Gap("pnl", 3)]


def test_gaps_count_that_begins_anew_is_a_gap_of_unknown_size():
    assert seen(("",), ("verdict.A1", 500), ("verdict.A1", 1), ("verdict.A1", 2)) == [
        None,
        Gap("verdict", None),
        None,
    ]
    assert seen(("",), ("pnl.A1", 500), ("pnl.A1", 3), ("pnl.A2", 9), ("pnl.A1", 10)) == [
        None,
        Gap("pnl", None),
        None,
        None,
    ]


def test_gaps_of_a_part_of_a_class_cannot_be_judged():
    assert seen(("verdict.A1",), ("verdict.A1", 1), ("verdict.A1", 9)) == [None, None]
    assert seen(("verdict",), ("verdict.A1", 1), ("verdict.A1", 3)) == [None, Gap("verdict", 1)]


def test_gaps_uncounted_messages_are_ignored():
    assert seen(("",), ("verdict.A1", 5), ("verdict.A1", 0), ("verdict.A1", 6)) == [None] * 3


def test_topic_class_is_the_first_segment():
    assert class_of("alert.high.A1") == "alert"
    assert class_of("heartbeat") == "heartbeat"
