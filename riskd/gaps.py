"""Finding what a subscriber has missed, from the `pub_seq` that counts per topic class.

The class of a topic is its first segment: `verdict.A1` is of class `verdict`.
"""

from __future__ import annotations

from typing import NamedTuple

STATE_CLASSES = frozenset(
    ("breaker", "drawdown", "exposure", "firm", "heartbeat", "limits", "margin", "pnl", "position")
)


class Gap(NamedTuple):
    """Messages of a topic class were published and did not arrive.

    `missed` is None when riskd started anew: its count began again, so how many were missed
    cannot be known.
    """

    topic_class: str
    missed: int | None


def class_of(topic: str) -> str:
    """Return the topic's class: its first segment."""
    return topic.partition(".")[0]


class GapDetector:
    """Tells, message by message, whether some of the same class were missed before it.

    Only classes that are subscribed to as a whole can be judged: who listens to `verdict.A1`
    alone cannot tell a missed verdict from another account's. On subscribing, riskd first sends
    the last value of each state topic, with the `pub_seq` that it once had; those do not count.
    They are over when a topic comes a second time.
    """

    def __init__(self, prefixes: tuple[str, ...]) -> None:
        self._prefixes = prefixes
        self._newest: dict[str, int] = {}  # By class: the highest pub_seq seen.
        self._topics: dict[str, dict[str, int]] = {}  # By class and topic: the last pub_seq.
        self._settled: set[str] = set()  # Classes whose last values have all been sent.

    def see(self, topic: str, pub_seq: int) -> Gap | None:
        """Return the gap before this message, or None. `pub_seq` 0 is not counted at all."""
        name = class_of(topic)
        if pub_seq == 0 or not self._is_whole(name):
            return None
        topics = self._topics.setdefault(name, {})
        last = topics.get(topic)
        newest = self._newest.get(name)
        topics[topic] = pub_seq
        if newest is None:
            self._newest[name] = pub_seq
            return None
        if self._began_anew(name, pub_seq, last, newest):
            self._newest[name] = pub_seq
            self._topics[name] = {topic: pub_seq}
            self._settled.discard(name)
            return Gap(name, None)
        self._newest[name] = max(newest, pub_seq)
        if name in STATE_CLASSES and name not in self._settled and last is None:
            return None
        self._settled.add(name)
        missed = pub_seq - newest - 1
        return Gap(name, missed) if missed > 0 else None

    def _is_whole(self, name: str) -> bool:
        return any(f"{name}.".startswith(prefix) for prefix in self._prefixes)

    @staticmethod
    def _began_anew(name: str, pub_seq: int, last: int | None, newest: int) -> bool:
        if name in STATE_CLASSES:
            # A last value sent again after a reconnect is as old as it was; an older one than
            # its topic had before can only come from another life of riskd.
            return last is not None and pub_seq < last
        return pub_seq <= newest
