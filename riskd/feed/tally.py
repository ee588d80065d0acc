"""What came back while a recording was played."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Any

from riskd.messages import Ack, Error, OrdersAnswer, Verdict

APPROVED = "APPROVED"
PERCENTILES = (("p50", 0.50), ("p99", 0.99), ("p999", 0.999), ("max", 1.0))


class Tally:
    """Counts requests, answers by kind, ticks, and keeps every latency."""

    def __init__(self) -> None:
        self.requests = 0
        self.ticks = 0
        self.market_states = 0
        self.verdicts: Counter[str] = Counter()  # By primary code, APPROVED among them.
        self.acks = 0
        self.ack_flags: Counter[str] = Counter()
        self.duplicates = 0
        self.errors: Counter[str] = Counter()
        self.unanswered = 0
        self.skipped: Counter[str] = Counter()  # Facts that were not sent, by why.
        self.reconnects = 0
        self.resends = 0
        self.elapsed_ns = 0
        self.is_interrupted = False
        self.latencies_ns: array[int] = array("q")

    @property
    def answers(self) -> int:
        """How many requests have been answered, by whatever."""
        return self.verdicts.total() + self.acks + self.errors.total()

    @property
    def messages(self) -> int:
        """How many messages have gone out."""
        return self.requests + self.ticks + self.market_states

    @property
    def is_clean(self) -> bool:
        """Whether every request was answered, and none by an error."""
        return self.unanswered == 0 and not self.errors and self.answers == self.requests

    def count(self, answer: OrdersAnswer, latency_ns: int) -> None:
        """Count one answer."""
        self.latencies_ns.append(latency_ns)
        if isinstance(answer, Verdict):
            code = APPROVED if answer.approved else answer.rejects[0].code
            self.verdicts[code] += 1
            self.duplicates += answer.duplicate
        elif isinstance(answer, Ack):
            self.acks += 1
            self.ack_flags.update(answer.flags)
            self.duplicates += answer.duplicate
        elif isinstance(answer, Error):
            self.errors[answer.code] += 1
        else:
            self.errors["unexpected"] += 1

    def as_dict(self) -> dict[str, Any]:
        """Return everything for `--json`; spans are integer nanoseconds."""
        seconds = self.elapsed_ns / 1e9
        return {
            "requests": self.requests,
            "answers": self.answers,
            "unanswered": self.unanswered,
            "verdicts": dict(self.verdicts.most_common()),
            "acks": self.acks,
            "ack_flags": dict(self.ack_flags.most_common()),
            "duplicates": self.duplicates,
            "errors": dict(self.errors.most_common()),
            "skipped": dict(self.skipped.most_common()),
            "ticks": self.ticks,
            "market_states": self.market_states,
            "reconnects": self.reconnects,
            "resends": self.resends,
            "latency_ns": percentiles(self.latencies_ns),
            "elapsed_ns": self.elapsed_ns,
            "requests_per_second": self.requests / seconds if seconds else 0.0,
            "ticks_per_second": self.ticks / seconds if seconds else 0.0,
            "interrupted": self.is_interrupted,
        }


def percentiles(spans_ns: Sequence[int]) -> dict[str, int]:
    """Return p50, p99, p999 and max by nearest rank; empty if there are none."""
    ordered = sorted(spans_ns)
    if not ordered:
        return {}
    return {
        name: ordered[max(0, math.ceil(share * len(ordered)) - 1)] for name, share in PERCENTILES
    }
