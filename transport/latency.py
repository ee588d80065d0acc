"""Latencies in log-linear buckets: cheap to add to, exact to about three percent."""

from __future__ import annotations

_SUB_BITS = 5  # 32 buckets to each doubling.
_SUB = 1 << _SUB_BITS
_BUCKETS = (64 - _SUB_BITS) * _SUB


class Latency:
    """Counts spans in nanoseconds; `take` returns percentiles of the spans since the last one."""

    __slots__ = ("_buckets", "_recent", "count")

    def __init__(self) -> None:
        self._buckets = [0] * _BUCKETS
        self._recent: dict[int, int] = {}
        self.count = 0

    def add(self, span_ns: int) -> None:
        """Count one span. O(1)."""
        shift = max(0, span_ns.bit_length() - _SUB_BITS - 1)
        bucket = (shift << _SUB_BITS) + (span_ns >> shift)
        recent = self._recent
        recent[bucket] = recent.get(bucket, 0) + 1
        self.count += 1

    def take(self) -> tuple[int, int, int]:
        """Return p50, p99 and p99.9 of the spans since the last call, in ns; zeros if none."""
        recent, self._recent = self._recent, {}
        for bucket, count in recent.items():
            self._buckets[bucket] += count
        return _percentiles(sorted(recent.items()))

    def overall(self) -> tuple[int, int, int]:
        """Return p50, p99 and p99.9 of every span so far, in ns."""
        counts = dict(self._recent)
        for bucket, count in enumerate(self._buckets):
            if count:
                counts[bucket] = counts.get(bucket, 0) + count
        return _percentiles(sorted(counts.items()))


def _percentiles(counts: list[tuple[int, int]]) -> tuple[int, int, int]:
    total = sum(count for _, count in counts)
    if not total:
        return 0, 0, 0
    return _at(counts, total * 500), _at(counts, total * 990), _at(counts, total * 999)


def _at(counts: list[tuple[int, int]], rank_thousandths: int) -> int:
    seen = 0
    for bucket, count in counts:
        seen += count * 1000
        if seen >= rank_thousandths:
            return _upper_ns(bucket)
    return _upper_ns(counts[-1][0])


def _upper_ns(bucket: int) -> int:
    shift = max(0, (bucket >> _SUB_BITS) - 1)
    return ((bucket - (shift << _SUB_BITS) + 1) << shift) - 1
