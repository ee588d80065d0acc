"""What a benchmark reports into: rows of figures, digests of results, budgets met or missed."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from statistics import median
from time import perf_counter_ns

from msgspec import Struct

DIGEST_BYTES = 8
TIMER_READINGS = 10_000


class Row(Struct):
    """One case that was measured. A figure's name ends in its unit; ratios have none."""

    bench: str
    case: str
    figures: dict[str, float]
    digest: str = ""
    note: str = ""


class Budget(Struct):
    """A budget of the design beside what was measured."""

    bench: str
    what: str
    value: float
    limit: float
    at_most: bool = True

    @property
    def is_met(self) -> bool:
        """Return whether the figure is within the budget."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit


class Bench:
    """One benchmark's run: its sizes, and what it reports."""

    def __init__(self, name: str, *, smoke: bool) -> None:
        self.name = name
        self.smoke = smoke
        self.rows: list[Row] = []
        self.budgets: list[Budget] = []
        self.parameters: dict[str, int] = {}

    def parameter(self, name: str, *, smoke: int, full: int) -> int:
        """Return a size, and keep it beside the figures."""
        value = self.parameters[name] = smoke if self.smoke else full
        return value

    def report(
        self, case: str, figures: dict[str, float], *, digest: str = "", note: str = ""
    ) -> None:
        """Keep the figures of one case."""
        self.rows.append(Row(self.name, case, figures, digest, note))

    def at_most(self, what: str, value: float, limit: float) -> None:
        """Compare a figure with a budget that is an upper bound."""
        self.budgets.append(Budget(self.name, what, value, limit))

    def at_least(self, what: str, value: float, limit: float) -> None:
        """Compare a figure with a budget that is a lower bound."""
        self.budgets.append(Budget(self.name, what, value, limit, at_most=False))


def percentiles(spans_ns: Sequence[int]) -> dict[str, float]:
    """Return p50, p99 and p99.9 of spans, in ns: the smallest span that so many are within."""
    ordered = sorted(spans_ns)
    named = (("p50_ns", 500), ("p99_ns", 990), ("p999_ns", 999))
    return {name: float(ordered[-(-len(ordered) * of // 1000) - 1]) for name, of in named}


def median_of(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return each figure's median over rounds."""
    return {name: median(one[name] for one in rounds) for name in rounds[0]}


def digest(results: Iterable[bytes]) -> str:
    """Return a hash of results in their order."""
    found = blake2b(digest_size=DIGEST_BYTES)
    for result in results:
        found.update(len(result).to_bytes(4, "little"))
        found.update(result)
    return found.hexdigest()


def span_ns(call: Callable[[], object]) -> int:
    """Return how long one call took."""
    begun_ns = perf_counter_ns()
    call()
    return perf_counter_ns() - begun_ns


def timer_cost_ns() -> float:
    """Return what two readings of the clock around nothing show; no figure has it taken off."""
    clock = perf_counter_ns
    spans = []
    for _ in range(TIMER_READINGS):
        begun_ns = clock()
        spans.append(clock() - begun_ns)
    return float(median(spans))


@contextmanager
def collector_off() -> Iterator[None]:
    """Run with the garbage collector as riskd runs: what exists is frozen, nothing is collected."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
        gc.collect()
